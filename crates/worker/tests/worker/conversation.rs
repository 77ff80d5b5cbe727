//! What a job says about other jobs, message by message, and what becomes of the answers.

use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::{JobId, Ticket, WorkerId};
use brigade_protocol::message::{
    Length, MOST_HANDLES, MOST_UNACCEPTED, Question, TaskErrorKind, ToWorker, Value,
};

use crate::driver::{Gate, Said, Server, Worker};
use crate::tests;

pub(crate) const TESTS: &[(&str, fn())] = tests! {
    a_job_that_waits_is_told_the_end
    a_large_end_comes_in_parts
    large_arguments_go_in_parts
    the_end_of_a_job_may_be_an_error
    a_wait_that_must_not_be_is_an_error
    a_wait_that_is_over_is_told_and_answered
    an_end_that_comes_too_late_is_still_an_end
    what_waits_behind_a_waiting_job_is_given_back
    a_job_that_is_to_stop_sees_it_and_the_next_one_does_not
    a_job_that_is_to_stop_before_it_is_started_sees_it_too
    a_submission_waits_until_there_is_room
    a_future_that_outlives_its_job_is_silent
    seats_are_reserved_used_and_abandoned
    questions_are_answered_with_yes_or_no
    too_many_handles_fail_their_job_alone
    progress_is_on_the_board_until_the_job_ends
    replies_do_not_wait_for_a_waiting_job
};

pub(crate) fn nested(count: u32) -> JobId {
    JobId::nested(WorkerId(0), count)
}

pub(crate) fn ticket(job: u64) -> Ticket {
    JobId(job).into()
}

/// Tells a waiting job that another has ended so.
pub(crate) fn settle(worker: &Worker, waiter: u64, job: JobId, output: &str) {
    let result = Ok(Value::Inline(output.as_bytes()));
    worker.say(&ToWorker::Settled { waiter: ticket(waiter), job, result });
}

fn error(failure: Failure) -> JobError {
    JobError::unstarted(nested(1), "echo".into(), None, failure)
}

/// Sends a job of this task, which submits a job of `echo` and waits for it.
#[track_caller]
pub(crate) fn begin(worker: &mut Worker, task: &str, arguments: &str) {
    worker.send(task, &[arguments]);
    expect_submit_and_wait(worker, 1, 1, "1");
}

#[track_caller]
pub(crate) fn expect_submit(worker: &mut Worker, parent: u64, count: u32, value: &str) {
    let submit = Said::Submit(parent, nested(count), "echo".into(), value.into());
    assert_eq!(worker.hear(), submit);
}

#[track_caller]
pub(crate) fn expect_submit_and_wait(worker: &mut Worker, parent: u64, count: u32, value: &str) {
    expect_submit(worker, parent, count, value);
    assert_eq!(worker.hear(), Said::Wait(parent, vec![nested(count)]));
}

#[track_caller]
pub(crate) fn expect_taken_and_reply(worker: &mut Worker, job: u64, output: &str) {
    assert_eq!(worker.hear(), Said::Taken);
    assert_eq!(worker.replies(1), [(job, Ok(output.to_owned()))]);
}

/// Waits for an acknowledgement and what the job says next. If the stand-in has received, that may come
/// first.
#[track_caller]
fn expect_taken_and(worker: &mut Worker, next: &Said) {
    let said = [worker.hear(), worker.hear()];
    assert!(said.contains(&Said::Taken) && said.contains(next), "{said:?}");
}

/// A string in JSON, of a string in JSON.
fn quoted(text: &str) -> String {
    format!("\"\\\"{text}\\\"\"")
}

