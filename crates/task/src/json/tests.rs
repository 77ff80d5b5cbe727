//! What arguments a task takes from JSON text, and what it says to those that it does not.

use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::Form;

use super::*;
use crate::context::Context;

mod tasks {
    use brigade_macros::task;

    #[task(crate = crate, unlisted)]
    pub(super) fn pow(base: f64, exponent: f64) -> f64 {
        base.powf(exponent)
    }

    #[task(crate = crate, unlisted)]
    pub(super) fn length(text: String) -> usize {
        text.len()
    }

    #[task(crate = crate, unlisted)]
    pub(super) fn sum(bytes: Vec<u8>) -> u64 {
        bytes.into_iter().map(u64::from).sum()
    }

    #[task(crate = crate, unlisted)]
    pub(super) fn greet(name: Option<String>, times: Option<u8>) -> String {
        format!("{name:?} {times:?}")
    }

    #[task(crate = crate, unlisted)]
    pub(super) fn nothing() {}

    #[task(crate = crate, unlisted)]
    pub(super) fn raw(value: Box<serde_json::value::RawValue>) -> Box<serde_json::value::RawValue> {
        value
    }

    #[task(crate = crate, unlisted)]
    pub(super) fn maybe(value: Option<u8>) -> Option<u8> {
        value
    }
}

fn run(task: &Task, form: Form, arguments: &str) -> Result<String, String> {
    let context = Context::new(Ticket::from(JobId(7)));
    let mut output = b"before ".to_vec();
    let done = (task.entry)(&context, form, arguments.as_bytes(), &mut output);
    let output = String::from_utf8(output).unwrap();
    let output = output.strip_prefix("before ").expect("what was there stays").to_owned();
    match done {
        Ok(()) => Ok(output),
        Err(error) => {
            assert_eq!(error.kind, TaskErrorKind::BadArguments, "{error}");
            assert_eq!(output, "");
            Err(error.message)
        }
    }
}

#[track_caller]
fn assert_json(task: &Task, arguments: &str, expected: Result<&str, &str>) {
    let expected = expected.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(run(task, Form::Json, arguments), expected);
}

#[track_caller]
fn assert_word(task: &Task, arguments: &str, expected: Result<&str, &str>) {
    let expected = expected.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(run(task, Form::Word, arguments), expected);
}

const POW: &Task = &tasks::pow::TASK;
const LENGTH: &Task = &tasks::length::TASK;
const SUM: &Task = &tasks::sum::TASK;
const GREET: &Task = &tasks::greet::TASK;
const NOTHING: &Task = &tasks::nothing::TASK;
const RAW: &Task = &tasks::raw::TASK;
const MAYBE: &Task = &tasks::maybe::TASK;

