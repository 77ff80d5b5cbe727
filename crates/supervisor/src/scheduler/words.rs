//! What the scheduler is told, and what it says.

use std::time::Duration;

use brigade_protocol::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{Exit, Form, TaskError};

use super::{Failure, Limits, Settled, Time, Why};

/// A job, or a run of them, as the scheduler sees it.
///
/// ```
/// use brigade_protocol::id::{JobId, TaskId};
/// use brigade_supervisor::scheduler::{Event, JobSpec, Limits};
///
/// let limits = Limits { priority: 1, ..Limits::default() };
/// let (job, plain, parent) = (JobId(42), None, None);
/// let job = JobSpec { job, count: 1, task: TaskId(0), size: 8, plain, limits, parent };
/// let event = Event::Submitted(job);
/// # assert!(matches!(event, Event::Submitted(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Its id, or that of the first.
    pub job: JobId,
    /// How many jobs, at least 1.
    pub count: u32,
    /// What it calls: durations are estimated for each task.
    pub task: TaskId,
    /// The bytes of its arguments, or of the longest.
    pub size: usize,
    /// If it is a plain call: how its arguments are written. Nothing else must be said of it, so that many
    /// of them take little more of a message than their arguments.
    pub plain: Option<Form>,
    /// How long and how often it may be tried, and how soon.
    pub limits: Limits,
    /// The attempt that submitted it, if one did; then it is one job.
    pub parent: Option<Ticket>,
}

/// What the scoreboard says of one run thread of a worker.
///
/// ```
/// use std::time::Duration;
/// use brigade_protocol::id::{Seq, WorkerId};
/// use brigade_supervisor::scheduler::{Event, Lane};
///
/// let (started, finished) = (Seq(3), Seq(2));
/// let lane = Lane { started, since: Duration::from_secs(7), finished, progress: None };
/// let event = Event::Observed(WorkerId(0), vec![lane]);
/// # assert!(matches!(event, Event::Observed(..)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What it runs or last ran.
    pub started: Seq,
    /// Since when.
    pub since: Time,
    /// What it last finished.
    pub finished: Seq,
    /// How far what it runs has come, of how much, if it says so.
    pub progress: Option<(u64, u64)>,
}

impl Lane {
    /// What it runs. It may have been read while it was written: `finished` may be of a later call.
    ///
    /// ```
    /// use brigade_protocol::id::Seq;
    /// use brigade_supervisor::scheduler::{Lane, Time};
    ///
    /// let (since, progress) = (Time::ZERO, None);
    /// let lane = Lane { started: Seq(7), since, finished: Seq(6), progress };
    /// assert_eq!(lane.running(), Some(Seq(7)));
    /// ```
    pub fn running(&self) -> Option<Seq> {
        (self.started > self.finished).then_some(self.started)
    }
}

/// How attempts ended, by their worker's word.
///
/// ```
/// use std::time::Duration;
/// use brigade_protocol::id::{JobId, WorkerId};
/// use brigade_supervisor::scheduler::{Event, Reply};
///
/// let ran = (Duration::from_secs(7), Duration::from_secs(8));
/// let reply = Reply { run: JobId(42).into(), ran, result: Ok(vec![42]) };
/// let event = Event::Replied(WorkerId(0), reply);
/// # assert!(matches!(event, Event::Replied(..)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The attempts: several only if all succeeded.
    pub run: Run,
    /// When the first began and the last ended.
    pub ran: (Time, Time),
    /// The encoded output, packed if there are several, or why there is none.
    pub result: Result<Vec<u8>, TaskError>,
}

/// How the pool is to end; a graver one replaces a lighter one.
///
/// ```
/// # use std::time::Duration;
/// # use brigade_protocol::id::{JobId, Seq, SlotId, TaskId, Ticket, WorkerId};
/// # use brigade_supervisor::scheduler::*;
/// # let restarts = RestartIntensity::of(1);
/// # let config = Config {
/// #     slots: 1, threads: 1, most_waiting: 8, can_kill: true, prefetch: Prefetch::Auto, restarts,
/// #     start_timeout: Duration::from_secs(4), server_restarts: restarts, processors: 2, batch: 100, max_jobs: None,
/// # };
/// # let mut scheduler = Scheduler::new(config);
/// # let worker = WorkerId(0);
/// let _ = scheduler.handle(Time::ZERO, []);
/// let abort = Event::EndRequested(Ending::Abort);
/// assert_eq!(scheduler.handle(Time::ZERO, [abort]), [Action::Kill(worker, Why::Ended)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Finish what there is.
    Drain,
    /// Cancel what has not been started, give what runs this long, then kill it.
    Stop(Duration),
    /// Kill everything now.
    Abort,
}

