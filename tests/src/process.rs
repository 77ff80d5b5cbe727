//! Processes, seen from outside: through pidfds and `/proc`.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::DEADLINE;

/// This thread, and what it starts, gets a processor when nobody else wants one.
///
/// # Panics
///
/// If the kernel refuses.
pub fn become_idle() {
    let no_priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads the parameters, which outlive the call.
    let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const no_priority) };
    Errno::result(set).expect("everybody may be idle");
}

/// A process that was alive when this was made, and whose death can be awaited. Whatever its pid
/// is used for later, this stays about it.
#[derive(Debug)]
pub struct Watched {
    pid: u32,
    pidfd: Option<OwnedFd>,
}

impl Watched {
    /// Watches a process; one that is gone already is dead.
    pub fn new(pid: u32) -> Self {
        Self { pid, pidfd: pidfd_open(as_pid(pid), PidfdFlags::empty()).ok() }
    }

    /// Waits for its death.
    #[track_caller]
    pub fn await_death(&self, within: Duration) {
        let Some(pidfd) = &self.pidfd else { return };
        let timeout = within.try_into().ok();
        let dead = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], timeout.as_ref());
        let dead = dead.expect("poll works") == 1;
        assert!(dead, "process {} lives on after {within:?}: {}", self.pid, describe(self.pid));
    }

    /// Waits until it is dead and has been waited for by its parent.
    #[track_caller]
    pub fn await_burial(&self) {
        self.await_death(DEADLINE);
        until("its parent waits for it", DEADLINE, || {
            let zombie = state(self.pid) == Some('Z');
            (!zombie).then_some(())
        });
    }

    /// Whether it is dead now.
    pub fn is_dead(&self) -> bool {
        let now = Duration::ZERO.try_into().ok();
        self.pidfd.as_ref().is_none_or(|pidfd| {
            poll(&mut [PollFd::new(pidfd, PollFlags::IN)], now.as_ref()).expect("poll works") == 1
        })
    }
}

/// Kills a process, and waits until it is dead (not until it is buried).
#[track_caller]
pub fn kill(pid: u32) {
    let watched = Watched::new(pid);
    send(pid, Signal::KILL);
    watched.await_death(DEADLINE);
}

/// Sends a signal to a process. That it is gone already is no error.
pub fn send(pid: u32, signal: Signal) {
    let _ = kill_process(as_pid(pid), signal);
}

/// The parent of a process, if that is alive.
pub fn parent(pid: u32) -> Option<u32> {
    status(pid, "PPid")?.parse().ok()
}

/// The children of all threads of a process, zombies included.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| pids(&list)).collect()
}

/// The workers of a supervisor: the children of its fork server, which is its only child.
pub fn workers_of(supervisor: u32) -> Vec<u32> {
    let living = |pid: &u32| state(*pid).is_some_and(|state| state != 'Z');
    children(supervisor).into_iter().flat_map(children).filter(living).collect()
}

/// The state of a process by its letter: `R`, `S`, `T`, `Z`; `None` if there is no such process.
pub fn state(pid: u32) -> Option<char> {
    status(pid, "State")?.chars().next()
}

/// A size from `/proc/PID/status`, `VmRSS` or `VmHWM`, in KiB.
pub fn size_kib(pid: u32, field: &str) -> Option<u64> {
    status(pid, field)?.split_whitespace().next()?.parse().ok()
}

/// How many descriptors a process has open.
pub fn descriptors(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// All living processes whose environment has this entry, `NAME=value`.
pub fn marked(entry: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(|pid| has_mark(*pid, entry)).collect()
}

fn has_mark(pid: u32, entry: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
}

/// What is known of a process, for messages.
pub fn describe(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let (state, parent) = (state(pid), parent(pid));
    format!("{command:?}, state {state:?}, parent {parent:?}")
}

/// Looks again and again until `look` finds something; panics when `within` is over.
///
/// Only for what the system gives no way to wait for.
#[track_caller]
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn status(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

fn pids(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn as_pid(pid: u32) -> Pid {
    let raw = i32::try_from(pid).expect("pids are small");
    Pid::from_raw(raw).expect("pids are not zero")
}
