//! Doing what the scheduler decided.

use std::os::fd::OwnedFd;
use std::time::Instant;

use brigade_protocol::codec::{self, EncodeError};
use brigade_protocol::handshake;
use brigade_protocol::id::{JobId, Seq, SlotId, Ticket, WorkerId};
use brigade_protocol::message::{Call, Frame, Spawn, ToWorker, Value};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, pidfd_send_signal};

use super::burial::PATIENCE;
use super::link::Link;
use super::server::Command;
use super::{Entry, Shell};
use crate::error::{Certificate, JobError};
use crate::pool::{Lane, Running, Snapshot};
use crate::scheduler::{Action, Event, Failure, Settled};
use crate::sink::Settlement;

impl Shell {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::StartServer => self.start_server(),
            Action::KillServer => self.kill_server(),
            Action::Spawn(worker, slot) => {
                if let Err(error) = self.spawn(worker, slot) {
                    self.events.push(Event::NotSpawned(worker, error.to_string()));
                }
            }
            Action::Dispatch(worker, first, tickets) => self.dispatch(worker, first, &tickets),
            Action::Recall(worker) => self.tell(worker, &ToWorker::Recall, 1),
            Action::Stop(worker) => self.tell(worker, &ToWorker::Stop, 0),
            Action::Inspect(worker) => {
                if let Some(link) = self.links.get(&worker) {
                    let lanes = self.board.read(link.slot, &self.clock);
                    self.events.push(Event::Observed(worker, lanes));
                }
            }
            Action::Kill(worker, why) => {
                if let Some(link) = self.links.get_mut(&worker) {
                    link.condemned = Some(why);
                    link.execute();
                    if link.pid.is_none() {
                        // The fork server owes it.
                        self.mourning.push((Instant::now() + PATIENCE, worker));
                    }
                }
            }
            Action::Settle(job, settled) => self.settle(job, settled),
            Action::RefuseCancel(job) => {
                for answer in self.cancels.remove(&job).into_iter().flatten() {
                    let _ = answer.send(false);
                }
            }
        }
    }

    fn spawn(&mut self, worker: WorkerId, slot: SlotId) -> std::io::Result<()> {
        let (near, ends) = handshake::channel_pair()?;
        let (output, far_output): (OwnedFd, OwnedFd) = pipe_with(PipeFlags::CLOEXEC)?;
        self.board.clear(slot);
        let inbox = self.own_inbox.clone();
        let link = Link::new(
            worker,
            slot,
            self.generation,
            near,
            output,
            (self.threads, self.max_output, self.may_grow),
            inbox,
        )?;
        self.links.insert(worker, link);
        let spawn = Spawn { worker, slot, threads: self.threads, max_output: self.max_output };
        drop(self.server.send(Command::Spawn { spawn, ends, output: far_output }));
        Ok(())
    }

    fn dispatch(&mut self, worker: WorkerId, first: Seq, tickets: &[Ticket]) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let mut calls = Vec::with_capacity(tickets.len());
        for &ticket in tickets {
            let entry = self.jobs.get(&ticket.job);
            let Entry { submission, .. } = entry.expect("what is dispatched is not settled");
            let bytes = &*submission.arguments;
            let arguments = if codec::fits_inline(bytes.len()) {
                Value::Inline(bytes)
            } else {
                link.send_arguments(ticket);
                Value::Parts(bytes.len() as u64)
            };
            calls.push(Call { ticket, task: submission.task, form: submission.form, arguments });
        }
        let answers = calls.len();
        let message = codec::encode(&ToWorker::Frame(Frame { first, calls }));
        self.send(worker, message, answers);
    }

    fn tell(&mut self, worker: WorkerId, message: &ToWorker<'_>, answers: usize) {
        self.send(worker, codec::encode(message), answers);
    }

    fn send(&mut self, worker: WorkerId, message: Result<Vec<u8>, EncodeError>, answers: usize) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        link.allow(answers);
        link.send(message.expect("a frame is gathered to fit a message"));
        self.flush(worker);
    }

    /// Sends what may be sent to the worker.
    pub(super) fn flush(&mut self, worker: WorkerId) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let jobs = &self.jobs;
        let arguments = |job| jobs.get(&job).map(|entry| &*entry.submission.arguments);
        if link.flush(arguments).is_err() {
            self.events.push(Event::Violated(worker));
        }
    }

    /// By its pidfd, since the server thread may be stuck in sending to it.
    pub(super) fn kill_server(&self) {
        // An error means that it is dead.
        let _ = pidfd_send_signal(&self.server_pidfd, Signal::KILL);
    }

    fn start_server(&mut self) {
        self.generation += 1;
        self.server_death = super::ServerDeath::default();
        drop(self.server.send(Command::Start(self.generation)));
    }

    fn settle(&mut self, job: JobId, settled: Settled) {
        let Some(Entry { submission, submitted }) = self.jobs.remove(&job) else { return };
        let Settled { result, attempts, allowed, worker, ran } = settled;
        let cancelled = matches!(result, Err(Failure::Cancelled));
        for answer in self.cancels.remove(&job).into_iter().flatten() {
            let _ = answer.send(cancelled);
        }
        let link = worker.and_then(|id| Some((id, self.links.get(&id)?)));
        let info = link.and_then(|(id, link)| link.info(id));
        let result = result.map_err(|failure| {
            let task = self.inbox.hello.tasks.get(submission.task.0 as usize);
            let death = link.map(|(_, link)| &link.death).filter(|_| failure.is_a_death());
            let usage = match &failure {
                Failure::Failed(error) | Failure::Panicked(error) | Failure::Undecodable(error) => {
                    error.usage
                }
                _ => death.and_then(|death| death.usage),
            };
            JobError(Box::new(Certificate {
                job,
                task: task.map(|task| task.name.clone()).unwrap_or_default(),
                label: submission.label,
                failure,
                attempts,
                allowed,
                worker: info,
                killed: link.and_then(|(_, link)| link.killed),
                elapsed: ran.map(|(started, ended)| ended.saturating_sub(started)),
                last_words: death.and_then(|death| death.last_words.clone()).unwrap_or_default(),
                usage,
            }))
        });
        let settlement = Settlement { tag: 0, job, result, attempts, worker: info, submitted, ran };
        submission.sink.settle(settlement);
    }

    pub(super) fn pause(&mut self) {
        self.clock.pause();
        for link in self.links.values() {
            link.signal(Signal::STOP);
        }
    }

    pub(super) fn resume(&mut self) {
        for link in self.links.values() {
            link.signal(Signal::CONT);
        }
        self.clock.resume();
        for (until, _) in &mut self.mourning {
            *until = Instant::now() + PATIENCE;
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let mut lanes: Vec<Lane> = self
            .links
            .iter()
            .map(|(&id, link)| {
                let lanes = self.board.read(link.slot, &self.clock);
                let running = lanes.iter().filter(|lane| lane.started != lane.finished);
                let running = running.filter_map(|lane| {
                    let job = self.scheduler.held(id, lane.started)?;
                    let tag = self.jobs.get(&job)?.submission.sink.tag();
                    Some(Running { job, tag, elapsed: now.saturating_sub(lane.since) })
                });
                Lane { slot: link.slot, worker: link.info(id), running: running.collect() }
            })
            .collect();
        lanes.sort_by_key(|lane| lane.slot);
        Snapshot { queued: self.scheduler.queued(), settled: self.scheduler.settled(), lanes }
    }
}

