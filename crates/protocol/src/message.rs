//! Every message, both ways.
//!
//! [`Hello`] opens the conversation. [`Request`] and [`Report`] are the talk with the fork server,
//! [`ToWorker`] and [`FromWorker`] the talk with one worker. Variants are only ever added at the
//! end; any other change raises [`VERSION`](crate::VERSION).

mod configuration;
mod exit;
mod large;
mod nested;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::JobError;
use crate::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};

pub use self::configuration::{Configuration, ConfigurationError, Initializer};
pub use self::exit::Exit;
pub use self::large::{DIRECT, Length, MOST_PIECES, MOST_SHARES, Piece};
pub use self::nested::{
    LONGEST_LABEL, MOST_AWAITED, MOST_HANDLES, MOST_UNACCEPTED, Options, Question, Submit,
};

/// What a worker program says of itself before anything else.
///
/// ```
/// use brigade_protocol::handshake::{open_hello, own_build, seal_hello};
/// use brigade_protocol::message::Hello;
///
/// let hello = Hello { build: own_build()?, tasks: vec![] };
/// assert_eq!(open_hello(&seal_hello(&hello)?)?, hello);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Tells whether two processes run the same executable: only then do bincode arguments and
    /// results mean the same to both.
    pub build: BuildId,
    /// The tasks it offers; a [`TaskId`] is an index into this list.
    pub tasks: Vec<TaskInfo>,
}

impl Hello {
    /// The task of this name, if it is offered.
    ///
    /// ```
    /// use brigade_protocol::id::TaskId;
    /// use brigade_protocol::message::{BuildId, Hello, TaskInfo};
    ///
    /// let nap = TaskInfo {
    ///     name: "nap".into(),
    ///     parameters: vec![],
    ///     returns: "()".into(),
    ///     doc: "Sleeps a little.".into(),
    /// };
    /// let hello = Hello { build: BuildId("mine".into()), tasks: vec![nap] };
    /// assert_eq!(hello.find("nap"), Some(TaskId(0)));
    /// assert_eq!(hello.find("sleep"), None);
    /// ```
    pub fn find(&self, name: &str) -> Option<TaskId> {
        let index = self.tasks.iter().position(|task| task.name == name)?;
        u32::try_from(index).ok().map(TaskId)
    }
}

/// Identifies one build of an executable. Compared for equality only.
///
/// ```
/// use brigade_protocol::handshake::own_build;
/// use brigade_protocol::message::BuildId;
///
/// let theirs = BuildId("another".into());
/// assert_ne!(own_build()?, theirs, "it must be asked in JSON");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildId(pub String);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A task as its users see it.
///
/// ```
/// use brigade_protocol::message::{ParameterInfo, TaskInfo};
///
/// let double = TaskInfo {
///     name: "double".into(),
///     parameters: vec![ParameterInfo { name: "x".into(), kind: "i64".into() }],
///     returns: "i64".into(),
///     doc: "Gives twice the number.".into(),
/// };
/// assert_eq!(double.parameters.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// What it is called, `prime-count`.
    pub name: String,
    /// Its parameters, in order.
    pub parameters: Vec<ParameterInfo>,
    /// The type of its result, as text.
    pub returns: String,
    /// One line about what it does.
    pub doc: String,
}

/// One parameter of a task.
///
/// ```
/// use brigade_protocol::message::ParameterInfo;
///
/// let x = ParameterInfo { name: "x".into(), kind: "i64".into() };
/// assert_eq!(format!("{}: {}", x.name, x.kind), "x: i64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// What it is called.
    pub name: String,
    /// Its type, as text.
    pub kind: String,
}

/// Supervisor to fork server.
///
/// ```
/// use brigade_protocol::codec::{decode, encode};
/// use brigade_protocol::id::WorkerId;
/// use brigade_protocol::message::Request;
///
/// let packet = encode(&Request::Reap(WorkerId(7)))?;
/// assert_eq!(decode::<Request>(&packet)?, Request::Reap(WorkerId(7)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Fork a worker. The far ends of its channel pair travel beside this message; the write end of
    /// its output pipe waits on the fork server's standard input.
    Spawn(Spawn),
    /// Wait for this worker, which is dead, and say how it ended.
    Reap(WorkerId),
    /// Be like this. Sent once, before the first worker is asked for, if anything is to be other than
    /// it is by itself; answered with [`Report::Configured`] or [`Report::NotConfigured`].
    Configure(Configuration),
}

