//! Signals become actions: the first one to end the run lets running jobs finish, the second kills
//! them, and Ctrl-Z stops workers and clocks together with us.
//!
//! ```text
//!  SIGINT, SIGTERM, SIGHUP   1st: take no more jobs, finish what runs within the grace
//!                            2nd: kill; leave after a second, whatever hangs
//!                            3rd: leave at once
//!  SIGTSTP                   pause the pool, stop; when continued, resume
//! ```
//!
//! A signal that was ignored when we were started (`nohup`, a background job of a shell without job
//! control) stays ignored. signal-hook installs its handlers with `SA_RESTART`, which ipc-channel
//! needs: it gives up on `EINTR`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use nix::sys::signal::{Signal, raise};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals as Pending;

use super::feeder::Intake;
use super::screen::Screen;
use crate::{Control, Shutdown};

/// A signal that comes within this time of the first is the same signal.
const REPETITION: Duration = Duration::from_millis(20);

/// How long the end may take after the second signal.
const PATIENCE: Duration = Duration::from_secs(1);

/// The signals of this process, caught from now on and kept until they are watched.
pub(super) struct Signals {
    pending: Pending,
}

/// What a signal acts upon.
pub(super) struct Reins {
    pub(super) control: Control,
    pub(super) grace: Duration,
    pub(super) intake: Arc<Intake>,
    pub(super) screen: Arc<Screen>,
}

/// What is known of the signals of a run. Dropped when the run is over.
pub(super) struct Watch {
    first: Arc<AtomicI32>,
    /// Its end tells the thread that the run is over.
    _running: Sender<()>,
}

impl Watch {
    /// The first signal that asked us to end.
    pub(super) fn first(&self) -> Option<i32> {
        Some(self.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl Signals {
    /// Catches the signals.
    pub(super) fn catch() -> io::Result<Self> {
        let ignored = ignored_signals(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        let caught = [SIGINT, SIGTERM, SIGHUP, SIGTSTP];
        let caught = caught.iter().filter(|signal| ignored >> (**signal - 1) & 1 == 0);
        Ok(Self { pending: Pending::new(caught)? })
    }

    /// The first signal that has come by now and asks us to end.
    pub(super) fn come(&mut self) -> Option<i32> {
        self.pending.pending().find(|signal| *signal != SIGTSTP)
    }

    /// Starts the thread that acts on them.
    pub(super) fn watch(self, reins: Reins) -> io::Result<Watch> {
        let first = Arc::new(AtomicI32::new(0));
        let (running, over) = bounded(0);
        let watcher = Watcher { reins, first: Arc::clone(&first), over, count: 0 };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || watcher.run(self.pending))?;
        Ok(Watch { first, _running: running })
    }
}

struct Watcher {
    reins: Reins,
    first: Arc<AtomicI32>,
    over: Receiver<()>,
    count: u32,
}

impl Watcher {
    fn run(mut self, mut pending: Pending) {
        // `wait` rather than `forever`: repetitions of the first signal are taken out in between.
        loop {
            let arrived: Vec<i32> = pending.wait().collect();
            for signal in arrived {
                match signal {
                    SIGTSTP => self.stop_for_a_while(),
                    _ => self.end(signal, &mut pending),
                }
            }
        }
    }

    fn end(&mut self, signal: i32, pending: &mut Pending) {
        let Reins { control, grace, intake, screen } = &self.reins;
        self.count += 1;
        match self.count {
            1 => {
                self.first.store(signal, Ordering::SeqCst);
                // First, so that what the pool refuses from now on counts as not run.
                intake.close();
                control.shutdown(Shutdown::Stop { grace: *grace });
                // Who signals both a process and its group (`timeout`, `npm run`) means it once.
                thread::sleep(REPETITION);
                drop(pending.pending());
                let grace = humantime::format_duration(*grace);
                screen.say(&format!(
                    "interrupted: finishing running jobs, at most {grace}; once more to kill them"
                ));
            }
            2 => {
                control.shutdown(Shutdown::Abort);
                self.leave_if_it_hangs();
            }
            _ => self.leave(),
        }
    }

    /// The main thread may be stuck in writing to somebody who does not read.
    fn leave_if_it_hangs(&self) {
        let (over, first) = (self.over.clone(), self.first.load(Ordering::SeqCst));
        let watchdog = move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                leave(first);
            }
        };
        if thread::Builder::new().name("watchdog".to_owned()).spawn(watchdog).is_err() {
            self.leave();
        }
    }

    fn leave(&self) -> ! {
        leave(self.first.load(Ordering::SeqCst))
    }

    /// Stops the workers, then ourselves; returns when we are continued.
    fn stop_for_a_while(&self) {
        self.reins.control.pause();
        self.reins.screen.above_display(|| {
            // SIGSTOP cannot be caught, so raising it only fails if the number were wrong.
            let _ = raise(Signal::SIGSTOP);
        });
        self.reins.control.resume();
    }
}

/// Leaves without any more ado: the fork server notices and ends the workers.
fn leave(signal: i32) -> ! {
    std::process::exit(128 + signal)
}

/// The mask of ignored signals from the text of `/proc/self/status`; none if it does not say.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_found() {
        let status = "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), 0x1001);
        assert_eq!(ignored_signals(""), 0);
    }
}
