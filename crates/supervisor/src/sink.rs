//! Where a job's end is delivered: a future's cell, or a stream. Exactly once, whatever happens.

use std::sync::Arc;

use crate::sync::channel::Sender;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::JobId;
use brigade_task::Settlement;
use brigade_task::cell::Cell;

/// The receiving side of one job. Dropped without an end (the pool is gone), it tells so.
#[derive(Debug)]
pub(crate) struct Sink {
    /// What is needed to make a certificate if the pool vanishes.
    pub(crate) job: JobId,
    target: Option<Target>,
}

#[derive(Debug)]
enum Target {
    Cell(Arc<Cell>),
    Stream { tag: u64, to: Sender<Settlement> },
}

impl Sink {
    pub(crate) fn cell(job: JobId, cell: Arc<Cell>) -> Self {
        Self { job, target: Some(Target::Cell(cell)) }
    }

    pub(crate) fn stream(job: JobId, tag: u64, to: Sender<Settlement>) -> Self {
        Self { job, target: Some(Target::Stream { tag, to }) }
    }

    /// The submitter's number, for a stream.
    pub(crate) fn tag(&self) -> Option<u64> {
        match self.target {
            Some(Target::Stream { tag, .. }) => Some(tag),
            _ => None,
        }
    }

    /// The cell it goes to, if it goes to one.
    pub(crate) fn as_cell(&self) -> Option<&Arc<Cell>> {
        match &self.target {
            Some(Target::Cell(cell)) => Some(cell),
            _ => None,
        }
    }

    /// Delivers the end. `settlement.tag` is filled in here.
    pub(crate) fn settle(mut self, settlement: Settlement) {
        self.deliver(settlement);
    }

    /// Another sink delivers the end of the same job.
    pub(crate) fn give_up(mut self) {
        self.target = None;
    }

    fn deliver(&mut self, settlement: Settlement) {
        match self.target.take() {
            None => {}
            Some(Target::Cell(cell)) => cell.fill_last(settlement),
            // Nobody listens any more: the submitter dropped its end of the stream.
            Some(Target::Stream { tag, to }) => {
                let _ = to.send(Settlement { tag, ..settlement });
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.target.is_some() {
            let reason = "the pool was shut down before it took this job".to_owned();
            let settlement = refused(self.job, String::new(), None, Failure::Refused(reason));
            self.deliver(settlement);
        }
    }
}

/// The end of a job that never reached a worker.
pub(crate) fn refused(
    job: JobId,
    task: String,
    label: Option<Box<str>>,
    failure: Failure,
) -> Settlement {
    Settlement::bare(job, Err(JobError::unstarted(job, task, label, failure)))
}
