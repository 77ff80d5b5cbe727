//! Everything that happens because time passes.

use std::time::Duration;

use brigade_protocol::id::WorkerId;

use super::worker::{Progress, Recall, State, Why, Worker};
use super::{Action, Lane, Phase, Scheduler, Server, Slot, Time};

/// A job that was sent to an idle worker and not started after this long counts as started: a
/// stopped worker starts nothing.
const START_SLACK: Duration = Duration::from_millis(100);
/// How long a worker may keep silent with work while another is idle, before it is asked to give
/// back what it has not started. It may just be within a frame: then the other gets the rest of that.
const STUCK: Duration = Duration::from_millis(12);
/// How long a worker may take to answer a recall, or to report what it finished.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a worker that is not wanted stays.
const PARKED: Duration = Duration::from_secs(1);
/// How long a worker that was told to go may take.
pub(super) const LEAVING: Duration = Duration::from_secs(2);

impl Scheduler {
    /// When [`Event::TimePassed`](super::Event::TimePassed) should next be sent, if nothing happens
    /// first.
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
    /// assert_eq!(scheduler.next_deadline(), Some(Duration::from_secs(4)), "to be ready by then");
    /// ```
    pub fn next_deadline(&self) -> Option<Time> {
        let stop = match self.phase {
            Phase::Stopping { kill_at } if !self.jobs.is_empty() => Some(kill_at),
            _ => None,
        };
        let recall = self.has_idle_worker().then(|| self.recallable().map(|(_, at)| at).min());
        let is_short = self.server == Server::Up
            && self.wants_workers()
            && self.workers().count() < self.wanted_now();
        let slots = self.slots.iter().filter_map(|slot| match slot {
            Slot::Vacant { until } => is_short.then_some(*until),
            Slot::Taken(worker) => worker.deadline(),
        });
        slots
            .chain(self.surplus().map(|(_, at)| at).min())
            .chain(stop)
            .chain(recall.flatten())
            .min()
    }

