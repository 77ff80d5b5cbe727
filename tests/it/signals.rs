//! Signals to the program: once asks, twice kills.

use std::time::Duration;

use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::{self, until};
use brigade_tests::program::Started;
use rustix::process::Signal;

use crate::program::supervisor;
use crate::records::by_job;

/// A program with two workers that hold, and four jobs that wait.
fn busy(arguments: &str) -> (Started, Gate, Vec<Visitor>) {
    let gate = Gate::open();
    let line = format!("[{}]\n", gate.json());
    let program = supervisor(&format!("--workers 2 --task hold --jobs - {arguments}"));
    let started = program.input(line.repeat(6)).start();
    let visitors = gate.wait_for_all(2);
    (started, gate, visitors)
}

#[test]
fn an_interrupt_lets_running_jobs_finish() {
    let (started, gate, visitors) = busy("--output jsonl --grace 30");
    started.signal(Signal::INT);
    started.await_stderr("interrupted");
    visitors.into_iter().for_each(Visitor::release);
    let ended = started.finish().expect_code(130);
    let records = by_job(ended.records());
    let succeeded = records.iter().filter(|record| record["status"] == "succeeded").count();
    let cancelled = records.iter().filter(|record| record["status"] == "cancelled").count();
    assert_eq!((succeeded, cancelled), (2, records.len() - 2), "{records:?}");
    assert!(gate.wait_for(Duration::ZERO).is_none(), "nothing more was started");
    assert!(ended.stderr.contains("2 succeeded"), "{}", ended.stderr);
}

#[test]
fn what_runs_beyond_the_grace_is_killed() {
    let (started, _gate, visitors) = busy("--grace 100ms");
    started.signal(Signal::INT);
    for mut visitor in visitors {
        visitor.await_end(DEADLINE);
    }
    started.finish().expect_code(130);
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let (started, _gate, visitors) = busy("--grace 1000");
    started.signal(Signal::INT);
    started.await_stderr("interrupted");
    started.signal(Signal::INT);
    for mut visitor in visitors {
        visitor.await_end(Duration::from_secs(1));
    }
    started.finish().expect_code(130);
}

#[test]
fn other_signals_have_their_own_exit_codes() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let (started, _gate, visitors) = busy("--grace 30");
        started.signal(signal);
        started.await_stderr("interrupted");
        visitors.into_iter().for_each(Visitor::release);
        started.finish().expect_code(code);
    }
}

#[test]
fn an_input_that_never_ends_does_not_hold_it_up() {
    let mut started = supervisor("--workers 1 --task double --jobs -").open_input().start();
    started.await_workers(1);
    let stdin = started.child.stdin.take();
    started.signal(Signal::INT);
    let ended = started.finish().expect_code(130);
    assert_eq!(ended.stdout, "");
    drop(stdin);
}

#[test]
fn an_interrupted_count_prints_no_sum() {
    let program = supervisor("--workers 2 --task prime-count --limit 1e12 --segment 1e6 --grace 5");
    let started = program.start();
    started.await_workers(2);
    started.signal(Signal::INT);
    let ended = started.finish().expect_code(130);
    assert_eq!(ended.stdout, "", "half a sum is none");
    assert!(ended.stderr.contains("no sum is printed"), "{}", ended.stderr);
}

#[test]
fn a_stopped_program_stops_its_workers_and_no_time_runs() {
    let (started, gate, visitors) = busy("--timeout 2");
    started.signal(Signal::TSTP);
    until("all of it to be stopped", DEADLINE, || {
        let workers = visitors.iter().map(|visitor| visitor.pid);
        let mut all = workers.chain([started.pid()]);
        all.all(|pid| process::state(pid) == Some('T')).then_some(())
    });
    // Longer than the time-out, which must not run meanwhile: only time itself can show that.
    std::thread::sleep(Duration::from_millis(2200));
    started.signal(Signal::CONT);
    visitors.into_iter().for_each(Visitor::release);
    for _ in 0..4 {
        gate.wait().release();
    }
    let ended = started.finish().expect_code(0);
    assert_eq!(ended.stdout.lines().count(), 6);
    assert!(ended.stdout.lines().all(|line| line.starts_with("[1,")), "{}", ended.stdout);
}
