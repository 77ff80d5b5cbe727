//! A channel for models, in place of crossbeam's, of which loom knows nothing.
//!
//! It promises no more than every channel does: what is received was sent before, with all that its sender
//! did before; nothing is received twice. A message that another thread has sent may be seen late, unless
//! something else makes it known. So what is built upon a channel cannot lean on what crossbeam does inside.

use std::array::from_fn;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crossbeam_channel::SendError;
pub(crate) use crossbeam_channel::{RecvError, RecvTimeoutError, TryRecvError};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// How many messages a model may send through one channel.
const ROOM: usize = 6;

/// A message's place in a channel.
const VACANT: usize = 0;
const SENT: usize = 1;
const TAKEN: usize = 2;

struct Channel<T> {
    /// Loom's, and what a thread may know; by these loom sees which orders differ.
    places: [AtomicUsize; ROOM],
    given: AtomicUsize,
    senders: AtomicUsize,
    /// The truth, of which loom knows nothing. Never locked where loom may change the thread.
    truth: Mutex<Truth<T>>,
}

struct Truth<T> {
    messages: [Option<T>; ROOM],
    claimed: usize,
    /// How many were sent and not taken.
    waiting: usize,
    is_over: bool,
    receivers: usize,
    waiters: Vec<Arc<Waiter>>,
}

impl<T> Channel<T> {
    fn truth(&self) -> MutexGuard<'_, Truth<T>> {
        self.truth.lock().unwrap()
    }

    fn wake(&self) {
        let waiters = std::mem::take(&mut self.truth().waiters);
        waiters.iter().for_each(|waiter| waiter.wake());
    }
}

pub(crate) struct Sender<T>(Arc<Channel<T>>);

pub(crate) struct Receiver<T>(Arc<Channel<T>>);

pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let messages = from_fn(|_| None);
    let truth = Truth {
        messages,
        claimed: 0,
        waiting: 0,
        is_over: false,
        receivers: 1,
        waiters: Vec::new(),
    };
    let channel = Arc::new(Channel {
        places: from_fn(|_| AtomicUsize::new(VACANT)),
        given: AtomicUsize::new(0),
        senders: AtomicUsize::new(1),
        truth: Mutex::new(truth),
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

/// Nobody here relies on the bound.
pub(crate) fn bounded<T>(_: usize) -> (Sender<T>, Receiver<T>) {
    unbounded()
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
        let place = self.0.given.fetch_add(1, Ordering::Relaxed);
        let mut truth = self.0.truth();
        if truth.receivers == 0 {
            return Err(SendError(message));
        }
        truth.messages[place] = Some(message);
        truth.claimed += 1;
        drop(truth);
        self.0.places[place].store(SENT, Ordering::Release);
        self.0.truth().waiting += 1;
        self.0.wake();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.truth().is_over = true;
            self.0.wake();
        }
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        if let Some(message) = self.take_seen() {
            return Ok(message);
        }
        if self.0.senders.load(Ordering::Acquire) == 0 {
            // All have been sent by now.
            return (0..ROOM).find_map(|place| self.take(place)).ok_or(TryRecvError::Disconnected);
        }
        Err(TryRecvError::Empty)
    }

    fn take_seen(&self) -> Option<T> {
        let is_sent = |place: &usize| self.0.places[*place].load(Ordering::Acquire) == SENT;
        loop {
            // Those that are taken, and one that nobody has claimed, are looked at, too: so loom knows that
            // other receivers and senders matter.
            let end = ROOM.min(self.0.truth().claimed + 1);
            let seen = (0..end).find(is_sent)?;
            // What was sent before it can be seen now.
            let earliest = (0..seen).find(is_sent).unwrap_or(seen);
            let taken = self.take(earliest);
            if taken.is_some() {
                return taken;
            }
            // Another receiver was faster.
        }
    }

    fn take(&self, place: usize) -> Option<T> {
        let state = &self.0.places[place];
        state.compare_exchange(SENT, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let mut truth = self.0.truth();
        truth.waiting -= 1;
        truth.messages[place].take()
    }

    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        loop {
            if let Some(result) = self.poll() {
                return result;
            }
            wait_for_one_of([self]);
        }
    }

    /// Loom has no time: it waits as long as it takes.
    pub(crate) fn recv_deadline(&self, _: Instant) -> Result<T, RecvTimeoutError> {
        self.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// What [`Receiver::recv`] would return now.
    pub(crate) fn poll(&self) -> Option<Result<T, RecvError>> {
        match self.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        }
    }
}

/// A thread that waits for something to come. It does not park: loom takes an unparked thread for one that has
/// what it waits for by then, whatever that is.
#[derive(Default)]
pub(crate) struct Waiter {
    has_come: loom::sync::Mutex<bool>,
    news: loom::sync::Condvar,
}

impl Waiter {
    fn wait(&self) {
        let mut has_come = self.has_come.lock().unwrap();
        while !*has_come {
            has_come = self.news.wait(has_come).unwrap();
        }
    }

    fn wake(&self) {
        *self.has_come.lock().unwrap() = true;
        self.news.notify_one();
    }
}

/// A receiver of whatever.
pub(crate) trait Waited {
    /// Has this one woken when something comes; false if something is there.
    fn register(&self, waiter: &Arc<Waiter>) -> bool;
}

impl<T> Waited for Receiver<T> {
    fn register(&self, waiter: &Arc<Waiter>) -> bool {
        let mut truth = self.0.truth();
        let is_ready = truth.is_over || truth.waiting > 0;
        if !is_ready {
            truth.waiters.push(Arc::clone(waiter));
        }
        !is_ready
    }
}

/// Waits until one of these may have something.
pub(crate) fn wait_for_one_of<const N: usize>(receivers: [&dyn Waited; N]) {
    let waiter = Arc::default();
    if receivers.into_iter().all(|receiver| receiver.register(&waiter)) {
        waiter.wait();
    } else {
        // It is there, and will be seen.
        thread::yield_now();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.truth().receivers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut truth = self.0.truth();
        truth.receivers -= 1;
        let is_last = truth.receivers == 0;
        let unheard = is_last.then(|| std::mem::replace(&mut truth.messages, from_fn(|_| None)));
        drop(truth);
        drop(unheard);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

/// Of two receivers. If both have something, it is the second one's turn, as it may be with crossbeam's.
macro_rules! select {
    (
        recv($first:expr) -> $message:pat => $then:expr,
        recv($second:expr) -> $other:pat => $otherwise:expr $(,)?
    ) => {
        loop {
            if let Some($other) = $second.poll() {
                break $otherwise;
            }
            if let Some($message) = $first.poll() {
                break $then;
            }
            $crate::sync::channel::wait_for_one_of([&$first, &$second]);
        }
    };
}
pub(crate) use select;
