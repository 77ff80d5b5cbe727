//! What comes from the supervisor, as the worker keeps it: frames stay the packets that they came
//! in, with a note of where in them the arguments are, so that those are not copied.

use std::ops::Range;

use brigade_protocol::codec::{self, DecodeError};
use brigade_protocol::error::JobError;
use brigade_protocol::id::{JobId, Run, Seq, TaskId, Ticket};
use brigade_protocol::message::{self, Form, Length, ToWorker, Value};

use super::large::{Gathered, Rooms};
use super::queue::Violation;

/// A [`ToWorker`] that owns its bytes.
pub(super) enum Message {
    Calls(Packet),
    Part(Part),
    /// Room is to be made for so many bytes.
    Expect(Ticket, u64),
    Recall,
    Stop,
    /// A run thread waits for it.
    Mail(Ticket, Mail),
    PleaseStop(Ticket),
    Accepted(u32),
}

/// What a run thread waits for.
pub(super) enum Mail {
    /// A job has ended.
    Settled(JobId, Result<Output, JobError>),
    /// It must not be waited for.
    Failed(JobError),
    /// Yes or no.
    Told(bool),
    /// What was offered has been read, or cannot be.
    Fetched(bool),
}

/// The output of a job that is waited for.
pub(super) enum Output {
    Here(Vec<u8>),
    /// It came before, and should be this long.
    Parts(Length),
}

/// A frame of calls.
pub(super) struct Packet {
    bytes: Vec<u8>,
    first: Seq,
    calls: Calls,
}

enum Calls {
    Apart(Vec<Entry>),
    /// Consecutive jobs of one task; where their arguments are, one behind the other.
    Run {
        run: Run,
        task: TaskId,
        form: Form,
        arguments: Range<usize>,
    },
}

struct Entry {
    ticket: Ticket,
    task: TaskId,
    form: Form,
    arguments: Arguments,
    label: Option<Range<usize>>,
}

enum Arguments {
    Here(Range<usize>),
    /// They came before, and should be this long.
    Parts(Length),
    Gathered(Gathered),
}

/// A piece of arguments too large for a frame.
pub(super) struct Part {
    packet: Vec<u8>,
    piece: Range<usize>,
    pub(super) ticket: Ticket,
}

/// One call, ready to be run.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) seq: Seq,
    pub(super) ticket: Ticket,
    pub(super) task: TaskId,
    pub(super) form: Form,
    /// The large value that its arguments are part of.
    pub(super) large: Option<&'a Gathered>,
    pub(super) label: Option<&'a str>,
    /// It came in a run, and may be answered in one.
    pub(super) in_run: bool,
}

impl Message {
    /// Reads a packet.
    pub(super) fn read(packet: Vec<u8>) -> Result<Self, DecodeError> {
        Ok(match codec::decode(&packet)? {
            ToWorker::Recall => Self::Recall,
            ToWorker::Stop => Self::Stop,
            ToWorker::PleaseStop(ticket) => Self::PleaseStop(ticket),
            ToWorker::Accepted(count) => Self::Accepted(count),
            ToWorker::Told { asker, yes } => Self::Mail(asker, Mail::Told(yes)),
            ToWorker::WaitFailed { waiter, error } => Self::Mail(waiter, Mail::Failed(error)),
            ToWorker::Settled { waiter, job, result } => {
                let output = |value| match value {
                    Value::Inline(bytes) => Output::Here(<[u8]>::to_vec(bytes)),
                    Value::Parts(length) => Output::Parts(length),
                };
                Self::Mail(waiter, Mail::Settled(job, result.map(output)))
            }
            ToWorker::Part { ticket, bytes } => {
                let piece = place(bytes, &packet);
                Self::Part(Part { packet, piece, ticket })
            }
            ToWorker::Expect { ticket, length } => Self::Expect(ticket, length),
            ToWorker::Fetched { ticket, whole } => Self::Mail(ticket, Mail::Fetched(whole)),
            ToWorker::Frame(frame) => {
                let calls = frame.calls.iter().map(|call| Entry::of(call, &packet)).collect();
                let first = frame.first;
                Self::Calls(Packet { bytes: packet, first, calls: Calls::Apart(calls) })
            }
            ToWorker::Run(message::Calls { first, run, task, form, arguments }) => {
                check(run, arguments)?;
                let arguments = place(arguments, &packet);
                let calls = Calls::Run { run, task, form, arguments };
                Self::Calls(Packet { bytes: packet, first, calls })
            }
        })
    }
}

impl Entry {
    fn of(call: &message::Call<'_>, packet: &[u8]) -> Self {
        let arguments = match call.arguments {
            Value::Inline(bytes) => Arguments::Here(place(bytes, packet)),
            Value::Parts(length) => Arguments::Parts(length),
        };
        let label = call.label.map(|label| place(label.as_bytes(), packet));
        Self { ticket: call.ticket, task: call.task, form: call.form, arguments, label }
    }

