//! Scopes: jobs that do not outlive a block.
//!
//! What a job is given is encoded and crosses to another process, so a scope lends it nothing, as one of
//! threads would. It gives the other half: when the block is left, in whatever way, all its jobs are settled.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use brigade_protocol::error::JobError;
use brigade_protocol::id::JobId;

use crate::cell::Cell;
use crate::executor::Executor;
use crate::gather::Gathering;
use crate::host::{Admission, Host, Submission};

/// An executor whose jobs are all settled when its block is left: see
/// [`Executor::scope`].
///
/// ```
/// use brigade::{Scope, ThreadPool, builtin::prime_count};
///
/// fn submit_all(scope: &Scope) {
///     for to in [10, 100] {
///         scope.submit(prime_count(0, to));
///     }
/// }
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// pool.scope(submit_all);
/// assert_eq!(pool.statistics().succeeded, 2);
/// # Ok::<(), brigade::Error>(())
/// ```
pub struct Scope {
    host: Arc<dyn Host>,
    record: Arc<Recorded>,
}

/// The host of the executor, which notes what is submitted through the scope.
struct Recorded {
    host: Arc<dyn Host>,
    jobs: Mutex<Vec<(JobId, Arc<Cell>)>>,
}

/// Runs the block, and waits for its jobs.
pub(crate) fn scope<R>(host: &Arc<dyn Host>, block: impl FnOnce(&Scope) -> R) -> R {
    let record = Arc::new(Recorded { host: Arc::clone(host), jobs: Mutex::default() });
    let scope = Scope { host: Arc::clone(&record) as Arc<dyn Host>, record };
    match catch_unwind(AssertUnwindSafe(|| block(&scope))) {
        Ok(result) => {
            scope.record.settle_all();
            result
        }
        Err(panic) => {
            scope.record.cancel_all();
            scope.record.settle_all();
            resume_unwind(panic)
        }
    }
}

impl Scope {
    crate::executor_methods!();
}

impl Executor for Scope {
    fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }
}

impl Recorded {
    fn jobs(&self) -> MutexGuard<'_, Vec<(JobId, Arc<Cell>)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, job: JobId, cell: &Arc<Cell>) {
        let mut jobs = self.jobs();
        if jobs.len() == jobs.capacity() {
            jobs.retain(|(_, cell)| !cell.is_filled());
        }
        jobs.push((job, Arc::clone(cell)));
    }

    fn cancel_all(&self) {
        let jobs = self.jobs();
        let unsettled = jobs.iter().filter(|(_, cell)| !cell.is_filled());
        let unsettled: Vec<JobId> = unsettled.map(|(job, _)| *job).collect();
        drop(jobs);
        if !unsettled.is_empty() {
            self.host.cancel_later(unsettled);
        }
    }

    fn settle_all(&self) {
        let mut gathering = Gathering::default();
        for (number, (job, cell)) in std::mem::take(&mut *self.jobs()).into_iter().enumerate() {
            gathering.watch_cell(number, job, &cell, &self.host);
        }
        while gathering.len() > 0 {
            if gathering.pop().is_none() && gathering.wait(None).is_err() {
                // There must be no waiting here: in a callback, for example.
                return;
            }
        }
    }
}

impl Host for Recorded {
    fn pool(&self) -> u64 {
        self.host.pool()
    }

    fn new_id(&self) -> JobId {
        self.host.new_id()
    }

    fn admit(&self, may_wait: bool) -> Admission {
        self.host.admit(may_wait)
    }

    fn submit(&self, submissions: Vec<Submission>) {
        for submission in &submissions {
            self.note(submission.job, &submission.cell);
        }
        self.host.submit(submissions);
    }

    fn reserve(&self, job: JobId, cell: &Arc<Cell>) {
        self.host.reserve(job, cell);
    }

    fn abandon(&self, job: JobId) {
        self.host.abandon(job);
    }

    fn keep(&self, job: JobId, cell: &Arc<Cell>) {
        self.host.keep(job, cell);
    }

    fn let_go(&self, job: JobId) {
        self.host.let_go(job);
    }

    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError> {
        self.host.find(job)
    }

    fn cancel(&self, job: JobId, kill: bool) -> bool {
        self.host.cancel(job, kill)
    }

    fn cancel_later(&self, jobs: Vec<JobId>) {
        self.host.cancel_later(jobs);
    }

    fn is_running(&self, job: JobId) -> bool {
        self.host.is_running(job)
    }

    fn wait(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        self.host.wait(jobs, deadline, ready)
    }

    fn appetite(&self) -> usize {
        self.host.appetite()
    }

    fn input(&self, open: bool) {
        self.host.input(open);
    }

    fn poll(&self, job: JobId) {
        self.host.poll(job);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} jobs)", self.record.jobs().len())
    }
}
