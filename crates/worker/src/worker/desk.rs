//! What the threads of a worker share: the queue of calls, the replies not sent yet, and who
//! receives. One lock, taken once per job, or for many very short ones at once ([`lease`](super::lease)), and
//! never while a job runs or a message is sent.
//!
//! **Receiving** is a role, and the receiver itself the token: whoever takes it out of the desk
//! waits for the next packet with it. A run thread with nothing to do takes it, so that the first
//! job of a frame is run by the thread that received it, without a hand-over. If all run threads
//! stay busy, the timekeeper asks the stand-in to take it, for recalls must be answered: when it finds them in the same
//! jobs as at its last look, or twice without a packet if jobs end meanwhile; but not so soon for the first time of all: a
//! stand-in must be hired then (`timekeeper`).
//!
//! ```text
//!             nothing to do                       busy for some ticks
//!  run thread ◀──────────── receiver in the desk ────────────────▶ stand-in
//!             ────────────▶                      ◀────────────────
//!               a packet                   a packet, and a run thread is idle
//! ```
//!
//! **Sending** is done by the run thread that ends a frame or empties the queue, without a
//! hand-over. A reply that stays behind while another job starts is the timekeeper's care.

mod timekeeper;

use std::sync::PoisonError;
use std::time::Duration;

use brigade_protocol::id::{Run, Ticket};

pub(super) use self::timekeeper::{Errand, Watch};
use super::converse::Conversations;
use super::lease::{Lease, Past};
use super::packet::Message;
use super::pending::{Done, Pending};
use super::queue::{Hand, Queue, Violation};
use super::wire::{Owed, Wire};
use super::{clock, violation};
use crate::board::Lane;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, IpcBytesReceiver, Mutex, MutexGuard};

/// How often the timekeeper looks while a job runs, in nanoseconds; half as often while one short job follows on the
/// other.
const TICK: u64 = 8_000_000;

/// How old a reply may become before it is sent.
const KEPT_BACK: u64 = 2 * TICK;

/// The desk.
pub(super) struct Desk {
    state: Mutex<State>,
    wire: Wire,
    /// Something for run threads: calls, the receiver, or the end.
    work: Condvar,
    /// Something for the timekeeper.
    rouse: Condvar,
    /// The stand-in is wanted.
    stand_in: Condvar,
    /// Something for a run thread that waits in the midst of a job.
    pub(super) mail: Condvar,
    /// Somebody was asked to stop.
    pub(super) stops: AtomicBool,
    /// How often the timekeeper has looked; zero while it sleeps.
    ticks: AtomicU64,
    /// Whether large values may be offered instead of sent.
    direct: AtomicBool,
    /// That of the only run thread.
    pub(super) lease: Lease,
    may_lease: bool,
}

pub(super) struct State {
    pub(super) queue: Queue,
    pending: Pending,
    owed: Owed,
    pub(super) receiver: Option<IpcBytesReceiver>,
    stand_in_wanted: bool,
    timekeeper: Timekeeper,
    /// Packets received so far.
    received: u64,
    /// Run threads that wait for work.
    idle: usize,
    /// The attempts that run.
    pub(super) running: Vec<Ticket>,
    /// The one that ran when there was a lease, and since when: it or one behind it runs now.
    leased: Option<(Ticket, u64)>,
    pub(super) conversations: Conversations,
    /// Whether the last job took less than a tick.
    quick: bool,
    pub(super) stopping: bool,
}

#[derive(PartialEq)]
enum Timekeeper {
    /// It looks again within two ticks.
    Awake,
    Asleep,
}

/// What a run thread is to do next.
pub(super) enum Step {
    /// Run the call in its hand, which started at this time.
    Run(u64),
    /// Send what there is.
    Send,
    /// Wait for a packet.
    Receive(IpcBytesReceiver),
    /// All is done, and no more will come: send what there is and exit.
    Exit,
}

impl Desk {
    pub(super) fn new(receiver: impl Into<IpcBytesReceiver>, wire: Wire) -> Self {
        let state = State {
            queue: Queue::new(),
            pending: Pending::default(),
            owed: Owed::default(),
            receiver: Some(receiver.into()),
            stand_in_wanted: false,
            timekeeper: Timekeeper::Awake,
            received: 0,
            idle: 0,
            running: Vec::new(),
            leased: None,
            conversations: Conversations::default(),
            quick: true,
            stopping: false,
        };
        Self {
            state: Mutex::new(state),
            wire,
            work: Condvar::new(),
            rouse: Condvar::new(),
            stand_in: Condvar::new(),
            mail: Condvar::new(),
            stops: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
            direct: AtomicBool::new(true),
            lease: Lease::new(),
            may_lease: false,
        }
    }

