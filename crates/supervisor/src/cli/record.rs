//! One JSON object for one job: `--output jsonl`.
//!
//! Written by hand, because arguments and output are JSON text already and go in as they are. Fields
//! are only ever added.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use brigade_protocol::message::Exit;
use serde::de::IgnoredAny;

use super::jobs::Written;
use crate::{Failure, JobError, Settlement};

/// Appends the record of a job, with its line end.
pub(super) fn write(
    line: &mut Vec<u8>,
    task: &str,
    arguments: &str,
    written: Written,
    settlement: &Settlement,
) {
    let Settlement { tag, result, attempts, worker, submitted, ran, .. } = settlement;
    let mut object = Object::open(line);
    object.display("job", tag);
    object.text("task", task);
    match written {
        Written::Text => object.text("args", arguments),
        // What is no JSON goes in as a string.
        Written::Json | Written::Word => object.json("args", arguments.as_bytes()),
    }
    match result {
        Ok(output) => {
            object.text("status", "succeeded");
            object.json("output", output);
        }
        Err(error) => {
            object.text("status", error.failure().name());
            write_error(object.member("error"), error);
        }
    }
    object.display("attempts", attempts);
    object.display_or_null("worker", worker.map(|worker| worker.slot));
    object.display_or_null("pid", worker.map(|worker| worker.pid));
    object.display("submitted", Seconds(*submitted));
    object.display_or_null("started", ran.map(|(started, _)| Seconds(started)));
    object.display_or_null("ended", ran.map(|(_, ended)| Seconds(ended)));
    object.close();
    line.push(b'\n');
}

fn write_error(line: &mut Vec<u8>, error: &JobError) {
    let mut object = Object::open(line);
    match error.failure() {
        Failure::Failed(told) | Failure::Panicked(told) | Failure::Undecodable(told) => {
            object.text("message", &told.message);
            if let Some(location) = &told.location {
                object.text("panic_location", location);
            }
            if let Some(backtrace) = &told.backtrace {
                object.text("backtrace", backtrace);
            }
        }
        failure => {
            object.text("message", &error.cause());
            if let Failure::TimedOut(limit) = failure {
                object.display("timeout", Seconds(*limit));
            }
            if let Failure::Deadlock(cycle) = failure {
                let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
                let _ = serde_json::to_writer(object.member("cycle"), &names);
            }
        }
    }
    match error.exit() {
        Some(Exit::Code(code)) => object.display("exit_code", code),
        Some(exit @ Exit::Signal(number)) => match exit.signal_name() {
            Some(name) => object.text("signal", name),
            None => object.text("signal", &number.to_string()),
        },
        _ => {}
    }
    if let Some(cpu_time) = error.cpu_time() {
        object.display("cpu_time", Seconds(cpu_time));
    }
    if let Some(bytes) = error.peak_memory() {
        object.display("peak_memory", bytes);
    }
    if !error.last_words().is_empty() {
        let words = object.member("last_words");
        // Writing to memory does not fail, and strings always serialise.
        let _ = serde_json::to_writer(words, error.last_words());
    }
    object.close();
}

/// Seconds with six decimals.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

