//! A bound on how many jobs may be queued: whoever submits more waits, or is told.

use std::sync::{Arc, PoisonError};

use crate::sync::{Condvar, Mutex, MutexGuard};

/// How many jobs may be queued at once.
#[derive(Debug)]
pub struct Bound {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The place of one job in the queue. Dropping it frees the place.
#[derive(Debug)]
pub struct Permit(Arc<Bound>);

impl Bound {
    /// A bound of so many places.
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(places), freed: Condvar::new() })
    }

    /// Takes a place if one is free.
    pub fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        let mut free = self.lock();
        *free = free.checked_sub(1)?;
        drop(free);
        Some(Permit(Arc::clone(self)))
    }

    /// Takes a place, and waits until one is free.
    pub fn enter(self: &Arc<Self>) -> Permit {
        let mut free = self.lock();
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        Permit(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.freed.notify_one();
    }
}
