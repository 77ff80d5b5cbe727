//! The way into the loop, for clients. What arrives when the loop has ended is refused, and told why.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::iter;
use std::sync::{Arc, OnceLock, PoisonError};

use brigade_protocol::id::JobId;
use brigade_protocol::message::{Form, Hello};
use brigade_task::pack::Claim;

use super::{Message, Submission, mailbox, runs};
use crate::scheduler::Failure;
use crate::sink;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::channel::{self, Receiver, Sender};
use crate::sync::{Mutex, MutexGuard};

/// See the [module documentation](self).
pub(crate) struct Inbox {
    sender: mailbox::Sender<Message>,
    receiver: mailbox::Receiver<Message>,
    over: AtomicBool,
    /// Held by all who refuse jobs. Never sent on: dropped, it tells streams that the pool is over, and none
    /// may hear that while a job of its own is being refused.
    open: Mutex<Option<Sender<Infallible>>>,
    gave_up: OnceLock<String>,
    gathered: Mutex<Gathered>,
    pub(crate) hello: Hello,
}

/// Plain calls, in runs that grow until the loop takes them or something else comes behind them: then as
/// many of them as come meanwhile cost the loop no more than one. For each run there is a message in its
/// place among the others.
#[derive(Default)]
struct Gathered {
    runs: VecDeque<runs::Entry>,
    /// The last one may still grow.
    open: bool,
}

impl Inbox {
    /// An inbox, and what is disconnected once the pool is over.
    pub(super) fn new(
        sender: mailbox::Sender<Message>,
        receiver: mailbox::Receiver<Message>,
        hello: Hello,
    ) -> (Arc<Self>, Receiver<Infallible>) {
        let (open, is_over) = channel::bounded(0);
        let (over, open, gave_up) =
            (AtomicBool::new(false), Mutex::new(Some(open)), OnceLock::new());
        let gathered = Mutex::default();
        (Arc::new(Self { sender, receiver, over, open, gave_up, gathered, hello }), is_over)
    }

    /// Sends a message to the loop. Once that has ended, jobs are refused, and whoever waits for an
    /// answer finds its channel closed.
    pub(crate) fn send(&self, message: Message) {
        // What came before must not be overtaken, nor what comes later come before.
        let mut gathered = self.gathered();
        gathered.open = false;
        self.sender.send(message);
        drop(gathered);
        self.see_whether_it_is_over();
    }

    /// Submits a plain call, with the next id: `begin` begins a run for it, if it cannot join the last one,
    /// or tells why there can be none. Gives the claim to its end.
    pub(crate) fn gather(
        &self,
        next_id: impl FnOnce() -> JobId,
        kind: (&str, Form),
        arguments: &[u8],
        begin: impl FnOnce(JobId) -> (runs::Entry, Option<Failure>),
    ) -> Claim {
        let mut gathered = self.gathered();
        let job = next_id();
        let last = if gathered.open { gathered.runs.back_mut() } else { None };
        if let Some(claim) = last.and_then(|run| run.push(job, kind, arguments)) {
            return claim;
        }
        let (mut run, refused) = begin(job);
        let claim = run.push(job, kind, arguments).expect("it was begun for this call");
        if let Some(failure) = refused {
            drop(gathered);
            run.refuse(&failure);
        } else {
            gathered.runs.push_back(run);
            gathered.open = true;
            self.sender.send(Message::Gathered);
            drop(gathered);
            self.see_whether_it_is_over();
        }
        claim
    }

    /// The run to which this message belongs.
    pub(super) fn take_gathered(&self) -> runs::Entry {
        let mut gathered = self.gathered();
        let run = gathered.runs.pop_front().expect("there is one for each message");
        gathered.open &= !gathered.runs.is_empty();
        run
    }

    fn see_whether_it_is_over(&self) {
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

    pub(super) fn receiver(&self) -> &mailbox::Receiver<Message> {
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
        let failure = || match self.gave_up() {
            Some(reason) => Failure::PoolGaveUp(reason.to_owned()),
            None => Failure::Refused("the pool has been shut down".to_owned()),
        };
        for message in iter::from_fn(|| self.receiver.try_recv()) {
            match message {
                Message::Submit(submissions) => {
                    for submission in submissions {
                        self.refuse(submission, failure());
                    }
                }
                Message::SubmitRun(mut run) => run.refuse(&failure()),
                _ => {}
            }
        }
        let runs = std::mem::take(&mut *self.gathered()).runs;
        for mut run in runs {
            run.refuse(&failure());
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Sender<Infallible>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
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
