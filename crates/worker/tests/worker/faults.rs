//! Tasks that misbehave, or tell what the process they run in is like.

use std::fs;
use std::io::Read;
use std::process::Command;

use brigade_worker::{Registry, Task, builtin, task};
use nix::sys::signal::{self, Signal};
use nix::unistd;

pub(crate) fn registry() -> Registry {
    let own: &[&'static Task] = &[
        &hold::TASK,
        &panics::TASK,
        &exit::TASK,
        &kill::TASK,
        &overflow::TASK,
        &leave::TASK,
        &surroundings::TASK,
        &fill::TASK,
    ];
    Registry::new(&[builtin::ALL, own].concat()).expect("their names differ")
}

/// Runs until somebody opens the named pipe at PATH for writing.
#[task(crate = ::brigade_task, unlisted)]
fn hold(path: String) -> u64 {
    drop(fs::File::open(path));
    0
}

/// Panics; if NASTY, with a payload that panics once more when it is dropped.
#[task(crate = ::brigade_task, unlisted)]
fn panics(nasty: bool) {
    struct Nasty;
    impl Drop for Nasty {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    if nasty {
        std::panic::panic_any(Nasty);
    }
    panic!("as it was asked to");
}

/// Exits.
#[task(crate = ::brigade_task, unlisted)]
fn exit(code: i32) {
    std::process::exit(code);
}

/// Gets a signal.
#[task(crate = ::brigade_task, unlisted)]
fn kill(number: i32) {
    signal::raise(Signal::try_from(number).expect("a signal")).expect("sent");
}

/// Uses up the stack.
#[task(crate = ::brigade_task, unlisted)]
fn overflow(depth: u64) -> u64 {
    fn descend(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { descend(depth + 1) + room[1] }
    }
    descend(depth)
}

/// Leaves a process behind, in a session of its own if ESCAPE.
#[task(crate = ::brigade_task, unlisted)]
#[expect(clippy::zombie_processes, reason = "it is what this task is for")]
fn leave(escape: bool) -> u32 {
    let program = if escape { &["setsid", "sleep", "1000"][..] } else { &["sleep", "1000"] };
    let child = Command::new(program[0]).args(&program[1..]).spawn().expect("started");
    child.id()
}

/// Tells what it finds: session leader or not, bytes on standard input, blocked signals, environment.
#[task(crate = ::brigade_task, unlisted)]
fn surroundings() -> Vec<String> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).expect("readable");
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let blocked = status.lines().find(|line| line.starts_with("SigBlk")).expect("there");
    let session = unistd::getsid(None).expect("known") == unistd::getpid();
    let variables = ["BRIGADE_FORK_SERVER", "BRIGADE_NOFILE", "BRIGADE_WORKER"];
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let mut found = vec![
        format!("session leader {session}"),
        format!("stdin {}", input.len()),
        blocked.split_whitespace().collect(),
        format!("descriptors {}", limit.expect("known").0),
    ];
    found.extend(variables.map(|name| format!("{name} {:?}", std::env::var(name).ok())));
    found
}

/// A text of so many bytes.
#[task(crate = ::brigade_task, unlisted)]
fn fill(bytes: usize) -> String {
    "x".repeat(bytes)
}
