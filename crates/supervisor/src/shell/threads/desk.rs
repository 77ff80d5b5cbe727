//! What the loop and one thread share: the queue of jobs, the replies that are not sent yet, and what the
//! thread is doing. One lock, taken once per job, and never while a job runs.
//!
//! Messages to the loop are sent under this lock, so that after the last one there is none.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use brigade_protocol::id::{Seq, Ticket, WorkerId};
use brigade_protocol::message::TaskError;
use brigade_task::host::{Host, Place};
use brigade_task::outside::Blobs;

use super::run::Task;
use super::{Home, KEPT_BACK, Word};
use crate::shell::Message;
use crate::shell::processes::News;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// See the [module documentation](self).
pub(super) struct Desk {
    pub(super) worker: WorkerId,
    pub(super) home: Arc<Home>,
    pub(super) lane: Noted,
    /// What runs is asked to stop.
    stop: AtomicBool,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    /// Replies that are not sent yet.
    unsent: Vec<Done>,
    /// The loop knows that there are some, and fetches them in time.
    owes: bool,
    running: Option<Ticket>,
    /// Those in the queue that are to stop.
    stops: Vec<Ticket>,
    /// The thread runs code of the user.
    is_away: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Serving,
    /// No more jobs will come.
    Stopping,
    /// Nothing is heard of the thread any more.
    Left,
}

/// What a thread notes of what it does.
#[derive(Default)]
pub(super) struct Noted {
    started: AtomicU64,
    since: AtomicU64,
    finished: AtomicU64,
    done: AtomicU64,
    /// 0 if it does not say.
    total: AtomicU64,
}

/// What a thread has noted.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    pub(super) started: Seq,
    /// In nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) since: u64,
    pub(super) finished: Seq,
    pub(super) progress: Option<(u64, u64)>,
}

/// A job that a thread has run.
pub(crate) struct Done {
    pub(super) ticket: Ticket,
    pub(super) seq: Seq,
    /// It was the last one of its frame.
    pub(super) is_last: bool,
    /// In nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) result: Result<Vec<u8>, TaskError>,
    /// Its arguments, if it failed and may be tried again.
    pub(super) arguments: Option<Vec<u8>>,
    /// What the output left outside.
    pub(super) blobs: Blobs,
}

/// What a thread had when it was left to itself.
pub(super) struct Left {
    pub(super) unstarted: VecDeque<Task>,
    pub(super) running: Option<Ticket>,
    pub(super) is_away: bool,
}

impl Desk {
    /// The desk of a thread that has not begun.
    pub(super) fn new(worker: WorkerId, home: Arc<Home>) -> Self {
        let state = State { is_away: home.initializer.is_some(), ..State::default() };
        Self {
            worker,
            home,
            lane: Noted::default(),
            stop: AtomicBool::new(false),
            state: Mutex::new(state),
            work: Condvar::new(),
        }
    }

    /// More work.
    pub(super) fn put(&self, tasks: Vec<Task>) {
        let mut state = self.lock();
        state.queue.extend(tasks);
        drop(state);
        self.work.notify_one();
    }

    /// Takes back what has not been started.
    pub(super) fn recall(&self) -> VecDeque<Task> {
        let mut state = self.lock();
        state.stops.clear();
        std::mem::take(&mut state.queue)
    }

