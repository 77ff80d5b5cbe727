//! A run thread that speaks with the supervisor in the midst of a job, about other jobs.
//!
//! While it waits for the answer, it receives for the whole worker, if nobody else does: so a wait costs
//! no hand-over. One that waits until a deadline does not, because a bytes receiver of ipc-channel knows no
//! deadline: it leaves that to the stand-in.

use std::collections::HashMap;
use std::time::Instant;

use brigade_protocol::error::JobError;
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::{FromWorker, MOST_UNACCEPTED};
use brigade_task::outside::Encoding;

use super::desk::{Desk, State};
use super::packet::{Mail, Output};
use super::queue::{Queue, Violation};
use super::threads::receive_or_die;
use crate::sync::atomic::Ordering;

/// What is being said.
#[derive(Default)]
pub(super) struct Conversations {
    /// Answers that have come, by who waits for them.
    mail: HashMap<Ticket, Answer>,
    /// Wishes that the supervisor has not accepted yet.
    unaccepted: u32,
    /// Attempts that were asked to stop.
    stops: Vec<Ticket>,
    /// Run threads that wait for mail while another receives.
    waiting: usize,
}

/// An answer of the supervisor.
pub(super) enum Answer {
    Settled(JobId, Result<Encoding, JobError>),
    Failed(JobError),
    Told(bool),
    Fetched(bool),
}

impl Conversations {
    pub(super) fn deliver(
        &mut self,
        ticket: Ticket,
        mail: Mail,
        queue: &mut Queue,
    ) -> Result<(), Violation> {
        let answer = match mail {
            Mail::Told(yes) => Answer::Told(yes),
            Mail::Fetched(whole) => Answer::Fetched(whole),
            Mail::Failed(error) => Answer::Failed(error),
            Mail::Settled(job, Err(error)) => Answer::Settled(job, Err(error)),
            Mail::Settled(job, Ok(Output::Here(output))) => Answer::Settled(job, Ok(output.into())),
            Mail::Settled(job, Ok(Output::Parts(length))) => {
                let output = queue.rooms.take(ticket, length)?;
                Answer::Settled(job, Ok(output.into_encoding()))
            }
        };
        self.mail.insert(ticket, answer);
        Ok(())
    }

    /// Whether nothing is to be forgotten when an attempt ends.
    pub(super) fn are_quiet(&self) -> bool {
        self.mail.is_empty() && self.stops.is_empty()
    }

    pub(super) fn accepted(&mut self, count: u32) {
        self.unaccepted = self.unaccepted.saturating_sub(count);
    }
}

impl Desk {
    /// Says something that the supervisor accepts in time.
    pub(super) fn wish(&self, message: &FromWorker<'_>) {
        self.converse(None, |state| {
            let conversations = &mut state.conversations;
            let may = conversations.unaccepted < MOST_UNACCEPTED;
            conversations.unaccepted += u32::from(may);
            may.then_some(())
        });
        self.wire().lock().send(message);
    }

    /// Says something that is answered, and waits for the answer; `None` if the time is over first.
    pub(super) fn ask(
        &self,
        asker: Ticket,
        message: &FromWorker<'_>,
        deadline: Option<Instant>,
    ) -> Option<Answer> {
        // What was done before must not wait for as long as this job does.
        self.send();
        self.wire().lock().send(message);
        self.await_answer(asker, deadline)
    }

    /// Waits for the answer to what was asked before.
    pub(super) fn await_answer(&self, asker: Ticket, deadline: Option<Instant>) -> Option<Answer> {
        self.converse(deadline, |state| state.conversations.mail.remove(&asker))
    }

    fn converse<R>(
        &self,
        deadline: Option<Instant>,
        mut done: impl FnMut(&mut State) -> Option<R>,
    ) -> Option<R> {
        let mut state = self.lock();
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let result = done(&mut state);
            if result.is_some() || left.is_some_and(|left| left.is_zero()) {
                self.leave_receiver(&mut state);
                return result;
            }
            match (left, state.receiver.take()) {
                (None, Some(receiver)) => {
                    drop(state);
                    let message = receive_or_die(&receiver);
                    if self.take_in(receiver, message) {
                        self.send();
                    }
                    state = self.lock();
                }
                (None, None) => {
                    state.conversations.waiting += 1;
                    state = self.wait(&self.mail, state);
                    state.conversations.waiting -= 1;
                }
                (Some(left), receiver) => {
                    state.receiver = receiver;
                    self.rouse(&mut state);
                    state = self.wait_at_most(&self.mail, state, left).0;
                }
            }
        }
    }

    /// Whoever still waits for something is to take the receiver.
    fn leave_receiver(&self, state: &mut State) {
        if state.receiver.is_some() {
            if !self.call_waiting(state) {
                self.wake(state, 1);
            }
            self.rouse(state);
        }
    }

    /// Wakes those that wait for mail, if there are any: one of them takes the receiver.
    pub(super) fn call_waiting(&self, state: &State) -> bool {
        let any = state.conversations.waiting > 0;
        if any {
            self.mail.notify_all();
        }
        any
    }

    /// Somebody wants this attempt to stop. If it has not been started, it will see that at once.
    pub(super) fn note_stop(&self, state: &mut State, ticket: Ticket) {
        if state.running.contains(&ticket) || state.queue.holds(ticket) {
            state.conversations.stops.push(ticket);
            self.stops.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody wants this attempt to stop.
    pub(super) fn is_to_stop(&self, ticket: Ticket) -> bool {
        self.stops.load(Ordering::Relaxed) && self.lock().conversations.stops.contains(&ticket)
    }

    /// The attempt has ended.
    #[inline]
    pub(super) fn forget(&self, state: &mut State, ticket: Ticket) {
        let conversations = &mut state.conversations;
        if !conversations.mail.is_empty() {
            conversations.mail.remove(&ticket);
        }
        if !conversations.stops.is_empty() {
            conversations.stops.retain(|stop| *stop != ticket);
            self.stops.store(!conversations.stops.is_empty(), Ordering::Relaxed);
        }
    }
}
