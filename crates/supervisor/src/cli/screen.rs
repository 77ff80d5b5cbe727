//! Standard error, and the display at its bottom if it is a terminal.
//!
//! Whatever is printed while the display is up goes through here, so that it comes to stand above
//! the display and never tears it; standard output too, if it is the same terminal.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::display::Display;

/// Standard error as the threads of the program share it.
pub(super) struct Screen {
    quiet: bool,
    terminal: bool,
    /// Results appear on a terminal as well.
    results_shown: bool,
    muted: AtomicBool,
    display: Mutex<Display>,
}

impl Screen {
    /// Finds out where the standard streams lead.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: io::stderr().is_terminal() && !is_dumb(),
            results_shown: io::stdout().is_terminal(),
            muted: AtomicBool::new(false),
            display: Mutex::default(),
        }
    }

    /// Only errors are wanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Standard error is a terminal that can show the display.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints a message, whole lines that are escaped already.
    pub(super) fn say(&self, message: &str) {
        if self.muted.load(Ordering::Relaxed) {
            return;
        }
        let mut text = message.to_owned();
        text.push('\n');
        // Where errors cannot be written, that cannot be told either.
        self.above_display(|| drop(io::stderr().lock().write_all(text.as_bytes())));
    }

    /// Prints a message unless only errors are wanted.
    pub(super) fn tell(&self, message: &str) {
        if !self.quiet {
            self.say(message);
        }
    }

    /// Prints an error, in one way throughout.
    pub(super) fn error(&self, message: &str) {
        self.say(&format!("error: {message}"));
    }

    /// Prints nothing more.
    pub(super) fn mute(&self) {
        self.muted.store(true, Ordering::Relaxed);
        self.take_down();
    }

    /// Writes results.
    pub(super) fn write_results(&self, results: &[u8]) -> io::Result<()> {
        let write = || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(results)?;
            stdout.flush()
        };
        if self.results_shown { self.above_display(write) } else { write() }
    }

    /// Calls `act` while the display is away.
    pub(super) fn above_display<R>(&self, act: impl FnOnce() -> R) -> R {
        if self.terminal { self.lock().suspend(act) } else { act() }
    }

    /// Replaces the lines of the display.
    pub(super) fn show(&self, lines: Vec<String>) {
        let mut display = self.lock();
        if !self.muted.load(Ordering::Relaxed) {
            display.show(lines);
        }
    }

    /// Takes the display down for good.
    pub(super) fn take_down(&self) {
        self.lock().close();
    }

    fn lock(&self) -> MutexGuard<'_, Display> {
        self.display.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terminal knows no cursor movements, as far as the environment tells.
fn is_dumb() -> bool {
    env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}