    /// There is one run thread and no other, which may start several calls under one lease: so calls are
    /// started in the order of their places all the same.
    pub(super) fn allow_leases(&mut self) {
        self.may_lease = true;
    }

    /// The way to the supervisor.
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// How often the timekeeper has looked, which it does at least every two ticks; zero while it sleeps.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Whether large values may be offered to the supervisor, which reads them by itself.
    pub(super) fn is_direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// Large values are sent in parts from now on.
    pub(super) fn forbid_direct(&self) {
        self.direct.store(false, Ordering::Relaxed);
    }

    /// Takes in what a run thread has done, with its output, and tells it what to do next: of a frame the
    /// next call, if there is one. Inlined: else the end of a call would be copied from place to place.
    #[expect(clippy::inline_always, reason = "asked once, the compiler does not do it")]
    #[inline(always)]
    pub(super) fn go_on(&self, lane: &Lane, hand: &mut Hand, done: Done, output: &[u8]) -> Step {
        // One reading of the clock is the end of a job and the start of the one that follows.
        let now = done.ended();
        let mut state = self.lock_as(Some(hand));
        if let Some(place) = state.running.iter().position(|running| *running == done.ticket) {
            state.running.swap_remove(place);
        }
        self.forget(&mut state, done.ticket);
        state.quick = done.elapsed < TICK;
        let may_lease = self.may_lease && done.in_run && Lease::is_worth_while(done.elapsed);
        state.pending.push(done, output);
        if state.pending.are_due() || !state.queue.continues(hand) {
            return Step::Send;
        }
        // The reply stays behind while the next job runs.
        self.rouse(&mut state);
        match state.start(lane, hand, || now) {
            Some(since) => {
                let calls = state.queue.behind(hand);
                if may_lease && calls > 0 && state.conversations.are_quiet() {
                    state.leased = Some((hand.ticket(), since));
                    self.lease.grant(hand, calls);
                }
                Step::Run(since)
            }
            None => unreachable!("the queue continues with a call"),
        }
    }

    /// Tells a run thread that has done nothing what to do next.
    pub(super) fn next(&self, lane: &Lane, hand: &mut Hand) -> Step {
        let mut state = self.lock();
        loop {
            if let Some(since) = state.start(lane, hand, clock) {
                return Step::Run(since);
            }
            hand.empty();
            if state.stopping {
                if state.running.is_empty() {
                    return Step::Exit;
                }
            } else if let Some(receiver) = state.receiver.take() {
                return Step::Receive(receiver);
            }
            state.idle += 1;
            state = self.wait(&self.work, state);
            state.idle -= 1;
        }
    }

    /// Sends everything that is there to be sent.
    pub(super) fn send(&self) {
        // This lock first: what another thread has taken to send is sent before we return.
        let mut sender = self.wire.lock();
        let spare = std::mem::take(&mut sender.spare);
        let (mut pending, owed) = {
            let mut state = self.lock();
            (std::mem::replace(&mut state.pending, spare), std::mem::take(&mut state.owed))
        };
        sender.owed(owed);
        sender.replies(&mut pending);
        sender.spare = pending;
    }

    /// Takes in what a run thread received, and the receiver. Tells whether something is owed now.
    pub(super) fn take_in(&self, receiver: IpcBytesReceiver, message: Message) -> bool {
        let mut state = self.lock();
        let calls = self.accept(&mut state, message);
        state.receiver = Some(receiver);
        if calls > 0 {
            // This thread takes one of the calls; one of those woken takes the receiver.
            self.wake(&state, calls);
            self.call_waiting(&state);
            self.rouse(&mut state);
        }
        !state.owed.is_empty()
    }

    /// Takes in what the stand-in received. It gets the receiver back unless a run thread had
    /// better have it.
    pub(super) fn take_in_by_stand_in(
        &self,
        receiver: IpcBytesReceiver,
        message: Message,
    ) -> Option<IpcBytesReceiver> {
        let mut state = self.lock();
        let calls = self.accept(&mut state, message);
        if !state.owed.is_empty() {
            self.rouse.notify_one();
        }
        if state.stopping {
            self.work.notify_all();
        }
        // After a long job another long one is likely: the receiver would soon be back here.
        if state.idle == 0 || !state.quick {
            self.wake(&state, calls);
            return Some(receiver);
        }
        state.receiver = Some(receiver);
        self.wake(&state, calls + 1);
        self.rouse(&mut state);
        None
    }

