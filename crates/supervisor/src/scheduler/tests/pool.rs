//! A pool of which every worker is ready, for deciding single cases.

use std::time::Duration;

use super::super::*;
use super::prelude::*;

pub(super) type Settlement<'a> = (u64, &'a Result<Vec<u8>, Failure>, u32);

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const W0: WorkerId = WorkerId(0);
pub(super) const W1: WorkerId = WorkerId(1);

/// A job by itself, of task 0, with a few bytes of arguments.
pub(super) fn spec(job: u64) -> JobSpec {
    let (job, task, limits) = (JobId(job), TaskId(0), Limits::default());
    JobSpec { job, count: 1, task, size: 8, plain: None, limits, parent: None }
}

/// A pool of which every worker is ready, at a time that the test moves on.
pub(super) struct Pool {
    pub(super) scheduler: Scheduler,
    pub(super) now: Time,
}

impl Pool {
    pub(super) fn new(slots: u32) -> Self {
        Self::with(slots, Prefetch::Auto)
    }

    pub(super) fn with(slots: u32, prefetch: Prefetch) -> Self {
        Self::of(Config { prefetch, ..config(slots) })
    }

    /// A pool of threads, which cannot be killed.
    pub(super) fn of_threads(slots: u32) -> Self {
        Self::of(Config { can_kill: false, ..config(slots) })
    }

    pub(super) fn of(config: Config) -> Self {
        let slots = config.slots;
        let mut pool = Self { scheduler: Scheduler::new(config), now: Time::ZERO };
        assert_eq!(pool.tell([]).len(), slots as usize);
        for worker in (0..u64::from(slots)).map(WorkerId) {
            assert_eq!(pool.tell([Event::Spawned(worker), Event::WorkerReady(worker)]), []);
        }
        pool
    }

    pub(super) fn tell(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<Action> {
        self.scheduler.handle(self.now, events)
    }

    /// The worker has started.
    pub(super) fn ready(&mut self, worker: WorkerId) -> Vec<Action> {
        self.tell([Event::WorkerReady(worker), Event::Spawned(worker)])
    }

    pub(super) fn submit(
        &mut self,
        jobs: impl IntoIterator<Item = u64>,
        limits: Limits,
    ) -> Vec<Action> {
        let submitted = |job| Event::Submitted(JobSpec { limits, ..spec(job) });
        self.tell(jobs.into_iter().map(submitted))
    }

    /// A reply to the first attempt at a job that ran from `started` until now.
    pub(super) fn reply(&mut self, worker: WorkerId, job: u64, started: Time) -> Vec<Action> {
        let ran = (started, self.now);
        self.tell([Event::Replied(
            worker,
            Reply { run: first(job).into(), ran, result: Ok(vec![]) },
        )])
    }

    pub(super) fn exit(&mut self, worker: WorkerId, lanes: Vec<Lane>) -> Vec<Action> {
        let (exit, epitaph) = (Exit::Signal(11), "it died".to_owned());
        self.tell([Event::WorkerExited { worker, exit, with_server: false, lanes, epitaph }])
    }

    /// Lets time pass until the next deadline.
    pub(super) fn pass(&mut self) -> Vec<Action> {
        self.now = self.scheduler.next_deadline().expect("something is awaited");
        self.tell([Event::TimePassed])
    }
}

/// The policy of a pool of so many workers with one run thread and one processor each.
pub(super) fn config(slots: u32) -> Config {
    Config {
        most_waiting: 16,
        can_kill: true,
        slots,
        threads: 1,
        prefetch: Prefetch::Auto,
        start_timeout: 4000 * MS,
        restarts: RestartIntensity::of(slots as usize),
        server_restarts: RestartIntensity::of_server(),
        processors: slots as usize,
        batch: usize::MAX,
        max_jobs: None,
    }
}

pub(super) fn first(job: u64) -> Ticket {
    JobId(job).into()
}

pub(super) fn dispatch(worker: WorkerId, seq: u64, jobs: impl IntoIterator<Item = u64>) -> Action {
    Action::Dispatch(worker, Seq(seq), runs(jobs.into_iter().map(first)))
}

/// These attempts as runs, as long as they can be.
pub(super) fn runs(tickets: impl IntoIterator<Item = Ticket>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for ticket in tickets {
        match runs.last_mut() {
            Some(last) if last.part(last.count, 1).first == ticket => last.count += 1,
            _ => runs.push(ticket.into()),
        }
    }
    runs
}

pub(super) fn tickets(runs: &[Run]) -> Vec<Ticket> {
    runs.iter().flat_map(|run| run.tickets()).collect()
}

pub(super) fn lane(started: u64, since: Time, finished: u64) -> Lane {
    Lane { started: Seq(started), since, finished: Seq(finished), progress: None }
}

/// Of each settlement the job, its result, and the attempts begun.
pub(super) fn settled(actions: &[Action]) -> Vec<Settlement<'_>> {
    let ends = actions.iter().filter_map(|action| match action {
        Action::Settle(job, settled) => Some((job.0, &settled.result, settled.attempts)),
        _ => None,
    });
    ends.collect()
}

pub(super) fn timeout(timeout: Duration) -> Limits {
    Limits { timeout: Some(timeout), ..Limits::default() }
}
