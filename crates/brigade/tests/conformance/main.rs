//! Conformance: what `concurrent.futures` promises in its own tests, and what Brigade promises beyond it.
//!
//! Each module but [`promises`] has the name of a file of CPython's `Lib/test/test_concurrent_futures/`, and
//! `tests/conformance.md` says for each test there which one of ours is the same, or why there is none. Where
//! CPython has the whole pool break, ours have only that job fail: see [`support::assert_intact`].

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails says that the test failed"
)]

mod as_completed;
mod deadlock;
mod executor;
mod future;
mod init;
mod process_pool;
mod promises;
mod sandbox;
mod shutdown;
mod support;
mod thread_pool;
mod wait;

brigade::test_support!();
