//! What is too large: messages, and the texts of errors.

use std::time::Duration;

use brigade_protocol::codec::{
    self, DecodeError, EncodeError, MAX_MESSAGE, MESSAGE_BUDGET, OVERHEAD, PART,
};
use brigade_protocol::id::{JobId, Seq, TaskId, Ticket};
use brigade_protocol::message::{
    Call, Form, Frame, FromWorker, LONGEST_LABEL, MOST_AWAITED, MOST_HANDLES, Options, Reply,
    Submit, TaskError, TaskErrorKind, ToWorker, Value,
};
use proptest::prelude::*;

/// The most that a ticket takes.
const LARGEST: Ticket = Ticket { job: JobId(u64::MAX), attempt: u32::MAX };

/// A message of so many bytes, around [`MAX_MESSAGE`].
fn message_of(length: usize) -> Result<Vec<u8>, EncodeError> {
    // Tag, job, attempt, and three for the length.
    let bytes = vec![7; length - 6];
    codec::encode(&ToWorker::Part { ticket: JobId(1).into(), bytes: &bytes })
}

#[test]
fn a_message_may_have_64_kib_and_no_more() {
    let largest = message_of(MAX_MESSAGE).unwrap();
    assert_eq!(largest.len(), MAX_MESSAGE);
    assert!(codec::decode::<ToWorker>(&largest).is_ok());

    let error = message_of(MAX_MESSAGE + 1).unwrap_err();
    assert!(matches!(error, EncodeError::TooLong { length } if length == MAX_MESSAGE + 1));
    assert_eq!(error.to_string(), "message of 65537 bytes, the limit is 65536");

    let longer = [&*largest, &[0]].concat();
    let error = codec::decode::<ToWorker>(&longer).unwrap_err();
    assert!(matches!(error, DecodeError::TooLong { length } if length == MAX_MESSAGE + 1));
    assert_eq!(error.to_string(), "message of 65537 bytes, the limit is 65536");
}

#[test]
fn a_value_may_be_longer_than_a_message() {
    let mut buffer = b"before".to_vec();
    let value = "x".repeat(3 * MAX_MESSAGE);
    codec::encode_value(&value, &mut buffer).unwrap();
    assert_eq!(buffer[..6], *b"before");
    assert_eq!(codec::decode_value::<String>(&buffer[6..]).unwrap(), value);
}

