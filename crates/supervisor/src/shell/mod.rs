//! The shell: performs what the scheduler decides, and tells it what happened. It decides nothing; its
//! one time limit is how long the witnesses of a death are waited for.
//!
//! ```text
//!  submitters ──────┐                    ┌──▶ server thread ──▶ fork server
//!  reports thread ──┤ Message  ┌──────┐  │
//!  watch thread ────┼────────▶ │ loop │ ─┼──▶ each worker's channel (never blocks)
//!  reader threads ──┘          └──────┘  └──▶ sinks: futures, streams
//! ```
//!
//! A worker's death has three witnesses, which must all have spoken before it is judged: the watch
//! thread (its pidfd; its last words), its reader thread (all it sent has been heard), and the fork
//! server (how it ended).

mod board;
mod burial;
mod clock;
mod configure;
mod inbox;
mod launch;
mod lines;
mod link;
mod orphans;
mod output;
mod perform;
mod server;
mod start;
mod surroundings;
mod thread;
mod watch;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use brigade_protocol::id::{JobId, TaskId, WorkerId};
use brigade_protocol::message::{Exit, Form, Report};
use crossbeam_channel::{RecvTimeoutError, Sender};
use rustc_hash::FxHashMap;

use self::board::Board;
use self::burial::ServerDeath;
use self::clock::Clock;
use self::link::{Heard, Link, RawReply};
use self::server::{Command, Ready};
use self::watch::Watch;
use crate::pool::{Shutdown, Snapshot};
use crate::scheduler::{Ending, Event, JobSpec, Limits, Reply, Scheduler, Time};
use crate::sink::Sink;

pub(crate) use self::inbox::Inbox;
pub(crate) use self::start::{Started, start};
pub(crate) use self::surroundings::Surroundings;

/// How many messages are taken in before the scheduler is asked what to do.
const MOST_MESSAGES: usize = 256;

/// What reaches the loop.
pub(crate) enum Message {
    Submit(Vec<Submission>),
    Cancel { job: JobId, answer: Sender<bool> },
    InputOpened,
    InputEnded,
    Shutdown(Shutdown),
    Pause(Sender<()>),
    Resume,
    Snapshot(Sender<Snapshot>),
    Heard(WorkerId, Heard),
    Died { worker: WorkerId, last_words: Vec<String> },
    Reported { generation: u64, report: Report },
    ReportsEnded { generation: u64 },
    ServerStarted(Ready),
    ServerFailed(String),
    ServerDied { generation: u64, last_words: Vec<String> },
    ServerBuried { generation: u64, exit: Exit },
}

/// A job on its way into the loop.
pub(crate) struct Submission {
    pub(crate) task: TaskId,
    pub(crate) form: Form,
    pub(crate) arguments: Vec<u8>,
    pub(crate) limits: Limits,
    pub(crate) label: Option<Box<str>>,
    pub(crate) sink: Sink,
}

/// A job that is not settled.
struct Entry {
    submission: Submission,
    submitted: Time,
}

struct Shell {
    scheduler: Scheduler,
    clock: Clock,
    board: Board,
    threads: u16,
    max_output: u64,
    /// Whether workers look at their own size.
    may_grow: bool,
    inbox: Arc<Inbox>,
    own_inbox: Sender<Message>,
    appetite: Arc<AtomicUsize>,
    watch: Watch,
    server: Sender<Command>,
    server_thread: JoinHandle<()>,
    server_pidfd: OwnedFd,
    /// Counts the fork servers.
    generation: u64,
    server_death: ServerDeath,
    links: FxHashMap<WorkerId, Link>,
    jobs: FxHashMap<JobId, Entry>,
    cancels: FxHashMap<JobId, Vec<Sender<bool>>>,
    /// What has happened since the scheduler was last asked.
    events: Vec<Event>,
    /// Dead workers that cannot be buried yet, and until when their witnesses are waited for.
    mourning: Vec<(Instant, WorkerId)>,
    /// Workers whose exit the scheduler is being told.
    buried: Vec<WorkerId>,
}

