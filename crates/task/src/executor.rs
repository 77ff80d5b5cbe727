//! One interface for all pools.

use std::sync::Arc;

use brigade_protocol::error::{Failure, JobError};

use crate::cell::{Cell, Settlement};
use crate::future::{Future, Read};
use crate::handle::{Awaitable, Reserved};
use crate::host::{Admission, Host};
use crate::job::{Arguments, Job};

/// What takes jobs: a process pool, a thread pool, or, inside a task, its [`Context`](crate::Context).
///
/// The names are those of `concurrent.futures` wherever the meaning is the same.
pub trait Executor {
    /// What runs the jobs.
    #[doc(hidden)]
    fn host(&self) -> &Arc<dyn Host>;

    /// Submits a job. What prevents it from running is told by the future. Blocks while the pool's queue
    /// is full, if it has a bound.
    fn submit<T, A: Arguments>(&self, job: Job<T, A>) -> Future<T> {
        submit_to(self.host(), job)
    }

    /// Submits a job unless the pool's queue is full.
    ///
    /// # Errors
    ///
    /// The job itself, if the queue is full.
    fn try_submit<T, A: Arguments>(&self, job: Job<T, A>) -> Result<Future<T>, Job<T, A>> {
        match self.host().admit(false) {
            Admission::Full => Err(job),
            admission => {
                Ok(send(self.host(), job, self.host().new_id(), Arc::default(), admission))
            }
        }
    }

    /// A seat for a job to come, whose handle can be given to other jobs before it is submitted.
    fn reserve<T>(&self) -> Reserved<T> {
        Reserved::new(self.host())
    }

    /// Submits the job for which a seat was reserved, with the same executor.
    fn submit_as<T, A: Arguments>(&self, seat: Reserved<T>, job: Job<T, A>) -> Future<T> {
        let host = self.host();
        if !seat.is_of(host) {
            // Dropped, the seat tells those who wait for it.
            let reason = "its seat was reserved with another pool".to_owned();
            let (name, id) = (job.task().to_owned(), seat.job());
            let cell = Cell::default();
            let error = JobError::unstarted(id, name, None, Failure::Refused(reason));
            cell.fill(Settlement::bare(id, Err(error)));
            let (_, task, decode) = job.into_submission(id, Arc::default(), None);
            return Future::new(id, task, Arc::new(cell), Read::Decode(decode), Arc::clone(host));
        }
        let admission = host.admit(true);
        let (id, cell) = seat.take();
        send(host, job, id, cell, admission)
    }

    /// Waits for a job's result, by its future or its handle. In a task: the worker's place is given to
    /// another job meanwhile.
    ///
    /// # Errors
    ///
    /// The [`JobError`] of the job that is waited for; or, if it must not be waited for, why.
    fn wait<T, F: Awaitable<T>>(&self, job: F) -> Result<T, JobError>
    where
        Self: Sized,
    {
        job.into_future(self.host()).result()
    }
}

pub(crate) fn submit_to<T, A: Arguments>(host: &Arc<dyn Host>, job: Job<T, A>) -> Future<T> {
    send(host, job, host.new_id(), Arc::default(), host.admit(true))
}

fn send<T, A: Arguments>(
    host: &Arc<dyn Host>,
    job: Job<T, A>,
    id: brigade_protocol::id::JobId,
    cell: Arc<Cell>,
    admission: Admission,
) -> Future<T> {
    let permit = match admission {
        Admission::Place(permit) => Some(permit),
        Admission::Free | Admission::Full => None,
    };
    let (submission, task, decode) = job.into_submission(id, Arc::clone(&cell), permit);
    host.submit(vec![submission]);
    Future::new(id, task, cell, Read::Decode(decode), Arc::clone(host))
}
