//! The process pool: workers as processes, jobs as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use brigade_protocol::id::{JobId, SlotId};
use brigade_protocol::message::TaskInfo;
use brigade_task::host::Host;
use brigade_task::{Executor, Shared};

use crate::builder::Builder;
use crate::error::{StartError, WorkerInfo};
use crate::host::is_settling;
use crate::owner::Owner;
pub use crate::scheduler::Statistics;
use crate::shell::{self, Inbox, Message};
use crate::stream::{Feed, Settlements};
use crate::sync::channel;

/// A pool of worker processes. Dropping it drains it: everything submitted is finished first.
///
/// ```
/// use brigade::{ProcessPool, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// fn main() -> brigade::Result<()> {
///     brigade::init();
///     let pool = ProcessPool::builder().workers(2).build()?;
///     assert_eq!(pool.submit(square(7)).result()?, 49);
///     Ok(())
/// }
/// ```
pub struct ProcessPool(pub(crate) Owner);

impl ProcessPool {
    /// A pool to be configured.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// use std::time::Duration;
    /// use brigade::ProcessPool;
    ///
    /// let pool = ProcessPool::builder().workers(1).timeout(Duration::from_secs(60)).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Puts bytes into memory once, for all jobs that are given them: see [`Shared`].
    ///
    /// If the system does not allow that, the bytes are sent to each job as a
    /// [`Blob`](brigade_task::Blob) is.
    ///
    /// ```
    /// use brigade::{ProcessPool, Shared, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn byte_at(data: Shared, place: usize) -> u8 {
    ///     data[place]
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(2).build()?;
    /// let data = pool.share(vec![7; 1_000_000]);
    /// let (first, last) = (pool.submit(byte_at(data.clone(), 0)), pool.submit(byte_at(data, 999_999)));
    /// assert_eq!((first.result()?, last.result()?), (7, 7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(&self, data: impl AsRef<[u8]>) -> Shared {
        Shared::between_processes(data.as_ref())
    }

    /// The tasks that the worker program offers.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// /// Greets somebody.
    /// #[task]
    /// fn greet(name: String) -> String {
    ///     format!("hello, {name}")
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let greet = pool.tasks().iter().find(|task| task.name == "greet").expect("it is there");
    /// assert_eq!(greet.doc, "Greets somebody.");
    /// # Ok(())
    /// # }
    /// ```
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.0.shared.inbox.hello.tasks
    }

    /// Opens the bulk road: jobs go into the [`Feed`], settlements come out of [`Settlements`] in
    /// order of completion.
    ///
    /// ```
    /// use brigade::{Job, ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn cube(n: u64) -> u64 {
    ///     n.pow(3)
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(1, Job::json("cube", "[3]"));
    /// drop(feed);
    /// let settlement = settlements.wait_next().expect("there is one");
    /// assert_eq!((settlement.tag, settlement.result?.as_slice()), (1, b"27".as_slice()));
    /// assert!(settlements.wait_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self) -> (Feed, Settlements) {
        self.0.stream()
    }

    /// Changes the number of workers, from 1 to 1024. What a worker too many runs is finished first.
    ///
    /// # Errors
    ///
    /// [`StartError::OutOfRange`], or [`StartError::TooFewDescriptors`].
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// pool.resize(2)?;
    /// assert!(pool.resize(0).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resize(&self, workers: usize) -> Result<(), StartError> {
        self.0.resize(shell::check_resize(workers)?);
        Ok(())
    }

    /// What has happened so far; all zero once the pool is gone.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn nothing() {}
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// pool.submit(nothing()).result()?;
    /// let statistics = pool.statistics();
    /// assert_eq!((statistics.submitted, statistics.succeeded), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    /// A handle for looking at the pool and for stopping it from elsewhere.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let control = pool.control();
    /// assert!(control.snapshot().is_some());
    /// drop(pool);
    /// assert!(control.snapshot().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn control(&self) -> Control {
        self.0.control()
    }

    /// Why the pool gave up, if it did: its workers died for no job's fault, more often than the
    /// [`RestartIntensity`](crate::RestartIntensity) allows.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade::{ProcessPool, RestartIntensity, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn connect() -> Result<(), String> {
    ///     Err("no such host".to_owned())
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder()
    ///     .workers(1)
    ///     .worker_initializer(connect())
    ///     .on_output(|_| {})
    ///     .restart_intensity(RestartIntensity { max: 1, within: Duration::from_secs(10) })
    ///     .build()?;
    /// assert!(pool.submit(connect()).result().unwrap_err().is_pool_gave_up());
    /// assert!(pool.gave_up().is_some_and(|why| why.contains("no such host")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn gave_up(&self) -> Option<&str> {
        self.0.gave_up()
    }

    /// Takes no more jobs and returns when every worker is gone.
    ///
    /// # Panics
    ///
    /// If a thread of the pool panicked, which is a bug of Brigade.
    ///
    /// ```
    /// use brigade::{ProcessPool, Shutdown, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn last_will() -> String {
    ///     "all to the cat".to_owned()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let future = pool.submit(last_will());
    /// pool.shutdown(Shutdown::Drain);
    /// assert!(future.done());
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(self, how: Shutdown) {
        self.0.shutdown(how);
    }

    /// Kills everything now. Jobs that are not settled end as cancelled.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn go_on_for_ever() {
    ///     loop {
    ///         std::thread::park();
    ///     }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let future = pool.submit(go_on_for_ever());
    /// pool.abort();
    /// assert!(future.result().unwrap_err().is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(self) {
        self.shutdown(Shutdown::Abort);
    }

    brigade_task::executor_methods!();
}

