//! The tasks that the `worker` program and the supervisor's own workers offer.
//!
//! One runs programs. The others are there to try the system with: one that computes, one that waits, and a
//! few whose result anybody can tell. Other real work belongs into tasks of one's own.

mod commands;
mod number;
pub mod primes;
mod value;

use std::thread;
use std::time::Duration;

use brigade_task::task;

pub use commands::{CommandError, Reason, Text, command};
pub use number::Number;
pub use value::Value;

use brigade_task::Registry;
use brigade_task::Task;

/// All built-in tasks.
pub static ALL: &[&Task] = &[
    &command::TASK,
    &double::TASK,
    &echo::TASK,
    &format::TASK,
    &pow::TASK,
    &prime_count::TASK,
    &sleep::TASK,
];

/// The registry of all built-in tasks.
///
/// ```
/// use brigade::builtin;
///
/// assert!(builtin::registry().find("prime-count").is_some());
/// ```
#[expect(clippy::missing_panics_doc, reason = "the list is fixed")]
pub fn registry() -> Registry {
    Registry::new(ALL).expect("the built-in tasks have different names, as a test sees to")
}

/// Counts the primes p with FROM <= p < TO.
///
/// ```
/// use brigade::builtin::prime_count;
///
/// assert_eq!(prime_count(0, 100).run()?, 25);
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn prime_count(from: u64, to: u64) -> Result<u64, primes::BeyondLimit> {
    primes::count(from, to)
}

/// Sleeps for SECONDS and says so.
///
/// ```
/// use brigade::builtin::sleep;
///
/// assert_eq!(sleep(0.001).run()?, "Result: 0.001");
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn sleep(seconds: f64) -> Result<String, String> {
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|error| format!("cannot sleep for {seconds} seconds: {error}"))?;
    thread::sleep(duration);
    // Without the sign of a negative zero, which is no time at all.
    Ok(format!("Result: {}", seconds.abs()))
}

/// Doubles X, a whole number or a fraction.
///
/// ```
/// use brigade::builtin::{Number, double};
///
/// assert_eq!(double(Number::Integer(21)).run()?, Number::Integer(42));
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn double(x: Number) -> Result<Number, String> {
    x.double().ok_or_else(|| format!("{x} is too large to be doubled"))
}

/// Raises BASE to the power of EXPONENT.
///
/// Whole numbers give a whole number if it fits 128 bits; everything else is a fraction. What is
/// no finite number is an error.
///
/// ```
/// use brigade::builtin::{Number::Integer, pow};
///
/// assert_eq!(pow(Integer(2), Integer(10)).run()?, Integer(1024));
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn pow(base: Number, exponent: Number) -> Result<Number, String> {
    match base.pow(exponent) {
        Number::Float(power) if !power.is_finite() => {
            Err(format!("{base} to the power of {exponent} is not a finite number"))
        }
        power => Ok(power),
    }
}

/// Joins A, B and C with spaces; what is not a string is written as JSON.
///
/// ```
/// use brigade::builtin::{Value, format};
///
/// let [a, b, c] = ["\"two and\"", "2", "[4]"].map(Value::from_json);
/// assert_eq!(format(a?, b?, c?).run()?, "two and 2 [4]");
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn format(a: Value, b: Value, c: Value) -> String {
    [a.text(), b.text(), c.text()].join(" ")
}