/// Which worker to fork, and how it is to behave.
///
/// ```
/// use brigade_protocol::id::{SlotId, WorkerId};
/// use brigade_protocol::message::{Request, Spawn};
///
/// let (worker, slot) = (WorkerId(0), SlotId(0));
/// let spawn = Spawn { worker, slot, threads: 1, max_output: 1024, pool: 0, direct: true };
/// let request = Request::Spawn(spawn);
/// # assert!(matches!(request, Request::Spawn(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// Its id.
    pub worker: WorkerId,
    /// Its seat, and so its page of the scoreboard.
    pub slot: SlotId,
    /// How many jobs it may run at once, from 1 to [`LANES`](crate::board::LANES).
    pub threads: u16,
    /// The largest output of a job, in bytes; a larger one fails the job.
    pub max_output: u64,
    /// Tells handles of this pool's jobs from those of others.
    pub pool: u64,
    /// Whether it may [offer](FromWorker::Offer) large values.
    pub direct: bool,
}

/// Fork server to supervisor.
///
/// ```
/// use brigade_protocol::id::WorkerId;
/// use brigade_protocol::message::{Exit, Report};
///
/// let report = Report::Reaped { worker: WorkerId(7), exit: Exit::Signal(11), usage: None };
/// let Report::Reaped { worker, exit, .. } = report else { panic!("it is one") };
/// assert_eq!(format!("worker {worker} {exit}"), "worker 7 was killed by SIGSEGV");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The worker exists.
    Spawned {
        /// Which.
        worker: WorkerId,
        /// Its process. It stays a zombie after its death until it is reaped.
        pid: u32,
    },
    /// The worker could not be forked.
    NotSpawned {
        /// Which.
        worker: WorkerId,
        /// The system's error number.
        errno: i32,
    },
    /// The worker has been waited for; its pid may be reused from now on.
    Reaped {
        /// Which.
        worker: WorkerId,
        /// How it ended.
        exit: Exit,
        /// What it used in all its life, if that is known.
        usage: Option<Usage>,
    },
    /// It is as [`Request::Configure`] said, and has a single thread.
    Configured,
    /// It cannot be so, and ends.
    NotConfigured(ConfigurationError),
}

/// What something used of the machine.
///
/// ```
/// use std::time::Duration;
/// use brigade_protocol::message::Usage;
///
/// let usage = Usage { cpu: 1_500_000_000, peak_memory: 64 << 20 };
/// assert_eq!(Duration::from_nanos(usage.cpu), Duration::from_millis(1500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Usage {
    /// Time of a CPU, in user and in system mode, in nanoseconds.
    pub cpu: u64,
    /// The largest resident size of the process until then, in bytes. What it shares with its fork
    /// server is counted too.
    pub peak_memory: u64,
}

