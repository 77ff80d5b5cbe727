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
    };
}

macro_rules! plain_display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

plain_display!(WorkerId, SlotId, TaskId, Seq);

id! {
    /// One call of a task with its arguments, unique within a pool; settled exactly once.
    ///
    /// ```
    /// use brigade_protocol::id::{JobId, WorkerId};
    ///
    /// assert_eq!(JobId(42).to_string(), "42");
    /// assert_eq!(JobId::nested(WorkerId(7), 42).to_string(), "7.42");
    /// ```
    JobId(u64)
}
id! {
    /// One incarnation of a worker. Never reused, unlike its pid and its slot.
    ///
    /// ```
    /// use brigade_protocol::id::WorkerId;
    ///
    /// // A worker that takes another's place has an id of its own.
    /// assert!(WorkerId(8) > WorkerId(7));
    /// ```
    WorkerId(u64)
}
id! {
    /// A numbered seat for a worker. Workers come and go, slots stay.
    ///
    /// ```
    /// use brigade_protocol::board::PAGE;
    /// use brigade_protocol::id::SlotId;
    ///
    /// // Where the page of this slot begins on the scoreboard.
    /// assert_eq!(SlotId(2).0 as usize * PAGE, 8192);
    /// ```
    SlotId(u32)
}
id! {
    /// A task's place in the list that the worker program gave in its [`Hello`](crate::message::Hello).
    ///
    /// ```
    /// use brigade_protocol::id::TaskId;
    ///
    /// let names = ["double", "pow"];
    /// assert_eq!(names[TaskId(1).0 as usize], "pow");
    /// ```
    TaskId(u32)
}
id! {
    /// The place of a call in the order in which one worker was given its calls, counted from one.
    ///
    /// It is what a worker writes on the [scoreboard](crate::board); zero stands for "none yet".
    ///
    /// ```
    /// use brigade_protocol::id::Seq;
    ///
    /// assert_eq!(Seq::default(), Seq(0), "none yet");
    /// assert!(Seq(0) < Seq(1), "the first call");
    /// ```
    Seq(u64)
}

impl JobId {
    /// The id of the job that is the `count`th, from one, to be submitted by jobs of this worker: so a
    /// worker gives ids by itself, which no other gives. A pool has at most 2^31 workers in its life.
    ///
    /// ```
    /// use brigade_protocol::id::{JobId, WorkerId};
    ///
    /// let job = JobId::nested(WorkerId(7), 1);
    /// assert_ne!(job, JobId::nested(WorkerId(8), 1));
    /// ```
    pub fn nested(worker: WorkerId, count: u32) -> Self {
        Self(((worker.0 & 0x7fff_ffff) + 1) << 32 | u64::from(count))
    }

    /// The worker whose jobs submitted this one, and its number among those; `None` if it was submitted
    /// from outside.
    ///
    /// ```
    /// use brigade_protocol::id::{JobId, WorkerId};
    ///
    /// assert_eq!(JobId::nested(WorkerId(7), 42).origin(), Some((WorkerId(7), 42)));
    /// assert_eq!(JobId(42).origin(), None);
    /// ```
    pub fn origin(self) -> Option<(WorkerId, u32)> {
        let worker = (self.0 >> 32).checked_sub(1)?;
        Some((WorkerId(worker), u32::try_from(self.0 & 0xffff_ffff).ok()?))
    }
}

/// `42`; if it was submitted by a job, `7.42`: the 42nd that jobs of worker 7 submitted.
impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin() {
            None => self.0.fmt(f),
            Some((worker, count)) => write!(f, "{worker}.{count}"),
        }
    }
}

/// One attempt at one job: the fencing token of every call and reply.
///
/// A reply is believed only if its ticket is with the worker that sent it, so a late or forged
/// reply cannot settle the wrong attempt.
///
/// ```
/// use brigade_protocol::id::{JobId, Ticket};
///
/// let first = Ticket::from(JobId(42));
/// let second = Ticket { attempt: 2, ..first };
/// assert_eq!(second.to_string(), "job 42, attempt 2");
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
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

/// Attempts at consecutive jobs, all of the same number: what is true of one is true of each.
///
/// Short jobs that were submitted one after the other travel as one run and are answered as one, until
/// something happens to one of them.
///
/// ```
/// use brigade_protocol::id::{JobId, Run, Ticket};
///
/// let run = Run { first: JobId(7).into(), count: 3 };
/// assert!(run.jobs().eq([7, 8, 9].map(JobId)));
/// assert_eq!(run.place(JobId(9).into()), Some(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    /// The attempt at the first job.
    pub first: Ticket,
    /// How many jobs.
    pub count: u32,
}

impl Run {
    /// Its jobs. Those beyond the last id that there is are left out.
    ///
    /// ```
    /// # use brigade_protocol::id::{JobId, Run};
    /// let run = Run { first: JobId(7).into(), count: 2 };
    /// assert_eq!(run.jobs().collect::<Vec<_>>(), [JobId(7), JobId(8)]);
    /// ```
    pub fn jobs(self) -> impl DoubleEndedIterator<Item = JobId> + Clone {
        let first = self.first.job.0;
        (first..first.saturating_add(u64::from(self.count))).map(JobId)
    }

    /// Its attempts.
    ///
    /// ```
    /// # use brigade_protocol::id::{JobId, Run, Ticket};
    /// let run = Run { first: Ticket { job: JobId(7), attempt: 2 }, count: 2 };
    /// assert!(run.tickets().all(|ticket| ticket.attempt == 2));
    /// ```
    pub fn tickets(self) -> impl DoubleEndedIterator<Item = Ticket> + Clone {
        self.jobs().map(move |job| Ticket { job, attempt: self.first.attempt })
    }

    /// The place of this attempt in it.
    ///
    /// ```
    /// # use brigade_protocol::id::{JobId, Run, Ticket};
    /// let run = Run { first: JobId(7).into(), count: 2 };
    /// assert_eq!(run.place(JobId(8).into()), Some(1));
    /// assert_eq!(run.place(Ticket { job: JobId(8), attempt: 2 }), None);
    /// ```
    pub fn place(self, ticket: Ticket) -> Option<u32> {
        let place = ticket.job.0.checked_sub(self.first.job.0)?;
        let place = u32::try_from(place).ok().filter(|place| *place < self.count)?;
        (ticket.attempt == self.first.attempt).then_some(place)
    }

    /// So many of its attempts, from this place on.
    ///
    /// ```
    /// # use brigade_protocol::id::{JobId, Run};
    /// let run = Run { first: JobId(7).into(), count: 5 };
    /// assert_eq!(run.part(1, 2), Run { first: JobId(8).into(), count: 2 });
    /// ```
    #[must_use]
    pub fn part(self, place: u32, count: u32) -> Self {
        let job = JobId(self.first.job.0.saturating_add(u64::from(place)));
        Self { first: Ticket { job, ..self.first }, count }
    }
}

/// A single attempt.
impl From<Ticket> for Run {
    fn from(first: Ticket) -> Self {
        Self { first, count: 1 }
    }
}

/// The first attempt at a single job.
impl From<JobId> for Run {
    fn from(job: JobId) -> Self {
        Ticket { job, attempt: 1 }.into()
    }
}
