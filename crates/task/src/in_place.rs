//! The host of jobs that run where they are made: no pool, no other thread, no other process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use brigade_protocol::error::{Certificate, Failure, JobError};
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::TaskError;

use crate::blob::outside::Encoding;
use crate::cell::{Cell, Settlement};
use crate::context::Context;
use crate::host::{Admission, Host, Place, Submission};
use crate::job::{attempt, first};

struct InPlace {
    next: AtomicU64,
}

/// The one host in place there is.
pub(crate) fn host() -> Arc<dyn Host> {
    static HOST: OnceLock<Arc<InPlace>> = OnceLock::new();
    Arc::clone(HOST.get_or_init(|| Arc::new(InPlace { next: AtomicU64::new(1) }))) as Arc<dyn Host>
}

struct Here;

impl Place for Here {
    fn host(&self, _: Ticket) -> Arc<dyn Host> {
        host()
    }

    fn is_cancelled(&self, _: Ticket) -> bool {
        false
    }

    fn progress(&self, _: u64, _: u64) {}
}

/// Here.
pub(crate) fn place() -> Arc<dyn Place> {
    Arc::new(Here)
}

impl InPlace {
    fn run(submission: &Submission) -> Result<Encoding, Failure> {
        let arguments = submission.arguments.as_ref().map_err(TaskError::clone)?;
        let Some(task) = submission.known else {
            let reason = "only a job that was made by calling a task can be run in place";
            return Err(Failure::Refused(reason.to_owned()));
        };
        let (ticket, label) = (first(submission.job), submission.options.label.as_deref());
        let context = Context::at(place(), ticket, label);
        let arguments = (&**arguments, submission.blobs.clone());
        let mut bytes = Vec::new();
        let blobs = attempt(task, &context, submission.form, arguments, &mut bytes)?;
        Ok(Encoding { bytes, blobs })
    }
}

impl Host for InPlace {
    fn pool(&self) -> u64 {
        0
    }

    fn new_id(&self) -> JobId {
        JobId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, _: bool) -> Admission {
        Admission::Free
    }

    fn submit(&self, submissions: Vec<Submission>) {
        for submission in submissions {
            let result = Self::run(&submission);
            let Submission { job, task, options, cell, .. } = submission;
            let result = result.map_err(|failure| {
                let error = JobError::unstarted(job, task.into_owned(), options.label, failure);
                let ran = !error.is_refused();
                let attempts = u32::from(ran);
                JobError::new(Certificate {
                    attempts,
                    allowed: attempts,
                    ..error.certificate().clone()
                })
            });
            cell.fill(Settlement::of(job, result));
        }
    }

    fn reserve(&self, _: JobId, _: &Arc<Cell>) {}

    fn abandon(&self, _: JobId) {}

    fn keep(&self, _: JobId, _: &Arc<Cell>) {}

    fn let_go(&self, _: JobId) {}

    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError> {
        Err(unfinished(job))
    }

    fn cancel(&self, _: JobId, _: bool) -> bool {
        false
    }

    fn cancel_later(&self, _: Vec<JobId>) {}

    fn is_running(&self, _: JobId) -> bool {
        false
    }

    fn wait(
        &self,
        jobs: &[JobId],
        _: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        // Whatever was submitted here has ended: what has not, never will.
        if ready() { Ok(()) } else { Err(unfinished(jobs.first().copied().unwrap_or_default())) }
    }

    fn appetite(&self) -> usize {
        1
    }

    fn input(&self, _: bool) {}
}

fn unfinished(job: JobId) -> JobError {
    let reason = "there is no pool here, so it would be waited for without end".to_owned();
    JobError::unstarted(job, String::new(), None, Failure::Refused(reason))
}
