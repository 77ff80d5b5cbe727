//! Deaths: of workers, and of the fork server. Gathers what the witnesses say.

use std::time::{Duration, Instant};

use brigade_protocol::id::WorkerId;
use brigade_protocol::message::{Exit, Report};
use rustix::process::{PidfdFlags, Signal, pidfd_open};

use super::Processes;
use super::link::Link;
use super::perform::as_pid;
use super::server::Command;
use super::watch::{Watched, Who};
use crate::error::{WorkerInfo, quote};
use crate::scheduler::Event;
use crate::shell::core::Core;

/// How long the witnesses of a death may take: the listener to come to the end mark, the fork server
/// to wait for the dead, or to tell of a worker that is to be killed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the end of the present fork server; with all three it is buried.
#[derive(Default)]
pub(in crate::shell) struct ServerDeath {
    last_words: Option<Vec<String>>,
    exit: Option<Exit>,
    reports_ended: bool,
    told: bool,
}

impl Processes {
    pub(super) fn on_report(&mut self, core: &mut Core, generation: u64, report: &Report) {
        match *report {
            Report::Spawned { worker, pid } => self.on_spawned(core, worker, pid),
            Report::NotSpawned { worker, errno } => {
                if let Some(mut link) = self.links.remove(&worker) {
                    link.mark_end();
                    let reason = std::io::Error::from_raw_os_error(errno).to_string();
                    core.events.push(Event::NotSpawned(worker, reason));
                }
            }
            Report::Reaped { worker, exit, usage } => {
                if let Some(link) = self.links.get_mut(&worker)
                    && link.generation == generation
                {
                    link.death.exit = Some(exit);
                    link.death.usage = usage;
                    self.conclude(core, worker);
                }
            }
            // Said before there are workers, to the thread that starts the fork server.
            Report::Configured | Report::NotConfigured(_) => {}
        }
    }

    fn on_spawned(&mut self, core: &mut Core, worker: WorkerId, pid: u32) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        link.pid = Some(pid);
        link.outbox.direct.open(pid);
        let is_ready = std::mem::take(&mut link.ready);
        let info = WorkerInfo { id: worker, slot: link.slot, pid };
        // The fork server reaps it only when asked, so the pid is still its own; unless the fork
        // server is dead, and then so is the worker.
        let pidfd = as_pid(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        match (pidfd, link.output.take()) {
            (Some(Ok(pidfd)), Some(output)) => {
                link.execute();
                if core.clock.is_paused() {
                    link.signal(Signal::STOP);
                }
                self.watch.add(Watched {
                    who: Who::Worker(info),
                    pidfd,
                    output,
                    printed: Vec::new(),
                });
                core.events.push(Event::Spawned(worker));
                if is_ready {
                    core.events.push(Event::WorkerReady(worker));
                }
            }
            _ => self.on_died(core, worker, Vec::new()),
        }
    }

    pub(super) fn on_died(&mut self, core: &mut Core, worker: WorkerId, last_words: Vec<String>) {
        let server_alive = self.server_death.exit.is_none();
        let Some(link) = self.links.get_mut(&worker) else { return };
        // Before it is reaped: until then its group's number is its own.
        link.signal(Signal::KILL);
        link.death.last_words = Some(last_words);
        link.mark_end();
        self.mourning.push((Instant::now() + PATIENCE, worker));
        if server_alive && link.generation == self.generation {
            link.death.reap_due = true;
            self.reap_if_due(worker);
        } else {
            link.death.exit = Some(Exit::Unknown);
        }
        self.conclude(core, worker);
    }

