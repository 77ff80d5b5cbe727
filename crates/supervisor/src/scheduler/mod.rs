//! The scheduler: every decision the supervisor makes, and nothing else.
//!
//! No process, channel, thread or clock is touched here. The scheduler is told what happened
//! ([`Event`]) and when ([`Time`]), and answers with what to do ([`Action`]). The same events in the
//! same order always give the same actions.
//!
//! A slot is a seat for one worker. Workers come and go; slots stay:
//!
//! ```text
//!           Spawn                ready                 all settled
//!  Vacant ────────▶ Starting ───────────▶ Serving ──────────────────▶ Leaving
//!    ▲                 │ deadline            │  ▲ Dispatch, replies      │
//!    │                 ▼                     │  └───────────┐            │
//!    │              Leaving ◀────────────────┴─ Kill ───────┘            │
//!    └─────── exited: what it held is judged ◀─────────────────────────┘
//!             (a worker may exit from any state)
//! ```
//!
//! A worker *holds* jobs: they travel to it in frames, wait in its queue, run, and are replied to.
//! What it holds when it dies is judged by the scoreboard ([`Lane`]): only what was *running* is
//! charged with the death.
//!
//! The parts: `words` is what the scheduler is told and what it says; `events` is what becomes of each event; `jobs` what is known of unsettled jobs, in a `table` and a
//! `queue`; `worker` what one worker holds; `frames` how many jobs travel together; `deaths` the
//! judgement; `deadlines` everything that happens because time passes; `waits` jobs that wait for
//! jobs; `recycling` the replacement of worn workers; `policy` and `outcome` plain values.

mod deadlines;
mod deaths;
mod events;
mod frames;
mod jobs;
mod outcome;
mod policy;
mod queue;
mod recycling;
mod statistics;
mod table;
mod waits;
mod words;
mod worker;

#[cfg(test)]
mod tests;

use std::time::Duration;

use brigade_protocol::id::{JobId, Seq, Ticket, WorkerId};
use rustc_hash::FxHashMap;

use self::frames::Batches;
use self::jobs::{Jobs, Place};
use self::policy::Deaths;
use self::worker::{State, Worker};

pub use self::outcome::{Failure, Settled};
pub use self::policy::{Limits, Prefetch, RestartIntensity};
pub use self::statistics::Statistics;
pub use self::words::{Action, Ending, Event, JobSpec, Lane, Reply};
pub use self::worker::Why;

/// Time since the pool began, without the spans in which it was paused. The shell reads the clock.
pub type Time = Duration;

/// Policy, fixed for the life of the pool.
///
/// ```
/// use std::time::Duration;
/// use brigade_supervisor::scheduler::{Config, Prefetch, RestartIntensity, Scheduler};
///
/// let config = Config {
///     slots: 4,
///     threads: 1,
///     most_waiting: 256,
///     can_kill: true,
///     prefetch: Prefetch::Auto,
///     start_timeout: Duration::from_secs(4),
///     restarts: RestartIntensity::of(4),
///     server_restarts: RestartIntensity::of_server(),
///     processors: 2,
///     batch: usize::MAX,
///     max_jobs: None,
/// };
/// assert_eq!(Scheduler::new(config).handle(Duration::ZERO, []).len(), 4, "workers to be spawned");
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// How many workers; [`Event::Resized`] changes it.
    pub slots: u32,
    /// How many jobs each runs at once.
    pub threads: u16,
    /// How many jobs may wait for others at once.
    pub most_waiting: usize,
    /// Whether a worker can be killed: a process can, a thread can not.
    pub can_kill: bool,
    /// How many jobs may wait with a worker.
    pub prefetch: Prefetch,
    /// How long a worker may take from `Spawn` to ready.
    pub start_timeout: Duration,
    /// How many deaths that are no job's fault are endured.
    pub restarts: RestartIntensity,
    /// How many deaths of the fork server are endured.
    pub server_restarts: RestartIntensity,
    /// How many processors the workers share; at least 1.
    pub processors: usize,
    /// How many jobs may travel together; at least 1. More than 4,096 never do.
    pub batch: usize,
    /// How many jobs each worker is given before it is replaced; at least 1.
    pub max_jobs: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    /// Nothing new is started; what runs is killed at this time.
    Stopping {
        kill_at: Time,
    },
    Aborting,
    GaveUp(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Up,
    /// Dead; some of its workers may not have been buried yet.
    Lost,
    Starting,
}

