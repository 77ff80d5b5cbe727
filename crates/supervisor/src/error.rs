//! What can go wrong, told so that a person knows what to do.
//!
//! Two blames, never mixed: [`JobError`] says why one job gave no result, [`StartError`] that there
//! is no pool.

mod initializer;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use brigade_protocol::handshake::HandshakeError;
use brigade_protocol::id::{JobId, SlotId, WorkerId};
use brigade_protocol::message::{Exit, Usage};

pub use self::initializer::InitializerError;
pub use crate::scheduler::Failure;
use crate::scheduler::Why;

/// Why a job gave no result, with everything that is known about its end.
#[derive(Clone, PartialEq, Eq)]
pub struct JobError(pub(crate) Box<Certificate>);

/// The facts of a [`JobError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) job: JobId,
    pub(crate) task: String,
    pub(crate) label: Option<Box<str>>,
    pub(crate) failure: Failure,
    pub(crate) attempts: u32,
    pub(crate) allowed: u32,
    pub(crate) worker: Option<WorkerInfo>,
    /// Why the supervisor killed it, if it did.
    pub(crate) killed: Option<Why>,
    pub(crate) elapsed: Option<Duration>,
    pub(crate) last_words: Vec<String>,
    pub(crate) usage: Option<Usage>,
}

/// Which worker it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its id, never reused.
    pub id: WorkerId,
    /// Its seat.
    pub slot: SlotId,
    /// Its process.
    pub pid: u32,
}

/// `worker 7 (slot 2, pid 4711)`.
impl fmt::Display for WorkerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, slot, pid } = self;
        write!(f, "worker {id} (slot {slot}, pid {pid})")
    }
}

impl JobError {
    /// The job.
    pub fn job(&self) -> JobId {
        self.0.job
    }

    /// The name of its task.
    pub fn task(&self) -> &str {
        &self.0.task
    }

    /// The label it was given.
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Why there is no result.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// How many attempts were begun.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The worker of the last attempt.
    pub fn worker(&self) -> Option<WorkerInfo> {
        self.0.worker
    }

