//! Maps: jobs from an iterator, results as an iterator, and a bounded read-ahead between the two.
//!
//! Nothing here has a thread: whoever takes results pulls the input.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Duration;

use brigade_protocol::error::JobError;

use crate::bulk::Bulk;
use crate::flow::{Flow, Undelivered};
use crate::future::Future;
use crate::gather::{Gathering, Unwaitable};
use crate::host::Host;
use crate::job::{Arguments, Job};

/// The results of jobs, in the order of the jobs: see [`Executor::map`](crate::Executor::map).
///
/// It is lazy: nothing is pulled or submitted before the first [`next`](Iterator::next), or [`Map::start`].
/// Then the input is pulled ahead of the results that are taken, by so many jobs as the pool can make use
/// of, or as [`Map::buffer`] says, and at most 8 MiB of arguments; so an endless input is no matter. It is
/// pulled in the thread that takes the results. A job that fails is an item like any other.
///
/// Dropping it cancels what has not been started, and so does a panic in the input. If one goes on after
/// such a panic, the input counts as ended there.
///
/// ```
/// use std::time::Duration;
/// use brigade::{ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// // An endless input, of which at most two jobs are ahead of the results.
/// let jobs = (1..).map(|n| prime_count(0, 10 * n));
/// let mut counts = pool.map(jobs).buffer(2).timeout(Duration::from_secs(60)).start();
/// assert_eq!(counts.next(), Some(Ok(4)));
/// assert_eq!(counts.next(), Some(Ok(8)));
/// # Ok::<(), brigade::Error>(())
/// ```
#[must_use = "iterators are lazy"]
pub struct Map<T, I: Iterator> {
    flow: Flow<T, I>,
}

/// The results of jobs, in the order in which these end, each with the number of its job in the order of
/// the input: see [`Executor::map_unordered`](crate::Executor::map_unordered).
///
/// A number, because without the order it is the only thing that says whose result this is, and whatever
/// else one wants beside it can be had by it. Otherwise as [`Map`].
///
/// ```
/// use brigade::{ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let limits = [10, 100, u64::MAX];
/// let counts = pool.map_unordered(limits.map(|to| prime_count(0, to)));
/// let failed = counts.filter(|(_, count)| count.is_err()).map(|(number, _)| limits[number]);
/// assert_eq!(failed.collect::<Vec<_>>(), [u64::MAX]);
/// # Ok::<(), brigade::Error>(())
/// ```
#[must_use = "iterators are lazy"]
pub struct MapUnordered<T, I: Iterator> {
    flow: Flow<T, I>,
    gathering: Gathering,
}

macro_rules! settings {
    ($map:ident) => {
        impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> $map<T, I> {
            /// How many jobs may be pulled and not delivered, at least 1. With 1, a job is pulled only
            /// when the result of the one before was taken. Default: as many as the pool can make use of,
            /// which depends on how long jobs take. More help if a few jobs take much longer than the
            /// others, which are not delivered before them if the order is kept.
            ///
            /// ```
            /// # use brigade::{ThreadPool, builtin::prime_count};
            /// # let pool = ThreadPool::builder().workers(1).build()?;
            /// let mut pulled = 0;
            /// let jobs = (1..).inspect(|n| pulled = *n).map(|n| prime_count(0, 10 * n));
            /// assert_eq!(pool.map(jobs).buffer(1).next(), Some(Ok(4)));
            /// assert_eq!(pulled, 1);
            /// # Ok::<(), brigade::Error>(())
            /// ```
            pub fn buffer(mut self, jobs: usize) -> Self {
                self.flow.buffer = Some(jobs.max(1));
                self
            }

            /// How long all of it may take, from its start. What is finished by then is still delivered;
            /// then comes one error, a refusal that says so, instead of all that is missing, and that is
            /// the end; what has not been started is cancelled.
            ///
            /// ```
            /// # use brigade::{ThreadPool, builtin::sleep};
            /// # use std::time::Duration;
            /// # let pool = ThreadPool::builder().workers(1).build()?;
            /// let mut results = pool.map([sleep(60.0), sleep(60.0)]).timeout(Duration::from_millis(10));
            /// assert!(results.next().is_some_and(|result| result.unwrap_err().is_refused()));
            /// assert_eq!(results.next(), None);
            /// # pool.abort();
            /// # Ok::<(), brigade::Error>(())
            /// ```
            pub fn timeout(mut self, patience: Duration) -> Self {
                self.flow.patience = Some(patience);
                self
            }

            /// Begins now, and not when the first result is asked for: pulls and submits as many jobs as
            /// the pool can make use of.
            ///
            /// ```
            /// # use brigade::{ThreadPool, builtin::prime_count};
            /// # let pool = ThreadPool::builder().workers(2).build()?;
            /// let counts = pool.map([10, 100].map(|to| prime_count(0, to))).start();
            /// // Here they are under way, and something else can be done.
            /// assert_eq!(counts.filter_map(Result::ok).sum::<u64>(), 29);
            /// # Ok::<(), brigade::Error>(())
            /// ```
            pub fn start(mut self) -> Self {
                self.read_ahead();
                self
            }
        }

        impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> FusedIterator for $map<T, I> {}

        impl<T, I: Iterator> fmt::Debug for $map<T, I> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.flow.fmt(stringify!($map), f)
            }
        }
    };
}

