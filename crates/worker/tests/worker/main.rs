//! A fork server and its workers as a supervisor sees them.
//!
//! This program is its own worker program, so `main` is ours and not the test harness's.

#![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

mod conversation;
mod conversations;
mod driver;
mod faults;
mod nesting;
mod options;

use std::io::Read;
use std::panic;
use std::path::Path;
use std::process::Command;

use brigade_protocol::board::Lane;
use brigade_protocol::id::{JobId, Run, Seq, TaskId, WorkerId};
use brigade_protocol::message::{Calls, Exit, Form, TaskErrorKind, ToWorker};
use brigade_protocol::{VARIABLE, codec};
use nix::sys::signal::{SigSet, Signal};

use self::driver::{Gate, Said, Server};
use self::options::{
    a_configuration_holds_for_all_workers, a_configuration_that_comes_late_ends_the_fork_server,
    a_worker_that_has_grown_says_so_once_and_before_its_reply,
    a_worker_whose_initializer_fails_says_so_and_is_never_ready, an_initializer_that_fails_is_told,
    an_initializer_that_leaves_threads_is_refused, what_a_dead_worker_used_is_told,
    what_a_failed_attempt_used_is_told, without_a_bound_no_worker_says_that_it_has_grown,
};

const THREAD_FIRST: &str = "TEST_START_A_THREAD_FIRST";

macro_rules! tests {
    ($($name:ident)*) => { &[$((stringify!($name), $name as fn())),*] };
}
use tests;

const TESTS: &[(&str, fn())] = tests! {
    the_worker_binary_says_hello_with_the_built_in_tasks
    without_a_supervisor_the_worker_binary_explains_itself
    another_thread_before_init_is_refused
    a_job_runs_in_each_form
    a_thousand_jobs_in_frames_are_answered_once_each
    several_run_threads_run_jobs_at_once
    a_run_is_answered_as_one_but_for_what_fails
    a_run_is_given_back_from_where_it_is
    a_job_that_hangs_among_very_short_ones_keeps_nothing_back
    a_run_without_arguments_for_each_ends_the_worker
    a_recall_gives_back_what_has_not_been_started
    a_recall_of_nothing_is_answered
    a_reply_does_not_wait_for_the_long_job_behind_it
    stop_finishes_what_there_is_and_exits_with_zero
    a_panic_is_told_with_its_place_and_stack
    large_values_come_in_parts
    a_large_output_is_mentioned_before_the_next_one_comes
    an_output_over_the_limit_is_an_error
    an_unknown_task_is_an_error
    the_board_tells_what_runs_and_what_is_finished
    reap_tells_how_a_worker_ended
    a_stack_overflow_is_an_abort_with_words
    nonsense_from_the_supervisor_ends_the_worker
    a_worker_has_clean_surroundings
    what_escaped_from_a_worker_dies_with_it
    when_the_supervisor_dies_everything_dies
    when_the_fork_server_dies_its_workers_die
    a_configuration_holds_for_all_workers
    an_initializer_that_leaves_threads_is_refused
    an_initializer_that_fails_is_told
    a_configuration_that_comes_late_ends_the_fork_server
    a_worker_whose_initializer_fails_says_so_and_is_never_ready
    a_worker_that_has_grown_says_so_once_and_before_its_reply
    without_a_bound_no_worker_says_that_it_has_grown
    what_a_failed_attempt_used_is_told
    what_a_dead_worker_used_is_told
};

fn main() {
    if std::env::var_os(THREAD_FIRST).is_some() {
        std::thread::spawn(std::thread::park);
    }
    brigade_worker::init_with(&faults::registry());

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|text| text.starts_with('-'));
    let exact = flags.iter().any(|flag| *flag == "--exact");
    let chosen = |name: &&(&str, fn())| {
        names.is_empty()
            || names.iter().any(|wanted| name.0 == *wanted || !exact && name.0.contains(*wanted))
    };
    let mut failed = 0;
    let all = [TESTS, conversation::TESTS, conversations::TESTS].concat();
    for (name, test) in all.iter().filter(chosen) {
        if flags.iter().any(|flag| *flag == "--list") {
            say(format_args!("{name}: test"));
            continue;
        }
        let passed = panic::catch_unwind(test).is_ok();
        failed += i32::from(!passed);
        say(format_args!("test {name} ... {}", if passed { "ok" } else { "FAILED" }));
    }
    std::process::exit(failed.min(1));
}

