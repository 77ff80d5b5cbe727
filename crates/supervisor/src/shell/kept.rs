//! The ends of jobs that others may still wait for: those whose handles were taken, and those that were
//! submitted or reserved by jobs which still run.

use std::sync::Arc;

use brigade_protocol::id::{JobId, Run, Ticket, WorkerId};
use brigade_task::cell::Cell;
use rustc_hash::FxHashMap;

/// See the [module documentation](self).
#[derive(Default)]
pub(crate) struct Kept {
    /// With how many have a claim to each.
    ends: FxHashMap<JobId, (Arc<Cell>, usize)>,
    /// What each running attempt has a claim to.
    claims: FxHashMap<(WorkerId, Ticket), Vec<JobId>>,
}

impl Kept {
    /// Keeps the end of a job, for one more claimant.
    pub(super) fn keep(&mut self, job: JobId, cell: &Arc<Cell>) {
        self.ends.entry(job).or_insert_with(|| (Arc::clone(cell), 0)).1 += 1;
    }

    /// Keeps what is kept already for one more claimant; tells whether it is kept.
    pub(super) fn keep_on(&mut self, job: JobId) -> bool {
        let end = self.ends.get_mut(&job);
        end.map(|(_, claims)| *claims += 1).is_some()
    }

    /// One claimant less.
    pub(super) fn let_go(&mut self, job: JobId) {
        if let Some((_, claims)) = self.ends.get_mut(&job) {
            *claims -= 1;
            if *claims == 0 {
                self.ends.remove(&job);
            }
        }
    }

    /// The end, or the place for it.
    pub(super) fn find(&self, job: JobId) -> Option<Arc<Cell>> {
        self.ends.get(&job).map(|(cell, _)| Arc::clone(cell))
    }

    /// Keeps the end of a job as long as this attempt runs.
    pub(super) fn claim(
        &mut self,
        worker: WorkerId,
        attempt: Ticket,
        job: JobId,
        cell: &Arc<Cell>,
    ) {
        self.keep(job, cell);
        self.claims.entry((worker, attempt)).or_default().push(job);
    }

    /// The attempt is over.
    pub(super) fn release(&mut self, worker: WorkerId, attempt: Ticket) {
        for job in self.claims.remove(&(worker, attempt)).into_iter().flatten() {
            self.let_go(job);
        }
    }

    /// The attempts are over.
    pub(super) fn release_run(&mut self, worker: WorkerId, run: Run) {
        if !self.claims.is_empty() {
            run.tickets().for_each(|attempt| self.release(worker, attempt));
        }
    }

    /// All attempts of this worker are over.
    pub(super) fn release_all(&mut self, worker: WorkerId) {
        let attempts: Vec<Ticket> =
            self.claims.keys().filter(|(id, _)| *id == worker).map(|(_, ticket)| *ticket).collect();
        for attempt in attempts {
            self.release(worker, attempt);
        }
    }
}
