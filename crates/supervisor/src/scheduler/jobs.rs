//! What is known of unsettled jobs: their table, the queue of those that are with no worker, and what
//! few of them have beside.

use brigade_protocol::id::{JobId, Run, TaskId, Ticket, WorkerId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::queue::{Front, Queue};
use super::table::{Job, Table};
use super::waits::{Kin, Wait};
use super::{Action, Failure, JobSpec, Limits, Settled, Statistics, Time};

pub(super) use super::table::Place;

/// What is to become of a job that may have been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Cancel {
    #[default]
    No,
    /// As `Unstarted`, but nobody waits to hear of it.
    Unwanted,
    /// It ends unless it has been started.
    Unstarted,
    /// It ends, if need be with its worker.
    Kill,
}

/// Jobs that can be taken from the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) run: Run,
    pub(super) task: TaskId,
    /// Of the arguments of each, at most.
    pub(super) size: usize,
    /// They may travel as a run.
    pub(super) plain: bool,
    pub(super) timeout: Option<Time>,
    /// Each has its frame for itself, so that its reply leaves before anything else is started: it must
    /// not be lost, or has cost a worker.
    pub(super) alone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    table: Table,
    /// A job that was settled while it was queued stays here as an id without a job, and is skipped.
    queue: Queue,
    queued: usize,
    pub(super) statistics: Statistics,
    /// What jobs have to do with other jobs.
    kin: FxHashMap<JobId, Box<Kin>>,
    /// What is to become of jobs that are with a worker.
    cancels: FxHashMap<JobId, Cancel>,
    /// How many jobs of each worker wait for others.
    waiting_with: FxHashMap<WorkerId, usize>,
    waiting: usize,
    /// Reserved jobs that have ended since the scheduler was last asked: they may be submitted still by
    /// who has not heard of it.
    ended_seats: FxHashSet<JobId>,
}

impl Jobs {
    pub(super) fn add(&mut self, spec: JobSpec) {
        let JobSpec { job: first, count, task, size, plain, mut limits, parent } = spec;
        if let Some(parent) = parent.and_then(|parent| self.table.get(parent.job)) {
            limits.priority = limits.priority.max(parent.limits.priority);
        }
        let reserved = self.table.remove(first);
        let was_reserved =
            reserved.as_ref().is_none_or(|job| matches!(job.place, Place::Reserved(_)));
        debug_assert!(was_reserved, "job {first} submitted twice");
        let mut job = Job { plain, ..Job::new(count, task, size, limits, Place::Queued) };
        if let Some(parent) = parent {
            debug_assert_eq!(count, 1, "jobs of jobs are submitted one by one");
            self.adopt(first, parent.job);
            let stamp = self.queue.stamp();
            job.stamp = Some(stamp);
            self.queue.stack(limits.priority, stamp, first);
        } else {
            self.queue.push_back(limits.priority, first, count);
        }
        self.table.add(first, job);
        self.statistics.submitted += u64::from(count);
        self.queued += count as usize;
    }

    pub(super) fn reserve(&mut self, job: JobId, holder: Option<JobId>) {
        if let Some(holder) = holder {
            self.adopt(job, holder);
        }
        let place = Place::Reserved(holder);
        self.table.add(job, Job::new(1, TaskId(u32::MAX), 0, Limits::default(), place));
    }

    /// Ends all that clients have reserved: nothing more will be taken from them.
    pub(super) fn reserved_by_clients(&self) -> Vec<JobId> {
        let reserved = self.table.iter().filter(|(_, job)| job.place == Place::Reserved(None));
        let mut jobs: Vec<JobId> = reserved.map(|(id, _)| id).collect();
        jobs.sort_unstable();
        jobs
    }

    fn adopt(&mut self, child: JobId, parent: JobId) {
        if self.table.get(parent).is_some() {
            let children = &mut self.kin.entry(parent).or_default().children;
            if !children.contains(&child) {
                children.push(child);
            }
        }
    }

    /// What the present attempt at a job has submitted or reserved; it has no claim to it any more.
    pub(super) fn take_children(&mut self, job: JobId) -> Vec<JobId> {
        let kin = self.kin.get_mut(&job);
        kin.map(|kin| std::mem::take(&mut kin.children)).unwrap_or_default()
    }

    pub(super) fn kin(&mut self, job: JobId) -> &mut Kin {
        debug_assert!(self.table.get(job).is_some(), "only of unsettled jobs is this asked");
        self.kin.entry(job).or_default()
    }

    pub(super) fn wait_of(&self, job: JobId) -> Option<&Wait> {
        self.kin.get(&job)?.wait.as_ref()
    }

