//! What a running task can know of its job, and ask of its pool.

use std::fmt;
use std::sync::{Arc, OnceLock};

use brigade_protocol::id::{JobId, Ticket};

use crate::executor::Executor;
use crate::host::{Host, Place};
use crate::in_place;

/// What a running task can know of its job, and ask of its pool.
///
/// A task whose first parameter is a `&Context` is given the one of its job. It is an [`Executor`]: jobs
/// that are submitted to it run on the pool that runs this one. A job that waits for others gives its
/// place to another worker meanwhile, so a pool of one worker is enough.
pub struct Context {
    ticket: Ticket,
    label: Option<Box<str>>,
    place: Arc<dyn Place>,
    host: OnceLock<Arc<dyn Host>>,
}

impl Context {
    /// The context of one attempt, which runs in this place and whose jobs do.
    pub fn new(ticket: Ticket) -> Self {
        Self::at(in_place::place(), ticket, None)
    }

    /// The context of one attempt that runs in this place.
    #[doc(hidden)]
    pub fn at(place: Arc<dyn Place>, ticket: Ticket, label: Option<&str>) -> Self {
        Self { ticket, label: label.map(Into::into), place, host: OnceLock::new() }
    }

    /// The attempt has ended: no more jobs can be submitted in its name.
    #[doc(hidden)]
    pub fn close(self) {
        if let Some(host) = self.host.get() {
            host.close();
        }
    }

    /// The job's id.
    pub fn job(&self) -> JobId {
        self.ticket.job
    }

    /// Which try at the job this is, counted from one.
    pub fn attempt(&self) -> u32 {
        self.ticket.attempt
    }

    /// The label that the job was given.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether somebody wants this job to stop: its cancellation was asked for while it ran, or its pool
    /// is being stopped. A long task looks now and then, and returns an error.
    pub fn is_cancelled(&self) -> bool {
        self.place.is_cancelled(self.ticket)
    }

    /// Tells how far this job has come: `done` of `total`, in any unit. It costs two stores to memory,
    /// whatever reads it.
    pub fn progress(&self, done: u64, total: u64) {
        self.place.progress(done, total);
    }

    crate::executor_methods!();
}

impl Executor for Context {
    fn host(&self) -> &Arc<dyn Host> {
        self.host.get_or_init(|| self.place.host(self.ticket))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.ticket)
    }
}
