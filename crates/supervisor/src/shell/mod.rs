//! The shell: performs what the scheduler decides, and tells it what happened. It decides nothing.
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
mod launch;
mod lines;
mod link;
mod orphans;
mod output;
mod perform;
mod server;
mod watch;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;

use brigade_protocol::handshake;
use brigade_protocol::id::{JobId, TaskId, WorkerId};
use brigade_protocol::message::{BuildId, Exit, Form, Hello, Report};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustc_hash::FxHashMap;

use self::board::Board;
use self::burial::ServerDeath;
use self::clock::Clock;
use self::launch::{Program, system};
use self::link::{Heard, Link, RawReply};
use self::server::{Command, Server};
use self::watch::{Watch, Watched};
use crate::error::StartError;
use crate::pool::{Builder, Shutdown, Snapshot};
use crate::scheduler::{Config, Ending, Event, Failure, JobSpec, Limits, Reply, Scheduler, Time};
use crate::sink::{self, Sink};

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
    ServerStarted(Watched),
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

impl Submission {
    /// Settles a job that came when the pool was over.
    pub(crate) fn refuse(self, hello: &Hello, gave_up: Option<&String>) {
        let failure = match gave_up {
            Some(reason) => Failure::PoolGaveUp(reason.clone()),
            None => Failure::Refused("the pool has been shut down".to_owned()),
        };
        let task = hello.tasks.get(self.task.0 as usize);
        let task = task.map(|task| task.name.clone()).unwrap_or_default();
        let settlement = sink::refused(self.sink.job, task, self.label, failure);
        self.sink.settle(settlement);
    }
}

/// A job that is not settled.
struct Entry {
    submission: Submission,
    submitted: Time,
}

/// A pool that runs.
pub(crate) struct Started {
    pub(crate) inbox: Sender<Message>,
    pub(crate) appetite: Arc<AtomicUsize>,
    pub(crate) hello: Hello,
    pub(crate) own_build: BuildId,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) over: Receiver<Infallible>,
    pub(crate) gave_up: Arc<OnceLock<String>>,
}

struct Shell {
    scheduler: Scheduler,
    clock: Clock,
    board: Board,
    hello: Hello,
    threads: u16,
    max_output: u64,
    inbox: Receiver<Message>,
    own_inbox: Sender<Message>,
    appetite: Arc<AtomicUsize>,
    watch: Watch,
    server: Sender<Command>,
    server_thread: JoinHandle<()>,
    /// Counts the fork servers.
    generation: u64,
    server_death: ServerDeath,
    links: FxHashMap<WorkerId, Link>,
    jobs: FxHashMap<JobId, Entry>,
    cancels: FxHashMap<JobId, Vec<Sender<bool>>>,
    /// What has happened since the scheduler was last asked.
    events: Vec<Event>,
    /// Dead workers whose listeners have not come to the end, and until when they may take; oldest
    /// first.
    mourning: VecDeque<(Instant, WorkerId)>,
    /// Workers whose exit the scheduler is being told.
    buried: Vec<WorkerId>,
    /// Why the pool gave up, if it did.
    gave_up: Arc<OnceLock<String>>,
    /// Never sent on: dropped with the loop, it tells that the pool is over.
    _over: Sender<Infallible>,
}

