//! Threads of this process: the crew of a thread pool.
//!
//! ```text
//!          Desk of worker 0            Desk of worker 1
//!  loop ──▶ queue ──▶ thread 0    ┌──▶ queue ──▶ thread 1
//!    │  ◀── replies ─────┘        │              │
//!    └────────────────────────────┘  ◀───────────┘ by the inbox, as messages
//! ```
//!
//! A thread cannot be killed. The one that should be is *left to itself*: whatever it says from then on is
//! not heard, it ends when the function that it runs returns, and for the scheduler it has exited. All
//! that it said before comes before its exit, because both go by the inbox.

mod desk;
#[cfg(all(test, brigade_model))]
mod models;
mod run;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use brigade_protocol::error::Sentence;
use brigade_protocol::id::{Seq, SlotId, Ticket, WorkerId};
use brigade_protocol::message::{BuildId, Exit, Hello};
use brigade_task::host::Host;
use nix::sys::signal::SigSet;
use rustc_hash::FxHashMap;

use self::desk::{Desk, Done};
use self::run::Task;
use super::core::{Core, Obituary, Work};
use super::mailbox::{Sender, mailbox};
use super::processes::News;
use super::{Crew, Inbox, Message, Started, WaitEnd};
use crate::capacity::processors;
use crate::error::{Failure, StartError, WorkerInfo};
use crate::host::new_pool_id;
use crate::scheduler::{
    Action, Config, Event, Lane, Reply, RestartIntensity, Scheduler, Time, Why,
};
use crate::thread_pool::ThreadPoolBuilder;

/// How old a reply may become before it is sent.
const KEPT_BACK: Duration = Duration::from_millis(16);

/// What a thread tells the loop.
pub(crate) enum Word {
    /// It may be given work.
    Ready,
    /// It has replies which it has not sent, and runs the next job.
    Owes,
    Replies(Vec<Done>),
    /// It has ended or been left to itself, for this reason if it should not have; this is what it last did.
    Left(desk::Snapshot, Option<String>),
}

/// What all threads of a pool share.
struct Home {
    pool: u64,
    inbox: Sender<Message>,
    /// Set before there can be any job.
    host: Arc<OnceLock<Arc<dyn Host>>>,
    initializer: Option<Box<dyn Fn() + Send + Sync>>,
    /// The signals that are blocked in the thread which made the pool, and so in those that run jobs.
    signals: SigSet,
}

/// See the [module documentation](self).
struct Threads {
    home: Arc<Home>,
    name: String,
    stack: Option<usize>,
    links: FxHashMap<WorkerId, Link>,
    /// Threads that owe replies, and when these are to be sent.
    due: VecDeque<(Instant, WorkerId)>,
    /// Threads that have ended, or will at once.
    ended: Vec<JoinHandle<()>>,
    /// Workers whose exit the scheduler is being told.
    buried: Vec<WorkerId>,
}

struct Link {
    slot: SlotId,
    desk: Arc<Desk>,
    /// Unless it was left to itself.
    thread: Option<JoinHandle<()>>,
    killed: Option<Sentence>,
}

/// Where the pool's host is put, before the first job.
pub(crate) type HostPlace = Arc<OnceLock<Arc<dyn Host>>>;

/// Starts the loop of a thread pool.
pub(crate) fn start(builder: ThreadPoolBuilder) -> Result<(Started, HostPlace), StartError> {
    brigade_task::panics::install_hook();
    // Never compared with that of another process.
    let build = BuildId(String::new());
    let hello = Hello {
        build: build.clone(),
        tasks: builder.registry.iter().flat_map(brigade_task::Registry::infos).collect(),
    };
    let (sender, receiver) = mailbox();
    let inbox = Inbox::new(sender.clone(), receiver, hello);
    let restarts = builder.restarts.unwrap_or_else(|| RestartIntensity::of(builder.workers));
    let scheduler = Scheduler::new(Config {
        processors: processors(),
        max_jobs: None,
        slots: u32::try_from(builder.workers).expect("the builder bounds the number of threads"),
        threads: 1,
        most_waiting: builder.max_waiting,
        can_kill: false,
        prefetch: builder.prefetch,
        batch: builder.batch,
        // A start that takes long has no better one to be replaced by.
        start_timeout: Time::MAX,
        restarts,
        server_restarts: restarts,
    });
    let (pool, host) = (new_pool_id(), HostPlace::default());
    // An error is not possible: the arguments of the system call are right.
    let signals = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
    let initializer = builder.initializer;
    let home = Home { pool, inbox: sender, host: Arc::clone(&host), initializer, signals };
    let crew = Threads {
        home: Arc::new(home),
        name: builder.name,
        stack: builder.stack,
        links: FxHashMap::default(),
        due: VecDeque::new(),
        ended: Vec::new(),
        buried: Vec::new(),
    };
    let started = super::start::run(pool, scheduler, inbox, crew, build)?;
    Ok((started, host))
}