    /// Has a dead worker waited for, once nothing is copied from or to what has its pid. If something is,
    /// that ends before the listener comes to the end mark.
    pub(super) fn reap_if_due(&mut self, worker: WorkerId) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        if link.death.reap_due && link.outbox.direct.close() {
            link.death.reap_due = false;
            drop(self.server.send(Command::Reap(worker)));
        }
    }

    /// When to stop waiting for a witness, if one is waited for.
    pub(super) fn next_patience(&mut self, core: &Core) -> Option<Instant> {
        if core.clock.is_paused() {
            return None;
        }
        let links = &self.links;
        self.mourning.retain(|(_, worker)| links.contains_key(worker));
        self.mourning.iter().map(|(until, _)| *until).min()
    }

    /// Goes on without the witnesses that have had their time.
    pub(super) fn go_on_without_witnesses(&mut self, core: &mut Core) {
        if core.clock.is_paused() {
            return;
        }
        let now = Instant::now();
        let late: Vec<WorkerId> =
            self.mourning.extract_if(.., |(until, _)| *until <= now).map(|(_, id)| id).collect();
        for worker in late {
            let Some(link) = self.links.get_mut(&worker) else { continue };
            let dead = link.death.last_words.is_some();
            // Its listener waits for the rest of something that was no message, in a channel which an
            // escaped descendant of the dead worker holds open.
            link.death.heard_out |= dead;
            if link.pid.is_none() || (dead && link.death.exit.is_none()) {
                // The fork server does not answer, so it has to go; then all ends are unknown.
                self.kill_server();
            }
            self.conclude(core, worker);
        }
    }

    /// Tells the scheduler of a worker's exit once all three witnesses have spoken.
    pub(super) fn conclude(&mut self, core: &mut Core, worker: WorkerId) {
        let Some(link) = self.links.get(&worker) else { return };
        let (Some(last_words), true, Some(exit)) =
            (&link.death.last_words, link.death.heard_out, link.death.exit)
        else {
            return;
        };
        let with_server = exit == Exit::Unknown;
        let lanes = self.board.read(link.slot, &core.clock);
        let epitaph = epitaph(worker, link, exit, last_words);
        core.kept.release_all(worker);
        core.events.push(Event::WorkerExited { worker, exit, with_server, lanes, epitaph });
        self.buried.push(worker);
    }

    pub(super) fn on_server_died(&mut self, generation: u64, last_words: Vec<String>) {
        if generation == self.generation {
            self.server_death.last_words = Some(last_words);
            drop(self.server.send(Command::Bury(generation)));
            // They carry a parent-death signal; their groups do not.
            for link in self.links.values() {
                link.signal(Signal::KILL);
                link.outbox.direct.close();
            }
        }
    }

    pub(super) fn on_server_buried(&mut self, core: &mut Core, generation: u64, exit: Exit) {
        if generation == self.generation {
            self.server_death.exit = Some(exit);
            self.conclude_server(core);
        }
    }

    pub(super) fn on_reports_ended(&mut self, core: &mut Core, generation: u64) {
        if generation == self.generation {
            self.server_death.reports_ended = true;
            self.conclude_server(core);
        }
    }

    /// Once the fork server is buried, nobody answers for its workers any more.
    fn conclude_server(&mut self, core: &mut Core) {
        let ServerDeath { last_words, exit, reports_ended, told } = &mut self.server_death;
        let (Some(last_words), Some(exit), true, false) =
            (last_words, *exit, *reports_ended, *told)
        else {
            return;
        };
        *told = true;
        let reason = format!("the fork server {exit}{}", quote(last_words));
        core.events.push(Event::ServerLost(reason));
        let ids: Vec<WorkerId> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            if link.pid.is_none() {
                // Asked for, and never made.
                self.on_died(core, id, Vec::new());
            } else if link.death.last_words.is_some() && link.death.exit.is_none() {
                link.death.exit = Some(Exit::Unknown);
                self.conclude(core, id);
            }
        }
    }
}

/// A worker's death as a text for people.
fn epitaph(worker: WorkerId, link: &Link, exit: Exit, last_words: &[String]) -> String {
    match link.info(worker) {
        Some(info) => format!("{info} {exit}{}", quote(last_words)),
        None => format!("worker {worker} (slot {}) never came to be", link.slot),
    }
}
