//! Waiting for several jobs: [`as_completed`] and [`wait`].
//!
//! Each end is noted by its cell, in the order of its coming, so that the next one costs the same however
//! many are awaited. A job that waits so gives its place to another, as for a single wait.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brigade_protocol::error::JobError;
use brigade_protocol::id::JobId;

use crate::cell::{Arrivals, Cell};
use crate::future::Future;
use crate::host::Host;

/// How many jobs a host is told of at once; a worker tells its supervisor of no more.
const MOST_NAMED: usize = 1024;

/// How long a job that waits for jobs of several hosts waits for those of one of them at a time.
const TURN: Duration = Duration::from_millis(10);

/// Jobs, by numbers, whose ends are awaited.
#[derive(Default)]
pub(crate) struct Gathering {
    arrivals: Arc<Arrivals>,
    /// The pending ones; as a rule all are of one host.
    groups: Vec<Group>,
    turn: usize,
}

struct Group {
    host: Arc<dyn Host>,
    pending: BTreeMap<usize, JobId>,
}

/// Why there was no waiting, and for which job.
pub(crate) struct Unwaitable {
    pub(crate) number: usize,
    pub(crate) error: JobError,
}

impl Gathering {
    /// Awaits one more.
    pub(crate) fn watch<T>(&mut self, number: usize, future: &Future<T>) {
        self.note(number, future.job(), future.host());
        future.origin().watch_by_arrivals(&self.arrivals, number);
    }

    /// As [`Gathering::watch`], without a future.
    pub(crate) fn watch_cell(
        &mut self,
        number: usize,
        job: JobId,
        cell: &Cell,
        host: &Arc<dyn Host>,
    ) {
        self.note(number, job, host);
        cell.watch_by_arrivals(&self.arrivals, number);
    }

    fn note(&mut self, number: usize, job: JobId, host: &Arc<dyn Host>) {
        let group = self.groups.iter().position(|group| group.host.pool() == host.pool());
        let group = group.unwrap_or_else(|| {
            self.groups.push(Group { host: Arc::clone(host), pending: BTreeMap::new() });
            self.groups.len() - 1
        });
        self.groups[group].pending.insert(number, job);
    }

    /// Where the ends are noted.
    pub(crate) fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.arrivals)
    }

    /// The next one that has ended.
    pub(crate) fn pop(&mut self) -> Option<usize> {
        loop {
            let number = self.arrivals.pop()?;
            // What was forgotten may have ended none the less.
            if self.forget(number) {
                return Some(number);
            }
        }
    }

    /// Awaits this one no more; tells whether it was awaited.
    pub(crate) fn forget(&mut self, number: usize) -> bool {
        self.groups.iter_mut().any(|group| group.pending.remove(&number).is_some())
    }

    /// How many are awaited.
    pub(crate) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.pending.len()).sum()
    }

    /// Waits until one has ended; false if none are left or the time was over first.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, Unwaitable> {
        // However late it is, each host is asked once: inside a job, ends do not come by themselves.
        let mut unasked = self.groups.len();
        while !self.arrivals.listen() {
            let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            self.groups.retain(|group| !group.pending.is_empty());
            if self.groups.is_empty() || (is_late && unasked == 0) {
                return Ok(false);
            }
            unasked = unasked.saturating_sub(1);
            self.turn = (self.turn + 1) % self.groups.len();
            let until = if self.groups.len() == 1 {
                deadline
            } else {
                let turn = Instant::now() + TURN;
                Some(deadline.map_or(turn, |deadline| deadline.min(turn)))
            };
            let Group { host, pending } = &self.groups[self.turn];
            let jobs: Vec<JobId> = pending.values().take(MOST_NAMED).copied().collect();
            let waited = host.wait(&jobs, until, &|| !self.arrivals.is_empty());
            if let (Err(error), Some(&number)) = (waited, pending.keys().next()) {
                return Err(Unwaitable { number, error });
            }
        }
        Ok(true)
    }
}

