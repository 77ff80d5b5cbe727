//! A job: one call of a task, with its arguments and how often and how long it may be tried.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::error::{Certificate, Failure, JobError};
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::{Form, Options, TaskError, TaskErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blob::outside::{self, Blobs, Encoding};
use crate::context::Context;
use crate::handle::{self, Handles};
use crate::panics;
use crate::ready::Ready;
use crate::task::Task;

/// The longest label, in bytes; a longer one is cut.
pub use brigade_protocol::message::LONGEST_LABEL;

/// One call of a task, not yet submitted. `T` is the type of its result, `A` that of its arguments.
///
/// `#[task]` makes a function whose call is a job, so that the compiler checks the arguments. By name:
///
/// ```
/// use std::time::Duration;
/// use brigade::Job;
///
/// let job: Job<u64> = Job::call("prime-count", (0_u64, 100_u64));
/// let job = job.timeout(Duration::from_secs(1)).retries(2);
/// assert_eq!(job.task(), "prime-count");
/// ```
#[must_use = "a job does nothing until it is submitted"]
pub struct Job<T, A = Encoded> {
    task: Cow<'static, str>,
    known: Option<&'static Task>,
    form: Form,
    arguments: A,
    options: Option<Box<Options>>,
    decode: Decode<T>,
}

/// Turns an output into the caller's type; the error is a text.
pub(crate) type Decode<T> = fn(&[u8]) -> Result<T, String>;

/// What a plain call is besides its arguments.
pub(crate) type Plain<'a, T> = (&'a Cow<'static, str>, Option<&'static Task>, Form, Decode<T>);

/// Arguments that are encoded already, or why they do not encode: then this job fails, and nothing else.
///
/// ```
/// use brigade::Job;
///
/// // One type, whatever the tasks take.
/// let jobs: [Job<u64>; 2] = [Job::call("count", ("a",)), Job::call("pow", (5_u64, 2_u32))];
/// assert_eq!(jobs.map(|job| job.task().to_owned()), ["count", "pow"]);
/// ```
#[derive(Clone, Debug)]
pub struct Encoded {
    bytes: Result<Vec<u8>, TaskError>,
    handles: Handles,
    /// What they left outside.
    blobs: Blobs,
}

/// What the arguments of a job can be: a tuple of anything that implements `Serialize`, or [`Encoded`].
///
/// ```
/// use brigade::{Future, Job, ThreadPool, builtin::prime_count};
/// use brigade_task::Arguments;
///
/// fn submit_twice_tried<T, A: Arguments>(pool: &ThreadPool, job: Job<T, A>) -> Future<T> {
///     pool.submit(job.retries(1))
/// }
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// assert_eq!(submit_twice_tried(&pool, prime_count(0, 100)).result()?, 25);
/// # Ok::<(), brigade::Error>(())
/// ```
pub trait Arguments {
    /// Their bytes.
    ///
    /// # Errors
    ///
    /// They do not encode.
    ///
    /// ```
    /// use brigade_task::Arguments;
    ///
    /// assert_eq!((1_u8, true, "no").encode()?, [1, 1, 2, 0, 0, 0, 0, 0, 0, 0, b'n', b'o']);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    fn encode(&self) -> Result<Vec<u8>, TaskError> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes).map(|()| bytes)
    }

    /// Appends their bytes.
    ///
    /// # Errors
    ///
    /// They do not encode; `bytes` is then as it was.
    ///
    /// ```
    /// # use brigade_task::Arguments;
    /// let mut bytes = vec![7];
    /// (1_u8, true).encode_into(&mut bytes)?;
    /// assert_eq!(bytes, [7, 1, 1]);
    /// # Ok::<(), brigade::protocol::message::TaskError>(())
    /// ```
    fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), TaskError>;

    /// About how many bytes they are, before they are encoded.
    ///
    /// ```
    /// use brigade_task::Arguments;
    ///
    /// assert_eq!((1_u64, 2_u64).size_hint(), 16);
    /// ```
    fn size_hint(&self) -> usize {
        size_of_val(self)
    }
}