#[derive(Debug)]
enum Slot {
    /// To be filled, but not before this time.
    Vacant {
        until: Time,
    },
    Taken(Worker),
}

/// The state machine. See the [module documentation](self).
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
/// let mut scheduler = Scheduler::new(config);
/// let (now, worker, ticket) = (Time::ZERO, WorkerId(0), Ticket::from(JobId(1)));
/// let actions = scheduler.handle(now, [Event::Submitted(job)]);
/// assert_eq!(actions, [Action::Spawn(worker, SlotId(0))]);
/// let actions = scheduler.handle(now, [Event::Spawned(worker), Event::WorkerReady(worker)]);
/// assert_eq!(actions, [Action::Dispatch(worker, Seq(1), vec![ticket.into()])]);
///
/// let reply = Reply { run: ticket.into(), ran: (now, now), result: Ok(vec![42]) };
/// let actions = scheduler.handle(now, [Event::Replied(worker, reply)]);
/// assert!(matches!(&actions[..], [Action::Settle(JobId(1), Settled { result: Ok(_), .. })]));
/// ```
#[derive(Debug)]
pub struct Scheduler {
    config: Config,
    phase: Phase,
    server: Server,
    server_failures: u32,
    slots: Vec<Slot>,
    seats: FxHashMap<WorkerId, usize>,
    jobs: Jobs,
    batches: Batches,
    /// Which seats may be given work.
    permits: Vec<bool>,
    /// Streams that may still bring jobs.
    inputs: usize,
    deaths: Deaths,
    server_deaths: Deaths,
    next_worker: u64,
}

impl Scheduler {
    /// A pool that has a fork server and no worker yet.
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
    /// let mut scheduler = Scheduler::new(config);
    /// assert_eq!(scheduler.handle(Time::ZERO, []), [Action::Spawn(WorkerId(0), SlotId(0))]);
    /// ```
    pub fn new(config: Config) -> Self {
        Self {
            phase: Phase::Running,
            server: Server::Up,
            server_failures: 0,
            slots: (0..config.slots).map(|_| Slot::Vacant { until: Time::ZERO }).collect(),
            seats: FxHashMap::default(),
            jobs: Jobs::default(),
            batches: Batches::default(),
            permits: Vec::new(),
            inputs: 0,
            deaths: Deaths::default(),
            server_deaths: Deaths::default(),
            next_worker: 0,
            config,
        }
    }

    /// Takes in what happened and returns what must be done about it, in order.
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
    /// let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker)]);
    /// // Then nothing happened, until it was late: the worker was not ready in time.
    /// let actions = scheduler.handle(Duration::from_secs(5), [Event::TimePassed]);
    /// assert_eq!(actions, [Action::Kill(worker, Why::StartTimedOut)]);
    /// ```
    pub fn handle(&mut self, now: Time, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        let mut actions = Vec::new();
        for event in events {
            self.take(now, event, &mut actions);
        }
        self.expire(now, &mut actions);
        self.recycle(now, &mut actions);
        self.permit();
        self.fill(now, &mut actions);
        self.recall(now, &mut actions);
        self.retire(now, &mut actions);
        self.jobs.forget_ended_seats();
        actions
    }