    pub(super) fn begin_wait(&mut self, wait: Wait) {
        let waiter = wait.waiter.job;
        for &job in &wait.jobs {
            let waiters = &mut self.kin(job).waiters;
            if !waiters.contains(&waiter) {
                waiters.push(waiter);
            }
        }
        *self.waiting_with.entry(wait.worker).or_default() += 1;
        self.waiting += 1;
        self.statistics.most_waiting = self.statistics.most_waiting.max(self.waiting);
        let kin = self.kin(waiter);
        kin.deadlock = None;
        kin.wait = Some(wait);
    }

    pub(super) fn end_wait(&mut self, job: JobId) -> Option<Wait> {
        let wait = self.kin.get_mut(&job)?.wait.take()?;
        if let Some(count) = self.waiting_with.get_mut(&wait.worker) {
            *count -= 1;
            if *count == 0 {
                self.waiting_with.remove(&wait.worker);
            }
        }
        self.waiting -= 1;
        Some(wait)
    }

    /// How many jobs wait for others.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many jobs of this worker wait for others.
    pub(super) fn waiting_with(&self, worker: WorkerId) -> usize {
        if self.waiting == 0 {
            return 0;
        }
        self.waiting_with.get(&worker).copied().unwrap_or(0)
    }

    /// Puts a job that is waited for before all others, with the priority of the one that waits. One that
    /// is with a worker among others is put there if it comes back.
    pub(super) fn hasten(&mut self, id: JobId, waiter: JobId) {
        let priority = self.table.get(waiter).map_or(0, |waiter| waiter.limits.priority);
        let Some(Job { place, count, .. }) = self.table.get(id) else { return };
        if matches!(place, Place::With(_)) && *count > 1 {
            return;
        }
        let Some(job) = self.table.alone(id) else { return };
        if let Some(stamp) = job.stamp {
            self.queue.unstack(job.limits.priority, stamp);
        }
        job.limits.priority = job.limits.priority.max(priority);
        let stamp = self.queue.stamp();
        job.stamp = Some(stamp);
        if job.place == Place::Queued {
            self.queue.stack(job.limits.priority, stamp, id);
        }
    }

    /// Whether this job was reserved, and has ended just now.
    pub(super) fn is_ended_seat(&self, job: JobId) -> bool {
        self.ended_seats.contains(&job)
    }

