//! The local queue: calls that have come and have not been started, in the order of their
//! [`Seq`]. It knows nothing of threads; the [`desk`](super::desk) keeps it under its lock.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use brigade_protocol::id::{Seq, Ticket};

use super::large::Rooms;
use super::packet::{Call, Packet};

/// Calls that wait, and arguments whose calls have not come yet.
pub(super) struct Queue {
    frames: VecDeque<Waiting>,
    /// The lowest place that no call has had.
    next: Seq,
    /// What has come for calls and waits that are to come.
    pub(super) rooms: Rooms,
}

struct Waiting {
    packet: Arc<Packet>,
    /// The first call of it that has not been taken.
    next: usize,
    /// Where the arguments of the call before it are, in a run.
    last: Range<usize>,
}

/// The call that a run thread has taken last. It keeps the packet, which the next call is likely
/// to be in as well.
#[derive(Default)]
pub(super) struct Hand {
    packet: Option<Arc<Packet>>,
    index: usize,
    /// Where its arguments are, if it is one of a run.
    in_run: Range<usize>,
    /// How many more calls may be taken under a [`Lease`](super::lease::Lease), and how many words of outputs
    /// were written under it.
    left: u32,
    written: usize,
}

/// What no supervisor sends.
#[derive(Debug, PartialEq)]
pub(super) enum Violation {
    /// The frame starts with a place that has been used, or goes beyond the last number.
    Place(Seq),
    /// A large value is not as long as the message that mentions it says.
    Sum(Ticket),
    /// It is longer than a value may be.
    Length(Ticket),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(seq) => write!(f, "a frame starts with call {seq}, out of order"),
            Self::Sum(ticket) => write!(f, "{ticket}: its large value is not as long as was said"),
            Self::Length(ticket) => write!(f, "{ticket}: its value is longer than one may be"),
        }
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::new(), next: Seq(1), rooms: Rooms::default() }
    }

    /// Puts in a frame and returns how many calls it has.
    pub(super) fn push(&mut self, mut packet: Packet) -> Result<usize, Violation> {
        let in_order = packet.end().filter(|_| packet.seq(0) >= self.next);
        self.next = in_order.ok_or(Violation::Place(packet.seq(0)))?;
        packet.gather(&mut self.rooms)?;
        let calls = packet.len();
        if calls > 0 {
            let last = packet.beginning();
            self.frames.push_back(Waiting { packet: Arc::new(packet), next: 0, last });
        }
        Ok(calls)
    }

    /// Takes the next call into the hand.
    #[inline]
    pub(super) fn take(&mut self, hand: &mut Hand) -> Option<Seq> {
        let head = self.frames.front_mut()?;
        if !hand.holds(&head.packet) {
            hand.packet = Some(Arc::clone(&head.packet));
        }
        (hand.index, hand.left) = (head.next, 0);
        hand.in_run = head.packet.behind(&head.last);
        head.last = hand.in_run.clone();
        head.next += 1;
        let seq = head.packet.seq(hand.index);
        if head.next == head.packet.len() {
            self.frames.pop_front();
        }
        Some(seq)
    }

    /// Whether no call waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the next call is in the same frame as the one in the hand.
    #[inline]
    pub(super) fn continues(&self, hand: &Hand) -> bool {
        self.frames.front().is_some_and(|head| hand.holds(&head.packet))
    }

    /// How many calls are behind the one in the hand, in the same run.
    pub(super) fn behind(&self, hand: &Hand) -> u32 {
        let head = self.frames.front().filter(|head| hand.holds(&head.packet));
        head.filter(|head| head.packet.is_run()).map_or(0, |head| {
            u32::try_from(head.packet.len() - head.next).expect("a run has at most 2^32 jobs")
        })
    }

    /// Takes out the next calls, which are of one run: they were started under a lease. The hand that has the
    /// last of them knows where the next one is.
    pub(super) fn pass(&mut self, calls: u32, hand: Option<&Hand>) {
        let Some(head) = self.frames.front_mut().filter(|_| calls > 0) else { return };
        if let Some(hand) = hand {
            head.last = hand.in_run.clone();
        } else {
            for _ in 0..calls {
                head.last = head.packet.behind(&head.last);
            }
        }
        head.next += calls as usize;
        if head.next == head.packet.len() {
            self.frames.pop_front();
        }
    }

    /// Whether this attempt waits here.
    pub(super) fn holds(&self, ticket: Ticket) -> bool {
        let mut tickets =
            self.frames.iter().flat_map(|waiting| waiting.packet.tickets(waiting.next));
        tickets.any(|waiting| waiting == ticket)
    }

    /// Takes out everything, arguments included, and returns which attempts that were.
    pub(super) fn clear(&mut self) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for waiting in self.frames.drain(..) {
            tickets.extend(waiting.packet.tickets(waiting.next));
        }
        tickets
    }
}