    /// Its arguments, and the large value that they are part of.
    fn arguments<'a>(&'a self, packet: &'a [u8]) -> (&'a [u8], Option<&'a Gathered>) {
        match &self.arguments {
            Arguments::Here(place) => (&packet[place.clone()], None),
            Arguments::Gathered(large) => (large.bytes(), Some(large)),
            Arguments::Parts(_) => unreachable!("a packet is gathered before it is queued"),
        }
    }
}

/// Sees that there are arguments for each job of a run, and no more.
fn check(run: Run, mut arguments: &[u8]) -> Result<(), DecodeError> {
    for _ in 0..run.count {
        codec::take_bytes(&mut arguments)?;
    }
    match arguments.len() {
        0 => Ok(()),
        extra => Err(DecodeError::Trailing { extra }),
    }
}

/// Where in `whole` a slice lies that was borrowed from it.
fn place(slice: &[u8], whole: &[u8]) -> Range<usize> {
    let start = slice.as_ptr().addr() - whole.as_ptr().addr();
    start..start + slice.len()
}

impl Part {
    /// The piece.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.packet[self.piece.clone()]
    }
}

impl Packet {
    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        match &self.calls {
            Calls::Apart(calls) => calls.len(),
            Calls::Run { run, .. } => run.count as usize,
        }
    }

    /// Whether the calls are consecutive jobs of one task.
    pub(super) fn is_run(&self) -> bool {
        matches!(self.calls, Calls::Run { .. })
    }

    /// The place of a call in the order of all calls.
    pub(super) fn seq(&self, index: usize) -> Seq {
        Seq(self.first.0 + index as u64)
    }

    /// The place behind the last call, if the numbers go that far.
    pub(super) fn end(&self) -> Option<Seq> {
        self.first.0.checked_add(self.len() as u64).map(Seq)
    }

    /// Puts in the arguments that came before the frame.
    ///
    /// # Errors
    ///
    /// Those of a call are not as long as it says.
    pub(super) fn gather(&mut self, rooms: &mut Rooms) -> Result<(), Violation> {
        let Calls::Apart(calls) = &mut self.calls else { return Ok(()) };
        for call in calls {
            let Arguments::Parts(length) = call.arguments else { continue };
            call.arguments = Arguments::Gathered(rooms.take(call.ticket, length)?);
        }
        Ok(())
    }

    /// Where the arguments of the first call of a run are to be looked for: [behind](Self::behind) this.
    pub(super) fn beginning(&self) -> Range<usize> {
        match &self.calls {
            Calls::Apart(_) => 0..0,
            Calls::Run { arguments, .. } => arguments.start..arguments.start,
        }
    }

    /// Where the arguments of the next call of a run are, if those of the last one are there.
    #[inline]
    pub(super) fn behind(&self, last: &Range<usize>) -> Range<usize> {
        let Calls::Run { arguments, .. } = &self.calls else { return 0..0 };
        let mut rest = &self.bytes[last.end..arguments.end];
        let next = codec::take_bytes(&mut rest).expect("it was checked when it came");
        let end = arguments.end - rest.len();
        end - next.len()..end
    }

    /// One call, counted from zero.
    #[inline]
    pub(super) fn call(&self, index: usize) -> Call<'_> {
        let seq = self.seq(index);
        match &self.calls {
            Calls::Apart(calls) => self.call_apart(seq, &calls[index]),
            &Calls::Run { task, form, .. } => {
                let (ticket, large, label) = (self.ticket(index), None, None);
                Call { seq, ticket, task, form, large, label, in_run: true }
            }
        }
    }

    /// Its arguments. `in_run` is where they are if it is one of a run.
    #[inline]
    pub(super) fn arguments(&self, index: usize, in_run: &Range<usize>) -> &[u8] {
        match &self.calls {
            Calls::Apart(calls) => calls[index].arguments(&self.bytes).0,
            Calls::Run { .. } => &self.bytes[in_run.clone()],
        }
    }

    fn call_apart<'a>(&'a self, seq: Seq, entry: &'a Entry) -> Call<'a> {
        let &Entry { ticket, task, form, ref label, .. } = entry;
        let (_, large) = entry.arguments(&self.bytes);
        let label = label.clone().and_then(|place| str::from_utf8(&self.bytes[place]).ok());
        Call { seq, ticket, task, form, large, label, in_run: false }
    }

    /// One attempt, counted from zero.
    #[inline]
    pub(super) fn ticket(&self, index: usize) -> Ticket {
        match &self.calls {
            Calls::Apart(calls) => calls[index].ticket,
            Calls::Run { run, .. } => {
                let place = u32::try_from(index).expect("a run has at most 2^32 jobs");
                run.part(place, 1).first
            }
        }
    }

    /// The attempts from `index` on.
    pub(super) fn tickets(&self, index: usize) -> Vec<Ticket> {
        match &self.calls {
            Calls::Apart(calls) => calls[index..].iter().map(|call| call.ticket).collect(),
            Calls::Run { run, .. } => run.tickets().skip(index).collect(),
        }
    }
}
