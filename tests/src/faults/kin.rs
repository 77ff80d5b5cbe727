//! Tasks that leave processes behind.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use brigade_worker::{Context, task};
use nix::libc;
use nix::unistd::{self, ForkResult};

use super::endings::sleep_for_ever;
use crate::gate;

/// Forks a copy of its worker that holds every descriptor open, waits at GATE, and then does what
/// THEN says: `return`, `exit` or `hang`.
#[task(unlisted)]
pub fn fork(context: &Context, gate: String, then: String) {
    let mut stream = gate::visit(context, &gate).expect("the gate is there");
    // SAFETY: the child of this process, which has several threads, calls nothing but `pause`.
    match unsafe { unistd::fork() }.expect("a process can be forked") {
        ForkResult::Child => loop {
            unistd::pause();
        },
        ForkResult::Parent { .. } => go_on(&mut stream, &then),
    }
}

/// Starts a program that never ends and holds the way to GATE open; HOW is `child`, or `session`
/// for one in a session of its own. Waits at the gate, then does what THEN says, as [`fork()`].
#[task(unlisted)]
#[expect(clippy::zombie_processes, reason = "leaving it behind is what this task is for")]
pub fn leave(context: &Context, gate: String, how: String, then: String) {
    let mut stream = gate::visit(context, &gate).expect("the gate is there");
    let words =
        if how == "session" { &["setsid", "sleep", "1000"][..] } else { &["sleep", "1000"] };
    let held = OwnedFd::from(stream.try_clone().expect("a socket can be copied"));
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::from(held));
    command.spawn().expect("there is such a program");
    go_on(&mut stream, &then);
}

fn go_on(stream: &mut UnixStream, then: &str) {
    gate::wait(stream).expect("the test lets it go");
    match then {
        "return" => {}
        "exit" => {
            // SAFETY: `_exit` is always safe to call; it does not return.
            unsafe { libc::_exit(7) }
        }
        _ => sleep_for_ever(),
    }
}