impl Crew for Threads {
    fn perform(&mut self, core: &mut Core, action: Action) {
        match action {
            Action::Spawn(worker, slot) => self.spawn(core, worker, slot),
            Action::Dispatch(worker, first, runs) => {
                let tickets: Vec<Ticket> = runs.iter().flat_map(|run| run.tickets()).collect();
                self.dispatch(core, worker, first, &tickets);
            }
            Action::Recall(worker) => {
                let Some(link) = self.links.get(&worker) else { return };
                let tasks = link.desk.recall();
                let tickets = tasks.iter().map(|task| task.ticket).collect();
                take_back(core, tasks);
                core.events.push(Event::Returned(worker, tickets));
            }
            Action::Stop(worker) => {
                if let Some(link) = self.links.get(&worker) {
                    link.desk.stop();
                }
            }
            Action::PleaseStop(worker, ticket) => {
                if let Some(link) = self.links.get(&worker) {
                    link.desk.please_stop(ticket);
                }
            }
            Action::Inspect(worker) => {
                if let Some(link) = self.links.get(&worker) {
                    core.events.push(Event::Observed(worker, link.lanes(core)));
                }
            }
            Action::Kill(worker, why) => self.abandon(core, worker, why),
            Action::StartServer | Action::KillServer => {
                unreachable!("a pool of threads has no fork server that could be lost")
            }
            Action::Settle(..) | Action::RefuseCancel(_) | Action::EndWait(..) => {
                unreachable!("the shell itself does these")
            }
        }
    }

    fn take(&mut self, core: &mut Core, news: News) {
        let News::Thread(worker, word) = news else {
            unreachable!("everything else is told by worker processes")
        };
        match word {
            Word::Ready => core.events.push(Event::WorkerReady(worker)),
            Word::Owes => self.due.push_back((Instant::now() + KEPT_BACK, worker)),
            Word::Replies(replies) => {
                for done in replies {
                    hear(core, worker, done);
                }
            }
            Word::Left(snapshot, reason) => self.on_left(core, worker, snapshot, reason),
        }
    }

    fn tell(&mut self, _: &mut Core, _: WorkerId, _: Ticket, _: bool) {
        unreachable!("a job of this process asks as any client does")
    }

    fn answer(&mut self, core: &mut Core, _: WorkerId, waiter: Ticket, end: WaitEnd) {
        core.end_wait(
            waiter,
            match end {
                WaitEnd::Settled(..) => Ok(()),
                WaitEnd::Failed(failure) => Err(failure),
            },
        );
    }

    fn lanes(&self, core: &Core) -> Vec<(WorkerId, SlotId, Option<WorkerInfo>, Vec<Lane>)> {
        let lanes = self
            .links
            .iter()
            .map(|(&id, link)| (id, link.slot, Some(link.info(id)), link.lanes(core)));
        lanes.collect()
    }

    fn obituary(&self, worker: WorkerId) -> Obituary<'_> {
        self.links.get(&worker).map_or_else(Obituary::default, |link| Obituary {
            usage: None,
            info: Some(link.info(worker)),
            killed: link.killed,
            last_words: None,
        })
    }

    fn bury(&mut self) {
        for worker in self.buried.drain(..) {
            self.links.remove(&worker);
        }
    }

    fn is_gone(&self) -> bool {
        self.links.is_empty()
    }

    fn patience_ends(&mut self, _: &Core) -> Option<Instant> {
        self.due.front().map(|(due, _)| *due)
    }

    fn lose_patience(&mut self, _: &mut Core) {
        if self.due.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((_, worker)) = self.due.pop_front_if(|(due, _)| *due <= now) {
            if let Some(link) = self.links.get(&worker) {
                link.desk.send_replies();
            }
        }
    }

    fn leave(self) {
        // Not of those that were left to themselves. All others have said that they end.
        for thread in self.ended {
            let _ = thread.join();
        }
    }
}

impl Threads {
    fn spawn(&mut self, core: &mut Core, worker: WorkerId, slot: SlotId) {
        let desk = Arc::new(Desk::new(worker, Arc::clone(&self.home)));
        let mut builder = std::thread::Builder::new().name(format!("{}-{slot}", self.name));
        if let Some(stack) = self.stack {
            builder = builder.stack_size(stack);
        }
        let own = Arc::clone(&desk);
        match builder.spawn(move || run::main(&own)) {
            Ok(thread) => {
                let link = Link { slot, desk, thread: Some(thread), killed: None };
                self.links.insert(worker, link);
                core.events.push(Event::Spawned(worker));
                if self.home.initializer.is_none() {
                    // What it is sent before it runs waits at its desk.
                    core.events.push(Event::WorkerReady(worker));
                }
            }
            Err(error) => {
                let epitaph =
                    format!("worker {worker} (slot {slot}): its thread cannot be started: {error}");
                core.events.push(exited(worker, Vec::new(), epitaph));
            }
        }
    }