impl Executor for ProcessPool {
    fn host(&self) -> &Arc<dyn Host> {
        &self.0.host
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool").finish_non_exhaustive()
    }
}

/// How a pool ends.
///
/// ```
/// use std::sync::mpsc::channel;
/// use brigade::{Shutdown, ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (start, started) = channel();
/// let (go, gone) = channel::<()>();
/// let busy = pool.submit_fn(move || start.send(()).is_ok() && gone.recv().is_err());
/// let queued = pool.submit(prime_count(0, 100));
/// started.recv()?;
/// pool.control().shutdown(Shutdown::CancelQueued);
/// drop(go);
/// assert!(busy.result()?);
/// assert!(queued.result().unwrap_err().is_cancelled());
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Finish everything that was submitted.
    Drain,
    /// Cancel what has not been started, and let finish what runs, however long it takes.
    CancelQueued,
    /// Cancel what has not been started, give what runs this long to finish, then kill it, or on a thread
    /// pool leave it to itself.
    Stop {
        /// The time between asking and killing.
        grace: Duration,
    },
    /// Kill everything now, or on a thread pool leave it to itself.
    Abort,
}

/// A handle of a pool for other threads: to look and to stop. It does not keep the pool alive, and
/// does nothing once that is gone.
///
/// ```
/// use std::{sync::mpsc::channel, thread, time::Duration};
/// use brigade::{Shutdown, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (start, started) = channel();
/// let future = pool.submit_with(move |context| {
///     drop(start.send(()));
///     while !context.is_cancelled() {
///         thread::yield_now();
///     }
/// });
/// started.recv()?;
/// let control = pool.control();
/// // Where a signal is heard of, say.
/// thread::spawn(move || control.shutdown(Shutdown::Stop { grace: Duration::from_secs(60) }));
/// drop(pool);
/// assert!(future.done());
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone)]
pub struct Control {
    pub(crate) inbox: Arc<Inbox>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Begins to end the pool. A later call may only be graver than an earlier one.
    ///
    /// ```
    /// # use brigade::{Shutdown, ThreadPool, builtin::prime_count};
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// pool.control().shutdown(Shutdown::Drain);
    /// assert!(pool.submit(prime_count(0, 100)).result().unwrap_err().is_refused());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) {
        self.inbox.send(Message::Shutdown(how));
    }

    /// Stops all clocks of the pool, and all workers (SIGSTOP) if they are processes: what runs on threads
    /// cannot be stopped.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::sleep};
    /// # use std::time::Duration;
    /// let pool = ThreadPool::builder().workers(1).timeout(Duration::from_secs(60)).build()?;
    /// let future = pool.submit(sleep(0.01));
    /// pool.control().pause();
    /// // A long look at the terminal: the minute does not pass.
    /// pool.control().resume();
    /// assert_eq!(future.result()?, "Result: 0.01");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn pause(&self) {
        let (done, wait) = channel::bounded(1);
        self.inbox.send(Message::Pause(done));
        if is_settling() {
            return;
        }
        // An error means that the pool is gone, which is as quiet as paused.
        let _ = wait.recv();
    }

    /// Undoes [`Control::pause`].
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let control = pool.control();
    /// control.pause();
    /// control.resume();
    /// assert_eq!(pool.submit(prime_count(0, 100)).result()?, 25);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn resume(&self) {
        self.inbox.send(Message::Resume);
    }

    /// What the pool is doing now; `None` once it is gone, and in a callback, which runs in the thread
    /// that would have to answer.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// pool.submit(prime_count(0, 100)).result()?;
    /// assert_eq!(pool.control().snapshot().map(|snapshot| snapshot.settled), Some(1));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn snapshot(&self) -> Option<Snapshot> {
        if is_settling() {
            return None;
        }
        let (to, from) = channel::bounded(1);
        self.inbox.send(Message::Snapshot(to));
        from.recv().ok()
    }
}

