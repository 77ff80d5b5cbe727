//! Worker processes: the crew of a process pool.
//!
//! ```text
//!  reports thread ──┐           ┌──▶ server thread ──▶ fork server
//!  watch thread ────┼─ News ──▶ │
//!  reader threads ──┘   loop ───┴──▶ each worker's channel (never blocks)
//! ```
//!
//! A worker's death has three witnesses, which must all have spoken before it is judged: the watch
//! thread (its pidfd; its last words), its reader thread (all it sent has been heard), and the fork
//! server (how it ended). How long they are waited for is the one time limit in the shell.

mod arrivals;
mod board;
mod burial;
mod configure;
mod direct;
mod launch;
mod lines;
mod link;
#[cfg(all(test, brigade_model))]
mod models;
mod nested;
mod orphans;
mod outbox;
mod output;
mod perform;
mod server;
mod surroundings;
mod watch;

pub(super) use self::board::Board;
pub(super) use self::burial::ServerDeath;
pub(crate) use self::configure::Preparation;
pub(super) use self::configure::Wishes;
pub(super) use self::launch::{Program, system};
pub(super) use self::output::to_standard_error;
pub(super) use self::server::Server;
pub(crate) use self::surroundings::Surroundings;
pub(super) use self::watch::Watch;

use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::Instant;

use brigade_protocol::id::{JobId, SlotId, Ticket, WorkerId};
use brigade_protocol::message::{Exit, Question, Report};
use rustc_hash::FxHashMap;
use rustix::process::Signal;

use self::burial::PATIENCE;
use self::link::{Heard, Link, RawReply};
use self::nested::Wish;
use self::server::{Command, Ready};
use super::core::{Core, Obituary, Submission};
use super::threads::Word;
use super::{Crew, Message, WaitEnd, mailbox};
use crate::error::WorkerInfo;
use crate::scheduler::{Action, Event, Lane, Limits, Reply};
use crate::sink::Sink;
use crate::sync::channel::Sender;

pub(super) use self::orphans::children;

/// What the threads of a crew tell the loop.
pub(crate) enum News {
    Heard(WorkerId, Heard),
    /// A running job wants to know something about another.
    Asked {
        worker: WorkerId,
        asker: Ticket,
        job: JobId,
        question: Question,
    },
    Died {
        worker: WorkerId,
        last_words: Vec<String>,
    },
    Reported {
        generation: u64,
        report: Report,
    },
    ReportsEnded {
        generation: u64,
    },
    ServerStarted(Ready),
    ServerFailed(String),
    ServerDied {
        generation: u64,
        last_words: Vec<String>,
    },
    ServerBuried {
        generation: u64,
        exit: Exit,
    },
    /// A thread of a thread pool tells something.
    Thread(WorkerId, Word),
}

/// See the [module documentation](self).
pub(super) struct Processes {
    pub(super) pool: u64,
    pub(super) board: Board,
    pub(super) threads: u16,
    pub(super) max_output: u64,
    /// Whether large values can be copied directly, as far as it is known.
    pub(super) direct: bool,
    pub(super) limits: Limits,
    /// Whether workers look at their own size.
    pub(super) may_grow: bool,
    pub(super) inbox: mailbox::Sender<Message>,
    pub(super) watch: Watch,
    pub(super) server: Sender<Command>,
    pub(super) server_thread: JoinHandle<()>,
    pub(super) server_pidfd: OwnedFd,
    /// Counts the fork servers.
    pub(super) generation: u64,
    pub(super) server_death: ServerDeath,
    pub(super) links: FxHashMap<WorkerId, Link>,
    /// Dead workers that cannot be buried yet, and until when their witnesses are waited for.
    pub(super) mourning: Vec<(Instant, WorkerId)>,
    /// Workers whose exit the scheduler is being told.
    pub(super) buried: Vec<WorkerId>,
}

impl Crew for Processes {
    fn perform(&mut self, core: &mut Core, action: Action) {
        self.do_as_told(core, action);
    }

    fn take(&mut self, core: &mut Core, news: News) {
        match news {
            News::Heard(worker, heard) => self.hear(core, worker, heard),
            News::Died { worker, last_words } => self.on_died(core, worker, last_words),
            News::Reported { generation, report } => self.on_report(core, generation, &report),
            News::ReportsEnded { generation } => self.on_reports_ended(core, generation),
            News::ServerStarted(ready) => {
                self.server_pidfd = ready.pidfd;
                self.watch.add(ready.watched);
                core.events.push(Event::ServerStarted);
            }
            News::ServerFailed(reason) => core.events.push(Event::ServerFailed(reason)),
            News::ServerDied { generation, last_words } => {
                self.on_server_died(generation, last_words);
            }
            News::ServerBuried { generation, exit } => {
                self.on_server_buried(core, generation, exit);
            }
            News::Asked { .. } | News::Thread(..) => {
                unreachable!("the shell answers questions; threads are another crew")
            }
        }
    }

    fn tell(&mut self, core: &mut Core, worker: WorkerId, asker: Ticket, yes: bool) {
        self.send_told(core, worker, asker, yes);
    }

