//! Round trips, and bytes that no honest process sends: an error or another message, but never a
//! panic, and never more memory than a message may cost.

use brigade_protocol::codec::{self, DecodeError, MAX_MESSAGE, MAX_VALUE, WIDTH};
use brigade_protocol::handshake::{open_hello, seal_hello};
use brigade_protocol::id::Ticket;
use brigade_protocol::message::{FromWorker, Hello, Report, Request, ToWorker};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::{Deserialize, Serialize};

use crate::allocations::peak;
use crate::strategies;

/// What a list may reserve on the word of its length alone: serde's own bound.
const LIST: usize = 1024 * 1024;

/// What an owned text may be given before it is found to be cut short.
const TEXT: usize = WIDTH * MAX_MESSAGE;

/// What the bytes of a small message may cost beside that.
const SMALL: usize = 128 * 1024;

/// Reads bytes as one type of message and writes what it read: two messages are equal if these bytes
/// are, because there is one way to write a message.
type Reread = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

fn reread<'a, T: Serialize + Deserialize<'a>>(bytes: &'a [u8]) -> Result<Vec<u8>, DecodeError> {
    let (message, cost) = peak(|| codec::decode::<T>(bytes));
    // Lists nest once at most, in a hello, and one text at a time may be a lie.
    assert!(
        cost <= 2 * LIST + TEXT + SMALL,
        "{cost} bytes of memory for a message of {}",
        bytes.len()
    );
    message.map(|message| codec::encode(&message).unwrap())
}

fn check_cuts(reread: Reread, bytes: &[u8]) -> Result<(), TestCaseError> {
    for length in 0..bytes.len() {
        let cut = reread(&bytes[..length]);
        prop_assert!(cut.is_err(), "cut to {length} of {} bytes: {cut:?}", bytes.len());
    }
    Ok(())
}

fn check_trailing(reread: Reread, bytes: &[u8], more: &[u8]) -> Result<(), TestCaseError> {
    match reread(&[bytes, more].concat()) {
        Err(DecodeError::Trailing { extra }) => prop_assert_eq!(extra, more.len()),
        other => return Err(TestCaseError::fail(format!("read {other:?} with bytes behind it"))),
    }
    Ok(())
}

fn check_change(reread: Reread, bytes: &[u8], at: Index, change: u8) -> Result<(), TestCaseError> {
    let mut changed = bytes.to_vec();
    let at = at.index(bytes.len());
    changed[at] ^= change;
    if let Ok(read) = reread(&changed) {
        prop_assert_ne!(&*read, bytes, "byte {} does not matter", at);
    }
    Ok(())
}

/// Somewhat like a message: mostly small numbers, and the bytes that announce long ones.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => 0..8_u8, 1 => 0xfa..=0xff_u8, 2 => any::<u8>()];
    vec(byte, 0..300)
}

macro_rules! each_message {
    ($($name:ident($message:ty);)*) => { $(
        mod $name {
            use super::*;

            const REREAD: Reread = |bytes| reread::<$message>(bytes);

            proptest! {
                #[test]
                fn goes_round(message in strategies::$name()) {
                    let bytes = codec::encode(&message).unwrap();
                    prop_assert_eq!(codec::decode::<$message>(&bytes).unwrap(), message);
                }

                #[test]
                fn is_an_error_when_cut_or_followed(
                    message in strategies::$name(),
                    more in vec(any::<u8>(), 1..9),
                ) {
                    let bytes = codec::encode(&message).unwrap();
                    check_cuts(REREAD, &bytes)?;
                    check_trailing(REREAD, &bytes, &more)?;
                }

                #[test]
                fn is_not_the_same_with_one_byte_changed(
                    message in strategies::$name(),
                    at: Index,
                    change in 1..=255_u8,
                ) {
                    check_change(REREAD, &codec::encode(&message).unwrap(), at, change)?;
                }

                #[test]
                fn is_read_from_noise_without_harm(bytes in noise()) {
                    let _ = REREAD(&bytes);
                }
            }
        }
    )* };
}