fn a_job_that_waits_is_told_the_end() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    begin(&mut worker, "delegate", r#"["echo", "1"]"#);
    settle(&worker, 1, nested(1), "42");
    expect_taken_and_reply(&mut worker, 1, "\"42\"");
    // Its ids count up.
    worker.send("delegate", &[r#"["echo", "2"]"#]);
    expect_submit_and_wait(&mut worker, 2, 2, "2");
    settle(&worker, 2, nested(2), "43");
    expect_taken_and_reply(&mut worker, 2, "\"43\"");
    worker.send("delegate", &[r#"["no-such-task", "2"]"#]);
    let error = worker.replies(1).remove(0).1.unwrap_err();
    assert!(error.message.ends_with("no such task: no-such-task"), "{error}");
}

fn a_large_end_comes_in_parts() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    begin(&mut worker, "delegate", r#"["echo", "1"]"#);
    let text = "z".repeat(40_000);
    let output = format!("\"{text}\"");
    for bytes in output.as_bytes().chunks(16 * 1024) {
        worker.say(&ToWorker::Part { ticket: ticket(1), bytes });
        assert_eq!(worker.hear(), Said::Taken);
    }
    let result = Ok(Value::Parts(Length::plain(output.len() as u64)));
    worker.say(&ToWorker::Settled { waiter: ticket(1), job: nested(1), result });
    expect_taken_and_reply(&mut worker, 1, &quoted(&text));
}

fn large_arguments_go_in_parts() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let arguments = "7".repeat(150_000);
    worker.send_in_parts("delegate", format!("[\"echo\", \"{arguments}\"]").as_bytes());
    for _ in 0..4 {
        assert_eq!(worker.hear(), Said::Part);
    }
    expect_submit_and_wait(&mut worker, 1, 1, &arguments);
    settle(&worker, 1, nested(1), "1");
    expect_taken_and_reply(&mut worker, 1, "\"1\"");
}

fn the_end_of_a_job_may_be_an_error() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    begin(&mut worker, "delegate", r#"["echo", "1"]"#);
    let result = Err(error(Failure::Cancelled));
    worker.say(&ToWorker::Settled { waiter: ticket(1), job: nested(1), result });
    assert_eq!(worker.hear(), Said::Taken);
    let error = worker.replies(1).remove(0).1.unwrap_err();
    assert_eq!((error.kind, &*error.message), (TaskErrorKind::Failed, "job 0.1 (echo): cancelled"));
}

fn a_wait_that_must_not_be_is_an_error() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    begin(&mut worker, "delegate", r#"["echo", "1"]"#);
    let error = error(Failure::Refused("the nesting is too deep".into()));
    worker.say(&ToWorker::WaitFailed { waiter: ticket(1), error });
    assert_eq!(worker.hear(), Said::Taken);
    let error = worker.replies(1).remove(0).1.unwrap_err();
    assert!(error.message.ends_with("the nesting is too deep"), "{error}");
    assert_eq!(worker.run("double", "[1]"), Ok("2".into()), "the worker is well");
}

fn a_wait_that_is_over_is_told_and_answered() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    for milliseconds in [0, 5] {
        let job = worker.number();
        worker.send("wait-a-while", &[&format!("[{milliseconds}]")]);
        expect_submit_and_wait(&mut worker, job, u32::try_from(job).unwrap(), "1");
        assert_eq!(worker.hear(), Said::WaitOver(job));
        let error = error(Failure::Cancelled);
        worker.say(&ToWorker::WaitFailed { waiter: ticket(job), error });
        expect_taken_and_reply(&mut worker, job, "\"in vain\"");
    }
}

fn an_end_that_comes_too_late_is_still_an_end() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    begin(&mut worker, "wait-a-while", "[5]");
    assert_eq!(worker.hear(), Said::WaitOver(1));
    settle(&worker, 1, nested(1), "42");
    expect_taken_and_reply(&mut worker, 1, "\"42\"");

    worker.send("wait-a-while", &["[1000000]"]);
    expect_submit_and_wait(&mut worker, 2, 2, "1");
    settle(&worker, 2, nested(2), "in time");
    expect_taken_and_reply(&mut worker, 2, "\"in time\"");
}

fn what_waits_behind_a_waiting_job_is_given_back() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send_calls(&[
        ("delegate", brigade_protocol::message::Form::Json, br#"["echo", "1"]"#),
        ("double", brigade_protocol::message::Form::Json, b"[1]"),
    ]);
    expect_submit_and_wait(&mut worker, 1, 1, "1");
    worker.send("double", &["[2]", "[3]"]);
    worker.say(&ToWorker::Recall);
    assert_eq!(worker.hear(), Said::Returned(vec![2, 3, 4]));
    settle(&worker, 1, nested(1), "42");
    expect_taken_and_reply(&mut worker, 1, "\"42\"");
    worker.send("double", &["[5]"]);
    assert_eq!(worker.replies(1), [(5, Ok("10".into()))]);
}

fn a_job_that_is_to_stop_sees_it_and_the_next_one_does_not() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    worker.send("until-stopped", &[&gate.arguments()]);
    worker.send("is-wanted", &["[]", "[]"]);
    gate.open();
    worker.say(&ToWorker::PleaseStop(ticket(1)));
    assert_eq!(worker.replies(3).pop(), Some((3, Ok("true".into()))));
    worker.say(&ToWorker::PleaseStop(ticket(1)));
    assert_eq!(worker.run("is-wanted", "[]"), Ok("true".into()));
}

/// Only the supervisor's side knows nothing of what has been started.
fn a_job_that_is_to_stop_before_it_is_started_sees_it_too() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    worker.send("until-stopped", &[&gate.arguments()]);
    worker.send("is-wanted", &["[]", "[]"]);
    gate.open();
    worker.say(&ToWorker::PleaseStop(ticket(2)));
    worker.say(&ToWorker::PleaseStop(ticket(1)));
    let wanted = [(2, Ok("false".into())), (3, Ok("true".into()))];
    assert_eq!(worker.replies(3)[1..], wanted);
    // One that is given back is forgotten.
    let next = worker.number();
    worker.send("until-stopped", &[&gate.arguments()]);
    worker.send("is-wanted", &["[]"]);
    gate.open();
    worker.say(&ToWorker::PleaseStop(ticket(next + 1)));
    worker.say(&ToWorker::Recall);
    assert_eq!(worker.hear(), Said::Returned(vec![next + 1]));
    worker.say(&ToWorker::PleaseStop(ticket(next)));
    assert_eq!(worker.replies(1), [(next, Ok("null".into()))]);
}

