//! Crash-isolated process pools: `concurrent.futures` for Rust, done right.
//!
//! A [`ProcessPool`] starts this very program again as its worker program, which forks workers. Jobs
//! go to them in bincode and come back as results or as one typed [`JobError`] each. A worker that
//! dies takes nothing with it but the attempt that it was running. A [`ThreadPool`] does the same on
//! threads of this process, without the isolation.
//!
//! # In five minutes
//!
//! ```standalone_crate
#![doc = include_str!("../examples/primes.rs")]
//! ```
//!
//! [`#[task]`](macro@task) makes a function a task. A call of it is a [`Job`], which any [`Executor`] takes;
//! `count_primes::call(0, 100)` is the plain function, and `count_primes(0, 100).run()` runs the job in this
//! place. [`init()`] belongs at the top of `main`: this very program, started as a worker program, goes
//! no further. A program without it gets an error from its first pool; in tests [`test_support!`] stands in
//! for it.
//!
//! **Many jobs.** [`map`](ProcessPool::map) takes an iterator of jobs, pulls it only as results are taken,
//! and goes on after a failure. [`as_completed`] gives futures back in the order in which they are done,
//! [`wait`] until the first is, or all are. A [`Future`] can be awaited under any runtime, given a
//! [callback](Future::on_done), [cancelled](Future::cancel) and [killed](Future::kill).
//!
//! **How a job is run** is said on the job, or for all of them on the pool's [`Builder`]:
//!
//! ```standalone_crate
//! use std::time::Duration;
//! use brigade::{ProcessPool, task};
//!
//! #[task]
//! fn fetch(url: String) -> Result<String, String> {
//!     match url.as_str() {
//!         "hang" => loop { std::thread::park() },
//!         "crash" => std::process::abort(),
//!         url => Err(format!("cannot reach {url}")),
//!     }
//! }
//!
//! fn main() -> brigade::Result<()> {
//!     brigade::init();
//!     let pool = ProcessPool::builder().workers(2).crash_retries(1).build()?;
//!     let job = |url: &str| fetch(url.to_owned()).timeout(Duration::from_millis(200)).label(url);
//!
//!     let error = pool.submit(job("hang")).result().unwrap_err();
//!     assert!(error.is_timed_out());
//!     let error = pool.submit(job("crash")).result().unwrap_err();
//!     assert!(error.is_quarantined() && error.signal() == Some("SIGABRT"));
//!     assert_eq!(error.attempts(), 2);
//!     let error = pool.submit(job("nowhere").retries(3)).result().unwrap_err();
//!     assert_eq!((error.cause().as_str(), error.attempts()), ("cannot reach nowhere", 4));
//!     Ok(())
//! }
//! ```
//!
//! **Jobs that submit jobs.** A task whose first parameter is a [`&Context`](Context) can submit jobs to its own
//! pool and wait for them. While it waits its place is given to another worker, so one worker is enough, and
//! a wait that would close a cycle ends at once, in each job of the cycle, with an error that names it:
//!
//! ```standalone_crate
//! use brigade::{Context, ProcessPool, task};
//!
//! #[task]
//! fn fib(context: &Context, n: u64) -> brigade::Result<u64> {
//!     if n < 2 {
//!         return Ok(n);
//!     }
//!     let (a, b) = (context.submit(fib(n - 1)), context.submit(fib(n - 2)));
//!     Ok(context.wait(a)? + context.wait(b)?)
//! }
//!
//! fn main() -> brigade::Result<()> {
//!     brigade::init();
//!     let pool = ProcessPool::builder().workers(1).build()?;
//!     assert_eq!(pool.submit(fib(10)).result()?, 55);
//!     assert_eq!(fib(10).run()?, 55, "and in this place");
//!     Ok(())
//! }
//! ```
//!
//! A [`Handle`] names a job and can be an argument of another; [`reserve`](ProcessPool::reserve) gives one
//! before there is a job.
//!
//! # More
//!
//! * [Coming from `concurrent.futures`](coming_from_concurrent_futures)
//! * [Coming from rayon](coming_from_rayon)
//! * The examples: one short program for each thing that people come for.
//!
//! This crate holds nothing of its own: it gathers what is in [`brigade_supervisor`] (pools), in
//! [`brigade_task`] (tasks, jobs, futures) and in [`brigade_worker`] (being a worker).

#[doc = include_str!("coming_from_concurrent_futures.md")]
pub mod coming_from_concurrent_futures {}
#[doc = include_str!("coming_from_rayon.md")]
pub mod coming_from_rayon {}

mod test_support;

pub use brigade_supervisor::{
    Builder, Control, Failure, InitializerError, JobError, Lane, OutputLine, Prefetch, ProcessPool,
    RestartIntensity, Running, Shutdown, Snapshot, StartError, Statistics, ThreadPool,
    ThreadPoolBuilder, WorkerInfo, protocol,
};
pub use brigade_task::{
    AsCompleted, Blob, Context, Error, Executor, Future, Handle, Job, Map, MapUnordered, Registry,
    Reserved, Result, ReturnWhen, Scope, Settlement, Shared, Task, Unfinished, Waited,
    as_completed, json, task, wait,
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