impl<A: Serialize> Arguments for A {
    fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), TaskError> {
        codec::encode_value(self, bytes)
            .map_err(|error| TaskError::new(TaskErrorKind::BadArguments, error.to_string()))
    }
}

impl Arguments for Encoded {
    fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), TaskError> {
        self.handles.note();
        let own = self.bytes.as_ref().map_err(TaskError::clone)?;
        if !outside::leave_again(&self.blobs) {
            let message = "arguments with large blobs cannot be encoded by themselves";
            return Err(TaskError::new(TaskErrorKind::BadArguments, message));
        }
        bytes.extend_from_slice(own);
        Ok(())
    }

    fn size_hint(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }
}

impl<T: DeserializeOwned, A: Serialize> Job<T, A> {
    /// A call of a task that is known; what `#[task]` makes.
    #[doc(hidden)]
    pub fn of(task: &'static Task, arguments: A) -> Self {
        let name = Cow::Borrowed(task.name);
        Self::new(name, Some(task), Form::Bincode, arguments, decode_bincode)
    }
}

impl<T: DeserializeOwned> Job<T> {
    /// A call by name with typed arguments: the tuple of all of them, `(x,)` for a single one.
    ///
    /// **The types must be exactly those of the task**, for bincode does not describe itself: `1000` is
    /// an `i32` unless told otherwise, and a task that takes a `u64` reads it as 2000. A call of the
    /// function that `#[task]` makes has the right types by itself. The worker program must be of the
    /// same build as the caller, which is checked.
    ///
    /// ```
    /// use brigade::{Job, ThreadPool, builtin};
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
    /// let job: Job<u64> = Job::call("prime-count", (0_u64, 100_u64));
    /// assert_eq!(pool.submit(job).result()?, 25);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn call<A: Serialize>(task: impl Into<Cow<'static, str>>, arguments: A) -> Self {
        let ((bytes, handles), blobs) = collect(|| arguments.encode());
        let arguments = Encoded { bytes, handles, blobs };
        Self::new(task.into(), None, Form::Bincode, arguments, decode_bincode)
    }
}

/// The inverse of what a task's bincode entry does with its result.
#[inline]
pub(crate) fn decode_bincode<T: DeserializeOwned>(output: &[u8]) -> Result<T, String> {
    codec::decode_value(output).map_err(|error| error.to_string())
}

impl Job<String> {
    /// A call with its arguments as JSON text: an array (by position), an object (by name), or any
    /// other value (the only argument). The result is JSON text. Works with every worker program.
    ///
    /// ```
    /// use brigade::{Job, ThreadPool, builtin};
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
    /// let job = Job::json("pow", r#"{"base": 2, "exponent": 10}"#);
    /// assert_eq!(pool.submit(job).result()?, "1024");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn json(task: impl Into<Cow<'static, str>>, arguments: impl Into<String>) -> Self {
        Self::text(task.into(), Form::Json, arguments.into())
    }

    /// A call with one bare word as its argument, as a person types it: tried as JSON, then as a
    /// string. The result is JSON text.
    ///
    /// ```
    /// use brigade::{Job, ThreadPool, builtin};
    ///
    /// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
    /// assert_eq!(pool.submit(Job::word("double", "21")).result()?, "42");
    /// assert_eq!(pool.submit(Job::word("echo", "one word")).result()?, "\"one word\"");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn word(task: impl Into<Cow<'static, str>>, word: impl Into<String>) -> Self {
        Self::text(task.into(), Form::Word, word.into())
    }

    fn text(task: Cow<'static, str>, form: Form, arguments: String) -> Self {
        Self::new(
            task,
            None,
            form,
            Encoded {
                bytes: Ok(arguments.into_bytes()),
                handles: Handles::default(),
                blobs: Blobs::default(),
            },
            |output| String::from_utf8(output.to_vec()).map_err(|error| error.to_string()),
        )
    }
}