impl Link {
    /// Kills the worker if it is condemned and there is a process to kill.
    pub(super) fn execute(&mut self) {
        if self.condemned.is_some() && self.pid.is_some() {
            // Who is dying already was not killed by this.
            if !self.is_dying() {
                self.killed = self.condemned;
            }
            self.signal(Signal::KILL);
        }
    }

    /// Whether the process is dead or about to be. Its channel closes before its pidfd tells.
    fn is_dying(&self) -> bool {
        /// `PF_EXITING` of the kernel's `linux/sched.h`.
        const EXITING: u64 = 0x4;
        let Some(pid) = self.pid else { return false };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
        // Behind the name, which is in parentheses and may hold anything: the state, and six fields
        // on the flags.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next();
        let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok());
        self.death.last_words.is_some()
            || state == Some("Z")
            || flags.is_some_and(|flags| flags & EXITING != 0)
    }

    /// Sends a signal to the worker's group, and to the worker in case it has not made one yet. Does
    /// nothing to the dead: their pid may be reused as soon as the fork server has reaped them.
    pub(super) fn signal(&self, signal: Signal) {
        let alive = self.death.last_words.is_none();
        if let Some(pid) = self.pid.and_then(as_pid).filter(|_| alive) {
            let _ = kill_process_group(pid, signal);
            let _ = kill_process(pid, signal);
        }
    }
}

pub(super) fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