/// Gives VALUE back as it is.
///
/// ```
/// use brigade::builtin::{Value, echo};
///
/// assert_eq!(echo(Value::from_json("[1, 2.50]")?).run()?.json(), "[1, 2.50]");
/// # Ok::<(), brigade::Error>(())
/// ```
#[task(crate = ::brigade_task, unlisted)]
pub fn echo(value: Value) -> Value {
    value
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;
    use brigade_protocol::id::{JobId, TaskId, Ticket};
    use brigade_protocol::message::{Form, TaskError, TaskErrorKind};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use brigade_task::Context;

    fn entry(task: &Task, form: Form, arguments: &[u8]) -> Result<Vec<u8>, TaskError> {
        let mut output = Vec::new();
        let context = Context::new(Ticket::from(JobId(7)));
        (task.entry)(&context, form, arguments, &mut output).map(|()| output)
    }

    #[track_caller]
    fn assert_json(task: &Task, arguments: &str, expected: &str) {
        let output = entry(task, Form::Json, arguments.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }

    #[track_caller]
    fn assert_failed(task: &Task, arguments: &str, expected: &str) {
        let error = entry(task, Form::Json, arguments.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (TaskErrorKind::Failed, expected));
    }

    fn bincode<A: Serialize, T: DeserializeOwned>(task: &Task, arguments: A) -> T {
        let mut bytes = Vec::new();
        codec::encode_value(&arguments, &mut bytes).unwrap();
        codec::decode_value(&entry(task, Form::Bincode, &bytes).unwrap()).unwrap()
    }

    #[test]
    fn the_registry_has_all_by_name() {
        let registry = registry();
        let names: Vec<_> = registry.infos().into_iter().map(|info| info.name).collect();
        assert_eq!(names, ["command", "double", "echo", "format", "pow", "prime-count", "sleep"]);
        assert!(registry.infos().iter().all(|info| !info.doc.is_empty()));
        assert_eq!(registry.get(TaskId(5)).unwrap().parameters[1].name, "to");
    }

    #[test]
    fn double_keeps_whole_numbers_whole() {
        assert_json(&double::TASK, "21", "42");
        assert_json(&double::TASK, "-0.5", "-1.0");
        assert_json(&double::TASK, "18446744073709551615", "36893488147419103230");
        let text = entry(&double::TASK, Form::Word, b"21").unwrap();
        assert_eq!(text, b"42");
        let error = entry(&double::TASK, Form::Json, br#""a""#).unwrap_err();
        assert_eq!(
            error.message,
            "argument \"x\" (Number): invalid type: string \"a\", expected a number"
        );
    }

    #[test]
    fn double_refuses_to_overflow() {
        let mut bytes = Vec::new();
        codec::encode_value(&(Number::Integer(i128::MAX),), &mut bytes).unwrap();
        let error = entry(&double::TASK, Form::Bincode, &bytes).unwrap_err();
        assert!(error.message.ends_with("is too large to be doubled"), "{error}");
    }

    #[test]
    fn pow_of_whole_numbers_is_whole() {
        assert_json(&pow::TASK, "[5, 2]", "25");
        assert_json(
            &pow::TASK,
            r#"{"exponent": 100, "base": 2}"#,
            "1267650600228229401496703205376",
        );
        assert_json(&pow::TASK, "[2, -1]", "0.5");
        assert_json(&pow::TASK, "[2.5, 2]", "6.25");
    }

    #[test]
    fn format_writes_strings_raw() {
        assert_json(&format::TASK, r#"["a b", 1.50, {"x": "y"}]"#, r#""a b 1.50 {\"x\": \"y\"}""#);
        assert_json(&format::TASK, r#"{"c": "C", "b": null, "a": "\u0041"}"#, r#""A null C""#);
    }

    #[test]
    fn echo_changes_nothing() {
        let object = r#"{"b": 1.50, "a": [1e400, ""], "b": null}"#;
        assert_json(&echo::TASK, &format!("[{object}]"), object);
        assert_json(&echo::TASK, &format!(r#"{{"value": {object}}}"#), object);
        assert_json(&echo::TASK, "null", "null");
        assert_json(&echo::TASK, "\"x\"", "\"x\"");
        assert_eq!(entry(&echo::TASK, Form::Word, b"some word").unwrap(), b"\"some word\"");
    }

    #[test]
    fn sleep_says_how_long() {
        assert_json(&sleep::TASK, "0", "\"Result: 0\"");
        assert_json(&sleep::TASK, "[-0.0]", "\"Result: 0\"");
        assert_json(&sleep::TASK, r#"{"seconds": 0.001}"#, "\"Result: 0.001\"");
    }

    #[test]
    fn sleep_refuses_what_is_no_time() {
        let negative = "cannot sleep for -1 seconds: cannot convert float seconds to Duration: \
                        value is negative";
        assert_failed(&sleep::TASK, "-1", negative);
        for seconds in [f64::NAN, f64::INFINITY, 1e30] {
            assert!(sleep::call(seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn prime_count_excludes_its_end() {
        assert_json(&prime_count::TASK, "[2, 3]", "1");
        assert_json(&prime_count::TASK, r#"{"to": 11, "from": 0}"#, "4");
        let error = "primes are counted up to 9223372036854775808 (2^63), not up to \
                     9223372036854775809";
        assert_failed(&prime_count::TASK, "[0, 9223372036854775809]", error);
    }

    #[test]
    fn all_work_in_bincode() {
        let half = Number::Float(0.5);
        assert_eq!(bincode::<_, Number>(&double::TASK, (half,)), Number::Float(1.0));
        let (five, two) = (Number::Integer(5), Number::Integer(2));
        assert_eq!(bincode::<_, Number>(&pow::TASK, (five, two)), Number::Integer(25));
        let value = |text: &str| Value::from_json(text).unwrap();
        let object = value(r#"{"a": [1, "x"]}"#);
        assert_eq!(bincode::<_, Value>(&echo::TASK, (object.clone(),)), object);
        let words = (value("\"a\""), value("1"), value("null"));
        assert_eq!(bincode::<_, String>(&format::TASK, words), "a 1 null");
        assert_eq!(bincode::<_, u64>(&prime_count::TASK, (0_u64, 100_u64)), 25);
        assert_eq!(bincode::<_, String>(&sleep::TASK, (0.0,)), "Result: 0");
    }
}
