//! The desk of a worker, in every order in which its run threads can come to it. Run by `.ci/models`.
//!
//! Loom fails a test whose threads all wait for ever, so each that ends has shown that no wake-up is lost.
//! Loom has no time: there is no timekeeper, and so no stand-in either.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use brigade_protocol::codec;
use brigade_protocol::id::{JobId, Run, Seq, TaskId, Ticket};
use brigade_protocol::message::{
    Call, Calls, Form, Frame, FromWorker, Outputs, Question, ToWorker, Value,
};
use loom::thread::{self, JoinHandle};

use super::converse::Answer;
use super::desk::{Desk, Step};
use super::growth::Growth;
use super::packet::Message;
use super::pending::{Done, Output};
use super::queue::Hand;
use super::threads::receive_or_die;
use super::wire::Wire;
use crate::board::Lane;
use crate::sync::{self, IpcBytesReceiver, IpcBytesSender};

fn model(interruptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.max_branches = 5_000;
    builder.check(body);
}

/// The supervisor's side.
struct Supervisor {
    jobs: IpcBytesSender,
    replies: IpcBytesReceiver,
    /// Calls that were answered or given back.
    back: Mutex<Vec<Ticket>>,
}

/// What the threads of a worker share.
#[derive(Clone)]
struct Worker {
    desk: Arc<Desk>,
    supervisor: Arc<Supervisor>,
    /// How many calls it gets in all.
    calls: u64,
    has_exited: Arc<AtomicBool>,
}

fn worker(calls: u64) -> (Worker, Arc<Supervisor>) {
    worker_with(calls, |_| ())
}

fn worker_with(calls: u64, prepare: impl FnOnce(&mut Desk)) -> (Worker, Arc<Supervisor>) {
    let ((jobs, receiver), (sender, replies)) = (sync::channel(), sync::channel());
    let mut desk = Desk::new(receiver, Wire::new(sender));
    prepare(&mut desk);
    let desk = Arc::new(desk);
    let supervisor = Arc::new(Supervisor { jobs, replies, back: Mutex::default() });
    let own = Arc::clone(&supervisor);
    (Worker { desk, supervisor: own, calls, has_exited: Arc::default() }, supervisor)
}

fn ticket(seq: u64) -> Ticket {
    JobId(100 + seq).into()
}

/// What the job of this attempt gives.
fn output(ticket: Ticket) -> [u8; 1] {
    [ticket.job.0.to_le_bytes()[0]]
}

impl Supervisor {
    fn send(&self, message: &ToWorker<'_>) {
        self.jobs.send(&codec::encode(message).unwrap()).unwrap();
    }

    /// Sends a frame of calls with these places.
    fn send_frame(&self, seqs: std::ops::RangeInclusive<u64>) {
        let first = Seq(*seqs.start());
        let calls = seqs.map(|seq| Call {
            ticket: ticket(seq),
            task: TaskId(0),
            form: Form::Bincode,
            arguments: Value::Inline(b""),
            label: None,
        });
        self.send(&ToWorker::Frame(Frame { first, calls: calls.collect() }));
    }

    /// Sends a run of so many calls.
    fn send_run(&self, count: u32) {
        let (first, run) = (Seq(1), Run { first: ticket(1), count });
        let (task, form) = (TaskId(0), Form::Bincode);
        // Of each the length of its arguments, which are nothing.
        let arguments = &vec![0; count as usize];
        self.send(&ToWorker::Run(Calls { first, run, task, form, arguments }));
    }

    /// Answers as many questions.
    fn answer(&self, questions: usize) {
        let mut answered = 0;
        while answered < questions {
            if let Some(asker) = self.take(&self.replies.recv().unwrap()) {
                self.send(&ToWorker::Told { asker, yes: true });
                answered += 1;
            }
        }
    }

