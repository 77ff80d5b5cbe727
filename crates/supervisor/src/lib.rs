//! Crash-isolated process pools: jobs run in worker processes, and one worker's death touches no
//! other job. And the same on threads, without the isolation.
//!
//! ```text
//!  |================== supervisor process ===================|  |==== worker processes ====|
//!
//!   client ── submit ──▶ ┌───────┐ Event ┌───────────┐ Action ┌─────────┐ spawn ┌────────┐
//!                        │ inbox │ ────▶ │ Scheduler │ ─────▶ │  Shell  │ ────▶ │ slot 0 │
//!   watch thread ──────▶ │       │       │  (pure)   │        │ performs│ send  │ slot 1 │
//!   reader threads ────▶ └───────┘       └───────────┘        └─────────┘ kill  │  ...   │
//!          ▲                                   │ Settle(JobId, outcome)         └────────┘
//!          │                                   ▼                                    │
//!          │                        a future, or a stream                           │
//!          └──────────────────── replies, then exit, in that order ─────────────────┘
//! ```
//!
//! The [`scheduler`] decides and touches nothing; the shell performs and decides nothing.

mod builder;
mod capacity;
pub mod error;
mod host;
mod owner;
mod poll;
mod pool;
pub mod scheduler;
mod shell;
mod sink;
mod stream;
mod sync;
mod thread_pool;

#[cfg(feature = "cli")]
pub mod cli;

pub use brigade_protocol as protocol;
pub use brigade_task::{
    AsCompleted, Executor, Future, Handle, Job, Map, MapUnordered, Reserved, ReturnWhen, Scope,
    Settlement, Unfinished, Waited, as_completed, wait,
};
pub use builder::{Builder, OutputHandler, OutputLine};
pub use error::{Failure, InitializerError, JobError, StartError, WorkerInfo};
pub use pool::{Control, Lane, ProcessPool, Running, Shutdown, Snapshot, Statistics};
pub use scheduler::{Limits, Prefetch, RestartIntensity};
pub use stream::{Feed, Settlements};
pub use thread_pool::{ThreadPool, ThreadPoolBuilder};