/// Supervisor to worker.
///
/// ```
/// use brigade_protocol::codec::{decode, encode};
/// use brigade_protocol::id::{JobId, Ticket};
/// use brigade_protocol::message::ToWorker;
///
/// let ticket = Ticket::from(JobId(42));
/// let packet = encode(&ToWorker::Part { ticket, bytes: b"a piece" })?;
/// let ToWorker::Part { bytes, .. } = decode(&packet)? else { panic!("it is one") };
/// assert_eq!(bytes, b"a piece", "borrowed from the packet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker<'a> {
    /// Jobs to run.
    #[serde(borrow)]
    Frame(Frame<'a>),
    /// The next piece of arguments too large for a frame; a frame with the call follows the last
    /// piece. Answered with [`FromWorker::Taken`] as soon as it is read.
    Part {
        /// The attempt that these arguments are for.
        ticket: Ticket,
        /// The piece.
        #[serde(with = "serde_bytes", borrow)]
        bytes: &'a [u8],
    },
    /// Give back every call that has not been started. Answered with [`FromWorker::Returned`].
    Recall,
    /// No more calls will come: finish what there is, then exit.
    Stop,
    /// One of the jobs that this attempt waits for has ended so. What does not fit was sent before, in
    /// parts with the ticket of the waiter. Answered with [`FromWorker::Taken`].
    Settled {
        /// Who waits.
        waiter: Ticket,
        /// The job that ended.
        job: JobId,
        /// Its end.
        #[serde(borrow)]
        result: Result<Value<'a>, JobError>,
    },
    /// This attempt must not wait for what it waits for. Answered with [`FromWorker::Taken`].
    WaitFailed {
        /// Who waits.
        waiter: Ticket,
        /// Why not.
        error: JobError,
    },
    /// The answer to [`FromWorker::Ask`]. Answered with [`FromWorker::Taken`].
    Told {
        /// Who asked.
        asker: Ticket,
        /// Yes or no.
        yes: bool,
    },
    /// Somebody wants this attempt to stop by itself, if it can.
    PleaseStop(Ticket),
    /// So many more of what is [counted](MOST_UNACCEPTED) have been taken in. Answered with
    /// [`FromWorker::Taken`].
    Accepted(u32),
    /// Jobs to run, of one task, consecutive and without labels: a frame for which little is written.
    Run(Calls<'a>),
    /// Make room for a large value: the arguments of this attempt, or an end that it waits for. Answered
    /// with [`FromWorker::Room`]. If the value cannot be written there, it comes in parts.
    Expect {
        /// The attempt that it is for.
        ticket: Ticket,
        /// How many bytes it has.
        length: u64,
    },
    /// What was [offered](FromWorker::Offer) has been read; or it cannot be, and must be sent in parts,
    /// as everything from now on. Answered with [`FromWorker::Taken`].
    Fetched {
        /// The attempt.
        ticket: Ticket,
        /// Whether it has been read.
        whole: bool,
    },
}

/// A run of calls; they are run in this order.
///
/// ```
/// use brigade_protocol::codec;
/// use brigade_protocol::id::{JobId, Run, Seq, TaskId};
/// use brigade_protocol::message::{Calls, Form, ToWorker};
///
/// let mut arguments = Vec::new();
/// codec::push_bytes(b"[1]", &mut arguments);
/// codec::push_bytes(b"[2]", &mut arguments);
/// let run = Run { first: JobId(7).into(), count: 2 };
/// let (first, task, form) = (Seq(1), TaskId(0), Form::Json);
/// let message = ToWorker::Run(Calls { first, run, task, form, arguments: &arguments });
/// assert!(codec::encode(&message).unwrap().len() < 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls<'a> {
    /// The place of the first call; the others follow on.
    pub first: Seq,
    /// The attempts.
    pub run: Run,
    /// What to run.
    pub task: TaskId,
    /// How the arguments are written, and how the outputs are to be.
    pub form: Form,
    /// The arguments of one after the other, as [`push_bytes`](crate::codec::push_bytes) writes them.
    #[serde(with = "serde_bytes", borrow)]
    pub arguments: &'a [u8],
}

/// Calls that travel together; they are run in this order.
///
/// ```
/// use brigade_protocol::codec::{MAX_MESSAGE, encode};
/// use brigade_protocol::id::{JobId, Seq, TaskId};
/// use brigade_protocol::message::{Call, Form, Frame, ToWorker, Value};
///
/// let (task, form) = (TaskId(0), Form::Word);
/// let calls = ["21", "22"].into_iter().zip(1..).map(|(word, job)| {
///     let arguments = Value::Inline(word.as_bytes());
///     Call { ticket: JobId(job).into(), task, form, arguments, label: None }
/// });
/// let frame = Frame { first: Seq(1), calls: calls.collect() };
/// assert!(encode(&ToWorker::Frame(frame))?.len() < MAX_MESSAGE);
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<'a> {
    /// The place of the first call; the others follow on.
    pub first: Seq,
    /// The calls.
    #[serde(borrow)]
    pub calls: Vec<Call<'a>>,
}

/// One attempt at one job.
///
/// ```
/// use brigade_protocol::id::{JobId, TaskId};
/// use brigade_protocol::message::{Call, Form, Value};
///
/// let call = Call {
///     ticket: JobId(1).into(),
///     task: TaskId(0),
///     form: Form::Json,
///     arguments: Value::Inline(b"[21]"),
///     label: Some("the answer, halved"),
/// };
/// assert_eq!(call.ticket.attempt, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<'a> {
    /// The attempt.
    pub ticket: Ticket,
    /// What to run.
    pub task: TaskId,
    /// How the arguments are written, and how the output is to be.
    pub form: Form,
    /// The arguments.
    #[serde(borrow)]
    pub arguments: Value<'a>,
    /// The name that its submitter gave it.
    pub label: Option<&'a str>,
}

/// How arguments and output are written.
///
/// ```
/// use brigade_protocol::codec::encode_value;
/// use brigade_protocol::message::Form;
///
/// let (ours, theirs) = ("this build", "another build");
/// let mut number = Vec::new();
/// encode_value(&(21_i64,), &mut number)?;
/// let (form, arguments) = if ours == theirs {
///     (Form::Bincode, number)
/// } else {
///     (Form::Json, b"[21]".to_vec())
/// };
/// assert_eq!((form, arguments.as_slice()), (Form::Json, b"[21]".as_slice()));
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// Both in bincode: for two processes of one build.
    Bincode,
    /// Both in JSON text. The arguments are an array (by position), an object (by name), or any
    /// other value (the only argument).
    Json,
    /// The arguments are one bare word as a person types it: tried as JSON, then as a string. The
    /// output is JSON text.
    Word,
}