    fn answer(&mut self, core: &mut Core, worker: WorkerId, waiter: Ticket, end: WaitEnd) {
        self.send_end(core, worker, waiter, end);
    }

    fn lanes(&self, core: &Core) -> Vec<(WorkerId, SlotId, Option<WorkerInfo>, Vec<Lane>)> {
        let lanes = self.links.iter().map(|(&id, link)| {
            (id, link.slot, link.info(id), self.board.read(link.slot, &core.clock))
        });
        lanes.collect()
    }

    fn obituary(&self, worker: WorkerId) -> Obituary<'_> {
        self.links.get(&worker).map_or_else(Obituary::default, |link| Obituary {
            info: link.info(worker),
            killed: link.killed,
            last_words: link.death.last_words.as_deref(),
            usage: link.death.usage,
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

    fn pause(&mut self) {
        for link in self.links.values() {
            link.signal(Signal::STOP);
        }
    }

    fn resume(&mut self) {
        for link in self.links.values() {
            link.signal(Signal::CONT);
        }
        for (until, _) in &mut self.mourning {
            *until = Instant::now() + PATIENCE;
        }
    }

    fn patience_ends(&mut self, core: &Core) -> Option<Instant> {
        self.next_patience(core)
    }

    fn lose_patience(&mut self, core: &mut Core) {
        self.go_on_without_witnesses(core);
    }

    fn leave(self) {
        let Self { watch, server, server_thread, .. } = self;
        // In this order: the fork server's last words are still heard.
        drop(server);
        let _ = server_thread.join();
        drop(watch);
    }
}

impl Processes {
    fn hear(&mut self, core: &mut Core, worker: WorkerId, heard: Heard) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        match heard {
            // One whose process is not known yet can be neither killed nor read.
            Heard::Ready if link.pid.is_none() => link.ready = true,
            Heard::Ready => core.events.push(Event::WorkerReady(worker)),
            Heard::Replies(replies) => {
                for RawReply { run, started, elapsed, result, blobs } in replies {
                    core.keep_blobs(run.first.job, blobs);
                    let started_at = core.clock.at(started);
                    let ran = (started_at, core.clock.at(started.saturating_add(elapsed)));
                    core.kept.release_run(worker, run);
                    core.events.push(Event::Replied(worker, Reply { run, ran, result }));
                }
            }
            Heard::Grown => core.events.push(Event::Grown(worker)),
            Heard::Returned(tickets) => core.events.push(Event::Returned(worker, tickets)),
            Heard::PartTaken => {
                link.outbox.part_taken();
                self.flush(core, worker);
            }
            Heard::Written { ticket, whole } => {
                self.direct &= whole;
                link.outbox.written(ticket, whole);
                self.flush(core, worker);
            }
            Heard::Offered { ticket, whole } => {
                self.direct &= whole;
                link.outbox.send_fetched(ticket, whole);
                self.flush(core, worker);
            }
            Heard::Nested(wish) => self.take_wish(core, worker, wish),
            Heard::Violation(replies) => {
                link.ignore(replies);
                link.death.heard_out = true;
                core.events.push(Event::Violated(worker));
                self.reap_if_due(worker);
                self.conclude(core, worker);
            }
            Heard::End => {
                link.death.heard_out = true;
                self.reap_if_due(worker);
                self.conclude(core, worker);
            }
        }
    }

    fn take_wish(&mut self, core: &mut Core, worker: WorkerId, wish: Wish) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        if let Some(accepted) = link.outbox.window.take(&wish) {
            self.send_accepted(core, worker, accepted);
        }
        match wish {
            Wish::Submit { parent, job, .. } if !core.may_submit(worker, parent, job) => {
                core.events.push(Event::Violated(worker));
            }
            Wish::Reserve { parent, job } if !core.may_reserve(worker, parent, job) => {
                core.events.push(Event::Violated(worker));
            }
            Wish::Submit { parent, job, task, form, arguments, options, handles } => {
                let limits = self.limits.overridden(&options);
                let cell = core.kept.find(job).unwrap_or_default();
                let sink = Sink::cell(job, cell);
                let submission =
                    Submission::new(task, form, arguments, limits, options.label, sink);
                let parent = Some((worker, parent));
                let now = core.clock.now();
                core.submit(submission.with(handles, None, parent), now);
            }
            Wish::Reserve { parent, job } => {
                core.reserve(job, &std::sync::Arc::default(), Some((worker, parent)));
            }
            Wish::Abandon(job) => core.events.push(Event::Abandoned(job)),
            Wish::Cancel(jobs) => {
                core.cancel_all(jobs);
            }
            Wish::Wait { waiter, jobs } => {
                core.events.push(Event::WaitBegan { worker, waiter, jobs });
            }
            Wish::WaitOver(waiter) => core.events.push(Event::WaitOver { worker, waiter }),
            Wish::Ask { asker, job, question } => {
                // The loop answers it, when what came before has been decided.
                let asked = News::Asked { worker, asker, job, question };
                self.inbox.send(Message::Crew(asked));
            }
        }
    }
}
