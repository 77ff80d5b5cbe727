//! Jobs that wait for other jobs.
//!
//! A job that waits occupies no place: for each (with several run threads: for as many as a worker has)
//! another worker may work, its *compensation* (the word is Java's, of `ForkJoinPool.ManagedBlocker`).
//! When the wait ends there is one worker too many for a while: one that becomes idle is not given work,
//! and serves the next wait. So one slot is enough for any depth up to a bound.
//!
//! Who waits for whom is a graph. A wait that would leave a set of jobs waiting for nothing but each other
//! fails at once, in every job of the cycle. A reserved job waits for the job that reserved it.

use brigade_protocol::error::Member;
use brigade_protocol::id::{JobId, Ticket, WorkerId};
use rustc_hash::FxHashSet;

use super::jobs::{Cancel, Jobs, Place};
use super::worker::{Recall, Why, Worker};
use super::{Action, Failure, Scheduler, Slot, Time};

/// What one job has to do with others.
#[derive(Debug, Default)]
pub(super) struct Kin {
    /// What the present attempt waits for.
    pub(super) wait: Option<Wait>,
    /// Who waits for this job, or did.
    pub(super) waiters: Vec<JobId>,
    /// What the present attempt submitted or reserved.
    pub(super) children: Vec<JobId>,
    /// Why its last wait failed, if it closed a cycle.
    pub(super) deadlock: Option<Vec<Member>>,
}

/// One attempt waits until one of these jobs has ended.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) worker: WorkerId,
    pub(super) waiter: Ticket,
    pub(super) jobs: Vec<JobId>,
}

impl Scheduler {
    pub(super) fn on_wait_began(
        &mut self,
        now: Time,
        id: WorkerId,
        waiter: Ticket,
        jobs: Vec<JobId>,
        actions: &mut Vec<Action>,
    ) {
        if !self.seats.contains_key(&id) {
            // It was left to itself, and goes on nevertheless.
            return actions.push(Action::EndWait(id, waiter, Err(Failure::Cancelled)));
        }
        if !self.holds(id, waiter) || self.jobs.wait_of(waiter.job).is_some() {
            return self.kill(id, Why::Violated, actions);
        }
        if let Some(&settled) = jobs.iter().find(|&&job| self.jobs.place(job).is_none()) {
            return actions.push(Action::EndWait(id, waiter, Ok(settled)));
        }
        let most = self.config.most_waiting;
        if self.jobs.waiting() >= most {
            let reason = format!(
                "{most} jobs wait for others already, which is the bound (max_waiting): the nesting \
                 is too deep"
            );
            return actions.push(Action::EndWait(id, waiter, Err(Failure::Refused(reason))));
        }
        self.batches.learn_wait(self.jobs.task(waiter.job));
        self.jobs.begin_wait(Wait { worker: id, waiter, jobs: jobs.clone() });
        if let Some(cycle) = self.jobs.find_cycle(waiter.job) {
            return self.jobs.break_cycle(&cycle, actions);
        }
        for job in jobs {
            self.jobs.hasten(job, waiter.job);
        }
        self.recall_blocked(now, id, actions);
    }

    pub(super) fn on_wait_over(&mut self, id: WorkerId, waiter: Ticket, actions: &mut Vec<Action>) {
        let waits = self.jobs.wait_of(waiter.job).is_some_and(|wait| wait.waiter == waiter);
        // If not, the answer is on its way already.
        if waits && self.holds(id, waiter) {
            self.jobs.end_wait(waiter.job);
            actions.push(Action::EndWait(id, waiter, Err(Failure::Cancelled)));
        }
    }

    /// What waits behind jobs that wait is to be run elsewhere.
    fn recall_blocked(&mut self, now: Time, id: WorkerId, actions: &mut Vec<Action>) {
        let threads = usize::from(self.config.threads);
        let blocked = self.jobs.waiting_with(id);
        if let Some(worker) = self.worker(id)
            && worker.is_serving()
            && blocked >= threads
            && worker.load() > blocked
            && !matches!(worker.recall, Recall::Asked { .. })
        {
            worker.recall = Recall::Asked { at: now };
            actions.push(Action::Recall(id));
        }
    }

    /// The attempt that this job began is over: what it reserved is never submitted, and if it failed,
    /// what it submitted and has not been started is not wanted any more.
    pub(super) fn disown(
        &mut self,
        now: Time,
        job: JobId,
        failed: bool,
        actions: &mut Vec<Action>,
    ) {
        for child in self.jobs.take_children(job) {
            match self.jobs.place(child) {
                Some(Place::Reserved(_)) => self.abandon(child, actions),
                Some(Place::Queued) if failed => {
                    self.jobs.settle(child, Err(Failure::Cancelled), actions);
                }
                // It may wait there behind another one.
                Some(Place::With(id)) if failed => {
                    self.jobs.mark_cancelled(child, Cancel::Unwanted);
                    self.recall_from(now, id, actions);
                }
                _ => {}
            }
        }
    }