    /// Waits until the stand-in is wanted.
    pub(super) fn await_stand_in(&self) -> IpcBytesReceiver {
        let mut state = self.lock();
        loop {
            if std::mem::take(&mut state.stand_in_wanted)
                && let Some(receiver) = state.receiver.take()
            {
                return receiver;
            }
            state = self.wait(&self.stand_in, state);
        }
    }

    /// Whether no more calls will come, so that the supervisor may close the channel.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Takes the lock, and so revokes the lease if there is one.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.lock_as(None)
    }

    /// Takes the lock; with a hand, as the run thread that has the lease.
    #[inline]
    fn lock_as(&self, hand: Option<&Hand>) -> MutexGuard<'_, State> {
        // Nothing of a job runs under this lock; a panic of ours ends the worker.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.revoke(&self.lease, hand);
        state
    }

    /// Waits to be notified, and takes the lock as [`lock`](Self::lock) does.
    pub(super) fn wait<'a>(
        &self,
        condition: &Condvar,
        state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let mut state = condition.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.revoke(&self.lease, None);
        state
    }

    /// Waits so long at most; tells whether it was as long.
    pub(super) fn wait_at_most<'a>(
        &self,
        condition: &Condvar,
        state: MutexGuard<'a, State>,
        patience: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        let waited = condition.wait_timeout(state, patience);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.revoke(&self.lease, None);
        (state, timeout.timed_out())
    }

    /// Wakes at most so many idle run threads.
    pub(super) fn wake(&self, state: &State, most: usize) {
        for _ in 0..state.idle.min(most) {
            self.work.notify_one();
        }
    }

    /// Sees that the timekeeper looks within two ticks.
    pub(super) fn rouse(&self, state: &mut State) {
        if state.timekeeper == Timekeeper::Asleep {
            state.timekeeper = Timekeeper::Awake;
            self.rouse.notify_one();
        }
    }
}

impl Desk {
    /// Takes in a message; returns how many calls it brought.
    fn accept(&self, state: &mut State, message: Message) -> usize {
        state.received += 1;
        let accepted: Result<usize, Violation> = match message {
            Message::Calls(packet) => state.queue.push(packet),
            Message::Part(part) => {
                state.owed.taken += 1;
                state.queue.rooms.gather(&part).map(|()| 0)
            }
            Message::Expect(ticket, length) => {
                let room = state.queue.rooms.expect(ticket, length);
                room.map(|address| {
                    state.owed.rooms.push((ticket, address));
                    0
                })
            }
            Message::Recall => {
                let returned = state.queue.clear();
                for &ticket in &returned {
                    self.forget(state, ticket);
                }
                state.owed.returned.push(returned);
                Ok(0)
            }
            Message::Stop => {
                state.stopping = true;
                Ok(0)
            }
            Message::Mail(ticket, mail) => {
                state.owed.taken += 1;
                let State { queue, conversations, .. } = state;
                self.mail.notify_all();
                conversations.deliver(ticket, mail, queue).map(|()| 0)
            }
            Message::PleaseStop(ticket) => {
                self.note_stop(state, ticket);
                Ok(0)
            }
            Message::Accepted(count) => {
                state.owed.taken += 1;
                state.conversations.accepted(count);
                self.mail.notify_all();
                Ok(0)
            }
        };
        accepted.unwrap_or_else(|what| violation(format_args!("{what}")))
    }
}

impl State {
    /// Sees that all is as if there had been no lease.
    #[inline]
    fn revoke(&mut self, lease: &Lease, hand: Option<&Hand>) {
        if let Some(leased) = self.leased.take() {
            self.catch_up(leased, &lease.revoke(), hand);
        }
    }

    /// Takes in what was done under a lease.
    fn catch_up(&mut self, (first, since): (Ticket, u64), past: &Past<'_>, hand: Option<&Hand>) {
        if past.jobs > 0 {
            let run = Run { first, count: past.jobs };
            let push = |outputs: &mut Vec<u8>| past.push_outputs(outputs);
            self.pending.push_gathered(run, since, past.elapsed, push);
            self.queue.pass(past.jobs, hand);
            self.running.clear();
            self.running.push(run.part(past.jobs, 1).first);
        }
    }

    /// Takes the next call into the hand, and notes that it starts now; tells when that is. Under the
    /// lock, so that calls are started in the order of their places.
    #[inline]
    fn start(&mut self, lane: &Lane, hand: &mut Hand, now: impl FnOnce() -> u64) -> Option<u64> {
        let seq = self.queue.take(hand)?;
        self.running.push(hand.ticket());
        let since = now();
        lane.start(seq, since);
        Some(since)
    }
}
