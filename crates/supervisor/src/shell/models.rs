//! The end of a pool, in every order in which its clients can come upon it. Run by `.ci/models`.
//!
//! Loom fails a test whose threads all wait for ever, so each that ends has shown that nobody waits for an
//! answer that does not come.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use brigade_protocol::id::{JobId, Run, TaskId, Ticket};
use brigade_protocol::message::{BuildId, Form, Hello, TaskInfo};
use brigade_task::cell::Cell;
use brigade_task::ends::Outputs;
use brigade_task::host::{Call, Host, RunHost};
use brigade_task::outside::Blobs;
use brigade_task::pack::{Circumstances, Claim};
use brigade_task::{Job, Settlement};
use loom::thread;

use super::inbox::{Closing, Inbox};
use super::mailbox::{Receiver, mailbox};
use super::runs::Runs;
use super::{Message, Submission, runs};
use crate::capacity::Capacity;
use crate::host::Shared;
use crate::scheduler::Limits;
use crate::sink::Sink;
use crate::stream::{self, Feed};
use crate::sync::channel;

/// Tries every order in which the threads are interrupted at most so often where they need not be.
fn model(interruptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(body);
}

/// An inbox, what closes it, and what tells that it is closed.
fn inbox() -> (Arc<Inbox>, Closing, channel::Receiver<Infallible>) {
    let (sender, receiver) = mailbox();
    let task = TaskInfo {
        name: "task".to_owned(),
        parameters: Vec::new(),
        returns: String::new(),
        doc: String::new(),
    };
    let hello = Hello { build: BuildId(String::new()), tasks: vec![task] };
    let (inbox, over) = Inbox::new(sender, receiver, hello);
    let closing = Closing(Arc::clone(&inbox));
    (inbox, closing, over)
}

/// Waits for the next message.
fn recv<T>(receiver: &Receiver<T>) -> T {
    loop {
        if let Some(message) = receiver.recv_within(None) {
            return message;
        }
    }
}

fn submission(number: u64, cell: &Arc<Cell>) -> Submission {
    let sink = Sink::cell(JobId(number), Arc::clone(cell));
    Submission::new(TaskId(0), Form::Bincode, Vec::new(), Limits::default(), None, sink)
}

/// The loop takes what is there, so many times, and then it ends.
fn run_loop(inbox: &Inbox, closing: Closing, times: usize) {
    for _ in 0..times {
        match inbox.receiver().try_recv() {
            Some(Message::Submit(submissions)) => submissions.into_iter().for_each(settle),
            Some(Message::Gathered) => {
                succeed(inbox.take_gathered());
            }
            Some(Message::IsRunning { answer, .. }) => drop(answer.send(true)),
            Some(_) => unreachable!("nobody sends anything else"),
            None => {}
        }
    }
    drop(closing);
}

fn settle(Submission { sink, .. }: Submission) {
    let end = Settlement::bare(sink.job, Ok(Vec::new()));
    sink.settle(end);
}

/// All jobs of a run succeed. Gives how many they are.
fn succeed(entry: runs::Entry) -> u32 {
    let run = Run { first: entry.first.into(), count: entry.count };
    let mut runs = Runs::default();
    runs.insert(entry);
    for job in run.jobs() {
        let output = Outputs::One(Vec::new());
        runs.succeed(Ticket::from(job).into(), output, Blobs::default(), Circumstances::default());
    }
    run.count
}

fn call(shared: &Arc<Shared>) -> Claim {
    let task = Cow::Borrowed("task");
    let (task, form, arguments) = (&task, Form::Json, &b"[]"[..]);
    let own = Arc::clone(shared) as Arc<dyn Host>;
    shared.submit_call(Call { task, known: None, form, arguments }, &own)
}

/// The receiver sleeps while two send.
#[test]
fn no_message_is_slept_through() {
    model(3, || {
        let (sender, receiver) = mailbox();
        let senders = [1, 2].map(|number| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(number))
        });
        assert_eq!(recv(&receiver) + recv(&receiver), 3);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

/// Two submit calls, which may join each other, while the loop ends.
#[test]
fn calls_that_are_submitted_while_the_pool_ends_are_settled() {
    model(3, || {
        let (shared, closing) = shared(1);
        let submitters = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || call(&shared))
        });
        run_loop(&shared.inbox, closing, 1);
        let calls = submitters.map(|submitter| submitter.join().unwrap());
        assert!(calls.iter().all(Claim::has_ended), "a call is lost");
        assert_ne!(calls[0].job(), calls[1].job(), "each has an id of its own");
        assert!(shared.inbox.receiver().try_recv().is_none());
    });
}

/// Two submit calls, and one of them something else behind its own. The loop comes upon that after the call
/// that it is about, and upon each call once.
#[test]
fn nothing_overtakes_the_call_that_it_is_about() {
    model(3, || {
        let (shared, closing) = shared(1);
        let submitters = [true, false].map(|is_cancelled| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let claim = call(&shared);
                if is_cancelled {
                    shared.cancel_later(vec![claim.job()]);
                }
                claim
            })
        });
        let (mut ended, mut seen) = (0, None);
        while ended < 2 || seen.is_none() {
            match recv(shared.inbox.receiver()) {
                Message::Gathered => {
                    let run = shared.inbox.take_gathered();
                    assert!(seen.is_none_or(|job| !ids(&run).contains(&job)), "it is too late");
                    ended += succeed(run);
                }
                Message::CancelAll(jobs) => seen = Some(jobs[0]),
                _ => unreachable!("nobody sends anything else"),
            }
        }
        let claims = submitters.map(|submitter| submitter.join().unwrap());
        assert!(claims.iter().all(Claim::has_ended));
        drop(closing);
    });
}

