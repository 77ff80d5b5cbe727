//! What a thread pool is to be like, before there is one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use brigade_task::Registry;
use brigade_task::host::Host;

use super::{ThreadPool, check_workers};
use crate::builder::{check_batch, check_range};
use crate::capacity::processors;
use crate::error::StartError;
use crate::owner::Owner;
use crate::scheduler::{Limits, Prefetch, RestartIntensity};
use crate::shell;

/// Configures a [`ThreadPool`].
///
/// ```
/// use std::time::Duration;
/// use brigade::{Prefetch, ThreadPool};
///
/// let pool = ThreadPool::builder()
///     .workers(2)
///     .thread_name("cook")
///     .prefetch(Prefetch::AtMost(0))
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// let name = pool.submit_fn(|| std::thread::current().name().map(str::to_owned)).result();
/// assert!(name.unwrap().unwrap().starts_with("cook-"));
/// # Ok::<(), brigade::StartError>(())
/// ```
#[must_use]
pub struct ThreadPoolBuilder {
    pub(crate) workers: usize,
    pub(crate) limits: Limits,
    pub(crate) prefetch: Prefetch,
    pub(crate) batch: usize,
    pub(crate) max_queued: Option<usize>,
    pub(crate) max_waiting: usize,
    pub(crate) restarts: Option<RestartIntensity>,
    pub(crate) name: String,
    pub(crate) stack: Option<usize>,
    pub(crate) initializer: Option<Box<dyn Fn() + Send + Sync>>,
    pub(crate) registry: Option<Registry>,
}

impl Default for ThreadPoolBuilder {
    fn default() -> Self {
        Self {
            workers: processors(),
            limits: Limits::default(),
            prefetch: Prefetch::Auto,
            batch: usize::MAX,
            max_queued: None,
            max_waiting: 256,
            restarts: None,
            name: "brigade".to_owned(),
            stack: None,
            initializer: None,
            registry: None,
        }
    }
}

