//! What a pool is to be like, before there is one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use brigade_protocol::board::LANES;
use brigade_task::{Arguments, Job};

use crate::capacity::processors;
use crate::error::{StartError, WorkerInfo};
use crate::owner::Owner;
use crate::pool::ProcessPool;
use crate::scheduler::{Limits, Prefetch, RestartIntensity};
use crate::shell::{self, Preparation, Surroundings};

/// A line that a worker, or the fork server (then `worker` is `None`), printed.
///
/// ```
/// use brigade::{OutputLine, ProcessPool, task};
/// # brigade::test_support!();
///
/// #[task]
/// fn warn_all() {
///     eprintln!("hot!");
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let (tell, told) = std::sync::mpsc::channel();
/// let listen = move |OutputLine { worker, text }: OutputLine<'_>| {
///     drop(tell.send((worker.map(|worker| worker.slot.0), text.to_vec())));
/// };
/// let pool = ProcessPool::builder().workers(1).on_output(listen).build()?;
/// pool.submit(warn_all()).result()?;
/// assert_eq!(told.recv()?, (Some(0), b"hot!".to_vec()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OutputLine<'a> {
    /// Who printed it.
    pub worker: Option<WorkerInfo>,
    /// The line, without its end. Not necessarily UTF-8; a line longer than 8 KiB comes in pieces.
    pub text: &'a [u8],
}

/// What becomes of the lines that workers print. Called in the watch thread: it must not block, nor
/// ask a [`Control`](crate::Control) of the pool for anything, and is not called again after a panic.
///
/// ```
/// use brigade_supervisor::OutputHandler;
///
/// let mut lines = 0;
/// let count: OutputHandler = Box::new(move |_| lines += 1);
/// # let _ = count;
/// ```
pub type OutputHandler = Box<dyn FnMut(OutputLine<'_>) + Send>;

/// Configures a [`ProcessPool`].
///
/// ```
/// use std::time::Duration;
/// use brigade::{Prefetch, ProcessPool, task};
/// # brigade::test_support!();
///
/// #[task]
/// fn cook(dish: String) -> String {
///     format!("{dish} is ready")
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ProcessPool::builder()
///     .workers(2)
///     .prefetch(Prefetch::AtMost(0))
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(pool.submit(cook("soup".to_owned())).result()?, "soup is ready");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Builder {
    pub(crate) workers: usize,
    pub(crate) threads: u16,
    pub(crate) program: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) prefetch: Prefetch,
    pub(crate) batch: usize,
    pub(crate) start_timeout: Duration,
    pub(crate) restarts: Option<RestartIntensity>,
    pub(crate) max_output: u64,
    pub(crate) direct: bool,
    pub(crate) max_queued: Option<usize>,
    pub(crate) max_waiting: usize,
    pub(crate) adopt_orphans: bool,
    pub(crate) output: Option<OutputHandler>,
    pub(crate) surroundings: Surroundings,
    pub(crate) nice: i32,
    pub(crate) initializer: Option<Preparation>,
    pub(crate) worker_initializer: Option<Preparation>,
    pub(crate) max_jobs: Option<u64>,
    pub(crate) max_rss: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: processors(),
            threads: 1,
            program: None,
            limits: Limits::default(),
            prefetch: Prefetch::Auto,
            batch: usize::MAX,
            start_timeout: Duration::from_secs(4),
            restarts: None,
            max_output: 64 * 1024 * 1024,
            direct: true,
            max_queued: None,
            max_waiting: 256,
            adopt_orphans: false,
            output: None,
            surroundings: Surroundings::default(),
            nice: 0,
            initializer: None,
            worker_initializer: None,
            max_jobs: None,
            max_rss: None,
        }
    }
}

impl Builder {
    /// The most workers a pool can have.
    pub const MOST_WORKERS: usize = 10_000;

