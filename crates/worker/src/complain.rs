//! Last words: how a process of ours says on standard error why it ends.
//!
//! Both the fork server's and a worker's standard error lead to the supervisor, which quotes them.

use std::fmt;
use std::io::{self, Write};

/// Writes one line to standard error.
///
/// Unlike `eprintln!` it does not panic when nobody reads any more.
pub(crate) fn complain(what: fmt::Arguments<'_>) {
    // One write, so that lines of several processes do not mix.
    let line = format!("brigade {what}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The exit code of a process that found the other side, or itself, talking nonsense (`EX_SOFTWARE`).
pub(crate) const BROKEN: i32 = 70;