/// Something that happened outside.
///
/// ```
/// # use std::time::Duration;
/// # use brigade_protocol::id::{JobId, Seq, SlotId, TaskId, Ticket, WorkerId};
/// # use brigade_supervisor::scheduler::*;
/// # let restarts = RestartIntensity::of(1);
/// # let config = Config {
/// #     slots: 1, threads: 1, most_waiting: 8, can_kill: true, prefetch: Prefetch::Auto, restarts,
/// #     start_timeout: Duration::from_secs(4), server_restarts: restarts, processors: 2, batch: 100, max_jobs: None,
/// # };
/// # let (limits, parent) = (Limits::default(), None);
/// # let job = JobSpec { job: JobId(1), count: 1, task: TaskId(0), size: 8, plain: None, limits, parent };
/// # let mut scheduler = Scheduler::new(config);
/// # let worker = WorkerId(0);
/// let events = [Event::Submitted(job), Event::CancelRequested { job: JobId(1), kill: false }];
/// let actions = scheduler.handle(Time::ZERO, events);
/// let Action::Settle(JobId(1), settled) = &actions[0] else { panic!("{actions:?}") };
/// assert_eq!(settled.result, Err(Failure::Cancelled));
/// ```
#[derive(Clone, Debug)]
pub enum Event {
    /// A client asked for this job to be run.
    Submitted(JobSpec),
    /// A job is announced, by a client or by an attempt that runs.
    Reserved {
        /// Which.
        job: JobId,
        /// Who announced it.
        holder: Option<Ticket>,
    },
    /// A reserved job will not be submitted.
    Abandoned(JobId),
    /// Somebody wants this job to end if it has not been started, or in any case.
    CancelRequested {
        /// Which.
        job: JobId,
        /// Even if its worker must be killed.
        kill: bool,
    },
    /// An attempt waits until one of these jobs has ended.
    WaitBegan {
        /// Where it runs.
        worker: WorkerId,
        /// Who waits.
        waiter: Ticket,
        /// For what.
        jobs: Vec<JobId>,
    },
    /// An attempt does not wait any longer.
    WaitOver {
        /// Where it runs.
        worker: WorkerId,
        /// Who waited.
        waiter: Ticket,
    },
    /// The pool is to have so many workers.
    Resized(u32),
    /// A stream of jobs of unknown length begins.
    InputOpened,
    /// It ended.
    InputEnded,
    /// The worker exists as a process.
    Spawned(WorkerId),
    /// The worker could not be made, for this reason.
    NotSpawned(WorkerId, String),
    /// The worker finished its start and may be given work.
    WorkerReady(WorkerId),
    /// The worker answered.
    Replied(WorkerId, Reply),
    /// The worker gave these attempts back: they have not been started.
    Returned(WorkerId, Vec<Ticket>),
    /// What the scoreboard says of the worker, upon [`Action::Inspect`].
    Observed(WorkerId, Vec<Lane>),
    /// The worker broke the protocol, or can no longer be reached.
    Violated(WorkerId),
    /// The worker is gone. All its replies have been heard before this.
    WorkerExited {
        /// Which.
        worker: WorkerId,
        /// How it ended.
        exit: Exit,
        /// It died because its fork server did.
        with_server: bool,
        /// What the scoreboard says of it.
        lanes: Vec<Lane>,
        /// The death as a text for people, with the worker's last words.
        epitaph: String,
    },
    /// The fork server is gone, for this reason. The exits of its workers follow.
    ServerLost(String),
    /// The fork server asked for by [`Action::StartServer`] is up.
    ServerStarted,
    /// It could not be started, for this reason.
    ServerFailed(String),
    /// The pool is to end.
    EndRequested(Ending),
    /// Nothing but time: some deadline may have passed.
    TimePassed,
    /// The worker says that it has grown larger than it may be.
    Grown(WorkerId),
}

/// Something the shell must now do. Doing it cannot fail: what goes wrong outside comes back as an
/// [`Event`].
///
/// ```
/// # use std::time::Duration;
/// # use brigade_protocol::id::{JobId, Seq, SlotId, TaskId, Ticket, WorkerId};
/// # use brigade_supervisor::scheduler::*;
/// # let restarts = RestartIntensity::of(1);
/// # let config = Config {
/// #     slots: 1, threads: 1, most_waiting: 8, can_kill: true, prefetch: Prefetch::Auto, restarts,
/// #     start_timeout: Duration::from_secs(4), server_restarts: restarts, processors: 2, batch: 100, max_jobs: None,
/// # };
/// # let (limits, parent) = (Limits::default(), None);
/// # let job = JobSpec { job: JobId(1), count: 1, task: TaskId(0), size: 8, plain: None, limits, parent };
/// # let mut scheduler = Scheduler::new(config);
/// # let worker = WorkerId(0);
/// for action in scheduler.handle(Time::ZERO, [Event::Submitted(job)]) {
///     match action {
///         Action::Spawn(worker, slot) => assert_eq!((worker.0, slot.0), (0, 0)),
///         other => panic!("there is nobody who could be told {other:?}"),
///     }
/// }
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a new fork server.
    StartServer,
    /// Kill the fork server: it does not answer.
    KillServer,
    /// Have this worker forked.
    Spawn(WorkerId, SlotId),
    /// Send these attempts to the worker, numbered on from the first.
    Dispatch(WorkerId, Seq, Vec<Run>),
    /// Ask the worker to give back what it has not started.
    Recall(WorkerId),
    /// Read the scoreboard of this worker and tell.
    Inspect(WorkerId),
    /// Tell the worker that no more will come; a healthy one exits by itself.
    Stop(WorkerId),
    /// SIGKILL to the worker and its group. The exit arrives later, as an event like any other. A thread
    /// is left to itself, and that counts as its exit.
    Kill(WorkerId, Why),
    /// The one and only end of this job, and of those that follow on it, if there are several.
    Settle(JobId, Settled),
    /// The job that was to be cancelled has been started.
    RefuseCancel(JobId),
    /// Tell this attempt that somebody wants it to stop.
    PleaseStop(WorkerId, Ticket),
    /// Tell this attempt that the job it waits for has ended, or why it must not wait.
    EndWait(WorkerId, Ticket, Result<JobId, Failure>),
}
