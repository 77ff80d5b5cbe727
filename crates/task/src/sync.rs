//! Locks, condition variables and parking: those of the standard library, or in a test of a model those of
//! [loom](https://docs.rs/loom), which tries every order in which threads can come to them.

#[cfg(not(all(test, brigade_model)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, brigade_model)))]
pub(crate) use std::thread;

#[cfg(all(test, brigade_model))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

#[cfg(all(test, brigade_model))]
pub(crate) mod thread {
    pub(crate) use loom::thread::{Thread, current, park};

    /// Loom has no time.
    pub(crate) fn park_timeout(_: std::time::Duration) {
        unreachable!("no test of a model has a deadline");
    }
}