    /// How long the last attempt ran.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// The CPU time, in user and in system mode, that the last attempt used, if it failed by itself: that
    /// of the thread which ran it, never more than [`JobError::elapsed`]; threads that it started are not
    /// counted, while jobs of less than 1 ms that the same thread ran before it may be. If the worker
    /// died: of that worker from its start to its end, with everything it ran. `None` if the attempt was
    /// not begun, was cancelled, or nobody could measure it, as when the fork server died.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.0.usage.map(|usage| Duration::from_nanos(usage.cpu))
    }

    /// The largest resident size, in bytes, that the worker of the last attempt ever had, up to the end
    /// of the attempt; what it shares with the worker program is counted. `None` as for
    /// [`JobError::cpu_time`].
    pub fn peak_memory(&self) -> Option<u64> {
        self.0.usage.map(|usage| usage.peak_memory)
    }

    /// The last lines that the worker printed, if it died; oldest first.
    pub fn last_words(&self) -> &[String] {
        &self.0.last_words
    }

    /// How the worker ended, if its death is the cause.
    pub fn exit(&self) -> Option<Exit> {
        match &self.0.failure {
            Failure::Crashed(exit) => Some(*exit),
            Failure::Quarantined(exits) => exits.last().copied(),
            _ => None,
        }
    }

    /// The task returned an error.
    pub fn is_failed(&self) -> bool {
        matches!(self.0.failure, Failure::Failed(_))
    }

    /// The task panicked.
    pub fn is_panicked(&self) -> bool {
        matches!(self.0.failure, Failure::Panicked(_))
    }

    /// Its worker died while running it, in its last attempt or in every one.
    pub fn is_crashed(&self) -> bool {
        matches!(self.0.failure, Failure::Crashed(_) | Failure::Quarantined(_))
    }

    /// It took down a worker in each of its attempts.
    pub fn is_quarantined(&self) -> bool {
        matches!(self.0.failure, Failure::Quarantined(_))
    }

    /// It ran for too long.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.0.failure, Failure::TimedOut(_))
    }

    /// It was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.failure, Failure::Cancelled)
    }

    /// Its arguments or its output could not be encoded or decoded.
    pub fn is_undecodable(&self) -> bool {
        matches!(self.0.failure, Failure::Undecodable(_))
    }

    /// The pool did not take it: there is no such task, or the pool was shut down.
    pub fn is_refused(&self) -> bool {
        matches!(self.0.failure, Failure::Refused(_))
    }

    /// The pool gave up before it could run.
    pub fn is_pool_gave_up(&self) -> bool {
        matches!(self.0.failure, Failure::PoolGaveUp(_))
    }

    /// What happened, in one clause, without the job and without the worker's last words.
    pub fn cause(&self) -> String {
        let worker = self.0.worker.map_or("its worker".to_owned(), |worker| worker.to_string());
        match &self.0.failure {
            Failure::Panicked(error) => match &error.location {
                Some(location) => format!("panicked at {location}: {}", error.message),
                None => format!("panicked: {}", error.message),
            },
            Failure::Failed(error) | Failure::Undecodable(error) => error.message.clone(),
            Failure::Crashed(exit) => format!("{worker} {}", self.death(*exit)),
            Failure::TimedOut(limit) => {
                format!("still running after {limit:?}, so {worker} was killed")
            }
            Failure::Cancelled => "cancelled".to_owned(),
            Failure::Quarantined(exits) => {
                let (count, last) = (exits.len(), exits.last().copied().unwrap_or(Exit::Unknown));
                let death = self.death(last);
                format!(
                    "quarantined: it took down {count} workers, the last of them {worker}, which {death}"
                )
            }
            Failure::PoolGaveUp(reason) => format!("the pool gave up: {reason}"),
            Failure::Refused(reason) => reason.clone(),
        }
    }

    fn death(&self, exit: Exit) -> String {
        match (self.0.killed, exit.signal_name()) {
            (Some(Why::JobTimedOut(ticket)), _) => {
                format!("was killed because job {}, which it ran too, timed out", ticket.job)
            }
            (Some(Why::Violated), _) => {
                "broke the protocol, so the supervisor killed it".to_owned()
            }
            (Some(Why::Silent), _) => "did not answer, so the supervisor killed it".to_owned(),
            (Some(_), _) => "was killed by the supervisor".to_owned(),
            // SIGKILL that the supervisor did not send has one usual sender.
            (None, Some("SIGKILL")) => {
                format!("{exit} (not by the supervisor; possibly out of memory)")
            }
            (None, _) => exit.to_string(),
        }
    }
}

/// `job 42 (prime-count), attempt 3 of 3: worker 7 (slot 2, pid 4711) was killed by SIGSEGV`, and
/// below it the worker's last words.
impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Certificate { job, task, label, attempts, allowed, last_words, .. } = &*self.0;
        write!(f, "job {job}")?;
        match label {
            Some(label) => write!(f, " ({task}, {label})")?,
            // Unknown if the pool was gone before it took the job.
            None if task.is_empty() => {}
            None => write!(f, " ({task})")?,
        }
        if *attempts > 0 {
            write!(f, ", attempt {attempts} of {allowed}")?;
        }
        write!(f, ": {}", self.cause())?;
        f.write_str(&quote(last_words))
    }
}

/// As `Display`, because `?` in `main` prints this.
impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JobError {}

/// The pool could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// This process is itself a worker program that was started by a pool.
    #[error(
        "this process was started as a worker program but went on to build a pool; \
         call brigade_worker::init first thing in main"
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

/// The last words of a process as the end of a message.
pub(crate) fn quote(last_words: &[String]) -> String {
    if last_words.is_empty() {
        return String::new();
    }
    format!("; its last words:\n  | {}", last_words.join("\n  | "))
}
