//! Names for the things both sides talk about. All are plain numbers, none is ever reused.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($number:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One call of a task with its arguments, unique within a pool; settled exactly once.
    JobId(u64)
}
id! {
    /// One incarnation of a worker. Never reused, unlike its pid and its slot.
    WorkerId(u64)
}
id! {
    /// A numbered seat for a worker. Workers come and go, slots stay.
    SlotId(u32)
}
id! {
    /// A task's place in the list that the worker program gave in its [`Hello`](crate::message::Hello).
    TaskId(u32)
}
id! {
    /// The place of a call in the order in which one worker was given its calls, counted from one.
    ///
    /// It is what a worker writes on the [scoreboard](crate::board); zero stands for "none yet".
    Seq(u64)
}

/// One attempt at one job: the fencing token of every call and reply.
///
/// A reply is believed only if its ticket is with the worker that sent it, so a late or forged
/// reply cannot settle the wrong attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// Which try at it this is, counted from one.
    pub attempt: u32,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}, attempt {}", self.job, self.attempt)
    }
}
