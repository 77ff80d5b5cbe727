//! Crash-isolated process pools: `concurrent.futures` for Rust, done right.
//!
//! A [`ProcessPool`] starts this very program again as its worker program, which forks workers. Jobs
//! go to them in bincode and come back as results or as one typed [`JobError`] each. A worker that
//! dies takes nothing with it but the attempt that it was running.
//!
//! ```standalone_crate
#![doc = include_str!("../examples/primes.rs")]
//! ```
//!
//! [`#[task]`](macro@task) makes a function a task: a call of it is a [`Job`], and `count_primes::call(0, 100)`
//! is the plain function. [`init()`] belongs at the top of `main`; a program without it gets an error from
//! its first pool, and in tests [`test_support!`] stands in for it. A job can also be run in place:
//!
//! ```standalone_crate
//! use brigade::{Context, Executor, task};
//!
//! #[task]
//! fn fib(context: &Context, n: u64) -> brigade::Result<u64> {
//!     if n < 2 {
//!         return Ok(n);
//!     }
//!     let (a, b) = (context.submit(fib(n - 1)), context.submit(fib(n - 2)));
//!     Ok(a.result()? + b.result()?)
//! }
//!
//! fn main() -> brigade::Result<()> {
//!     assert_eq!(fib(10).run()?, 55);
//!     Ok(())
//! }
//! ```
//!
//! This crate holds little of its own: it gathers what is in [`brigade_supervisor`] (pools, futures,
//! errors), in [`brigade_task`] (tasks and jobs) and in [`brigade_worker`] (being a worker).

mod test_support;

pub use brigade_supervisor::{
    Builder, Control, Failure, InitializerError, JobError, Lane, OutputLine, Prefetch, ProcessPool,
    RestartIntensity, Running, Shutdown, Snapshot, StartError, Statistics, ThreadPool,
    ThreadPoolBuilder, WorkerInfo, protocol,
};
pub use brigade_task::{
    AsCompleted, Context, Error, Executor, Future, Handle, Job, Map, MapUnordered, Registry,
    Reserved, Result, ReturnWhen, Scope, Settlement, Task, Unfinished, Waited, as_completed, json,
    task, wait,
};
pub use brigade_worker::{builtin, init, init_with, serve, serve_with};

/// What the code that macros write is made of. Nobody else may use it.
#[doc(hidden)]
pub use brigade_worker::__private;

#[cfg(test)]
crate::test_support!();

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives X back, from another process.
    #[task(crate = crate)]
    fn bring(x: u32) -> (u32, u32) {
        (x, std::process::id())
    }

    #[test]
    fn unit_tests_have_pools_of_their_own_program() {
        let pool = ProcessPool::builder().workers(1).build().unwrap();
        let (x, pid) = pool.submit(bring(7)).result().unwrap();
        assert_eq!(x, 7);
        assert_ne!(pid, std::process::id());
        assert_eq!(bring::call(7), (7, std::process::id()));
    }

    #[test]
    fn an_error_of_main_reads_well() {
        let error = Error::from(StartError::IsWorker);
        assert_eq!(format!("{error:?}"), error.to_string());
        assert!(error.to_string().contains("call brigade::init() first thing in main"));
    }
}
