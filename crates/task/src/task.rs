//! A task: a named function that a worker program offers, with its two entries.
//!
//! The library calls a task with *bincode* arguments: both sides are one build of one executable and
//! know the types. The program does not know them, so it sends *JSON text* and the task's own code,
//! which does, converts. `#[task]` writes both entries.

use std::fmt;

use brigade_protocol::codec;
use brigade_protocol::message::{Form, ParameterInfo, TaskError, TaskErrorKind, TaskInfo};

use crate::blob::outside;
use crate::context::Context;
use crate::json::{self, Arguments};
use crate::typed::{Complaint, Output};

/// A named function that a worker program offers. `#[task]` makes one.
///
/// ```
/// use brigade::{Task, builtin::prime_count};
///
/// let task: &Task = &prime_count::TASK;
/// assert_eq!((task.name, task.returns), ("prime-count", "u64"));
/// assert_eq!(task.doc, "Counts the primes p with FROM <= p < TO.");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// What it is called.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// The type of its result, as text.
    pub returns: &'static str,
    /// One line about what it does.
    pub doc: &'static str,
    /// Where it is written.
    pub source: Source,
    /// Runs it: decodes `arguments`, calls the function, appends the encoded result to `output`.
    pub entry: Entry,
}

/// The function behind a [`Task`].
pub type Entry = fn(
    context: &Context,
    form: Form,
    arguments: &[u8],
    output: &mut Vec<u8>,
) -> Result<(), TaskError>;

/// One parameter of a [`Task`].
///
/// ```
/// use brigade::builtin::prime_count;
///
/// let parameters = prime_count::TASK.parameters;
/// let parameters = parameters.iter().map(|parameter| (parameter.name, parameter.kind));
/// assert_eq!(parameters.collect::<Vec<_>>(), [("from", "u64"), ("to", "u64")]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called.
    pub name: &'static str,
    /// Its type, as text.
    pub kind: &'static str,
}

/// Where a [`Task`] is written.
///
/// ```
/// use brigade::builtin::double;
///
/// let source = double::TASK.source;
/// assert_eq!(source.module, "brigade_worker::builtin");
/// assert!(source.to_string().starts_with("in brigade_worker::builtin ("));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The path of its module.
    pub module: &'static str,
    /// The file, as the compiler was told of it.
    pub file: &'static str,
    /// The line, counted from one.
    pub line: u32,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {} ({}:{})", self.module, self.file, self.line)
    }
}

impl Task {
    /// The types of its parameters, `f64, f64`.
    fn kinds(&self) -> String {
        self.parameters.iter().map(|parameter| parameter.kind).collect::<Vec<_>>().join(", ")
    }

    /// The task as the supervisor's users see it.
    ///
    /// ```
    /// use brigade::builtin::pow;
    ///
    /// let info = pow::TASK.info();
    /// assert_eq!(info.parameters[1].name, "exponent");
    /// ```
    pub fn info(&self) -> TaskInfo {
        let parameters = self
            .parameters
            .iter()
            .map(|parameter| ParameterInfo {
                name: parameter.name.into(),
                kind: parameter.kind.into(),
            })
            .collect();
        TaskInfo {
            name: self.name.into(),
            parameters,
            returns: self.returns.into(),
            doc: self.doc.into(),
        }
    }
}

/// What every [`Task::entry`] made by `#[task]` does first: it decodes the arguments.
///
/// `A` has as many elements as the task has parameters.
#[inline]
pub(crate) fn read<A: Arguments>(
    task: &Task,
    form: Form,
    arguments: &[u8],
) -> Result<A, TaskError> {
    match form {
        Form::Bincode => {
            outside::read_arguments(|| codec::decode_value(arguments)).map_err(|error| {
                let (name, kinds) = (task.name, task.kinds());
                json::bad(format!("the arguments of {name}: not bincode of ({kinds}): {error}"))
            })
        }
        Form::Json => json::read(task, arguments),
        Form::Word => json::read_word(task, arguments),
    }
}

