//! The handle of a submitted job.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brigade_protocol::id::JobId;
use brigade_protocol::message::{TaskError, TaskErrorKind};

use crate::error::{Certificate, Failure, JobError};
use crate::job::Decode;
use crate::shell::{Inbox, Message};
use crate::sink::{Cell, Settlement};

/// A submitted job, on its way to its one outcome.
///
/// Dropping it changes nothing for the job.
pub struct Future<T> {
    pub(crate) job: JobId,
    pub(crate) task: Cow<'static, str>,
    pub(crate) cell: Arc<Cell>,
    pub(crate) decode: Decode<T>,
    pub(crate) pool: Arc<Inbox>,
}

impl<T> Future<T> {
    /// The job's id.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The [`JobError`] of the job; also if its output does not decode as a `T`.
    pub fn result(self) -> Result<T, JobError> {
        self.cell
            .wait(None, |settlement| self.read(settlement))
            .unwrap_or_else(|| unreachable!("a wait without a deadline ends with a settlement"))
    }

    /// Waits for the result, but no longer than `patience`. The job goes on when that is over, and
    /// the future is given back.
    ///
    /// # Errors
    ///
    /// The future itself if the time is over; inside, as [`Future::result`].
    pub fn result_timeout(self, patience: Duration) -> Result<Result<T, JobError>, Self> {
        let deadline = Instant::now().checked_add(patience);
        let result = self.cell.wait(deadline, |settlement| self.read(settlement));
        result.ok_or(self)
    }

    /// True once the job is settled.
    pub fn done(&self) -> bool {
        self.cell.peek(|_| ()).is_some()
    }

    /// Cancels the job unless it has been started, and tells whether it did. A job that merely
    /// waits with a worker is called back. Blocks until the answer is known, which takes as long as
    /// the worker needs to answer, usually well below a millisecond.
    pub fn cancel(&self) -> bool {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.pool.send(Message::Cancel { job: self.job, answer });
        if let Ok(cancelled) = answered.recv() {
            return cancelled;
        }
        let cancelled =
            |settlement: &Settlement| settlement.result.as_ref().is_err_and(JobError::is_cancelled);
        self.cell.peek(cancelled).unwrap_or(false)
    }

    fn read(&self, settlement: &Settlement) -> Result<T, JobError> {
        let output = settlement.result.as_ref().map_err(JobError::clone)?;
        (self.decode)(output).map_err(|reason| {
            let text = format!("the output is not a {}: {reason}", std::any::type_name::<T>());
            JobError(Box::new(Certificate {
                job: self.job,
                task: self.task.clone().into_owned(),
                label: None,
                failure: Failure::Undecodable(TaskError::new(TaskErrorKind::BadOutput, text)),
                attempts: settlement.attempts,
                allowed: settlement.attempts,
                worker: settlement.worker,
                killed: None,
                elapsed: settlement.ran.map(|(started, ended)| ended.saturating_sub(started)),
                last_words: Vec::new(),
                usage: None,
            }))
        })
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Future({}, {})", self.task, if self.done() { "done" } else { "pending" })
    }
}
