//! One interface for all pools.

use std::sync::Arc;

use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::JobId;

use crate::cell::{Cell, Settlement};
use crate::future::{Future, Read};
use crate::handle::{Awaitable, Reserved};
use crate::host::{Admission, Host, Submission};
use crate::job::{Arguments, Job};
use crate::map::{Map, MapUnordered};
use crate::origin::{Origin, Single};
use crate::pack::Claim;
use crate::ready::Ready;
use crate::scope::{self, Scope};

/// What takes jobs: a process pool, a thread pool, or, inside a task, its [`Context`](crate::Context).
///
/// The names are those of `concurrent.futures` wherever the meaning is the same.
///
/// ```
/// use brigade::{Executor, ThreadPool, builtin::prime_count};
///
/// fn primes(executor: &impl Executor) -> brigade::Result<u64> {
///     let halves = [prime_count(0, 500), prime_count(500, 1000)].map(|half| executor.submit(half));
///     halves.into_iter().map(|half| Ok(half.result()?)).sum()
/// }
///
/// assert_eq!(primes(&ThreadPool::builder().workers(2).build()?)?, 168);
/// # Ok::<(), brigade::Error>(())
/// ```
pub trait Executor {
    /// What runs the jobs.
    #[doc(hidden)]
    fn host(&self) -> &Arc<dyn Host>;

    /// Submits a job. What prevents it from running is told by the future. Blocks while the pool's queue
    /// is full, if it has a bound.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// assert_eq!(future.result(), Ok(25));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn submit<T, A: Arguments>(&self, job: Job<T, A>) -> Future<T> {
        submit_to(self.host(), job)
    }

    /// Submits a job unless the pool's queue is full.
    ///
    /// # Errors
    ///
    /// The job itself, if the queue is full.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).max_queued(8).build()?;
    /// match pool.try_submit(prime_count(0, 100)) {
    ///     Ok(future) => assert_eq!(future.result(), Ok(25)),
    ///     Err(job) => panic!("{} has to wait", job.task()),
    /// }
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn try_submit<T, A: Arguments>(&self, job: Job<T, A>) -> Result<Future<T>, Job<T, A>> {
        match self.host().admit(false) {
            Admission::Full => Err(job),
            admission => Ok(submit_admitted(self.host(), job, admission)),
        }
    }

    /// A seat for a job to come, whose handle can be given to other jobs before it is submitted.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let seat = pool.reserve();
    /// let name = seat.handle();
    /// let future = pool.submit_as(seat, prime_count(0, 100));
    /// assert_eq!(future.job(), name.job());
    /// assert_eq!(pool.wait(name), Ok(25));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn reserve<T>(&self) -> Reserved<T> {
        Reserved::new(self.host())
    }

    /// Submits the job for which a seat was reserved, with the same executor.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let [pool, other] = [1, 2].map(|workers| ThreadPool::builder().workers(workers).build());
    /// let (pool, other) = (pool?, other?);
    /// let (seat, foreign) = (pool.reserve(), other.reserve());
    /// assert_eq!(pool.submit_as(seat, prime_count(0, 100)).result(), Ok(25));
    /// let error = pool.submit_as(foreign, prime_count(0, 100)).result().unwrap_err();
    /// assert!(error.is_refused());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn submit_as<T, A: Arguments>(&self, seat: Reserved<T>, job: Job<T, A>) -> Future<T> {
        let host = self.host();
        if !seat.is_of(host) {
            // Dropped, the seat tells those who wait for it.
            let reason = "its seat was reserved with another pool".to_owned();
            let (name, id) = (job.task().to_owned(), seat.job());
            let cell = Cell::default();
            let error = JobError::unstarted(id, name, None, Failure::Refused(reason));
            cell.fill(Settlement::bare(id, Err(error)));
            let (task, decode) = job.ready().called();
            let single = Single { job: id, task, cell: Arc::new(cell), host: Arc::clone(host) };
            return Future::new(Origin::Single(Box::new(single)), Read::Decode(decode));
        }
        let admission = host.admit(true);
        let (id, cell) = seat.take();
        send(host, job.ready(), id, cell, admission)
    }

    /// Waits for a job's result, by its future or its handle. In a task: the worker's place is given to
    /// another job meanwhile.
    ///
    /// # Errors
    ///
    /// The [`JobError`] of the job that is waited for; or, if it must not be waited for, why.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// assert_eq!(pool.wait(&future), Ok(25));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn wait<T, F: Awaitable<T>>(&self, job: F) -> Result<T, JobError>
    where
        Self: Sized,
    {
        job.into_future(self.host()).result()
    }

    /// The results of jobs, in the order of the jobs. Lazy: it pulls its input, which may be endless, as
    /// the results are taken, and a bounded number of jobs ahead; the [`Map`] says more.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// let results: Result<Vec<u64>, _> = pool.map((1..4).map(|n| prime_count(0, 10 * n))).collect();
    /// assert_eq!(results, Ok(vec![4, 8, 10]));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn map<T, A: Arguments, I>(&self, jobs: I) -> Map<T, I::IntoIter>
    where
        I: IntoIterator<Item = Job<T, A>>,
    {
        Map::new(self.host(), jobs.into_iter())
    }

    /// As [`Executor::map`], but in the order in which the jobs end: none waits for another. Each
    /// result comes with the number of its job.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// let jobs = (1..4).map(|n| prime_count(0, 10 * n));
    /// let mut results: Vec<_> = pool.map_unordered(jobs).collect();
    /// results.sort_by_key(|(number, _)| *number);
    /// assert_eq!(results, [(0, Ok(4)), (1, Ok(8)), (2, Ok(10))]);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn map_unordered<T, A: Arguments, I>(&self, jobs: I) -> MapUnordered<T, I::IntoIter>
    where
        I: IntoIterator<Item = Job<T, A>>,
    {
        MapUnordered::new(self.host(), jobs.into_iter())
    }

    /// Calls `block` with an executor of the same jobs, and returns when all that was submitted through
    /// it is settled. If the block panics, what has not been started is cancelled, the rest is awaited,
    /// and then the panic goes on. It does not wait where there must be no waiting, as in a callback.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// let futures = pool.scope(|scope| [10, 100].map(|to| scope.submit(prime_count(0, to))));
    /// assert!(futures.iter().all(|future| future.done()));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn scope<R>(&self, block: impl FnOnce(&Scope) -> R) -> R
    where
        Self: Sized,
    {
        scope::scope(self.host(), block)
    }
}