/// Starts the worker program, the threads of the pool, and its workers.
pub(crate) fn start(builder: Builder) -> Result<Started, StartError> {
    if std::env::var_os(brigade_protocol::VARIABLE).is_some() {
        return Err(StartError::IsWorker);
    }
    if builder.adopt_orphans {
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| system("become a child subreaper", error))?;
    }
    let program = Program {
        path: builder.program,
        patience: builder.start_timeout,
        adopts_orphans: builder.adopt_orphans,
        descriptors: raise_descriptor_limit(builder.workers)?,
    };
    let board = Board::new(builder.workers, builder.threads)
        .map_err(|error| system("make the scoreboard", error))?;
    let board_copy = board
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| system("copy the scoreboard's descriptor", error))?;
    let (inbox, received) = crossbeam_channel::unbounded();
    let handler = builder.output.unwrap_or_else(output::to_standard_error);
    let watch = Watch::start(inbox.clone(), handler)
        .map_err(|error| system("start the watch thread", error))?;
    let (server, server_thread, ready) = Server::start(program, board_copy, inbox.clone())?;
    watch.add(ready.watched);
    let config = Config {
        slots: u32::try_from(builder.workers).expect("the builder bounds the number of workers"),
        threads: builder.threads,
        prefetch: builder.prefetch,
        start_timeout: builder.start_timeout,
        restarts: builder.restarts,
    };
    let scheduler = Scheduler::new(config);
    let appetite = Arc::new(AtomicUsize::new(scheduler.appetite()));
    let (over_sender, over) = crossbeam_channel::bounded(0);
    let gave_up = Arc::new(OnceLock::new());
    let shell = Shell {
        scheduler,
        clock: Clock::new(),
        board,
        hello: ready.hello.clone(),
        threads: builder.threads,
        max_output: builder.max_output,
        inbox: received,
        own_inbox: inbox.clone(),
        appetite: Arc::clone(&appetite),
        watch,
        server,
        server_thread,
        generation: 0,
        server_death: ServerDeath::default(),
        links: FxHashMap::default(),
        jobs: FxHashMap::default(),
        cancels: FxHashMap::default(),
        events: Vec::new(),
        mourning: VecDeque::new(),
        buried: Vec::new(),
        gave_up: Arc::clone(&gave_up),
        _over: over_sender,
    };
    let thread = std::thread::Builder::new()
        .name("brigade-loop".into())
        .spawn(|| shell.run())
        .map_err(|error| system("start a thread", error))?;
    let own_build = handshake::own_build().map_err(|error| system("look at itself", error))?;
    Ok(Started { inbox, appetite, hello: ready.hello, own_build, thread, over, gave_up })
}

/// Raises the soft limit of open descriptors to the hard one, if that is enough for so many workers.
/// Returns the soft limit as it was.
fn raise_descriptor_limit(workers: usize) -> Result<u64, StartError> {
    /// Two channels, the end mark's sender, a pidfd, a pipe; one more while it is being made.
    const EACH: u64 = 6;
    const ALL: u64 = 64;
    let refused = |error| system("raise the limit of open descriptors", error);
    let (soft, limit) = getrlimit(Resource::RLIMIT_NOFILE).map_err(refused)?;
    let needed = workers as u64 * EACH + ALL;
    if limit < needed {
        return Err(StartError::TooFewDescriptors { workers, needed, limit });
    }
    if soft < limit {
        setrlimit(Resource::RLIMIT_NOFILE, limit, limit).map_err(refused)?;
    }
    Ok(soft)
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
            for action in self.scheduler.handle(now, events) {
                self.perform(action);
            }
            for worker in self.buried.drain(..) {
                self.links.remove(&worker);
            }
            if let Some(reason) = self.scheduler.gave_up() {
                self.gave_up.get_or_init(|| reason.to_owned());
            }
            self.appetite.store(self.scheduler.appetite(), Ordering::Relaxed);
        }
        let Self { watch, server, server_thread, inbox, hello, gave_up, .. } = self;
        for message in inbox.try_iter() {
            if let Message::Submit(submissions) = message {
                for submission in submissions {
                    submission.refuse(&hello, gave_up.get());
                }
            }
        }
        // In this order: the fork server's last words are still heard.
        drop(server);
        let _ = server_thread.join();
        drop(watch);
    }

    /// Waits for a message or the scheduler's next deadline, and takes what has come by then.
    fn wait(&mut self) {
        let deadline = self.scheduler.next_deadline().filter(|_| !self.clock.is_paused());
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.now()));
        let hearing = self.hearing_ends();
        let hearing = hearing.map(|until| until.saturating_duration_since(Instant::now()));
        let first = match left.into_iter().chain(hearing).min() {
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(left) => self.inbox.recv_timeout(left),
        };
        self.end_hearing();
        let Ok(first) = first else { return self.events.push(Event::TimePassed) };
        self.take(first);
        for _ in 1..MOST_MESSAGES {
            let Ok(message) = self.inbox.try_recv() else { break };
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
            Message::ServerStarted(watched) => {
                self.watch.add(watched);
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
