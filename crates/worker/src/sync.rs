//! Locks, condition variables, atomics, and the channels of a worker: those of the standard library and of
//! ipc-channel, or in a test of a model those of [loom](https://docs.rs/loom), which tries every order in
//! which threads can come to them. The models are the modules of that name; `.ci/models` runs them.

#[cfg(all(test, brigade_model))]
mod ipc;

#[cfg(not(all(test, brigade_model)))]
pub(crate) use brigade_protocol::ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender};
#[cfg(not(all(test, brigade_model)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

#[cfg(all(test, brigade_model))]
pub(crate) use self::ipc::{IpcBytesReceiver, IpcBytesSender, channel};
#[cfg(all(test, brigade_model))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
