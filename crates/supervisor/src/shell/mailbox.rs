//! The queue of messages to the loop: a channel whose receiver sleeps as soon as there is nothing.
//!
//! Those of crossbeam look for some microseconds more and offer their processor to others before they sleep. Here
//! [`Poll`](crate::poll::Poll) has decided by then that it does not pay to look.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Condvar, Mutex, channel};

/// A queue of no bounds.
pub(super) fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = channel::unbounded();
    let bell = Arc::new(Bell::new());
    (Sender { messages: sender, bell: Arc::clone(&bell) }, Receiver { messages: receiver, bell })
}

/// Wakes the receiver.
struct Bell {
    /// The receiver sleeps, or is about to look for the last time before it does.
    asleep: AtomicBool,
    /// Held while it falls asleep, so that none rings in between.
    falling_asleep: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    fn new() -> Self {
        Self {
            asleep: AtomicBool::new(false),
            falling_asleep: Mutex::new(()),
            rung: Condvar::new(),
        }
    }

    fn ring(&self) {
        // Either the receiver sees the message after it set the flag, or the flag is seen here after it was sent.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.is_first_to_ring() {
            drop(self.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.rung.notify_one();
        }
    }

    /// Whoever finds it awake writes nothing: it may be falling asleep anew meanwhile.
    fn is_first_to_ring(&self) -> bool {
        let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        self.asleep.compare_exchange(true, false, order, failed).is_ok()
    }

    /// Sleeps until it rings, unless `look` finds something; no longer than it has patience.
    fn sleep<R>(&self, patience: Option<Duration>, look: impl Fn() -> Option<R>) -> Option<R> {
        let guard = self.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut found = look();
        if found.is_none() {
            // Woken for no reason, it only looks once too often.
            drop(match patience {
                None => self.rung.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let woken = self.rung.wait_timeout(guard, patience);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            });
            found = look();
        }
        self.asleep.store(false, Ordering::Relaxed);
        found
    }
}

/// Given to all who have something to tell the loop.
pub(crate) struct Sender<T> {
    messages: channel::Sender<T>,
    bell: Arc<Bell>,
}

impl<T> Sender<T> {
    /// Sends a message. It is lost if nobody receives any more.
    pub(crate) fn send(&self, message: T) {
        let _ = self.messages.send(message);
        self.bell.ring();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { messages: self.messages.clone(), bell: Arc::clone(&self.bell) }
    }
}

/// The loop's end. Others may take messages too, but one only may wait for them.
pub(super) struct Receiver<T> {
    messages: channel::Receiver<T>,
    bell: Arc<Bell>,
}

impl<T> Receiver<T> {
    /// The next message, if it is there.
    pub(super) fn try_recv(&self) -> Option<T> {
        self.messages.try_recv().ok()
    }

    /// The next message; none if its patience ends before, and now and then for no reason.
    pub(super) fn recv_within(&self, patience: Option<Duration>) -> Option<T> {
        self.bell.sleep(patience, || self.try_recv())
    }
}
