//! Tasks that misbehave, or tell what the process they run in is like.

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::process::Command;
use std::sync::Mutex;

use brigade_worker::{Registry, Task, builtin, task};
use nix::sys::signal::{self, Signal};
use nix::unistd;

use crate::nesting;

pub(crate) fn registry() -> Registry {
    let own: &[&'static Task] = &[
        &hold::TASK,
        &hold_perhaps::TASK,
        &panics::TASK,
        &exit::TASK,
        &kill::TASK,
        &overflow::TASK,
        &leave::TASK,
        &surroundings::TASK,
        &fill::TASK,
        &load::TASK,
        &loaded::TASK,
        &niceness::TASK,
        &thread_behind::TASK,
        &eat::TASK,
        &burn::TASK,
        &doze::TASK,
    ];
    Registry::new(&[builtin::ALL, own, nesting::ALL].concat()).expect("their names differ")
}

/// Runs until somebody opens the named pipe at PATH for writing.
#[task(crate = ::brigade_task, unlisted)]
fn hold(path: String) -> u64 {
    drop(fs::File::open(path));
    0
}

/// As `hold`, if there is a PATH.
#[task(crate = ::brigade_task, unlisted)]
fn hold_perhaps(path: Option<String>) -> u64 {
    path.map_or(0, hold::call)
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
        let room = black_box([depth; 64]);
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

/// What was loaded, and in which process.
static LOADED: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());

/// Keeps TEXT for [`loaded`], unless it is empty; a thread that it starts is gone when it returns.
#[task(crate = ::brigade_worker, unlisted)]
fn load(text: String) -> Result<(), String> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).map_err(|error| error.to_string())?;
    if text.is_empty() {
        return Err(format!("nothing to load{input}"));
    }
    std::thread::spawn(move || {
        LOADED.lock().expect("nobody panics").push((text, std::process::id()));
    })
    .join()
    .map_err(|_| "it panicked".to_owned())
}

/// What was loaded, and whether in this process.
#[task(crate = ::brigade_worker, unlisted)]
fn loaded() -> Vec<(String, bool)> {
    let loaded = LOADED.lock().expect("nobody panics");
    loaded.iter().map(|(text, pid)| (text.clone(), *pid == std::process::id())).collect()
}

/// The niceness of the process that it runs in.
#[task(crate = ::brigade_worker, unlisted)]
fn niceness() -> i32 {
    let stat = fs::read_to_string("/proc/self/stat").expect("readable");
    let fields = stat.rsplit(") ").next().expect("fields follow the name");
    fields.split(' ').nth(16).expect("it is the 19th field").parse().expect("a number")
}

/// Leaves so many threads behind.
#[task(crate = ::brigade_worker, unlisted)]
fn thread_behind(count: u32) {
    for _ in 0..count {
        std::thread::spawn(std::thread::park);
    }
}

/// Leaks so many bytes.
#[task(crate = ::brigade_worker, unlisted)]
fn eat(bytes: usize) {
    black_box(vec![1_u8; bytes].leak());
}

/// Burns so many milliseconds of CPU time, and fails unless WELL.
#[task(crate = ::brigade_worker, unlisted)]
fn burn(milliseconds: i64, well: bool) -> Result<(), String> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("known");
        (usage.user_time() + usage.system_time()).num_milliseconds()
    };
    let start = used();
    while used() < start + milliseconds {
        black_box((0..1000_u64).sum::<u64>());
    }
    if well { Ok(()) } else { Err("burnt".into()) }
}

/// Does nothing for so many milliseconds, and fails.
#[task(crate = ::brigade_worker, unlisted)]
fn doze(milliseconds: u64) -> Result<(), String> {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    Err("dozed".into())
}