    /// True once the pool has ended: every job is settled, no worker is left.
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
    /// assert!(!scheduler.is_finished());
    /// let _ = scheduler.handle(Time::ZERO, [Event::EndRequested(Ending::Drain)]);
    /// assert!(scheduler.is_finished(), "for no worker has been spawned yet");
    /// ```
    pub fn is_finished(&self) -> bool {
        self.phase != Phase::Running
            && self.jobs.is_empty()
            && self.slots.iter().all(|slot| matches!(slot, Slot::Vacant { .. }))
    }

    /// Why the pool gave up, if it did.
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
    /// assert_eq!(scheduler.gave_up(), None);
    /// ```
    pub fn gave_up(&self) -> Option<&str> {
        match &self.phase {
            Phase::GaveUp(reason) => Some(reason),
            _ => None,
        }
    }

    /// Jobs that are with no worker.
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
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// assert_eq!(scheduler.queued(), 1, "until there is a worker");
    /// ```
    pub fn queued(&self) -> usize {
        self.jobs.queued()
    }

    /// What has happened so far.
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
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// assert_eq!(scheduler.statistics().submitted, 1);
    /// ```
    pub fn statistics(&self) -> Statistics {
        self.jobs.statistics
    }

    /// Whether an attempt at this job waits for another job.
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
    /// # let _ = scheduler.handle(Time::ZERO, []);
    /// # let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker), Event::WorkerReady(worker)]);
    /// let waiter = Ticket::from(JobId(1));
    /// let other = JobSpec { job: JobId(2), ..job };
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job), Event::Submitted(other)]);
    /// let wait = Event::WaitBegan { worker, waiter, jobs: vec![JobId(2)] };
    /// let _ = scheduler.handle(Time::ZERO, [wait]);
    /// assert!(scheduler.is_waiting(JobId(1)));
    /// ```
    pub fn is_waiting(&self, job: JobId) -> bool {
        self.jobs.wait_of(job).is_some()
    }

    /// The worker that this job is with.
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
    /// # let _ = scheduler.handle(Time::ZERO, []);
    /// # let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker), Event::WorkerReady(worker)]);
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// assert_eq!(scheduler.worker_of(JobId(1)), Some(worker));
    /// assert_eq!(scheduler.worker_of(JobId(2)), None);
    /// ```
    pub fn worker_of(&self, job: JobId) -> Option<WorkerId> {
        match self.jobs.place(job) {
            Some(Place::With(worker)) => Some(worker),
            _ => None,
        }
    }

    /// Whether this attempt is with this worker.
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
    /// # let _ = scheduler.handle(Time::ZERO, []);
    /// # let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker), Event::WorkerReady(worker)]);
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// let first = Ticket::from(JobId(1));
    /// assert!(scheduler.holds(worker, first));
    /// assert!(!scheduler.holds(worker, Ticket { attempt: 2, ..first }));
    /// ```
    pub fn holds(&self, worker: WorkerId, ticket: Ticket) -> bool {
        match self.seats.get(&worker).map(|&seat| &self.slots[seat]) {
            Some(Slot::Taken(worker)) => worker.holds(ticket),
            _ => false,
        }
    }

    /// How many unsettled jobs the pool can make use of: two frames with each worker, as many queued, and as
    /// many again of both that have ended and of which nobody has taken the results; but no more than 65,536
    /// unless it has that many workers. At the least 16 for each worker, so that who brings them need not come
    /// for each.
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
    /// assert_eq!(Scheduler::new(config).appetite(), 16);
    /// ```
    pub fn appetite(&self) -> usize {
        let frame = self.batches.largest().max(usize::from(self.config.threads));
        let slots = self.config.slots as usize;
        (8 * slots * frame).min(65_536).max(16 * slots)
    }

    /// The job that holds this place with this worker.
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
    /// # let _ = scheduler.handle(Time::ZERO, []);
    /// # let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker), Event::WorkerReady(worker)]);
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// assert_eq!(scheduler.held(worker, Seq(1)), Some(JobId(1)));
    /// ```
    pub fn held(&self, worker: WorkerId, seq: Seq) -> Option<JobId> {
        match self.seats.get(&worker).map(|&seat| &self.slots[seat]) {
            Some(Slot::Taken(worker)) => worker.held_at(seq).map(|ticket| ticket.job),
            _ => None,
        }
    }

    /// The attempt whose time-out this worker was killed for.
    #[cfg(test)]
    fn overran(&self, worker: WorkerId) -> Option<Ticket> {
        match &self.slots[*self.seats.get(&worker)?] {
            Slot::Taken(Worker {
                state: State::Leaving { why: Why::JobTimedOut(ticket) | Why::JobKilled(ticket), .. },
                ..
            }) => Some(*ticket),
            _ => None,
        }
    }

    fn take(&mut self, now: Time, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Submitted(spec) => self.on_submitted(spec, actions),
            Event::Reserved { job, holder } => self.on_reserved(job, holder, actions),
            Event::Abandoned(job) => self.abandon(job, actions),
            Event::CancelRequested { job, kill } => self.on_cancel(now, job, kill, actions),
            Event::WaitBegan { worker, waiter, jobs } => {
                self.on_wait_began(now, worker, waiter, jobs, actions);
            }
            Event::WaitOver { worker, waiter } => self.on_wait_over(worker, waiter, actions),
            Event::Resized(slots) => self.config.slots = slots,
            Event::InputOpened => self.inputs += 1,
            Event::InputEnded => self.inputs = self.inputs.saturating_sub(1),
            Event::Spawned(worker) => self.note_start(now, worker, true, false),
            Event::NotSpawned(worker, reason) => self.on_not_spawned(now, worker, &reason, actions),
            Event::WorkerReady(worker) => self.note_start(now, worker, false, true),
            Event::Replied(worker, reply) => self.on_replied(now, worker, reply, actions),
            Event::Returned(worker, tickets) => self.on_returned(now, worker, &tickets, actions),
            Event::Observed(worker, lanes) => self.on_observed(now, worker, &lanes, actions),
            Event::Violated(worker) => self.kill(worker, Why::Violated, actions),
            Event::WorkerExited { worker, exit, with_server, lanes, epitaph } => {
                let death = deaths::Death { exit, with_server, lanes, epitaph };
                self.on_exited(now, worker, &death, actions);
            }
            Event::ServerLost(reason) => self.on_server_lost(now, &reason, actions),
            Event::ServerStarted => {
                self.server = Server::Up;
                self.server_failures = 0;
            }
            Event::ServerFailed(reason) => self.on_server_failed(reason, actions),
            Event::EndRequested(ending) => self.on_end_requested(now, ending, actions),
            Event::TimePassed => {}
            Event::Grown(worker) => self.on_grown(worker),
        }
    }

    fn note_start(&mut self, now: Time, id: WorkerId, spawned: bool, ready: bool) {
        if let Some(worker) = self.worker(id) {
            worker.note_start(now, spawned, ready);
        }
    }

    fn kill(&mut self, id: WorkerId, why: Why, actions: &mut Vec<Action>) {
        if let Some(worker) = self.worker(id)
            && !worker.is_killed()
        {
            worker.state = State::Leaving { why, deadline: None };
            actions.push(Action::Kill(id, why));
        }
    }

    fn kill_all(&mut self, why: Why, actions: &mut Vec<Action>) {
        let ids: Vec<WorkerId> = self.workers().map(|worker| worker.id).collect();
        for id in ids {
            self.kill(id, why, actions);
        }
    }

    fn worker(&mut self, id: WorkerId) -> Option<&mut Worker> {
        match &mut self.slots[*self.seats.get(&id)?] {
            Slot::Taken(worker) => Some(worker),
            Slot::Vacant { .. } => None,
        }
    }

    fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Taken(worker) => Some(worker),
            Slot::Vacant { .. } => None,
        })
    }
}
