//! The process pool: workers as processes, jobs as values.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use brigade_protocol::codec::MAX_VALUE;
use brigade_protocol::id::{JobId, SlotId, TaskId};
use brigade_protocol::message::{BuildId, Form, TaskError, TaskErrorKind, TaskInfo};
use crossbeam_channel::Receiver;

use crate::builder::Builder;
use crate::error::{Failure, WorkerInfo};
use crate::future::Future;
use crate::job::Job;
use crate::scheduler::Limits;
use crate::shell::{Inbox, Message, Started, Submission};
use crate::sink::{self, Cell, Sink};
use crate::stream::{self, Feed, Settlements};

/// A pool of worker processes. Dropping it drains it: everything submitted is finished first.
pub struct ProcessPool {
    shared: Arc<Shared>,
    shell: Option<JoinHandle<()>>,
    /// The process that made it: a forked copy has no threads, and must not touch the workers.
    owner: u32,
}

/// What every handle of a pool shares.
pub(crate) struct Shared {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) appetite: Arc<AtomicUsize>,
    /// Disconnected once the pool is over.
    pub(crate) over: Receiver<Infallible>,
    /// The caller's own build if bincode arguments can be trusted to mean the same to the worker.
    own_build: BuildId,
    limits: Limits,
    next_job: AtomicU64,
}

impl Shared {
    /// Makes a job ready for the loop, or settles it at once if it cannot be.
    pub(crate) fn submission<T>(
        &self,
        job: Job<T>,
        sink: impl FnOnce(JobId) -> Sink,
    ) -> Option<Submission> {
        let id = JobId(self.next_job.fetch_add(1, Ordering::Relaxed));
        let sink = sink(id);
        let Job { task, form, arguments, options, .. } = job;
        let limits = options.limits(self.limits);
        let checked = self.check(&task, form).and_then(|task| Ok((task, bounded(arguments?)?)));
        match checked {
            Ok((task, arguments)) => {
                Some(Submission { task, form, arguments, limits, label: options.label, sink })
            }
            Err(failure) => {
                sink.settle(sink::refused(id, task.into_owned(), options.label, failure));
                None
            }
        }
    }

    fn check(&self, task: &str, form: Form) -> Result<TaskId, Failure> {
        let Some(id) = self.inbox.hello.find(task) else {
            let offered: Vec<&str> =
                self.inbox.hello.tasks.iter().map(|task| &*task.name).collect();
            let offered = offered.join(", ");
            let reason = format!("no such task: {task}; the worker program offers {offered}");
            return Err(Failure::Refused(reason));
        };
        if form == Form::Bincode && self.inbox.hello.build != self.own_build {
            let reason = format!(
                "the worker program is of another build ({}) than this program ({}), so typed \
                 arguments would be misread; pass them as JSON",
                self.inbox.hello.build, self.own_build
            );
            return Err(Failure::Refused(reason));
        }
        Ok(id)
    }
}

impl ProcessPool {
    pub(crate) fn new(started: Started, limits: Limits) -> Self {
        let shared = Shared {
            inbox: started.inbox,
            appetite: started.appetite,
            over: started.over,
            own_build: started.own_build,
            limits,
            next_job: AtomicU64::new(1),
        };
        let owner = std::process::id();
        Self { shared: Arc::new(shared), shell: Some(started.thread), owner }
    }

    /// A pool to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The tasks that the worker program offers.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.shared.inbox.hello.tasks
    }

    /// Submits a job. What prevents it from running is told by the future.
    pub fn submit<T>(&self, job: Job<T>) -> Future<T> {
        let cell = Arc::new(Cell::default());
        let (task, decode) = (job.task.clone(), job.decode);
        let mut id = JobId(0);
        let submission = self.shared.submission(job, |job| {
            id = job;
            Sink::cell(job, Arc::clone(&cell))
        });
        if let Some(submission) = submission {
            self.shared.inbox.send(Message::Submit(vec![submission]));
        }
        Future { job: id, task, cell, decode, pool: Arc::clone(&self.shared.inbox) }
    }

    /// Opens the bulk road: jobs go into the [`Feed`], settlements come out of [`Settlements`] in
    /// order of completion.
    pub fn stream(&self) -> (Feed, Settlements) {
        stream::stream(Arc::clone(&self.shared))
    }

    /// A handle for looking at the pool and for stopping it from elsewhere.
    pub fn control(&self) -> Control {
        Control { inbox: Arc::clone(&self.shared.inbox) }
    }

    /// Why the pool gave up, if it did: its workers died for no job's fault, more often than the
    /// [`RestartIntensity`](crate::RestartIntensity) allows.
    pub fn gave_up(&self) -> Option<&str> {
        self.shared.inbox.gave_up()
    }

    /// Takes no more jobs and returns when every worker is gone.
    ///
    /// # Panics
    ///
    /// If a thread of the pool panicked, which is a bug of Brigade.
    pub fn shutdown(mut self, how: Shutdown) {
        self.control().shutdown(how);
        self.join();
    }

    /// Kills everything now. Jobs that are not settled end as cancelled.
    pub fn abort(self) {
        self.shutdown(Shutdown::Abort);
    }

    fn join(&mut self) {
        if let Some(shell) = self.shell.take()
            && let Err(panic) = shell.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        if self.shell.is_some() && self.owner == std::process::id() {
            self.control().shutdown(Shutdown::Drain);
            if !std::thread::panicking() {
                self.join();
            }
        }
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool").finish_non_exhaustive()
    }
}

/// How a pool ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Finish everything that was submitted.
    Drain,
    /// Cancel what has not been started, give what runs this long to finish, then kill it.
    Stop {
        /// The time between asking and killing.
        grace: Duration,
    },
    /// Kill everything now.
    Abort,
}

/// A handle of a pool for other threads: to look and to stop. It does not keep the pool alive, and
/// does nothing once that is gone.
#[derive(Clone)]
pub struct Control {
    inbox: Arc<Inbox>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Begins to end the pool. A later call may only be graver than an earlier one.
    pub fn shutdown(&self, how: Shutdown) {
        self.inbox.send(Message::Shutdown(how));
    }

    /// Stops (SIGSTOP) all workers and all clocks of the pool.
    pub fn pause(&self) {
        let (done, wait) = crossbeam_channel::bounded(1);
        self.inbox.send(Message::Pause(done));
        // An error means that the pool is gone, which is as quiet as paused.
        let _ = wait.recv();
    }

    /// Undoes [`Control::pause`].
    pub fn resume(&self) {
        self.inbox.send(Message::Resume);
    }

    /// What the pool is doing now; `None` once it is gone.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let (to, from) = crossbeam_channel::bounded(1);
        self.inbox.send(Message::Snapshot(to));
        from.recv().ok()
    }
}

/// What a pool is doing at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Jobs submitted and not yet given to a worker.
    pub queued: usize,
    /// Jobs settled so far.
    pub settled: u64,
    /// Every slot that has a worker, in order.
    pub lanes: Vec<Lane>,
}

/// One slot of a [`Snapshot`].
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
#[derive(Clone, Debug)]
pub struct Running {
    /// The job.
    pub job: JobId,
    /// The submitter's number, if it came by a stream.
    pub tag: Option<u64>,
    /// For how long.
    pub elapsed: Duration,
}

/// Arguments that no worker takes must not be sent to one.
fn bounded(arguments: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let length = arguments.len();
    if length <= MAX_VALUE {
        return Ok(arguments);
    }
    let message = format!("arguments of {length} bytes are longer than the limit of {MAX_VALUE}");
    Err(TaskError::new(TaskErrorKind::BadArguments, message))
}
