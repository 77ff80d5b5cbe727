//! Locks, condition variables, atomics and channels: those of the standard library and of crossbeam, or in a
//! test of a model those of [loom](https://docs.rs/loom), which tries every order in which threads can come
//! to them. The models are the modules of that name; `.ci/models` runs them.

#[cfg(all(test, brigade_model))]
pub(crate) mod channel;

#[cfg(not(all(test, brigade_model)))]
pub(crate) use crossbeam_channel as channel;
#[cfg(not(all(test, brigade_model)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

#[cfg(all(test, brigade_model))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
