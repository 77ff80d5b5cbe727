//! The supervisor is killed: within a second nothing of it is left, nor of what its tasks started.

use std::time::{Duration, Instant};

use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::{self, until};
use rustix::process::Signal;

use crate::program::supervisor;

/// What is promised.
const PROMISE: Duration = Duration::from_secs(1);

/// Starts a program with busy workers, each with what its task left behind, and kills `whom`.
fn kill_and_look(task: &str, arguments: &str, whom: impl Fn(u32) -> Vec<u32>) {
    let gate = Gate::open();
    let input = format!("{}\n", arguments.replace("GATE", &gate.json())).repeat(4);
    let program = supervisor(&format!("--workers 4 --quiet --task {task} --jobs -")).input(input);
    let mut started = program.start();
    let mut visitors = gate.wait_for_all(4);
    visitors.iter_mut().for_each(Visitor::nod);
    if task != "hang" {
        // Supervisor, fork server, four workers, and one more for each of these.
        until("what the tasks leave behind", DEADLINE, || {
            (started.alive().len() >= 2 + 4 + 4).then_some(())
        });
    }
    for pid in whom(started.pid()) {
        process::send(pid, Signal::KILL);
    }
    let killed = Instant::now();
    for mut visitor in visitors {
        visitor.await_end(PROMISE.saturating_sub(killed.elapsed()));
    }
    started.child.wait().expect("it is our child");
    until("nothing that carries its mark", PROMISE.saturating_sub(killed.elapsed()), || {
        started.alive().is_empty().then_some(())
    });
}

fn the_supervisor(supervisor: u32) -> Vec<u32> {
    vec![supervisor]
}

#[test]
fn busy_workers_die_with_their_supervisor() {
    kill_and_look("hang", "[GATE]", the_supervisor);
}

#[test]
fn copies_of_workers_die_with_it() {
    kill_and_look("fork", "[GATE, \"hang\"]", the_supervisor);
}

#[test]
fn programs_that_tasks_started_die_with_it() {
    kill_and_look("leave", "[GATE, \"child\", \"hang\"]", the_supervisor);
}

#[test]
fn programs_in_sessions_of_their_own_die_with_it() {
    kill_and_look("leave", "[GATE, \"session\", \"hang\"]", the_supervisor);
}

#[test]
fn workers_die_even_if_the_fork_server_is_killed_at_once() {
    // What tasks started may outlive both; the workers may not.
    kill_and_look("hang", "[GATE]", |supervisor| {
        let mut whom = process::children(supervisor);
        whom.push(supervisor);
        whom
    });
}

#[test]
fn a_stopped_worker_dies_with_its_supervisor() {
    let gate = Gate::open();
    let input = format!("[{}]\n", gate.json());
    let program = supervisor("--workers 2 --quiet --task hold --jobs -").input(input);
    let mut started = program.start();
    let mut visitor = gate.wait();
    process::send(visitor.pid, Signal::STOP);
    started.signal(Signal::KILL);
    visitor.await_end(PROMISE);
    started.child.wait().expect("it is our child");
    until("nothing that carries its mark", PROMISE, || started.alive().is_empty().then_some(()));
}

#[test]
fn what_a_task_left_behind_is_gone_after_an_orderly_end() {
    for how in ["child", "session"] {
        let gate = Gate::open();
        let input = format!("[{}, \"{how}\", \"return\"]\n", gate.json()).repeat(3);
        let started = supervisor("--workers 2 --task leave --jobs -").input(input).start();
        for _ in 0..3 {
            gate.wait().release();
        }
        // It sees to it that nothing with the program's mark is left.
        started.finish().expect_code(0);
    }
}

#[test]
fn what_a_task_left_behind_does_not_survive_the_fork_server() {
    let gate = Gate::open();
    let arguments = format!("[{}, \"session\", \"hang\"]\n", gate.json());
    let program = supervisor("--workers 1 --quiet --crash-retries 5 --task leave --jobs -");
    let started = program.input(arguments).start();
    let mut first = gate.wait();
    first.nod();
    until("what the task leaves behind", DEADLINE, || {
        (started.alive().len() == 2 + 1 + 1).then_some(())
    });
    process::kill(process::parent(first.pid).unwrap());
    // The program is a subreaper, and kills what its dead fork server leaves to it.
    first.await_end(PROMISE);
    gate.wait().nod();
    started.signal(Signal::TERM);
    started.signal(Signal::TERM);
    started.finish().expect_code(143);
}
