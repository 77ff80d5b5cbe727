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

use brigade_protocol::id::{Run, Seq, Ticket, WorkerId};
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
        for job in
            worker.held.iter().flat_map(|held| self.jobs.kin_among(held.run)).collect::<Vec<_>>()
        {
            // The dead wait for nothing.
            self.jobs.end_wait(job);
        }
        // From the back, so that what was never started comes to the front of the queue in order.
        for held in worker.held.iter().rev() {
            for (part, progress) in
                self.parts_to_judge(&worker, held, &death.lanes).into_iter().rev()
            {
                explained |= self.judge(now, &worker, &part, progress, death, actions);
            }
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
        if !expected {
            // Also if a message found it dead before its death was told.
            self.jobs.statistics.workers_died += 1;
        }
        if !explained && !expected && !death.with_server {
            self.count_death(now, &death.epitaph, actions);
            let until = now.saturating_add(self.deaths.backoff());
            self.slots[seat] = Slot::Vacant { until };
        }
        self.restart_server(actions);
    }

    /// The parts of what a dead worker held of which one judgement holds for all.
    fn parts_to_judge(
        &self,
        worker: &Worker,
        held: &Held,
        lanes: &[Lane],
    ) -> Vec<(Held, Progress)> {
        let mut parts = Vec::new();
        for (part, progress) in Worker::progress_of(lanes, held) {
            if progress == Progress::NotStarted {
                match worker.overrun().and_then(|ticket| part.run.place(ticket)) {
                    // It was the clock that told of its time-out.
                    Some(place) => {
                        let behind = part.run.count - place - 1;
                        let cut = [
                            part.part(0, place),
                            part.part(place, 1),
                            part.part(place + 1, behind),
                        ];
                        let cut = cut.into_iter().filter(|part| part.run.count > 0);
                        parts.extend(cut.map(|part| (part, progress)));
                    }
                    None => parts.push((part, progress)),
                }
                continue;
            }
            let mut place = 0;
            for run in self.jobs.special_apart(part.run) {
                parts.push((part.part(place, run.count), progress));
                place += run.count;
            }
        }
        parts
    }

    /// Judges attempts that a dead worker held, all of which had come equally far, and tells whether they
    /// may explain the death.
    fn judge(
        &mut self,
        now: Time,
        worker: &Worker,
        held: &Held,
        progress: Progress,
        death: &Death,
        actions: &mut Vec<Action>,
    ) -> bool {
        let (run, job) = (held.run, held.run.first.job);
        let ran = match progress {
            // A stopped worker starts nothing; its time-out was told by the clock alone.
            Progress::NotStarted if !worker.overran(held) => {
                self.give_back(run, actions);
                return false;
            }
            Progress::NotStarted => Some((held.sent, now)),
            Progress::Running(since) => Some((since, now)),
            Progress::Finished => None,
        };
        self.jobs.note_over(run, worker.id, ran);
        // The next attempt submits what it needs anew.
        for parent in self.jobs.kin_among(run) {
            self.disown(now, parent, true, actions);
        }
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
                self.lost(run, death, actions);
                return false;
            }
            _ if death.with_server => {
                self.lost(run, death, actions);
                return false;
            }
            _ if ran.is_none() => {
                let suspect = death.suspects(held.seq);
                if !suspect || self.jobs.forgive_loss(job) {
                    self.lost(run, death, actions);
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
        for job in run.jobs() {
            self.attempt_failed(job, failure.clone(), actions);
        }
        explains
    }

    /// An attempt was begun and lost for no fault of its own.
    fn lost(&mut self, run: Run, death: &Death, actions: &mut Vec<Action>) {
        if self.jobs.is_at_most_once(run.first.job) {
            self.jobs.settle(run, Err(Failure::Crashed(death.exit)), actions);
        } else {
            self.give_back(run, actions);
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
        self.overrun() == Some(held.run.first)
    }

    /// The attempt that it was killed for.
    fn overrun(&self) -> Option<Ticket> {
        match self.state {
            State::Leaving { why: Why::JobTimedOut(ticket) | Why::JobKilled(ticket), .. } => {
                Some(ticket)
            }
            _ => None,
        }
    }
}