#[expect(clippy::print_stdout, reason = "a test program reports there")]
fn say(what: std::fmt::Arguments<'_>) {
    println!("{what}");
}

fn the_worker_binary_says_hello_with_the_built_in_tasks() {
    let server = Server::start_program(Path::new(env!("CARGO_BIN_EXE_worker")), |command| command);
    for name in ["double", "echo", "prime-count", "sleep"] {
        assert!(server.hello.find(name).is_some(), "{name}");
    }
    assert!(!server.hello.build.0.is_empty());
}

fn without_a_supervisor_the_worker_binary_explains_itself() {
    let output = Command::new(env!("CARGO_BIN_EXE_worker")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("supervisor --worker") && words.contains("prime-count"), "{words}");
}

fn another_thread_before_init_is_refused() {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).env(VARIABLE, "/x").env(THREAD_FIRST, "").output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("init must be called before any other thread starts"), "{words}");
    assert_eq!(output.status.code(), Some(70));
}

fn a_job_runs_in_each_form() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send_calls(&[
        ("double", Form::Json, b"[21]"),
        ("double", Form::Word, b"21"),
        ("fill", Form::Bincode, &3_u64.to_le_bytes()),
    ]);
    let outputs: Vec<_> =
        worker.replies(3).into_iter().map(|(_, output)| output.unwrap()).collect();
    assert_eq!(outputs, ["42", "42", "\u{3}\0\0\0\0\0\0\0xxx"]);
}

fn a_thousand_jobs_in_frames_are_answered_once_each() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let mut seen = Vec::new();
    for frame in 0..10 {
        let arguments: Vec<String> =
            (0..100).map(|job| format!("[{}]", frame * 100 + job)).collect();
        worker.send("double", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        // One frame is always waiting while another is run.
        if frame > 0 {
            seen.extend(worker.replies(100));
        }
    }
    seen.extend(worker.replies(1000 - seen.len()));
    seen.sort_by_key(|(job, _)| *job);
    for (number, (job, output)) in (0..1000).zip(&seen) {
        assert_eq!((*job, output.as_deref()), (number + 1, Ok((2 * number).to_string().as_str())));
    }
}

fn several_run_threads_run_jobs_at_once() {
    let mut server = Server::start();
    let mut worker = server.spawn_with(3, 1000);
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    worker.send("hold", &gates.each_ref().map(Gate::arguments).each_ref().map(String::as_str));
    // The last in the queue is let pass first.
    for (gate, job) in gates.iter().zip([1, 2, 3]).rev() {
        gate.open();
        assert_eq!(worker.replies(1), [(job, Ok("0".into()))]);
    }
    assert_eq!(server.lanes(&worker).len(), 3);
}

fn a_recall_gives_back_what_has_not_been_started() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    worker.send("hold", &[&gate.arguments()]);
    worker.send("double", &["[1]", "[2]", "[3]"]);
    worker.say(&ToWorker::Recall);
    // Job 1 may not have been started yet, but the others cannot be: it blocks them.
    match worker.hear() {
        Said::Returned(jobs) if jobs == [2, 3, 4] => gate.open(),
        Said::Returned(jobs) if jobs == [1, 2, 3, 4] => return,
        other => panic!("{other:?}"),
    }
    assert_eq!(worker.replies(1), [(1, Ok("0".into()))]);
    worker.send("double", &["[5]"]);
    assert_eq!(worker.replies(1), [(5, Ok("10".into()))]);
}

