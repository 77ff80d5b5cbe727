//! The shell: performs what the scheduler decides, and tells it what happened. It decides nothing.
//!
//! ```text
//!  submitters ──▶ inbox ──▶ ┌──────┐ ◀── Event ── ┌──────┐
//!                           │ loop │              │ Core │ jobs, sinks, kept ends
//!  the crew's threads ────▶ └──────┘ ── Action ─▶ └──────┘
//!                                   └──────────▶ a Crew: Processes, or Threads
//! ```
//!
//! What jobs run on is a [`Crew`]: worker [processes], or [threads] of this process.

mod clock;
mod core;
mod hold;
mod inbox;
mod kept;
mod mailbox;
#[cfg(all(test, brigade_model))]
mod models;
pub(crate) mod processes;
pub(crate) mod runs;
mod settle;
mod start;
mod thread;
mod threads;

use std::sync::Arc;
use std::time::Instant;

use brigade_protocol::id::{JobId, SlotId, Ticket, WorkerId};
use brigade_protocol::message::Question as Asked;
use brigade_task::cell::Cell;

use self::core::{Core, Obituary};
use self::hold::Hold;
use self::processes::News;
use self::settle::Parts;
use crate::capacity::Capacity;
use crate::error::{Failure, WorkerInfo};
use crate::host::{Occupation, occupy};
use crate::poll::Poll;
use crate::pool::{Shutdown, Snapshot};
use crate::scheduler::{Action, Ending, Event, Lane, Settled, Time};
use crate::sync::channel::Sender;

pub(crate) use self::core::{Submission, Work};
pub(crate) use self::inbox::Inbox;
pub(crate) use self::processes::{Preparation, Surroundings};
pub(crate) use self::start::{Started, check_resize, start};
pub(crate) use self::threads::start as start_threads;

/// How many messages are taken in before the scheduler is asked what to do.
const MOST_MESSAGES: usize = 256;

/// What reaches the loop.
pub(crate) enum Message {
    Submit(Vec<Submission>),
    SubmitRun(runs::Entry),
    /// Plain calls were submitted: the [inbox](Inbox::take_gathered) has them.
    Gathered,
    Reserve {
        job: JobId,
        cell: Arc<Cell>,
        parent: Option<(WorkerId, Ticket)>,
    },
    Abandon(JobId),
    Keep {
        job: JobId,
        cell: Arc<Cell>,
    },
    LetGo(JobId),
    Find {
        job: JobId,
        answer: Sender<Option<Arc<Cell>>>,
    },
    Cancel {
        job: JobId,
        kill: bool,
        answer: Sender<bool>,
    },
    CancelAll(Vec<JobId>),
    IsRunning {
        job: JobId,
        answer: Sender<bool>,
    },
    Wait {
        worker: WorkerId,
        waiter: Ticket,
        jobs: Vec<JobId>,
        answer: Sender<Result<(), Failure>>,
    },
    WaitOver {
        worker: WorkerId,
        waiter: Ticket,
    },
    InputOpened,
    InputEnded,
    Resize(u32),
    Shutdown(Shutdown),
    Pause(Sender<()>),
    Resume,
    Snapshot(Sender<Snapshot>),
    /// What a thread of the crew has to tell.
    Crew(News),
}

/// What runs the jobs: it does what it is told, and what becomes of it arrives as events in the
/// [`Core`].
trait Crew {
    /// Performs an action about workers.
    fn perform(&mut self, core: &mut Core, action: Action);

    /// Takes in what one of its threads tells.
    fn take(&mut self, core: &mut Core, news: News);

    /// Sends the answer to a question of a running job.
    fn tell(&mut self, core: &mut Core, worker: WorkerId, asker: Ticket, yes: bool);

    /// Tells a waiting job that one of those it waits for has ended, or why it must not wait.
    fn answer(&mut self, core: &mut Core, worker: WorkerId, waiter: Ticket, end: WaitEnd);

    /// What the workers are doing, with their lanes.
    fn lanes(&self, core: &Core) -> Vec<(WorkerId, SlotId, Option<WorkerInfo>, Vec<Lane>)>;

    /// What is known of a worker that ran a job which ended.
    fn obituary(&self, worker: WorkerId) -> Obituary<'_>;

    /// Forgets the workers whose exit the scheduler has been told.
    fn bury(&mut self);

    /// No worker is left.
    fn is_gone(&self) -> bool;

    /// Stops all workers.
    fn pause(&mut self) {}

    /// Lets them go on.
    fn resume(&mut self) {}

