//! The table of unsettled jobs. Consecutive jobs to which the same has happened are one *run*, and one row;
//! a row is cut where something happens to some of its jobs only.

use std::collections::BTreeSet;

use brigade_protocol::id::{JobId, TaskId, WorkerId};
use brigade_protocol::message::{Exit, Form};
use rustc_hash::FxHashMap;

use super::queue::Stamp;
use super::{Limits, Time};

/// A run of jobs; as a rule it is one.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// How many.
    pub(super) count: u32,
    pub(super) task: TaskId,
    /// The bytes of the arguments of each, at most.
    pub(super) size: usize,
    /// How these are written, if that is all that must be said of it.
    pub(super) plain: Option<Form>,
    pub(super) limits: Limits,
    pub(super) place: Place,
    /// Its place on the stack, if it was submitted by a job or is waited for by one. Then it is alone.
    pub(super) stamp: Option<Stamp>,
    /// Attempts that are known to have begun and to be over; the next ticket carries one more.
    pub(super) begun: u32,
    /// Attempts that ended in an error, a panic or a time-out.
    pub(super) failures: u32,
    /// Attempts that were finished, but whose reply died with the worker, with nobody else to blame.
    pub(super) losses: u32,
    /// How the workers ended that it took down.
    pub(super) crashes: Vec<Exit>,
    /// Who ran the last of them, and when.
    pub(super) last: Option<(WorkerId, Option<(Time, Time)>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    With(WorkerId),
    /// Announced by a client, or by this job, and not submitted yet.
    Reserved(Option<JobId>),
}

impl Job {
    pub(super) fn new(count: u32, task: TaskId, size: usize, limits: Limits, place: Place) -> Self {
        Self {
            count,
            task,
            size,
            plain: None,
            limits,
            place,
            stamp: None,
            begun: 0,
            failures: 0,
            losses: 0,
            crashes: Vec::new(),
            last: None,
        }
    }

    /// Nothing has happened to it yet.
    fn is_fresh(&self) -> bool {
        self.place == Place::Queued && self.stamp.is_none() && self.last.is_none()
    }
}

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By the first job of each run.
    rows: FxHashMap<JobId, Job>,
    /// The runs of more than one job.
    runs: BTreeSet<JobId>,
    /// Where the last jobs were added: what follows may join them.
    open: Option<JobId>,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.rows.iter().map(|(first, job)| (*first, job))
    }

    /// Adds a run of jobs that are new. They join those that were added last if they follow on these, are
    /// like them, and nothing has happened to those yet.
    pub(super) fn add(&mut self, first: JobId, job: Job) {
        if let Some(open) = self.open
            && let Some(last) = self.rows.get_mut(&open)
            && after(open, last.count) == first
            && last.is_fresh()
            && job.is_fresh()
            && are_alike(last, &job)
            && let Some(count) = last.count.checked_add(job.count)
        {
            last.count = count;
            last.size = last.size.max(job.size);
            self.runs.insert(open);
        } else {
            self.open = Some(first);
            self.insert(first, job);
        }
    }

    /// The run that the job is in.
    pub(super) fn get(&self, job: JobId) -> Option<&Job> {
        self.rows.get(&job).or_else(|| self.rows.get(&self.row(job)?))
    }

    /// The job, cut out of the run that it is in.
    pub(super) fn alone(&mut self, job: JobId) -> Option<&mut Job> {
        self.cut(job, 1)
    }

    /// So many jobs, cut out of the run that they are in; `None` if they are not all in one.
    pub(super) fn cut(&mut self, first: JobId, count: u32) -> Option<&mut Job> {
        if !self.rows.contains_key(&first) {
            self.split(self.row(first)?, first);
        }
        let found = self.rows.get(&first)?.count;
        if found > count {
            self.split(first, after(first, count));
        }
        self.rows.get_mut(&first).filter(|_| found >= count)
    }

    /// Removes this run; `None` if there is none that begins with this job.
    pub(super) fn remove(&mut self, first: JobId) -> Option<Job> {
        let job = self.rows.remove(&first)?;
        if job.count > 1 {
            self.runs.remove(&first);
        }
        Some(job)
    }

    /// The first job of the run of several that this job is in.
    fn row(&self, job: JobId) -> Option<JobId> {
        let first = *self.runs.range(..=job).next_back()?;
        (job < after(first, self.rows.get(&first)?.count)).then_some(first)
    }

    fn insert(&mut self, first: JobId, job: Job) {
        if job.count > 1 {
            self.runs.insert(first);
        }
        self.rows.insert(first, job);
    }

    /// Cuts a run before this one of its jobs.
    fn split(&mut self, first: JobId, at: JobId) {
        let Some(job) = self.rows.get_mut(&first) else { return };
        let (count, kept) = (job.count, distance(first, at));
        job.count = kept;
        let rest = Job { count: count - kept, ..job.clone() };
        if kept == 1 {
            self.runs.remove(&first);
        }
        self.insert(at, rest);
        if self.open == Some(first) {
            self.open = Some(at);
        }
    }
}

/// Whether jobs may travel together: the same calls, with arguments of about the same size.
fn are_alike(one: &Job, other: &Job) -> bool {
    let rank = |size: usize| size.max(16).next_power_of_two();
    let kind = |job: &Job| (job.task, job.limits, job.plain, rank(job.size));
    kind(one) == kind(other)
}

/// The job that follows on so many.
pub(super) fn after(first: JobId, count: u32) -> JobId {
    JobId(first.0 + u64::from(count))
}

/// How many jobs there are from one up to another.
fn distance(from: JobId, to: JobId) -> u32 {
    u32::try_from(to.0 - from.0).expect("a run has at most 2^32 jobs")
}
