//! The handle of a submitted job.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use brigade_protocol::error::{Certificate, Failure, JobError};
use brigade_protocol::id::JobId;
use serde::de::DeserializeOwned;

use crate::blob::outside::{self, Blobs};
use crate::cell::{Cell, Settlement};
use crate::handle::Handle;
use crate::host::Host;
use crate::job::{self, Decode};
use crate::origin::{Origin, Single};

/// A submitted job, on its way to its one outcome.
///
/// Dropping it changes nothing for the job. It can be awaited, under any async runtime.
///
/// ```
/// use brigade::{Future, ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let future: Future<u64> = pool.submit(prime_count(0, 100));
/// assert_eq!(smol::block_on(future)?, 25); // or future.await, where there is a runtime
/// # Ok::<(), brigade::Error>(())
/// ```
pub struct Future<T> {
    origin: Origin,
    read: Read<T>,
    /// Who awaits it now.
    waker: Option<Box<Waker>>,
}

/// How the result is had from a settlement.
pub(crate) enum Read<T> {
    Decode(Decode<T>),
    /// The output is empty, and this holds the value.
    Take(Arc<dyn Fn() -> Option<T> + Send + Sync>),
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Decode(decode) => Self::Decode(*decode),
            Self::Take(take) => Self::Take(Arc::clone(take)),
        }
    }
}

impl<T> Future<T> {
    pub(crate) fn new(origin: Origin, read: Read<T>) -> Self {
        Self { origin, read, waker: None }
    }

    /// The future of a job whose value is not encoded: it is taken from a place beside the cell.
    #[doc(hidden)]
    pub fn of_value(
        job: JobId,
        task: &'static str,
        cell: Arc<Cell>,
        take: impl Fn() -> Option<T> + Send + Sync + 'static,
        host: Arc<dyn Host>,
    ) -> Self {
        let single = Single { job, task: Cow::Borrowed(task), cell, host };
        Self::new(Origin::Single(Box::new(single)), Read::Take(Arc::new(take)))
    }

    pub(crate) fn of_handle(handle: &Handle<T>, host: &Arc<dyn Host>) -> Self
    where
        T: DeserializeOwned,
    {
        let job = handle.job();
        let cell = if handle.pool() == host.pool() {
            host.find(job)
        } else {
            let reason = format!("job {job} belongs to another pool");
            Err(JobError::unstarted(job, String::new(), None, Failure::Refused(reason)))
        };
        let cell = cell.unwrap_or_else(|error| {
            let cell = Cell::default();
            cell.fill(Settlement::bare(job, Err(error)));
            Arc::new(cell)
        });
        let decode: Decode<T> = |output| {
            brigade_protocol::codec::decode_value(output).map_err(|error| error.to_string())
        };
        let single = Single { job, task: Cow::Borrowed(""), cell, host: Arc::clone(host) };
        Self::new(Origin::Single(Box::new(single)), Read::Decode(decode))
    }

    /// Another future of the same job.
    pub(crate) fn twin(&self) -> Self {
        Self::new(self.origin.clone(), self.read.clone())
    }

