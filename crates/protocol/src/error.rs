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
///
/// ```
/// use brigade_protocol::error::{Failure, JobError};
/// use brigade_protocol::id::JobId;
///
/// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
/// assert!(error.is_cancelled());
/// assert_eq!(error.to_string(), "job 42 (fetch): cancelled");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError(Box<Certificate>);

/// The facts of a [`JobError`].
///
/// ```
/// # use brigade_protocol::error::{Failure, JobError};
/// # use brigade_protocol::id::JobId;
/// use brigade_protocol::error::Certificate;
///
/// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
/// let Certificate { job, attempts, .. } = error.certificate();
/// assert_eq!((*job, *attempts), (JobId(42), 0));
/// ```
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
///
/// ```
/// # use brigade_protocol::error::{Failure, JobError, Sentence};
/// # use brigade_protocol::id::JobId;
/// # use brigade_protocol::message::Exit;
/// let why = Failure::Crashed(Exit::Signal(9));
/// let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
/// error.certificate_mut().killed = Some(Sentence::TimedOutBeside(JobId(7)));
/// assert!(error.cause().ends_with("was killed because job 7, which it ran too, timed out"));
/// ```
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
///
/// ```
/// use brigade_protocol::error::WorkerInfo;
/// use brigade_protocol::id::{SlotId, WorkerId};
///
/// let worker = WorkerInfo { id: WorkerId(7), slot: SlotId(2), pid: 4711 };
/// assert_eq!(worker.to_string(), "worker 7 (slot 2, pid 4711)");
/// ```
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
    ///
    /// ```
    /// # use brigade_protocol::error::{Certificate, Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// let certificate = Certificate { attempts: 2, allowed: 3, ..error.certificate().clone() };
    /// assert_eq!(
    ///     JobError::new(certificate).to_string(),
    ///     "job 42 (fetch), attempt 2 of 3: cancelled",
    /// );
    /// ```
    pub fn new(certificate: Certificate) -> Self {
        Self(Box::new(certificate))
    }

    /// The error of a job that did not come to run.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let why = Failure::Refused("no such task: fetsh".into());
    /// let error = JobError::unstarted(JobId(42), "fetsh".into(), Some("home".into()), why);
    /// assert_eq!(error.to_string(), "job 42 (fetsh, home): no such task: fetsh");
    /// ```
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
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert_eq!(error.certificate().allowed, 0);
    /// ```
    pub fn certificate(&self) -> &Certificate {
        &self.0
    }

    /// All facts, to be changed.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// error.certificate_mut().label = Some("home".into());
    /// assert_eq!(error.label(), Some("home"));
    /// ```
    pub fn certificate_mut(&mut self) -> &mut Certificate {
        &mut self.0
    }

    /// The job.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert_eq!(error.job(), JobId(42));
    /// ```
    pub fn job(&self) -> JobId {
        self.0.job
    }

    /// The name of its task.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert_eq!(error.task(), "fetch");
    /// ```
    pub fn task(&self) -> &str {
        &self.0.task
    }

    /// The label it was given.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let label = Some("home".into());
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), label, Failure::Cancelled);
    /// assert_eq!(error.label(), Some("home"));
    /// ```
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Why there is no result.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert_eq!(error.failure().name(), "cancelled");
    /// ```
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// How many attempts were begun.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert_eq!(error.attempts(), 0);
    /// ```
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The worker of the last attempt.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError, WorkerInfo};
    /// # use brigade_protocol::id::{JobId, SlotId, WorkerId};
    /// # use brigade_protocol::message::Exit;
    /// # let why = Failure::Crashed(Exit::Code(7));
    /// # let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// # let worker = WorkerInfo { id: WorkerId(7), slot: SlotId(2), pid: 4711 };
    /// # error.certificate_mut().worker = Some(worker);
    /// // Of a job whose worker died.
    /// assert_eq!(error.worker().map(|worker| worker.pid), Some(4711));
    /// assert_eq!(error.cause(), "worker 7 (slot 2, pid 4711) exited with code 7");
    /// ```
    pub fn worker(&self) -> Option<WorkerInfo> {
        self.0.worker
    }

    /// How long the last attempt ran.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use std::time::Duration;
    /// # let why = Failure::TimedOut(Duration::from_secs(1));
    /// # let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// # error.certificate_mut().elapsed = Some(Duration::from_millis(1_003));
    /// // Of a job that overran its time-out of a second.
    /// assert!(error.elapsed() >= Some(Duration::from_secs(1)));
    /// ```
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// The CPU time, in user and in system mode, that the last attempt used, if it failed by itself: that
    /// of the thread which ran it, never more than [`JobError::elapsed`]; threads that it started are not
    /// counted, while some milliseconds of what the same thread ran before it may be. If the worker
    /// died: of that worker from its start to its end, with everything it ran. `None` if the attempt was
    /// not begun, was cancelled, or nobody could measure it, as when the fork server died.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::{Exit, Usage};
    /// # use std::time::Duration;
    /// # let why = Failure::Crashed(Exit::Signal(9));
    /// # let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// # error.certificate_mut().usage = Some(Usage { cpu: 2_000_000_000, peak_memory: 1 << 30 });
    /// // Of a job that took down its worker.
    /// assert_eq!(error.cpu_time(), Some(Duration::from_secs(2)));
    /// ```
    pub fn cpu_time(&self) -> Option<Duration> {
        self.0.usage.map(|usage| Duration::from_nanos(usage.cpu))
    }

    /// The largest resident size, in bytes, that the worker of the last attempt ever had, up to the end
    /// of the attempt; what it shares with the worker program is counted. `None` as for
    /// [`JobError::cpu_time`].
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::{Exit, Usage};
    /// # let why = Failure::Crashed(Exit::Signal(9));
    /// # let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// # error.certificate_mut().usage = Some(Usage { cpu: 2_000_000_000, peak_memory: 1 << 30 });
    /// // Of a job that took down its worker.
    /// assert!(error.peak_memory() >= Some(1 << 30));
    /// ```
    pub fn peak_memory(&self) -> Option<u64> {
        self.0.usage.map(|usage| usage.peak_memory)
    }

    /// The last lines that the worker printed, if it died; oldest first.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// # let why = Failure::Crashed(Exit::Code(7));
    /// # let mut error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// # error.certificate_mut().last_words = vec!["cannot go on".into()];
    /// // Of a job that took down its worker.
    /// assert_eq!(error.last_words(), ["cannot go on"]);
    /// assert!(error.to_string().ends_with("its last words:\n  | cannot go on"));
    /// ```
    pub fn last_words(&self) -> &[String] {
        &self.0.last_words
    }

    /// How the worker ended, if its death is the cause.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// let why = Failure::Quarantined(vec![Exit::Signal(11), Exit::Code(7)]);
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert_eq!(error.exit(), Some(Exit::Code(7)));
    /// ```
    pub fn exit(&self) -> Option<Exit> {
        match &self.0.failure {
            Failure::Crashed(exit) => Some(*exit),
            Failure::Quarantined(exits) => exits.last().copied(),
            _ => None,
        }
    }

    /// The name of the signal that killed the worker, `SIGSEGV`, if that is the cause.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// let why = Failure::Crashed(Exit::Signal(11));
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert_eq!(error.signal(), Some("SIGSEGV"));
    /// ```
    pub fn signal(&self) -> Option<&'static str> {
        self.exit()?.signal_name()
    }

    /// The code with which the worker exited, if that is the cause.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// let why = Failure::Crashed(Exit::Code(7));
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert_eq!(error.exit_code(), Some(7));
    /// ```
    pub fn exit_code(&self) -> Option<i32> {
        match self.exit()? {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) | Exit::Unknown => None,
        }
    }

    /// Where the task panicked, `file:line:column`, if it did.
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::TaskError;
    /// let panic = TaskError::panicked("no".into(), Some("src/fetch.rs:7:5".into()), None);
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, panic.into());
    /// assert_eq!(error.panic_location(), Some("src/fetch.rs:7:5"));
    /// ```
    pub fn panic_location(&self) -> Option<&str> {
        self.told()?.location.as_deref()
    }

    /// The stack at the panic, if the task panicked and `RUST_BACKTRACE` is not 0 in the worker.
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::TaskError;
    /// let panic = TaskError::panicked("no".into(), None, Some("0: fetch::main".into()));
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, panic.into());
    /// assert_eq!(error.backtrace(), Some("0: fetch::main"));
    /// ```
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
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::{TaskError, TaskErrorKind};
    /// let told = TaskError::new(TaskErrorKind::Failed, "no such host");
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, told.into());
    /// assert!(error.is_failed());
    /// ```
    pub fn is_failed(&self) -> bool {
        matches!(self.0.failure, Failure::Failed(_))
    }

    /// The task panicked.
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::TaskError;
    /// let panic = TaskError::panicked("no".into(), None, None);
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, panic.into());
    /// assert!(error.is_panicked());
    /// ```
    pub fn is_panicked(&self) -> bool {
        matches!(self.0.failure, Failure::Panicked(_))
    }

    /// Its worker died while running it, in its last attempt or in every one.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// let ends = [Failure::Crashed(Exit::Code(7)), Failure::Quarantined(vec![Exit::Code(7); 3])];
    /// let errors = ends.map(|why| JobError::unstarted(JobId(42), "fetch".into(), None, why));
    /// assert!(errors.iter().all(JobError::is_crashed));
    /// ```
    pub fn is_crashed(&self) -> bool {
        matches!(self.0.failure, Failure::Crashed(_) | Failure::Quarantined(_))
    }

    /// It took down a worker in each of its attempts.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::Exit;
    /// let why = Failure::Quarantined(vec![Exit::Signal(11); 3]);
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert!(error.is_quarantined() && error.is_crashed());
    /// ```
    pub fn is_quarantined(&self) -> bool {
        matches!(self.0.failure, Failure::Quarantined(_))
    }

    /// It ran for too long.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// # use std::time::Duration;
    /// let why = Failure::TimedOut(Duration::from_secs(1));
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert!(error.is_timed_out());
    /// ```
    pub fn is_timed_out(&self) -> bool {
        matches!(self.0.failure, Failure::TimedOut(_))
    }

    /// It was cancelled.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, Failure::Cancelled);
    /// assert!(error.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.failure, Failure::Cancelled)
    }

    /// Its arguments or its output could not be encoded or decoded.
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::{TaskError, TaskErrorKind};
    /// let told = TaskError::new(TaskErrorKind::BadArguments, "missing argument \"url\"");
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, told.into());
    /// assert!(error.is_undecodable());
    /// ```
    pub fn is_undecodable(&self) -> bool {
        matches!(self.0.failure, Failure::Undecodable(_))
    }

    /// It waits for a job that waits for it.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError, Member};
    /// # use brigade_protocol::id::JobId;
    /// let cycle = [(1, "hen"), (2, "egg")];
    /// let cycle = cycle.map(|(job, name)| Member { job: JobId(job), name: name.into() });
    /// let why = Failure::Deadlock(cycle.into());
    /// let error = JobError::unstarted(JobId(1), "hen".into(), None, why);
    /// assert!(error.is_deadlock());
    /// assert_eq!(
    ///     error.cause(),
    ///     "deadlock: job 1 (hen) waits for job 2 (egg) waits for job 1 (hen)",
    /// );
    /// ```
    pub fn is_deadlock(&self) -> bool {
        matches!(self.0.failure, Failure::Deadlock(_))
    }

    /// The pool did not take it: there is no such task, or the pool was shut down.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let why = Failure::Refused("no such task: fetsh".into());
    /// let error = JobError::unstarted(JobId(42), "fetsh".into(), None, why);
    /// assert!(error.is_refused());
    /// ```
    pub fn is_refused(&self) -> bool {
        matches!(self.0.failure, Failure::Refused(_))
    }

    /// The pool gave up before it could run.
    ///
    /// ```
    /// # use brigade_protocol::error::{Failure, JobError};
    /// # use brigade_protocol::id::JobId;
    /// let why = Failure::PoolGaveUp("its workers die at once".into());
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, why);
    /// assert!(error.is_pool_gave_up());
    /// ```
    pub fn is_pool_gave_up(&self) -> bool {
        matches!(self.0.failure, Failure::PoolGaveUp(_))
    }

    /// What happened, in one clause, without the job and without the worker's last words.
    ///
    /// ```
    /// # use brigade_protocol::error::JobError;
    /// # use brigade_protocol::id::JobId;
    /// # use brigade_protocol::message::TaskError;
    /// let panic = TaskError::panicked("no".into(), Some("src/fetch.rs:7:5".into()), None);
    /// let error = JobError::unstarted(JobId(42), "fetch".into(), None, panic.into());
    /// assert_eq!(error.cause(), "panicked at src/fetch.rs:7:5: no");
    /// ```
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
///
/// ```
/// use brigade_protocol::error::quote;
///
/// assert_eq!(quote(&["cannot go on".into()]), "; its last words:\n  | cannot go on");
/// assert_eq!(quote(&[]), "");
/// ```
pub fn quote(last_words: &[String]) -> String {
    if last_words.is_empty() {
        return String::new();
    }
    format!("; its last words:\n  | {}", last_words.join("\n  | "))
}
