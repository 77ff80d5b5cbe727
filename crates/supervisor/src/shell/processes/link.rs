//! One worker, as the loop sees it: the way to it, the thread that listens to it, its death.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use brigade_protocol::codec;
use brigade_protocol::handshake::NearEnds;
use brigade_protocol::id::{Run, SlotId, Ticket, WorkerId};
use brigade_protocol::ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender};
use brigade_protocol::message::{Exit, FromWorker, MOST_SHARES, Outputs, TaskError, Usage, Value};
use brigade_task::outside::{Blobs, Encoding};

use super::News;
use super::arrivals::Arrivals;
use super::direct::{Copied, Direct};
use super::nested::{self, Nested};
use super::outbox::Outbox;
use crate::error::{Sentence, WorkerInfo};
use crate::shell::mailbox::Sender;
use crate::shell::{Message, thread};
use crate::sync::atomic::{AtomicU64, Ordering};

/// The loop's side of one worker.
pub(in crate::shell) struct Link {
    pub(super) slot: SlotId,
    /// Of the fork server that forked it.
    pub(super) generation: u64,
    pub(super) pid: Option<u32>,
    /// It said that it is ready before its process was known.
    pub(super) ready: bool,
    /// The read end of its output, until the watch thread has it.
    pub(super) output: Option<std::os::fd::OwnedFd>,
    /// Why it is to be killed, as soon as its process is known.
    pub(super) condemned: Option<Sentence>,
    /// Why it was killed, if it was alive then.
    pub(super) killed: Option<Sentence>,
    pub(super) death: Death,
    jobs: IpcBytesSender,
    /// Until the end mark is sent.
    end_mark: Option<IpcBytesSender>,
    /// The channel of a worker that nobody listens to any more.
    unheard: Option<IpcBytesReceiver>,
    pub(super) outbox: Outbox,
}

/// What a worker may do.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// How many jobs it runs at once.
    pub(super) threads: u16,
    pub(super) max_output: u64,
    /// It may say that it has grown.
    pub(super) may_grow: bool,
    /// Large values may be copied directly.
    pub(super) direct: bool,
}

/// What is known of its end; with all three, it is buried.
#[derive(Default)]
pub(super) struct Death {
    /// Its last lines, once its pidfd told of its death.
    pub(super) last_words: Option<Vec<String>>,
    /// Everything that it sent has been heard.
    pub(super) heard_out: bool,
    /// The fork server is to be asked how it ended, as soon as its pid is not needed any more.
    pub(super) reap_due: bool,
    /// How it ended, by the fork server's word.
    pub(super) exit: Option<Exit>,
    /// What it used in all its life, by the fork server's word.
    pub(super) usage: Option<Usage>,
}

impl Link {
    pub(super) fn new(
        worker: WorkerId,
        slot: SlotId,
        generation: u64,
        near: NearEnds,
        output: std::os::fd::OwnedFd,
        terms: Terms,
        inbox: Sender<Message>,
    ) -> io::Result<Self> {
        let NearEnds { jobs, replies, end_mark } = near;
        let outbox = Outbox::new(terms.threads, terms.direct);
        let listener = Listener::new(worker, inbox, &outbox, terms);
        thread::spawn_small("brigade-reader", move || listener.run(replies))?;
        Ok(Self {
            slot,
            generation,
            pid: None,
            ready: false,
            output: Some(output),
            condemned: None,
            killed: None,
            death: Death::default(),
            jobs,
            end_mark: Some(end_mark),
            unheard: None,
            outbox,
        })
    }

    pub(super) fn info(&self, id: WorkerId) -> Option<WorkerInfo> {
        self.pid.map(|pid| WorkerInfo { id, slot: self.slot, pid })
    }

