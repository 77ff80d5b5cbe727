//! What several threads say about other jobs: those of a worker, and those of a job.

use std::collections::HashMap;

use brigade_protocol::message::{Question, ToWorker};

use crate::conversation::{
    begin, expect_submit, expect_submit_and_wait, expect_taken_and_reply, nested, settle, ticket,
};
use crate::driver::{Gate, Said, Server};
use crate::tests;

pub(crate) const TESTS: &[(&str, fn())] = tests! {
    one_run_thread_waits_while_another_runs
    several_run_threads_wait_each_for_its_own
    threads_of_a_job_wait_in_turn
    a_thread_of_a_job_submits_while_another_waits
    a_callback_may_ask
};

fn one_run_thread_waits_while_another_runs() {
    let mut server = Server::start();
    let mut worker = server.spawn_with(2, 1000);
    begin(&mut worker, "delegate", r#"["echo", "1"]"#);
    for _ in 0..100 {
        assert!(worker.run("double", "[4]") == Ok("8".into()));
    }
    // Whoever receives, while one waits and the other is busy.
    let gate = Gate::new();
    worker.send("hold", &[&gate.arguments()]);
    settle(&worker, 1, nested(1), "42");
    expect_taken_and_reply(&mut worker, 1, "\"42\"");
    gate.open();
    assert_eq!(worker.replies(1), [(102, Ok("0".into()))]);
}

fn several_run_threads_wait_each_for_its_own() {
    let mut server = Server::start();
    let mut worker = server.spawn_with(3, 1000);
    for round in 0..20 {
        let (job, mut waits) = (worker.number(), Vec::new());
        worker.send("delegate", &[r#"["echo", "1"]"#; 3]);
        while waits.len() < 3 {
            match worker.hear() {
                Said::Submit(..) => {}
                Said::Wait(waiter, jobs) => waits.push((waiter, jobs[0])),
                other => panic!("{other:?}"),
            }
        }
        // In an order of its own: the answer finds its thread, whoever receives it.
        let first = round % waits.len();
        waits.rotate_left(first);
        for (waiter, awaited) in waits {
            assert!((job..job + 3).contains(&waiter));
            settle(&worker, waiter, awaited, &waiter.to_string());
            expect_taken_and_reply(&mut worker, waiter, &format!("\"{waiter}\""));
        }
    }
}

fn threads_of_a_job_wait_in_turn() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("in-threads", &["[]"]);
    let (mut submitted, mut settled) = (HashMap::new(), 0);
    let mut waiting = None;
    while settled < 2 {
        match worker.hear() {
            Said::Submit(1, job, _, value) => drop(submitted.insert(job, value)),
            Said::Wait(1, jobs) => {
                assert_eq!(waiting.replace(jobs[0]), None, "one waits while another does");
            }
            Said::Taken => {}
            other => panic!("{other:?}"),
        }
        if let Some(job) = waiting
            && submitted.len() == 2
        {
            waiting = None;
            settle(&worker, 1, job, &submitted[&job]);
            settled += 1;
        }
    }
    expect_taken_and_reply(&mut worker, 1, r#"["1","2"]"#);
}

fn a_thread_of_a_job_submits_while_another_waits() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    worker.send("submit-beside-a-wait", &[&gate.arguments()]);
    expect_submit_and_wait(&mut worker, 1, 1, "1");
    gate.open();
    expect_submit(&mut worker, 1, 2, "2");
    settle(&worker, 1, nested(1), "42");
    expect_taken_and_reply(&mut worker, 1, "\"42\"");
}

fn a_callback_may_ask() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("call-back", &["[]"]);
    expect_submit(&mut worker, 1, 1, "1");
    expect_submit(&mut worker, 1, 2, "2");
    assert_eq!(worker.hear(), Said::Wait(1, vec![nested(1)]));
    settle(&worker, 1, nested(1), "42");
    assert_eq!(worker.hear(), Said::Taken);
    assert_eq!(worker.hear(), Said::Ask(1, nested(2), Question::Cancel));
    worker.say(&ToWorker::Told { asker: ticket(1), yes: true });
    expect_taken_and_reply(&mut worker, 1, "\"42\"");
}
