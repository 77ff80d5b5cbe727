//! The thread pool: jobs on threads of this process.

mod builder;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use brigade_protocol::message::{Form, TaskInfo};
use brigade_task::bound::Permit;
use brigade_task::cell::Cell;
use brigade_task::host::{Admission, Host};
use brigade_task::{Context, Executor, Future, Shared};

use crate::builder::check_range;
use crate::error::StartError;
use crate::host::name_id;
use crate::owner::Owner;
use crate::pool::{Control, Shutdown, Statistics};
use crate::scheduler::Limits;
use crate::shell::{Message, Submission, Work};
use crate::sink::Sink;
use crate::stream::{Feed, Settlements};

pub use self::builder::ThreadPoolBuilder;

/// A pool of threads of this process. Dropping it drains it: everything submitted is finished first.
///
/// It has the scheduler of a [`ProcessPool`](crate::ProcessPool) and its meaning of retries, priorities,
/// time-outs and waits, and takes closures beside tasks:
///
/// ```
/// use brigade::{StartError, ThreadPool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = ThreadPool::builder().workers(4).build()?;
/// let futures: Vec<_> = (1..=3).map(|n| pool.submit_fn(move || n * n)).collect();
/// let squares: Result<Vec<i32>, _> = futures.into_iter().map(|future| future.result()).collect();
/// assert_eq!(squares?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
///
/// What threads cannot give:
///
/// * **Nothing is isolated.** A job that exits, aborts, overflows its stack or dereferences a null pointer
///   takes this process along. A panic is caught and becomes the job's error.
/// * **A thread cannot be killed.** A job that overruns its time-out ends as timed out at that time, is asked
///   to stop ([`Context::is_cancelled`]), and its thread is left to itself: another takes its place, and it
///   ends when the job's function returns, if ever. Such a job is not tried again, for its first attempt may
///   still run. [`Shutdown::Abort`], and [`Shutdown::Stop`] after its grace, do the same with all that runs.
/// * A job that waits in vain for something outside of the pool holds up the drain, as it does for any thread
///   that is joined.
pub struct ThreadPool(Owner);

impl ThreadPool {
    /// The most threads a pool can have.
    pub const MOST_WORKERS: usize = 10_000;