fn a_run_is_answered_as_one_but_for_what_fails() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send_run("double", &["1", "2", "\"no number\"", "4", "5"]);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while good.len() + bad.len() < 5 {
        match worker.hear() {
            Said::Ran(first, outputs) => good.extend((first..).zip(outputs)),
            Said::Replies(replies) => bad.extend(replies),
            other => panic!("{other:?}"),
        }
    }
    let doubled = [(1, "2"), (2, "4"), (4, "8"), (5, "10")];
    assert_eq!(good, doubled.map(|(job, text)| (job, text.to_owned())));
    let [(3, Err(error))] = &bad[..] else { panic!("{bad:?}") };
    assert!(error.message.contains("no number"), "{error}");
    let lane = server.lanes(&worker)[0];
    assert_eq!((lane.started, lane.finished), (Seq(5), Seq(5)));
}

fn a_run_is_given_back_from_where_it_is() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let arguments = gates.each_ref().map(Gate::arguments);
    worker.send_run("hold", &arguments.each_ref().map(String::as_str));
    gates[0].open();
    while server.lanes(&worker).first().is_none_or(|lane| lane.started < Seq(2)) {
        std::thread::yield_now();
    }
    worker.say(&ToWorker::Recall);
    let mut heard = vec![worker.hear(), worker.hear()];
    gates[1].open();
    heard.push(worker.hear());
    assert!(heard.contains(&Said::Returned(vec![3])), "{heard:?}");
    for job in [1, 2] {
        assert!(heard.contains(&Said::Replies(vec![(job, Ok("0".into()))])), "{heard:?}");
    }
}

/// Those before it are answered, and those behind it given back.
fn a_job_that_hangs_among_very_short_ones_keeps_nothing_back() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    // In the form that is read fastest: that these are very short is the point.
    let (mut none, mut path) = (Vec::new(), Vec::new());
    codec::encode_value(&(None::<String>,), &mut none).unwrap();
    codec::encode_value(&(Some(gate.path()),), &mut path).unwrap();
    let mut arguments = vec![none.as_slice(); 300];
    arguments[200] = &path;
    worker.send_run_in(Form::Bincode, "hold-perhaps", &arguments);
    let mut answered = Vec::new();
    while answered.len() < 200 {
        match worker.hear() {
            Said::Ran(first, outputs) => {
                answered.extend((first..).zip(outputs).map(|(job, _)| job));
            }
            Said::Replies(replies) => answered.extend(replies.into_iter().map(|(job, _)| job)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, (1..=200).collect::<Vec<_>>());
    let lane = server.lanes(&worker)[0];
    assert_eq!((lane.started, lane.finished), (Seq(201), Seq(200)));
    worker.say(&ToWorker::Recall);
    assert_eq!(worker.hear(), Said::Returned((202..=300).collect()));
    gate.open();
    assert!(matches!(worker.replies(1)[..], [(201, Ok(_))]));
}

fn a_run_without_arguments_for_each_ends_the_worker() {
    let mut server = Server::start();
    for (count, arguments) in [(2, &[1, b'7'][..]), (1, &[1, b'7', 1, b'7']), (1, &[9, b'7'])] {
        let worker = server.spawn();
        let (first, task, form) = (Seq(1), TaskId(0), Form::Json);
        let run = Run { first: JobId(1).into(), count };
        worker.say(&ToWorker::Run(Calls { first, run, task, form, arguments }));
        let (exit, words) = server.reap(worker);
        assert_eq!(exit, Exit::Code(70));
        assert!(words.contains("broke the protocol"), "{words}");
    }
}

fn a_recall_of_nothing_is_answered() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    for _ in 0..2 {
        worker.say(&ToWorker::Recall);
        assert_eq!(worker.hear(), Said::Returned(vec![]));
        worker.run("double", "1").unwrap();
    }
}

fn a_reply_does_not_wait_for_the_long_job_behind_it() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let gate = Gate::new();
    let (double, hold) = (b"[4]".as_slice(), gate.arguments());
    worker.send_calls(&[
        ("double", Form::Json, double),
        ("double", Form::Json, double),
        ("hold", Form::Json, hold.as_bytes()),
    ]);
    assert_eq!(worker.replies(2), [(1, Ok("8".into())), (2, Ok("8".into()))]);
    gate.open();
    assert_eq!(worker.replies(1), [(3, Ok("0".into()))]);
}

