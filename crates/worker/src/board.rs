//! The worker's side of the scoreboard: what its run threads do, said without a system call.
//!
//! [`brigade_protocol::board`] holds the layout. The supervisor reads it at any moment, above all
//! after this worker's death, so the order of the stores is what matters: whoever reads `started`
//! finds its `since`, and whoever reads `finished` finds all that the job did before.

use brigade_protocol::board::LANES;
use brigade_protocol::id::Seq;

use crate::sync::atomic::{AtomicU64, Ordering};

/// One slot's page.
#[repr(C)]
pub(crate) struct Page {
    lanes: [Lane; LANES],
}

/// What one run thread writes.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Lane {
    started: AtomicU64,
    since: AtomicU64,
    finished: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    unused: [AtomicU64; 3],
}

// Words of a model are larger.
#[cfg(not(all(test, brigade_model)))]
const _: () = {
    use brigade_protocol::board::{DONE, FINISHED, LANE, PAGE, SINCE, STARTED, TOTAL};
    assert!(size_of::<Page>() == PAGE && size_of::<Lane>() == LANE);
    assert!(std::mem::offset_of!(Lane, started) == STARTED);
    assert!(std::mem::offset_of!(Lane, since) == SINCE);
    assert!(std::mem::offset_of!(Lane, finished) == FINISHED);
    assert!(std::mem::offset_of!(Lane, done) == DONE);
    assert!(std::mem::offset_of!(Lane, total) == TOTAL);
};

impl Page {
    /// Writes that everything is as in a slot where nothing has ever run. The page may be that of
    /// an earlier worker in this slot.
    pub(crate) fn clear(&self) {
        for lane in &self.lanes {
            for word in [&lane.started, &lane.since, &lane.finished, &lane.done, &lane.total] {
                word.store(0, Ordering::Release);
            }
        }
    }

    /// The lane of one run thread.
    pub(crate) fn lane(&self, number: usize) -> &Lane {
        &self.lanes[number]
    }
}

impl Lane {
    /// Writes that this call starts now.
    ///
    /// Calls must be started in the order of their [`Seq`]: the caller holds the lock under which
    /// it took the call.
    pub(crate) fn start(&self, call: Seq, now: u64) {
        // Both: a reader that finds the new `started` must not find how far the call before had come.
        self.total.store(0, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        self.started.store(call.0, Ordering::Release);
    }

    /// Writes how far the call that runs has come.
    pub(crate) fn progress(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Release);
    }

    /// Writes that the call has run to its end, whatever came of it.
    pub(crate) fn finish(&self, call: Seq) {
        self.finished.store(call.0, Ordering::Release);
    }
}

#[cfg(all(test, brigade_model))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader copies `done` before `total`: it may meet the `done` of before with the `total` of after.
    #[test]
    fn a_call_that_starts_has_none_of_the_progress_of_the_one_before() {
        let lane = Lane::default();
        lane.start(Seq(1), 10);
        lane.progress(90, 100);
        lane.start(Seq(2), 20);
        assert_eq!((lane.done.load(Ordering::Relaxed), lane.total.load(Ordering::Relaxed)), (0, 0));
    }
}
