//! What becomes of the events about jobs and living workers. Deaths have a module of their own.

use brigade_protocol::id::{JobId, Run, Ticket, WorkerId};

use super::jobs::{Cancel, Place};
use super::worker::{Recall, Why};
use super::{Action, Ending, Failure, JobSpec, Phase, Reply, Scheduler, Time};

impl Scheduler {
    pub(super) fn on_submitted(&mut self, spec: JobSpec, actions: &mut Vec<Action>) {
        let (job, is_nested) = (spec.job, spec.parent.is_some());
        let run = Run { first: job.into(), count: spec.count };
        if self.jobs.is_ended_seat(job) {
            // Its end is on its way to whoever submits it.
            return;
        }
        let is_late = spec.parent.is_some_and(|parent| self.is_over(parent));
        self.jobs.add(spec);
        if is_late {
            // Who submitted it has been judged meanwhile: a thread that was left to itself, say.
            return self.jobs.settle(run, Err(Failure::Cancelled), actions);
        }
        match &self.phase {
            Phase::Running => {}
            // What there is to finish may need it.
            Phase::Draining if is_nested => {}
            Phase::GaveUp(reason) => {
                let reason = reason.clone();
                self.jobs.settle(run, Err(Failure::PoolGaveUp(reason)), actions);
            }
            Phase::Draining | Phase::Stopping { .. } | Phase::Aborting => {
                let reason = "the pool has been shut down".to_owned();
                self.jobs.settle(run, Err(Failure::Refused(reason)), actions);
            }
        }
    }

    pub(super) fn on_reserved(
        &mut self,
        job: JobId,
        holder: Option<Ticket>,
        actions: &mut Vec<Action>,
    ) {
        self.jobs.reserve(job, holder.map(|holder| holder.job));
        let is_late = holder.map_or(self.phase != Phase::Running, |holder| self.is_over(holder));
        if is_late {
            self.abandon(job, actions);
        }
    }

    pub(super) fn on_cancel(
        &mut self,
        now: Time,
        job: JobId,
        kill: bool,
        actions: &mut Vec<Action>,
    ) {
        match self.jobs.place(job) {
            // Settled already; the shell tells how.
            None => actions.push(Action::RefuseCancel(job)),
            Some(Place::Queued | Place::Reserved(_)) => {
                self.jobs.settle(job, Err(Failure::Cancelled), actions);
            }
            Some(Place::With(id)) => {
                let kill = kill && self.config.can_kill;
                self.jobs.mark_cancelled(job, if kill { Cancel::Kill } else { Cancel::Unstarted });
                self.recall_from(now, id, actions);
            }
        }
    }

    /// Asks a worker for what it has not started, unless it was asked already.
    pub(super) fn recall_from(&mut self, now: Time, id: WorkerId, actions: &mut Vec<Action>) {
        if let Some(worker) = self.worker(id)
            && worker.is_serving()
            && !matches!(worker.recall, Recall::Asked { .. })
        {
            worker.recall = Recall::Asked { at: now };
            actions.push(Action::Recall(id));
        }
    }

    pub(super) fn on_replied(
        &mut self,
        now: Time,
        id: WorkerId,
        reply: Reply,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.worker(id) else { return };
        let Ok(full_frame) = worker.take_reply(now, reply.run) else {
            // Not a ticket that it holds: forged, or answered twice.
            return self.kill(id, Why::Violated, actions);
        };
        self.deaths.forget();
        self.server_deaths.forget();
        let Reply { run, ran, result } = reply;
        let first = run.first.job;
        let took = ran.1.saturating_sub(ran.0) / run.count;
        self.batches.learn(self.jobs.task(first), took, full_frame);
        self.jobs.note_over(run, id, Some(ran));
        for job in self.jobs.kin_among(run) {
            self.disown(now, job, result.is_err(), actions);
        }
        match result {
            Ok(output) => self.jobs.settle(run, Ok(output), actions),
            Err(error) => {
                let failure = self.jobs.as_deadlock(first, error.into());
                self.attempt_failed(first, failure, actions);
            }
        }
    }

