//! The place where a job's end is put, once, and those who wait for it.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use brigade_protocol::error::{JobError, WorkerInfo};
use brigade_protocol::id::JobId;

use crate::blob::outside::{Blobs, Encoding};
use crate::buffers;
use crate::panics;
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard};

/// The end of one job, with its circumstances.
///
/// ```
/// use brigade::{Settlement, ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let future = pool.submit(prime_count(0, 100));
/// future.on_done(move |settlement| drop(tell.send(settlement.clone())));
/// let settlement: Settlement = told.recv()?;
/// let (started, ended) = settlement.ran.expect("it ran");
/// assert!(settlement.submitted <= started && started <= ended);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The number under which its submitter knows it; for a stream.
    pub tag: u64,
    /// The job.
    pub job: JobId,
    /// Its encoded output, or why there is none.
    pub result: Result<Vec<u8>, JobError>,
    /// The large [blobs](crate::Blob) that its output left outside when it was encoded.
    #[doc(hidden)]
    pub blobs: Blobs,
    /// How many attempts were begun.
    pub attempts: u32,
    /// The worker of the last attempt.
    pub worker: Option<WorkerInfo>,
    /// When it was submitted, since the pool began.
    pub submitted: Duration,
    /// When its last attempt began and ended, since the pool began. Of jobs that take less than half a
    /// microsecond and travel together up to 32 are timed at once: then it is by the mean of them.
    pub ran: Option<(Duration, Duration)>,
}

impl Settlement {
    /// As [`Settlement::bare`], of an output that may have blobs.
    #[doc(hidden)]
    pub fn of(job: JobId, result: Result<Encoding, JobError>) -> Self {
        let mut blobs = Blobs::default();
        let result = result.map(|output| {
            blobs = output.blobs;
            output.bytes
        });
        Self { blobs, ..Self::bare(job, result) }
    }

    /// The end of a job of which nothing is known but its result.
    #[doc(hidden)]
    pub fn bare(job: JobId, result: Result<Vec<u8>, JobError>) -> Self {
        let submitted = Duration::ZERO;
        let blobs = Blobs::default();
        Self { tag: 0, job, result, blobs, attempts: 0, worker: None, submitted, ran: None }
    }
}

/// A place for one settlement, filled once and awaited by anybody.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Cell(Mutex<Place>);

#[derive(Debug, Default)]
struct Place {
    settlement: Option<Settlement>,
    watchers: Vec<Watcher>,
}

/// What was a large output serves again.
impl Drop for Place {
    fn drop(&mut self) {
        if let Some(Settlement { result: Ok(output), .. }) = self.settlement.take() {
            buffers::give(output);
        }
    }
}

enum Watcher {
    /// It is parked, or about to be.
    Thread(Thread),
    Task(Waker),
    Callback(Box<dyn FnOnce() + Send>),
    /// It is noted there, by this number, for as long as anybody wants to know.
    Arrivals(Weak<Arrivals>, usize),
}

impl Watcher {
    /// Tells of the end. What is not ours may panic: whoever settles goes on.
    fn notify(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => panics::contain(|| waker.wake()),
            Self::Callback(callback) => panics::contain(callback),
            Self::Arrivals(arrivals, number) => {
                if let Some(arrivals) = arrivals.upgrade() {
                    arrivals.push(number);
                }
            }
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

impl Cell {
    /// Puts the end in and tells all who wait for it. A second end is dropped: the first one stands.
    pub fn fill(&self, settlement: Settlement) {
        self.put(settlement).into_iter().for_each(Watcher::notify);
    }

    /// As [`fill`](Self::fill), and lets go of the cell before anybody is told: who then reads a large blob and
    /// lets go of the cell, too, has it for himself.
    pub fn fill_last(self: Arc<Self>, settlement: Settlement) {
        let watchers = self.put(settlement);
        drop(self);
        watchers.into_iter().for_each(Watcher::notify);
    }

    /// Puts the end in; gives those who are to be told.
    fn put(&self, settlement: Settlement) -> Vec<Watcher> {
        let mut place = self.lock();
        if place.settlement.is_some() {
            return Vec::new();
        }
        place.settlement = Some(settlement);
        std::mem::take(&mut place.watchers)
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

    /// Wakes a task once it is filled, and no longer the one that `former` would wake. True if it is
    /// filled already.
    pub(crate) fn watch_by_task(&self, waker: &Waker, former: Option<&Waker>) -> bool {
        let mut place = self.lock();
        if place.settlement.is_none() {
            if let Some(former) = former.filter(|former| !former.will_wake(waker)) {
                place.watchers.retain(
                    |watcher| !matches!(watcher, Watcher::Task(known) if known.will_wake(former)),
                );
            }
            let is_known = |watcher: &Watcher| matches!(watcher, Watcher::Task(known) if known.will_wake(waker));
            if !place.watchers.iter().any(is_known) {
                place.watchers.push(Watcher::Task(waker.clone()));
            }
        }
        place.settlement.is_some()
    }

    /// Calls back once it is filled: at once and in this thread if it is filled already, otherwise in
    /// the thread that fills it. A panic is contained.
    pub fn call_back(&self, callback: impl FnOnce() + Send + 'static) {
        let mut place = self.lock();
        if place.settlement.is_none() {
            place.watchers.push(Watcher::Callback(Box::new(callback)));
        } else {
            drop(place);
            panics::contain(callback);
        }
    }

    /// Notes the end under this number: at once if it is filled already.
    pub(crate) fn watch_by_arrivals(&self, arrivals: &Arc<Arrivals>, number: usize) {
        let mut place = self.lock();
        if place.settlement.is_none() {
            // Who asks again and again, and does not wait for the end, leaves nothing behind.
            let is_wanted = |watcher: &Watcher| !matches!(watcher, Watcher::Arrivals(gone, _) if gone.strong_count() == 0);
            place.watchers.retain(is_wanted);
            place.watchers.push(Watcher::Arrivals(Arc::downgrade(arrivals), number));
        } else {
            drop(place);
            arrivals.push(number);
        }
    }

    /// How many would be told of the end.
    #[cfg(test)]
    pub(crate) fn watchers(&self) -> usize {
        self.lock().watchers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        // Nothing of others runs under this lock but `read`, which changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the ends of several cells are noted, in the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Arrived>);

#[derive(Debug, Default)]
struct Arrived {
    numbers: VecDeque<usize>,
    /// It is parked, or about to be.
    listener: Option<Thread>,
}

impl Arrivals {
    /// Unparks the calling thread, and no other, when an end comes. True if one has come already.
    pub(crate) fn listen(&self) -> bool {
        let mut arrived = self.lock();
        arrived.listener = Some(thread::current());
        !arrived.numbers.is_empty()
    }

    /// Whether no end is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().numbers.is_empty()
    }

    /// The end that came first.
    pub(crate) fn pop(&self) -> Option<usize> {
        self.lock().numbers.pop_front()
    }

    pub(crate) fn push(&self, number: usize) {
        let mut arrived = self.lock();
        arrived.numbers.push_back(number);
        // Only the first one of several can find it parked.
        let listener = arrived.listener.take();
        drop(arrived);
        if let Some(listener) = listener {
            listener.unpark();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parks the calling thread until it is ready or the time is over; tells whether it is ready.
/// Somebody unparks it: see [`Cell::watch_by_thread`].
#[doc(hidden)]
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
