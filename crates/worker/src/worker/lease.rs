//! A lease: leave to start the next calls of a run, one as soon as the one before has ended, without the desk's
//! lock. To take it and to do what is done under it costs several times what a very short job does.
//!
//! Whoever takes the lock revokes the lease ([`Desk::lock`](super::desk::Desk::lock)), so that under the lock
//! all is as if the run thread had taken it for each call: what has ended waits to be sent, what has not been
//! started can be given back. The run thread finds out at the end of the job that it is running then.
//!
//! ```text
//!  word     revoked? │ nanoseconds that they took │ jobs that have ended │ words of their outputs
//!  outputs  how long it took, how long it is │ 8 bytes of it │ 8 more │ …   how long the next one took, …
//! ```
//!
//! Both sides change the word in one step: the run thread adds a job to it, of which the output has been
//! written, and whoever revokes sets its highest bit, and reads as many outputs as it says. So both agree on
//! which job was the last.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use brigade_protocol::codec::short_head;

use super::queue::Hand;
use crate::sync::atomic::AtomicU64;

/// How many words of outputs there is room for: those of some hundred jobs. A model has but few.
const ROOM: usize = if cfg!(all(test, brigade_model)) { 6 } else { 1024 };

/// A job that takes longer, in nanoseconds, is worth a lock.
const SHORT: u64 = 1_000;

/// An output of more bytes is, too.
const LONGEST: usize = 250;

const REVOKED: u64 = 1 << 63;
const TIME: u32 = 32;
const JOBS: u32 = 16;
/// In the word before an output, where its length ends and the time begins.
const LENGTH: u32 = 8;

// All fields have room for what can be in them.
const _: () = assert!(ROOM < 1 << JOBS && ROOM as u64 * SHORT < 1 << (63 - TIME));
// `short_head` takes them.
const _: () = assert!(LONGEST <= 250 && LONGEST < 1 << LENGTH && SHORT <= u16::MAX as u64);

/// See the [module documentation](self).
pub(super) struct Lease {
    word: AtomicU64,
    /// Words, and not bytes: nothing that two threads share is copied in one go.
    outputs: Box<[AtomicU64]>,
}

/// What was done under a lease.
pub(super) struct Past<'a> {
    pub(super) jobs: u32,
    pub(super) elapsed: u64,
    outputs: &'a [AtomicU64],
}

impl Lease {
    /// One that is revoked.
    pub(super) fn new() -> Self {
        let outputs = (0..ROOM).map(|_| AtomicU64::new(0)).collect();
        Self { word: AtomicU64::new(REVOKED), outputs }
    }

    /// Whether jobs that take so long are worth a lease.
    pub(super) fn is_worth_while(elapsed: u64) -> bool {
        elapsed <= SHORT
    }

    /// Lets the run thread start so many calls behind the one in its hand. It has the lock.
    pub(super) fn grant(&self, hand: &mut Hand, calls: u32) {
        hand.lease(calls);
        self.word.store(0, Relaxed);
    }

    /// The job in the hand has ended with this output, after so long: takes the next call into it. If that
    /// cannot be, nothing is changed, and there is no lease any more.
    #[inline]
    pub(super) fn go_on(&self, hand: &mut Hand, elapsed: u64, output: &[u8]) -> bool {
        let Some(written) = hand.leased() else { return false };
        if !Self::is_worth_while(elapsed) || output.len() > LONGEST {
            return false;
        }
        let (whole, rest) = output.as_chunks();
        let end = written + 1 + whole.len() + usize::from(!rest.is_empty());
        let Some([head, place @ ..]) = self.outputs.get(written..end) else { return false };
        head.store(elapsed << LENGTH | output.len() as u64, Relaxed);
        for (place, bytes) in place.iter().zip(whole) {
            place.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        if let Some(place) = place.get(whole.len()) {
            let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            place.store(word, Relaxed);
        }
        let added = elapsed << TIME | 1 << JOBS | (end - written) as u64;
        // Whoever finds the job in the word finds its output.
        if self.word.fetch_add(added, Release) & REVOKED != 0 {
            return false;
        }
        hand.advance(end);
        true
    }

    /// Ends a lease, and tells what was done.
    pub(super) fn revoke(&self) -> Past<'_> {
        let word = self.word.fetch_or(REVOKED, Acquire);
        let field = |from: u32, to: u32| (word >> from) & ((1 << (to - from)) - 1);
        let words = usize::try_from(field(0, JOBS)).expect("it has 16 bits");
        let jobs = u32::try_from(field(JOBS, TIME)).expect("it has 16 bits");
        Past { jobs, elapsed: field(TIME, 63), outputs: &self.outputs[..words] }
    }
}

impl Past<'_> {
    /// Appends the outputs, as [`push_output`](brigade_protocol::codec::push_output) writes them.
    pub(super) fn push_outputs(&self, bytes: &mut Vec<u8>) {
        let before = bytes.len();
        // A word before each output is more than the two or four bytes that there are there.
        bytes.resize(before + size_of_val(self.outputs), 0);
        let mut room = &mut bytes[before..];
        let mut words = self.outputs.iter().map(|word| word.load(Relaxed));
        while let Some(head) = words.next() {
            let (elapsed, length) = (head >> LENGTH, (head & ((1 << LENGTH) - 1)) as usize);
            let (head, used) = short_head(elapsed, length).expect("others are not written here");
            room = put_first(room, head, used);
            for word in words.by_ref().take(length / 8) {
                room = put_first(room, word.to_le_bytes(), 8);
            }
            if !length.is_multiple_of(8) {
                let word = words.next().expect("it was written whole");
                room = put_first(room, word.to_le_bytes(), length % 8);
            }
        }
        let left = room.len();
        bytes.truncate(bytes.len() - left);
    }
}