    /// When it wants to be [called](Crew::lose_patience), if nothing happens first.
    fn patience_ends(&mut self, core: &Core) -> Option<Instant> {
        let _ = core;
        None
    }

    /// Time has passed.
    fn lose_patience(&mut self, core: &mut Core) {
        let _ = core;
    }

    /// The pool has ended.
    fn leave(self);
}

/// How the wait of a running job ends.
pub(crate) enum WaitEnd {
    /// This job has ended; here is its end, if it was kept.
    Settled(JobId, Option<Arc<Cell>>),
    Failed(Failure),
}

struct Shell<C> {
    core: Core,
    crew: C,
    capacity: Arc<Capacity>,
    /// What clients want to know. It is told when what came before has been decided.
    questions: Vec<Question>,
    poll: Poll,
    hold: Hold,
}

/// How things stand.
enum Question {
    IsRunning { job: JobId, answer: Sender<bool> },
    Snapshot(Sender<Snapshot>),
}

impl<C: Crew> Shell<C> {
    fn run(mut self) {
        occupy(Some(Occupation::Settling));
        // The first workers are not asked for by anything that happens.
        self.core.events.push(Event::TimePassed);
        while !self.core.scheduler.is_finished() || !self.crew.is_gone() {
            if self.core.events.is_empty() {
                self.wait();
            }
            let now = self.core.clock.now();
            let events = std::mem::take(&mut self.core.events);
            let actions = self.core.scheduler.handle(now, events);
            if let Some(reason) = self.core.scheduler.gave_up() {
                // Before the settlements, so that who sees one of them sees this too.
                self.core.inbox.set_gave_up(reason);
            }
            for action in actions {
                self.perform(action);
            }
            self.crew.bury();
            for question in std::mem::take(&mut self.questions) {
                self.answer(question);
            }
            let scheduler = &self.core.scheduler;
            self.capacity.tell(scheduler.appetite(), scheduler.has_spare_processor());
        }
        self.crew.leave();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Settle(first, settled) => self.settle(first, settled),
            Action::RefuseCancel(job) => {
                for (worker, asker) in self.core.refuse_cancel(job) {
                    self.crew.tell(&mut self.core, worker, asker, false);
                }
            }
            Action::EndWait(worker, waiter, result) => {
                let end = match result {
                    Ok(job) => WaitEnd::Settled(job, self.core.kept.find(job)),
                    Err(failure) => WaitEnd::Failed(self.core.name_cycle(waiter, failure)),
                };
                self.crew.answer(&mut self.core, worker, waiter, end);
            }
            action => self.crew.perform(&mut self.core, action),
        }
    }

    /// Delivers the ends of jobs, of which some may have been submitted in a run and others by themselves.
    fn settle(&mut self, mut first: JobId, settled: Settled) {
        let mut parts = Parts::of(settled);
        while parts.left() > 0 {
            let together = self.core.runs.together(first, parts.left());
            let part = parts.take(together.unwrap_or(1));
            let obituary = part.worker.map(|worker| self.crew.obituary(worker)).unwrap_or_default();
            let next = JobId(first.0.saturating_add(u64::from(part.count)));
            let askers = match together {
                Some(_) => self.core.settle_run(first, part, &obituary),
                None => self.core.settle(first, part, &obituary),
            };
            for (worker, asker, yes) in askers {
                self.crew.tell(&mut self.core, worker, asker, yes);
            }
            first = next;
        }
    }

    /// Waits for a message or the scheduler's next deadline, and takes what has come by then.
    fn wait(&mut self) {
        let core = &mut self.core;
        let deadline = core.scheduler.next_deadline().filter(|_| !core.clock.is_paused());
        let left = deadline.map(|deadline| deadline.saturating_sub(core.clock.now()));
        let patience = self.crew.patience_ends(core);
        let patience = patience.map(|until| until.saturating_duration_since(Instant::now()));
        let held = self.hold.due().map(|due| due.saturating_duration_since(Instant::now()));
        let patience = left.into_iter().chain(patience).chain(held).min();
        let receiver = core.inbox.receiver();
        let first = self.poll.wait(
            self.capacity.has_spare_processor(),
            patience,
            || receiver.try_recv().map(Some),
            |left| receiver.recv_within(left),
        );
        self.crew.lose_patience(core);
        if let Some(first) = first {
            self.take(first);
            for _ in 1..MOST_MESSAGES {
                let Some(message) = self.core.inbox.receiver().try_recv() else { break };
                self.take(message);
            }
        } else {
            core.events.push(Event::TimePassed);
        }
        if self.hold.due().is_some_and(|due| due <= Instant::now()) {
            self.take_gathered();
        }
    }

    fn take_gathered(&mut self) {
        let run = self.core.inbox.take_gathered();
        self.hold.taken(Instant::now(), run.count);
        self.core.submit_run(run);
    }

    fn take(&mut self, message: Message) {
        // Only what workers have done may overtake a run that is held.
        let is_done =
            matches!(message, Message::Crew(ref news) if !matches!(news, News::Asked { .. }));
        if self.hold.due().is_some() && !is_done {
            self.take_gathered();
        }
        let core = &mut self.core;
        match message {
            Message::Submit(submissions) => {
                let now = core.clock.now();
                for submission in submissions {
                    if submission.parent().is_some_and(|attempt| core.is_over(attempt)) {
                        core.inbox.refuse(submission, Failure::Cancelled);
                    } else {
                        core.submit(submission, now);
                    }
                }
            }
            Message::SubmitRun(run) => core.submit_run(run),
            Message::Gathered => {
                if self.hold.begin(Instant::now()) {
                    self.take_gathered();
                }
            }
            Message::Reserve { job, cell, parent } => {
                // Dropped, the cell is found nowhere, and who waits for it is told so.
                if parent.is_none_or(|attempt| !core.is_over(attempt)) {
                    core.reserve(job, &cell, parent);
                }
            }
            Message::Abandon(job) => core.events.push(Event::Abandoned(job)),
            Message::Keep { job, cell } => core.kept.keep(job, &cell),
            Message::LetGo(job) => core.kept.let_go(job),
            Message::Find { job, answer } => drop(answer.send(core.kept.find(job))),
            Message::Cancel { job, kill, answer } => core.cancel(job, kill, answer.into()),
            Message::CancelAll(jobs) => {
                core.cancel_all(jobs);
            }
            Message::IsRunning { job, answer } => {
                self.questions.push(Question::IsRunning { job, answer });
            }
            Message::Wait { worker, waiter, jobs, answer } => {
                core.await_answer(waiter, answer);
                core.events.push(Event::WaitBegan { worker, waiter, jobs });
            }
            Message::WaitOver { worker, waiter } => {
                core.events.push(Event::WaitOver { worker, waiter });
            }
            Message::InputOpened => core.events.push(Event::InputOpened),
            Message::InputEnded => core.events.push(Event::InputEnded),
            Message::Resize(slots) => core.events.push(Event::Resized(slots)),
            Message::Shutdown(how) => core.events.push(Event::EndRequested(match how {
                Shutdown::Drain => Ending::Drain,
                Shutdown::CancelQueued => Ending::Stop(Time::MAX),
                Shutdown::Stop { grace } => Ending::Stop(grace),
                Shutdown::Abort => Ending::Abort,
            })),
            Message::Pause(done) => {
                core.clock.pause();
                self.crew.pause();
                let _ = done.send(());
            }
            Message::Resume => {
                self.crew.resume();
                core.clock.resume();
            }
            Message::Snapshot(to) => self.questions.push(Question::Snapshot(to)),
            Message::Crew(News::Asked { worker, asker, job, question }) => match question {
                Asked::IsRunning => {
                    let yes = self.is_running(job);
                    self.crew.tell(&mut self.core, worker, asker, yes);
                }
                Asked::HasEnded => {
                    let yes = !core.contains(job);
                    self.crew.tell(core, worker, asker, yes);
                }
                Asked::Cancel | Asked::Kill => {
                    let kill = question == Asked::Kill;
                    if let Some(yes) = core.cancel_for(job, kill, worker, asker) {
                        self.crew.tell(core, worker, asker, yes);
                    }
                }
            },
            Message::Crew(news) => self.crew.take(core, news),
        }
    }

    fn answer(&self, question: Question) {
        match question {
            Question::IsRunning { job, answer } => drop(answer.send(self.is_running(job))),
            Question::Snapshot(to) => {
                drop(to.send(self.core.snapshot(self.crew.lanes(&self.core))));
            }
        }
    }

    fn is_running(&self, job: JobId) -> bool {
        let Some(worker) = self.core.scheduler.worker_of(job) else { return false };
        let lanes = self.crew.lanes(&self.core);
        lanes.into_iter().filter(|(id, ..)| *id == worker).any(|(id, _, _, lanes)| {
            let mut running = lanes.iter().filter_map(Lane::running);
            running.any(|seq| self.core.scheduler.held(id, seq) == Some(job))
        })
    }
}
