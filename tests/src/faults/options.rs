//! Tasks that tell what their worker was made like, and tasks that use much of the machine.

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use brigade_protocol::codec;
use brigade_protocol::message::FromWorker;
use brigade_worker::task;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::endings::sleep_for_ever;
use super::wire;

/// What was loaded into this process or the one it was forked from, and by which process.
static LOADED: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());

/// Keeps TEXT for `loaded`; a thread that it starts is gone when it returns.
#[task(unlisted)]
pub fn load(text: String) {
    let keep = || LOADED.lock().expect("nobody panics").push((text, std::process::id()));
    std::thread::scope(|scope| scope.spawn(keep).join()).expect("nobody panics");
}

/// What was loaded, and whether this very process did it.
#[task(unlisted)]
pub fn loaded() -> Vec<(String, bool)> {
    let loaded = LOADED.lock().expect("nobody panics");
    loaded.iter().map(|(text, pid)| (text.clone(), *pid == std::process::id())).collect()
}

/// Prints TEXT without an end of the line.
#[task(unlisted)]
pub fn mutter(text: String) {
    std::io::stdout().write_all(text.as_bytes()).expect("somebody reads");
}

/// Panics, and once more while that is going on, which ends the process.
#[task(unlisted)]
pub fn panic_twice() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("the second time");
        }
    }
    let _again = Again;
    panic!("the first time");
}

/// Fails if there is no file PATH.
#[task(unlisted)]
pub fn need(path: PathBuf) -> Result<(), String> {
    fs::metadata(&path).map(drop).map_err(|error| format!("{}: {error}", path.display()))
}

/// The working directory, the niceness, and the values of the variables NAMES.
#[task(unlisted)]
pub fn surroundings(names: Vec<String>) -> (PathBuf, i32, Vec<Option<String>>) {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let fields = stat.rsplit(") ").next().expect("fields follow the name");
    let niceness = fields.split(' ').nth(16).expect("it is the 19th field");
    let values = names.iter().map(|name| std::env::var(name).ok()).collect();
    (std::env::current_dir().expect("there is one"), niceness.parse().expect("a number"), values)
}

/// The scheduling policies of the threads of this worker.
#[task(unlisted)]
pub fn policies() -> Vec<i32> {
    let threads = fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let policy_of = |thread: PathBuf| {
        let stat = fs::read_to_string(thread.join("stat")).expect("it is alive");
        let fields = stat.rsplit(") ").next().expect("fields follow the name");
        let policy = fields.split(' ').nth(38).expect("it is the 41st field");
        policy.parse().expect("a number")
    };
    threads.map(|thread| policy_of(thread.expect("it can be listed").path())).collect()
}

/// Leaves COUNT threads behind.
#[task(unlisted)]
pub fn thread_behind(count: u32) {
    for _ in 0..count {
        std::thread::spawn(std::thread::park);
    }
}

/// Leaks BYTES, which are touched; gives its pid back, or exits if THEN is `exit`.
#[task(unlisted)]
pub fn eat(bytes: usize, then: String) -> u32 {
    black_box(vec![1_u8; bytes].leak());
    if then == "exit" {
        std::process::exit(7);
    }
    std::process::id()
}

/// Uses MILLISECONDS of CPU time, and then does what THEN says: `fail`, `return` or `hang`.
#[task(unlisted)]
pub fn burn(milliseconds: i64, then: String) -> Result<(), String> {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("it is known");
        (usage.user_time() + usage.system_time()).num_milliseconds()
    };
    let start = used();
    while used() < start + milliseconds {
        black_box((0..1000_u64).sum::<u64>());
    }
    match &*then {
        "return" => Ok(()),
        "hang" => sleep_for_ever(),
        _ => Err("burnt".to_owned()),
    }
}

/// Says TIMES times that its worker has grown; then never ends.
#[task(unlisted)]
pub fn claim_growth(times: u32) {
    let message = codec::encode(&FromWorker::Grown).expect("it is a message");
    for _ in 0..times {
        wire::send(&message);
    }
    sleep_for_ever();
}
