//! Being a worker: all that a worker program does, from the call of [`init`] to the exit of its
//! last worker.
//!
//! ```text
//!  supervisor ── starts ──▶ fork server (init) ── forks ──▶ worker ── runs ──▶ tasks (registry)
//! ```
//!
//! A worker program is any program that calls [`init()`] first thing in `main`, or that leaves its
//! whole `main` to [`serve()`]. What it offers are its [tasks](Task), which [`#[task]`](macro@task) makes
//! of functions: all of them, or those of a [`Registry`] that is given to [`init_with`]. [`builtin`] has
//! some that come with Brigade, and that are offered only by a registry.
//!
//! ```
//! use brigade::{builtin, init_with};
//!
//! init_with(&builtin::registry()); // started as a worker, this program does not get further
//! ```
//!
//! Nothing here decides anything: what runs where, what is tried again and who must die is the
//! supervisor's affair. This crate knows nothing of the supervisor but the protocol.

pub mod builtin;

mod board;
mod complain;
mod fork_server;
mod os;
mod serve;
mod sync;
mod worker;

pub use brigade_task::{Context, Registry, Task, task};

pub use self::serve::{init, init_with, serve, serve_with};

/// What the code that macros write is made of. Nobody else may use it.
#[doc(hidden)]
pub mod __private {
    pub use brigade_task::__private::*;

    pub use crate::serve::init_before_main;
}
