//! Where a job's end is delivered: a future's cell, or a stream. Exactly once, whatever happens.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brigade_protocol::id::JobId;
use crossbeam_channel::Sender;

use crate::error::{Certificate, Failure, JobError, WorkerInfo};
use crate::scheduler::Time;

/// The end of one job, with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The number under which its submitter knows it; for a stream.
    pub tag: u64,
    /// The job.
    pub job: JobId,
    /// Its encoded output, or why there is none.
    pub result: Result<Vec<u8>, JobError>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// The worker of the last attempt.
    pub worker: Option<WorkerInfo>,
    /// When it was submitted, since the pool began.
    pub submitted: Time,
    /// When its last attempt began and ended, since the pool began.
    pub ran: Option<(Time, Time)>,
}

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

    /// Delivers the end. `settlement.tag` is filled in here.
    pub(crate) fn settle(mut self, settlement: Settlement) {
        self.deliver(settlement);
    }

    fn deliver(&mut self, settlement: Settlement) {
        match self.target.take() {
            None => {}
            Some(Target::Cell(cell)) => cell.fill(settlement),
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
    let error = JobError(Box::new(Certificate {
        job,
        task,
        label,
        failure,
        attempts: 0,
        allowed: 0,
        worker: None,
        killed: None,
        elapsed: None,
        last_words: Vec::new(),
        usage: None,
    }));
    Settlement {
        tag: 0,
        job,
        result: Err(error),
        attempts: 0,
        worker: None,
        submitted: Time::ZERO,
        ran: None,
    }
}

/// A place for one settlement, filled once and awaited by any number of threads.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    place: Mutex<Place>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Place {
    settlement: Option<Settlement>,
    /// Somebody waits: `notify` is a system call even if nobody does.
    awaited: bool,
}

impl Cell {
    fn fill(&self, settlement: Settlement) {
        let mut place = self.lock();
        place.settlement = Some(settlement);
        let awaited = place.awaited;
        drop(place);
        if awaited {
            self.filled.notify_all();
        }
    }

    /// Calls `read` with the settlement if there is one now.
    pub(crate) fn peek<R>(&self, read: impl FnOnce(&Settlement) -> R) -> Option<R> {
        self.lock().settlement.as_ref().map(read)
    }

    /// Waits for the settlement, until `deadline` if there is one.
    pub(crate) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        read: impl FnOnce(&Settlement) -> R,
    ) -> Option<R> {
        let mut place = self.lock();
        while place.settlement.is_none() {
            place.awaited = true;
            place = match deadline {
                None => self.filled.wait(place).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left == Duration::ZERO {
                        return None;
                    }
                    let waited = self.filled.wait_timeout(place, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        place.settlement.as_ref().map(read)
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
