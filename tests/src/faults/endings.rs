//! Tasks that end badly: with an error, a panic, or the end of their worker.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::{Read as _, Seek as _, Write as _};
use std::{process, ptr, thread};

use brigade_worker::{Context, task};
use nix::libc;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::gate;

/// Panics: HOW is `plain`, or `payload` for one whose payload panics when it is dropped.
#[task(unlisted)]
pub fn panic(how: String) {
    struct Nasty;
    impl Drop for Nasty {
        fn drop(&mut self) {
            panic!("the payload was dropped");
        }
    }
    if how == "payload" {
        std::panic::panic_any(Nasty);
    }
    panic!("as it was asked to");
}

/// Returns an error.
#[task(unlisted)]
pub fn fail(message: String) -> Result<(), String> {
    Err(message)
}

/// Exits with CODE, with all that an exit does.
#[task(unlisted)]
pub fn exit(code: i32) {
    process::exit(code);
}

/// Exits at once with CODE, in another thread than the one that runs the job.
#[task(unlisted)]
pub fn exit_in_thread(code: i32) {
    thread::spawn(move || {
        // SAFETY: `_exit` is always safe to call; it does not return.
        unsafe { libc::_exit(code) }
    });
    sleep_for_ever();
}

/// Aborts.
#[task(unlisted)]
pub fn abort() {
    process::abort();
}

/// Sends its process SIGNAL.
#[task(unlisted)]
pub fn raise(signal: i32) {
    let signal = Signal::try_from(signal).expect("a signal");
    // Again and again: the handler that std has for SIGBUS and SIGSEGV takes the first one away, and another
    // thread may not have taken it yet when the second comes, which then is the same one.
    loop {
        signal::kill(Pid::this(), signal).expect("one may signal oneself");
        thread::yield_now();
    }
}

/// Reads where nothing is.
#[task(unlisted)]
pub fn segfault() -> u8 {
    let nowhere = black_box(ptr::null::<u8>());
    // SAFETY: none. It is not safe, and what the processor then does is the point of this task.
    unsafe { nowhere.read_volatile() }
}

/// Uses up its stack.
#[task(unlisted)]
pub fn overflow() -> u64 {
    fn descend(depth: u64) -> u64 {
        let room = black_box([depth; 128]);
        if depth == u64::MAX { 0 } else { descend(depth + 1) + room[1] }
    }
    descend(black_box(0))
}

/// Never ends by itself; says at GATE that it runs.
#[task(unlisted)]
pub fn hang(context: &Context, gate: String) {
    let stream = gate::visit(context, &gate).expect("the gate is there");
    black_box(&stream);
    sleep_for_ever();
}

/// Kills everything in its process group.
#[task(unlisted)]
pub fn kill_group() {
    signal::kill(Pid::from_raw(0), Signal::SIGKILL).expect("one may kill oneself");
    sleep_for_ever();
}

/// Fails in the way that HOW says (`error`, `panic`, `exit`) until it has been started TIMES times,
/// which the file COUNTER remembers; then gives its attempt back.
#[task(unlisted)]
pub fn fail_until(
    context: &Context,
    counter: String,
    times: usize,
    how: String,
) -> Result<u32, String> {
    let mut file = OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .open(counter)
        .map_err(|error| error.to_string())?;
    file.write_all(b"x").map_err(|error| error.to_string())?;
    let mut starts = Vec::new();
    file.rewind().map_err(|error| error.to_string())?;
    file.read_to_end(&mut starts).map_err(|error| error.to_string())?;
    match &*how {
        _ if starts.len() >= times => Ok(context.attempt()),
        "error" => Err(format!("start {}", starts.len())),
        "panic" => panic!("start {}", starts.len()),
        _ => process::exit(9),
    }
}

/// For tasks whose process is to end in another way than by their return.
pub(super) fn sleep_for_ever() -> ! {
    loop {
        thread::park();
    }
}
