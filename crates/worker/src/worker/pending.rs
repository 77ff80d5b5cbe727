//! Replies that have not been sent yet, their outputs one behind the other in one buffer.

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD, push_output, take_output};
use brigade_protocol::id::{Run, Ticket};
use brigade_protocol::message::{FromWorker, Length, Outputs, Reply, TaskError, Value};

/// How one attempt ended. Its output, if it is inline, is beside it.
pub(super) struct Done {
    pub(super) ticket: Ticket,
    /// It may be answered in a run.
    pub(super) in_run: bool,
    pub(super) started: u64,
    pub(super) elapsed: u64,
    pub(super) result: Result<Output, Box<TaskError>>,
}

/// Where the output of a job is.
#[derive(Clone, Copy)]
pub(super) enum Output {
    Inline,
    /// It went ahead, and is this long.
    Parts(Length),
}

/// The replies that wait to be sent.
#[derive(Default)]
pub(super) struct Pending {
    items: Vec<Item>,
    outputs: Vec<u8>,
    size: usize,
    oldest: Option<u64>,
    /// An output has gone ahead.
    ahead: bool,
}

/// A reply, or those of a run, with how long its part of the outputs is.
enum Item {
    One(Done, usize),
    Run { run: Run, started: u64, ended: u64, length: usize },
}

impl Done {
    /// When it ended.
    pub(super) fn ended(&self) -> u64 {
        self.started + self.elapsed
    }
}

impl Item {
    /// The most that it takes in a message.
    fn size(&self) -> usize {
        match self {
            Self::Run { length, .. } => length + 2 * OVERHEAD,
            Self::One(Done { result: Ok(_), .. }, length) => length + OVERHEAD,
            // Three texts, each with its length, on top of what every reply has.
            Self::One(Done { result: Err(error), .. }, _) => {
                let texts = [&error.location, &error.backtrace];
                let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
                error.message.len() + texts + 2 * OVERHEAD
            }
        }
    }
}

impl Pending {
    /// Adds a reply; `output` is its output if that is inline.
    #[inline]
    pub(super) fn push(&mut self, done: Done, output: &[u8]) {
        self.oldest.get_or_insert(done.ended());
        let inline = matches!(done.result, Ok(Output::Inline));
        if inline && done.in_run {
            self.push_to_run(done.ticket, done.started, done.ended(), output);
        } else {
            self.push_apart(done, inline, output);
        }
    }

    fn push_apart(&mut self, done: Done, inline: bool, output: &[u8]) {
        self.ahead |= matches!(done.result, Ok(Output::Parts(_)));
        let output = if inline { output } else { &[] };
        self.outputs.extend_from_slice(output);
        let item = Item::One(done, output.len());
        self.size += item.size();
        self.items.push(item);
    }

    #[inline]
    fn push_to_run(&mut self, ticket: Ticket, started: u64, now: u64, output: &[u8]) {
        let before = self.outputs.len();
        push_output(now - started, output, &mut self.outputs);
        self.extend_run(ticket.into(), started, now, self.outputs.len() - before);
    }

    /// Notes that outputs were added, as an item of their own if they do not go on with the last run.
    #[inline]
    fn extend_run(&mut self, added: Run, started: u64, now: u64, bytes: usize) {
        if let Some(Item::Run { run, ended, length, .. }) = self.items.last_mut()
            && run.part(run.count, 1).first == added.first
            && *ended == started
            && *length + bytes <= MESSAGE_BUDGET - 2 * OVERHEAD
        {
            run.count += added.count;
            *ended = now;
            *length += bytes;
            self.size += bytes;
            return;
        }
        let item = Item::Run { run: added, started, ended: now, length: bytes };
        self.size += item.size();
        self.items.push(item);
    }

    /// Adds replies of a run that were gathered elsewhere; `push` appends their outputs, as [`push_output`] does.
    pub(super) fn push_gathered(
        &mut self,
        added: Run,
        started: u64,
        elapsed: u64,
        push: impl FnOnce(&mut Vec<u8>),
    ) {
        self.oldest.get_or_insert(started);
        let before = self.outputs.len();
        push(&mut self.outputs);
        self.extend_run(added, started, started + elapsed, self.outputs.len() - before);
    }

