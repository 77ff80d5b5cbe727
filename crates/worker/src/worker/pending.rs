//! Replies that have not been sent yet, their outputs one behind the other in one buffer.

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD};
use brigade_protocol::id::Ticket;
use brigade_protocol::message::{Reply, TaskError, Value};

/// How one attempt ended. Its output, if it is inline, is beside it.
pub(super) struct Done {
    pub(super) ticket: Ticket,
    pub(super) started: u64,
    pub(super) elapsed: u64,
    pub(super) result: Result<Output, Box<TaskError>>,
}

/// Where the output of a job is.
#[derive(Clone, Copy)]
pub(super) enum Output {
    Inline,
    /// It went ahead, in parts of this many bytes in all.
    Parts(u64),
}

/// The replies that wait to be sent.
#[derive(Default)]
pub(super) struct Pending {
    items: Vec<Item>,
    outputs: Vec<u8>,
    size: usize,
    oldest: Option<u64>,
}

struct Item {
    done: Done,
    length: usize,
}

impl Done {
    /// When it ended.
    pub(super) fn ended(&self) -> u64 {
        self.started + self.elapsed
    }
}

impl Item {
    /// The most that its reply takes in a message.
    fn size(&self) -> usize {
        match &self.done.result {
            Ok(_) => self.length + OVERHEAD,
            // Three texts, each with its length, on top of what every reply has.
            Err(error) => {
                let texts = [&error.location, &error.backtrace];
                let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
                error.message.len() + texts + 2 * OVERHEAD
            }
        }
    }
}

impl Pending {
    /// Adds a reply; `output` is its output if that is inline.
    pub(super) fn push(&mut self, done: Done, output: &[u8]) {
        self.oldest.get_or_insert(done.ended());
        let inline = matches!(done.result, Ok(Output::Inline));
        let item = Item { done, length: if inline { output.len() } else { 0 } };
        self.size += item.size();
        self.outputs.extend_from_slice(&output[..item.length]);
        self.items.push(item);
    }

    /// Whether they fill a message.
    pub(super) fn is_full(&self) -> bool {
        self.size >= MESSAGE_BUDGET
    }

    /// When the oldest of them ended.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.oldest
    }

    /// Gives all of them to `send`, as many at a time as fit a message, and forgets them. The
    /// buffers stay for the next ones.
    pub(super) fn drain(&mut self, mut send: impl FnMut(Vec<Reply<'_>>)) {
        let mut outputs = self.outputs.as_slice();
        let (mut replies, mut size) = (Vec::with_capacity(self.items.len()), 0);
        for item in self.items.drain(..) {
            if size + item.size() > MESSAGE_BUDGET && !replies.is_empty() {
                send(std::mem::take(&mut replies));
                size = 0;
            }
            size += item.size();
            let output;
            (output, outputs) = outputs.split_at(item.length);
            let Done { ticket, started, elapsed, result } = item.done;
            let result = match result {
                Ok(Output::Inline) => Ok(Value::Inline(output)),
                Ok(Output::Parts(length)) => Ok(Value::Parts(length)),
                Err(error) => Err(*error),
            };
            replies.push(Reply { ticket, started, elapsed, result });
        }
        if !replies.is_empty() {
            send(replies);
        }
        self.outputs.clear();
        (self.size, self.oldest) = (0, None);
    }
}