    /// The job's id.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, u64::MAX));
    /// let job = future.job();
    /// assert_eq!(future.result().unwrap_err().job(), job);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn job(&self) -> JobId {
        self.origin.job()
    }

    /// Waits for the result. In a task this is a wait like [`Context::wait`](crate::Context): the
    /// worker's place is given to another job meanwhile.
    ///
    /// # Errors
    ///
    /// The [`JobError`] of the job; also if its output does not decode as a `T`, or if it must not be
    /// waited for here.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit(prime_count(0, 100)).result()?, 25);
    ///
    /// let error = pool.submit(prime_count(0, u64::MAX)).result().unwrap_err();
    /// assert!(error.is_failed());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn result(self) -> Result<T, JobError> {
        self.wait(None)?;
        self.read_now()
            .unwrap_or_else(|| unreachable!("a wait without a deadline ends with an end"))
    }

    /// Waits for the result, but no longer than `patience`. The job goes on when that is over, and
    /// the future is given back.
    ///
    /// # Errors
    ///
    /// The future itself if the time is over; inside, as [`Future::result`].
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # use std::sync::mpsc::channel;
    /// # use std::time::Duration;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (go, gone) = channel::<()>();
    /// let future = pool.submit_fn(move || gone.recv().is_err());
    /// let future = future.result_timeout(Duration::from_millis(1)).expect_err("it waits for us");
    /// drop(go);
    /// assert!(future.result()?);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn result_timeout(self, patience: Duration) -> Result<Result<T, JobError>, Self> {
        let waited = self.wait(Instant::now().checked_add(patience));
        match (waited, self.read_now()) {
            (Err(error), _) => Ok(Err(error)),
            (Ok(_), result) => result.ok_or(self),
        }
    }

    /// Waits for the end of the job, and gives its error if it has one (`exception` of
    /// `concurrent.futures`).
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit(prime_count(0, 100)).error(), None);
    ///
    /// let error = pool.submit(prime_count(0, u64::MAX)).error().expect("that is too far");
    /// assert!(error.cause().starts_with("primes are counted up to 9223372036854775808"));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn error(&self) -> Option<JobError> {
        match self.wait(None) {
            Err(error) => Some(error),
            Ok(_) => self.origin.peek(|result, _| result.err().cloned())?,
        }
    }

    /// The result if the job has ended; does not wait.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// let result = loop {
    ///     match future.try_result() {
    ///         Some(result) => break result?,
    ///         None => std::thread::yield_now(), // or something useful
    ///     }
    /// };
    /// assert_eq!(result, 25);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn try_result(&self) -> Option<Result<T, JobError>> {
        self.done().then(|| self.read_now()).flatten()
    }

    /// True once the job is settled.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// pool.wait(&future)?;
    /// assert!(future.done());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn done(&self) -> bool {
        if !self.origin.is_filled() {
            self.host().poll(self.job());
        }
        self.origin.is_filled()
    }

    /// Whether a worker runs the job now. Asks the pool, so it costs a round trip.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # use std::sync::mpsc::channel;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (start, started) = channel();
    /// let (go, gone) = channel::<()>();
    /// let future = pool.submit_fn(move || (start.send(()), gone.recv()));
    /// started.recv()?;
    /// assert!(future.running());
    /// drop(go);
    /// pool.wait(&future)?.0?;
    /// assert!(!future.running());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn running(&self) -> bool {
        !self.done() && self.host().is_running(self.job())
    }

    /// Cancels the job unless it has been started, and tells whether it did. A job that merely
    /// waits with a worker is called back. A job that runs goes on, but can see in
    /// [`Context::is_cancelled`](crate::Context::is_cancelled) that it is not wanted any more. Blocks until the
    /// answer is known, which takes as long as the worker needs to answer, usually less than
    /// twenty milliseconds. In a callback the answer is not waited for, and false.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # use std::sync::mpsc::channel;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (go, gone) = channel::<()>();
    /// let busy = pool.submit_fn(move || gone.recv().is_err());
    /// let waiting = pool.submit(prime_count(0, 100));
    /// assert!(waiting.cancel());
    /// assert!(waiting.result().unwrap_err().is_cancelled());
    /// drop(go);
    /// assert!(busy.result()?);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.end(false)
    }

    /// Cancels the job, and if it runs kills its worker; tells whether that ended it. The jobs that the
    /// worker held beside are run again. A thread cannot be killed: on a thread pool the job is asked
    /// to stop, as by [`Future::cancel`].
    ///
    /// ```
    /// # use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    /// #[task]
    /// fn hang() {
    ///     loop {
    ///         std::thread::park();
    ///     }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let future = pool.submit(hang());
    /// assert!(future.kill());
    /// assert!(future.result().unwrap_err().is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) -> bool {
        self.end(true)
    }

    fn end(&self, kill: bool) -> bool {
        match self.origin.peek(|result, _| result.is_err_and(JobError::is_cancelled)) {
            Some(cancelled) => cancelled,
            None => self.host().cancel(self.job(), kill),
        }
    }

    /// Calls back when the job is settled: at once and in this thread if it is already, otherwise in a
    /// thread of the pool. Several callbacks are called in the order in which they were given. A panic in
    /// one is caught and harms no other.
    ///
    /// It must not block: no job of the pool is settled meanwhile. It may submit jobs (a bounded queue does
    /// not hold it up) and cancel others; a wait for a job that has not ended is refused with an error.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # use std::sync::mpsc::channel;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (tell, told) = channel();
    /// let future = pool.submit(prime_count(0, 100));
    /// future.on_done(move |settlement| drop(tell.send(settlement.attempts)));
    /// assert_eq!(told.recv()?, 1);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn on_done(&self, callback: impl FnOnce(&Settlement) + Send + 'static) {
        let cell = self.origin.cell();
        let filled = Arc::clone(&cell);
        cell.call_back(move || {
            // A copy: the callback may look at the future itself.
            if let Some(settlement) = filled.peek(Settlement::clone) {
                callback(&settlement);
            }
        });
    }

    /// A handle of this job, which can be an argument of another one. The result must be in bincode, as
    /// that of a call of a task is, not JSON text.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// let handle = future.handle();
    /// drop(future);
    /// assert_eq!(pool.wait(handle)?, 25);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn handle(&self) -> Handle<T> {
        Handle::take(self.job(), &self.origin.cell(), self.host())
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        self.origin.host()
    }

    pub(crate) fn task(&self) -> &str {
        self.origin.task()
    }

    /// Whether it has ended, so far as is known here, without a result.
    pub(crate) fn has_failed(&self) -> bool {
        self.origin.peek(|result, _| result.is_err()).unwrap_or(false)
    }

    /// Waits for the end; false if the time was over first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Result<bool, JobError> {
        if self.origin.is_filled() || self.origin.cell().watch_by_thread() {
            return Ok(true);
        }
        self.host().wait(&[self.job()], deadline, &|| self.origin.is_filled())?;
        Ok(self.origin.is_filled())
    }

    pub(crate) fn read_now(&self) -> Option<Result<T, JobError>> {
        let read = |result: Result<&[u8], &JobError>, blobs: &Blobs| {
            let output = result.map_err(JobError::clone)?;
            Ok(match &self.read {
                Read::Decode(decode) => outside::with(blobs, || decode(output))
                    .map_err(|reason| job::not_a::<T>(&reason)),
                Read::Take(take) => take().ok_or_else(|| "the value was taken before".to_owned()),
            })
        };
        let read = self.origin.peek(read)?;
        Some(read.and_then(|read| read.map_err(|text| self.unread(text))))
    }

    /// The output of the job, which has ended, cannot be had.
    fn unread(&self, text: String) -> JobError {
        let task = self.task().to_owned();
        let unread = job::unread(self.job(), task, text);
        let Some(Settlement { attempts, worker, ran, .. }) = self.origin.settlement() else {
            return JobError::new(unread);
        };
        let elapsed = ran.map(|(started, ended)| ended.saturating_sub(started));
        JobError::new(Certificate { attempts, allowed: attempts, worker, elapsed, ..unread })
    }
}

/// Ready once the job is settled.
impl<T> std::future::Future for Future<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let former = self.waker.as_deref();
        if self.origin.is_filled() || self.origin.cell().watch_by_task(context.waker(), former) {
            return self.read_now().map_or(Poll::Pending, Poll::Ready);
        }
        match &mut self.waker {
            Some(waker) => waker.as_mut().clone_from(context.waker()),
            None => self.waker = Some(Box::new(context.waker().clone())),
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Future({}, {})",
            self.task(),
            if self.origin.is_filled() { "done" } else { "pending" }
        )
    }
}