    /// No more will come.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Serving {
            state.stage = Stage::Stopping;
        }
        drop(state);
        self.work.notify_one();
    }

    /// Somebody wants this attempt to stop. If it has not begun, it will see that at once.
    pub(super) fn please_stop(&self, ticket: Ticket) {
        // Under the lock, or else it might be the next one that is asked.
        let mut state = self.lock();
        if state.running == Some(ticket) {
            self.stop.store(true, Ordering::Relaxed);
        } else if state.queue.iter().any(|task| task.ticket == ticket) {
            state.stops.push(ticket);
        }
    }

    /// Sends the replies that are there.
    pub(super) fn send_replies(&self) {
        self.flush(&mut self.lock());
    }

    /// Leaves the thread to itself: what it says from now on is not heard.
    pub(super) fn abandon(&self) -> Left {
        let mut state = self.lock();
        let unstarted = std::mem::take(&mut state.queue);
        self.leave(&mut state, None);
        self.stop.store(true, Ordering::Relaxed);
        let (running, is_away) = (state.running, state.is_away);
        drop(state);
        self.work.notify_one();
        Left { unstarted, running, is_away }
    }

    /// The thread ends; for this reason if it should not.
    pub(super) fn end(&self, reason: Option<String>) {
        self.leave(&mut self.lock(), reason);
    }

    /// The thread is ready to work.
    pub(super) fn ready(&self) {
        let mut state = self.lock();
        state.is_away = false;
        if state.stage != Stage::Left {
            self.tell(Word::Ready);
        }
    }

    /// Takes in what the thread has done, and tells it what to do next, and since when; `None` if it is to
    /// end.
    pub(super) fn next(&self, done: Option<Done>) -> Option<(Task, u64)> {
        let mut now = done.as_ref().map(|done| done.ended);
        let mut state = self.lock();
        state.is_away = false;
        state.running = None;
        if let Some(done) = done
            && state.stage != Stage::Left
        {
            // Whoever sees it finished sees that it was started.
            self.lane.finished.store(done.seq.0, Ordering::Release);
            let ends_frame = done.is_last;
            state.unsent.push(done);
            if ends_frame {
                self.flush(&mut state);
            }
        }
        loop {
            if state.stage == Stage::Left {
                return None;
            }
            if let Some(task) = state.queue.pop_front() {
                let since = now.unwrap_or_else(crate::shell::clock::monotonic);
                self.owe(&mut state, since);
                self.lane.start(task.seq, since);
                let asked = state.stops.iter().position(|stop| *stop == task.ticket);
                let is_to_stop = asked.map(|asked| state.stops.swap_remove(asked)).is_some();
                self.stop.store(is_to_stop, Ordering::Relaxed);
                state.running = Some(task.ticket);
                state.is_away = true;
                return Some((task, since));
            }
            self.flush(&mut state);
            if state.stage == Stage::Stopping {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            now = None;
        }
    }

    /// Another job is about to run: replies wait for the end of their frame, but not for long.
    fn owe(&self, state: &mut State, now: u64) {
        let Some(oldest) = state.unsent.first() else { return };
        if u128::from(now.saturating_sub(oldest.ended)) >= KEPT_BACK.as_nanos() {
            self.flush(state);
        } else if !state.owes {
            state.owes = true;
            self.tell(Word::Owes);
        }
    }

    fn flush(&self, state: &mut State) {
        if state.stage != Stage::Left && !state.unsent.is_empty() {
            state.owes = false;
            self.tell(Word::Replies(std::mem::take(&mut state.unsent)));
        }
    }

    fn leave(&self, state: &mut State, reason: Option<String>) {
        if state.stage != Stage::Left {
            self.flush(state);
            state.stage = Stage::Left;
            self.tell(Word::Left(self.lane.read(), reason));
        }
    }

    fn tell(&self, word: Word) {
        // An error means that the loop is gone, and with it whoever could want to know.
        self.home.inbox.send(Message::Crew(News::Thread(self.worker, word)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of a job runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for Desk {
    fn host(&self, _: Ticket) -> Arc<dyn Host> {
        // The attempt is known by its thread.
        Arc::clone(self.home.host.get().expect("it is there before the first job is"))
    }

    fn is_cancelled(&self, _: Ticket) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn progress(&self, done: u64, total: u64) {
        self.lane.done.store(done, Ordering::Relaxed);
        self.lane.total.store(total, Ordering::Relaxed);
    }
}

impl Noted {
    fn start(&self, seq: Seq, since: u64) {
        // Both: a reader must not find how far the job before had come.
        self.total.store(0, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        // Whoever sees it started sees since when.
        self.started.store(seq.0, Ordering::Release);
    }

    pub(super) fn read(&self) -> Snapshot {
        // In this order, for a job that seems to run must not have ended before.
        let finished = Seq(self.finished.load(Ordering::Acquire));
        let started = Seq(self.started.load(Ordering::Acquire));
        let since = self.since.load(Ordering::Relaxed);
        let progress = match self.total.load(Ordering::Relaxed) {
            0 => None,
            total => Some((self.done.load(Ordering::Relaxed), total)),
        };
        Snapshot { started, since, finished, progress }
    }
}

#[cfg(all(test, not(brigade_model)))]
mod tests {
    use std::sync::OnceLock;

    use brigade_protocol::id::JobId;
    use nix::sys::signal::SigSet;

    use super::super::run::Work;
    use super::*;

    fn task(job: u64) -> Task {
        let (ticket, work) = (JobId(job).into(), Work::Closure(Box::new(|_| Ok(()))));
        Task { ticket, seq: Seq(job), label: None, work, is_last: true }
    }

    /// The loop knows what it sent, not what has begun.
    #[test]
    fn a_job_that_is_to_stop_before_it_begins_sees_it() {
        let (inbox, _heard) = crate::shell::mailbox::mailbox();
        let host = Arc::new(OnceLock::new());
        let home = Home { pool: 1, inbox, host, initializer: None, signals: SigSet::empty() };
        let desk = Desk::new(WorkerId(0), Arc::new(home));
        let is_to_stop = || {
            let (task, _) = desk.next(None).expect("there is one");
            (task.ticket.job.0, desk.is_cancelled(task.ticket))
        };
        desk.put(vec![task(1), task(2), task(3)]);
        desk.please_stop(JobId(2).into());
        assert_eq!([is_to_stop(), is_to_stop(), is_to_stop()], [(1, false), (2, true), (3, false)]);
        desk.put(vec![task(4)]);
        desk.please_stop(JobId(4).into());
        assert_eq!(desk.recall().len(), 1);
        desk.put(vec![task(4)]);
        assert_eq!(is_to_stop(), (4, false), "another attempt is another matter");
    }
}