    /// Sends what may be under way; never blocks. An error means that the worker cannot be reached.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush(|message| self.jobs.send(message))
    }

    /// Nobody listens to it any more, and it will be killed for what it said: until it is dead it must not
    /// see that its channel is closed, upon which it would end in its own way. Nor must anything be put
    /// into that channel, for it may be full.
    pub(super) fn ignore(&mut self, replies: IpcBytesReceiver) {
        (self.unheard, self.end_mark) = (Some(replies), None);
    }

    /// Puts a mark behind all that the worker, which is dead, has sent: so the listener ends even if
    /// somebody else holds its channel open. Then this process closes its own end: if the listener
    /// takes the mark for the rest of a packet that is none, the closing ends it.
    pub(super) fn mark_end(&mut self) {
        let mark = codec::encode(&FromWorker::End).expect("the end mark is a message");
        if let Some(end_mark) = self.end_mark.take() {
            // An error means that the listener is gone already.
            let _ = end_mark.send(&mark);
        }
    }
}

/// What a worker said.
pub(crate) enum Heard {
    Ready,
    Replies(Vec<RawReply>),
    Returned(Vec<Ticket>),
    PartTaken,
    /// What it was told to expect has been written to it, or cannot be.
    Written {
        ticket: Ticket,
        whole: bool,
    },
    /// What it offered has been read, or cannot be.
    Offered {
        ticket: Ticket,
        whole: bool,
    },
    /// One of its jobs wants something of another.
    Nested(nested::Wish),
    Grown,
    /// It broke the protocol; nothing more is heard from it. This is its channel.
    Violation(IpcBytesReceiver),
    /// Everything has been heard.
    End,
}

/// A reply whose times are still those of `CLOCK_MONOTONIC`.
pub(crate) struct RawReply {
    pub(super) run: Run,
    pub(super) started: u64,
    pub(super) elapsed: u64,
    /// Of several, the outputs as they came: there is one for each.
    pub(super) result: Result<Vec<u8>, TaskError>,
    /// What the output of a single one left outside.
    pub(super) blobs: Blobs,
}

/// The thread that listens to one worker. It never sends to it, and waits for nothing else.
pub(super) struct Listener {
    worker: WorkerId,
    inbox: Sender<Message>,
    credit: Arc<AtomicU64>,
    /// It may say that it has grown, which it may once.
    may_grow: bool,
    direct: Arc<Direct>,
    /// Large values that have come, or of which parts have.
    arrivals: Arrivals,
    nested: Nested,
}

/// How long the jobs of a run took in all; there is an output for each, and no more.
fn total(count: u32, mut outputs: &[u8]) -> Result<u64, Violation> {
    let mut total: u64 = 0;
    for _ in 0..count {
        let (elapsed, _) = codec::take_output(&mut outputs).map_err(|_| Violation)?;
        total = total.saturating_add(elapsed);
    }
    (count > 0 && outputs.is_empty()).then_some(total).ok_or(Violation)
}

/// A message that the worker must not have sent.
#[derive(Debug, PartialEq)]
pub(super) struct Violation;

/// Whether the value was copied, if that is of interest: it is not to the dying.
fn was_copied(copied: Copied) -> Result<Option<bool>, Violation> {
    match copied {
        Copied::Whole => Ok(Some(true)),
        Copied::Refused => Ok(Some(false)),
        Copied::Gone => Ok(None),
        Copied::Astray => Err(Violation),
    }
}

impl Listener {
    pub(super) fn new(
        worker: WorkerId,
        inbox: Sender<Message>,
        outbox: &Outbox,
        Terms { threads, max_output, may_grow, .. }: Terms,
    ) -> Self {
        Self {
            worker,
            inbox,
            credit: Arc::clone(&outbox.credit),
            may_grow,
            direct: Arc::clone(&outbox.direct),
            arrivals: Arrivals::new(threads, max_output),
            nested: Nested::new(worker, outbox.window.clone()),
        }
    }

    fn run(mut self, replies: IpcBytesReceiver) {
        loop {
            // ipc-channel panics on packets of a certain shape.
            let packet = catch_unwind(AssertUnwindSafe(|| replies.recv()));
            let heard = match packet {
                Ok(Ok(packet)) => self.hear(&packet),
                // A panic, or the end in the midst of what was taken for a packet.
                Ok(Err(_)) | Err(_) => Err(Violation),
            };
            match heard {
                Ok(None) => {}
                Ok(Some(heard)) => {
                    let last = matches!(heard, Heard::End);
                    self.tell(heard);
                    if last {
                        return;
                    }
                }
                Err(Violation) => return self.tell(Heard::Violation(replies)),
            }
        }
    }

