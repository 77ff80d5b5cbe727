//! What an [`Executor`](crate::Executor) needs of whatever runs its jobs.
//!
//! There are three hosts: a process pool, a thread pool, and, inside a worker process, the pool on the
//! other side of the channel. User code never meets this trait.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use brigade_protocol::error::JobError;
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::{Form, Options, TaskError};

use crate::blob::outside::Blobs;
use crate::bound::Permit;
use crate::cell::Cell;
use crate::ends::Ends;
use crate::handle::Handles;
use crate::pack::Claim;
use crate::task::Task;

/// The most jobs that travel as one run.
pub const MOST_JOBS: u32 = 4096;

/// The most bytes of arguments that travel as one run: with this much nothing more is added.
pub const MOST_BYTES: usize = 48 * 1024;

/// Jobs with longer arguments do not travel in runs.
pub const LONGEST: usize = 4096;

/// A job on its way into a host.
#[derive(Debug)]
pub struct Submission {
    /// Its id, from [`Host::new_id`].
    pub job: JobId,
    /// The name of its task.
    pub task: Cow<'static, str>,
    /// The task itself, if the submitter knows it.
    pub known: Option<&'static Task>,
    /// How its arguments are written.
    pub form: Form,
    /// Its encoded arguments, or why they do not encode.
    pub arguments: Result<Vec<u8>, TaskError>,
    /// The large blobs that these left outside.
    pub blobs: Blobs,
    /// How it is to be run.
    pub options: Options,
    /// The handles among its arguments: the host keeps the ends of their jobs until it has ended. It
    /// begins to before it lets go of these.
    pub handles: Handles,
    /// Where its end goes.
    pub cell: Arc<Cell>,
    /// Its place in a bounded queue.
    pub permit: Option<Permit>,
}

/// Consecutive plain calls of one task on their way into a host: without options or handles.
#[derive(Debug)]
pub struct SubmittedRun {
    /// The id of the first, from [`RunHost::new_ids`].
    pub job: JobId,
    /// How many.
    pub count: u32,
    /// The name of their task.
    pub task: Cow<'static, str>,
    /// The task itself, if the submitter knows it.
    pub known: Option<&'static Task>,
    /// How their arguments are written.
    pub form: Form,
    /// The arguments of each, as [`push_bytes`](brigade_protocol::codec::push_bytes) writes them.
    pub arguments: Vec<u8>,
    /// How many bytes the longest are.
    pub longest: usize,
    /// Where their ends go.
    pub ends: Arc<Ends>,
    /// The number of the first one there.
    pub number: u64,
}

/// A plain call on its way into a host: without options or handles, and nothing of its arguments is outside.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The name of its task.
    pub task: &'a Cow<'static, str>,
    /// The task itself, if the submitter knows it.
    pub known: Option<&'static Task>,
    /// How its arguments are written.
    pub form: Form,
    /// Its encoded arguments.
    pub arguments: &'a [u8],
}

/// A host to which a run of jobs is no more than one job.
pub trait RunHost {
    /// So many ids that follow on each other, and that no job has had.
    fn new_ids(&self, count: u32) -> JobId;

    /// Takes a run. What prevents one of its jobs from running is told by its end.
    fn submit_run(&self, run: SubmittedRun);

    /// Takes a plain call, by itself. Gives the claim to its end, which tells what prevents it from running if
    /// something does. `own` is this host, which whoever has the claim asks.
    fn submit_call(&self, call: Call<'_>, own: &Arc<dyn Host>) -> Claim;
}

/// Whether a host's queue may be entered.
#[derive(Debug)]
pub enum Admission {
    /// It has no bound.
    Free,
    /// Here is the place.
    Place(Permit),
    /// It is full.
    Full,
}

/// See the [module documentation](self).
pub trait Host: Send + Sync {
    /// Tells handles of this pool from those of others.
    fn pool(&self) -> u64;

    /// An id that no job has had.
    fn new_id(&self) -> JobId;

    /// Takes a place in the queue: waits for one if it may, otherwise takes one if there is one.
    fn admit(&self, may_wait: bool) -> Admission;

    /// Takes jobs. What prevents one from running is told by its cell.
    fn submit(&self, submissions: Vec<Submission>);

    /// Itself, if jobs can be submitted in runs to it, by the calling thread.
    fn runs(&self) -> Option<&dyn RunHost> {
        None
    }

    /// Announces a job that is not submitted yet, so that others may wait for it.
    fn reserve(&self, job: JobId, cell: &Arc<Cell>);

    /// A reserved job will not be submitted.
    fn abandon(&self, job: JobId);

    /// Keeps the end of a job whose [`Handle`](crate::Handle) was taken, for others to wait for.
    fn keep(&self, job: JobId, cell: &Arc<Cell>);

    /// Undoes one [`Host::keep`].
    fn let_go(&self, job: JobId);

    /// The cell of a job that another submitted. `Err` tells why there is none.
    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError>;

    /// Cancels a job that has not been started, or kills it if it runs and `kill` says so; tells
    /// whether that ends it.
    fn cancel(&self, job: JobId, kill: bool) -> bool;

    /// Cancels jobs that have not been started, without waiting for the answer.
    fn cancel_later(&self, jobs: Vec<JobId>);

    /// Whether a worker runs the job now.
    fn is_running(&self, job: JobId) -> bool;

    /// Waits until one of these jobs has ended, its cell filled, or the time is over. All are this
    /// host's, and the calling thread watches their cells. `ready` tells whether one of them is.
    ///
    /// # Errors
    ///
    /// Why they must not be waited for: a deadlock, say.
    fn wait(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError>;

    /// How many unsettled jobs it can make use of now.
    fn appetite(&self) -> usize;

    /// A stream of jobs of unknown length begins (`true`) or has ended.
    fn input(&self, open: bool);

    /// Looks whether the job has ended, and fills its cell if so: where ends do not come by themselves.
    fn poll(&self, job: JobId) {
        let _ = job;
    }

    /// The attempt whose host this is has ended.
    fn close(&self) {}
}

/// Where an attempt runs. One serves all attempts of a run thread, so that a job which asks for nothing
/// costs nothing.
pub trait Place: Send + Sync {
    /// The host of the jobs that this attempt submits.
    fn host(&self, ticket: Ticket) -> Arc<dyn Host>;

    /// Whether the attempt was asked to stop.
    fn is_cancelled(&self, ticket: Ticket) -> bool;

    /// Notes how far the attempt has come.
    fn progress(&self, done: u64, total: u64);

    /// The most bytes that an encoded output may have.
    fn max_output(&self) -> u64 {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec::{OVERHEAD_IN_RUN, push_bytes};

    use super::LONGEST;

    /// The scheduler fills frames by this.
    #[test]
    fn a_call_of_a_run_takes_no_more_beside_its_arguments_than_is_counted() {
        let mut bytes = Vec::new();
        push_bytes(&[0; LONGEST], &mut bytes);
        assert!(bytes.len() - LONGEST <= OVERHEAD_IN_RUN, "{}", bytes.len());
    }
}