#[test]
fn an_array_is_by_position_and_an_object_by_name() {
    assert_json(POW, "[5, 2]", Ok("25.0"));
    assert_json(POW, r#" {"exponent": 3, "base": 2} "#, Ok("8.0"));
    assert_json(POW, r#"{"ba\u0073e": 2, "exponent": 3}"#, Ok("8.0"));
}

#[test]
fn anything_else_is_the_only_argument() {
    assert_json(LENGTH, r#" "abc" "#, Ok("3"));
    assert_json(MAYBE, "7", Ok("7"));
    assert_json(MAYBE, "null", Ok("null"));
    assert_json(POW, "5", Err("missing argument \"exponent\"; pow takes base, exponent"));
}

#[test]
fn a_task_without_arguments_takes_nothing_in_any_form() {
    for none in ["null", "[]", "{}", " [ ] "] {
        assert_json(NOTHING, none, Ok("null"));
        assert_word(NOTHING, none, Ok("null"));
    }
    assert_json(NOTHING, "5", Err("1 argument given; nothing takes no arguments"));
    assert_json(NOTHING, "[5]", Err("1 argument given; nothing takes no arguments"));
    assert_json(NOTHING, r#"{"a": 5}"#, Err("unknown argument \"a\"; nothing takes no arguments"));
    assert_word(NOTHING, "a", Err("nothing takes no arguments: pass it '[]'"));
}

#[test]
fn a_wrong_type_names_the_argument_and_the_type() {
    assert_json(
        POW,
        r#"[5, "x"]"#,
        Err("argument \"exponent\" (f64): invalid type: string \"x\", expected f64"),
    );
    assert_json(
        SUM,
        r#"{"bytes": [1, 256]}"#,
        Err(
            "argument \"bytes\" (Vec<u8>): invalid value: integer `256`, expected u8 at line 1 column 7",
        ),
    );
}

#[test]
fn wrong_counts_and_names_are_told() {
    assert_json(POW, "[5]", Err("missing argument \"exponent\"; pow takes base, exponent"));
    assert_json(POW, "[5, 2, 1]", Err("3 arguments given; pow takes 2: base, exponent"));
    assert_json(LENGTH, "[5, 2]", Err("2 arguments given; length takes 1: text"));
    assert_json(
        POW,
        r#"{"base": 1, "exp": 2}"#,
        Err("unknown argument \"exp\"; pow takes base, exponent"),
    );
    assert_json(POW, r#"{"base": 1, "base": 2}"#, Err("argument \"base\" is given twice"));
}

#[test]
fn more_arguments_than_any_task_takes_are_counted() {
    let many = format!("[{}]", vec!["1"; 40].join(","));
    assert_json(POW, &many, Err("40 arguments given; pow takes 2: base, exponent"));
}

#[test]
fn a_missing_option_is_none() {
    assert_json(GREET, "[]", Ok("\"None None\""));
    assert_json(GREET, r#"["a"]"#, Ok("\"Some(\\\"a\\\") None\""));
    assert_json(GREET, r#"{"times": 3}"#, Ok("\"None Some(3)\""));
    assert_json(MAYBE, "{}", Ok("null"));
}

#[test]
fn an_object_for_a_single_argument_must_name_it() {
    let advice = "an object passes arguments by name, and this one has no \"value\", which is what raw \
                  takes; to pass the object itself, wrap it in an array: [{…}]";
    assert_json(RAW, r#"{"a": 1}"#, Err(advice));
    assert_json(RAW, "{}", Err(advice));
    assert_word(RAW, r#"{"a": 1}"#, Err(advice));
    assert_json(RAW, r#"[{"a": 1}]"#, Ok(r#"{"a": 1}"#));
    assert_json(RAW, r#"{"value": {"a": 1}}"#, Ok(r#"{"a": 1}"#));
    assert_json(RAW, r#"{"value": 1, "b": 2}"#, Err("unknown argument \"b\"; raw takes value"));
}

#[test]
fn what_is_not_json_is_refused() {
    for (text, why) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("abc", "expected value at line 1 column 1"),
        ("[5, 2", "EOF while parsing a list at line 1 column 5"),
        ("[5, 2] 3", "trailing characters at line 1 column 8"),
        ("5 2", "trailing characters at line 1 column 3"),
    ] {
        assert_json(POW, text, Err(&format!("the arguments are not JSON: {why}")));
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let context = Context::new(Ticket::from(JobId(7)));
    for form in [Form::Json, Form::Word] {
        let error = (LENGTH.entry)(&context, form, b"\"\xff\"", &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, TaskErrorKind::BadArguments);
        assert!(error.message.starts_with("the arguments are not UTF-8"), "{error}");
    }
}

#[test]
fn a_word_is_json_if_its_type_takes_that_and_else_a_string() {
    assert_word(LENGTH, "abc", Ok("3"));
    assert_word(LENGTH, "\"abc\"", Ok("3"));
    assert_word(LENGTH, "null", Ok("4"));
    assert_word(LENGTH, "1234", Ok("4"));
    assert_word(LENGTH, "", Ok("0"));
    assert_word(LENGTH, "[abc", Ok("4"));
    assert_word(MAYBE, "null", Ok("null"));
    assert_word(RAW, "abc", Ok("\"abc\""));
    assert_word(RAW, "12", Ok("12"));
}

#[test]
fn a_word_that_fits_neither_way_is_told_by_what_it_is() {
    assert_word(
        MAYBE,
        "300",
        Err("argument \"value\" (Option<u8>): invalid value: integer `300`, expected u8"),
    );
    assert_word(
        MAYBE,
        "abc",
        Err("argument \"value\" (Option<u8>): invalid type: string \"abc\", expected u8"),
    );
}

#[test]
fn a_word_with_brackets_holds_all_arguments() {
    assert_word(POW, "[5, 2]", Ok("25.0"));
    assert_word(POW, r#"{"base": 5, "exponent": 2}"#, Ok("25.0"));
    assert_word(SUM, "[[1, 2]]", Ok("3"));
    assert_word(SUM, "[1, 2]", Err("2 arguments given; sum takes 1: bytes"));
}

#[test]
fn one_word_is_not_enough_for_two_arguments() {
    let advice = "pow takes 2 arguments (base, exponent): pass them as '[…, …]' or \
                  '{\"base\": …, \"exponent\": …}'";
    assert_word(POW, "5", Err(advice));
    assert_word(POW, "abc", Err(advice));
}

#[test]
fn a_result_is_one_line() {
    assert_json(RAW, "[{\n  \"a\":\r\n 1}]", Ok("{   \"a\":   1}"));
}

#[test]
fn floats_without_a_json_word_are_null() {
    assert_json(POW, "[0, -1]", Ok("null"));
}
