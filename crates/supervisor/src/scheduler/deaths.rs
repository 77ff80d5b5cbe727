//! The judgement when a worker, or the fork server, is gone.
//!
//! The scoreboard divides what a dead worker held into three. What was running is charged. What was
//! never started goes back to the front of the queue, and what was finished without its reply having
//! come runs again: both free of charge. A job that must not be started twice (at-most-once) ends as
//! crashed in both the first and the last case.
//!
//! If nothing was running, what a run thread finished last is suspect: it may be the job that cuts its
//! worker off. Its loss is forgiven as often as a crash is, and then charged.
//!
//! A death that no job explains counts against the pool's restart intensity.

use brigade_protocol::id::{JobId, Seq, WorkerId};
use brigade_protocol::message::Exit;

use super::worker::{Held, Progress, State, Why, Worker};
use super::{Action, Failure, Lane, Phase, RestartIntensity, Scheduler, Server, Slot, Time};

/// How many times in a row the fork server may fail to start again.
const MOST_SERVER_FAILURES: u32 = 3;

/// What is known of a death.
pub(super) struct Death {
    pub(super) exit: Exit,
    pub(super) with_server: bool,
    pub(super) lanes: Vec<Lane>,
    pub(super) epitaph: String,
}

impl Death {
    /// Whether this call, which was finished, may be the cause.
    fn suspects(&self, seq: Seq) -> bool {
        let nothing_ran = self.lanes.iter().all(|lane| lane.running().is_none());
        nothing_ran && self.lanes.iter().any(|lane| lane.finished == seq)
    }
}

impl Scheduler {
    pub(super) fn on_exited(
        &mut self,
        now: Time,
        id: WorkerId,
        death: &Death,
        actions: &mut Vec<Action>,
    ) {
        let Some(seat) = self.seats.remove(&id) else { return };
        let vacant = Slot::Vacant { until: now };
        let Slot::Taken(worker) = std::mem::replace(&mut self.slots[seat], vacant) else { return };
        let mut explained = false;
        if !matches!(worker.state, State::Leaving { .. }) {
            self.jobs.statistics.workers_died += 1;
        }
        for held in &worker.held {
            // The dead wait for nothing.
            self.jobs.end_wait(held.ticket.job);
        }
        // From the back, so that what was never started comes to the front of the queue in order.
        for held in worker.held.iter().rev() {
            explained |= self.judge(now, &worker, held, death, actions);
        }
        let expected = match worker.state {
            State::Leaving {
                why:
                    Why::Retired | Why::Recycled | Why::Ended | Why::JobTimedOut(_) | Why::JobKilled(_),
                ..
            } => true,
            State::Leaving { why: Why::StartTimedOut | Why::Violated | Why::Silent, .. }
            | State::Starting { .. }
            | State::Serving => false,
        };
        if !explained && !expected && !death.with_server {
            self.count_death(now, &death.epitaph, actions);
            let until = now.saturating_add(self.deaths.backoff());
            self.slots[seat] = Slot::Vacant { until };
        }
        self.restart_server(actions);
    }

