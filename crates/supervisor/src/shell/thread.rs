//! Threads of the pool: named, and deaf to signals.
//!
//! ipc-channel gives up on `EINTR`, and the host's handlers are the host's affair: they run in its own
//! threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::SigSet;

/// Enough for a thread that decodes messages.
const SMALL: usize = 256 * 1024;

/// Starts a thread of the pool.
pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start(Builder::new(), name, body)
}

/// Starts one of the threads of which there is one for each worker.
pub(super) fn spawn_small<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start(Builder::new().stack_size(SMALL), name, body)
}

fn start<T: Send + 'static>(
    builder: Builder,
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    builder.name(name.to_owned()).spawn(move || {
        // It fails only if the first argument of the system call were wrong.
        let _ = SigSet::all().thread_block();
        body()
    })
}
