//! The program `supervisor`: command line in, results out.
//!
//! ```text
//!             ┌─ feeder ──┐ push    ╔══════╗ settlements ┌─ main ──┐ results
//!  --jobs ──▶ │ source    │ ──────▶ ║      ║ ──────────▶ │ report  │ ──────▶ standard output
//!             └───────────┘  Feed   ║ pool ║             └─────────┘
//!             ┌─ signals ─┐         ║      ║ lines       ┌ progress ┐ lanes, lines
//!  Ctrl-C ──▶ │           │ ──────▶ ║      ║ ──────────▶ │          │ ──────▶ standard error
//!             └───────────┘ Control ╚══════╝ snapshots   └──────────┘
//! ```
//!
//! Two rules keep it from hanging: nobody waits for the feeder, which may be stuck in a read, and
//! nothing that the pool calls waits for standard error. Where a reader of the results is slow, the
//! main thread waits, the window of the stream fills, and the feeder reads no further.

mod args;
mod captured;
mod display;
mod escape;
mod feeder;
mod figures;
mod input;
mod jobs;
mod progress;
mod record;
mod report;
mod run;
mod screen;
mod signals;
mod tally;
mod tasks;
mod template;
mod texts;
mod values;

use std::io::{self, Write as _};
use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use brigade_worker::Registry;

use self::args::Args;
use self::run::{End, NoRun};

/// The exit codes, as `--help` lists them.
mod code {
    pub(super) const SUCCESS: u8 = 0;
    pub(super) const UNSUCCESSFUL: u8 = 1;
    pub(super) const USAGE_OR_INPUT: u8 = 2;
    pub(super) const POOL: u8 = 3;
    pub(super) const OUTPUT: u8 = 4;
    pub(super) const BUG: u8 = 70;
    pub(super) const READER_GONE: u8 = 128 + 13;
}

/// Runs the program with the built-in tasks.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     brigade_supervisor::cli::main()
/// }
/// ```
pub fn main() -> ExitCode {
    main_with(&brigade_worker::builtin::registry())
}

/// Runs the program with these tasks. Call it first thing in `main`: in a process that was started
/// as a worker program it does not return.
///
/// ```no_run
/// use brigade::{Registry, task};
///
/// /// Says hello.
/// #[task]
/// fn hello(name: String) -> String {
///     format!("hello, {name}")
/// }
///
/// // A supervisor with the tasks of this program.
/// fn main() -> std::process::ExitCode {
///     brigade_supervisor::cli::main_with(&Registry::gathered().expect("their names differ"))
/// }
/// ```
pub fn main_with(registry: &Registry) -> ExitCode {
    brigade_worker::init_with(registry);
    let panicked = notice_panics();
    let code = panic::catch_unwind(supervise).unwrap_or(code::BUG);
    ExitCode::from(if panicked.load(Ordering::SeqCst) { code::BUG } else { code })
}

fn supervise() -> u8 {
    match Args::read().map_err(NoRun::from).and_then(|args| run::run(&args)) {
        Ok(end) => code_of(end),
        Err(no_run) => explain(&no_run),
    }
}

fn code_of(end: End) -> u8 {
    match end {
        End::Success => code::SUCCESS,
        End::Unsuccessful => code::UNSUCCESSFUL,
        End::BadInput => code::USAGE_OR_INPUT,
        End::GaveUp => code::POOL,
        End::NotWritten => code::OUTPUT,
        End::ReaderGone => code::READER_GONE,
        End::Signal(signal) => u8::try_from(128 + signal).unwrap_or(code::BUG),
    }
}

/// Says why there was no run.
fn explain(no_run: &NoRun) -> u8 {
    let code = match no_run {
        NoRun::Usage(error) => {
            // Help goes to standard output and may find it closed.
            let printed = error.print();
            let usage = if error.use_stderr() { code::USAGE_OR_INPUT } else { code::SUCCESS };
            return if printed.is_ok() { usage } else { code::OUTPUT };
        }
        NoRun::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            return code::READER_GONE;
        }
        NoRun::Input(_) => code::USAGE_OR_INPUT,
        NoRun::Start(_) | NoRun::System { .. } => code::POOL,
        NoRun::Output(_) => code::OUTPUT,
    };
    let message = format!("error: {}\n", escape::lines(&no_run.to_string()));
    // Where errors cannot be written, that cannot be told either.
    drop(io::stderr().lock().write_all(message.as_bytes()));
    code
}

/// A panic in any thread of ours is a bug, even if the run got over it.
fn notice_panics() -> &'static AtomicBool {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::SeqCst);
        tell(info);
    }));
    &PANICKED
}
