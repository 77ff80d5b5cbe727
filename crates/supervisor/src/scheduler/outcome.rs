//! How things end: an attempt, a job.

use std::time::Duration;

use brigade_protocol::id::WorkerId;
use brigade_protocol::message::{Exit, TaskError, TaskErrorKind};

use super::Time;

/// The end of a job, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The encoded output, or why there is none.
    pub result: Result<Vec<u8>, Failure>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How many it might have had, had they gone on failing in the way of the last one.
    pub allowed: u32,
    /// The last worker that ran it.
    pub worker: Option<WorkerId>,
    /// When the last attempt began and ended.
    pub ran: Option<(Time, Time)>,
}

/// Why a job gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The pool could not keep its workers alive and gave up, for this reason.
    PoolGaveUp(String),
    /// The pool did not take it: there is no such task, or the pool was shut down.
    Refused(String),
}

impl Failure {
    /// Its name in records: `failed`, `panicked`, `undecodable`, `crashed`, `timed-out`,
    /// `cancelled`, `quarantined`, `pool-gave-up`, `refused`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::Undecodable(_) => "undecodable",
            Self::Crashed(_) => "crashed",
            Self::TimedOut(_) => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Quarantined(_) => "quarantined",
            Self::PoolGaveUp(_) => "pool-gave-up",
            Self::Refused(_) => "refused",
        }
    }
}

impl Failure {
    /// Whether a worker's death is the cause, so that its last words belong to it.
    pub(crate) fn is_a_death(&self) -> bool {
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
