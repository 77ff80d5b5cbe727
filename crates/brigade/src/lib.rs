//! Crash-isolated process pools: `concurrent.futures` for Rust, done right.
//!
//! A [`ProcessPool`] starts this very program again as its worker program, which forks workers. Jobs
//! go to them in bincode and come back as results or as one typed [`JobError`] each. A worker that
//! dies takes nothing with it but the attempt that it was running.
//!
//! ```no_run
#![doc = include_str!("../examples/primes.rs")]
//! ```
//!
//! This crate holds nothing of its own: it gathers what is in [`brigade_supervisor`] (pools, futures,
//! errors) and in [`brigade_worker`] (tasks, and being a worker).

pub use brigade_supervisor::{
    Builder, Control, Failure, Future, Job, JobError, OutputLine, Prefetch, ProcessPool,
    RestartIntensity, Shutdown, StartError, ThreadPool, ThreadPoolBuilder, WorkerInfo, protocol,
};
pub use brigade_task::{Context, Executor, Handle, Registry, Reserved, Task, json, task};
pub use brigade_worker::{builtin, init, serve};