    /// Everybody hears now of what has ended.
    pub(super) fn forget_ended_seats(&mut self) {
        self.ended_seats.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn place(&self, job: JobId) -> Option<Place> {
        self.table.get(job).map(|job| job.place)
    }

    pub(super) fn task(&self, job: JobId) -> TaskId {
        self.table.get(job).map(|job| job.task).unwrap_or_default()
    }

    /// What is known of this job and those in one run with it.
    #[cfg(test)]
    pub(super) fn row(&self, job: JobId) -> Option<&Job> {
        self.table.get(job)
    }

    pub(super) fn timeout(&self, job: JobId) -> Option<Time> {
        self.table.get(job).and_then(|job| job.limits.timeout)
    }

    /// The jobs that would be taken next.
    pub(super) fn peek(&mut self) -> Option<Next> {
        while let Some(front) = self.queue.front() {
            let (Front::Stacked(id) | Front::Queued(id, _)) = front;
            let mut count = 1;
            if let Some(job) = self.table.get(id) {
                let is_here = match front {
                    Front::Stacked(_) => job.stamp.is_some(),
                    // Otherwise it has moved to the stack since.
                    Front::Queued(_, most) => {
                        count = job.count.min(most);
                        job.stamp.is_none()
                    }
                };
                if is_here && job.place == Place::Queued {
                    let run = Run { first: Ticket { job: id, attempt: job.begun + 1 }, count };
                    let (task, size, timeout) = (job.task, job.size, job.limits.timeout);
                    let plain = job.plain.is_some();
                    let alone =
                        job.limits.crash_retries == 0 || job.losses > 0 || !job.crashes.is_empty();
                    return Some(Next { run, task, size, plain, timeout, alone });
                }
                // What is not queued may be in the middle of its run.
                count = 1;
            }
            self.queue.pop_front(count);
        }
        None
    }

    /// Takes so many of what [`Jobs::peek`] showed, for this worker.
    pub(super) fn take(&mut self, run: Run, worker: WorkerId) {
        self.queue.pop_front(run.count);
        if let Some(job) = self.table.cut(run.first.job, run.count) {
            job.place = Place::With(worker);
            self.queued -= run.count as usize;
        }
    }

    /// Queues jobs again, before all others; before those, if it is waited for.
    pub(super) fn requeue_front(&mut self, run: Run) {
        self.queue_again(run, Queue::push_front);
        if run.count == 1
            && let Some(waiter) = self.waiter(run.first.job)
            && self.table.get(run.first.job).is_some_and(|job| job.stamp.is_none())
        {
            // It travelled among others when the wait for it began.
            self.hasten(run.first.job, waiter);
        }
    }

    /// Queues jobs again: in their place on the stack, if they have one, or as told.
    fn queue_again(&mut self, run: Run, push: impl FnOnce(&mut Queue, i8, JobId, u32)) {
        let first = run.first.job;
        let Some(job) = self.table.cut(first, run.count) else { return };
        debug_assert_ne!(job.place, Place::Queued, "job {first} queued twice");
        job.place = Place::Queued;
        self.queued += run.count as usize;
        match job.stamp {
            Some(stamp) => self.queue.stack(job.limits.priority, stamp, first),
            None => push(&mut self.queue, job.limits.priority, first, run.count),
        }
    }

    /// The run in parts, in order: each of its jobs that is to be cancelled, or has to do with other jobs,
    /// by itself.
    pub(super) fn special_apart(&self, run: Run) -> Vec<Run> {
        if run.count == 1 || (self.cancels.is_empty() && self.kin.is_empty()) {
            return vec![run];
        }
        let is_special = |job| self.cancels.contains_key(&job) || self.kin.contains_key(&job);
        let (mut parts, mut from) = (Vec::new(), 0);
        for (place, job) in (0..run.count).zip(run.jobs()) {
            if is_special(job) {
                parts.extend([run.part(from, place - from), run.part(place, 1)]);
                from = place + 1;
            }
        }
        parts.push(run.part(from, run.count - from));
        parts.retain(|part| part.count > 0);
        parts
    }

    /// Of these jobs those that have something to do with others.
    pub(super) fn kin_among(&self, run: Run) -> Vec<JobId> {
        if self.kin.is_empty() {
            return Vec::new();
        }
        run.jobs().filter(|job| self.kin.contains_key(job)).collect()
    }

    /// One of those that wait for this job.
    fn waiter(&self, job: JobId) -> Option<JobId> {
        let waits =
            |waiter: &&JobId| self.wait_of(**waiter).is_some_and(|wait| wait.jobs.contains(&job));
        self.kin.get(&job)?.waiters.iter().find(waits).copied()
    }

    /// Notes that the job is to be cancelled; a graver wish replaces a lighter one.
    pub(super) fn mark_cancelled(&mut self, job: JobId, cancel: Cancel) {
        let mark = self.cancels.entry(job).or_default();
        *mark = cancel.max(*mark);
    }

    /// Of these jobs those that are to be cancelled.
    pub(super) fn cancelled_among(&self, runs: &[Run]) -> Vec<(Ticket, Cancel)> {
        if self.cancels.is_empty() {
            return Vec::new();
        }
        let tickets = runs.iter().flat_map(|run| run.tickets());
        tickets.filter_map(|ticket| Some((ticket, *self.cancels.get(&ticket.job)?))).collect()
    }

    /// Forgets that it is to be cancelled, and tells whether it was.
    pub(super) fn take_cancelled(&mut self, job: JobId) -> Cancel {
        if self.cancels.is_empty() {
            return Cancel::No;
        }
        self.cancels.remove(&job).unwrap_or_default()
    }

    /// Attempts are over that were begun by this worker, at these times if they are known. They are cut
    /// out of the run in which they travelled.
    pub(super) fn note_over(&mut self, run: Run, worker: WorkerId, ran: Option<(Time, Time)>) {
        if self.waiting > 0 {
            for job in run.jobs() {
                self.end_wait(job);
            }
        }
        let Some(job) = self.table.cut(run.first.job, run.count) else {
            debug_assert!(false, "what is with a worker together is one run");
            return;
        };
        job.begun += 1;
        job.last = Some((worker, ran));
    }

    /// What a failure is called if the attempt came to it because its wait closed a cycle.
    pub(super) fn as_deadlock(&mut self, id: JobId, failure: Failure) -> Failure {
        let deadlock = self.kin.get_mut(&id).and_then(|kin| kin.deadlock.take());
        match (&failure, deadlock) {
            (Failure::Failed(error) | Failure::Panicked(error), Some(cycle))
                if error.message.contains("deadlock") =>
            {
                Failure::Deadlock(cycle)
            }
            _ => failure,
        }
    }

    /// Whether the job must never be started twice.
    pub(super) fn is_at_most_once(&self, job: JobId) -> bool {
        self.table.get(job).is_some_and(|job| job.limits.crash_retries == 0)
    }

    /// Counts an attempt that was finished and whose reply was lost, and tells whether it may run
    /// again free of charge; at-most-once jobs may be judged so too, they are not run again.
    pub(super) fn forgive_loss(&mut self, id: JobId) -> bool {
        self.table.alone(id).is_some_and(|job| {
            job.losses += 1;
            job.losses <= job.limits.crash_retries.max(1)
        })
    }

    /// The attempt that fails now is its last one.
    pub(super) fn forbid_retries(&mut self, id: JobId) {
        if let Some(job) = self.table.alone(id) {
            job.limits.retries = job.failures;
        }
    }

    /// Counts an attempt that failed. Queues the job again, at the back, if it may be tried again;
    /// otherwise tells the failure to settle it with.
    pub(super) fn try_again(
        &mut self,
        id: JobId,
        failure: Failure,
        may_start: bool,
    ) -> Result<(), Failure> {
        let Some(job) = self.table.alone(id) else { return Ok(()) };
        let again = match &failure {
            Failure::Crashed(exit) => {
                job.crashes.push(*exit);
                job.crashes.len() <= job.limits.crash_retries as usize
            }
            Failure::Failed(_) | Failure::Panicked(_) | Failure::TimedOut(_) => {
                job.failures += 1;
                job.failures <= job.limits.retries
            }
            // What cannot be decoded today cannot be decoded tomorrow.
            _ => false,
        };
        if again && may_start {
            self.statistics.retried += 1;
            let run = Run::from(Ticket { job: id, attempt: job.begun });
            self.queue_again(run, Queue::push_back);
            return Ok(());
        }
        match failure {
            Failure::Crashed(_) if job.crashes.len() > 1 && !again => {
                Err(Failure::Quarantined(std::mem::take(&mut job.crashes)))
            }
            failure => Err(failure),
        }
    }

    /// Removes jobs that are in one run, and tells their end: the same failure of each, or the outputs of all.
    pub(super) fn settle(
        &mut self,
        run: impl Into<Run>,
        result: Result<Vec<u8>, Failure>,
        actions: &mut Vec<Action>,
    ) {
        let run = run.into();
        let first = run.first.job;
        self.table.cut(first, run.count);
        let Some(job) = self.table.remove(first) else {
            debug_assert!(false, "job {first} settled twice");
            return;
        };
        debug_assert_eq!(job.count, run.count, "what is settled together is one run");
        match job.place {
            Place::Queued => self.queued -= job.count as usize,
            Place::Reserved(_) => drop(self.ended_seats.insert(first)),
            Place::With(_) => {}
        }
        self.statistics.count(&result, u64::from(job.count));
        let (worker, ran) = job.last.map_or((None, None), |(worker, ran)| (Some(worker), ran));
        let allowed = match &result {
            Err(Failure::Crashed(_) | Failure::Quarantined(_)) => job.limits.crash_retries,
            Err(Failure::Failed(_) | Failure::Panicked(_) | Failure::TimedOut(_)) => {
                job.limits.retries
            }
            _ => 0,
        };
        let settled = Settled {
            count: job.count,
            result,
            attempts: job.begun,
            allowed: allowed.saturating_add(1).max(job.begun),
            worker,
            ran,
        };
        actions.push(Action::Settle(first, settled));
        if self.cancels.is_empty() && self.kin.is_empty() {
            return;
        }
        for id in run.jobs() {
            self.cancels.remove(&id);
            self.end_waits_for(id, actions);
        }
    }

    /// The job has ended: who waits for it is told.
    fn end_waits_for(&mut self, id: JobId, actions: &mut Vec<Action>) {
        for waiter in self.kin.remove(&id).map(|kin| kin.waiters).unwrap_or_default() {
            if self.wait_of(waiter).is_some_and(|wait| wait.jobs.contains(&id))
                && let Some(Wait { worker, waiter, .. }) = self.end_wait(waiter)
            {
                actions.push(Action::EndWait(worker, waiter, Ok(id)));
            }
        }
    }

    /// Settles everything that is queued, and what clients have reserved.
    pub(super) fn settle_unstarted(&mut self, failure: &Failure, actions: &mut Vec<Action>) {
        for job in self.reserved_by_clients() {
            self.settle(job, Err(failure.clone()), actions);
        }
        while let Some(Next { run, .. }) = self.peek() {
            self.queue.pop_front(run.count);
            self.settle(run, Err(failure.clone()), actions);
        }
    }
}