    /// A pool to be configured.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().workers(2).timeout(Duration::from_secs(60)).build()?;
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::default()
    }

    /// Bytes for all jobs that are given them, as [`ProcessPool::share`](crate::ProcessPool::share): here
    /// they are the same memory anyway.
    ///
    /// ```
    /// use brigade::{Shared, ThreadPool, task};
    ///
    /// #[task]
    /// fn element(data: Shared, place: usize) -> u8 {
    ///     data[place]
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// let data = pool.share([1, 2, 3]);
    /// assert_eq!(pool.submit(element(data, 2)).result()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(&self, data: impl AsRef<[u8]>) -> Shared {
        Shared::here(data.as_ref())
    }

    /// The tasks of the pool's [registry](ThreadPoolBuilder::registry): those that jobs can call by name.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::Registry;
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(Registry::default()).build()?;
    /// assert!(pool.tasks().is_empty());
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.0.shared.inbox.hello.tasks
    }

    brigade_task::executor_methods!();

    /// Submits a closure, whose value need not be encoded: any type that can be sent to another thread.
    /// The value is given out once, to whoever asks for it first. A closure can be called once only, so
    /// it is never tried again, whatever the pool's retries. In errors it goes by the name of its type.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use std::sync::mpsc::{Receiver, channel};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let receiver: Receiver<i32> = pool.submit_fn(|| channel().1).result()?;
    /// assert!(receiver.recv().is_err());
    ///
    /// let error = pool.submit_fn(|| panic!("no")).result().unwrap_err();
    /// assert!(error.is_panicked());
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_fn<T, F>(&self, function: F) -> Future<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.send(std::any::type_name::<F>(), |_: &Context| function(), self.admit())
    }

    /// As [`ThreadPool::submit_fn`], for a closure that wants the [`Context`] of its job: to submit jobs and
    /// wait for them, to tell how far it has come, or to see whether it is to stop.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit_with(|context| (context.attempt(), context.is_cancelled()));
    /// assert_eq!(future.result()?, (1, false));
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with<T, F>(&self, function: F) -> Future<T>
    where
        T: Send + 'static,
        F: FnOnce(&Context) -> T + Send + 'static,
    {
        self.send(std::any::type_name::<F>(), function, self.admit())
    }

    /// As [`ThreadPool::submit_fn`], unless the queue is full.
    ///
    /// # Errors
    ///
    /// The closure itself, if the queue is full.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = ThreadPool::builder().workers(1).max_queued(8).build()?;
    /// let future = pool.try_submit_fn(|| 7).unwrap_or_else(|_| panic!("there is room"));
    /// assert_eq!(future.result()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit_fn<T, F>(&self, function: F) -> Result<Future<T>, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = match self.0.shared.admit(false) {
            Admission::Full => return Err(function),
            Admission::Free => None,
            Admission::Place(permit) => Some(permit),
        };
        Ok(self.send(std::any::type_name::<F>(), |_: &Context| function(), permit))
    }

    fn admit(&self) -> Option<Permit> {
        match self.0.shared.admit(true) {
            Admission::Place(permit) => Some(permit),
            Admission::Free | Admission::Full => None,
        }
    }

    fn send<T, F>(&self, name: &'static str, function: F, permit: Option<Permit>) -> Future<T>
    where
        T: Send + 'static,
        F: FnOnce(&Context) -> T + Send + 'static,
    {
        let shared = &self.0.shared;
        let (job, cell) = (shared.new_id(), Arc::new(Cell::default()));
        let value = Arc::new(Mutex::new(None));
        let place = Arc::clone(&value);
        let closure = Box::new(move |context: &Context| {
            let made = function(context);
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            Ok(())
        });
        let limits = Limits { retries: 0, ..shared.limits };
        let sink = Sink::cell(job, Arc::clone(&cell));
        let (id, form) = (name_id(name), Form::Bincode);
        let submission = Submission::new(id, form, Vec::new(), limits, None, sink);
        let work = Work::Closure(Box::new((name, Some(closure))));
        let submission =
            Submission { work, ..submission }.with(Vec::new(), permit, shared.parent());
        shared.inbox.send(Message::Submit(vec![submission]));
        let take = move || value.lock().unwrap_or_else(PoisonError::into_inner).take();
        Future::of_value(job, name, cell, take, Arc::clone(&self.0.host))
    }

    /// Opens the bulk road: jobs go into the [`Feed`], settlements come out of [`Settlements`] in order of
    /// completion. By name only, of tasks in the pool's [registry](ThreadPoolBuilder::registry).
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::{Job, builtin};
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(7, Job::json("double", "21"));
    /// drop(feed);
    /// let settlement = settlements.wait_next().expect("there is one");
    /// assert_eq!((settlement.tag, settlement.result?.as_slice()), (7, b"42".as_slice()));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn stream(&self) -> (Feed, Settlements) {
        self.0.stream()
    }

    /// Changes the number of threads, from 1 to 10,000. What a thread too many runs is finished first.
    ///
    /// # Errors
    ///
    /// [`StartError::OutOfRange`].
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// pool.resize(3)?;
    /// assert!(pool.resize(0).is_err());
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn resize(&self, workers: usize) -> Result<(), StartError> {
        check_workers(workers)?;
        self.0.resize(u32::try_from(workers).unwrap_or(u32::MAX));
        Ok(())
    }

    /// What has happened so far; all zero once the pool is gone.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// pool.submit_fn(|| 1).result()?;
    /// assert_eq!(pool.statistics().succeeded, 1);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    /// A handle for looking at the pool and for stopping it from elsewhere.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// let snapshot = pool.control().snapshot().expect("it is alive");
    /// assert_eq!(snapshot.queued, 0);
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    pub fn control(&self) -> Control {
        self.0.control()
    }

    /// Why the pool gave up, if it did: its threads could not be started, or the
    /// [initializer](ThreadPoolBuilder::initializer) panicked, more often than the
    /// [`RestartIntensity`](crate::RestartIntensity) allows.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use std::time::Duration;
    /// use brigade::RestartIntensity;
    ///
    /// let pool = ThreadPool::builder()
    ///     .workers(1)
    ///     .initializer(|| panic!("no database"))
    ///     .restart_intensity(RestartIntensity { max: 1, within: Duration::from_secs(10) })
    ///     .build()?;
    /// assert!(pool.submit_fn(|| 1).result().unwrap_err().is_pool_gave_up());
    /// assert!(pool.gave_up().is_some_and(|why| why.contains("no database")));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn gave_up(&self) -> Option<&str> {
        self.0.gave_up()
    }

    /// Takes no more jobs and returns when every thread has ended, but for those that were left to
    /// themselves. In a job of this pool it does not wait: the job would wait for its own end.
    ///
    /// ```
    /// # use brigade::{Shutdown, ThreadPool};
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit_fn(|| 1);
    /// pool.shutdown(Shutdown::Drain);
    /// assert!(future.done());
    /// # Ok::<(), brigade::StartError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a thread of the pool panicked outside of a job, which is a bug of Brigade.
    pub fn shutdown(self, how: Shutdown) {
        self.0.shutdown(how);
    }

    /// Ends the pool now. Jobs that are not settled end as cancelled; those that run are asked to stop, and
    /// left to themselves.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// use brigade::builtin::sleep;
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit(sleep(60.0));
    /// pool.abort();
    /// assert!(future.result().unwrap_err().is_cancelled());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn abort(self) {
        self.shutdown(Shutdown::Abort);
    }
}

impl Executor for ThreadPool {
    fn host(&self) -> &Arc<dyn Host> {
        &self.0.host
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool").finish_non_exhaustive()
    }
}

fn check_workers(workers: usize) -> Result<(), StartError> {
    let most = ThreadPool::MOST_WORKERS;
    check_range("the number of threads", workers, 1, most, "from 1 to 10000")
}
