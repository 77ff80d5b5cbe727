//! What the system says of a process: memory and processor time.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The memory of a process in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Its proportional set size: shared pages count in parts.
    pub proportional: f64,
    /// What it has in memory, shared or not.
    pub resident: f64,
}

/// The memory of a process, from `smaps_rollup`.
///
/// # Errors
///
/// If the process is gone or may not be looked at.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    match (line("Pss:"), line("Rss:")) {
        (Some(proportional), Some(resident)) => Ok(Memory { proportional, resident }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The parent of a process.
///
/// # Errors
///
/// If the process is gone.
pub fn parent(pid: u32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
    parent.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Begins a new look at the most memory that this process has had: see [`most_memory`].
///
/// # Panics
///
/// If the system does not allow it.
pub fn forget_most_memory() {
    fs::write("/proc/self/clear_refs", "5").expect("a process may do that for itself");
}

/// The most memory that this process has had since [`forget_most_memory`], and what it has now, in KiB.
///
/// # Panics
///
/// If the system does not tell.
pub fn most_memory() -> (f64, f64) {
    let status = fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok());
        value.expect("the status has its memory")
    };
    (line("VmHWM:"), line("VmRSS:"))
}

/// The processor time of this thread so far.
///
/// # Panics
///
/// If the system does not tell.
pub fn time_of_thread() -> Duration {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    Duration::from(time.expect("each thread has a clock"))
}

/// The processor time, user and system, of all descendants of this process that have been waited
/// for, theirs included.
///
/// # Panics
///
/// If the system does not tell.
pub fn time_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts processor time");
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}