    /// Judges one attempt that a dead worker held, and tells whether it may explain the death.
    fn judge(
        &mut self,
        now: Time,
        worker: &Worker,
        held: &Held,
        death: &Death,
        actions: &mut Vec<Action>,
    ) -> bool {
        let job = held.ticket.job;
        let ran = match Worker::progress(&death.lanes, held.seq) {
            // A stopped worker starts nothing; its time-out was told by the clock alone.
            Progress::NotStarted if !worker.overran(held) => {
                self.give_back(job, actions);
                return false;
            }
            Progress::NotStarted => Some((held.sent, now)),
            Progress::Running(since) => Some((since, now)),
            Progress::Finished => None,
        };
        self.jobs.note_over(job, worker.id, ran);
        // The next attempt submits what it needs anew.
        self.disown(now, job, true, actions);
        let failure = match worker.state {
            State::Leaving { why: Why::Ended, .. } => Failure::Cancelled,
            State::Leaving { why: Why::JobKilled(_), .. } if worker.overran(held) => {
                Failure::Cancelled
            }
            _ if worker.overran(held) && ran.is_some() => {
                Failure::TimedOut(self.jobs.timeout(job).unwrap_or_default())
            }
            // Taken along by another job's time-out, or by the fork server.
            State::Leaving { why: Why::JobTimedOut(_) | Why::JobKilled(_), .. } => {
                self.lost(job, death, actions);
                return false;
            }
            _ if death.with_server => {
                self.lost(job, death, actions);
                return false;
            }
            _ if ran.is_none() => {
                let suspect = death.suspects(held.seq);
                if !suspect || self.jobs.forgive_loss(job) {
                    self.lost(job, death, actions);
                    return suspect;
                }
                Failure::Crashed(death.exit)
            }
            _ => Failure::Crashed(death.exit),
        };
        let failure = match (&self.phase, failure) {
            (Phase::GaveUp(reason), Failure::Cancelled) => Failure::PoolGaveUp(reason.clone()),
            (_, failure) => failure,
        };
        let explains = matches!(failure, Failure::Crashed(_));
        self.attempt_failed(job, failure, actions);
        explains
    }

    /// An attempt was begun and lost for no fault of its own.
    fn lost(&mut self, job: JobId, death: &Death, actions: &mut Vec<Action>) {
        if self.jobs.is_at_most_once(job) {
            self.jobs.settle(job, Err(Failure::Crashed(death.exit)), actions);
        } else {
            self.give_back(job, actions);
        }
    }

    fn count_death(&mut self, now: Time, epitaph: &str, actions: &mut Vec<Action>) {
        if self.deaths.count(now, self.config.restarts) {
            let count = self.config.restarts.max + 1;
            let within = self.config.restarts.within;
            let reason = format!(
                "{count} workers died within {within:?} without a job to blame; the last: {epitaph}"
            );
            self.give_up(reason, actions);
        }
    }

    pub(super) fn on_not_spawned(
        &mut self,
        now: Time,
        id: WorkerId,
        reason: &str,
        actions: &mut Vec<Action>,
    ) {
        let death = Death {
            exit: Exit::Unknown,
            with_server: false,
            lanes: Vec::new(),
            epitaph: format!("worker {id} could not be forked: {reason}"),
        };
        self.on_exited(now, id, &death, actions);
    }

    pub(super) fn on_server_lost(&mut self, now: Time, reason: &str, actions: &mut Vec<Action>) {
        self.server = Server::Lost;
        if self.server_deaths.count(now, self.config.server_restarts) {
            let RestartIntensity { max, within } = self.config.server_restarts;
            let count = max + 1;
            let reason = format!("{count} fork servers died within {within:?}; the last: {reason}");
            self.give_up(reason, actions);
        }
        self.restart_server(actions);
    }

    pub(super) fn on_server_failed(&mut self, reason: String, actions: &mut Vec<Action>) {
        self.server = Server::Lost;
        self.server_failures += 1;
        if self.server_failures >= MOST_SERVER_FAILURES {
            self.give_up(reason, actions);
        }
        self.restart_server(actions);
    }

    /// Starts a new fork server once the last worker of the old one is buried.
    fn restart_server(&mut self, actions: &mut Vec<Action>) {
        let all_buried = self.slots.iter().all(|slot| matches!(slot, Slot::Vacant { .. }));
        let needed = matches!(self.phase, Phase::Running)
            || (self.phase == Phase::Draining && !self.jobs.is_empty());
        if self.server == Server::Lost && all_buried && needed {
            self.server = Server::Starting;
            actions.push(Action::StartServer);
        }
    }
}

impl Worker {
    /// It is this attempt that the worker was killed for.
    fn overran(&self, held: &Held) -> bool {
        let State::Leaving { why, .. } = self.state else { return false };
        why == Why::JobTimedOut(held.ticket) || why == Why::JobKilled(held.ticket)
    }
}