/// Encoded arguments or output.
///
/// ```
/// use brigade_protocol::codec::fits_inline;
/// use brigade_protocol::message::{Length, Value};
///
/// let output = [0; 1_000];
/// let value = if fits_inline(output.len()) {
///     Value::Inline(&output)
/// } else {
///     Value::Parts(Length::plain(output.len() as u64)) // which were sent before
/// };
/// assert!(matches!(value, Value::Inline(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value<'a> {
    /// Here they are.
    Inline(#[serde(with = "serde_bytes", borrow)] &'a [u8]),
    /// They came before, in parts that add up to this length or copied [directly](ToWorker::Expect).
    Parts(Length),
}

/// Worker to supervisor.
///
/// ```
/// use brigade_protocol::codec::{decode, encode};
/// use brigade_protocol::id::JobId;
/// use brigade_protocol::message::FromWorker;
///
/// let returned = FromWorker::Returned(vec![JobId(3).into(), JobId(4).into()]);
/// let packet = encode(&returned)?;
/// assert_eq!(decode::<FromWorker>(&packet)?, returned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker<'a> {
    /// It is up and may be given work.
    Ready,
    /// Jobs that ended.
    Replies(#[serde(borrow)] Vec<Reply<'a>>),
    /// The next piece of an output too large for a message; the reply follows the last piece.
    Part {
        /// The attempt whose output this is.
        ticket: Ticket,
        /// The piece.
        #[serde(with = "serde_bytes", borrow)]
        bytes: &'a [u8],
    },
    /// The answer to [`ToWorker::Recall`]: these have not been started and never will be. In the order
    /// in which they were sent.
    Returned(Vec<Ticket>),
    /// One [`ToWorker::Part`], or another message that is answered so, has been read.
    Taken,
    /// The supervisor's own mark behind everything that a dead worker sent. A worker never sends it.
    End,
    /// A running job submits another. At most [`MOST_UNACCEPTED`] of these may be under way.
    Submit(#[serde(borrow)] Submit<'a>),
    /// A running job announces one that it may submit later.
    Reserve {
        /// The attempt that runs.
        parent: Ticket,
        /// The job to come.
        job: JobId,
    },
    /// The job announced will not be submitted.
    Abandon(JobId),
    /// This attempt waits until one of these jobs has ended. At most [`MOST_AWAITED`] of them.
    Wait {
        /// Who waits.
        waiter: Ticket,
        /// For which.
        jobs: Vec<JobId>,
    },
    /// This attempt waits no longer: its time was over.
    WaitOver(Ticket),
    /// This attempt wants to know something, or to have it done. Answered with [`ToWorker::Told`].
    Ask {
        /// Who asks.
        asker: Ticket,
        /// About which job.
        job: JobId,
        /// What.
        question: Question,
    },
    /// Cancel these if they have not been started.
    Cancel(Vec<JobId>),
    /// After a job its resident size was above [`Configuration::max_rss`]: it had better be replaced.
    /// Said once at most, and only if there is such a limit.
    Grown,
    /// Jobs of a [run](ToWorker::Run) that succeeded, one behind the other.
    Ran(#[serde(borrow)] Outputs<'a>),
    /// The answer to [`ToWorker::Expect`]: there is room here, until the value is mentioned.
    Room {
        /// The attempt that the value is for.
        ticket: Ticket,
        /// Where it begins, in the address space of the worker.
        address: u64,
    },
    /// A large value lies here: the output of this attempt, or the arguments of a job that it submits.
    /// It stays so until it is [fetched](ToWorker::Fetched); only then it is mentioned.
    Offer {
        /// The attempt.
        ticket: Ticket,
        /// How long it is.
        length: Length,
        /// Where its bytes lie, in order. At most [`MOST_PIECES`].
        pieces: Vec<Piece>,
    },
}

/// The outputs of a run of jobs, of which each began when the one before had ended.
///
/// ```
/// use brigade_protocol::codec;
/// use brigade_protocol::id::{JobId, Run};
/// use brigade_protocol::message::Outputs;
///
/// let mut bytes = Vec::new();
/// codec::push_output(1500, b"2", &mut bytes);
/// codec::push_output(1200, b"4", &mut bytes);
/// let run = Run { first: JobId(7).into(), count: 2 };
/// let ran = Outputs { run, started: 0, outputs: &bytes };
/// assert_eq!(codec::take_output(&mut { ran.outputs }).unwrap(), (1500, &b"2"[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs<'a> {
    /// The attempts.
    pub run: Run,
    /// When the first began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub started: u64,
    /// The outputs of one after the other, as [`push_output`](crate::codec::push_output) writes them.
    #[serde(with = "serde_bytes", borrow)]
    pub outputs: &'a [u8],
}

/// How one attempt ended.
///
/// ```
/// use brigade_protocol::codec::encode;
/// use brigade_protocol::id::JobId;
/// use brigade_protocol::message::{FromWorker, Reply, Value};
///
/// let output = encode(&42_i64)?;
/// let result = Ok(Value::Inline(&output));
/// let reply = Reply { ticket: JobId(1).into(), started: 1_000, elapsed: 500, result };
/// let packet = encode(&FromWorker::Replies(vec![reply]))?;
/// # assert!(packet.len() > output.len());
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// The attempt.
    pub ticket: Ticket,
    /// When it began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub started: u64,
    /// How long it ran, in nanoseconds.
    pub elapsed: u64,
    /// What came of it.
    #[serde(borrow)]
    pub result: Result<Value<'a>, TaskError>,
}

