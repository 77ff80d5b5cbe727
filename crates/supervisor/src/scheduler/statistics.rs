//! What has happened so far, in numbers.

use super::Failure;

/// What a pool has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Jobs submitted, those that jobs submitted included.
    pub submitted: u64,
    /// Jobs that gave a result.
    pub succeeded: u64,
    /// Jobs that gave none and were not cancelled.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed and were followed by another.
    pub retried: u64,
    /// Workers started.
    pub workers_started: u64,
    /// Workers that died without having been told to.
    pub workers_died: u64,
    /// The most jobs that ever waited for others at once.
    pub most_waiting: usize,
}

impl Statistics {
    /// Jobs settled.
    pub fn settled(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    pub(super) fn count(&mut self, result: &Result<Vec<u8>, Failure>, jobs: u64) {
        match result {
            Ok(_) => self.succeeded += jobs,
            Err(Failure::Cancelled) => self.cancelled += jobs,
            Err(_) => self.failed += jobs,
        }
    }
}