/// What every [`Task::entry`] made by `#[task]` does last: it appends the encoded result. Nothing is
/// appended unless all of it succeeds.
#[doc(hidden)]
#[inline]
pub fn write<T: Output, E: Complaint>(
    form: Form,
    result: Result<T, E>,
    output: &mut Vec<u8>,
) -> Result<(), TaskError> {
    // The alternate form: an error of anyhow then tells its causes as well.
    let result =
        result.map_err(|error| TaskError::new(TaskErrorKind::Failed, format!("{error:#}")))?;
    match form {
        Form::Bincode => outside::write_result(|| codec::encode_value(&result, output))
            .map_err(|error| TaskError::new(TaskErrorKind::BadOutput, error.to_string())),
        Form::Json | Form::Word => json::write(&result, output),
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::{JobId, Ticket};
    use serde::Serialize;

    use super::*;

    mod tasks {
        use std::collections::BTreeMap;

        use brigade_macros::task;

        use super::Context;

        /// Tells which job this is, and adds.
        ///
        /// No more than that.
        #[task(crate = crate, unlisted)]
        pub(super) fn tell_job(context: &Context, plus: u64) -> Result<u64, String> {
            let refuse = || format!("{plus} is too much");
            context.job().0.checked_add(plus).ok_or_else(refuse)
        }

        #[task(crate = crate, unlisted, name = "one-pair")]
        pub(super) fn pair(a: u8, r#type: Vec<u8>) -> BTreeMap<(u8, u8), usize> {
            BTreeMap::from([((a, a), r#type.len())])
        }

        #[task(crate = crate, unlisted)]
        pub(super) fn nothing() {}
    }

    const TELL_JOB: &Task = &tasks::tell_job::TASK;
    const PAIR: &Task = &tasks::pair::TASK;

    fn run(task: &Task, form: Form, arguments: &[u8]) -> Result<Vec<u8>, TaskError> {
        let mut output = vec![9];
        let context = Context::new(Ticket::from(JobId(7)));
        let done = (task.entry)(&context, form, arguments, &mut output);
        assert_eq!(output.remove(0), 9, "what was there stays");
        assert!(done.is_ok() || output.is_empty(), "no output beside an error");
        done.map(|()| output)
    }

    fn encoded<T: Serialize>(value: T) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode_value(&value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_task_describes_itself() {
        let info = TELL_JOB.info();
        assert_eq!(info.name, "tell-job");
        assert_eq!(info.doc, "Tells which job this is, and adds.");
        assert_eq!(info.returns, "u64");
        assert_eq!(info.parameters, [ParameterInfo { name: "plus".into(), kind: "u64".into() }]);
        assert_eq!(PAIR.name, "one-pair");
        assert_eq!(PAIR.parameters[1], Parameter { name: "type", kind: "Vec<u8>" });
        assert_eq!(PAIR.returns, "BTreeMap<(u8, u8), usize>");
        assert_eq!(tasks::nothing::TASK.returns, "()");
    }

    #[test]
    fn bincode_in_gives_bincode_out() {
        assert_eq!(run(TELL_JOB, Form::Bincode, &encoded((3_u64,))).unwrap(), encoded(10_u64));
        let both = run(PAIR, Form::Bincode, &encoded((3_u8, vec![1_u8, 2]))).unwrap();
        assert_eq!(both, encoded(std::collections::BTreeMap::from([((3_u8, 3_u8), 2_usize)])));
        assert_eq!(run(&tasks::nothing::TASK, Form::Bincode, &[]).unwrap(), encoded(()));
    }

    #[test]
    fn bincode_that_is_not_the_arguments_is_refused() {
        for bytes in [&[][..], &[253, 0], &[1, 1]] {
            let error = run(TELL_JOB, Form::Bincode, bytes).unwrap_err();
            assert_eq!(error.kind, TaskErrorKind::BadArguments, "{error}");
            assert!(error.message.starts_with("the arguments of tell-job: "), "{error}");
        }
    }

    #[test]
    fn an_error_of_the_function_is_its_text() {
        let error = run(TELL_JOB, Form::Json, u64::MAX.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.kind, TaskErrorKind::Failed);
        assert_eq!(error.message, "18446744073709551615 is too much");
    }

    #[test]
    fn a_result_that_cannot_be_written_is_bad_output() {
        // JSON has no maps with pairs as keys.
        let error = run(PAIR, Form::Json, b"[1, []]").unwrap_err();
        assert_eq!(error.kind, TaskErrorKind::BadOutput);
    }
}
