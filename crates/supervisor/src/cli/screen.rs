//! Standard error, and the display at its bottom if it is a terminal.
//!
//! Whatever is printed while the display is up goes through here, so that it comes to stand above
//! the display and never tears it; standard output too, if it is the same terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

/// Standard error as the threads of the program share it.
pub(super) struct Screen {
    quiet: bool,
    terminal: bool,
    /// Results appear on a terminal as well.
    results_shown: bool,
    muted: AtomicBool,
    /// The display, once it is up.
    display: Mutex<Option<ProgressBar>>,
}

impl Screen {
    /// Finds out where the standard streams lead.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: io::stderr().is_terminal(),
            results_shown: io::stdout().is_terminal(),
            muted: AtomicBool::new(false),
            display: Mutex::new(None),
        }
    }

    /// Only errors are wanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Standard error is a terminal.
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
        if !self.terminal {
            return act();
        }
        match &*self.lock() {
            Some(display) => display.suspend(act),
            None => act(),
        }
    }

    /// Changes the display, which `make` makes if it is not up yet.
    pub(super) fn draw(
        &self,
        make: impl FnOnce() -> ProgressBar,
        change: impl FnOnce(&ProgressBar),
    ) {
        let mut display = self.lock();
        if !self.muted.load(Ordering::Relaxed) {
            change(display.get_or_insert_with(make));
        }
    }

    /// Takes the display down for good.
    pub(super) fn take_down(&self) {
        if let Some(display) = self.lock().take() {
            display.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.display.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