/// What a pool is doing at one moment.
///
/// ```
/// use std::sync::mpsc::channel;
/// use brigade::{Prefetch, ThreadPool, builtin::prime_count};
///
/// let pool = ThreadPool::builder().workers(1).prefetch(Prefetch::AtMost(0)).build()?;
/// let (start, started) = channel();
/// let (go, gone) = channel::<()>();
/// pool.submit_fn(move || (start.send(()), gone.recv()));
/// pool.submit(prime_count(0, 100));
/// started.recv()?;
/// let snapshot = pool.control().snapshot().expect("the pool is there");
/// assert_eq!((snapshot.queued, snapshot.settled, snapshot.lanes.len()), (1, 0, 1));
/// # drop(go);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Jobs submitted and not yet given to a worker.
    pub queued: usize,
    /// Jobs settled so far.
    pub settled: u64,
    /// Every slot that has a worker, in order.
    pub lanes: Vec<Lane>,
    /// What has happened so far.
    pub statistics: Statistics,
}

/// One slot of a [`Snapshot`].
///
/// ```
/// use std::sync::mpsc::channel;
/// use brigade::{Lane, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (start, started) = channel();
/// let (go, gone) = channel::<()>();
/// pool.submit_fn(move || (start.send(()), gone.recv()));
/// started.recv()?;
/// let snapshot = pool.control().snapshot().expect("the pool is there");
/// let [Lane { slot, running, .. }] = snapshot.lanes.as_slice() else { panic!("one thread") };
/// assert_eq!((slot.0, running.len()), (0, 1));
/// # drop(go);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lane {
    /// The slot.
    pub slot: SlotId,
    /// The worker in it, if it has a process.
    pub worker: Option<WorkerInfo>,
    /// The jobs it runs now.
    pub running: Vec<Running>,
}

/// A job that is running.
///
/// ```
/// use std::sync::mpsc::channel;
/// use brigade::{Running, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (start, started) = channel();
/// let (go, gone) = channel::<()>();
/// pool.submit_with(move |context| {
///     context.progress(1, 3);
///     (start.send(()), gone.recv())
/// });
/// started.recv()?;
/// let snapshot = pool.control().snapshot().expect("the pool is there");
/// let running: &Running = &snapshot.lanes[0].running[0];
/// assert_eq!((running.progress, running.waiting), (Some((1, 3)), false));
/// # drop(go);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Running {
    /// The job.
    pub job: JobId,
    /// The name of its task; empty for a closure.
    pub task: String,
    /// The submitter's number, if it came by a stream.
    pub tag: Option<u64>,
    /// The name that its submitter gave it.
    pub label: Option<Box<str>>,
    /// For how long.
    pub elapsed: Duration,
    /// It waits for another job, and its worker's place is given to another worker.
    pub waiting: bool,
    /// How far it has come, of how much, if it says so.
    pub progress: Option<(u64, u64)>,
}