pub(crate) fn submit_to<T, A: Arguments>(host: &Arc<dyn Host>, job: Job<T, A>) -> Future<T> {
    submit_admitted(host, job, host.admit(true))
}

fn submit_admitted<T, A: Arguments>(
    host: &Arc<dyn Host>,
    job: Job<T, A>,
    admission: Admission,
) -> Future<T> {
    let job = job.ready();
    match submit_call(host, &job) {
        Some(claim) => called(job, claim),
        None => send(host, job, host.new_id(), Arc::default(), admission),
    }
}

/// Submits a job as a call that can travel in a run, if it and its host are such. Gives the claim to its end.
pub(crate) fn submit_call<T>(host: &Arc<dyn Host>, job: &Ready<T>) -> Option<Claim> {
    Some(host.runs()?.submit_call(job.as_call()?, host))
}

/// The future of a job that was submitted as a call.
pub(crate) fn called<T>(job: Ready<T>, claim: Claim) -> Future<T> {
    let (_, decode) = job.called();
    Future::new(Origin::Pack(claim), Read::Decode(decode))
}

fn send<T>(
    host: &Arc<dyn Host>,
    job: Ready<T>,
    id: JobId,
    cell: Arc<Cell>,
    admission: Admission,
) -> Future<T> {
    let (submission, future) = prepare(host, job, id, cell, admission);
    host.submit(vec![submission]);
    future
}

/// A job as its host takes it, and its future.
pub(crate) fn prepare<T>(
    host: &Arc<dyn Host>,
    job: Ready<T>,
    id: JobId,
    cell: Arc<Cell>,
    admission: Admission,
) -> (Submission, Future<T>) {
    let permit = match admission {
        Admission::Place(permit) => Some(permit),
        Admission::Free | Admission::Full => None,
    };
    let (submission, task, decode) = job.into_submission(id, Arc::clone(&cell), permit);
    let single = Single { job: id, task, cell, host: Arc::clone(host) };
    (submission, Future::new(Origin::Single(Box::new(single)), Read::Decode(decode)))
}