/// Gives each future back when its job has ended, in the order in which they end.
///
/// The futures may be of several pools. All of them are taken before the first is given back. In a task,
/// this is a wait like that of a single future; of more than 1024 pending ones, the ends of the 1024 that
/// were given first are noticed.
///
/// ```
/// use brigade::{ThreadPool, as_completed, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let mut sum = 0;
/// for future in as_completed((0..10).map(|n| pool.submit(prime_count(100 * n, 100 * (n + 1))))) {
///     sum += future.result()?;
/// }
/// assert_eq!(sum, 168);
/// # Ok::<(), brigade::Error>(())
/// ```
pub fn as_completed<T>(futures: impl IntoIterator<Item = Future<T>>) -> AsCompleted<T> {
    let (mut gathering, mut pending) = (Gathering::default(), BTreeMap::new());
    for (number, future) in futures.into_iter().enumerate() {
        gathering.watch(number, &future);
        pending.insert(number, future);
    }
    AsCompleted { total: pending.len(), gathering, pending }
}

/// Futures in the order in which their jobs end: see [`as_completed`].
///
/// Each is done when it is given back, and its [`Future::result`] is there at once. One exception: where
/// there must be no waiting, in a callback or because it would close a cycle of waiting jobs, a future is
/// given back as it is, and its result is the error that says so.
///
/// ```
/// use brigade::{AsCompleted, ThreadPool, as_completed, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let futures = [10, 100].map(|to| pool.submit(prime_count(0, to)));
/// let mut completed: AsCompleted<u64> = as_completed(futures);
/// assert_eq!(completed.len(), 2);
/// assert!(completed.next().is_some_and(|future| future.done()));
/// assert_eq!(completed.len(), 1);
/// # Ok::<(), brigade::Error>(())
/// ```
#[must_use = "iterators are lazy"]
pub struct AsCompleted<T> {
    gathering: Gathering,
    pending: BTreeMap<usize, Future<T>>,
    total: usize,
}

impl<T> AsCompleted<T> {
    /// As [`Iterator::next`], but waits no longer than this.
    ///
    /// # Errors
    ///
    /// [`Unfinished`], if no job ended in that time. One can go on afterwards.
    ///
    /// ```
    /// # use brigade::{ThreadPool, as_completed};
    /// # use std::sync::mpsc::channel;
    /// # use std::time::Duration;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (go, gone) = channel::<()>();
    /// let mut completed = as_completed([pool.submit_fn(move || gone.recv().is_err())]);
    /// assert!(completed.next_timeout(Duration::from_millis(1)).is_err());
    /// drop(go);
    /// let future = completed.next_timeout(Duration::from_secs(60))?.expect("there is one");
    /// assert!(future.result()?);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn next_timeout(&mut self, patience: Duration) -> Result<Option<Future<T>>, Unfinished> {
        self.next_until(Instant::now().checked_add(patience))
    }

    /// As [`Iterator::next`], but waits no longer than until then: for a deadline of all of them.
    ///
    /// # Errors
    ///
    /// [`Unfinished`], if no job ended by then.
    ///
    /// ```
    /// # use brigade::{ThreadPool, as_completed, builtin::prime_count};
    /// # use std::time::{Duration, Instant};
    /// # let pool = ThreadPool::builder().workers(2).build()?;
    /// let deadline = Instant::now() + Duration::from_secs(10);
    /// let mut completed = as_completed([10, 100].map(|to| pool.submit(prime_count(0, to))));
    /// let mut sum = 0;
    /// while let Ok(Some(future)) = completed.next_by(deadline) {
    ///     sum += future.result()?;
    /// }
    /// completed.into_pending().iter().for_each(|late| drop(late.cancel()));
    /// assert_eq!(sum, 29);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn next_by(&mut self, deadline: Instant) -> Result<Option<Future<T>>, Unfinished> {
        self.next_until(Some(deadline))
    }

    /// The futures that were not given back yet, in the order in which they were given.
    ///
    /// ```
    /// # use brigade::{ThreadPool, as_completed, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(2).build()?;
    /// let mut completed = as_completed([10, 100].map(|to| pool.submit(prime_count(0, to))));
    /// let first = completed.next().expect("there are two").result()?;
    /// let [second] = <[_; 1]>::try_from(completed.into_pending()).expect("one is left");
    /// assert_eq!(first + second.result()?, 29);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn into_pending(self) -> Vec<Future<T>> {
        self.pending.into_values().collect()
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Option<Future<T>>, Unfinished> {
        loop {
            if let Some(number) = self.gathering.pop() {
                return Ok(self.pending.remove(&number));
            }
            if self.pending.is_empty() {
                return Ok(None);
            }
            match self.gathering.wait(deadline) {
                Ok(true) => {}
                Ok(false) => {
                    return Err(Unfinished { pending: self.pending.len(), total: self.total });
                }
                Err(Unwaitable { number, .. }) => {
                    self.gathering.forget(number);
                    return Ok(self.pending.remove(&number));
                }
            }
        }
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Future<T>;

    fn next(&mut self) -> Option<Future<T>> {
        self.next_until(None)
            .unwrap_or_else(|_| unreachable!("without a deadline it ends with an end"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.pending.len(), Some(self.pending.len()))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}

impl<T> FusedIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsCompleted({} of {} pending)", self.pending.len(), self.total)
    }
}