impl Hand {
    /// The call that was taken last.
    #[inline]
    pub(super) fn call(&self) -> Call<'_> {
        let packet = self.packet.as_deref().expect("a run thread runs only what it has taken");
        packet.call(self.index)
    }

    /// Its arguments.
    #[inline]
    pub(super) fn arguments(&self) -> &[u8] {
        let packet = self.packet.as_deref().expect("a run thread runs only what it has taken");
        packet.arguments(self.index, &self.in_run)
    }

    /// Which attempt that is.
    #[inline]
    pub(super) fn ticket(&self) -> Ticket {
        let packet = self.packet.as_deref().expect("a run thread runs only what it has taken");
        packet.ticket(self.index)
    }

    /// So many more calls may be taken by [`advance`](Self::advance).
    pub(super) fn lease(&mut self, calls: u32) {
        (self.left, self.written) = (calls, 0);
    }

    /// How many words of outputs were written under the lease, if there is one, and a call that it is for.
    #[inline]
    pub(super) fn leased(&self) -> Option<usize> {
        (self.left > 0).then_some(self.written)
    }

    /// Takes the next call of the run, with now so many words written.
    #[inline]
    pub(super) fn advance(&mut self, written: usize) {
        let packet = self.packet.as_deref().expect("a run thread runs only what it has taken");
        self.in_run = packet.behind(&self.in_run);
        self.index += 1;
        (self.left, self.written) = (self.left - 1, written);
    }

    /// Lets go of the packet.
    pub(super) fn empty(&mut self) {
        self.packet = None;
    }

    fn holds(&self, packet: &Arc<Packet>) -> bool {
        self.packet.as_ref().is_some_and(|held| Arc::ptr_eq(held, packet))
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;
    use brigade_protocol::id::{JobId, TaskId};
    use brigade_protocol::message::{Call, Form, Frame, Length, ToWorker, Value};

    use super::super::packet::{Message, Part};
    use super::*;

    /// Calls with the numbers of their jobs as arguments; those in `parts` say they came in parts.
    fn frame(first: u64, jobs: &[u64], parts: &[(u64, u64)]) -> Packet {
        let texts: Vec<String> = jobs.iter().map(ToString::to_string).collect();
        let calls = jobs.iter().zip(&texts).map(|(&job, text)| Call {
            ticket: JobId(job).into(),
            task: TaskId(0),
            form: Form::Word,
            label: None,
            arguments: match parts.iter().find(|part| part.0 == job) {
                Some(&(_, length)) => Value::Parts(Length::plain(length)),
                None => Value::Inline(text.as_bytes()),
            },
        });
        let frame = Frame { first: Seq(first), calls: calls.collect() };
        match Message::read(codec::encode(&ToWorker::Frame(frame)).unwrap()) {
            Ok(Message::Calls(packet)) => packet,
            _ => panic!("it was a frame"),
        }
    }

    fn part(job: u64, bytes: &[u8]) -> Part {
        let message = ToWorker::Part { ticket: JobId(job).into(), bytes };
        match Message::read(codec::encode(&message).unwrap()) {
            Ok(Message::Part(part)) => part,
            _ => panic!("it was a part"),
        }
    }

    #[test]
    fn calls_are_taken_in_order_with_their_arguments() {
        let (mut queue, mut hand) = (Queue::new(), Hand::default());
        assert_eq!(queue.push(frame(1, &[10, 11], &[])), Ok(2));
        assert_eq!(queue.push(frame(3, &[12], &[])), Ok(1));
        for (seq, text, continues) in [(1, "10", true), (2, "11", false), (3, "12", false)] {
            assert_eq!(queue.take(&mut hand), Some(Seq(seq)));
            assert_eq!((hand.call().seq, hand.arguments()), (Seq(seq), text.as_bytes()));
            assert_eq!(queue.continues(&hand), continues);
        }
        assert_eq!(queue.take(&mut hand), None);
    }

    #[test]
    fn what_was_not_taken_is_given_back_once() {
        let (mut queue, mut hand) = (Queue::new(), Hand::default());
        queue.push(frame(1, &[10, 11], &[])).unwrap();
        queue.push(frame(3, &[12], &[])).unwrap();
        queue.take(&mut hand);
        assert_eq!(queue.clear(), [JobId(11).into(), JobId(12).into()]);
        assert!(queue.clear().is_empty());
        assert_eq!(hand.arguments(), b"10", "the call that runs keeps its arguments");
    }

    #[test]
    fn parts_become_the_arguments_of_their_call() {
        let (mut queue, mut hand) = (Queue::new(), Hand::default());
        for (job, bytes) in [(7, "ab"), (8, "x"), (7, "cd")] {
            queue.rooms.gather(&part(job, bytes.as_bytes())).unwrap();
        }
        assert_eq!(queue.push(frame(1, &[7], &[(7, 4)])), Ok(1));
        queue.take(&mut hand);
        assert_eq!(hand.arguments(), b"abcd");
        let wrong = queue.push(frame(2, &[8], &[(8, 2)]));
        assert_eq!(wrong, Err(Violation::Sum(JobId(8).into())));
        let missing = queue.push(frame(3, &[9], &[(9, 0)]));
        assert_eq!(missing, Err(Violation::Sum(JobId(9).into())));
    }

    #[test]
    fn places_only_go_up() {
        let mut queue = Queue::new();
        assert_eq!(queue.push(frame(0, &[1], &[])), Err(Violation::Place(Seq(0))));
        assert_eq!(queue.push(frame(5, &[1], &[])), Ok(1));
        assert_eq!(queue.push(frame(5, &[2], &[])), Err(Violation::Place(Seq(5))));
        let last = frame(u64::MAX, &[3], &[]);
        assert_eq!(queue.push(last), Err(Violation::Place(Seq(u64::MAX))));
    }
}