impl ThreadPoolBuilder {
    /// How many threads, from 1 to 10,000. Default: the CPUs that this process may use.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(3).build()?;
    /// assert!(ThreadPool::builder().workers(0).build().is_err());
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How long an attempt may run, from its start: then the job has timed out, and its thread is left to
    /// itself. Default: without limit.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use std::time::Duration;
    /// use brigade::builtin::sleep;
    ///
    /// let pool = ThreadPool::builder().workers(1).timeout(Duration::from_millis(10)).build()?;
    /// assert!(pool.submit(sleep(60.0)).result().unwrap_err().is_timed_out());
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// How often a job is tried again after an error or a panic; not after a time-out, and a closure never.
    /// Default 0.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::builtin::prime_count;
    ///
    /// let pool = ThreadPool::builder().workers(1).retries(2).build()?;
    /// let error = pool.submit(prime_count(0, u64::MAX)).result().unwrap_err();
    /// assert_eq!(error.attempts(), 3);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.limits.retries = retries;
        self
    }

    /// How many jobs may wait with a thread while it runs another. Default: as many as measured durations
    /// recommend.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::Prefetch;
    ///
    /// // For few long jobs: each goes to a thread only when that has nothing else to do.
    /// let pool = ThreadPool::builder().workers(1).prefetch(Prefetch::AtMost(0)).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn prefetch(mut self, prefetch: Prefetch) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// How many jobs may travel to a thread together. Default: as many as measured durations recommend, but at most
    /// 4,096. With 1 each travels by itself, which costs a short job many times as much.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(1).batch(100).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn batch(mut self, most: usize) -> Self {
        self.batch = most;
        self
    }

    /// How many jobs may be queued, that is submitted and not given to a thread: then submitting blocks.
    /// Jobs that are submitted by jobs are not held up. At least 1. Default: without bound.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use std::sync::mpsc::channel;
    /// use brigade::{Prefetch, builtin::prime_count};
    ///
    /// let builder = ThreadPool::builder().workers(1).prefetch(Prefetch::AtMost(0));
    /// let pool = builder.max_queued(1).build()?;
    /// let (go, gone) = channel::<()>();
    /// let (start, started) = channel();
    /// pool.submit_fn(move || (start.send(()), gone.recv()));
    /// started.recv()?;
    /// pool.submit(prime_count(0, 100)); // is the one that is queued
    /// assert!(pool.try_submit(prime_count(0, 100)).is_err());
    /// # drop(go);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn max_queued(mut self, jobs: usize) -> Self {
        self.max_queued = Some(jobs);
        self
    }

    /// How many jobs may wait for other jobs at once. For each of them another thread runs, so it bounds the
    /// number of threads; a wait beyond it fails with an error. At most 10,000. Default 256.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::builtin::prime_count;
    ///
    /// let pool = ThreadPool::builder().workers(1).max_waiting(0).build()?;
    /// let waits = |context: &brigade::Context| context.wait(context.submit(prime_count(0, 100)));
    /// assert!(pool.submit_with(waits).result()?.is_err());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn max_waiting(mut self, jobs: usize) -> Self {
        self.max_waiting = jobs;
        self
    }

    /// How many threads may fail to start before the pool gives up. Default: three for each, but at least
    /// ten, within 10 s.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use std::time::Duration;
    /// use brigade::RestartIntensity;
    ///
    /// let restarts = RestartIntensity { max: 100, within: Duration::from_secs(60) };
    /// let pool = ThreadPool::builder().workers(1).restart_intensity(restarts).build()?;
    /// assert_eq!(pool.gave_up(), None);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn restart_intensity(mut self, restarts: RestartIntensity) -> Self {
        self.restarts = Some(restarts);
        self
    }

    /// What the names of the threads begin with; the slot follows. Default `brigade`.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(1).thread_name("cook").build()?;
    /// let name = pool.submit_fn(|| std::thread::current().name().map(str::to_owned));
    /// assert_eq!(name.result()?.as_deref(), Some("cook-0"));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn thread_name(mut self, prefix: impl Into<String>) -> Self {
        self.name = prefix.into();
        self
    }

    /// The size of each thread's stack, in bytes. Default: what the standard library takes, 2 MiB.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let mebibyte = 1 << 20;
    /// let pool = ThreadPool::builder().workers(1).stack_size(16 * mebibyte).build()?;
    /// let sum = pool.submit_fn(move || [1_u8; 4 << 20].iter().map(|n| usize::from(*n)).sum::<usize>());
    /// assert_eq!(sum.result()?, 4 * mebibyte);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// What each thread does before its first job. A panic in it counts as a start that failed: another
    /// thread is started, and beyond the [restart intensity](ThreadPoolBuilder::restart_intensity) the pool
    /// gives up with the message of the panic.
    ///
    /// ```
    /// use brigade::ThreadPool;
    /// use std::cell::Cell;
    ///
    /// thread_local! { static LOADED: Cell<u32> = const { Cell::new(0) } }
    ///
    /// let pool = ThreadPool::builder().workers(1).initializer(|| LOADED.set(7)).build()?;
    /// assert_eq!(pool.submit_fn(|| LOADED.get()).result().unwrap(), 7);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn initializer(mut self, initializer: impl Fn() + Send + Sync + 'static) -> Self {
        self.initializer = Some(Box::new(initializer));
        self
    }

    /// The tasks that jobs can call by name. A job that was made by calling a task needs none. Default: every
    /// `#[task]` of this program that is not `unlisted`.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::{Job, builtin};
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
    /// assert_eq!(pool.submit(Job::json("double", "21")).result()?, "42");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Starts the pool and its threads. Panics of jobs are not printed but told by the job's error: for that
    /// a panic hook is put before the one that this program has, which goes on to be called for all other
    /// threads.
    ///
    /// # Errors
    ///
    /// [`StartError::OutOfRange`], or [`StartError::System`] if there can be no thread at all.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit_fn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn build(mut self) -> Result<ThreadPool, StartError> {
        check_workers(self.workers)?;
        let most = ThreadPool::MOST_WORKERS;
        check_range("the number of waiting jobs", self.max_waiting, 0, most, "from 0 to 10000")?;
        check_batch(self.batch)?;
        let (limits, max_queued) = (self.limits, self.max_queued);
        if let Some(jobs) = max_queued {
            check_range("the number of queued jobs", jobs, 1, usize::MAX, "at least 1")?;
        }
        let registry = match self.registry.take() {
            Some(registry) => registry,
            None => Registry::gathered().map_err(|error| {
                let (what, source) = ("gather the tasks", io::Error::other(error));
                StartError::System { what, source }
            })?,
        };
        self.registry = Some(registry.clone());
        let (started, place) = shell::start_threads(self)?;
        let owner = Owner::new(started, limits, max_queued, Some(registry));
        place.get_or_init(|| Arc::clone(&owner.shared) as Arc<dyn Host>);
        Ok(ThreadPool(owner))
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder").field("workers", &self.workers).finish_non_exhaustive()
    }
}
