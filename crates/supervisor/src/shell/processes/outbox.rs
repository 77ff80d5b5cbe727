//! What is to be sent to one worker, in order, and what the worker may say because of it.
//!
//! The listener counts what the worker says against what it was allowed here, in another thread.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use brigade_protocol::codec::{self, EncodeError, PART};
use brigade_protocol::id::Ticket;
use brigade_protocol::message::{DIRECT, ToWorker};
use brigade_task::cell::Cell;
use brigade_task::outside::Encoding;

use super::direct::Direct;
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
    /// The direct road.
    pub(super) direct: Arc<Direct>,
    /// Whether that is open, as far as it is known.
    is_open: bool,
}

/// Something to be sent, in order.
enum Outgoing {
    Message(Vec<u8>),
    /// A large value for this attempt.
    Value {
        ticket: Ticket,
        value: Arc<Encoding>,
        road: Road,
    },
    /// The output of a job that this attempt waits for, from this offset on.
    Output {
        waiter: Ticket,
        end: Arc<Cell>,
        offset: usize,
    },
    /// What the worker offered has been read, or cannot be.
    Fetched {
        ticket: Ticket,
        whole: bool,
    },
    /// The answer to what a job waits for.
    Answer(Vec<u8>),
    /// So many wishes have been taken in.
    Accepted(u32),
}

/// How a large value travels.
enum Road {
    /// The worker is to be told to make room.
    Direct,
    /// It was told. Nothing else is sent before the value is there.
    Expected,
    /// In parts of at most so many bytes, from this offset on.
    Parts(usize, usize),
}

impl Outbox {
    /// Of a worker with so many run threads, to which the direct road may be open. It may say that it is
    /// ready.
    pub(super) fn new(threads: u16, is_open: bool) -> Self {
        Self {
            queue: VecDeque::new(),
            parts_under_way: 0,
            credit: Arc::new(AtomicU64::new(1)),
            window: Window::new(threads),
            direct: Arc::default(),
            is_open,
        }
    }

    /// Sends a message when what was sent before it is on its way. The worker may give so many answers to it.
    pub(super) fn send(&mut self, message: Vec<u8>, answers: usize) {
        // The credit first, here and below: the answer may be there before `send` returns.
        self.credit.fetch_add(answers as u64, Ordering::Relaxed);
        self.queue.push_back(Outgoing::Message(message));
    }

    /// Sends the large arguments of an attempt.
    pub(super) fn send_arguments(&mut self, ticket: Ticket, value: &Arc<Encoding>) {
        self.send_value(ticket, value, PART);
    }

    /// Sends the output with blobs of a job that an attempt waits for.
    pub(super) fn send_blobs(&mut self, waiter: Ticket, value: &Arc<Encoding>) {
        self.send_value(waiter, value, OUTPUT_PART);
    }

    fn send_value(&mut self, ticket: Ticket, value: &Arc<Encoding>, part: usize) {
        let is_direct = self.is_open && value.length().bytes >= DIRECT;
        let road = if is_direct { Road::Direct } else { Road::Parts(part, 0) };
        self.queue.push_back(Outgoing::Value { ticket, value: Arc::clone(value), road });
    }

    /// The worker has been written what it was told to expect; or it cannot be, and that goes in parts.
    pub(super) fn written(&mut self, ticket: Ticket, whole: bool) {
        self.part_taken();
        self.is_open &= whole;
        let Some(Outgoing::Value { ticket: expected, road: road @ Road::Expected, .. }) =
            self.queue.front_mut()
        else {
            return;
        };
        if *expected != ticket {
            return;
        }
        if whole {
            self.queue.pop_front();
        } else {
            // What is expected is as large as arguments may be; and outputs have smaller parts.
            *road = Road::Parts(OUTPUT_PART, 0);
        }
    }

    /// Tells that what the worker offered has been read, or cannot be.
    pub(super) fn send_fetched(&mut self, ticket: Ticket, whole: bool) {
        self.is_open &= whole;
        self.queue.push_back(Outgoing::Fetched { ticket, whole });
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
    pub(super) fn flush(
        &mut self,
        mut send: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(outgoing) = self.queue.front_mut() {
            let (part, is_last) = match outgoing {
                Outgoing::Message(message) => {
                    send(message)?;
                    self.queue.pop_front();
                    continue;
                }
                Outgoing::Value { road: Road::Expected, .. } => return Ok(()),
                _ if self.parts_under_way == MOST_PARTS => return Ok(()),
                Outgoing::Fetched { ticket, whole } => {
                    let (ticket, whole) = (*ticket, *whole);
                    (codec::encode(&ToWorker::Fetched { ticket, whole }), true)
                }
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
                        next_part(*waiter, [whole].into_iter(), offset, OUTPUT_PART)
                    });
                    part.expect("an end that is sent is there")
                }
                Outgoing::Value { ticket, value, road: Road::Parts(most, offset) } => {
                    next_part(*ticket, value.pieces(), offset, *most)
                }
                Outgoing::Value { road, .. } if !self.is_open => {
                    // It was refused meanwhile.
                    *road = Road::Parts(OUTPUT_PART, 0);
                    continue;
                }
                Outgoing::Value { ticket, value, road } => {
                    self.direct.consign(*ticket, value);
                    *road = Road::Expected;
                    let (ticket, length) = (*ticket, value.length().bytes);
                    (codec::encode(&ToWorker::Expect { ticket, length }), false)
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

/// The next part of a large value that lies in these pieces, and whether it is the last.
fn next_part<'a>(
    ticket: Ticket,
    pieces: impl Iterator<Item = &'a [u8]>,
    offset: &mut usize,
    most: usize,
) -> (Result<Vec<u8>, EncodeError>, bool) {
    let (mut skip, mut bytes, mut is_last) = (*offset, Cow::Borrowed(&[][..]), true);
    for piece in pieces {
        let rest = &piece[skip.min(piece.len())..];
        skip -= piece.len().min(skip);
        let taken = &rest[..rest.len().min(most - bytes.len())];
        match &mut bytes {
            Cow::Borrowed([]) => bytes = Cow::Borrowed(taken),
            _ if taken.is_empty() => {}
            bytes => bytes.to_mut().extend_from_slice(taken),
        }
        if taken.len() < rest.len() {
            is_last = false;
            break;
        }
    }
    *offset += bytes.len();
    let bytes = &*bytes;
    (codec::encode(&ToWorker::Part { ticket, bytes }), is_last)
}
