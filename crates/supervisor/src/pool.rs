//! The process pool: workers as processes, jobs as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use brigade_protocol::id::{JobId, SlotId};
use brigade_protocol::message::TaskInfo;
use brigade_task::Executor;
use brigade_task::host::Host;

use crate::builder::Builder;
use crate::error::{StartError, WorkerInfo};
use crate::host::is_settling;
use crate::owner::Owner;
pub use crate::scheduler::Statistics;
use crate::shell::{self, Inbox, Message};
use crate::stream::{Feed, Settlements};
use crate::sync::channel;

/// A pool of worker processes. Dropping it drains it: everything submitted is finished first.
pub struct ProcessPool(pub(crate) Owner);

impl ProcessPool {
    /// A pool to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The tasks that the worker program offers.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.0.shared.inbox.hello.tasks
    }

    /// Opens the bulk road: jobs go into the [`Feed`], settlements come out of [`Settlements`] in
    /// order of completion.
    pub fn stream(&self) -> (Feed, Settlements) {
        self.0.stream()
    }

    /// Changes the number of workers, from 1 to 1024. What a worker too many runs is finished first.
    ///
    /// # Errors
    ///
    /// [`StartError::OutOfRange`], or [`StartError::TooFewDescriptors`].
    pub fn resize(&self, workers: usize) -> Result<(), StartError> {
        self.0.resize(shell::check_resize(workers)?);
        Ok(())
    }

    /// What has happened so far; all zero once the pool is gone.
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    /// A handle for looking at the pool and for stopping it from elsewhere.
    pub fn control(&self) -> Control {
        self.0.control()
    }

    /// Why the pool gave up, if it did: its workers died for no job's fault, more often than the
    /// [`RestartIntensity`](crate::RestartIntensity) allows.
    pub fn gave_up(&self) -> Option<&str> {
        self.0.gave_up()
    }

    /// Takes no more jobs and returns when every worker is gone.
    ///
    /// # Panics
    ///
    /// If a thread of the pool panicked, which is a bug of Brigade.
    pub fn shutdown(self, how: Shutdown) {
        self.0.shutdown(how);
    }

    /// Kills everything now. Jobs that are not settled end as cancelled.
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
    pub fn shutdown(&self, how: Shutdown) {
        self.inbox.send(Message::Shutdown(how));
    }

    /// Stops all clocks of the pool, and all workers (SIGSTOP) if they are processes: what runs on threads
    /// cannot be stopped.
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
    pub fn resume(&self) {
        self.inbox.send(Message::Resume);
    }

    /// What the pool is doing now; `None` once it is gone, and in a callback, which runs in the thread
    /// that would have to answer.
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