    /// Kills what is past its deadline, and looks where one may have passed.
    pub(super) fn expire(&mut self, now: Time, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Stopping { kill_at } if kill_at <= now) {
            self.phase = Phase::Aborting;
            self.kill_all(Why::Ended, actions);
        }
        let mut server_hangs = false;
        for slot in &mut self.slots {
            let Slot::Taken(worker) = slot else { continue };
            if worker.deadline().is_none_or(|deadline| deadline > now) {
                continue;
            }
            let why = match worker.state {
                State::Starting { spawned, .. } => {
                    // A worker that does not even exist cannot be blamed.
                    server_hangs |= !spawned;
                    Why::StartTimedOut
                }
                State::Leaving { why, .. } => why,
                State::Serving if worker.check_at.is_some_and(|at| at <= now) => {
                    worker.check_at = None;
                    actions.push(Action::Inspect(worker.id));
                    continue;
                }
                State::Serving => Why::Silent,
            };
            worker.state = State::Leaving { why, deadline: None };
            actions.push(Action::Kill(worker.id, why));
        }
        if server_hangs && self.server == Server::Up {
            actions.push(Action::KillServer);
        }
    }

    /// Reads the scoreboard of a worker for jobs that run for too long.
    pub(super) fn on_observed(
        &mut self,
        now: Time,
        id: WorkerId,
        lanes: &[Lane],
        actions: &mut Vec<Action>,
    ) {
        let threads = usize::from(self.config.threads);
        let Some(&seat) = self.seats.get(&id) else { return };
        let Slot::Taken(worker) = &mut self.slots[seat] else { return };
        if !worker.is_serving() {
            return;
        }
        // A run thread that has finished a call which is still held may be sending its output.
        let is_busy =
            |lane: &&Lane| lane.running().is_some() || worker.held_at(lane.finished).is_some();
        let mut free_lanes = threads.saturating_sub(lanes.iter().filter(is_busy).count());
        let (mut check_at, mut kill) = (None, None);
        for held in &mut worker.held {
            let timeout = self.jobs.timeout(held.run.first.job);
            let parts = Worker::progress_of(lanes, held);
            if !parts.iter().any(|(_, progress)| *progress == Progress::Finished) {
                // The lanes are read one after the other: one may have seemed finished.
                held.unreported = None;
            }
            for (part, progress) in parts {
                let overrun = Why::JobTimedOut(part.run.first);
                let (deadline, why) = match (progress, timeout) {
                    (Progress::Finished, _) => {
                        let seen = *held.unreported.get_or_insert(now);
                        (seen.saturating_add(PATIENCE), Why::Silent)
                    }
                    (_, None) => continue,
                    (Progress::Running(since), Some(timeout)) => {
                        (since.saturating_add(timeout), overrun)
                    }
                    (Progress::NotStarted, Some(timeout)) if free_lanes > 0 => {
                        free_lanes = free_lanes.saturating_sub(part.run.count as usize);
                        let idle_since = held.sent.max(worker.last_heard);
                        (idle_since.saturating_add(START_SLACK).saturating_add(timeout), overrun)
                    }
                    (Progress::NotStarted, Some(timeout)) => (now.saturating_add(timeout), overrun),
                };
                if deadline <= now {
                    kill = kill.or(Some(why));
                }
                check_at = check_at.into_iter().chain([deadline]).min();
            }
        }
        worker.check_at = check_at;
        if let Some(why) = kill {
            self.kill(id, why, actions);
        }
    }

    /// Asks workers that are stuck on a long job for what waits behind it, if another is idle.
    pub(super) fn recall(&mut self, now: Time, actions: &mut Vec<Action>) {
        if !self.has_idle_worker() {
            return;
        }
        let stuck: Vec<WorkerId> =
            self.recallable().filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        for id in stuck {
            if let Some(worker) = self.worker(id) {
                worker.recall = Recall::Asked { at: now };
                actions.push(Action::Recall(id));
            }
        }
    }

    /// Lets go the workers that have been too many for a while, and all of them once everything is settled
    /// and no more will come.
    pub(super) fn retire(&mut self, now: Time, actions: &mut Vec<Action>) {
        let surplus: Vec<WorkerId> =
            self.surplus().filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        for id in surplus {
            if let Some(worker) = self.worker(id) {
                let deadline = Some(now.saturating_add(LEAVING));
                worker.state = State::Leaving { why: Why::Retired, deadline };
                actions.push(Action::Stop(id));
            }
        }
        if self.phase == Phase::Running || !self.jobs.is_empty() {
            return;
        }
        for slot in &mut self.slots {
            let Slot::Taken(worker) = slot else { continue };
            if !matches!(worker.state, State::Leaving { .. }) {
                let deadline = Some(now.saturating_add(LEAVING));
                worker.state = State::Leaving { why: Why::Retired, deadline };
                actions.push(Action::Stop(worker.id));
            }
        }
    }

    /// The workers beyond those that are wanted, of those that have nothing to do the last, and when they may
    /// go. Until then they are there for the next wait.
    fn surplus(&self) -> impl Iterator<Item = (WorkerId, Time)> {
        let serving =
            self.workers().filter(|worker| !matches!(worker.state, State::Leaving { .. }));
        let surplus = serving.count().saturating_sub(self.wanted());
        let idle = self.slots.iter().rev().filter_map(|slot| match slot {
            Slot::Taken(worker) if worker.is_serving() && worker.held.is_empty() => Some(worker),
            _ => None,
        });
        idle.take(surplus).map(|worker| (worker.id, worker.last_heard.saturating_add(PARKED)))
    }

    /// Somebody could run what waits elsewhere, or nothing that waits is to be run any more.
    fn has_idle_worker(&self) -> bool {
        let threads = usize::from(self.config.threads);
        matches!(self.phase, Phase::Stopping { .. })
            || (self.jobs.queued() == 0
                && self.slots.iter().zip(&self.permits).any(|(slot, permitted)| {
                    matches!(slot, Slot::Taken(worker)
                        if *permitted && worker.is_available() && worker.load() < threads)
                }))
    }

    /// The workers that hold jobs which they have not started, and when to ask for these.
    fn recallable(&self) -> impl Iterator<Item = (WorkerId, Time)> {
        let threads = usize::from(self.config.threads);
        let patience = if self.phase == Phase::Running || self.phase == Phase::Draining {
            STUCK
        } else {
            Duration::ZERO
        };
        self.workers()
            .filter(move |worker| {
                // Jobs that wait run as well.
                worker.is_serving() && worker.recall == Recall::None && worker.load() > threads
            })
            .map(move |worker| (worker.id, worker.last_heard.saturating_add(patience)))
    }
}

impl Worker {
    /// When something must be done about it, if it stays as it is.
    fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Starting { deadline, .. } => Some(deadline),
            State::Leaving { deadline, .. } => deadline,
            State::Serving => {
                let answer_by = match self.recall {
                    Recall::Asked { at } => Some(at.saturating_add(PATIENCE)),
                    Recall::None | Recall::Done => None,
                };
                self.check_at.into_iter().chain(answer_by).min()
            }
        }
    }
}
