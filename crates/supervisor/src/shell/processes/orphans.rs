//! What a killed fork server leaves behind, when this process is a child subreaper.

use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, waitpid};
use rustix::process::{Pid, Signal, kill_process};

/// How long the sweep may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Kills and reaps every child of this process but those to be spared, until none is left.
///
/// The children of the killed appear here in turn, one generation after the other.
pub(super) fn sweep(spared: &[Pid]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut children = children();
        children.retain(|pid| !spared.contains(pid));
        if children.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in &children {
            let _ = kill_process(*pid, Signal::KILL);
        }
        for pid in children {
            let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
            // It was sent SIGKILL, so the wait is short; unless it is stuck in the kernel.
            while matches!(
                waitpid(pid, Some(WaitPidFlag::WNOHANG)),
                Ok(nix::sys::wait::WaitStatus::StillAlive)
            ) && Instant::now() < deadline
            {
                std::thread::yield_now();
            }
        }
    }
}

/// The children of all threads of this process.
pub(in crate::shell) fn children() -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.filter_map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}