/// Writes the first of a few bytes, and gives the room behind them. All are written, because it takes no call to copy
/// a number of bytes that is known beforehand.
#[inline]
fn put_first<const N: usize>(room: &mut [u8], few: [u8; N], count: usize) -> &mut [u8] {
    room[..N].copy_from_slice(&few);
    &mut room[count..]
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;
    use brigade_protocol::id::{JobId, Run, Seq, TaskId};
    use brigade_protocol::message::{Calls, Form, ToWorker};

    use super::super::packet::Message;
    use super::super::queue::Queue;
    use super::*;

    /// The first call of a run is in the hand, and there is a lease for the others.
    fn granted(jobs: &[u64]) -> (Lease, Queue, Hand) {
        let mut arguments = Vec::new();
        for job in jobs {
            codec::push_bytes(job.to_string().as_bytes(), &mut arguments);
        }
        let run = Run { first: JobId(jobs[0]).into(), count: jobs.len().try_into().unwrap() };
        let (first, task, form) = (Seq(1), TaskId(0), Form::Word);
        let message = ToWorker::Run(Calls { first, run, task, form, arguments: &arguments });
        let Ok(Message::Calls(packet)) = Message::read(codec::encode(&message).unwrap()) else {
            panic!("it was a run")
        };
        let (lease, mut queue, mut hand) = (Lease::new(), Queue::new(), Hand::default());
        queue.push(packet).unwrap();
        queue.take(&mut hand);
        let behind = queue.behind(&hand);
        lease.grant(&mut hand, behind);
        (lease, queue, hand)
    }

    fn outputs(past: &Past<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        past.push_outputs(&mut bytes);
        bytes
    }

    #[test]
    fn what_has_ended_is_told_and_the_rest_is_still_queued() {
        let (lease, mut queue, mut hand) = granted(&[7, 8, 9, 10]);
        assert!(lease.go_on(&mut hand, 30, b"seven"));
        assert!(lease.go_on(&mut hand, 40, b""));
        assert_eq!((hand.call().seq, hand.arguments()), (Seq(3), &b"9"[..]));
        let past = lease.revoke();
        assert_eq!((past.jobs, past.elapsed), (2, 70));
        assert_eq!(outputs(&past), b"\x1e\x05seven\x28\x00");
        assert!(!lease.go_on(&mut hand, 1, b"nine"), "it is revoked");
        assert_eq!(hand.arguments(), b"9", "which is still to be answered");
        queue.pass(past.jobs, None);
        assert_eq!(queue.clear(), [JobId(10).into()]);
    }

    #[test]
    fn the_last_call_of_a_run_is_answered_as_ever() {
        let (lease, mut queue, mut hand) = granted(&[7, 8]);
        assert!(lease.go_on(&mut hand, 30, b"seven"));
        assert!(!lease.go_on(&mut hand, 30, b"eight"));
        assert_eq!(lease.revoke().jobs, 1);
        queue.pass(1, Some(&hand));
        assert!(queue.is_empty());
    }

    #[test]
    fn what_takes_long_or_much_room_is_answered_as_ever() {
        let (lease, _, mut hand) = granted(&[7, 8]);
        let long = [0; 251];
        assert!(!lease.go_on(&mut hand, SHORT + 1, b""));
        assert!(!lease.go_on(&mut hand, 1, &long));
        assert!(lease.go_on(&mut hand, SHORT, &long[1..]));
        let jobs: Vec<u64> = (1..1000).collect();
        let (lease, _, mut hand) = granted(&jobs);
        let ended = jobs.iter().take_while(|_| lease.go_on(&mut hand, SHORT, &long[1..])).count();
        assert_eq!(ended, ROOM / (1 + 250_usize.div_ceil(8)));
        let past = lease.revoke();
        assert_eq!(
            (past.jobs, past.elapsed),
            (u32::try_from(ended).unwrap(), ended as u64 * SHORT)
        );
    }

    #[test]
    fn outputs_of_any_length_come_back_as_they_were() {
        let bytes: Vec<u8> = (0..=250).collect();
        let lengths = [0, 1, 7, 8, 9, 16, 249, 250];
        let (lease, _, mut hand) = granted(&[7; 9]);
        let mut expected = Vec::new();
        for (length, elapsed) in lengths.into_iter().zip([0, 250, 251, SHORT].into_iter().cycle()) {
            assert!(lease.go_on(&mut hand, elapsed, &bytes[..length]));
            codec::push_output(elapsed, &bytes[..length], &mut expected);
        }
        assert_eq!(outputs(&lease.revoke()), expected);
    }

    #[test]
    fn a_lease_begins_with_nothing() {
        let (lease, mut queue, mut hand) = granted(&[7, 8, 9]);
        assert!(lease.go_on(&mut hand, 30, b"seven"));
        queue.pass(lease.revoke().jobs, Some(&hand));
        let behind = queue.behind(&hand);
        lease.grant(&mut hand, behind);
        assert_eq!(lease.revoke().jobs, 0);
    }
}
