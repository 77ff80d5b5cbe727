//! The task `command`: runs a program, without a shell in between.
//!
//! ```text
//!  words ─▶ spawn ─▶ ┌─────────┐ standard output ─▶ the result, as one piece
//!                    │ program │ standard error ──▶ the worker's, line by line; its last lines are kept
//!      /dev/null ──▶ └─────────┘ end ─────────────▶ success, or an error that tells it
//! ```
//!
//! The standard library spawns: without a hook in the child it does so by `posix_spawn`, so that nothing of
//! this process is copied. It also gives the child an empty signal mask and the default action of SIGPIPE, and
//! every descriptor here is close-on-exec: so the program finds what a shell would give it.
//!
//! A program may leave processes behind that hold its streams open. Its end is its own exit: what it has
//! written until then is its output ([`streams`] waits for both). Whoever writes later finds the pipe closed.

mod error;
mod last_lines;
mod streams;
mod text;

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use brigade_protocol::message::Exit;
use brigade_task::{Context, task};

use self::streams::Streams;
use crate::os;

pub use self::error::{CommandError, Reason};
pub use self::text::Text;

/// Runs a program, the first of WORDS, with the others as arguments; gives its standard output.
///
/// There is no shell: each word reaches the program as it is. Standard input is empty, standard error goes
/// to that of the worker. An exit code other than 0, or a signal, makes it an error, with what
/// the program said last on standard error; what it wrote to standard output is then passed on to standard
/// error as well. If the job may not give so much output, the program is killed as soon as it has written
/// more.
///
/// Processes that the program leaves behind live on, at most as long as the worker, and find standard
/// output and standard error closed.
///
/// ```
/// use brigade::builtin::{Text, command};
///
/// let words = ["echo", "two words"].map(Text::from).to_vec();
/// assert_eq!(command(words).run()?.as_bytes(), b"two words\n");
///
/// let error = command(vec!["false".into()]).run().unwrap_err();
/// assert_eq!(error.cause(), "false exited with code 1");
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn command(context: &Context, words: Vec<Text>) -> Result<Text, CommandError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(CommandError::new(&Text::default(), Reason::NoProgram));
    };
    run(program, arguments, context.max_output())
        .map(Text::from)
        .map_err(|reason| CommandError::new(program, reason))
}

fn run(program: &Text, arguments: &[Text], most: u64) -> Result<Vec<u8>, Reason> {
    let (stdout, to_stdout) = io::pipe().map_err(Reason::Lost)?;
    let (stderr, to_stderr) = io::pipe().map_err(Reason::Lost)?;
    let mut command = Command::new(program.as_os_str());
    command.args(arguments.iter().map(Text::as_os_str));
    // It holds the writing ends until it is dropped.
    command.stdin(nothing().map_err(Reason::Lost)?).stdout(to_stdout).stderr(to_stderr);
    let mut child = command.spawn().map_err(|error| Reason::not_started(program, error))?;
    let heard = os::pidfd(child.id())
        .and_then(|exit| Streams { stdout, stderr }.listen(&exit, || drop(command), most));
    let is_too_much = heard.as_ref().is_ok_and(|heard| heard.is_beyond(most));
    if is_too_much || heard.is_err() {
        // It may have ended by itself, which is as good.
        let _ = child.kill();
    }
    let status = child.wait().map_err(Reason::Lost)?;
    let heard = heard.map_err(Reason::Lost)?;
    if is_too_much {
        return Err(Reason::TooMuch { most });
    }
    match exit(status) {
        Exit::Code(0) => Ok(heard.output),
        exit => Err(Reason::Ended { exit, last_words: heard.last_words() }),
    }
}

/// An empty input. It is opened once: to find `/dev/null` anew takes longer than to start with a copy.
fn nothing() -> io::Result<File> {
    static NOTHING: OnceLock<File> = OnceLock::new();
    let nothing = match NOTHING.get() {
        Some(nothing) => nothing,
        None => NOTHING.get_or_init({
            let opened = File::open("/dev/null")?;
            || opened
        }),
    };
    nothing.try_clone()
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests;
