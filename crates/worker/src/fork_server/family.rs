//! Everything below the fork server: its workers, and what they left behind.
//!
//! The fork server is the subreaper of all its descendants, so a process whose parent dies becomes
//! its child. There are two kinds of children, and they are never mixed up:
//!
//! * a **worker** is waited for only when the supervisor asks. Until then its pid cannot be
//!   reused, so the supervisor's signals cannot hit a stranger;
//! * an **orphan** is waited for as soon as it is dead, and killed when its worker is. To find the
//!   orphans all children are listed, so that is done once after a burst of requests.

use std::collections::{HashMap, HashSet};
use std::fs;

use brigade_protocol::WORKER_VARIABLE;
use brigade_protocol::id::WorkerId;
use brigade_protocol::message::{Exit, Usage};
use nix::errno::Errno;
use nix::sys::signal::{self, SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::os;

/// How often at once escaped processes are looked for: each round finds one generation of them.
const ROUNDS: usize = 100;

/// How long the final sweep may take.
const SWEEP: TimeSpec = TimeSpec::new(0, 500_000_000);

/// The children of this process.
pub(crate) struct Family {
    workers: HashMap<WorkerId, Pid>,
    /// A worker was reaped since its orphans were last looked for.
    bereaved: bool,
    /// Where the kernel lists this process's children.
    listing: String,
}

impl Family {
    /// The family of this process, which has no children yet.
    pub(crate) fn new() -> Self {
        let pid = Pid::this();
        Self {
            workers: HashMap::new(),
            bereaved: false,
            listing: format!("/proc/{pid}/task/{pid}/children"),
        }
    }

    /// Whether it has no workers.
    pub(crate) fn is_childless(&self) -> bool {
        self.workers.is_empty()
    }

    /// Takes in a worker that has just been forked.
    pub(crate) fn add(&mut self, worker: WorkerId, pid: Pid) {
        self.workers.insert(worker, pid);
    }

    /// Waits for a worker, which should be dead, and for nobody else; says how it ended and what it
    /// used. What is left of its group is
    /// killed; what escaped from its group is killed by the next [`Family::tidy`].
    pub(crate) fn reap(&mut self, worker: WorkerId) -> (Exit, Option<Usage>) {
        let Some(pid) = self.workers.remove(&worker) else { return (Exit::Unknown, None) };
        // The pid is reserved until it is waited for: these signals cannot hit a stranger.
        kill_tree(pid);
        self.bereaved = true;
        wait_for(pid)
    }

    /// Whether a dead worker may have left orphans.
    pub(crate) fn is_bereaved(&self) -> bool {
        self.bereaved
    }

    /// Kills the orphans of dead workers, and waits for the dead that are not workers.
    pub(crate) fn tidy(&mut self) {
        self.bereaved = false;
        for _ in 0..ROUNDS {
            if !self.kill_escaped() {
                break;
            }
            self.bury();
            // Only when they are dead do their own children come to us.
            std::thread::yield_now();
        }
        self.bury();
    }

    /// Waits for those dead that are not workers.
    pub(crate) fn bury(&self) {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        // Nobody dead at all is the common case, and one system call.
        if matches!(waitid(Id::All, look), Ok(WaitStatus::StillAlive) | Err(_)) {
            return;
        }
        for orphan in self.orphans() {
            // Alive, or gone already: both are fine.
            let _ = waitpid(orphan, Some(WaitPidFlag::WNOHANG));
        }
    }

    /// Kills everything below this process, whatever it is, and waits for it. If something does
    /// not die within half a second, the alarm ends this process all the same.
    pub(crate) fn sweep(&mut self) {
        let _alarm = set_alarm();
        for pid in self.workers.drain().map(|(_, pid)| pid) {
            kill_tree(pid);
        }
        loop {
            for child in self.children() {
                let _ = signal::kill(child, Signal::SIGKILL);
            }
            // One at least dies now. The children of the dead become ours: look again.
            match waitpid(None, None) {
                Ok(_) | Err(Errno::EINTR) => collect_dead(),
                Err(_) => return,
            }
        }
    }

    /// Kills the orphans whose worker is dead; tells whether there were any.
    fn kill_escaped(&self) -> bool {
        let mut found = false;
        for orphan in self.orphans() {
            if owner(orphan).is_some_and(|worker| !self.workers.contains_key(&worker)) {
                found |= signal::kill(orphan, Signal::SIGKILL).is_ok();
            }
        }
        found
    }

    fn orphans(&self) -> impl Iterator<Item = Pid> {
        let workers: HashSet<Pid> = self.workers.values().copied().collect();
        self.children().into_iter().filter(move |pid| !workers.contains(pid))
    }

    /// All children, the dead that were not waited for included.
    fn children(&self) -> Vec<Pid> {
        let listing = fs::read_to_string(&self.listing).unwrap_or_default();
        listing
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
            .collect()
    }
}

/// Whose descendant a process is, by the mark in its environment. A zombie has none.
fn owner(pid: Pid) -> Option<WorkerId> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mark = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(WORKER_VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(mark).ok()?.parse().ok().map(WorkerId)
}

fn kill_tree(pid: Pid) {
    // The group exists only once the worker has come to make it.
    let _ = signal::killpg(pid, Signal::SIGKILL);
    let _ = signal::kill(pid, Signal::SIGKILL);
}

fn wait_for(pid: Pid) -> (Exit, Option<Usage>) {
    loop {
        match os::wait_for(pid) {
            Ok((WaitStatus::Exited(_, code), usage)) => return (Exit::Code(code), Some(usage)),
            Ok((WaitStatus::Signaled(_, signal, _), usage)) => {
                return (Exit::Signal(signal as i32), Some(usage));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return (Exit::Unknown, None),
        }
    }
}

/// Waits for everybody who is dead by now.
fn collect_dead() {
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
    {
    }
}

/// Lets the kernel end this process if the sweep takes too long. The alarm is off when dropped.
fn set_alarm() -> Option<Timer> {
    os::default_action(Signal::SIGALRM).ok()?;
    let notify = SigevNotify::SigevSignal { signal: Signal::SIGALRM, si_value: 0 };
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify)).ok()?;
    timer.set(Expiration::OneShot(SWEEP), TimerSetTimeFlags::empty()).ok()?;
    Some(timer)
}
