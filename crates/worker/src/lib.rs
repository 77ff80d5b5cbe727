//! Being a worker: all that a worker program does, from the call of [`init`] to the exit of its
//! last worker.
//!
//! ```text
//!  supervisor ── starts ──▶ fork server (init) ── forks ──▶ worker ── runs ──▶ tasks (registry)
//! ```
//!
//! A worker program is any program that calls [`init`] first thing in `main`, or that leaves its
//! whole `main` to [`serve()`]. What it offers is a [`Registry`] of [tasks](Task), which
//! [`#[task]`](macro@task) makes of functions; [`builtin`] has some that come with Brigade.
//!
//! ```no_run
//! use brigade_worker::{Registry, builtin, init};
//!
//! init(&builtin::registry()); // started as a worker, this program does not get further
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
mod worker;

pub use brigade_task::{Context, Registry, Task, task};

pub use self::serve::{init, serve};