    pub(super) fn on_returned(
        &mut self,
        now: Time,
        id: WorkerId,
        tickets: &[Ticket],
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.worker(id) else { return };
        let Ok(runs) = worker.take_returned(now, tickets) else {
            return self.kill(id, Why::Violated, actions);
        };
        let kept: Vec<Run> = worker.held.iter().map(|held| held.run).collect();
        for (ticket, cancel) in self.jobs.cancelled_among(&kept) {
            match cancel {
                Cancel::No => {}
                Cancel::Unwanted => {
                    self.jobs.take_cancelled(ticket.job);
                }
                // What is to be killed is told how that went when it has ended.
                Cancel::Kill => self.kill(id, Why::JobKilled(ticket), actions),
                Cancel::Unstarted => {
                    self.jobs.take_cancelled(ticket.job);
                    actions.push(Action::RefuseCancel(ticket.job));
                    actions.push(Action::PleaseStop(id, ticket));
                }
            }
        }
        if matches!(self.phase, Phase::Stopping { .. }) {
            // Those that run are the last of those that were started.
            let last = kept.iter().rev().flat_map(|run| run.tickets().rev());
            let running = last.take(usize::from(self.config.threads));
            actions.extend(running.map(|ticket| Action::PleaseStop(id, ticket)));
        }
        for run in runs.into_iter().rev() {
            self.give_back(run, actions);
        }
    }

    /// Jobs that were with a worker and were not started go back to the front of the queue, or end if
    /// nothing is started any more.
    pub(super) fn give_back(&mut self, run: Run, actions: &mut Vec<Action>) {
        for run in self.jobs.special_apart(run).into_iter().rev() {
            let cancelled = self.jobs.take_cancelled(run.first.job);
            match &self.phase {
                _ if cancelled != Cancel::No => {
                    self.jobs.settle(run, Err(Failure::Cancelled), actions);
                }
                Phase::Running | Phase::Draining => self.jobs.requeue_front(run),
                Phase::Stopping { .. } | Phase::Aborting => {
                    self.jobs.settle(run, Err(Failure::Cancelled), actions);
                }
                Phase::GaveUp(reason) => {
                    let reason = reason.clone();
                    self.jobs.settle(run, Err(Failure::PoolGaveUp(reason)), actions);
                }
            }
        }
    }

    /// Tries the job again, at the back of the queue, or settles it if this was its last attempt or
    /// a client wants it cancelled.
    pub(super) fn attempt_failed(
        &mut self,
        job: JobId,
        failure: Failure,
        actions: &mut Vec<Action>,
    ) {
        if matches!(failure, Failure::TimedOut(_)) && !self.config.can_kill {
            // It may go on running: another attempt would be alive at the same time.
            self.jobs.forbid_retries(job);
        }
        let cancelled = self.jobs.take_cancelled(job);
        let may_start =
            cancelled == Cancel::No && matches!(self.phase, Phase::Running | Phase::Draining);
        if let Err(failure) = self.jobs.try_again(job, failure, may_start) {
            self.jobs.settle(job, Err(failure), actions);
        }
    }

    pub(super) fn on_end_requested(
        &mut self,
        now: Time,
        ending: Ending,
        actions: &mut Vec<Action>,
    ) {
        match (ending, &self.phase) {
            (_, Phase::Aborting | Phase::GaveUp(_))
            | (Ending::Drain, Phase::Draining | Phase::Stopping { .. }) => {}
            (Ending::Drain, Phase::Running) => {
                self.phase = Phase::Draining;
                for job in self.jobs.reserved_by_clients() {
                    self.abandon(job, actions);
                }
            }
            (Ending::Stop(grace), phase) => {
                // A second request may shorten the grace, never lengthen it.
                let mut kill_at = now.saturating_add(grace);
                if let Phase::Stopping { kill_at: earlier } = phase {
                    kill_at = kill_at.min(*earlier);
                }
                self.phase = Phase::Stopping { kill_at };
                self.jobs.settle_unstarted(&Failure::Cancelled, actions);
                let threads = usize::from(self.config.threads);
                // The others are asked when they have given back what they have not started.
                for worker in self.workers().filter(|worker| worker.load() <= threads) {
                    let running = worker.held.iter().filter(|_| worker.is_serving());
                    let running = running.flat_map(|held| held.run.tickets());
                    actions.extend(running.map(|ticket| Action::PleaseStop(worker.id, ticket)));
                }
            }
            (Ending::Abort, _) => {
                self.phase = Phase::Aborting;
                self.jobs.settle_unstarted(&Failure::Cancelled, actions);
                self.kill_all(Why::Ended, actions);
            }
        }
    }

    pub(super) fn give_up(&mut self, reason: String, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::GaveUp(_) | Phase::Aborting) {
            return;
        }
        self.phase = Phase::GaveUp(reason.clone());
        self.jobs.settle_unstarted(&Failure::PoolGaveUp(reason), actions);
        self.kill_all(Why::Ended, actions);
    }
}