impl<T, A> Job<T, A> {
    /// A call of a task whose types `#[task]` has seen to.
    pub(crate) fn typed(task: &'static Task, decode: Decode<T>, arguments: A) -> Self {
        Self::new(Cow::Borrowed(task.name), Some(task), Form::Bincode, arguments, decode)
    }

    fn new(
        task: Cow<'static, str>,
        known: Option<&'static Task>,
        form: Form,
        arguments: A,
        decode: Decode<T>,
    ) -> Self {
        Self { task, known, form, arguments, options: None, decode }
    }

    /// The name of the task.
    ///
    /// ```
    /// use brigade::builtin::prime_count;
    ///
    /// assert_eq!(prime_count(0, 100).task(), "prime-count");
    /// ```
    pub fn task(&self) -> &str {
        &self.task
    }

    /// How long an attempt may run, from its start. Its worker is then killed. Default: the pool's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use brigade::{ThreadPool, builtin::sleep};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let error = pool.submit(sleep(60.0).timeout(Duration::from_millis(10))).result().unwrap_err();
    /// assert!(error.is_timed_out());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeout = Some(timeout))
    }

    /// How often it is tried again after an error, a panic or a time-out. Default: the pool's.
    ///
    /// ```
    /// use brigade::{Context, ThreadPool, task};
    ///
    /// #[task]
    /// fn third_time(context: &Context) -> Result<u32, String> {
    ///     if context.attempt() < 3 { Err("not yet".to_owned()) } else { Ok(context.attempt()) }
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit(third_time().retries(2)).result()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retries(self, retries: u32) -> Self {
        self.with(|options| options.retries = Some(retries))
    }

    /// How often it is tried again after its worker died. 0 is at-most-once: such a job is never
    /// started twice. Default: the pool's.
    ///
    /// ```
    /// use brigade::{ProcessPool, task};
    /// # brigade::test_support!();
    ///
    /// #[task]
    /// fn crash() {
    ///     std::process::abort();
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ProcessPool::builder().workers(1).build()?;
    /// let error = pool.submit(crash().crash_retries(0)).result().unwrap_err();
    /// assert_eq!((error.signal(), error.attempts()), (Some("SIGABRT"), 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn crash_retries(self, crash_retries: u32) -> Self {
        self.with(|options| options.crash_retries = Some(crash_retries))
    }

    /// Jobs of a higher priority are started first, those of equal priority in the order of their
    /// submission. Default 0. A stream of high ones can hold up a low one for ever.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use brigade::{Prefetch, ThreadPool, as_completed, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).prefetch(Prefetch::AtMost(0)).build()?;
    /// let (go, gone) = channel::<()>();
    /// pool.submit_fn(move || gone.recv());
    /// let low = pool.submit(prime_count(0, 10));
    /// let high = pool.submit(prime_count(0, 100).priority(1));
    /// drop(go);
    /// assert_eq!(as_completed([low, high]).next().expect("there are two").result()?, 25);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn priority(self, priority: i8) -> Self {
        self.with(|options| options.priority = priority)
    }

    /// A name for people, shown in errors and lanes; at most 256 bytes of it.
    ///
    /// ```
    /// use brigade::{ThreadPool, builtin::prime_count};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let error = pool.submit(prime_count(0, u64::MAX).label("all")).result().unwrap_err();
    /// assert!(error.to_string().starts_with("job 1 (prime-count, all), attempt 1 of 1: "));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn label(self, label: impl Into<String>) -> Self {
        let mut label = label.into();
        label.truncate(label.floor_char_boundary(LONGEST_LABEL));
        self.with(|options| options.label = Some(label.into_boxed_str()))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(self.options.get_or_insert_default());
        self
    }
}