/// The time was over before the jobs were.
///
/// ```
/// use std::{sync::mpsc::channel, time::Duration};
/// use brigade::{ThreadPool, Unfinished, as_completed};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (go, gone) = channel::<()>();
/// let mut completed = as_completed([pool.submit_fn(move || gone.recv())]);
/// let unfinished = completed.next_timeout(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(unfinished, Unfinished { pending: 1, total: 1 });
/// assert_eq!(unfinished.to_string(), "1 of 1 futures are not done");
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pending} of {total} futures are not done")]
pub struct Unfinished {
    /// How many are not done.
    pub pending: usize,
    /// How many there were in the beginning.
    pub total: usize,
}

/// What [`wait`] waits for.
///
/// ```
/// use brigade::{ReturnWhen, ThreadPool, builtin::prime_count, wait};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let futures = [10, u64::MAX, 100].map(|to| pool.submit(prime_count(0, to)));
/// let waited = wait(futures, ReturnWhen::FirstFailed, None);
/// assert!(waited.done.iter().any(|future| future.error().is_some()));
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// One of the jobs has ended.
    FirstCompleted,
    /// One of the jobs has ended without a result (cancelled ones are such, too), or all have ended.
    FirstFailed,
    /// All have ended.
    All,
}

/// What [`wait`] found: the futures it was given, each on one side, in their order.
///
/// ```
/// use brigade::{ReturnWhen, ThreadPool, Waited, builtin::prime_count, wait};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let futures = [10, 100].map(|to| pool.submit(prime_count(0, to)));
/// let Waited { done, pending } = wait(futures, ReturnWhen::FirstCompleted, None);
/// assert!(!done.is_empty());
/// let Waited { done: others, pending } = wait(pending, ReturnWhen::All, None);
/// assert_eq!((done.len() + others.len(), pending.len()), (2, 0));
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Debug)]
pub struct Waited<T> {
    /// Those that are done; also those for which there must be no waiting here, whose result says why.
    pub done: Vec<Future<T>>,
    /// The others.
    pub pending: Vec<Future<T>>,
}

/// Waits for some of these jobs, but no longer than `patience`, if that is given.
///
/// The futures come back by value, for the result of one is had by value: no indices to keep in step, and
/// `pending` can be waited for again.
///
/// ```
/// use brigade::{ReturnWhen, ThreadPool, Waited, builtin::prime_count, wait};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let futures = [10, 100].map(|to| pool.submit(prime_count(0, to)));
/// let Waited { done, pending } = wait(futures, ReturnWhen::All, None);
/// assert_eq!((done.len(), pending.len()), (2, 0));
/// # Ok::<(), brigade::Error>(())
/// ```
pub fn wait<T>(
    futures: impl IntoIterator<Item = Future<T>>,
    when: ReturnWhen,
    patience: Option<Duration>,
) -> Waited<T> {
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    let futures: Vec<Future<T>> = futures.into_iter().collect();
    let mut gathering = Gathering::default();
    for (number, future) in futures.iter().enumerate() {
        gathering.watch(number, future);
    }
    let mut is_done = vec![false; futures.len()];
    let mut enough = false;
    loop {
        // All that are there, not only the first.
        while let Some(number) = gathering.pop() {
            is_done[number] = true;
            enough |= match when {
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstFailed => futures[number].has_failed(),
                ReturnWhen::All => false,
            };
        }
        if enough {
            break;
        }
        match gathering.wait(deadline) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Unwaitable { number, .. }) => {
                gathering.forget(number);
                is_done[number] = true;
                enough = when != ReturnWhen::All;
            }
        }
    }
    let (mut done, mut pending) = (Vec::new(), Vec::new());
    for (future, is_done) in futures.into_iter().zip(is_done) {
        if is_done { done.push(future) } else { pending.push(future) }
    }
    Waited { done, pending }
}
