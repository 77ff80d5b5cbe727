//! Doing what the scheduler decided.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use brigade_protocol::codec::{self, EncodeError};
use brigade_protocol::error::{JobError, Sentence};
use brigade_protocol::handshake;
use brigade_protocol::id::{Run, Seq, SlotId, Ticket, WorkerId};
use brigade_protocol::message::{Call, Calls, Frame, Length, Spawn, ToWorker, Value};
use brigade_task::outside::Encoding;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, pidfd_send_signal};

use super::Processes;
use super::burial::PATIENCE;
use super::link::{Link, Terms};
use super::outbox::OUTPUT_PART;
use super::server::Command;
use crate::host;
use crate::scheduler::{Action, Event, Why};
use crate::shell::core::Core;
use crate::shell::{Submission, WaitEnd};

/// The message that sends jobs which were submitted in runs, if all of them were.
fn part_of_runs(core: &Core, first: Seq, run: Run) -> Option<Result<Vec<u8>, EncodeError>> {
    let (entry, place) = core.runs.find(run.first.job)?;
    let (task, form, here) = (entry.task, entry.form, run.count.min(entry.count - place));
    let mut arguments = Cow::Borrowed(entry.arguments(place, here));
    let mut done = here;
    while done < run.count {
        let (entry, place) = core.runs.find(run.part(done, 1).first.job)?;
        if (entry.task, entry.form) != (task, form) {
            return None;
        }
        let here = (run.count - done).min(entry.count - place);
        arguments.to_mut().extend_from_slice(entry.arguments(place, here));
        done += here;
    }
    let arguments = &*arguments;
    Some(codec::encode(&ToWorker::Run(Calls { first, run, task, form, arguments })))
}

/// The message that sends a run, if nothing about one of its jobs must be said that is not true of all.
fn one_run(core: &Core, first: Seq, run: Run) -> Option<Result<Vec<u8>, EncodeError>> {
    if run.count == 1 {
        return None;
    }
    let submission = |job| Some(&core.jobs.get(&job)?.submission);
    let Submission { task, form, .. } = *submission(run.first.job)?;
    let mut arguments = Vec::new();
    for job in run.jobs() {
        let submission = submission(job)?;
        if submission.form != form || submission.label().is_some() || submission.large.is_some() {
            return None;
        }
        codec::push_bytes(&submission.arguments, &mut arguments);
    }
    let arguments = &arguments;
    Some(codec::encode(&ToWorker::Run(Calls { first, run, task, form, arguments })))
}

impl Processes {
    pub(super) fn do_as_told(&mut self, core: &mut Core, action: Action) {
        match action {
            Action::StartServer => self.start_server(),
            Action::KillServer => self.kill_server(),
            Action::Spawn(worker, slot) => {
                if let Err(error) = self.spawn(worker, slot) {
                    core.events.push(Event::NotSpawned(worker, error.to_string()));
                }
            }
            Action::Dispatch(worker, first, runs) => {
                if let [run] = *runs
                    && let Some(message) = part_of_runs(core, first, run)
                {
                    return self.send(core, worker, message, run.count as usize);
                }
                for job in runs.iter().flat_map(|run| run.jobs()) {
                    // It is queued no longer.
                    core.jobs.get_mut(&job).and_then(|entry| entry.submission.take_permit());
                }
                if let [run] = *runs
                    && let Some(message) = one_run(core, first, run)
                {
                    return self.send(core, worker, message, run.count as usize);
                }
                let tickets: Vec<Ticket> = runs.iter().flat_map(|run| run.tickets()).collect();
                self.dispatch(core, worker, first, &tickets);
            }
            Action::Recall(worker) => self.send_message(core, worker, &ToWorker::Recall, 1),
            Action::Stop(worker) => self.send_message(core, worker, &ToWorker::Stop, 0),
            Action::PleaseStop(worker, ticket) => {
                self.send_message(core, worker, &ToWorker::PleaseStop(ticket), 0);
            }
            Action::Inspect(worker) => {
                if let Some(link) = self.links.get(&worker) {
                    let lanes = self.board.read(link.slot, &core.clock);
                    core.events.push(Event::Observed(worker, lanes));
                }
            }
            Action::Kill(worker, why) => {
                if let Some(link) = self.links.get_mut(&worker) {
                    link.condemned = Some(sentence(why));
                    link.execute();
                    if link.pid.is_none() {
                        // The fork server owes it.
                        self.mourning.push((Instant::now() + PATIENCE, worker));
                    }
                }
            }
            Action::Settle(..) | Action::RefuseCancel(_) | Action::EndWait(..) => {
                unreachable!("the shell itself does these")
            }
        }
    }

    fn spawn(&mut self, worker: WorkerId, slot: SlotId) -> std::io::Result<()> {
        let (near, ends) = handshake::channel_pair()?;
        let (output, far_output): (OwnedFd, OwnedFd) = pipe_with(PipeFlags::CLOEXEC)?;
        self.board.clear(slot);
        let inbox = self.inbox.clone();
        let &mut Self { threads, max_output, may_grow, direct, generation, .. } = self;
        let terms = Terms { threads, max_output, may_grow, direct };
        let link = Link::new(worker, slot, generation, near, output, terms, inbox)?;
        self.links.insert(worker, link);
        let spawn = Spawn { worker, slot, threads, max_output, pool: self.pool, direct };
        drop(self.server.send(Command::Spawn { spawn, ends, output: far_output }));
        Ok(())
    }