#[test]
fn a_value_that_does_not_encode_leaves_the_buffer_alone() {
    struct Unwilling;
    impl serde::Serialize for Unwilling {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let mut buffer = b"before".to_vec();
    let error = codec::encode_value(&("begun", Unwilling), &mut buffer).unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(buffer, b"before");
}

#[test]
fn a_part_fits_a_message() {
    let bytes = vec![0; PART];
    let there = codec::encode(&ToWorker::Part { ticket: LARGEST, bytes: &bytes }).unwrap();
    assert!(codec::decode::<ToWorker>(&there).is_ok());
    let back = codec::encode(&FromWorker::Part { ticket: LARGEST, bytes: &bytes }).unwrap();
    assert!(codec::decode::<FromWorker>(&back).is_ok());
}

#[test]
fn the_budget_bounds_what_fits_a_message() {
    for size in [0, 1, 250, 251, 1000, MESSAGE_BUDGET - OVERHEAD] {
        let count = MESSAGE_BUDGET / (size + OVERHEAD);
        let bytes = vec![0; size];
        // The bytes of a label are counted with those of the arguments.
        for label in [None, Some(0), Some(250), Some(251), Some(LONGEST_LABEL)] {
            let Some(length) = size.checked_sub(label.unwrap_or(0)) else { continue };
            let label = label.map(|length| "x".repeat(length));
            let call = Call {
                ticket: LARGEST,
                task: TaskId(u32::MAX),
                form: Form::Word,
                arguments: Value::Inline(&bytes[..length]),
                label: label.as_deref(),
            };
            let frame = Frame { first: Seq(u64::MAX), calls: vec![call; count] };
            let message = codec::encode(&ToWorker::Frame(frame)).unwrap();
            assert!(message.len() <= MESSAGE_BUDGET + 16, "{size}: {}", message.len());
            assert!(codec::decode::<ToWorker>(&message).is_ok(), "{count} calls of {size} bytes");
        }
        let result = Ok(Value::Inline(&bytes));
        let reply = Reply { ticket: LARGEST, started: u64::MAX, elapsed: u64::MAX, result };
        let message = codec::encode(&FromWorker::Replies(vec![reply; count])).unwrap();
        assert!(message.len() <= MESSAGE_BUDGET + 16, "{size}: {}", message.len());
        assert!(codec::decode::<FromWorker>(&message).is_ok(), "{count} replies of {size} bytes");
        // In a run they take less.
        let (mut arguments, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..count {
            codec::push_bytes(&bytes, &mut arguments);
            codec::push_output(u64::MAX, &bytes, &mut outputs);
        }
        assert!(arguments.len().max(outputs.len()) <= MESSAGE_BUDGET, "{count} of {size} bytes");
    }
}

#[test]
fn the_largest_error_fits_a_message() {
    let long = || "ä".repeat(MAX_MESSAGE);
    let error = TaskError::panicked(long(), Some("src/lib.rs:1:1".into()), Some(long()));
    let reply = Reply { ticket: LARGEST, started: u64::MAX, elapsed: u64::MAX, result: Err(error) };
    let message = codec::encode(&FromWorker::Replies(vec![reply])).unwrap();
    assert!(codec::decode::<FromWorker>(&message).is_ok());
}

/// However its bytes are shared between arguments, label and handles, if they are counted as a worker
/// counts them.
#[test]
fn the_largest_submission_fits_a_message() {
    let label: Box<str> = "x".repeat(LONGEST_LABEL).into();
    for handles in [0, 1, 1000, MOST_HANDLES] {
        let length = MESSAGE_BUDGET - OVERHEAD - LONGEST_LABEL - 9 * handles;
        assert!(codec::fits_inline(length + LONGEST_LABEL + 9 * handles));
        let bytes = vec![0; length];
        let submit = Submit {
            parent: LARGEST,
            job: JobId(u64::MAX),
            task: TaskId(u32::MAX),
            form: Form::Word,
            arguments: Value::Inline(&bytes),
            options: Options {
                timeout: Some(Duration::MAX),
                retries: Some(u32::MAX),
                crash_retries: Some(u32::MAX),
                priority: i8::MIN,
                label: Some(label.clone()),
            },
            handles: vec![JobId(u64::MAX); handles],
            shares: vec![],
        };
        let message = codec::encode(&FromWorker::Submit(submit)).unwrap();
        assert!(codec::decode::<FromWorker>(&message).is_ok(), "{handles} handles");
    }
}

#[test]
fn the_longest_wait_fits_a_message() {
    let jobs = vec![JobId(u64::MAX); MOST_AWAITED];
    assert!(codec::encode(&FromWorker::Wait { waiter: LARGEST, jobs: jobs.clone() }).is_ok());
    assert!(codec::encode(&FromWorker::Cancel(jobs)).is_ok());
}

/// The limit is one of bytes on the wire, not of what they count in memory.
#[test]
fn what_fits_a_message_is_read() {
    let tickets = FromWorker::Returned(vec![JobId(1).into(); MAX_MESSAGE / 2 - 2]);
    let message = codec::encode(&tickets).unwrap();
    assert_eq!(codec::decode::<FromWorker>(&message).unwrap(), tickets);
}

proptest! {
    #[test]
    fn texts_are_cut_between_characters(
        // Close to the limit, so that any of the four bytes of a character may lie on it.
        before in 0..8_usize,
        character in prop_oneof![Just('x'), Just('ä'), Just('€'), Just('😀')],
        length in TaskError::LONGEST - 8..TaskError::LONGEST + 40,
    ) {
        let mut text = "a".repeat(before);
        text.extend(std::iter::repeat_n(character, length / character.len_utf8()));
        let error = TaskError::panicked(text.clone(), None, Some(text.clone()));
        prop_assert_eq!(Some(&error.message), error.backtrace.as_ref());
        prop_assert_eq!(&TaskError::new(TaskErrorKind::Failed, &*text).message, &error.message);
        if text.len() <= TaskError::LONGEST {
            prop_assert_eq!(error.message, text);
        } else {
            let kept = error.message.strip_suffix(" … (cut)").unwrap();
            prop_assert!(text.starts_with(kept));
            prop_assert!(error.message.len() <= TaskError::LONGEST);
            prop_assert!(error.message.len() > TaskError::LONGEST - 4, "no more is cut than must be");
        }
    }
}

#[test]
fn what_was_pushed_is_taken_in_order_and_no_more() {
    let mut buffer = Vec::new();
    codec::push_bytes(b"ab", &mut buffer);
    codec::push_output(1 << 40, &[9; 300], &mut buffer);
    let mut rest = buffer.as_slice();
    assert_eq!(codec::take_bytes(&mut rest).unwrap(), b"ab");
    assert_eq!(codec::take_output(&mut rest).unwrap(), (1 << 40, &[9_u8; 300][..]));
    assert!(codec::take_bytes(&mut rest).is_err() && rest.is_empty());
    for length in 0..buffer.len() {
        let mut cut = &buffer[..length];
        let taken = codec::take_bytes(&mut cut).and_then(|_| codec::take_output(&mut cut));
        assert!(taken.is_err(), "{length} of {} bytes", buffer.len());
    }
}
