//! The watch thread: learns of deaths from pidfds, and reads what workers print.
//!
//! It never blocks on a worker: pipes are read without waiting, a piece at a time, so that one that
//! floods its output holds up nobody but itself.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{OFlags, fcntl_setfl};

use super::News;
use super::lines::Lines;
use crate::builder::{OutputHandler, OutputLine};
use crate::error::WorkerInfo;
use crate::shell::{Message, mailbox, thread};
use crate::sync::channel::{self, Receiver, Sender};

/// How much of one pipe is read before the next is looked at.
const PIECE: usize = 64 * 1024;
/// How much is read after a death: a grandchild may still hold the pipe and go on writing.
const LAST_PIECES: usize = 16;

/// A process to be watched.
pub(crate) struct Watched {
    pub(super) who: Who,
    pub(super) pidfd: OwnedFd,
    /// The read end of the pipe that is its standard output and error.
    pub(super) output: OwnedFd,
    /// What was read from it already.
    pub(super) printed: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    Worker(WorkerInfo),
    /// The fork server of this generation.
    Server(u64),
}

/// The loop's end of the watch thread. Dropping it ends the thread.
pub(in crate::shell) struct Watch {
    commands: Sender<Watched>,
    wake: Arc<OwnedFd>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    pub(in crate::shell) fn start(
        inbox: mailbox::Sender<Message>,
        handler: OutputHandler,
    ) -> io::Result<Self> {
        let (commands, received) = channel::unbounded();
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let watcher = Watcher::new(inbox, guarded(handler), received, Arc::clone(&wake))?;
        let thread = thread::spawn("brigade-watch", || watcher.run())?;
        Ok(Self { commands, wake, thread: Some(thread) })
    }

    pub(in crate::shell) fn add(&self, watched: Watched) {
        let _ = self.commands.send(watched);
        self.wake();
    }

    fn wake(&self) {
        // Full means that it is awake anyway.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (closed, _) = channel::bounded(0);
        self.commands = closed;
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A handler that panics is not called again: deaths must be told, come what may. The panic hook has
/// said what happened.
fn guarded(mut handler: OutputHandler) -> OutputHandler {
    let mut panicked = false;
    Box::new(move |line| {
        if !panicked {
            panicked = catch_unwind(AssertUnwindSafe(|| handler(line))).is_err();
        }
    })
}

/// The token of the wake-up; others are even for a pidfd and odd for its pipe.
const WAKE: u64 = u64::MAX;

struct Watcher {
    inbox: mailbox::Sender<Message>,
    handler: OutputHandler,
    commands: Receiver<Watched>,
    wake: Arc<OwnedFd>,
    epoll: OwnedFd,
    sources: FxHashMap<u64, Source>,
    next: u64,
    buffer: Vec<u8>,
}

struct Source {
    watched: Watched,
    lines: Lines,
    output_open: bool,
}

impl Watcher {
    fn new(
        inbox: mailbox::Sender<Message>,
        handler: OutputHandler,
        commands: Receiver<Watched>,
        wake: Arc<OwnedFd>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        let sources = FxHashMap::default();
        let buffer = vec![0; PIECE];
        Ok(Self { inbox, handler, commands, wake, epoll, sources, next: 0, buffer })
    }

    fn run(mut self) {
        loop {
            let mut events = [MaybeUninit::<epoll::Event>::uninit(); 64];
            let ready: Vec<u64> = match epoll::wait(&self.epoll, &mut events, None) {
                Ok((ready, _)) => ready.iter().map(|event| event.data.u64()).collect(),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => unreachable!("epoll_wait on an epoll descriptor: {error}"),
            };
            for token in ready {
                match token {
                    WAKE => {
                        if !self.take_commands() {
                            return;
                        }
                    }
                    token if token % 2 == 0 => self.bury(token),
                    token => self.read(token - 1),
                }
            }
        }
    }

    /// False once the loop is gone.
    fn take_commands(&mut self) -> bool {
        let _ = rustix::io::read(&*self.wake, &mut [0_u8; 8]);
        loop {
            match self.commands.try_recv() {
                Ok(watched) => self.add(watched),
                Err(channel::TryRecvError::Empty) => return true,
                Err(channel::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, mut watched: Watched) {
        let token = self.next;
        self.next += 2;
        let readable = epoll::EventFlags::IN;
        let data = epoll::EventData::new_u64;
        let added = fcntl_setfl(&watched.output, OFlags::NONBLOCK)
            .and_then(|()| epoll::add(&self.epoll, &watched.output, data(token + 1), readable))
            .and_then(|()| epoll::add(&self.epoll, &watched.pidfd, data(token), readable));
        let printed = std::mem::take(&mut watched.printed);
        let mut source = Source { watched, lines: Lines::default(), output_open: true };
        let (worker, handler) = (source.worker(), &mut self.handler);
        source.lines.feed(&printed, |text| handler(OutputLine { worker, text }));
        self.sources.insert(token, source);
        if added.is_err() {
            // Out of memory for the watch: unwatched it must not live.
            self.bury(token);
        }
    }

    /// Reads one piece.
    fn read(&mut self, token: u64) {
        let Self { sources, handler, buffer, epoll, .. } = self;
        let Some(source) = sources.get_mut(&token) else { return };
        if source.read(buffer, handler) == Some(0) {
            source.output_open = false;
            let _ = epoll::delete(epoll, &source.watched.output);
        }
    }

    /// Reads the last words of the dead and tells the loop.
    fn bury(&mut self, token: u64) {
        let Some(mut source) = self.sources.remove(&token) else { return };
        if source.output_open {
            for _ in 0..LAST_PIECES {
                if matches!(source.read(&mut self.buffer, &mut self.handler), None | Some(0)) {
                    break;
                }
            }
        }
        let worker = source.worker();
        let handler = &mut self.handler;
        source.lines.finish(|text| handler(OutputLine { worker, text }));
        let last_words = source.lines.last_words();
        // Closing the descriptors takes them out of the epoll set.
        let message = match source.watched.who {
            Who::Worker(worker) => News::Died { worker: worker.id, last_words },
            Who::Server(generation) => News::ServerDied { generation, last_words },
        };
        self.inbox.send(Message::Crew(message));
    }
}

impl Source {
    fn worker(&self) -> Option<WorkerInfo> {
        match self.watched.who {
            Who::Worker(worker) => Some(worker),
            Who::Server(_) => None,
        }
    }

    /// Reads one piece. `Some(0)` at the end, `None` if there is nothing now.
    fn read(&mut self, buffer: &mut [u8], handler: &mut OutputHandler) -> Option<usize> {
        match rustix::io::read(&self.watched.output, &mut *buffer) {
            Ok(length) => {
                let worker = self.worker();
                self.lines.feed(&buffer[..length], |text| handler(OutputLine { worker, text }));
                Some(length)
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => None,
            Err(_) => Some(0),
        }
    }
}
