//! The table of unsettled jobs, with the queue of those that are with no worker.

use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::Exit;
use rustc_hash::{FxHashMap, FxHashSet};

use super::queue::{Front, Queue, Stamp};
use super::waits::{Kin, Wait};
use super::{Action, Failure, JobSpec, Limits, Settled, Statistics, Time};

#[derive(Debug)]
struct Job {
    task: TaskId,
    size: usize,
    limits: Limits,
    place: Place,
    /// Its place on the stack, if it was submitted by a job or is waited for by one.
    stamp: Option<Stamp>,
    /// Attempts that are known to have begun and to be over; the next ticket carries one more.
    begun: u32,
    /// Attempts that ended in an error, a panic or a time-out.
    failures: u32,
    /// Attempts that were finished, but whose reply died with the worker, with nobody else to blame.
    losses: u32,
    /// How the workers ended that it took down.
    crashes: Vec<Exit>,
    /// A client waits to hear whether it can still be cancelled.
    cancelled: Cancel,
    /// What it has to do with other jobs, if it has.
    kin: Option<Box<Kin>>,
    /// Who ran the last of them, and when.
    last: Option<(WorkerId, Option<(Time, Time)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    With(WorkerId),
    /// Announced by a client, or by this job, and not submitted yet.
    Reserved(Option<JobId>),
}

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

/// A job taken from the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) ticket: Ticket,
    pub(super) task: TaskId,
    pub(super) size: usize,
    pub(super) timeout: Option<Time>,
    /// It has its frame for itself, so that its reply leaves before anything else is started: it must
    /// not be lost, or has cost a worker.
    pub(super) alone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    table: FxHashMap<JobId, Job>,
    /// A job that was settled while it was queued stays here as an id without a job, and is skipped.
    queue: Queue,
    queued: usize,
    pub(super) statistics: Statistics,
    /// How many jobs of each worker wait for others.
    waiting_with: FxHashMap<WorkerId, usize>,
    waiting: usize,
    /// Reserved jobs that have ended since the scheduler was last asked: they may be submitted still by
    /// who has not heard of it.
    ended_seats: FxHashSet<JobId>,
}

impl Job {
    fn new(task: TaskId, size: usize, limits: Limits, place: Place) -> Self {
        Self {
            task,
            size,
            limits,
            place,
            stamp: None,
            begun: 0,
            failures: 0,
            losses: 0,
            crashes: Vec::new(),
            cancelled: Cancel::No,
            kin: None,
            last: None,
        }
    }
}

impl Jobs {
    pub(super) fn add(&mut self, spec: JobSpec) {
        let JobSpec { job, task, size, mut limits, parent } = spec;
        if let Some(parent) = parent.and_then(|parent| self.table.get(&parent.job)) {
            limits.priority = limits.priority.max(parent.limits.priority);
        }
        if let Some(parent) = parent {
            self.adopt(job, parent.job);
        }
        let mut job_state = Job::new(task, size, limits, Place::Queued);
        let before = self.table.remove(&job);
        let was_reserved =
            before.as_ref().is_none_or(|job| matches!(job.place, Place::Reserved(_)));
        debug_assert!(was_reserved, "job {job} submitted twice");
        // Who waits for it already goes on doing so.
        job_state.kin = before.and_then(|job| job.kin);
        job_state.stamp = parent.map(|_| self.queue.stamp());
        match job_state.stamp {
            Some(stamp) => self.queue.stack(limits.priority, stamp, job),
            None => self.queue.push_back(limits.priority, job),
        }
        self.table.insert(job, job_state);
        self.statistics.submitted += 1;
        self.queued += 1;
    }

    pub(super) fn reserve(&mut self, job: JobId, holder: Option<JobId>) {
        if let Some(holder) = holder {
            self.adopt(job, holder);
        }
        let place = Place::Reserved(holder);
        self.table.insert(job, Job::new(TaskId(u32::MAX), 0, Limits::default(), place));
    }

