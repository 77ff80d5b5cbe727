//! The place where a job's end is put, once, and those who wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use brigade_protocol::error::{JobError, WorkerInfo};
use brigade_protocol::id::JobId;

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
    pub submitted: Duration,
    /// When its last attempt began and ended, since the pool began.
    pub ran: Option<(Duration, Duration)>,
}

impl Settlement {
    /// The end of a job of which nothing is known but its result.
    pub fn bare(job: JobId, result: Result<Vec<u8>, JobError>) -> Self {
        let submitted = Duration::ZERO;
        Self { tag: 0, job, result, attempts: 0, worker: None, submitted, ran: None }
    }
}

/// A place for one settlement, filled once and awaited by anybody.
#[derive(Debug, Default)]
pub struct Cell(Mutex<Place>);

#[derive(Debug, Default)]
struct Place {
    settlement: Option<Settlement>,
    watchers: Vec<Watcher>,
}

enum Watcher {
    /// It is parked, or about to be.
    Thread(Thread),
    Task(Waker),
    Callback(Box<dyn FnOnce() + Send>),
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

impl Cell {
    /// Puts the end in and tells all who wait for it. A second end is dropped: the first one stands.
    pub fn fill(&self, settlement: Settlement) {
        let mut place = self.lock();
        if place.settlement.is_some() {
            return;
        }
        place.settlement = Some(settlement);
        let watchers = std::mem::take(&mut place.watchers);
        drop(place);
        for watcher in watchers {
            match watcher {
                Watcher::Thread(thread) => thread.unpark(),
                Watcher::Task(waker) => waker.wake(),
                // The panic hook has said what happened; whoever settles goes on.
                Watcher::Callback(callback) => drop(catch_unwind(AssertUnwindSafe(callback))),
            }
        }
    }

    /// True once it is filled.
    pub fn is_filled(&self) -> bool {
        self.lock().settlement.is_some()
    }

    /// Calls `read` with the settlement if there is one now.
    pub fn peek<R>(&self, read: impl FnOnce(&Settlement) -> R) -> Option<R> {
        self.lock().settlement.as_ref().map(read)
    }

    /// Unparks the calling thread once it is filled. True if it is filled already.
    pub fn watch_by_thread(&self) -> bool {
        let mut place = self.lock();
        if place.settlement.is_none() {
            let current = thread::current();
            let is_known = |watcher: &Watcher| matches!(watcher, Watcher::Thread(known) if known.id() == current.id());
            if !place.watchers.iter().any(is_known) {
                place.watchers.push(Watcher::Thread(current));
            }
        }
        place.settlement.is_some()
    }

    /// Wakes a task once it is filled. True if it is filled already.
    pub fn watch_by_task(&self, waker: &Waker) -> bool {
        let mut place = self.lock();
        if place.settlement.is_none() {
            let is_known = |watcher: &Watcher| matches!(watcher, Watcher::Task(known) if known.will_wake(waker));
            if !place.watchers.iter().any(is_known) {
                place.watchers.push(Watcher::Task(waker.clone()));
            }
        }
        place.settlement.is_some()
    }

    /// Calls back once it is filled: at once and in this thread if it is filled already, otherwise in
    /// the thread that fills it.
    pub fn call_back(&self, callback: impl FnOnce() + Send + 'static) {
        let mut place = self.lock();
        if place.settlement.is_none() {
            place.watchers.push(Watcher::Callback(Box::new(callback)));
        } else {
            drop(place);
            callback();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        // Nothing of others runs under this lock but `read`, which changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parks the calling thread until it is ready or the time is over; tells whether it is ready.
/// Somebody unparks it: see [`Cell::watch_by_thread`].
pub fn park_until(deadline: Option<Instant>, mut is_ready: impl FnMut() -> bool) -> bool {
    while !is_ready() {
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left == Duration::ZERO {
                    return false;
                }
                thread::park_timeout(left);
            }
        }
    }
    true
}