fn stop_finishes_what_there_is_and_exits_with_zero() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("double", &["[1]", "[2]"]);
    worker.say(&ToWorker::Stop);
    assert_eq!(worker.replies(2).len(), 2);
    assert_eq!(server.reap(worker).0, Exit::Code(0));

    let worker = server.spawn_with(2, 1000);
    worker.say(&ToWorker::Stop);
    assert_eq!(server.reap(worker).0, Exit::Code(0), "one that has never had a job");
}

fn a_panic_is_told_with_its_place_and_stack() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let error = worker.run("panics", "[false]").unwrap_err();
    assert_eq!((error.kind, &*error.message), (TaskErrorKind::Panicked, "as it was asked to"));
    assert!(error.location.unwrap().contains("faults.rs:"));
    let backtrace = error.backtrace.unwrap();
    assert!(backtrace.contains("panics") && !backtrace.contains("fork_server"), "{backtrace}");

    let error = worker.run("panics", "[true]").unwrap_err();
    assert_eq!(
        (error.kind, &*error.message),
        (TaskErrorKind::Panicked, "(a panic without a text)")
    );
    assert_eq!(worker.run("double", "[1]"), Ok("2".into()), "the worker is well");
    worker.say(&ToWorker::Stop);
    assert_eq!(server.reap(worker), (Exit::Code(0), String::new()), "nothing is printed");
}

/// Of two short jobs in one frame. The supervisor keeps one value that nobody has mentioned, and no more.
fn a_large_output_is_mentioned_before_the_next_one_comes() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("fill", &["[60000]", "[60000]"]);
    for job in 1..=2 {
        assert_eq!([worker.hear(), worker.hear()], [Said::Part, Said::Part]);
        let Said::Replies(replies) = worker.hear() else { panic!("no reply of job {job}") };
        assert_eq!(replies.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [job]);
    }
}

fn large_values_come_in_parts() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let text = format!("[\"{}\"]", "y".repeat(1 << 20));
    worker.send_in_parts("echo", text.as_bytes());
    let (job, output) = worker.replies(1).remove(0);
    assert_eq!((job, output.unwrap()), (1, text[1..text.len() - 1].to_owned()));
    // Around the size up to which an output goes into the reply.
    for length in codec::MESSAGE_BUDGET - codec::OVERHEAD - 4..codec::MESSAGE_BUDGET {
        let output = worker.run("fill", &format!("[{length}]")).unwrap();
        assert_eq!(output.len(), length + 2);
    }
}

fn an_output_over_the_limit_is_an_error() {
    let mut server = Server::start();
    let mut worker = server.spawn_with(1, 100);
    let error = worker.run("fill", "[99]").unwrap_err();
    assert_eq!(error.kind, TaskErrorKind::BadOutput);
    assert_eq!(error.message, "output of 101 bytes is larger than the limit of 100 bytes");
    assert_eq!(worker.run("fill", "[98]").unwrap().len(), 100);
}

fn an_unknown_task_is_an_error() {
    use brigade_protocol::id::{JobId, TaskId};
    use brigade_protocol::message::{Call, Frame, Value};
    let mut server = Server::start();
    let mut worker = server.spawn();
    let (ticket, task, form) = (JobId(9).into(), TaskId(1000), Form::Json);
    let call = Call { ticket, task, form, arguments: Value::Inline(b""), label: None };
    worker.say(&ToWorker::Frame(Frame { first: Seq(1), calls: vec![call] }));
    let (job, result) = worker.replies(1).remove(0);
    assert_eq!((job, &*result.unwrap_err().message), (9, "no task number 1000"));
}

fn the_board_tells_what_runs_and_what_is_finished() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    assert_eq!(server.lanes(&worker), []);
    let gate = Gate::new();
    worker.send("double", &["[1]"]);
    worker.send("hold", &[&gate.arguments()]);
    worker.replies(1);
    gate.open(); // returns when the job is there: it runs, or has just been let pass
    let Lane { started, since, .. } = server.lanes(&worker)[0];
    assert!(started == Seq(2) && since > 0);
    worker.replies(1);
    let lane = server.lanes(&worker)[0];
    assert_eq!((lane.finished, lane.running()), (Seq(2), None));

    worker.send("kill", &["[9]"]);
    worker.last_words();
    assert_eq!(server.lanes(&worker)[0].running(), Some(Seq(3)));
}

