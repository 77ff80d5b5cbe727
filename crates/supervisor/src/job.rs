//! A job: one call of a task, with its arguments and how often and how long it may be tried.

use std::borrow::Cow;
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::message::{Form, TaskError, TaskErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scheduler::Limits;

/// One call of a task, not yet submitted. `T` is the type of its result.
///
/// ```
/// use std::time::Duration;
/// use brigade_supervisor::Job;
///
/// let job: Job<f64> = Job::call("pow", (5.0, 2.0)).timeout(Duration::from_secs(1)).retries(2);
/// assert_eq!(job.task(), "pow");
/// ```
pub struct Job<T> {
    pub(crate) task: Cow<'static, str>,
    pub(crate) form: Form,
    /// The encoded arguments, or why they do not encode: then this job fails, and nothing else.
    pub(crate) arguments: Result<Vec<u8>, TaskError>,
    pub(crate) options: Options,
    pub(crate) decode: Decode<T>,
}

/// Turns an output into the caller's type; the error is a text.
pub(crate) type Decode<T> = fn(&[u8]) -> Result<T, String>;

/// What a job may override of its pool's [`Limits`], and its label.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) crash_retries: Option<u32>,
    pub(crate) label: Option<Box<str>>,
}

impl Options {
    pub(crate) fn limits(&self, pool: Limits) -> Limits {
        Limits {
            timeout: self.timeout.or(pool.timeout),
            retries: self.retries.unwrap_or(pool.retries),
            crash_retries: self.crash_retries.unwrap_or(pool.crash_retries),
        }
    }
}

impl<T: DeserializeOwned> Job<T> {
    /// A call with typed arguments: the tuple of all of them, `(x,)` for a single one. They are
    /// encoded here, in the calling thread.
    ///
    /// **The types must be exactly those of the task**, for bincode does not describe itself: `1000` is
    /// an `i32` unless told otherwise, and a task that takes a `u64` reads it as 2000. So write
    /// `1000_u64`, and the task's own result type for `T`. The worker program must be of the same build
    /// as the caller, which is checked.
    pub fn call<A: Serialize>(task: impl Into<Cow<'static, str>>, arguments: A) -> Self {
        let mut bytes = Vec::new();
        let encoded = codec::encode_value(&arguments, &mut bytes)
            .map(|()| bytes)
            .map_err(|error| TaskError::new(TaskErrorKind::BadArguments, error.to_string()));
        Self::new(task.into(), Form::Bincode, encoded, |output| {
            codec::decode_value(output).map_err(|error| error.to_string())
        })
    }
}

impl Job<String> {
    /// A call with its arguments as JSON text: an array (by position), an object (by name), or any
    /// other value (the only argument). The result is JSON text. Works with every worker program.
    pub fn json(task: impl Into<Cow<'static, str>>, arguments: impl Into<String>) -> Self {
        Self::text(task.into(), Form::Json, arguments.into())
    }

    /// A call with one bare word as its argument, as a person types it: tried as JSON, then as a
    /// string. The result is JSON text.
    pub fn word(task: impl Into<Cow<'static, str>>, word: impl Into<String>) -> Self {
        Self::text(task.into(), Form::Word, word.into())
    }

    fn text(task: Cow<'static, str>, form: Form, arguments: String) -> Self {
        Self::new(task, form, Ok(arguments.into_bytes()), |output| {
            String::from_utf8(output.to_vec()).map_err(|error| error.to_string())
        })
    }
}

/// A call that the fork server or a worker makes when it starts.
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    pub(crate) task: Cow<'static, str>,
    pub(crate) form: Form,
    pub(crate) arguments: Result<Vec<u8>, TaskError>,
}

impl<T> From<Job<T>> for Preparation {
    fn from(job: Job<T>) -> Self {
        Self { task: job.task, form: job.form, arguments: job.arguments }
    }
}

impl<T> Job<T> {
    fn new(
        task: Cow<'static, str>,
        form: Form,
        arguments: Result<Vec<u8>, TaskError>,
        decode: Decode<T>,
    ) -> Self {
        Self { task, form, arguments, options: Options::default(), decode }
    }

    /// The name of the task.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// How long an attempt may run, from its start. Its worker is then killed. Default: the pool's.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How often it is tried again after an error, a panic or a time-out. Default: the pool's.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = Some(retries);
        self
    }

    /// How often it is tried again after its worker died. 0 is at-most-once: such a job is never
    /// started twice. Default: the pool's.
    #[must_use]
    pub fn crash_retries(mut self, crash_retries: u32) -> Self {
        self.options.crash_retries = Some(crash_retries);
        self
    }

    /// A name for people, shown in errors and lanes.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = Some(label.into().into_boxed_str());
        self
    }
}