    /// Takes in what the worker says. Returns who asks, if somebody does.
    fn take(&self, packet: &[u8]) -> Option<Ticket> {
        let mut back = self.back.lock().unwrap();
        match codec::decode(packet).unwrap() {
            FromWorker::Ask { asker, .. } => return Some(asker),
            FromWorker::Replies(replies) => back.extend(replies.iter().map(|reply| reply.ticket)),
            FromWorker::Returned(tickets) => back.extend(tickets),
            FromWorker::Ran(Outputs { run, mut outputs, .. }) => {
                for ticket in run.tickets() {
                    assert_eq!(codec::take_output(&mut outputs).unwrap(), (0, &output(ticket)[..]));
                    back.push(ticket);
                }
                assert!(outputs.is_empty());
            }
            _ => {}
        }
        None
    }
}

impl Worker {
    /// What a run thread does; the jobs are this function.
    fn serve(&self, job: impl Fn(&Desk, Ticket)) {
        let desk = &*self.desk;
        let (lane, mut hand) = (Lane::default(), Hand::default());
        let mut step = desk.next(&lane, &mut hand);
        loop {
            match step {
                Step::Run(started) => {
                    let last = loop {
                        let call = hand.call();
                        let (ticket, in_run) = (call.ticket, call.in_run);
                        job(desk, ticket);
                        if !desk.lease.go_on(&mut hand, 0, &output(ticket)) {
                            break Done {
                                ticket,
                                in_run,
                                started,
                                elapsed: 0,
                                result: Ok(Output::Inline),
                            };
                        }
                    };
                    let output = output(last.ticket);
                    step = desk.go_on(&lane, &mut hand, last, &output);
                    continue;
                }
                Step::Send => desk.send(),
                Step::Receive(receiver) => {
                    let message = receive_or_die(&receiver);
                    if desk.take_in(receiver, message) {
                        desk.send();
                    }
                }
                Step::Exit => {
                    desk.send();
                    return self.exit();
                }
            }
            step = desk.next(&lane, &mut hand);
        }
    }

    /// The process ends, with all its threads. Every call must have been answered by now, or given back.
    fn exit(&self) {
        if self.has_exited.swap(true, SeqCst) {
            return;
        }
        for packet in self.supervisor.replies.drain() {
            self.supervisor.take(&packet);
        }
        let mut back = self.supervisor.back.lock().unwrap().clone();
        back.sort_unstable_by_key(|ticket| ticket.job.0);
        assert_eq!(back, (1..=self.calls).map(ticket).collect::<Vec<_>>());
        self.desk.wake(&self.desk.lock(), usize::MAX);
    }

    fn start(&self, job: impl Fn(&Desk, Ticket) + Send + 'static) -> JoinHandle<()> {
        let own = self.clone();
        thread::spawn(move || own.serve(job))
    }
}

/// Two run threads, a frame of two calls, and the end.
#[test]
fn every_call_is_answered_once_before_the_worker_ends() {
    model(2, || {
        let (worker, supervisor) = worker(2);
        let other = worker.start(|_, _| ());
        supervisor.send_frame(1..=2);
        supervisor.send(&ToWorker::Stop);
        worker.serve(|_, _| ());
        other.join().unwrap();
    });
}