    /// How many workers, from 1 to 10,000. Default: the CPUs that this process may use.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(2).build()?;
    /// assert!(ProcessPool::builder().workers(0).build().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How many jobs each worker runs at once, from 1 to 64. Default 1. Fewer if their arguments are
    /// between 2 and 56 KiB each: those of the jobs that a worker holds add up to 116 KiB at most.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn pid() -> u32 {
    ///     std::process::id()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).threads_per_worker(4).build()?;
    /// let pids = pool.map([pid(), pid(), pid()]).collect::<Result<Vec<_>, _>>()?;
    /// assert!(pids[0] == pids[1] && pids[1] == pids[2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn threads_per_worker(mut self, threads: u16) -> Self {
        self.threads = threads;
        self
    }

    /// The worker program. Default: the executable of this process, whose `main` must then begin
    /// with `brigade::init`.
    ///
    /// ```
    /// use brigade::{ProcessPool, StartError};
    ///
    /// let error = ProcessPool::builder().program("/no/such/program").build().unwrap_err();
    /// assert!(matches!(error, StartError::NotExecutable { .. }));
    /// ```
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// How long an attempt may run, from its start. Default: without limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn wait_for_godot() {
    ///     loop {
    ///         std::thread::park();
    ///     }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).timeout(Duration::from_millis(50)).build()?;
    /// assert!(pool.submit(wait_for_godot()).result().unwrap_err().is_timed_out());
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// How often a job is tried again after an error, a panic or a time-out. Default 0.
    ///
    /// ```
    /// use brigade::{Context, ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn second_time(context: &Context) -> Result<u32, String> {
    ///     if context.attempt() < 2 { Err("not yet".to_owned()) } else { Ok(context.attempt()) }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).retries(1).build()?;
    /// assert_eq!(pool.submit(second_time()).result()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.limits.retries = retries;
        self
    }

    /// How often a job is tried again after its worker died. Default 2; 0 is at-most-once.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn exit_at_once() {
    ///     std::process::exit(7);
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).crash_retries(1).build()?;
    /// let error = pool.submit(exit_at_once()).result().unwrap_err();
    /// assert_eq!((error.exit_code(), error.attempts()), (Some(7), 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn crash_retries(mut self, crash_retries: u32) -> Self {
        self.limits.crash_retries = crash_retries;
        self
    }

    /// How many jobs may wait with a worker while it runs another. Default: as many as measured
    /// durations recommend.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::{Prefetch, ProcessPool};
    /// // For few long jobs: each goes to a worker only when that has nothing else to do.
    /// let pool = ProcessPool::builder().workers(1).prefetch(Prefetch::AtMost(0)).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn prefetch(mut self, prefetch: Prefetch) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// How many jobs may travel to a worker together. Default: as many as measured durations recommend, but at most
    /// 4,096. With 1 each travels by itself, which costs a short job many times as much.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(1).batch(100).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(mut self, most: usize) -> Self {
        self.batch = most;
        self
    }

    /// How long the worker program, and then each worker, may take to start. Default 4 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade::{ProcessPool, StartError};
    ///
    /// // A program that is not a worker program.
    /// let builder = ProcessPool::builder().program("/bin/cat").start_timeout(Duration::from_millis(50));
    /// assert!(matches!(builder.build().unwrap_err(), StartError::Died { .. } | StartError::NoHello { .. }));
    /// ```
    pub fn start_timeout(mut self, patience: Duration) -> Self {
        self.start_timeout = patience;
        self
    }

    /// How many workers may die for no job's fault, and how many fork servers, before the pool gives
    /// up. Default: three for each worker, but at least ten, within 10 s; and ten fork servers within a
    /// minute.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::{ProcessPool, RestartIntensity};
    /// # use std::time::Duration;
    /// let restarts = RestartIntensity { max: 100, within: Duration::from_secs(60) };
    /// let pool = ProcessPool::builder().workers(1).restart_intensity(restarts).build()?;
    /// assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_intensity(mut self, restarts: RestartIntensity) -> Self {
        self.restarts = Some(restarts);
        self
    }

    /// The largest output of a job, in bytes; never more than 1 GiB. Default 64 MiB.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn zeros(count: usize) -> Vec<u8> {
    ///     vec![0; count]
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).max_output(1000).build()?;
    /// assert_eq!(pool.submit(zeros(900)).result()?.len(), 900);
    /// assert!(pool.submit(zeros(1000)).result().unwrap_err().is_undecodable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.max_output = bytes;
        self
    }

    /// Whether large values may be copied directly between processes, if the system allows it. Otherwise
    /// they travel in parts, which is for tests of that road.
    #[doc(hidden)]
    pub fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// How many jobs may be queued, that is submitted and not given to a worker: then submitting blocks.
    /// Jobs that are submitted by jobs are not held up. At least 1. Default: without bound.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn brew(tea: String) -> String {
    ///     tea
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).max_queued(100).build()?;
    /// let future = pool.try_submit(brew("oolong".to_owned())).expect("there is room");
    /// assert_eq!(future.result()?, "oolong");
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_queued(mut self, jobs: usize) -> Self {
        self.max_queued = Some(jobs);
        self
    }

    /// How many jobs may wait for other jobs at once. For each of them another worker runs, so it bounds
    /// the number of workers; a wait beyond it fails with an error. At most 10,000. Default 256.
    ///
    /// ```
    /// use brigade::{Context, ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn count_down(context: &Context, from: u32) -> brigade::Result<u32> {
    ///     match from {
    ///         0 => Ok(0),
    ///         n => Ok(context.wait(context.submit(count_down(n - 1)))?),
    ///     }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).max_waiting(2).build()?;
    /// assert_eq!(pool.submit(count_down(2)).result()?, 0);
    /// assert!(pool.submit(count_down(3)).result().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_waiting(mut self, jobs: usize) -> Self {
        self.max_waiting = jobs;
        self
    }

    /// Makes this process a child subreaper (`PR_SET_CHILD_SUBREAPER`), so that what a killed fork
    /// server leaves behind can be found and killed. For programs that start no other children while
    /// the pool lives: those would be killed too. Default: off.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(1).adopt_orphans(true).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn adopt_orphans(mut self, adopt: bool) -> Self {
        self.adopt_orphans = adopt;
        self
    }

    /// What becomes of the lines that workers print. Default: they go to standard error with the
    /// worker's id before them.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn chat() {
    ///     println!("fine weather");
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = ProcessPool::builder()
    ///     .workers(1)
    ///     .on_output(move |line| drop(tell.send(String::from_utf8_lossy(line.text).into_owned())))
    ///     .build()?;
    /// pool.submit(chat()).result()?;
    /// assert_eq!(told.recv()?, "fine weather");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_output(mut self, handler: impl FnMut(OutputLine<'_>) + Send + 'static) -> Self {
        self.output = Some(Box::new(handler));
        self
    }

    /// Sets a variable in the environment of the worker program, and so of all workers. Default: the
    /// environment of this process. The variables of Brigade (`BRIGADE_…`) are set in any case.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn language() -> Option<String> {
    ///     std::env::var("LANG").ok()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).env("LANG", "eo").build()?;
    /// assert_eq!(pool.submit(language()).result()?.as_deref(), Some("eo"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.surroundings.set(name.into(), value.into());
        self
    }

    /// Leaves a variable out of the environment of the worker program.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn path() -> Option<String> {
    ///     std::env::var("PATH").ok()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).env_remove("PATH").build()?;
    /// assert_eq!(pool.submit(path()).result()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.surroundings.remove(name.into());
        self
    }

    /// Lets the worker program begin with an empty environment, but for what is set with
    /// [`Builder::env`] after this.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn variables() -> Vec<String> {
    ///     let names = std::env::vars().map(|(name, _)| name);
    ///     names.filter(|name| !name.starts_with("BRIGADE_")).collect()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).env_clear().env("HOME", "/").build()?;
    /// assert_eq!(pool.submit(variables()).result()?, ["HOME"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn env_clear(mut self) -> Self {
        self.surroundings.clear();
        self
    }

    /// The directory in which the worker program and all workers run. Default: the one of this process.
    /// A relative one begins there; so does the path of the worker program, whatever is set here.
    ///
    /// ```
    /// use std::path::{Path, PathBuf};
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn directory() -> Option<PathBuf> {
    ///     std::env::current_dir().ok()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).current_dir("/").build()?;
    /// assert_eq!(pool.submit(directory()).result()?.as_deref(), Some(Path::new("/")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.surroundings.run_in(directory.into());
        self
    }

    /// What is added to the niceness of the worker program and of all workers, from 0 to 19. The system
    /// goes no further than 19 in all. Where the kernel groups processes by session
    /// (`kernel.sched_autogroup_enabled`), it weighs only within each worker's own. Default 0.
    ///
    /// Whatever this is, jobs and what they start run under the policy `SCHED_BATCH`, unless the pool was made under
    /// another than the usual one: they take the processor from nobody by waking up.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::{ProcessPool, StartError};
    /// let pool = ProcessPool::builder().workers(1).nice(10).build()?;
    /// let error = ProcessPool::builder().nice(20).build().unwrap_err();
    /// assert!(matches!(error, StartError::Niceness { increment: 20 }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn nice(mut self, increment: i32) -> Self {
        self.nice = increment;
        self
    }

    /// What the worker program runs once, before its first worker: what it loads into memory is there
    /// in every worker, and takes its room only once as long as nobody changes it (copy on write). It
    /// runs again when the fork server had to be replaced. Default: nothing.
    ///
    /// Of the job only the task and its arguments count; its result is not wanted. The task finds an
    /// empty standard input and is told that it is attempt 1 at job 0. It may take as long as
    /// [`Builder::start_timeout`] allows, counted for itself, and **must not leave a thread running**: a
    /// process with threads cannot be forked safely. What belongs to each process for itself (threads,
    /// connections, seeds of random numbers) is for [`Builder::worker_initializer`]. Processes that it
    /// leaves behind live as long as the fork server.
    ///
    /// If it fails, [`Builder::build`] does, with [`StartError::Initializer`]. The arguments of both
    /// initializers together may have 56 KiB.
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// static SQUARES: OnceLock<Vec<u64>> = OnceLock::new();
    ///
    /// #[task]
    /// fn load(count: u64) {
    ///     SQUARES.get_or_init(|| (0..count).map(|n| n * n).collect());
    /// }
    ///
    /// #[task]
    /// fn look_up(n: usize) -> Option<u64> {
    ///     SQUARES.get()?.get(n).copied()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(2).initializer(load(100)).build()?;
    /// assert_eq!(pool.submit(look_up(9)).result()?, Some(81));
    /// # Ok(())
    /// # }
    /// ```
    pub fn initializer<T, A: Arguments>(mut self, job: Job<T, A>) -> Self {
        self.initializer = Some(job.into());
        self
    }

    /// What each worker runs before its first job, within the [`Builder::start_timeout`]. Default:
    /// nothing.
    ///
    /// Of the job only the task and its arguments count; its result is not wanted. If it fails or
    /// panics, the worker says so in its last words and exits with code 70, which counts as a death for
    /// no job's fault: the pool gives up when there were too many ([`Builder::restart_intensity`]).
    ///
    /// ```
    /// use std::sync::OnceLock;
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// static NAME: OnceLock<String> = OnceLock::new();
    ///
    /// #[task]
    /// fn baptize() {
    ///     NAME.get_or_init(|| format!("worker of pid {}", std::process::id()));
    /// }
    ///
    /// #[task]
    /// fn name() -> Option<String> {
    ///     NAME.get().cloned()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).worker_initializer(baptize()).build()?;
    /// assert!(pool.submit(name()).result()?.is_some_and(|name| name.starts_with("worker of pid ")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn worker_initializer<T, A: Arguments>(mut self, job: Job<T, A>) -> Self {
        self.worker_initializer = Some(job.into());
        self
    }

    /// How many jobs a worker is given, at least 1, before it is replaced by a fresh one; each attempt
    /// counts. For tasks that leak. While a worker goes and another comes, which takes some
    /// milliseconds, its slot is empty. Default: without limit.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn own_pid() -> u32 {
    ///     std::process::id()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).max_jobs_per_worker(1).build()?;
    /// assert_ne!(pool.submit(own_pid()).result()?, pool.submit(own_pid()).result()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_jobs_per_worker(mut self, jobs: u64) -> Self {
        self.max_jobs = Some(jobs);
        self
    }

    /// The resident size, in bytes, above which a worker is replaced once it has finished what it runs.
    /// The worker looks at itself after a job, but not more often than every 10 ms, so this bounds
    /// leaks, not a single job. What it shares with the worker program (some MiB, and what the
    /// [`Builder::initializer`] loaded, as far as it was touched) is counted: with less than that, each
    /// worker runs a few jobs only. At least 1. Default: without limit.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let gibibyte = 1 << 30;
    /// let pool = ProcessPool::builder().workers(1).max_rss_per_worker(gibibyte).build()?;
    /// # assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_rss_per_worker(mut self, bytes: u64) -> Self {
        self.max_rss = Some(bytes);
        self
    }

    /// Starts the worker program and the workers. Raises this process's soft limit of open files to the
    /// hard one.
    ///
    /// # Errors
    ///
    /// Any [`StartError`], within the start timeout, and once more as long if there is an initializer.
    ///
    /// ```
    /// # brigade::test_support!();
    /// # fn main() -> brigade::Result<()> {
    /// # use brigade::ProcessPool;
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// assert_eq!(pool.gave_up(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn build(self) -> Result<ProcessPool, StartError> {
        check_range(
            "the number of workers",
            self.workers,
            1,
            Self::MOST_WORKERS,
            "from 1 to 10000",
        )?;
        let threads = usize::from(self.threads);
        check_range("the number of threads per worker", threads, 1, LANES, "from 1 to 64")?;
        check_range(
            "the number of waiting jobs",
            self.max_waiting,
            0,
            Self::MOST_WORKERS,
            "from 0 to 10000",
        )?;
        check_batch(self.batch)?;
        let max_queued = self.max_queued;
        if let Some(jobs) = max_queued {
            check_range("the number of queued jobs", jobs, 1, usize::MAX, "at least 1")?;
        }
        if !(0..=MOST_NICE).contains(&self.nice) {
            return Err(StartError::Niceness { increment: self.nice });
        }
        for (what, value) in [
            ("the number of jobs per worker", self.max_jobs),
            ("the largest resident size of a worker", self.max_rss),
        ] {
            if value == Some(0) {
                return Err(StartError::OutOfRange { what, value: 0, range: "at least 1" });
            }
        }
        let limits = self.limits;
        let started = shell::start(self)?;
        Ok(ProcessPool(Owner::new(started, limits, max_queued, None)))
    }
}

/// What the system allows.
const MOST_NICE: i32 = 19;

/// Checks how many jobs may travel together, in a pool of either kind.
pub(crate) fn check_batch(most: usize) -> Result<(), StartError> {
    check_range("the number of jobs that travel together", most, 1, usize::MAX, "at least 1")
}

pub(crate) fn check_range(
    what: &'static str,
    value: usize,
    least: usize,
    most: usize,
    range: &'static str,
) -> Result<(), StartError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(StartError::OutOfRange { what, value, range })
}
