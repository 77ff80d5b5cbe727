//! Why a command gave no result, in words.

use std::fmt;
use std::io;
use std::path::Path;

use brigade_protocol::error::quote;
use brigade_protocol::message::Exit;
use nix::libc;

use super::text::Text;

/// Why a [`command`](super::command()) gave no result.
///
/// ```
/// use brigade::builtin::command;
///
/// let error = command::call(&brigade::Context::new(brigade::protocol::id::JobId(1).into()), Vec::new());
/// assert_eq!(error.unwrap_err().to_string(), "there is no program to run: the first word is its name");
/// ```
#[derive(Debug)]
pub struct CommandError {
    program: Text,
    reason: Reason,
}

/// The kinds of [`CommandError`].
///
/// ```
/// use brigade::builtin::{CommandError, Reason};
///
/// fn exit_code(error: &CommandError) -> Option<i32> {
///     match error.reason() {
///         Reason::Ended { exit: brigade::protocol::message::Exit::Code(code), .. } => Some(*code),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// There are no words, so there is no program either.
    NoProgram,
    /// The system could not start it.
    NotStarted {
        /// What the system said.
        source: io::Error,
        /// What can be done about it; empty if nobody knows.
        advice: String,
    },
    /// It exited with another code than 0, or was killed by a signal.
    Ended {
        /// How.
        exit: Exit,
        /// The last lines that it wrote to standard error, or, if it wrote none, to standard output.
        last_words: Vec<String>,
    },
    /// It wrote more than the job may give, and was killed.
    TooMuch {
        /// How many bytes are allowed.
        most: u64,
    },
    /// What it wrote or how it ended could not be learned.
    Lost(io::Error),
}

impl CommandError {
    pub(super) fn new(program: &Text, reason: Reason) -> Self {
        Self { program: program.clone(), reason }
    }

    /// Why.
    ///
    /// ```
    /// # use brigade::builtin::{Reason, command};
    /// # let context = brigade::Context::new(brigade::protocol::id::JobId(1).into());
    /// let error = command::call(&context, vec!["false".into()]).unwrap_err();
    /// assert!(matches!(error.reason(), Reason::Ended { .. }));
    /// ```
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl Reason {
    pub(super) fn not_started(program: &Text, source: io::Error) -> Self {
        let advice = advice(program, &source);
        Self::NotStarted { source, advice }
    }
}

/// What can be done about a program that cannot be started.
fn advice(program: &Text, error: &io::Error) -> String {
    let path = Path::new(program.as_os_str());
    let is_path = program.as_bytes().contains(&b'/');
    let text = match error.raw_os_error() {
        Some(libc::ENOENT) if is_path && path.exists() => {
            "its interpreter, which its first line names, does not exist"
        }
        Some(libc::ENOENT) if is_path => "there is no such file",
        Some(libc::ENOENT) => {
            "no directory of PATH has it; install it, or write its path (./ before the name of one that is \
             here). A command of the shell needs one: sh -c '…'"
        }
        Some(libc::EACCES) if path.is_dir() => "it is a directory",
        Some(libc::EACCES) => "it must be a file that you may execute; chmod +x makes it one",
        Some(libc::ENOEXEC) => {
            "it is no program of this machine; the first line of a script must name its interpreter, as \
             #!/bin/sh does"
        }
        Some(libc::E2BIG) => {
            "its arguments are too long: the system takes 128 KiB each, and some 2 MiB together with the \
             environment"
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            "too many files are open; use fewer workers, or raise ulimit -n"
        }
        Some(libc::EAGAIN | libc::ENOMEM) => "the machine is full; use fewer workers",
        None if error.kind() == io::ErrorKind::InvalidInput => {
            "one of its words has a NUL byte inside, which no program can be given"
        }
        _ => "",
    };
    text.to_owned()
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.to_string_lossy();
        match &self.reason {
            Reason::NoProgram => {
                f.write_str("there is no program to run: the first word is its name")
            }
            Reason::NotStarted { source, advice } if advice.is_empty() => {
                write!(f, "cannot start {program}: {source}")
            }
            Reason::NotStarted { advice, .. } => write!(f, "cannot start {program}: {advice}"),
            Reason::Ended { exit, last_words } => {
                write!(f, "{program} {exit}{}", quote(last_words))
            }
            Reason::TooMuch { most } => write!(
                f,
                "{program} wrote more than {most} bytes to standard output, which is the most that a job may \
                 give, so it was killed; let it write to a file"
            ),
            Reason::Lost(error) => write!(f, "cannot learn what {program} did: {error}"),
        }
    }
}

impl std::error::Error for CommandError {}
