//! The table of unsettled jobs, with the queue of those that are with no worker.

use std::collections::VecDeque;

use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::Exit;
use rustc_hash::FxHashMap;

use super::{Action, Failure, JobSpec, Limits, Settled, Time};

#[derive(Debug)]
struct Job {
    task: TaskId,
    size: usize,
    limits: Limits,
    place: Place,
    /// Attempts that are known to have begun and to be over; the next ticket carries one more.
    begun: u32,
    /// Attempts that ended in an error, a panic or a time-out.
    failures: u32,
    /// Attempts that were finished, but whose reply died with the worker, with nobody else to blame.
    losses: u32,
    /// How the workers ended that it took down.
    crashes: Vec<Exit>,
    /// A client waits to hear whether it can still be cancelled.
    cancelled: bool,
    /// Who ran the last of them, and when.
    last: Option<(WorkerId, Option<(Time, Time)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    With(WorkerId),
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
    /// In the order in which they are to be started. A job that was settled while it was queued
    /// stays here as an id without a job, and is skipped.
    queue: VecDeque<JobId>,
    queued: usize,
    settled: u64,
}

impl Jobs {
    pub(super) fn add(&mut self, spec: JobSpec) {
        let JobSpec { job, task, size, limits } = spec;
        let job_state = Job {
            task,
            size,
            limits,
            place: Place::Queued,
            begun: 0,
            failures: 0,
            losses: 0,
            crashes: Vec::new(),
            cancelled: false,
            last: None,
        };
        let before = self.table.insert(job, job_state);
        debug_assert!(before.is_none(), "job {job} submitted twice");
        self.queue.push_back(job);
        self.queued += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled
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
        while let Some(&id) = self.queue.front() {
            if let Some(job) = self.table.get(&id)
                && job.place == Place::Queued
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
        if self.queue_again(job) {
            self.queue.push_front(job);
        }
    }

    fn queue_again(&mut self, id: JobId) -> bool {
        let Some(job) = self.table.get_mut(&id) else { return false };
        debug_assert_ne!(job.place, Place::Queued, "job {id} queued twice");
        job.place = Place::Queued;
        self.queued += 1;
        true
    }

    /// Sets whether a client waits for a cancellation, and returns whether one did.
    pub(super) fn mark_cancelled(&mut self, job: JobId, cancelled: bool) -> bool {
        let job = self.table.get_mut(&job);
        job.is_some_and(|job| std::mem::replace(&mut job.cancelled, cancelled))
    }

    /// An attempt is over that was begun by this worker, at these times if they are known.
    pub(super) fn note_over(&mut self, job: JobId, worker: WorkerId, ran: Option<(Time, Time)>) {
        if let Some(job) = self.table.get_mut(&job) {
            job.begun += 1;
            job.last = Some((worker, ran));
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
            self.queue_again(id);
            self.queue.push_back(id);
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
        if job.place == Place::Queued {
            self.queued -= 1;
        }
        self.settled += 1;
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
    }

    /// Settles everything that is queued.
    pub(super) fn settle_queued(&mut self, failure: &Failure, actions: &mut Vec<Action>) {
        while let Some(next) = self.peek() {
            self.queue.pop_front();
            self.settle(next.ticket.job, Err(failure.clone()), actions);
        }
    }
}