fn is_json(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// A JSON object that is being written.
struct Object<'a> {
    line: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(line: &'a mut Vec<u8>) -> Self {
        line.push(b'{');
        Self { line, empty: true }
    }

    /// Writes the name of the next member, whose value the caller must write.
    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.line.push(b',');
        }
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
        self.line
    }

    fn text(&mut self, name: &str, value: &str) {
        // Writing to memory does not fail, and strings always serialise.
        let _ = serde_json::to_writer(self.member(name), value);
    }

    /// A value that reads the same in JSON.
    fn display(&mut self, name: &str, value: impl fmt::Display) {
        let _ = write!(self.member(name), "{value}");
    }

    fn display_or_null(&mut self, name: &str, value: Option<impl fmt::Display>) {
        match value {
            Some(value) => self.display(name, value),
            None => self.display(name, "null"),
        }
    }

    /// JSON text from elsewhere. It comes from another process, so it is looked at: what is no JSON
    /// goes in as a string, and line breaks, which JSON allows between values, as blanks.
    fn json(&mut self, name: &str, text: &[u8]) {
        if is_json(text) {
            let break_to_blank =
                |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
            self.member(name).extend(text.iter().map(break_to_blank));
        } else {
            self.text(name, &String::from_utf8_lossy(text));
        }
    }

    fn close(self) {
        self.line.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::{JobId, SlotId, WorkerId};
    use brigade_protocol::message::{TaskError, TaskErrorKind};

    use super::*;
    use crate::WorkerInfo;
    use crate::error::Certificate;

    const WORKER: WorkerInfo = WorkerInfo { id: WorkerId(7), slot: SlotId(2), pid: 4711 };

    fn settlement(result: Result<&str, Failure>) -> Settlement {
        let result = result.map(|output| output.as_bytes().to_vec()).map_err(|failure| {
            JobError::new(Certificate {
                job: JobId(1),
                task: "sleep".to_owned(),
                label: None,
                failure,
                killed: None,
                attempts: 1,
                allowed: 3,
                worker: Some(WORKER),
                elapsed: None,
                last_words: vec!["alas".to_owned(), "\u{1b}\"".to_owned()],
                usage: None,
            })
        });
        Settlement {
            tag: 1,
            attempts: 1,
            worker: Some(WORKER),
            submitted: Duration::from_nanos(1_234_567),
            ran: Some((Duration::from_millis(2), Duration::from_secs(5))),
            ..Settlement::bare(JobId(1), result)
        }
    }

    fn record(arguments: &str, written: Written, settlement: &Settlement) -> String {
        let mut line = Vec::new();
        write(&mut line, "sleep", arguments, written, settlement);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_success() {
        assert_eq!(
            record("5", Written::Json, &settlement(Ok("null"))),
            "{\"job\":1,\"task\":\"sleep\",\"args\":5,\"status\":\"succeeded\",\"output\":null,\
             \"attempts\":1,\"worker\":2,\"pid\":4711,\"submitted\":0.001234,\"started\":0.002000,\
             \"ended\":5.000000}\n"
        );
    }

    #[test]
    fn a_job_that_never_ran() {
        let never = Settlement {
            attempts: 0,
            worker: None,
            ran: None,
            ..settlement(Err(Failure::Cancelled))
        };
        assert_eq!(
            record("[1, 2]", Written::Json, &never),
            "{\"job\":1,\"task\":\"sleep\",\"args\":[1, 2],\"status\":\"cancelled\",\
             \"error\":{\"message\":\"cancelled\",\"last_words\":[\"alas\",\"\\u001b\\\"\"]},\
             \"attempts\":0,\"worker\":null,\"pid\":null,\"submitted\":0.001234,\"started\":null,\
             \"ended\":null}\n"
        );
    }

    fn error_of(failure: Failure) -> serde_json::Value {
        let line = record("5", Written::Json, &settlement(Err(failure)));
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["error"].take()
    }

    #[test]
    fn errors_carry_what_is_known() {
        let panic = TaskError::panicked("oh".into(), Some("a.rs:1:2".into()), Some("0: f".into()));
        let error = error_of(Failure::Panicked(panic));
        assert_eq!(error["message"], "oh");
        assert_eq!(error["panic_location"], "a.rs:1:2");
        assert_eq!(error["backtrace"], "0: f");

        let error = error_of(Failure::Failed(TaskError::new(TaskErrorKind::Failed, "no")));
        assert_eq!(error["message"], "no");
        assert_eq!(error.get("panic_location"), None);

        assert_eq!(error_of(Failure::Crashed(Exit::Code(7)))["exit_code"], 7);
        assert_eq!(error_of(Failure::Crashed(Exit::Signal(11)))["signal"], "SIGSEGV");
        assert_eq!(error_of(Failure::Quarantined(vec![Exit::Signal(40)]))["signal"], "40");
        assert_eq!(error_of(Failure::TimedOut(Duration::from_millis(1500)))["timeout"], 1.5);
    }

    #[test]
    fn a_record_is_one_line_of_json_whatever_is_in_it() {
        let cases = [
            ("word", Written::Word, "\"word\""),
            ("5", Written::Word, "5"),
            ("\"quoted\"", Written::Word, "\"quoted\""),
            ("say \"hi\"\n", Written::Word, "\"say \\\"hi\\\"\\n\""),
            ("", Written::Word, "\"\""),
            ("0123", Written::Text, "\"0123\""),
            ("5", Written::Text, "\"5\""),
            ("\"x\"", Written::Text, "\"\\\"x\\\"\""),
        ];
        for (arguments, written, expected) in cases {
            let line = record(arguments, written, &settlement(Ok("1")));
            assert!(line.contains(&format!("\"args\":{expected},")), "{line}");
        }
        for (output, expected) in [("[1,\n2]", "[1, 2]"), ("{oops", "\"{oops\""), ("", "\"\"")] {
            let line = record("1", Written::Json, &settlement(Ok(output)));
            assert!(line.contains(&format!("\"output\":{expected},")), "{line}");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
        }
    }
}
