//! What both sides of the process boundary know: tasks, jobs, and what one can do with them.
//!
//! ```text
//!  #[task] fn  ──▶ Task ──▶ Registry            Job ──▶ Executor::submit ──▶ Future
//!                   │                                        │
//!                   └─ run by a worker, with a Context       └─ a Host: a process pool, a thread
//!                      which is an Executor, too                pool, or the pool behind a job
//! ```
//!
//! A [`Task`] is a named function, a [`Job`] one call of it, a [`Future`] the handle of a submitted
//! job. An [`Executor`] takes jobs; what it needs of whatever runs them is the trait `host::Host`. Nothing
//! here starts a process or a thread, and nothing here decides.

pub mod blob;
#[doc(hidden)]
pub mod bound;
#[doc(hidden)]
pub mod buffers;
pub mod cell;
pub mod context;
pub mod error;
pub mod executor;
pub mod future;
pub mod gather;
pub mod handle;
#[doc(hidden)]
pub mod host;
pub mod job;
#[doc(hidden)]
pub mod json;
pub mod map;
#[doc(hidden)]
pub mod panics;
pub mod registry;
pub mod scope;
pub mod shared;
pub mod task;

mod bulk;
#[doc(hidden)]
pub mod ends;
mod flow;
mod in_place;
mod inherent;
#[cfg(all(test, brigade_model))]
mod models;
mod origin;
mod os;
mod pace;
#[doc(hidden)]
pub mod pack;
mod ready;
mod sync;
#[cfg(test)]
mod tests;
mod typed;

pub use brigade_macros::task;
pub use brigade_protocol::error::JobError;

pub use self::blob::Blob;
#[doc(hidden)]
pub use self::blob::outside;
pub use self::cell::Settlement;
pub use self::context::Context;
pub use self::error::{Error, Result};
pub use self::executor::Executor;
pub use self::future::Future;
pub use self::gather::{AsCompleted, ReturnWhen, Unfinished, Waited, as_completed, wait};
pub use self::handle::{Handle, Reserved};
pub use self::job::{Arguments, Encoded, Job};
pub use self::map::{Map, MapUnordered};
pub use self::registry::Registry;
pub use self::scope::Scope;
pub use self::shared::Shared;
pub use self::task::Task;

/// What the code that `#[task]` writes is made of. Nobody else may use it.
#[doc(hidden)]
pub mod __private {
    pub use linkme;

    pub use crate::job::Job;
    pub use crate::registry::TASKS;
    pub use crate::task::{Parameter, Source, Task, write};
    pub use crate::typed::{Fallible, Reader, Typed, Unreadable, argument, output, success};
}