    /// Ends all that clients have reserved: nothing more will be taken from them.
    pub(super) fn reserved_by_clients(&self) -> Vec<JobId> {
        let reserved = self.table.iter().filter(|(_, job)| job.place == Place::Reserved(None));
        let mut jobs: Vec<JobId> = reserved.map(|(id, _)| *id).collect();
        jobs.sort_unstable();
        jobs
    }

    fn adopt(&mut self, child: JobId, parent: JobId) {
        if let Some(parent) = self.table.get_mut(&parent) {
            let children = &mut parent.kin.get_or_insert_default().children;
            if !children.contains(&child) {
                children.push(child);
            }
        }
    }

    /// What the present attempt at a job has submitted or reserved; it has no claim to it any more.
    pub(super) fn take_children(&mut self, job: JobId) -> Vec<JobId> {
        let kin = self.table.get_mut(&job).and_then(|job| job.kin.as_mut());
        kin.map(|kin| std::mem::take(&mut kin.children)).unwrap_or_default()
    }

    pub(super) fn kin(&mut self, job: JobId) -> &mut Kin {
        let job = self.table.get_mut(&job).expect("only of unsettled jobs is this asked");
        job.kin.get_or_insert_default()
    }

    pub(super) fn wait_of(&self, job: JobId) -> Option<&Wait> {
        self.table.get(&job)?.kin.as_ref()?.wait.as_ref()
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
        let wait = self.table.get_mut(&job)?.kin.as_mut()?.wait.take()?;
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

    /// Puts a job that is waited for before all others, with the priority of the one that waits.
    pub(super) fn hasten(&mut self, id: JobId, waiter: JobId) {
        let priority = self.table.get(&waiter).map_or(0, |waiter| waiter.limits.priority);
        if let Some(job) = self.table.get_mut(&id) {
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
        self.table.get(&job).map(|job| job.place)
    }

    pub(super) fn task(&self, job: JobId) -> TaskId {
        self.table.get(&job).map(|job| job.task).unwrap_or_default()
    }

    pub(super) fn timeout(&self, job: JobId) -> Option<Time> {
        self.table.get(&job).and_then(|job| job.limits.timeout)
    }

    /// The job that would be taken next.
    pub(super) fn peek(&mut self) -> Option<Next> {
        while let Some(front) = self.queue.front() {
            let (Front::Stacked(id) | Front::Queued(id)) = front;
            if let Some(job) = self.table.get(&id)
                && job.place == Place::Queued
                // Otherwise it has moved to the stack since.
                && job.stamp.is_some() == matches!(front, Front::Stacked(_))
            {
                let ticket = Ticket { job: id, attempt: job.begun + 1 };
                let (task, size, timeout) = (job.task, job.size, job.limits.timeout);
                let alone =
                    job.limits.crash_retries == 0 || job.losses > 0 || !job.crashes.is_empty();
                return Some(Next { ticket, task, size, timeout, alone });
            }
            self.queue.pop_front();
        }
        None
    }

    /// Takes what [`Jobs::peek`] showed, for this worker.
    pub(super) fn take(&mut self, worker: WorkerId) {
        if let Some(id) = self.queue.pop_front()
            && let Some(job) = self.table.get_mut(&id)
        {
            job.place = Place::With(worker);
            self.queued -= 1;
        }
    }

    pub(super) fn requeue_front(&mut self, job: JobId) {
        self.queue_again(job, Queue::push_front);
    }

    /// Queues a job again: in its place on the stack, if it has one, or as told.
    fn queue_again(&mut self, id: JobId, push: impl FnOnce(&mut Queue, i8, JobId)) {
        let Some(job) = self.table.get_mut(&id) else { return };
        debug_assert_ne!(job.place, Place::Queued, "job {id} queued twice");
        job.place = Place::Queued;
        self.queued += 1;
        match job.stamp {
            Some(stamp) => self.queue.stack(job.limits.priority, stamp, id),
            None => push(&mut self.queue, job.limits.priority, id),
        }
    }

    /// Notes that the job is to be cancelled; a graver wish replaces a lighter one.
    pub(super) fn mark_cancelled(&mut self, job: JobId, cancel: Cancel) {
        if let Some(job) = self.table.get_mut(&job) {
            job.cancelled = job.cancelled.max(cancel);
        }
    }

    /// Whether it is to be cancelled.
    pub(super) fn cancelled(&self, job: JobId) -> Cancel {
        self.table.get(&job).map(|job| job.cancelled).unwrap_or_default()
    }

    /// Forgets that it is to be cancelled, and tells whether it was.
    pub(super) fn take_cancelled(&mut self, job: JobId) -> Cancel {
        self.table.get_mut(&job).map(|job| std::mem::take(&mut job.cancelled)).unwrap_or_default()
    }

    /// An attempt is over that was begun by this worker, at these times if they are known.
    pub(super) fn note_over(&mut self, job: JobId, worker: WorkerId, ran: Option<(Time, Time)>) {
        self.end_wait(job);
        if let Some(job) = self.table.get_mut(&job) {
            job.begun += 1;
            job.last = Some((worker, ran));
        }
    }

    /// What a failure is called if the attempt came to it because its wait closed a cycle.
    pub(super) fn as_deadlock(&mut self, id: JobId, failure: Failure) -> Failure {
        let kin = self.table.get_mut(&id).and_then(|job| job.kin.as_mut());
        let deadlock = kin.and_then(|kin| kin.deadlock.take());
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
        self.table.get(&job).is_some_and(|job| job.limits.crash_retries == 0)
    }

    /// Counts an attempt that was finished and whose reply was lost, and tells whether it may run
    /// again free of charge; at-most-once jobs may be judged so too, they are not run again.
    pub(super) fn forgive_loss(&mut self, id: JobId) -> bool {
        self.table.get_mut(&id).is_some_and(|job| {
            job.losses += 1;
            job.losses <= job.limits.crash_retries.max(1)
        })
    }

    /// The attempt that fails now is its last one.
    pub(super) fn forbid_retries(&mut self, id: JobId) {
        if let Some(job) = self.table.get_mut(&id) {
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
        let Some(job) = self.table.get_mut(&id) else { return Ok(()) };
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
            self.queue_again(id, Queue::push_back);
            return Ok(());
        }
        match failure {
            Failure::Crashed(_) if job.crashes.len() > 1 && !again => {
                Err(Failure::Quarantined(std::mem::take(&mut job.crashes)))
            }
            failure => Err(failure),
        }
    }

    /// Removes the job and tells its end.
    pub(super) fn settle(
        &mut self,
        id: JobId,
        result: Result<Vec<u8>, Failure>,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.table.remove(&id) else {
            debug_assert!(false, "job {id} settled twice");
            return;
        };
        match job.place {
            Place::Queued => self.queued -= 1,
            Place::Reserved(_) => drop(self.ended_seats.insert(id)),
            Place::With(_) => {}
        }
        self.statistics.count(&result);
        let (worker, ran) = job.last.map_or((None, None), |(worker, ran)| (Some(worker), ran));
        let allowed = match &result {
            Err(Failure::Crashed(_) | Failure::Quarantined(_)) => job.limits.crash_retries,
            Err(Failure::Failed(_) | Failure::Panicked(_) | Failure::TimedOut(_)) => {
                job.limits.retries
            }
            _ => 0,
        };
        let settled = Settled {
            result,
            attempts: job.begun,
            allowed: allowed.saturating_add(1).max(job.begun),
            worker,
            ran,
        };
        actions.push(Action::Settle(id, settled));
        for waiter in job.kin.map(|kin| kin.waiters).unwrap_or_default() {
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
        while let Some(next) = self.peek() {
            self.queue.pop_front();
            self.settle(next.ticket.job, Err(failure.clone()), actions);
        }
    }
}