/// Why a task did not give a result, although its worker is well.
///
/// ```
/// use brigade_protocol::message::{TaskError, TaskErrorKind};
///
/// let error = TaskError::new(TaskErrorKind::BadArguments, "not one i64");
/// assert_eq!(error.to_string(), "not one i64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct TaskError {
    /// What kind of end it was.
    pub kind: TaskErrorKind,
    /// The error's or the panic's message.
    pub message: String,
    /// Where it panicked, `file:line:column`.
    pub location: Option<String>,
    /// The stack at the panic.
    pub backtrace: Option<String>,
    /// What the attempt used: the CPU time of the thread that ran it.
    pub usage: Option<Usage>,
}

/// The kinds of [`TaskError`].
///
/// ```
/// use brigade_protocol::error::Failure;
/// use brigade_protocol::message::{TaskError, TaskErrorKind};
///
/// let failure = Failure::from(TaskError::new(TaskErrorKind::BadOutput, "too large"));
/// assert_eq!(failure.name(), "undecodable");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TaskErrorKind {
    /// The task returned an error.
    Failed,
    /// The task panicked.
    Panicked,
    /// The arguments are not what the task takes.
    BadArguments,
    /// The output does not encode, or is larger than allowed.
    BadOutput,
}

impl TaskError {
    /// The longest message or backtrace, in bytes, so that the error fits one message.
    pub const LONGEST: usize = 16 * 1024;

    /// An error without a place; a message that is too long is cut.
    ///
    /// ```
    /// use brigade_protocol::message::{TaskError, TaskErrorKind};
    ///
    /// let error = TaskError::new(TaskErrorKind::Failed, "no ".repeat(100_000));
    /// assert_eq!(error.message.len(), TaskError::LONGEST);
    /// assert!(error.message.ends_with(" … (cut)"));
    /// ```
    pub fn new(kind: TaskErrorKind, message: impl Into<String>) -> Self {
        let message = cut(message.into(), Self::LONGEST);
        Self { kind, message, location: None, backtrace: None, usage: None }
    }

    /// A panic, with where it happened; texts that are too long are cut.
    ///
    /// ```
    /// use brigade_protocol::message::{TaskError, TaskErrorKind};
    ///
    /// let error = TaskError::panicked("no".into(), Some("src/nap.rs:7:5".into()), None);
    /// assert_eq!(error.kind, TaskErrorKind::Panicked);
    /// ```
    pub fn panicked(message: String, location: Option<String>, backtrace: Option<String>) -> Self {
        Self {
            kind: TaskErrorKind::Panicked,
            message: cut(message, Self::LONGEST),
            location,
            backtrace: backtrace.map(|text| cut(text, Self::LONGEST)),
            usage: None,
        }
    }
}

/// At most so many bytes of a text, with a mark that there was more if there is room for one.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    const MARK: &str = " … (cut)";
    if text.len() > most {
        let mark = if most > MARK.len() { MARK } else { "" };
        text.truncate(text.floor_char_boundary(most - mark.len()));
        text.push_str(mark);
    }
    text
}

impl From<JobId> for Ticket {
    /// The first attempt at a job.
    fn from(job: JobId) -> Self {
        Self { job, attempt: 1 }
    }
}