/// A call, something else, and a call: the last one does not join the first.
#[test]
fn no_call_overtakes_what_was_sent_before() {
    model(3, || {
        let (shared, closing) = shared(1);
        let first = call(&shared).job();
        shared.cancel_later(vec![first]);
        let _ = call(&shared);
        let found = [(); 3].map(|()| match shared.inbox.receiver().try_recv() {
            Some(Message::Gathered) => succeed(shared.inbox.take_gathered()),
            Some(Message::CancelAll(_)) => 0,
            _ => unreachable!("nobody sends anything else"),
        });
        assert_eq!(found, [1, 0, 1]);
        drop(closing);
    });
}

fn ids(run: &runs::Entry) -> Range<JobId> {
    run.first..JobId(run.first.0 + u64::from(run.count))
}

/// Two submit while the loop ends. Each of their jobs is settled by the time both are done with it, and
/// nothing stays behind in the inbox.
#[test]
fn what_is_submitted_while_the_pool_ends_is_settled() {
    model(3, || {
        let (inbox, closing, _over) = inbox();
        let cells = [(); 2].map(|()| Arc::<Cell>::default());
        let submitters = [0, 1].map(|number| {
            let (inbox, cell) = (Arc::clone(&inbox), Arc::clone(&cells[number]));
            thread::spawn(move || {
                inbox.send(Message::Submit(vec![submission(number as u64, &cell)]));
            })
        });
        run_loop(&inbox, closing, 1);
        submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
        assert!(cells.iter().all(|cell| cell.is_filled()), "a job is lost");
        assert!(inbox.receiver().try_recv().is_none());
    });
}

/// A pool with this much appetite, as its clients have it.
fn shared(appetite: usize) -> (Arc<Shared>, Closing) {
    let (inbox, closing, over) = inbox();
    let shared = Shared {
        id: 1,
        inbox,
        capacity: Arc::new(Capacity::new(appetite)),
        over,
        own_build: BuildId(String::new()),
        limits: Limits::default(),
        bound: None,
        registry: None,
        next_job: AtomicU64::new(1),
    };
    (Arc::new(shared), closing)
}

/// One asks while the loop ends: the loop answers, or its end does.
#[test]
fn who_asks_while_the_pool_ends_does_not_wait_for_ever() {
    model(3, || {
        let (shared, closing) = shared(1);
        let other = Arc::clone(&shared);
        let submitter = thread::spawn(move || {
            let cell = Arc::default();
            other.inbox.send(Message::Submit(vec![submission(0, &cell)]));
        });
        let asker = Arc::clone(&shared);
        let asker = thread::spawn(move || {
            let _ = asker.is_running(JobId(0));
        });
        run_loop(&shared.inbox, closing, 1);
        asker.join().unwrap();
        submitter.join().unwrap();
    });
}

fn push(feed: &mut Feed, number: u64) {
    feed.push(number, Job::json("task", "[]"));
}

/// The pool ends while jobs go in. Whoever reads the stream to its end is told of every job that was handed
/// over before that began, whichever thread it is that refuses it.
#[test]
fn a_stream_does_not_end_before_what_was_handed_over_is_settled() {
    model(3, || {
        let (shared, closing) = shared(8);
        let (mut feed, settlements) = stream::stream(shared);
        push(&mut feed, 0);
        feed.flush();
        let feeder = thread::spawn(move || {
            push(&mut feed, 1);
            feed.flush();
            feed
        });
        drop(closing);
        let told = std::iter::from_fn(|| settlements.wait_next()).map(|told| told.tag);
        let told: Vec<u64> = told.collect();
        assert!(told.contains(&0), "it told only of {told:?}");
        drop(feeder.join().unwrap());
    });
}

/// As much as the pool wants to have is under way: each settlement that is dealt with lets the next job in.
#[test]
fn a_feed_goes_on_as_settlements_are_dealt_with() {
    model(3, || {
        let (shared, closing) = shared(1);
        let inbox = Arc::clone(&shared.inbox);
        let (mut feed, settlements) = stream::stream(shared);
        let feeder = thread::spawn(move || (0..2).for_each(|number| push(&mut feed, number)));
        let mut told = 0;
        loop {
            match recv(inbox.receiver()) {
                Message::Submit(submissions) => submissions.into_iter().for_each(settle),
                Message::InputEnded => break,
                _ => {}
            }
            while settlements.try_next().is_some() {
                settlements.dealt_with(1, "[]".len());
                told += 1;
            }
        }
        feeder.join().unwrap();
        assert_eq!(told, 2);
        drop(closing);
    });
}

/// Nobody deals with settlements any more, and the pool takes no job.
#[test]
fn a_feed_whose_stream_is_dropped_does_not_wait_for_room() {
    model(3, || {
        let (shared, closing) = shared(1);
        let (mut feed, settlements) = stream::stream(shared);
        let feeder = thread::spawn(move || (0..2).for_each(|number| push(&mut feed, number)));
        drop(settlements);
        feeder.join().unwrap();
        drop(closing);
    });
}
