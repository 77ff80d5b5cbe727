//! The kinds of ends without a result.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::JobId;
use crate::message::{Exit, TaskError, TaskErrorKind};

/// Why a job gave no result.
///
/// ```
/// use brigade_protocol::error::Failure;
/// use brigade_protocol::message::Exit;
///
/// let failure = Failure::Crashed(Exit::Signal(11));
/// assert_eq!(failure.name(), "crashed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Failure {
    /// The task returned an error.
    Failed(TaskError),
    /// The task panicked.
    Panicked(TaskError),
    /// The arguments or the output could not be encoded or decoded, or the output was too large.
    Undecodable(TaskError),
    /// Its worker died while running it.
    Crashed(Exit),
    /// It ran for longer than this, and its worker was killed.
    TimedOut(Duration),
    /// It was cancelled, or the pool was stopped before it ended.
    Cancelled,
    /// It took down a worker in each of its attempts; this is how they ended.
    Quarantined(Vec<Exit>),
    /// It waits for a job that, in the end, waits for it: these jobs, each waiting for the next and the
    /// last for the first.
    Deadlock(Vec<Member>),
    /// The pool could not keep its workers alive and gave up, for this reason.
    PoolGaveUp(String),
    /// The pool did not take it: there is no such task, or the pool was shut down.
    Refused(String),
}

/// One job of a [`Failure::Deadlock`].
///
/// ```
/// use brigade_protocol::error::Member;
/// use brigade_protocol::id::JobId;
///
/// assert_eq!(Member { job: JobId(42), name: "fetch".into() }.to_string(), "job 42 (fetch)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The job.
    pub job: JobId,
    /// Its label, or the name of its task.
    pub name: String,
}

/// `job 42 (fetch)`.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, name } = self;
        if name.is_empty() { write!(f, "job {job}") } else { write!(f, "job {job} ({name})") }
    }
}

impl Failure {
    /// Its name in records: `failed`, `panicked`, `undecodable`, `crashed`, `timed-out`,
    /// `cancelled`, `quarantined`, `deadlock`, `pool-gave-up`, `refused`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade_protocol::error::Failure;
    ///
    /// assert_eq!(Failure::TimedOut(Duration::from_secs(1)).name(), "timed-out");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::Undecodable(_) => "undecodable",
            Self::Crashed(_) => "crashed",
            Self::TimedOut(_) => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Quarantined(_) => "quarantined",
            Self::Deadlock(_) => "deadlock",
            Self::PoolGaveUp(_) => "pool-gave-up",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether a worker's death is the cause, so that its last words belong to it.
    ///
    /// ```
    /// use brigade_protocol::error::Failure;
    /// use brigade_protocol::message::Exit;
    ///
    /// assert!(Failure::Crashed(Exit::Code(0)).is_a_death());
    /// assert!(!Failure::Cancelled.is_a_death());
    /// ```
    pub fn is_a_death(&self) -> bool {
        matches!(self, Self::Crashed(_) | Self::Quarantined(_) | Self::TimedOut(_))
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        match error.kind {
            TaskErrorKind::Failed => Self::Failed(error),
            TaskErrorKind::Panicked => Self::Panicked(error),
            TaskErrorKind::BadArguments | TaskErrorKind::BadOutput => Self::Undecodable(error),
        }
    }
}