    fn dispatch(&mut self, core: &mut Core, worker: WorkerId, first: Seq, tickets: &[Ticket]) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let mut calls = Vec::with_capacity(tickets.len());
        for &ticket in tickets {
            if let Some((entry, place)) = core.runs.find(ticket.job) {
                let mut arguments = entry.arguments(place, 1);
                let arguments = codec::take_bytes(&mut arguments).expect("it is one of them");
                let (task, form, arguments) = (entry.task, entry.form, Value::Inline(arguments));
                calls.push(Call { ticket, task, form, arguments, label: None });
                continue;
            }
            let entry = core.jobs.get(&ticket.job);
            let submission = &entry.expect("what is dispatched is not settled").submission;
            let arguments = match &submission.large {
                None => Value::Inline(&submission.arguments),
                Some(value) => {
                    link.outbox.send_arguments(ticket, value);
                    Value::Parts(value.length())
                }
            };
            let (task, form) = (submission.task, submission.form);
            let label = submission.label();
            calls.push(Call { ticket, task, form, arguments, label });
        }
        let answers = calls.len();
        let message = codec::encode(&ToWorker::Frame(Frame { first, calls }));
        self.send(core, worker, message, answers);
    }

    /// Tells a waiting job of the end of one that it waits for.
    pub(super) fn send_end(
        &mut self,
        core: &mut Core,
        worker: WorkerId,
        waiter: Ticket,
        end: WaitEnd,
    ) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let refused = |job, failure| JobError::unstarted(job, String::new(), None, failure);
        let message = match end {
            WaitEnd::Failed(failure) => {
                let error = refused(waiter.job, failure).bounded();
                codec::encode(&ToWorker::WaitFailed { waiter, error })
            }
            WaitEnd::Settled(job, None) => {
                let error = host::unknown(job);
                codec::encode(&ToWorker::Settled { waiter, job, result: Err(error) })
            }
            WaitEnd::Settled(job, Some(cell)) => {
                let blobs = cell.peek(|end| {
                    let bytes = end.result.as_ref().ok().filter(|_| !end.blobs.is_empty())?;
                    Some(Encoding { bytes: bytes.clone(), blobs: end.blobs.clone() })
                });
                let blobs = blobs.flatten().map(Arc::new);
                let large =
                    cell.peek(|end| end.result.as_ref().is_ok_and(|o| o.len() > OUTPUT_PART));
                match &blobs {
                    Some(value) => link.outbox.send_blobs(waiter, value),
                    None if large == Some(true) => link.outbox.send_output(waiter, &cell),
                    None => {}
                }
                cell.peek(|end| {
                    let result = match (&end.result, &blobs) {
                        (Ok(_), Some(value)) => Ok(Value::Parts(value.length())),
                        (Ok(output), None) if output.len() > OUTPUT_PART => {
                            Ok(Value::Parts(Length::plain(output.len() as u64)))
                        }
                        (Ok(output), None) => Ok(Value::Inline(output)),
                        (Err(error), _) => Err(error.clone().bounded()),
                    };
                    codec::encode(&ToWorker::Settled { waiter, job, result })
                })
                .expect("a job that has ended has an end")
            }
        };
        link.outbox.send_answer(message.expect("outputs travel in parts, and errors are bounded"));
        self.flush(core, worker);
    }

    pub(super) fn send_told(
        &mut self,
        core: &mut Core,
        worker: WorkerId,
        asker: Ticket,
        yes: bool,
    ) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        let message = codec::encode(&ToWorker::Told { asker, yes });
        link.outbox.send_answer(message.expect("it is a few numbers"));
        self.flush(core, worker);
    }

    pub(super) fn send_accepted(&mut self, core: &mut Core, worker: WorkerId, count: u32) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        link.outbox.send_accepted(count);
        self.flush(core, worker);
    }

    fn send_message(
        &mut self,
        core: &mut Core,
        worker: WorkerId,
        message: &ToWorker<'_>,
        answers: usize,
    ) {
        self.send(core, worker, codec::encode(message), answers);
    }

    fn send(
        &mut self,
        core: &mut Core,
        worker: WorkerId,
        message: Result<Vec<u8>, EncodeError>,
        answers: usize,
    ) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        link.outbox.send(message.expect("a frame is gathered to fit a message"), answers);
        self.flush(core, worker);
    }

    /// Sends what may be sent to the worker.
    pub(super) fn flush(&mut self, core: &mut Core, worker: WorkerId) {
        let Some(link) = self.links.get_mut(&worker) else { return };
        if link.flush().is_err() {
            core.events.push(Event::Violated(worker));
        }
    }

    /// By its pidfd, since the server thread may be stuck in sending to it.
    pub(super) fn kill_server(&self) {
        // An error means that it is dead.
        let _ = pidfd_send_signal(&self.server_pidfd, Signal::KILL);
    }

    fn start_server(&mut self) {
        self.generation += 1;
        self.server_death = super::burial::ServerDeath::default();
        drop(self.server.send(Command::Start(self.generation)));
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
    pub(in crate::shell) fn signal(&self, signal: Signal) {
        let alive = self.death.last_words.is_none();
        if let Some(pid) = self.pid.and_then(as_pid).filter(|_| alive) {
            let _ = kill_process_group(pid, signal);
            let _ = kill_process(pid, signal);
        }
    }
}

/// What a death is called in a job's error.
fn sentence(why: Why) -> Sentence {
    match why {
        Why::JobTimedOut(ticket) => Sentence::TimedOutBeside(ticket.job),
        Why::JobKilled(ticket) => Sentence::KilledBeside(ticket.job),
        Why::Violated => Sentence::Violated,
        Why::Silent => Sentence::Silent,
        Why::Retired | Why::Recycled | Why::Ended | Why::StartTimedOut => Sentence::Ended,
    }
}

pub(super) fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