impl Shell {
    fn run(mut self) {
        // The first workers are not asked for by anything that happens.
        self.events.push(Event::TimePassed);
        while !self.scheduler.is_finished() || !self.links.is_empty() {
            if self.events.is_empty() {
                self.wait();
            }
            let now = self.clock.now();
            let events = std::mem::take(&mut self.events);
            let actions = self.scheduler.handle(now, events);
            if let Some(reason) = self.scheduler.gave_up() {
                // Before the settlements, so that who sees one of them sees this too.
                self.inbox.set_gave_up(reason);
            }
            for action in actions {
                self.perform(action);
            }
            for worker in self.buried.drain(..) {
                self.links.remove(&worker);
            }
            self.appetite.store(self.scheduler.appetite(), Ordering::Relaxed);
        }
        let Self { watch, server, server_thread, .. } = self;
        // In this order: the fork server's last words are still heard.
        drop(server);
        let _ = server_thread.join();
        drop(watch);
    }

    /// Waits for a message or the scheduler's next deadline, and takes what has come by then.
    fn wait(&mut self) {
        let deadline = self.scheduler.next_deadline().filter(|_| !self.clock.is_paused());
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.now()));
        let patience = self.patience_ends();
        let patience = patience.map(|until| until.saturating_duration_since(Instant::now()));
        let first = match left.into_iter().chain(patience).min() {
            None => self.inbox.receiver().recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(left) => self.inbox.receiver().recv_timeout(left),
        };
        self.lose_patience();
        let Ok(first) = first else { return self.events.push(Event::TimePassed) };
        self.take(first);
        for _ in 1..MOST_MESSAGES {
            let Ok(message) = self.inbox.receiver().try_recv() else { break };
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Submit(submissions) => {
                let now = self.clock.now();
                for submission in submissions {
                    self.submit(submission, now);
                }
            }
            Message::Cancel { job, answer } => {
                // Settled already: the answer is dropped, and the future looks at its cell.
                if self.jobs.contains_key(&job) {
                    self.cancels.entry(job).or_default().push(answer);
                    self.events.push(Event::CancelRequested(job));
                }
            }
            Message::InputOpened => self.events.push(Event::InputOpened),
            Message::InputEnded => self.events.push(Event::InputEnded),
            Message::Shutdown(how) => self.events.push(Event::EndRequested(match how {
                Shutdown::Drain => Ending::Drain,
                Shutdown::Stop { grace } => Ending::Stop(grace),
                Shutdown::Abort => Ending::Abort,
            })),
            Message::Pause(done) => {
                self.pause();
                let _ = done.send(());
            }
            Message::Resume => self.resume(),
            Message::Snapshot(to) => {
                let _ = to.send(self.snapshot());
            }
            Message::Heard(worker, heard) => self.hear(worker, heard),
            Message::Died { worker, last_words } => self.on_died(worker, last_words),
            Message::Reported { generation, report } => self.on_report(generation, &report),
            Message::ReportsEnded { generation } => self.on_reports_ended(generation),
            Message::ServerStarted(ready) => {
                self.server_pidfd = ready.pidfd;
                self.watch.add(ready.watched);
                self.events.push(Event::ServerStarted);
            }
            Message::ServerFailed(reason) => self.events.push(Event::ServerFailed(reason)),
            Message::ServerDied { generation, last_words } => {
                self.on_server_died(generation, last_words);
            }
            Message::ServerBuried { generation, exit } => self.on_server_buried(generation, exit),
        }
    }

    fn submit(&mut self, submission: Submission, now: Time) {
        let job = submission.sink.job;
        let Submission { task, limits, .. } = submission;
        let size = submission.arguments.len();
        self.jobs.insert(job, Entry { submission, submitted: now });
        self.events.push(Event::Submitted(JobSpec { job, task, size, limits }));
    }

    fn hear(&mut self, worker: WorkerId, heard: Heard) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        match heard {
            Heard::Ready => self.events.push(Event::WorkerReady(worker)),
            Heard::Replies(replies) => {
                let clock = &self.clock;
                let reply = |RawReply { ticket, started, elapsed, result }| {
                    let ran = (clock.at(started), clock.at(started.saturating_add(elapsed)));
                    Event::Replied(worker, Reply { ticket, ran, result })
                };
                self.events.extend(replies.into_iter().map(reply));
            }
            Heard::Returned(tickets) => self.events.push(Event::Returned(worker, tickets)),
            Heard::Grown => self.events.push(Event::Grown(worker)),
            Heard::PartTaken => {
                link.part_taken();
                self.flush(worker);
            }
            Heard::Violation => {
                link.death.heard_out = true;
                self.events.push(Event::Violated(worker));
                self.conclude(worker);
            }
            Heard::End => {
                link.death.heard_out = true;
                self.conclude(worker);
            }
        }
    }
}
