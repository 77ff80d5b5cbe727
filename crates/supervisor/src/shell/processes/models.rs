//! What a worker may say, in every order in which the loop and the thread that listens to the worker can come
//! to count it. Run by `.ci/models`.

use std::sync::Arc;

use brigade_protocol::codec::{self, PART};
use brigade_protocol::id::{JobId, Ticket, WorkerId};
use brigade_protocol::message::{FromWorker, MOST_UNACCEPTED, Question, ToWorker};
use brigade_task::outside::Encoding;
use loom::thread::{self, JoinHandle};

use super::link::{Heard, Listener, Terms};
use super::outbox::Outbox;
use crate::shell::mailbox::mailbox;
use crate::sync::channel::{self, Receiver, Sender};

const WORKER: WorkerId = WorkerId(3);

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    // So many wishes are counted.
    builder.max_branches = 10_000;
    builder.check(body);
}

/// A worker, as well-behaved as can be, and the thread that listens to it.
struct Worker {
    listener: Listener,
    /// What the loop has sent.
    sent: Receiver<Vec<u8>>,
    /// To the loop.
    heard: Sender<Heard>,
}

impl Worker {
    /// Returns what the thread that listens hands on.
    fn say(&mut self, message: &FromWorker<'_>) {
        let packet = codec::encode(message).unwrap();
        let heard = self.listener.hear(&packet).ok().expect("it says what it may say");
        self.heard.send(heard.expect("it is of interest")).unwrap();
    }

    fn receive(&self) {
        self.sent.recv().unwrap();
    }

    /// Receives something that counts as a part.
    fn receive_part(&mut self) {
        self.receive();
        self.say(&FromWorker::Taken);
    }

    fn wish(&mut self, number: u32) {
        let job = JobId::nested(WORKER, number);
        self.say(&FromWorker::Reserve { parent: JobId(1).into(), job });
    }

    fn live(mut self, life: impl FnOnce(&mut Self) + 'static) -> JoinHandle<()> {
        thread::spawn(move || life(&mut self))
    }
}

/// The loop's side.
struct Loop {
    outbox: Outbox,
    to: Sender<Vec<u8>>,
    heard: Receiver<Heard>,
    arguments: Arc<Encoding>,
}

impl Loop {
    fn flush(&mut self) {
        let sent = self.outbox.flush(|message| {
            self.to.send(message.to_vec()).unwrap();
            Ok(())
        });
        sent.unwrap();
    }

    /// Takes in so much, and answers as soon as it can.
    fn take(&mut self, times: usize) {
        for _ in 0..times {
            match self.heard.recv().unwrap() {
                Heard::PartTaken => self.outbox.part_taken(),
                Heard::Nested(wish) => {
                    if let Some(accepted) = self.outbox.window.take(&wish) {
                        self.outbox.send_accepted(accepted);
                    }
                    use super::nested::Wish::{Ask, Wait};
                    if let Ask { asker: waiter, .. } | Wait { waiter, .. } = wish {
                        self.outbox.send_answer(told(waiter));
                    }
                }
                _ => {}
            }
            self.flush();
        }
    }
}

fn told(asker: Ticket) -> Vec<u8> {
    codec::encode(&ToWorker::Told { asker, yes: true }).unwrap()
}

fn pair() -> (Loop, Worker) {
    let terms = Terms { threads: 1, max_output: 1024, may_grow: false, direct: false };
    let outbox = Outbox::new(1, false);
    let (inbox, _) = mailbox();
    let listener = Listener::new(WORKER, inbox, &outbox, terms);
    let ((to, sent), (heard, taken)) = (channel::unbounded(), channel::unbounded());
    let arguments = Arc::new(vec![0; 2 * PART + 1].into());
    let mut worker = Worker { listener, sent, heard };
    worker.say(&FromWorker::Ready);
    let mut own = Loop { outbox, to, heard: taken, arguments };
    own.take(1);
    (own, worker)
}

/// It answers a frame as soon as that is there.
#[test]
fn an_answer_is_allowed_before_it_can_be_given() {
    model(|| {
        let (mut own, worker) = pair();
        let worker = worker.live(|worker| {
            worker.receive();
            worker.say(&FromWorker::Returned(Vec::new()));
        });
        own.outbox.send(codec::encode(&ToWorker::Recall).unwrap(), 1);
        own.flush();
        worker.join().unwrap();
    });
}

/// Arguments of three parts, of which two are under way at most.
#[test]
fn each_part_that_is_sent_may_be_acknowledged_and_lets_the_next_one_go() {
    model(|| {
        let (mut own, worker) = pair();
        let worker = worker.live(|worker| (0..3).for_each(|_| worker.receive_part()));
        let arguments = Arc::clone(&own.arguments);
        own.outbox.send_arguments(JobId(1).into(), &arguments);
        own.flush();
        own.take(3);
        worker.join().unwrap();
    });
}

/// It has said all that it may say. As soon as it hears that some has been taken in, it says more.
#[test]
fn what_is_told_as_accepted_may_be_said_anew() {
    model(|| {
        let (mut own, mut worker) = pair();
        let mut wishes = Vec::new();
        for number in 0..MOST_UNACCEPTED {
            let job = JobId::nested(WORKER, number);
            let wish = FromWorker::Reserve { parent: JobId(1).into(), job };
            let heard = worker.listener.hear(&codec::encode(&wish).unwrap());
            if let Some(Heard::Nested(wish)) = heard.ok().flatten() {
                wishes.push(wish);
            }
        }
        let worker = worker.live(|worker| {
            worker.receive_part();
            worker.wish(MOST_UNACCEPTED);
        });
        for wish in &wishes {
            if let Some(accepted) = own.outbox.window.take(wish) {
                own.outbox.send_accepted(accepted);
                own.flush();
                break;
            }
        }
        worker.join().unwrap();
    });
}

/// It asks again as soon as it has the answer, while another question has none yet.
#[test]
fn who_has_an_answer_may_ask_anew() {
    model(|| {
        let (mut own, mut worker) = pair();
        let ask =
            FromWorker::Ask { asker: JobId(1).into(), job: JobId(2), question: Question::HasEnded };
        let open = worker.listener.hear(&codec::encode(&ask).unwrap());
        assert!(open.is_ok());
        let worker = worker.live(move |worker| {
            worker.say(&ask);
            worker.receive_part();
            worker.say(&ask);
        });
        own.take(1);
        worker.join().unwrap();
    });
}

/// It waits twice for a moment only, and gets both answers. What it says of its patience may be taken in
/// later than the answer is sent.
#[test]
fn who_was_answered_may_wait_anew_and_lose_patience_again() {
    model(|| {
        let (mut own, worker) = pair();
        let worker = worker.live(|worker| {
            let waiter = Ticket::from(JobId(1));
            for _ in 0..2 {
                worker.say(&FromWorker::Wait { waiter, jobs: vec![JobId(2)] });
                worker.say(&FromWorker::WaitOver(waiter));
                worker.receive();
            }
        });
        own.take(4);
        worker.join().unwrap();
    });
}
