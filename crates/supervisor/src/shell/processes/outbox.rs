//! What is to be sent to one worker, in order, and what the worker may say because of it.
//!
//! The listener counts what the worker says against what it was allowed here, in another thread.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use brigade_protocol::codec::{self, EncodeError, PART};
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::ToWorker;
use brigade_task::cell::Cell;

use super::nested::Window;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many parts of large arguments may be under way unread.
const MOST_PARTS: usize = 2;

/// How many bytes of an output go into one message: less than of arguments, because frames may be under
/// way beside it.
pub(super) const OUTPUT_PART: usize = 16 * 1024;

/// See the [module documentation](self).
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    parts_under_way: usize,
    /// How many replies and other answers the worker may still give.
    pub(super) credit: Arc<AtomicU64>,
    /// What its jobs may send about other jobs.
    pub(super) window: Window,
}

/// Something to be sent, in order.
enum Outgoing {
    Message(Vec<u8>),
    /// The arguments of a job from this offset on.
    Arguments {
        ticket: Ticket,
        offset: usize,
    },
    /// The output of a job that this attempt waits for, from this offset on.
    Output {
        waiter: Ticket,
        end: Arc<Cell>,
        offset: usize,
    },
    /// The answer to what a job waits for.
    Answer(Vec<u8>),
    /// So many wishes have been taken in.
    Accepted(u32),
}

impl Outbox {
    /// Of a worker with so many run threads. It may say that it is ready.
    pub(super) fn new(threads: u16) -> Self {
        Self {
            queue: VecDeque::new(),
            parts_under_way: 0,
            credit: Arc::new(AtomicU64::new(1)),
            window: Window::new(threads),
        }
    }

    /// Sends a message when what was sent before it is on its way. The worker may give so many answers to it.
    pub(super) fn send(&mut self, message: Vec<u8>, answers: usize) {
        // The credit first, here and below: the answer may be there before `send` returns.
        self.credit.fetch_add(answers as u64, Ordering::Relaxed);
        self.queue.push_back(Outgoing::Message(message));
    }

    /// Sends large arguments in parts.
    pub(super) fn send_arguments(&mut self, ticket: Ticket) {
        self.queue.push_back(Outgoing::Arguments { ticket, offset: 0 });
    }

    /// Sends the output of a job that an attempt waits for.
    pub(super) fn send_output(&mut self, waiter: Ticket, end: &Arc<Cell>) {
        self.queue.push_back(Outgoing::Output { waiter, end: Arc::clone(end), offset: 0 });
    }

    /// Sends the answer to what a job waits for.
    pub(super) fn send_answer(&mut self, message: Vec<u8>) {
        self.queue.push_back(Outgoing::Answer(message));
    }

    /// Tells that so many wishes have been taken in.
    pub(super) fn send_accepted(&mut self, count: u32) {
        self.queue.push_back(Outgoing::Accepted(count));
    }

    /// The worker has read a part.
    pub(super) fn part_taken(&mut self) {
        self.parts_under_way = self.parts_under_way.saturating_sub(1);
    }

    /// Gives to `send` what may be under way.
    pub(super) fn flush<'a>(
        &mut self,
        arguments: impl Fn(JobId) -> Option<&'a [u8]>,
        mut send: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(outgoing) = self.queue.front_mut() {
            let (part, is_last) = match outgoing {
                Outgoing::Message(message) => {
                    send(message)?;
                    self.queue.pop_front();
                    continue;
                }
                _ if self.parts_under_way == MOST_PARTS => return Ok(()),
                Outgoing::Answer(message) => {
                    self.window.answered();
                    (Ok(std::mem::take(message)), true)
                }
                Outgoing::Accepted(count) => {
                    self.window.accepted(*count);
                    (codec::encode(&ToWorker::Accepted(*count)), true)
                }
                Outgoing::Output { waiter, end, offset } => {
                    let part = end.peek(|end| {
                        let whole = end.result.as_deref().unwrap_or_default();
                        next_part(*waiter, whole, offset, OUTPUT_PART)
                    });
                    part.expect("an end that is sent is there")
                }
                Outgoing::Arguments { ticket, offset } => {
                    let whole = arguments(ticket.job).expect("what is held is not settled");
                    next_part(*ticket, whole, offset, PART)
                }
            };
            self.parts_under_way += 1;
            self.credit.fetch_add(1, Ordering::Relaxed);
            send(&part.map_err(io::Error::other)?)?;
            if is_last {
                self.queue.pop_front();
            }
        }
        Ok(())
    }
}

/// The next part of a large value, and whether it is the last.
fn next_part(
    ticket: Ticket,
    whole: &[u8],
    offset: &mut usize,
    most: usize,
) -> (Result<Vec<u8>, EncodeError>, bool) {
    let rest = &whole[*offset..];
    let bytes = &rest[..rest.len().min(most)];
    *offset += bytes.len();
    (codec::encode(&ToWorker::Part { ticket, bytes }), bytes.len() == rest.len())
}