each_message! {
    to_worker(ToWorker<'_>);
    from_worker(FromWorker<'_>);
    request(Request);
    report(Report);
    hello(Hello);
}

proptest! {
    #[test]
    fn a_sealed_hello_with_one_byte_changed_is_not_the_same(
        hello in strategies::hello(),
        at: Index,
        change in 1..=255_u8,
    ) {
        let mut bytes = seal_hello(&hello).unwrap();
        prop_assert_eq!(&open_hello(&bytes).unwrap(), &hello);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert_ne!(open_hello(&bytes).ok(), Some(hello));
    }

    #[test]
    fn noise_is_no_hello(bytes in noise()) {
        let (opened, cost) = peak(|| open_hello(&bytes));
        prop_assert!(opened.is_err());
        prop_assert!(cost < SMALL);
    }
}

/// A tag, then a length as eight bytes, then a few bytes of what it counts.
fn claiming(before: &[u8], length: u64) -> Vec<u8> {
    let rest = [1, 1, 1, 1, 1, 1, 1, 1];
    [before, &[0xfd], &length.to_le_bytes(), &rest].concat()
}

#[track_caller]
fn assert_lie_costs<'a, T: Deserialize<'a>>(bytes: &'a [u8], limit: usize) {
    let (read, cost) = peak(|| codec::decode::<T>(bytes).is_ok());
    assert!(!read, "a length that lies was believed");
    assert!(cost <= limit, "{cost} bytes of memory for a length that lies");
}

/// From what a message might just have to what nothing has.
const LIES: [u64; 7] = [300, 1 << 17, 1 << 20, 1 << 32, 1 << 40, 1 << 60, u64::MAX];

#[test]
fn a_length_that_lies_allocates_nothing_for_bytes() {
    for length in LIES {
        // Part: ticket, bytes.
        assert_lie_costs::<ToWorker>(&claiming(&[1, 1, 1], length), 0);
        assert_lie_costs::<FromWorker>(&claiming(&[2, 1, 1], length), 0);
        // A frame of one call with inline arguments: the list is true and costs its one call.
        let call = claiming(&[0, 1, 1, 1, 1, 0, 0, 0], length);
        assert_lie_costs::<ToWorker>(&call, 256);
    }
}

#[test]
fn a_length_that_lies_allocates_no_more_for_a_text_than_a_message_may_cost() {
    for length in LIES {
        // One reply with an error, and its message; then the build of a hello.
        assert_lie_costs::<FromWorker>(&claiming(&[1, 1, 1, 1, 1, 1, 1, 0], length), TEXT + 1024);
        assert_lie_costs::<Hello>(&claiming(&[], length), TEXT);
        // The task of a job's error, and the reason why a pool gave up.
        assert_lie_costs::<ToWorker>(&claiming(&[4, 1, 1, 1, 1, 1], length), TEXT + 1024);
        assert_lie_costs::<ToWorker>(&claiming(&[5, 1, 1, 1, 0, 0, 8], length), TEXT + 1024);
    }
}

#[test]
fn a_length_that_lies_reserves_at_most_a_mebibyte_for_a_list() {
    for length in LIES {
        assert_lie_costs::<FromWorker>(&claiming(&[3], length), LIST);
        assert_lie_costs::<FromWorker>(&claiming(&[1], length), LIST);
        assert_lie_costs::<ToWorker>(&claiming(&[0, 1], length), LIST);
        // What is waited for, what is cancelled, the members of a deadlock.
        assert_lie_costs::<FromWorker>(&claiming(&[9, 1, 1], length), LIST);
        assert_lie_costs::<FromWorker>(&claiming(&[12], length), LIST);
        assert_lie_costs::<ToWorker>(&claiming(&[5, 1, 1, 1, 0, 0, 7], length), LIST + 1024);
        assert_lie_costs::<Vec<Ticket>>(&claiming(&[], length), LIST);
        // A hello with an empty build and a list of tasks; then with one nameless task, and a list of
        // its parameters.
        assert_lie_costs::<Hello>(&claiming(&[0], length), LIST + SMALL);
        assert_lie_costs::<Hello>(&claiming(&[0, 1, 0], length), LIST + SMALL);
    }
}

#[test]
fn a_value_that_lies_is_an_error_too() {
    for length in LIES.into_iter().chain([MAX_VALUE as u64]) {
        let bytes = claiming(&[], length);
        let (read, cost) = peak(|| codec::decode_value::<Vec<u64>>(&bytes).is_ok());
        assert!(!read && cost <= LIST, "{cost} bytes of memory for {length} numbers");
        let (read, cost) = peak(|| codec::decode_value::<String>(&bytes).is_ok());
        assert!(!read && cost <= TEXT, "{cost} bytes of memory for {length} letters");
    }
}