/// The supervisor wants back what has not been started, while it is being started.
#[test]
fn what_is_called_back_is_given_back_or_answered() {
    model(2, || {
        let (worker, supervisor) = worker(2);
        let threads = [(); 2].map(|()| worker.start(|_, _| ()));
        supervisor.send_frame(1..=2);
        supervisor.send(&ToWorker::Recall);
        supervisor.send(&ToWorker::Stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A run thread that goes on without the lock, while another thread sends what there is to be sent.
#[test]
fn what_was_done_under_a_lease_is_sent_once() {
    model(2, || {
        let (worker, supervisor) = worker_with(4, Desk::allow_leases);
        supervisor.send_run(4);
        supervisor.send(&ToWorker::Stop);
        let desk = Arc::clone(&worker.desk);
        let timekeeper = thread::spawn(move || desk.send());
        worker.serve(|_, _| ());
        timekeeper.join().unwrap();
    });
}

/// The supervisor wants back what has not been started, while a run thread starts one after the other.
#[test]
fn what_is_called_back_under_a_lease_is_given_back_or_answered() {
    model(2, || {
        let (worker, supervisor) = worker_with(4, Desk::allow_leases);
        supervisor.send_run(4);
        supervisor.send(&ToWorker::Recall);
        supervisor.send(&ToWorker::Stop);
        let desk = Arc::clone(&worker.desk);
        let stand_in = thread::spawn(move || {
            let mut state = desk.lock();
            let mut receiver = if state.stopping { None } else { state.receiver.take() };
            drop(state);
            while let Some(held) = receiver.take() {
                let message = receive_or_die(&held);
                let is_last = matches!(message, Message::Stop);
                receiver = desk.take_in_by_stand_in(held, message).filter(|_| !is_last);
            }
        });
        worker.serve(|_, _| ());
        stand_in.join().unwrap();
    });
}

/// Asks, and waits for the answer.
fn ask(desk: &Desk, asker: Ticket) {
    let question = FromWorker::Ask { asker, job: JobId(1), question: Question::HasEnded };
    assert!(matches!(desk.ask(asker, &question, None), Some(Answer::Told(true))));
}

/// A job asks, and its thread or the other one receives.
#[test]
fn who_asks_in_a_job_gets_the_answer() {
    model(2, || {
        let (worker, supervisor) = worker(1);
        let threads = [(); 2].map(|()| worker.start(ask));
        supervisor.send_frame(1..=1);
        supervisor.answer(1);
        supervisor.send(&ToWorker::Stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Two jobs ask at once: one receives the answers of both, and then leaves that to the other.
#[test]
fn two_who_ask_both_get_their_answers() {
    model(1, || {
        let (worker, supervisor) = worker(2);
        let threads = [(); 2].map(|()| worker.start(ask));
        supervisor.send_frame(1..=2);
        supervisor.answer(2);
        supervisor.send(&ToWorker::Stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Opened once.
#[derive(Default)]
struct Gate(sync::Mutex<bool>, sync::Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let mut is_open = self.0.lock().unwrap();
        while !*is_open {
            is_open = self.1.wait(is_open).unwrap();
        }
    }
}

/// Who receives gets something to run, for as long as the other one has no answer: that one receives then.
#[test]
fn who_waits_for_an_answer_receives_it_while_the_others_run() {
    model(2, || {
        let (worker, supervisor) = worker(2);
        let answered = Arc::<Gate>::default();
        let threads = [(); 2].map(|()| {
            let answered = Arc::clone(&answered);
            worker.start(move |desk, asker| {
                if asker == ticket(1) {
                    ask(desk, asker);
                    answered.open();
                } else {
                    answered.pass();
                }
            })
        });
        supervisor.send_frame(1..=1);
        supervisor.send_frame(2..=2);
        supervisor.answer(1);
        supervisor.send(&ToWorker::Stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Who received in the midst of its job has its answer, and goes on for as long as another call is not run: a
/// thread without a job receives that.
#[test]
fn who_has_its_answer_leaves_the_receiving_to_an_idle_thread() {
    model(2, || {
        let (worker, supervisor) = worker(2);
        let second_runs = Arc::<Gate>::default();
        let threads = [(); 2].map(|()| {
            let second_runs = Arc::clone(&second_runs);
            worker.start(move |desk, asker| {
                if asker == ticket(1) {
                    ask(desk, asker);
                    second_runs.pass();
                } else {
                    second_runs.open();
                }
            })
        });
        supervisor.send_frame(1..=1);
        supervisor.answer(1);
        supervisor.send_frame(2..=2);
        supervisor.send(&ToWorker::Stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Two run threads look at the worker's size at once.
#[test]
fn growth_is_told_once_by_all_run_threads() {
    model(3, || {
        let growth = Arc::new(Growth::new(Some(1)));
        let other = Arc::clone(&growth);
        let other = thread::spawn(move || usize::from(other.is_news(0)));
        let told = usize::from(growth.is_news(0));
        assert_eq!(told + other.join().unwrap(), 1);
    });
}