    /// Whether an attempt has ended, or never was.
    pub(super) fn is_over(&self, attempt: Ticket) -> bool {
        match self.jobs.place(attempt.job) {
            Some(Place::With(worker)) => !self.holds(worker, attempt),
            _ => true,
        }
    }

    /// A reserved job will not be submitted.
    pub(super) fn abandon(&mut self, job: JobId, actions: &mut Vec<Action>) {
        if matches!(self.jobs.place(job), Some(Place::Reserved(_))) {
            let reason = "it was reserved and never submitted".to_owned();
            self.jobs.settle(job, Err(Failure::Refused(reason)), actions);
        }
    }

    /// Decides which workers may work, so that no more do than there are slots: first those that do so
    /// already, then the others, in the order of their seats.
    pub(super) fn permit(&mut self) {
        let threads = usize::from(self.config.threads);
        let mut permits = std::mem::take(&mut self.permits);
        permits.clear();
        permits.resize(self.slots.len(), false);
        // With several threads, some of them blocked, other workers make up for those.
        let partly = self.workers().map(|worker| self.blocked(worker)).filter(|n| *n < threads);
        let mut left = self.config.slots as usize + partly.sum::<usize>() / threads;
        for busy in [true, false] {
            for (seat, slot) in self.slots.iter().enumerate() {
                let Slot::Taken(worker) = slot else { continue };
                let counts = if busy { !worker.held.is_empty() } else { worker.is_idle() };
                if left > 0 && counts && self.blocked(worker) < threads {
                    left -= 1;
                    permits[seat] = true;
                }
            }
        }
        self.permits = permits;
    }

    /// How many workers are wanted in all: one for each slot, and one for each that is blocked.
    pub(super) fn wanted(&self) -> usize {
        let blocked: usize = self.workers().map(|worker| self.blocked(worker)).sum();
        self.config.slots as usize + blocked / usize::from(self.config.threads)
    }

    /// How many threads of a worker do nothing because of jobs that wait: all of them, if it is to be
    /// given no more jobs and those that it has wait.
    fn blocked(&self, worker: &Worker) -> usize {
        let waiting = self.jobs.waiting_with(worker.id);
        let is_stuck = waiting > 0 && waiting == worker.load() && worker.is_worn();
        if is_stuck { usize::from(self.config.threads) } else { waiting }
    }
}

impl Jobs {
    /// Whether jobs of this set wait for nothing but each other, if this one waits: then those that form
    /// a cycle, each waiting for the next.
    fn find_cycle(&self, start: JobId) -> Option<Vec<JobId>> {
        let (mut seen, mut ahead) = (FxHashSet::default(), vec![start]);
        while let Some(job) = ahead.pop() {
            if seen.insert(job) {
                ahead.extend(self.awaited_by(job)?);
            }
        }
        // Nothing that was reached can go on by itself: so every way comes back.
        let mut way = vec![start];
        loop {
            let last = *way.last()?;
            let next = *self.awaited_by(last)?.first()?;
            if let Some(begin) = way.iter().position(|&job| job == next) {
                return Some(way.split_off(begin));
            }
            way.push(next);
        }
    }

    /// What the job cannot go on without one of; `None` if it can go on.
    fn awaited_by(&self, job: JobId) -> Option<Vec<JobId>> {
        match self.place(job)? {
            Place::Reserved(Some(holder)) => Some(vec![holder]),
            Place::Reserved(None) | Place::Queued => None,
            Place::With(_) => self.wait_of(job).map(|wait| wait.jobs.clone()),
        }
    }

    fn break_cycle(&mut self, cycle: &[JobId], actions: &mut Vec<Action>) {
        let members = |first: usize| {
            let turned = cycle[first..].iter().chain(&cycle[..first]);
            turned.map(|&job| Member { job, name: String::new() }).collect::<Vec<_>>()
        };
        for (place, &job) in cycle.iter().enumerate() {
            // Each reads the cycle from its own place.
            if let Some(Wait { worker, waiter, .. }) = self.end_wait(job) {
                let cycle = members(place);
                self.kin(job).deadlock = Some(cycle.clone());
                actions.push(Action::EndWait(worker, waiter, Err(Failure::Deadlock(cycle))));
            }
        }
    }
}