fn a_submission_waits_until_there_is_room() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("submit-many", &["[258]"]);
    for count in 0..MOST_UNACCEPTED {
        expect_submit(&mut worker, 1, count + 1, &count.to_string());
    }
    // It is silent until there is room, but reads.
    worker.say(&ToWorker::Recall);
    assert_eq!(worker.hear(), Said::Returned(vec![]));
    for count in 256..258 {
        worker.say(&ToWorker::Accepted(1));
        let next = Said::Submit(1, nested(count + 1), "echo".into(), count.to_string());
        expect_taken_and(&mut worker, &next);
    }
    assert_eq!(worker.replies(1), [(1, Ok("null".into()))]);
}

fn a_future_that_outlives_its_job_is_silent() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("keep-future", &["[]"]);
    expect_submit(&mut worker, 1, 1, "1");
    assert_eq!(worker.replies(1), [(1, Ok("null".into()))]);
    let error = worker.run("use-future", "[]").unwrap_err();
    assert!(error.message.ends_with("in whose name this was asked has ended"), "{error}");
}

fn seats_are_reserved_used_and_abandoned() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("reserve", &["[]"]);
    assert_eq!(worker.hear(), Said::Reserve(1, nested(1)));
    assert_eq!(worker.hear(), Said::Reserve(1, nested(2)));
    expect_submit(&mut worker, 1, 1, "1");
    assert_eq!(worker.hear(), Said::Abandon(nested(2)));
    assert_eq!(worker.replies(1), [(1, Ok("null".into()))]);
}

fn questions_are_answered_with_yes_or_no() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("ask", &["[]"]);
    expect_submit(&mut worker, 1, 1, "1");
    for (question, yes) in
        [(Question::HasEnded, false), (Question::Cancel, false), (Question::Kill, true)]
    {
        assert_eq!(worker.hear(), Said::Ask(1, nested(1), question));
        worker.say(&ToWorker::Told { asker: ticket(1), yes });
        assert_eq!(worker.hear(), Said::Taken);
    }
    assert_eq!(worker.replies(1), [(1, Ok("[false,false,true]".into()))]);
}

fn too_many_handles_fail_their_job_alone() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("crowd", &[&format!("[{MOST_HANDLES}]")]);
    assert_eq!(worker.hear(), Said::Reserve(1, nested(1)));
    let submitted = loop {
        match worker.hear() {
            Said::Part => {}
            other => break other,
        }
    };
    assert!(matches!(submitted, Said::Submit(1, job, ..) if job == nested(2)), "{submitted:?}");
    assert_eq!(worker.hear(), Said::Wait(1, vec![nested(2)]));
    worker.say(&ToWorker::Settled {
        waiter: ticket(1),
        job: nested(2),
        result: Ok(Value::Inline(b"")),
    });
    expect_taken_and(&mut worker, &Said::Abandon(nested(1)));
    assert_eq!(worker.replies(1), [(1, Ok("null".into()))]);

    worker.send("crowd", &[&format!("[{}]", MOST_HANDLES + 1)]);
    assert_eq!(worker.hear(), Said::Reserve(2, nested(3)));
    assert_eq!(worker.hear(), Said::Abandon(nested(3)));
    let error = worker.replies(1).remove(0).1.unwrap_err();
    assert!(error.message.contains("more than 4096 handles"), "{error}");
}

fn progress_is_on_the_board_until_the_job_ends() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    let arguments = gate.arguments().replace('[', "[3, 7, ");
    worker.send("tell-progress", &[&arguments]);
    gate.open();
    assert_eq!(server.lanes(&worker)[0].progress, Some((3, 7)));
    worker.replies(1);
    worker.send("hold", &[&gate.arguments()]);
    gate.open();
    assert_eq!(server.lanes(&worker)[0].progress, None, "the next one has told nothing");
}

fn replies_do_not_wait_for_a_waiting_job() {
    use brigade_protocol::message::Form::Json;
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send_calls(&[
        ("double", Json, b"[1]"),
        ("double", Json, b"[2]"),
        ("delegate", Json, br#"["echo", "1"]"#),
    ]);
    let mut replies = Vec::new();
    loop {
        match worker.hear() {
            Said::Replies(some) => replies.extend(some),
            Said::Submit(3, ..) => {}
            Said::Wait(3, _) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(replies, [(1, Ok("2".into())), (2, Ok("4".into()))]);
    settle(&worker, 3, nested(1), "42");
    expect_taken_and_reply(&mut worker, 3, "\"42\"");
}
