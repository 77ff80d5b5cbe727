//! Handles of jobs that can be arguments of other jobs, and seats for jobs to come.
//!
//! A [`Handle`] is a name: whoever has it can wait for the job, in whatever process. The pool keeps the
//! job's end for as long as the [`Future`] or a handle taken from it lives, and for the jobs that were given
//! the handle as an argument until these have ended.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use brigade_protocol::id::JobId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cell::Cell;
use crate::future::Future;
use crate::host::Host;

/// Whether there has ever been a handle in this process. If not, none needs to be looked for.
static EXIST: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The handles among the arguments that this thread is encoding.
    static ENCODED: RefCell<Option<Handles>> = const { RefCell::new(None) };
}

/// The handles that are among the arguments of a job. As long as these live, the ends that the handles
/// keep are kept.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Handles(Vec<(JobId, Option<Arc<Kept>>)>);

impl Handles {
    /// Their jobs.
    pub fn jobs(&self) -> Vec<JobId> {
        self.0.iter().map(|(job, _)| *job).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes these as being among the arguments that this thread is encoding.
    pub(crate) fn note(&self) {
        ENCODED.with_borrow_mut(|encoded| {
            if let Some(encoded) = encoded {
                encoded.0.extend(self.0.iter().cloned());
            }
        });
    }
}

/// Names a job of a pool, so that another job can wait for it.
///
/// ```
/// use brigade::{Context, Handle, ThreadPool, builtin::prime_count, task};
///
/// #[task]
/// fn one_more(context: &Context, than: Handle<u64>) -> brigade::Result<u64> {
///     Ok(context.wait(than)? + 1)
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let primes = pool.submit(prime_count(0, 100));
/// assert_eq!(pool.submit(one_more(primes.handle())).result()?, 26);
/// # Ok(())
/// # }
/// ```
pub struct Handle<T> {
    pool: u64,
    job: JobId,
    /// For as long as it lives in the process that took it, the job's end is kept.
    kept: Option<Arc<Kept>>,
    result: PhantomData<fn() -> T>,
}

struct Kept {
    job: JobId,
    host: Arc<dyn Host>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.job)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.host.let_go(self.job);
    }
}

impl<T> Handle<T> {
    pub(crate) fn take(job: JobId, cell: &Arc<Cell>, host: &Arc<dyn Host>) -> Self {
        EXIST.store(true, Ordering::Relaxed);
        host.keep(job, cell);
        let kept = Some(Arc::new(Kept { job, host: Arc::clone(host) }));
        Self { pool: host.pool(), job, kept, result: PhantomData }
    }

    /// The job.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(prime_count(0, 100));
    /// assert_eq!(future.handle().job(), future.job());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn job(&self) -> JobId {
        self.job
    }

    pub(crate) fn pool(&self) -> u64 {
        self.pool
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { pool: self.pool, job: self.job, kept: self.kept.clone(), result: PhantomData }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle(job {})", self.job)
    }
}

impl<T> Serialize for Handle<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ENCODED.with_borrow_mut(|encoded| {
            if let Some(Handles(handles)) = encoded {
                handles.push((self.job, self.kept.clone()));
            }
        });
        (self.pool, self.job).serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Handle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EXIST.store(true, Ordering::Relaxed);
        let (pool, job) = Deserialize::deserialize(deserializer)?;
        Ok(Self { pool, job, kept: None, result: PhantomData })
    }
}

/// Whether there has ever been a handle in this process.
#[inline]
pub(crate) fn exist() -> bool {
    EXIST.load(Ordering::Relaxed)
}

/// Encodes something, and tells which handles are in it.
pub(crate) fn collect<R>(encode: impl FnOnce() -> R) -> (R, Handles) {
    if !EXIST.load(Ordering::Relaxed) {
        return (encode(), Handles::default());
    }
    ENCODED.set(Some(Handles::default()));
    let result = encode();
    (result, ENCODED.take().unwrap_or_default())
}

/// A seat for a job that is not submitted yet: its handle can be given to others before the job exists.
/// A seat that is dropped without a job ends as refused, and whoever waits for it is told.
///
/// ```
/// use brigade::{Context, Handle, ThreadPool, builtin::prime_count, task};
///
/// #[task]
/// fn twice(context: &Context, that: Handle<u64>) -> brigade::Result<u64> {
///     Ok(2 * context.wait(that)?)
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let seat = pool.reserve();
/// let future = pool.submit(twice(seat.handle())); // waits for a job that does not exist yet
/// pool.submit_as(seat, prime_count(0, 100));
/// assert_eq!(future.result()?, 50);
/// # Ok(())
/// # }
/// ```
pub struct Reserved<T> {
    job: JobId,
    cell: Arc<Cell>,
    host: Arc<dyn Host>,
    used: bool,
    result: PhantomData<fn() -> T>,
}

impl<T> Reserved<T> {
    pub(crate) fn new(host: &Arc<dyn Host>) -> Self {
        let (job, cell) = (host.new_id(), Arc::new(Cell::default()));
        host.reserve(job, &cell);
        Self { job, cell, host: Arc::clone(host), used: false, result: PhantomData }
    }

    /// The job that is to come.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let seat = pool.reserve();
    /// let job = seat.job();
    /// assert_eq!(pool.submit_as(seat, prime_count(0, 100)).job(), job);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn job(&self) -> JobId {
        self.job
    }

    /// A handle of the job that is to come.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let seat = pool.reserve::<u64>();
    /// let handle = seat.handle();
    /// drop(seat);
    /// assert!(pool.wait(handle).unwrap_err().is_refused());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn handle(&self) -> Handle<T> {
        Handle::take(self.job, &self.cell, &self.host)
    }

    pub(crate) fn is_of(&self, host: &Arc<dyn Host>) -> bool {
        self.host.pool() == host.pool()
    }

    pub(crate) fn take(mut self) -> (JobId, Arc<Cell>) {
        self.used = true;
        (self.job, Arc::clone(&self.cell))
    }
}

impl<T> Drop for Reserved<T> {
    fn drop(&mut self) {
        if !self.used {
            self.host.abandon(self.job);
        }
    }
}

impl<T> fmt::Debug for Reserved<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserved(job {})", self.job)
    }
}

/// What can be waited for: a [`Future`], a reference to one, or a [`Handle`].
///
/// ```
/// use brigade::{ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let future = pool.submit(prime_count(0, 100));
/// let handle = future.handle();
/// assert_eq!(pool.wait(&future)?, 25);
/// assert_eq!(pool.wait(future)?, 25);
/// assert_eq!(pool.wait(handle)?, 25);
/// # Ok::<(), brigade::Error>(())
/// ```
pub trait Awaitable<T> {
    /// A future of the same job.
    #[doc(hidden)]
    fn into_future(self, host: &Arc<dyn Host>) -> Future<T>;
}

impl<T> Awaitable<T> for Future<T> {
    fn into_future(self, _: &Arc<dyn Host>) -> Future<T> {
        self
    }
}

impl<T> Awaitable<T> for &Future<T> {
    fn into_future(self, _: &Arc<dyn Host>) -> Future<T> {
        self.twin()
    }
}

impl<T: DeserializeOwned> Awaitable<T> for Handle<T> {
    fn into_future(self, host: &Arc<dyn Host>) -> Future<T> {
        Future::of_handle(&self, host)
    }
}

impl<T: DeserializeOwned> Awaitable<T> for &Handle<T> {
    fn into_future(self, host: &Arc<dyn Host>) -> Future<T> {
        Future::of_handle(self, host)
    }
}