    fn tell(&self, heard: Heard) {
        self.inbox.send(Message::Crew(News::Heard(self.worker, heard)));
    }

    pub(super) fn hear(&mut self, packet: &[u8]) -> Result<Option<Heard>, Violation> {
        let message = codec::decode(packet).map_err(|_| Violation)?;
        Ok(Some(match message {
            FromWorker::End => Heard::End,
            FromWorker::Ready => self.spend(1, Heard::Ready)?,
            FromWorker::Taken => self.spend(1, Heard::PartTaken)?,
            FromWorker::Grown if std::mem::take(&mut self.may_grow) => Heard::Grown,
            FromWorker::Grown => return Err(Violation),
            // They will not be answered any more.
            FromWorker::Returned(tickets) => {
                self.spend(1 + tickets.len() as u64, Heard::Returned(tickets))?
            }
            FromWorker::Part { ticket, bytes } => {
                self.arrivals.gather(ticket, bytes)?;
                return Ok(None);
            }
            FromWorker::Room { ticket, address } => {
                let value = self.direct.take(ticket).ok_or(Violation)?;
                let copied = self.direct.write(&value, address);
                let told = was_copied(copied)?.map(|whole| Heard::Written { ticket, whole });
                return told.map(|heard| self.spend(1, heard)).transpose();
            }
            FromWorker::Offer { ticket, length, pieces } => {
                let copied = self.arrivals.fetch(&self.direct, ticket, length, &pieces)?;
                let told = was_copied(copied)?.map(|whole| Heard::Offered { ticket, whole });
                return Ok(told);
            }
            FromWorker::Replies(replies) => {
                let count = replies.len();
                let mut raw = Vec::with_capacity(count);
                for reply in replies {
                    let mut blobs = Blobs::default();
                    let result = match reply.result {
                        Ok(Value::Inline(output)) => Ok(output.to_vec()),
                        Ok(Value::Parts(length)) => {
                            let output = self.arrivals.take(reply.ticket, length)?;
                            blobs = output.blobs;
                            Ok(output.bytes)
                        }
                        Err(error) => Err(error),
                    };
                    let (run, started, elapsed) =
                        (reply.ticket.into(), reply.started, reply.elapsed);
                    raw.push(RawReply { run, started, elapsed, result, blobs });
                }
                self.spend(count as u64, Heard::Replies(raw))?
            }
            FromWorker::Ran(Outputs { run, started, outputs }) => {
                let elapsed = total(run.count, outputs)?;
                // A run of one is a job like any other.
                let result = match run.count {
                    1 => codec::take_output(&mut { outputs }).map_err(|_| Violation)?.1,
                    _ => outputs,
                };
                let (result, blobs) = (Ok(result.to_vec()), Blobs::default());
                let reply = RawReply { run, started, elapsed, result, blobs };
                self.spend(u64::from(run.count), Heard::Replies(vec![reply]))?
            }
            FromWorker::Submit(submit) => {
                let first = Ticket::from(submit.job);
                let mut arguments = match submit.arguments {
                    Value::Inline(bytes) => Encoding::from(bytes.to_vec()),
                    Value::Parts(length) => self.arrivals.take(first, length)?,
                };
                if submit.shares.len() > MOST_SHARES {
                    return Err(Violation);
                }
                arguments.blobs.keep_shares(&submit.shares);
                Heard::Nested(self.nested.submit(&submit, arguments)?)
            }
            message => Heard::Nested(self.nested.hear(message)?),
        }))
    }

    /// A worker answers what it was asked, and no more: a flood would fill the memory.
    fn spend(&self, answers: u64, heard: Heard) -> Result<Heard, Violation> {
        let spent = self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |credit| {
            credit.checked_sub(answers)
        });
        spent.map(|_| heard).map_err(|_| Violation)
    }
}
