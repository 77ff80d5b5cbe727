//! Who owns a pool, whatever its jobs run on: taking jobs, looking, resizing, ending.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};

use brigade_task::bound::Bound;
use brigade_task::host::Host;
use brigade_task::registry::Registry;

use crate::host::{self, Shared};
use crate::pool::{Control, Shutdown, Statistics};
use crate::scheduler::Limits;
use crate::shell::{Message, Started};
use crate::stream::{self, Feed, Settlements};

/// See the [module documentation](self). Dropping it drains the pool.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: Arc<dyn Host>,
    shell: Option<JoinHandle<()>>,
    /// The process that made it: a forked copy has no threads, and must not touch the workers.
    process: u32,
}

impl Owner {
    /// `registry` holds the tasks if they are run in this process.
    pub(crate) fn new(
        started: Started,
        limits: Limits,
        max_queued: Option<usize>,
        registry: Option<Registry>,
    ) -> Self {
        let shared = Arc::new(Shared {
            id: started.pool,
            bound: max_queued.map(Bound::new),
            inbox: started.inbox,
            capacity: started.capacity,
            over: started.over,
            own_build: started.own_build,
            limits,
            registry,
            next_job: AtomicU64::new(1),
        });
        let host = Arc::clone(&shared) as Arc<dyn Host>;
        Self { shared, host, shell: Some(started.thread), process: std::process::id() }
    }

    pub(crate) fn stream(&self) -> (Feed, Settlements) {
        stream::stream(Arc::clone(&self.shared))
    }

    pub(crate) fn resize(&self, slots: u32) {
        self.shared.inbox.send(Message::Resize(slots));
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.control().snapshot().map(|snapshot| snapshot.statistics).unwrap_or_default()
    }

    pub(crate) fn control(&self) -> Control {
        Control { inbox: Arc::clone(&self.shared.inbox) }
    }

    pub(crate) fn gave_up(&self) -> Option<&str> {
        self.shared.inbox.gave_up()
    }

    pub(crate) fn shutdown(mut self, how: Shutdown) {
        self.control().shutdown(how);
        self.join();
    }

    /// Waits for the end of the pool; not in one of its own threads, which would wait for itself.
    fn join(&mut self) {
        let Some(shell) = self.shell.take() else { return };
        if host::is_inside(self.shared.id) || shell.thread().id() == thread::current().id() {
            return;
        }
        if let Err(panic) = shell.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.shell.is_some() && self.process == std::process::id() {
            self.control().shutdown(Shutdown::Drain);
            if !thread::panicking() {
                self.join();
            }
        }
    }
}
