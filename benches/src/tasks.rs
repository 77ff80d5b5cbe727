//! The tasks that are measured, beside the built-in ones.

use std::thread;
use std::time::Duration;

use brigade_worker::{Context, Registry, builtin, task};

/// Gives N back.
#[task(unlisted)]
pub fn noop(n: u64) -> u64 {
    n
}

/// Sleeps for so many microseconds.
#[task(unlisted)]
pub fn nap(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

/// Sleeps until its worker is killed; the second attempt returns at once.
#[task(unlisted)]
pub fn die_once(context: &Context) -> u32 {
    while context.attempt() == 1 {
        thread::park();
    }
    context.attempt()
}

/// The built-in tasks and those of this module.
///
/// # Panics
///
/// If two of them have one name.
pub fn registry() -> Registry {
    let own = [&noop::TASK, &nap::TASK, &die_once::TASK];
    let all: Vec<_> = builtin::ALL.iter().copied().chain(own).collect();
    Registry::new(&all).expect("the tasks have different names")
}
