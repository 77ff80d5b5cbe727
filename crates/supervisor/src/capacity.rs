//! What the loop tells everybody of how much more a pool can do, so that nobody need ask it.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    appetite: AtomicUsize,
    spare: AtomicBool,
}

impl Capacity {
    /// That of a pool which can make use of so many unsettled jobs.
    pub(crate) fn new(appetite: usize) -> Self {
        Self { appetite: AtomicUsize::new(appetite), spare: AtomicBool::new(false) }
    }

    /// Says how it is now.
    pub(crate) fn tell(&self, appetite: usize, spare: bool) {
        self.appetite.store(appetite, Ordering::Relaxed);
        self.spare.store(spare, Ordering::Relaxed);
    }

    /// How many unsettled jobs the pool can make use of.
    pub(crate) fn appetite(&self) -> usize {
        self.appetite.load(Ordering::Relaxed)
    }

    /// Whether fewer workers have jobs than there are processors.
    pub(crate) fn has_spare_processor(&self) -> bool {
        self.spare.load(Ordering::Relaxed)
    }
}
