//! What a running job says about other jobs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Form, Value};
#[cfg(doc)]
use super::{FromWorker, ToWorker};
use crate::id::{JobId, TaskId, Ticket};

/// How many [`FromWorker::Submit`], [`Reserve`](FromWorker::Reserve), [`Abandon`](FromWorker::Abandon) and
/// [`Cancel`](FromWorker::Cancel) may be under way before they are [accepted](ToWorker::Accepted).
pub const MOST_UNACCEPTED: u32 = 256;

/// How many jobs one attempt may wait for at once.
pub const MOST_AWAITED: usize = 1024;

/// How many handles may be among the arguments of one job that another submits.
pub const MOST_HANDLES: usize = 4096;

/// The longest label, in bytes: it travels beside the arguments.
pub const LONGEST_LABEL: usize = 256;

/// A job on its way from a running job to the supervisor.
///
/// ```
/// use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
/// use brigade_protocol::message::{Form, FromWorker, Options, Submit, Value};
///
/// // Job 42, which runs with worker 7, submits the first job of that worker's.
/// let submit = Submit {
///     parent: Ticket::from(JobId(42)),
///     job: JobId::nested(WorkerId(7), 1),
///     task: TaskId(0),
///     form: Form::Bincode,
///     arguments: Value::Inline(&[21]),
///     options: Options::default(),
///     handles: vec![],
///     shares: vec![],
/// };
/// let message = FromWorker::Submit(submit);
/// # assert!(matches!(message, FromWorker::Submit(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit<'a> {
    /// The attempt that submits it.
    pub parent: Ticket,
    /// Its id: [`JobId::nested`] of the worker, counting up.
    pub job: JobId,
    /// What it calls.
    pub task: TaskId,
    /// How its arguments are written.
    pub form: Form,
    /// Its arguments; parts carry the ticket of its first attempt.
    #[serde(borrow)]
    pub arguments: Value<'a>,
    /// How it is to be run.
    pub options: Options,
    /// Jobs whose ends must be kept until this one has ended: their handles are among its arguments. At
    /// most [`MOST_HANDLES`].
    pub handles: Vec<JobId>,
    /// The inodes of memory files of the supervisor that must stay open until it has ended: they are named
    /// among its arguments. At most [`MOST_SHARES`](super::MOST_SHARES).
    pub shares: Vec<u64>,
}

/// How a job is to be run, where it differs from its pool's ways.
///
/// ```
/// use std::time::Duration;
/// use brigade_protocol::message::Options;
///
/// let options = Options { timeout: Some(Duration::from_secs(1)), ..Options::default() };
/// assert_eq!((options.retries, options.priority), (None, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// From an attempt's start to its end.
    pub timeout: Option<Duration>,
    /// Further attempts after an error, a panic or a time-out.
    pub retries: Option<u32>,
    /// Further attempts after the death of a worker.
    pub crash_retries: Option<u32>,
    /// Higher ones are started first.
    pub priority: i8,
    /// A name for people, of at most [`LONGEST_LABEL`] bytes.
    pub label: Option<Box<str>>,
}

/// What a running job may ask about another.
///
/// ```
/// use brigade_protocol::id::{JobId, Ticket, WorkerId};
/// use brigade_protocol::message::{FromWorker, Question};
///
/// let (asker, job) = (Ticket::from(JobId(42)), JobId::nested(WorkerId(7), 1));
/// let ask = FromWorker::Ask { asker, job, question: Question::IsRunning };
/// # assert!(matches!(ask, FromWorker::Ask { .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Cancel it unless it has been started: did that end it?
    Cancel,
    /// Cancel it, and kill it if it runs: did that end it?
    Kill,
    /// Is it running?
    IsRunning,
    /// Has it ended, or is it not known at all?
    HasEnded,
}
