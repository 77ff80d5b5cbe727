//! The desk of a thread, in every order in which the loop and the thread can come to it. Run by `.ci/models`.

use std::sync::Arc;
use std::sync::OnceLock;

use brigade_protocol::id::{JobId, Seq, Ticket, WorkerId};
use brigade_task::host::Place;
use brigade_task::outside::Blobs;
use loom::thread::{self, JoinHandle};
use nix::sys::signal::SigSet;

use super::desk::{Desk, Done};
use super::run::{Task, Work};
use super::{Home, Word};
use crate::shell::Message;
use crate::shell::mailbox::{Receiver, mailbox};
use crate::shell::processes::News;

const WORKER: WorkerId = WorkerId(1);

/// When the job with this place ends, and the one behind it starts, if there is one.
fn end(seq: u64) -> u64 {
    10 * seq
}

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

fn desk() -> (Arc<Desk>, Receiver<Message>) {
    let (inbox, heard) = mailbox();
    let host = Arc::new(OnceLock::new());
    let home = Home { pool: 1, inbox, host, initializer: None, signals: SigSet::empty() };
    (Arc::new(Desk::new(WORKER, Arc::new(home))), heard)
}

fn ticket(seq: u64) -> Ticket {
    JobId(100 + seq).into()
}

/// A frame of as many jobs.
fn frame(seqs: std::ops::RangeInclusive<u64>) -> Vec<Task> {
    let last = *seqs.end();
    let tasks = seqs.map(|seq| Task {
        ticket: ticket(seq),
        seq: Seq(seq),
        label: None,
        work: Work::Closure(Box::new(|_| Ok(()))),
        is_last: seq == last,
    });
    tasks.collect()
}

/// What a thread does; the jobs are this function.
fn serve(desk: &Arc<Desk>, job: impl Fn(u64) + 'static) -> JoinHandle<()> {
    let desk = Arc::clone(desk);
    thread::spawn(move || {
        let mut done = None;
        while let Some((task, since)) = desk.next(done.take()) {
            let Task { ticket, seq, is_last, .. } = task;
            job(seq.0);
            let (ended, result) = (end(seq.0), Ok(Vec::new()));
            let (arguments, blobs) = (None, Blobs::default());
            let started = since;
            done = Some(Done { ticket, seq, is_last, started, ended, result, arguments, blobs });
        }
        desk.end(None);
    })
}

/// The jobs that the loop hears the ends of. The thread's last word must be its last.
fn replied(heard: &Receiver<Message>) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    let mut has_left = false;
    for message in std::iter::from_fn(|| heard.try_recv()) {
        let Message::Crew(News::Thread(WORKER, word)) = message else { panic!("not of a thread") };
        assert!(!has_left, "it has left, and speaks");
        match word {
            Word::Replies(replies) => tickets.extend(replies.iter().map(|done| done.ticket)),
            Word::Left(..) => has_left = true,
            Word::Ready | Word::Owes => {}
        }
    }
    assert!(has_left, "its end is not told");
    tickets
}

fn assert_all(mut tickets: Vec<Ticket>, all: u64) {
    tickets.sort_unstable_by_key(|ticket| ticket.job.0);
    assert_eq!(tickets, (1..=all).map(ticket).collect::<Vec<_>>());
}

/// Jobs come while the thread looks for some; what it has not begun is taken back; it is asked to end.
#[test]
fn what_is_put_is_answered_or_taken_back() {
    model(|| {
        let (desk, heard) = desk();
        let thread = serve(&desk, |_| ());
        desk.put(frame(1..=2));
        let mut tickets: Vec<_> = desk.recall().iter().map(|task| task.ticket).collect();
        desk.put(frame(3..=3));
        desk.stop();
        thread.join().unwrap();
        tickets.extend(replied(&heard));
        assert_all(tickets, 3);
    });
}

/// The thread waits for work, and nothing but a job comes.
#[test]
fn who_waits_for_work_gets_it() {
    model(|| {
        let (desk, heard) = desk();
        let thread = serve(&desk, |_| ());
        desk.put(frame(1..=1));
        let word = heard.recv_within(None);
        assert!(matches!(word, Some(Message::Crew(News::Thread(_, Word::Replies(_))))));
        desk.stop();
        thread.join().unwrap();
    });
}

/// The loop fetches replies that wait for the end of their frame.
#[test]
fn no_reply_is_sent_twice() {
    model(|| {
        let (desk, heard) = desk();
        desk.put(frame(1..=2));
        desk.stop();
        let thread = serve(&desk, |_| ());
        desk.send_replies();
        thread.join().unwrap();
        assert_all(replied(&heard), 2);
    });
}

/// A thread is left to itself in the midst of its work. It ends; each of its jobs is answered, or was given
/// back, or was running when nothing more was heard of it.
#[test]
fn nothing_is_heard_of_who_was_left_to_itself() {
    model(|| {
        let (desk, heard) = desk();
        desk.put(frame(1..=2));
        let thread = serve(&desk, |_| ());
        let left = desk.abandon();
        thread.join().unwrap();
        let mut tickets = replied(&heard);
        tickets.extend(left.unstarted.iter().map(|task| task.ticket));
        tickets.extend(left.running);
        assert_all(tickets, 2);
    });
}

/// One job is asked to stop while the thread may be at the next one.
#[test]
fn no_other_job_is_asked_to_stop() {
    model(|| {
        let (desk, _heard) = desk();
        desk.put(frame(1..=2));
        desk.stop();
        let own = Arc::clone(&desk);
        let thread = serve(&desk, move |seq| {
            assert!(!(seq == 2 && own.is_cancelled(ticket(2))), "it was not meant");
        });
        desk.please_stop(ticket(1));
        thread.join().unwrap();
    });
}

/// The loop looks at what the thread has noted, while it works.
#[test]
fn a_job_that_seems_to_run_has_not_ended_before_and_began_when_it_seems() {
    model(|| {
        let (desk, _heard) = desk();
        desk.put(frame(1..=2));
        desk.stop();
        let thread = serve(&desk, |_| ());
        let seen = desk.lane.read();
        assert!(seen.finished <= seen.started, "{} ended before it began", seen.finished);
        assert!(seen.started != Seq(2) || seen.since == end(1), "it began at {}", seen.since);
        thread.join().unwrap();
    });
}
