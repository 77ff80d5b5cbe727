//! The way to the supervisor: one sender, used by one thread at a time.
//!
//! An ipc-channel's `send` blocks if the other side does not read. The supervisor always reads, so
//! whoever sends here waits for a busy supervisor at most, never for ever.

use std::sync::PoisonError;

use brigade_protocol::codec::{self, MAX_MESSAGE};
use brigade_protocol::id::Ticket;
use brigade_protocol::message::FromWorker;

use super::pending::Pending;
use super::{broken, supervisor_gone};
use crate::sync::{IpcBytesSender, Mutex, MutexGuard};

/// The way to the supervisor.
pub(super) struct Wire(Mutex<Sender>);

/// The way, taken by one thread.
pub(super) struct Sender {
    channel: IpcBytesSender,
    buffer: Vec<u8>,
    /// Empty; its buffers serve in turn with those of the replies that are being gathered.
    pub(super) spare: Pending,
}

/// What the worker owes the supervisor besides replies.
#[derive(Default)]
pub(super) struct Owed {
    /// Parts that were read.
    pub(super) taken: usize,
    /// Where there is room for what is expected.
    pub(super) rooms: Vec<(Ticket, u64)>,
    /// Answers to recalls: the calls that were given back.
    pub(super) returned: Vec<Vec<Ticket>>,
}

impl Owed {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0 && self.rooms.is_empty() && self.returned.is_empty()
    }
}

impl Wire {
    pub(super) fn new(channel: impl Into<IpcBytesSender>) -> Self {
        let channel = channel.into();
        Self(Mutex::new(Sender { channel, buffer: Vec::new(), spare: Pending::default() }))
    }

    /// Takes the way for this thread.
    pub(super) fn lock(&self) -> MutexGuard<'_, Sender> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that this worker may be given work.
    pub(super) fn ready(&self) {
        self.lock().send(&FromWorker::Ready);
    }

    /// Says that this worker has grown larger than it may be.
    pub(super) fn grown(&self) {
        self.lock().send(&FromWorker::Grown);
    }
}

impl Sender {
    /// Sends all replies, and leaves `pending` empty.
    pub(super) fn replies(&mut self, pending: &mut Pending) {
        pending.drain(|message| self.send(&message));
    }

    /// Sends acknowledgements and give-backs.
    pub(super) fn owed(&mut self, owed: Owed) {
        for _ in 0..owed.taken {
            self.send(&FromWorker::Taken);
        }
        for (ticket, address) in owed.rooms {
            self.send(&FromWorker::Room { ticket, address });
        }
        for tickets in owed.returned {
            // Two frames within their budget have fewer tickets than a message can carry.
            self.send(&FromWorker::Returned(tickets));
        }
    }

    pub(super) fn send(&mut self, message: &FromWorker<'_>) {
        self.buffer.clear();
        let encoded = codec::encode_into(message, &mut self.buffer);
        if encoded.is_err() || self.buffer.len() > MAX_MESSAGE {
            // Every size is counted before: this is a bug of ours.
            broken(format_args!("its message of {} bytes is too long", self.buffer.len()));
        }
        while let Err(error) = self.channel.send(&self.buffer) {
            if error.kind() != std::io::ErrorKind::Interrupted {
                supervisor_gone();
            }
        }
    }
}
