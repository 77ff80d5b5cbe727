//! What becomes of the events about jobs and living workers. Deaths have a module of their own.

use brigade_protocol::id::{JobId, Ticket, WorkerId};

use super::jobs::Place;
use super::worker::{Recall, Why};
use super::{Action, Ending, Failure, JobSpec, Phase, Reply, Scheduler, Time};

impl Scheduler {
    pub(super) fn on_submitted(&mut self, spec: JobSpec, actions: &mut Vec<Action>) {
        let job = spec.job;
        self.jobs.add(spec);
        match &self.phase {
            Phase::Running => {}
            Phase::GaveUp(reason) => {
                let reason = reason.clone();
                self.jobs.settle(job, Err(Failure::PoolGaveUp(reason)), actions);
            }
            Phase::Draining | Phase::Stopping { .. } | Phase::Aborting => {
                let reason = "the pool has been shut down".to_owned();
                self.jobs.settle(job, Err(Failure::Refused(reason)), actions);
            }
        }
    }

    pub(super) fn on_cancel(&mut self, job: JobId, now: Time, actions: &mut Vec<Action>) {
        match self.jobs.place(job) {
            // Settled already; the shell tells how.
            None => actions.push(Action::RefuseCancel(job)),
            Some(Place::Queued) => self.jobs.settle(job, Err(Failure::Cancelled), actions),
            Some(Place::With(id)) => {
                self.jobs.mark_cancelled(job, true);
                if let Some(worker) = self.worker(id)
                    && worker.is_serving()
                    && !matches!(worker.recall, Recall::Asked { .. })
                {
                    worker.recall = Recall::Asked { at: now };
                    actions.push(Action::Recall(id));
                }
            }
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
        let Ok(full_frame) = worker.take_reply(now, reply.ticket) else {
            // Not a ticket that it holds: forged, or answered twice.
            return self.kill(id, Why::Violated, actions);
        };
        self.deaths.forget();
        self.server_deaths.forget();
        let Reply { ticket, ran, result } = reply;
        let task = self.jobs.task(ticket.job);
        self.batches.learn(task, ran.1.saturating_sub(ran.0), full_frame);
        self.jobs.note_over(ticket.job, id, Some(ran));
        match result {
            Ok(output) => self.jobs.settle(ticket.job, Ok(output), actions),
            Err(error) => self.attempt_failed(ticket.job, error.into(), actions),
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
        if !worker.take_returned(now, tickets) {
            return self.kill(id, Why::Violated, actions);
        }
        let kept: Vec<JobId> = worker.held.iter().map(|held| held.ticket.job).collect();
        for job in kept {
            if self.jobs.mark_cancelled(job, false) {
                actions.push(Action::RefuseCancel(job));
            }
        }
        for ticket in tickets.iter().rev() {
            self.give_back(ticket.job, actions);
        }
    }

    /// A job that was with a worker and was not started goes back to the front of the queue, or
    /// ends if nothing is started any more.
    pub(super) fn give_back(&mut self, job: JobId, actions: &mut Vec<Action>) {
        let cancelled = self.jobs.mark_cancelled(job, false);
        match &self.phase {
            _ if cancelled => self.jobs.settle(job, Err(Failure::Cancelled), actions),
            Phase::Running | Phase::Draining => self.jobs.requeue_front(job),
            Phase::Stopping { .. } | Phase::Aborting => {
                self.jobs.settle(job, Err(Failure::Cancelled), actions);
            }
            Phase::GaveUp(reason) => {
                let reason = reason.clone();
                self.jobs.settle(job, Err(Failure::PoolGaveUp(reason)), actions);
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
        let cancelled = self.jobs.mark_cancelled(job, false);
        let may_start = !cancelled && matches!(self.phase, Phase::Running | Phase::Draining);
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
            (Ending::Drain, Phase::Running) => self.phase = Phase::Draining,
            (Ending::Stop(grace), phase) => {
                // A second request may shorten the grace, never lengthen it.
                let mut kill_at = now.saturating_add(grace);
                if let Phase::Stopping { kill_at: earlier } = phase {
                    kill_at = kill_at.min(*earlier);
                }
                self.phase = Phase::Stopping { kill_at };
                self.jobs.settle_queued(&Failure::Cancelled, actions);
            }
            (Ending::Abort, _) => {
                self.phase = Phase::Aborting;
                self.jobs.settle_queued(&Failure::Cancelled, actions);
                self.kill_all(Why::Ended, actions);
            }
        }
    }

    pub(super) fn give_up(&mut self, reason: String, actions: &mut Vec<Action>) {
        if matches!(self.phase, Phase::GaveUp(_) | Phase::Aborting) {
            return;
        }
        self.phase = Phase::GaveUp(reason.clone());
        self.jobs.settle_queued(&Failure::PoolGaveUp(reason), actions);
        self.kill_all(Why::Ended, actions);
    }
}
