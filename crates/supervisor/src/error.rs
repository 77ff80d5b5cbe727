//! Why there is no pool. Why a job gave no result is [`JobError`]'s to tell.

mod initializer;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use brigade_protocol::error::quote;
pub use brigade_protocol::error::{Certificate, Failure, JobError, Member, Sentence, WorkerInfo};
use brigade_protocol::handshake::HandshakeError;
use brigade_protocol::message::Exit;

pub use self::initializer::InitializerError;

/// The pool could not be started.
///
/// ```
/// use brigade::{ProcessPool, StartError};
///
/// match ProcessPool::builder().program("/no/such/program").build() {
///     Err(StartError::NotExecutable { program, .. }) => assert!(program.starts_with("/no")),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// This process is itself a worker program that was started by a pool.
    #[error(
        "this process was started as a worker program but went on to build a pool; \
         call brigade::init() first thing in main"
    )]
    IsWorker,
    /// A number is out of its range.
    #[error("{what} is {value}, but must be {range}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: usize,
        /// Where it must lie.
        range: &'static str,
    },
    /// This process may not open as many files as so many workers need.
    #[error(
        "{workers} workers need about {needed} open files, but the limit is {limit}; raise it \
         (ulimit -n) or use fewer workers"
    )]
    TooFewDescriptors {
        /// How many workers were asked for.
        workers: usize,
        /// How many descriptors they take.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The worker program cannot be executed.
    #[error("cannot start worker program {}: {source}", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The worker program ended before it said hello.
    #[error("worker program {} {exit} before it said hello{}", program.display(), quote(last_words))]
    Died {
        /// The program.
        program: PathBuf,
        /// How it ended.
        exit: Exit,
        /// The last lines it printed.
        last_words: Vec<String>,
    },
    /// The worker program did not say hello in time.
    #[error(
        "worker program {} did not say hello within {patience:?}; is it a brigade worker program?{}",
        program.display(), quote(last_words)
    )]
    NoHello {
        /// The program.
        program: PathBuf,
        /// How long it was awaited.
        patience: Duration,
        /// The last lines it printed.
        last_words: Vec<String>,
    },
    /// Supervisor and worker program do not understand each other.
    #[error("worker program {}: {source}", program.display())]
    Handshake {
        /// The program.
        program: PathBuf,
        /// What they disagree about.
        source: HandshakeError,
    },
    /// After a restart the worker program offered other tasks than before.
    #[error("worker program {} was replaced by another build while the pool was running", program.display())]
    Replaced {
        /// The program.
        program: PathBuf,
    },
    /// [`Builder::nice`](crate::Builder::nice) is out of its range.
    #[error("the niceness increment is {increment}, but must be from 0 to 19")]
    Niceness {
        /// What it is.
        increment: i32,
    },
    /// The name of an environment variable cannot be one.
    #[error(
        "environment variable {name:?}: its name is empty or has a '=' or a NUL, or its value has a NUL"
    )]
    Variable {
        /// The name.
        name: OsString,
    },
    /// The worker program cannot run in the directory that was asked for.
    #[error(
        "cannot run the worker program in {}: {source}; it must be a directory that this user may enter",
        directory.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What was to be run before the first worker or the first job did not go well.
    #[error("initializer {task}: {source}")]
    Initializer {
        /// The name of its task.
        task: String,
        /// What went wrong.
        source: InitializerError,
    },
    /// The system refused something that every pool needs.
    #[error("cannot {what}: {source}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}