fn reap_tells_how_a_worker_ended() {
    let mut server = Server::start();
    for (task, argument, exit) in [
        ("exit", "[7]", Exit::Code(7)),
        ("kill", "[9]", Exit::Signal(9)),
        ("kill", "[6]", Exit::Signal(6)),
        ("kill", "[15]", Exit::Signal(15)),
    ] {
        let mut worker = server.spawn();
        worker.send(task, &[argument]);
        assert_eq!(server.reap(worker).0, exit, "{task} {argument}");
    }
    let worker = server.spawn();
    assert_eq!(server.request_reap(worker.id), Exit::Signal(9), "it was alive");
    assert_eq!(server.request_reap(worker.id), Exit::Unknown, "it was reaped");
    assert_eq!(server.request_reap(WorkerId(99)), Exit::Unknown, "it never was");
}

fn a_stack_overflow_is_an_abort_with_words() {
    let mut server = Server::start();
    for threads in [1, 2] {
        let mut worker = server.spawn_with(threads, 1000);
        worker.send("overflow", &["[0]", "[0]"]);
        let (exit, words) = server.reap(worker);
        assert_eq!(exit, Exit::Signal(6));
        assert!(words.contains("has overflowed its stack"), "{words}");
    }
}

fn nonsense_from_the_supervisor_ends_the_worker() {
    let mut server = Server::start();
    let worker = server.spawn();
    worker.ends.jobs.send(b"\xff\xff\xff").unwrap();
    let (exit, words) = server.reap(worker);
    assert_eq!(exit, Exit::Code(70));
    assert!(words.contains("broke the protocol"), "{words}");
}

fn a_worker_has_clean_surroundings() {
    SigSet::from_iter([Signal::SIGTERM]).thread_block().unwrap();
    let mut server = Server::start_program(&std::env::current_exe().unwrap(), |command| {
        command.env("BRIGADE_NOFILE", "77")
    });
    SigSet::from_iter([Signal::SIGTERM]).thread_unblock().unwrap();
    let mut worker = server.spawn();
    let found = worker.run("surroundings", "[]").unwrap();
    assert_eq!(
        found,
        r#"["session leader true","stdin 0","SigBlk:0000000000000000","descriptors 77","BRIGADE_FORK_SERVER None","BRIGADE_NOFILE None","BRIGADE_WORKER Some(\"0\")"]"#
    );
}

fn what_escaped_from_a_worker_dies_with_it() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let mut neighbour = server.spawn();
    worker.run("leave", "[true]").unwrap();
    worker.run("leave", "[false]").unwrap();
    neighbour.run("leave", "[true]").unwrap();
    server.request_reap(worker.id);
    worker.last_words(); // ends when the last of them is gone
    assert_eq!(neighbour.run("double", "[1]"), Ok("2".into()));
}

fn when_the_supervisor_dies_everything_dies() {
    let mut server = Server::start();
    let mut workers = [server.spawn(), server.spawn()];
    for worker in &mut workers {
        worker.run("leave", "[true]").unwrap();
        worker.run("leave", "[false]").unwrap();
    }
    workers[1].send("sleep", &["[1000]"]);
    let mut outputs = workers.map(|worker| worker.output);
    let (mut child, mut stderr) = server.die();
    let mut words = String::new();
    for output in &mut outputs {
        output.read_to_string(&mut words).unwrap();
    }
    stderr.read_to_string(&mut words).unwrap();
    assert_eq!(words, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn when_the_fork_server_dies_its_workers_die() {
    let mut server = Server::start();
    let (mut idle, mut busy) = (server.spawn(), server.spawn());
    busy.send("sleep", &["[1000]"]);
    server.child.kill().unwrap();
    assert_eq!(idle.last_words() + &busy.last_words(), "");
    server.child.wait().unwrap();
}