    fn dispatch(&mut self, core: &mut Core, worker: WorkerId, first: Seq, tickets: &[Ticket]) {
        let Some(link) = self.links.get(&worker) else { return };
        let tasks = tickets.iter().zip(first.0..).map(|(&ticket, seq)| {
            let entry = core.jobs.get_mut(&ticket.job);
            let submission = &mut entry.expect("what is dispatched is not settled").submission;
            // It is queued no longer.
            submission.take_permit();
            let work = match &mut submission.work {
                Work::Task(task) => {
                    let arguments = std::mem::take(&mut submission.arguments);
                    run::Work::Task(task, submission.form, arguments, submission.large.clone())
                }
                Work::Closure(closure) => {
                    run::Work::Closure(closure.1.take().expect("it is taken once at a time"))
                }
                Work::Elsewhere => unreachable!("this pool takes only what it can run itself"),
            };
            let label = submission.label().map(Into::into);
            let is_last = seq + 1 == first.0 + tickets.len() as u64;
            Task { ticket, seq: Seq(seq), label, work, is_last }
        });
        link.desk.put(tasks.collect());
    }

    /// Leaves a thread to itself.
    fn abandon(&mut self, core: &mut Core, worker: WorkerId, why: Why) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        if matches!(why, Why::JobTimedOut(_) | Why::StartTimedOut) {
            link.killed = Some(Sentence::Abandoned);
        }
        let left = link.desk.abandon();
        take_back(core, left.unstarted);
        if let Some(ticket) = left.running {
            core.end_wait(ticket, Err(Failure::Cancelled));
        }
        let thread = link.thread.take();
        self.ended.extend(thread.filter(|_| !left.is_away));
    }

    fn on_left(
        &mut self,
        core: &mut Core,
        worker: WorkerId,
        snapshot: desk::Snapshot,
        reason: Option<String>,
    ) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        self.ended.retain(|thread| !thread.is_finished());
        self.ended.extend(link.thread.take());
        let reason = reason.unwrap_or_else(|| "it left".to_owned());
        let epitaph = format!("worker {worker} (slot {}): {reason}", link.slot);
        core.kept.release_all(worker);
        core.events.push(exited(worker, lanes(&snapshot, core), epitaph));
        self.buried.push(worker);
    }
}

impl Link {
    fn info(&self, id: WorkerId) -> WorkerInfo {
        WorkerInfo { id, slot: self.slot, pid: std::process::id() }
    }

    fn lanes(&self, core: &Core) -> Vec<Lane> {
        lanes(&self.desk.lane.read(), core)
    }
}

fn lanes(snapshot: &desk::Snapshot, core: &Core) -> Vec<Lane> {
    let &desk::Snapshot { started, since, finished, progress } = snapshot;
    let lane = Lane { started, since: core.clock.at(since), finished, progress };
    if started == Seq(0) { Vec::new() } else { vec![lane] }
}

fn exited(worker: WorkerId, lanes: Vec<Lane>, epitaph: String) -> Event {
    let exit = Exit::Unknown;
    Event::WorkerExited { worker, exit, with_server: false, lanes, epitaph }
}

fn hear(core: &mut Core, worker: WorkerId, done: Done) {
    let Done { ticket, started, ended, result, arguments, blobs, .. } = done;
    core.keep_blobs(ticket.job, blobs);
    let ran = (core.clock.at(started), core.clock.at(ended));
    if let Some(arguments) = arguments
        && let Some(entry) = core.jobs.get_mut(&ticket.job)
    {
        entry.submission.arguments = arguments;
    }
    core.kept.release(worker, ticket);
    let run = ticket.into();
    core.events.push(Event::Replied(worker, Reply { run, ran, result }));
}

/// Jobs that were not started are as they were.
fn take_back(core: &mut Core, tasks: VecDeque<Task>) {
    for Task { ticket, work, .. } in tasks {
        let Some(entry) = core.jobs.get_mut(&ticket.job) else { continue };
        let submission = &mut entry.submission;
        match (work, &mut submission.work) {
            (run::Work::Task(_, _, arguments, _), _) => submission.arguments = arguments,
            (run::Work::Closure(closure), Work::Closure(place)) => place.1 = Some(closure),
            (run::Work::Closure(_), _) => unreachable!("a closure stays one"),
        }
    }
}