impl<T, A: Arguments> Job<T, A> {
    /// Runs the job in this place: in this thread and process, without a pool. Only a job that was made
    /// by calling a task can be run so; jobs that it submits are run in this place, too.
    ///
    /// # Errors
    ///
    /// As a pool would give; but a crash is this process's.
    ///
    /// ```
    /// use brigade::builtin::prime_count;
    ///
    /// assert_eq!(prime_count(0, 100).run()?, 25);
    /// assert!(prime_count(0, u64::MAX).run().unwrap_err().is_failed());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn run(self) -> Result<T, JobError> {
        crate::executor::submit_to(&crate::in_place::host(), self).result()
    }

    /// With its arguments encoded.
    pub(crate) fn ready(self) -> Ready<T> {
        let Self { task, known, form, arguments, options, decode } = self;
        Ready::new((task, known, form, decode), options, |bytes| {
            collect(|| arguments.encode_into(bytes))
        })
    }

    /// What there is to know of it besides its arguments, if it has no options.
    #[inline]
    pub(crate) fn plain(&self) -> Option<Plain<'_, T>> {
        self.options.is_none().then_some((&self.task, self.known, self.form, self.decode))
    }

    /// Appends its arguments. False if they cannot be encoded, or are not all: there are handles among them,
    /// or something was left outside.
    #[inline]
    pub(crate) fn encode_plain(&self, bytes: &mut Vec<u8>) -> bool {
        if !handle::exist() && !outside::exist() {
            return self.arguments.encode_into(bytes).is_ok();
        }
        self.encode_if_all(bytes)
    }

    /// Apart, so that who calls [`encode_plain`](Self::encode_plain) in a loop has little of it there.
    #[inline(never)]
    fn encode_if_all(&self, bytes: &mut Vec<u8>) -> bool {
        let ((encoded, handles), blobs) = collect(|| self.arguments.encode_into(bytes));
        encoded.is_ok() && handles.is_empty() && blobs.is_empty()
    }

    /// What a stream of jobs, which has no cells, needs to know.
    #[doc(hidden)]
    pub fn into_parts(self) -> (Cow<'static, str>, Form, Result<Encoding, TaskError>, Options) {
        let (bytes, blobs) = outside::collect(|| self.arguments.encode());
        let arguments = bytes.map(|bytes| Encoding { bytes, blobs });
        (self.task, self.form, arguments, self.options.map(|options| *options).unwrap_or_default())
    }

    /// How many bytes of arguments it brings, more or less.
    #[doc(hidden)]
    pub fn size_hint(&self) -> usize {
        self.arguments.size_hint()
    }
}

impl<T, A> fmt::Debug for Job<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({})", self.task)
    }
}

/// That an output does not decode, in words.
pub(crate) fn not_a<T>(reason: &str) -> String {
    format!("the output is not a {}: {reason}", std::any::type_name::<T>())
}

/// A job succeeded whose output cannot be had.
pub(crate) fn unread(job: JobId, task: String, text: String) -> Certificate {
    let failure = Failure::Undecodable(TaskError::new(TaskErrorKind::BadOutput, text));
    JobError::unstarted(job, task, None, failure).certificate().clone()
}

/// Calls `encode`, and gives the handles and the large blobs that it came across.
fn collect<R>(encode: impl FnOnce() -> R) -> ((R, Handles), Blobs) {
    outside::collect(|| handle::collect(encode))
}

/// Runs an attempt of a task in this thread: a panic in it becomes an error. Gives the large blobs that
/// the output left outside.
#[doc(hidden)]
pub fn attempt(
    task: &Task,
    context: &Context,
    form: Form,
    (arguments, blobs): (&[u8], Blobs),
    output: &mut Vec<u8>,
) -> Result<Blobs, TaskError> {
    let before = output.len();
    let (result, left) =
        outside::call(blobs, || panics::catch(|| (task.entry)(context, form, arguments, output)));
    let result = result.and_then(|result| result).map(|()| left);
    result.inspect_err(|_| output.truncate(before))
}

/// The first attempt at a job.
pub(crate) fn first(job: JobId) -> Ticket {
    Ticket::from(job)
}