settings!(Map);
settings!(MapUnordered);

impl<T, I: Iterator> Map<T, I> {
    pub(crate) fn new(host: &Arc<dyn Host>, input: I) -> Self {
        let mut flow = Flow::new(host, input);
        flow.bulk = host.runs().map(|_| Bulk::new());
        Self { flow }
    }
}

impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> Map<T, I> {
    fn is_ready(flow: &Flow<T, I>) -> bool {
        match flow.undelivered.first_key_value() {
            Some((number, undelivered)) if *number == flow.cursor => {
                undelivered.future.origin().is_filled()
            }
            _ => flow.bulk.as_ref().is_some_and(|bulk| bulk.is_ready(flow.cursor as u64)),
        }
    }

    #[inline(never)]
    fn read_ahead(&mut self) {
        self.flow.read_ahead(Self::is_ready, |_, _| {});
    }

    /// Waits for the end of the next job; false if the time was over first.
    fn wait(&self) -> Result<bool, JobError> {
        let (flow, number) = (&self.flow, self.flow.cursor as u64);
        if let Some(Undelivered { future, .. }) = flow.undelivered.get(&flow.cursor) {
            return future.wait(flow.deadline());
        }
        let Some((bulk, (job, _))) =
            flow.bulk.as_ref().and_then(|bulk| Some((bulk, bulk.job(number)?)))
        else {
            return Ok(false);
        };
        if bulk.ends.watch(number) {
            return Ok(true);
        }
        flow.host.wait(&[job], flow.deadline(), &|| bulk.ends.is_there(number))?;
        Ok(bulk.ends.is_there(number))
    }

    /// The next result if it is not there, or did not come in a run.
    #[inline(never)]
    fn next_of_others(&mut self) -> Option<Result<T, JobError>> {
        if self.flow.unfinished() == 0 {
            return if self.flow.is_late() {
                self.flow.time_out().map(|(_, error)| Err(error))
            } else {
                None
            };
        }
        self.flow.flush();
        match self.wait() {
            Ok(true) => match self.flow.deliver(self.flow.cursor) {
                Some(future) => future.read_now(),
                None => self.flow.deliver_from_run(),
            },
            Ok(false) => self.flow.time_out().map(|(_, error)| Err(error)),
            Err(error) => {
                // It would not be otherwise for the next one.
                self.flow.stop();
                Some(Err(error))
            }
        }
    }
}

impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> Iterator for Map<T, I> {
    type Item = Result<T, JobError>;

    // Small, so that it becomes a part of the loop that takes the results: what is seldom is elsewhere.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.flow.is_low() {
            self.read_ahead();
        }
        self.flow.deliver_from_run().or_else(|| self.next_of_others())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.flow.size_hint()
    }
}

impl<T, I: Iterator> MapUnordered<T, I> {
    pub(crate) fn new(host: &Arc<dyn Host>, input: I) -> Self {
        Self { flow: Flow::new(host, input), gathering: Gathering::default() }
    }
}

impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> MapUnordered<T, I> {
    fn read_ahead(&mut self) {
        let Self { flow, gathering } = self;
        let arrivals = gathering.arrivals();
        let note = |number, future: &Future<T>| gathering.watch(number, future);
        flow.read_ahead(|_| !arrivals.is_empty(), note);
    }
}

impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> Iterator for MapUnordered<T, I> {
    type Item = (usize, Result<T, JobError>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.flow.is_low() {
            self.read_ahead();
        }
        loop {
            if let Some(number) = self.gathering.pop() {
                let future = self.flow.deliver(number)?;
                return future.read_now().map(|result| (number, result));
            }
            if self.flow.undelivered.is_empty() && !self.flow.is_late() {
                return None;
            }
            self.flow.flush();
            match self.gathering.wait(self.flow.deadline()) {
                Ok(true) => {}
                Ok(false) => {
                    return self.flow.time_out().map(|(number, error)| (number, Err(error)));
                }
                Err(Unwaitable { number, error }) => {
                    self.flow.stop();
                    return Some((number, Err(error)));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.flow.size_hint()
    }
}
