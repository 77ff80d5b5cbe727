//! The harness of the end-to-end tests, and the tasks that misbehave.
//!
//! Nothing here sleeps to let something happen. A task that runs says so at a [`gate`]; a process
//! that is dead shows it on a pidfd or by the end of a socket that it held ([`process`]); a program
//! ends by exiting ([`program`]). Where the system offers nothing to wait for, there is one helper,
//! [`process::until`], that looks again and again and has a deadline.

#![expect(
    clippy::missing_panics_doc,
    reason = "panicking is how a harness says that a test failed"
)]

use std::time::Duration;

pub mod faults;
pub mod gate;
pub mod process;
pub mod program;
pub mod random;

/// How long anything may take that is not itself promised to be faster.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A value as JSON text.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("it is plain data")
}