    /// Whether they must be sent before the next job: they fill a message, or the supervisor has an output
    /// that went ahead of its reply. It keeps no more than one for each run thread.
    pub(super) fn are_due(&self) -> bool {
        self.size >= MESSAGE_BUDGET || self.ahead
    }

    /// When the oldest of them ended.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.oldest
    }

    /// Gives all of them to `send`, as many at a time as fit a message, and forgets them. The
    /// buffers stay for the next ones.
    pub(super) fn drain(&mut self, mut send: impl FnMut(FromWorker<'_>)) {
        let mut outputs = self.outputs.as_slice();
        let (mut replies, mut size) = (Vec::new(), 0);
        for item in self.items.drain(..) {
            let taken = item.size();
            if size + taken > MESSAGE_BUDGET && !replies.is_empty() {
                send(FromWorker::Replies(std::mem::take(&mut replies)));
                size = 0;
            }
            match item {
                // With several run threads it is one reply after the other: these travel together, too.
                Item::Run { run: Run { first: ticket, count: 1 }, started, length, .. } => {
                    size += taken;
                    let mut output = split(&mut outputs, length);
                    let (elapsed, output) =
                        take_output(&mut output).expect("it was pushed as one output");
                    let result = Ok(Value::Inline(output));
                    replies.push(Reply { ticket, started, elapsed, result });
                }
                Item::Run { run, started, length, .. } => {
                    let outputs = split(&mut outputs, length);
                    send(FromWorker::Ran(Outputs { run, started, outputs }));
                }
                Item::One(Done { ticket, started, elapsed, result, .. }, length) => {
                    size += taken;
                    let output = split(&mut outputs, length);
                    let result = match result {
                        Ok(Output::Inline) => Ok(Value::Inline(output)),
                        Ok(Output::Parts(length)) => Ok(Value::Parts(length)),
                        Err(error) => Err(*error),
                    };
                    replies.push(Reply { ticket, started, elapsed, result });
                }
            }
        }
        if !replies.is_empty() {
            send(FromWorker::Replies(replies));
        }
        self.outputs.clear();
        (self.size, self.oldest, self.ahead) = (0, None, false);
    }
}

/// Takes the first bytes off.
fn split<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let first;
    (first, *bytes) = bytes.split_at(length);
    first
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;

    use super::*;

    fn push(pending: &mut Pending, job: u64, started: u64) {
        let (ticket, result) = (JobId(job).into(), Ok(Output::Inline));
        let done = Done { ticket, in_run: true, started, elapsed: 10, result };
        pending.push(done, &[job.to_le_bytes()[0]]);
    }

    /// What is sent: of a run the jobs, of replies one after the other each job.
    fn sent(pending: &mut Pending) -> Vec<Vec<u64>> {
        let mut sent = Vec::new();
        pending.drain(|message| {
            sent.push(match message {
                FromWorker::Ran(outputs) => outputs.run.jobs().map(|job| job.0).collect(),
                FromWorker::Replies(replies) => {
                    assert!(replies.iter().all(|reply| reply.elapsed == 10));
                    replies.iter().map(|reply| reply.ticket.job.0).collect()
                }
                other => panic!("{other:?}"),
            });
        });
        sent
    }

    #[test]
    fn jobs_that_followed_on_each_other_are_one_run() {
        let mut pending = Pending::default();
        for (job, started) in [(1, 0), (2, 10), (3, 20), (5, 30), (6, 40)] {
            push(&mut pending, job, started);
        }
        assert_eq!(sent(&mut pending), [vec![1, 2, 3], vec![5, 6]]);
        assert_eq!(sent(&mut pending), Vec::<Vec<u64>>::new());
    }

    /// As from several run threads.
    #[test]
    fn jobs_that_did_not_follow_travel_together_all_the_same() {
        let mut pending = Pending::default();
        for (job, started) in [(1, 0), (2, 5), (4, 11), (3, 15)] {
            push(&mut pending, job, started);
        }
        assert_eq!(sent(&mut pending), [vec![1, 2, 4, 3]]);
    }
}
