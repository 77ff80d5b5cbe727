//! Why a job gave no result: what a supervisor tells its clients, and the workers whose jobs wait for it.

mod bounded;
mod failure;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{JobId, SlotId, WorkerId};
use crate::message::{Exit, TaskError, Usage};

pub use self::failure::{Failure, Member};

/// Why a job gave no result, with everything that is known about its end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError(Box<Certificate>);

/// The facts of a [`JobError`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The job.
    pub job: JobId,
    /// The name of its task; empty if it is not known.
    pub task: String,
    /// The label it was given.
    pub label: Option<Box<str>>,
    /// Why there is no result.
    pub failure: Failure,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How many it might have had.
    pub allowed: u32,
    /// The worker of the last attempt.
    pub worker: Option<WorkerInfo>,
    /// Why the supervisor killed it, if it did.
    pub killed: Option<Sentence>,
    /// How long the last attempt ran.
    pub elapsed: Option<Duration>,
    /// What the worker printed last, if it died.
    pub last_words: Vec<String>,
    /// What the last attempt used, or the worker that died of it.
    pub usage: Option<Usage>,
}

/// Why the supervisor killed a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sentence {
    /// This job, which it ran too, overran its time-out.
    TimedOutBeside(JobId),
    /// Somebody had this job, which it ran too, killed.
    KilledBeside(JobId),
    /// It broke the protocol.
    Violated,
    /// It did not answer.
    Silent,
    /// The pool, or the worker's time, was over.
    Ended,
    /// It is a thread, which cannot be killed: it was left to itself.
    Abandoned,
}

/// Which worker it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// An error of these facts.
    pub fn new(certificate: Certificate) -> Self {
        Self(Box::new(certificate))
    }

    /// The error of a job that did not come to run.
    pub fn unstarted(job: JobId, task: String, label: Option<Box<str>>, failure: Failure) -> Self {
        Self::new(Certificate {
            job,
            task,
            label,
            failure,
            attempts: 0,
            allowed: 0,
            worker: None,
            killed: None,
            elapsed: None,
            last_words: Vec::new(),
            usage: None,
        })
    }

    /// All facts.
    pub fn certificate(&self) -> &Certificate {
        &self.0
    }

    /// All facts, to be changed.
    pub fn certificate_mut(&mut self) -> &mut Certificate {
        &mut self.0
    }

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

    /// The name of the signal that killed the worker, `SIGSEGV`, if that is the cause.
    pub fn signal(&self) -> Option<&'static str> {
        self.exit()?.signal_name()
    }

    /// The code with which the worker exited, if that is the cause.
    pub fn exit_code(&self) -> Option<i32> {
        match self.exit()? {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) | Exit::Unknown => None,
        }
    }

    /// Where the task panicked, `file:line:column`, if it did.
    pub fn panic_location(&self) -> Option<&str> {
        self.told()?.location.as_deref()
    }

    /// The stack at the panic, if the task panicked and `RUST_BACKTRACE` is not 0 in the worker.
    pub fn backtrace(&self) -> Option<&str> {
        self.told()?.backtrace.as_deref()
    }

    /// What the worker told, if it could.
    fn told(&self) -> Option<&TaskError> {
        match &self.0.failure {
            Failure::Failed(told) | Failure::Panicked(told) | Failure::Undecodable(told) => {
                Some(told)
            }
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

    /// It waits for a job that waits for it.
    pub fn is_deadlock(&self) -> bool {
        matches!(self.0.failure, Failure::Deadlock(_))
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
            Failure::TimedOut(limit) if self.0.killed == Some(Sentence::Abandoned) => {
                format!("still running after {limit:?}, so its thread was left to itself")
            }
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
            Failure::Deadlock(cycle) => {
                let mut names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
                names.extend(names.first().cloned());
                format!("deadlock: {}", names.join(" waits for "))
            }
            Failure::PoolGaveUp(reason) => format!("the pool gave up: {reason}"),
            Failure::Refused(reason) => reason.clone(),
        }
    }

    fn death(&self, exit: Exit) -> String {
        match (self.0.killed, exit.signal_name()) {
            (Some(Sentence::TimedOutBeside(job)), _) => {
                format!("was killed because job {job}, which it ran too, timed out")
            }
            (Some(Sentence::KilledBeside(job)), _) => {
                format!("was killed because job {job}, which it ran too, was to be killed")
            }
            (Some(Sentence::Violated), _) => {
                "broke the protocol, so the supervisor killed it".to_owned()
            }
            (Some(Sentence::Silent), _) => "did not answer, so the supervisor killed it".to_owned(),
            (Some(Sentence::Abandoned), _) => "was left to itself".to_owned(),
            (Some(Sentence::Ended), _) => "was killed by the supervisor".to_owned(),
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

/// The last words of a process as the end of a message.
pub fn quote(last_words: &[String]) -> String {
    if last_words.is_empty() {
        return String::new();
    }
    format!("; its last words:\n  | {}", last_words.join("\n  | "))
}
