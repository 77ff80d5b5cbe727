//! The arguments of the jobs under way, as they were given: for records, messages and lanes.
//!
//! A text is kept from the job's submission until its end is dealt with, so the window of the stream
//! bounds this table too.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::escape;

/// The arguments of the jobs under way, by job number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    held: Mutex<FxHashMap<u64, Given>>,
}

/// The arguments of one job.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// As they were given.
    pub(super) text: Box<str>,
    /// How many bytes of arguments the stream counts for the job.
    pub(super) bytes: usize,
}

impl Texts {
    /// Keeps the arguments of a job, for which the stream counts so many bytes.
    pub(super) fn keep(&self, job: u64, text: &str, bytes: usize) {
        self.lock().insert(job, Given { text: text.into(), bytes });
    }

    /// Gives back the arguments of a job that has ended.
    pub(super) fn take(&self, job: u64) -> Given {
        self.lock().remove(&job).unwrap_or_default()
    }

    /// The arguments of a job under way, short enough for a lane.
    pub(super) fn short(&self, job: u64, longest: usize) -> Option<String> {
        self.lock().get(&job).map(|given| escape::short(&given.text, longest))
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Given>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
