//! The way into the loop, for clients. What arrives when the loop has ended is refused, and told why.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock, PoisonError};

use brigade_protocol::message::Hello;

use super::{Message, Submission};
use crate::scheduler::Failure;
use crate::sink;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::channel::{self, Receiver, Sender};
use crate::sync::{Mutex, MutexGuard};

/// See the [module documentation](self).
pub(crate) struct Inbox {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    over: AtomicBool,
    /// Held by all who refuse jobs. Never sent on: dropped, it tells streams that the pool is over, and none
    /// may hear that while a job of its own is being refused.
    open: Mutex<Option<Sender<Infallible>>>,
    gave_up: OnceLock<String>,
    pub(crate) hello: Hello,
}

impl Inbox {
    /// An inbox, and what is disconnected once the pool is over.
    pub(super) fn new(
        sender: Sender<Message>,
        receiver: Receiver<Message>,
        hello: Hello,
    ) -> (Arc<Self>, Receiver<Infallible>) {
        let (open, is_over) = channel::bounded(0);
        let (over, open, gave_up) =
            (AtomicBool::new(false), Mutex::new(Some(open)), OnceLock::new());
        (Arc::new(Self { sender, receiver, over, open, gave_up, hello }), is_over)
    }

    /// Sends a message to the loop. Once that has ended, jobs are refused, and whoever waits for an
    /// answer finds its channel closed.
    pub(crate) fn send(&self, message: Message) {
        let _ = self.sender.send(message);
        // Either the loop sees the message after it set the flag, or we see the flag after we sent.
        fence(Ordering::SeqCst);
        if self.over.load(Ordering::SeqCst) {
            self.refuse_all();
        }
    }

    /// Why the pool gave up, if it did.
    pub(crate) fn gave_up(&self) -> Option<&str> {
        self.gave_up.get().map(String::as_str)
    }

    pub(super) fn set_gave_up(&self, reason: &str) {
        self.gave_up.get_or_init(|| reason.to_owned());
    }

    pub(super) fn receiver(&self) -> &Receiver<Message> {
        &self.receiver
    }

    fn close(&self) {
        self.over.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.refuse_all();
        let open = self.open().take();
        drop(open);
    }

    fn refuse_all(&self) {
        let _open = self.open().clone();
        for message in self.receiver.try_iter() {
            let failure = || match self.gave_up() {
                Some(reason) => Failure::PoolGaveUp(reason.to_owned()),
                None => Failure::Refused("the pool has been shut down".to_owned()),
            };
            match message {
                Message::Submit(submissions) => {
                    for submission in submissions {
                        self.refuse(submission, failure());
                    }
                }
                Message::SubmitRun(mut entry) => entry.refuse(&failure()),
                _ => {}
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Sender<Infallible>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refuse(&self, submission: Submission, failure: Failure) {
        let task = submission.name(&self.hello).to_owned();
        let label = submission.label().map(Into::into);
        let settlement = sink::refused(submission.sink.job, task, label, failure);
        submission.sink.settle(settlement);
    }
}

/// Closes the inbox when the loop ends, by a panic too.
pub(super) struct Closing(pub(super) Arc<Inbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
