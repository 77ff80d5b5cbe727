//! Arguments and outputs of all sizes, and workers that die with them half on the way.

use std::time::Duration;

use brigade_supervisor::{Job, Prefetch};
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;
use rustix::process::Signal;

use crate::pools::{assert_staffed, builder, error, occupy, outcome, pool, tell, told, value};

const MIB: usize = 1024 * 1024;

/// Large values are copied directly, or they travel in parts.
const ROADS: [bool; 2] = [true, false];

/// Around the size of a message, of the transport's largest packet, where the direct road begins (with
/// the quotation marks, and brackets), and far beyond.
const SIZES: [usize; 17] = [
    0,
    1,
    60 * 1024,
    64 * 1024 - 60,
    64 * 1024 - 1,
    64 * 1024,
    64 * 1024 + 1,
    200 * 1024,
    212_992,
    256 * 1024 - 5,
    256 * 1024 - 4,
    256 * 1024 - 3,
    256 * 1024 - 2,
    256 * 1024,
    MIB,
    5 * MIB + 7,
    20 * MIB,
];

fn measure(bytes: usize) -> Job<String> {
    Job::json("measure", format!("[\"{}\"]", "a".repeat(bytes)))
}

fn measured(bytes: usize) -> String {
    format!("[{bytes},{}]", bytes * usize::from(b'a'))
}

fn fill(bytes: usize) -> Job<String> {
    Job::json("fill", format!("[{bytes}]"))
}

#[test]
fn arguments_of_any_size_arrive_whole() {
    for direct in ROADS {
        let pool = builder(2).direct(direct).build().unwrap();
        let jobs: Vec<_> = SIZES.map(|size| (size, pool.submit(measure(size)))).into();
        for (size, job) in jobs {
            assert_eq!(value(job), measured(size), "direct: {direct}");
        }
    }
}

#[test]
fn outputs_of_any_size_arrive_whole() {
    for direct in ROADS {
        let pool = builder(2).direct(direct).build().unwrap();
        let jobs: Vec<_> = SIZES.map(|size| (size, pool.submit(fill(size)))).into();
        for (size, job) in jobs {
            let output = value(job);
            assert_eq!(output.len(), size + 2, "with its quotation marks; direct: {direct}");
            assert!(output.trim_matches('"').bytes().all(|byte| byte == b'x'));
        }
    }
}

#[test]
fn an_output_may_be_as_large_as_the_limit_and_not_larger() {
    let pool = builder(1).max_output(MIB as u64).build().unwrap();
    assert_eq!(value(pool.submit(fill(MIB - 2))).len(), MIB);
    let error = error(pool.submit(fill(MIB - 1)));
    assert!(error.is_undecodable(), "{error}");
    let text = "output of 1048577 bytes is larger than the limit of 1048576 bytes";
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(told(pool.submit(tell("the same worker goes on"))).0, 1);
}

#[test]
fn a_worker_that_stops_reading_holds_up_nobody_else() {
    ROADS.into_iter().for_each(a_worker_that_stops_reading);
}

fn a_worker_that_stops_reading(direct: bool) {
    let pool = builder(2).direct(direct).prefetch(Prefetch::AtMost(2)).build().unwrap();
    let gate = Gate::open();
    let (busy, mut visitors) = occupy(&pool, &gate, 2);
    let stopped = visitors.pop().unwrap();
    process::send(stopped.pid, Signal::STOP);
    // Some of these go to the worker that takes nothing any more.
    let large: Vec<_> = (0..4).map(|_| pool.submit(measure(4 * MIB))).collect();
    let pid = visitors[0].pid;
    visitors.pop().unwrap().release();
    assert_eq!(told(pool.submit(tell("beside"))).1, pid);
    process::kill(stopped.pid);
    gate.wait_for_all(1).into_iter().for_each(Visitor::release);
    for job in large {
        assert_eq!(value(job), measured(4 * MIB));
    }
    for job in busy {
        assert_eq!(told(job).2, "released");
    }
}

/// It cannot make room, so nothing is ever written to it.
#[test]
fn a_stopped_worker_is_killed_with_the_job_that_it_does_not_take() {
    for direct in ROADS {
        let pool = builder(1).direct(direct).build().unwrap();
        let stopped = *assert_staffed(&pool, 1).iter().next().unwrap();
        process::send(stopped, Signal::STOP);
        let job = measure(4 * MIB).timeout(Duration::from_millis(200));
        assert!(error(pool.submit(job)).is_timed_out(), "direct: {direct}");
        let pid = told(pool.submit(tell("another"))).1;
        assert_ne!(pid, stopped);
        process::send(pid, Signal::STOP);
        let future = pool.submit(measure(4 * MIB));
        process::kill(pid);
        assert_eq!(value(future), measured(4 * MIB), "the next worker takes it");
    }
}

#[test]
fn a_worker_that_dies_within_a_large_transfer_takes_nothing_with_it() {
    ROADS.into_iter().for_each(a_worker_that_dies);
}

fn a_worker_that_dies(direct: bool) {
    let pool = builder(2).direct(direct).build().unwrap();
    let pids: Vec<u32> = assert_staffed(&pool, 2).into_iter().collect();
    for victim in pids {
        let jobs = [measure(8 * MIB), fill(8 * MIB), measure(8 * MIB), fill(8 * MIB)];
        let jobs: Vec<_> = jobs.into_iter().map(|job| pool.submit(job)).collect();
        // Somewhere on the way: where exactly does not matter to what follows.
        assert_eq!(outcome(pool.submit(tell("a moment"))).map(|_| ()), Ok(()));
        process::kill(victim);
        for (index, job) in jobs.into_iter().enumerate() {
            let output = value(job);
            assert!(output == measured(8 * MIB) || output.len() == 8 * MIB + 2, "job {index}");
        }
    }
    assert_staffed(&pool, 2);
}

#[test]
fn what_a_task_prints_is_not_lost_when_it_is_much() {
    let (to, lines) = std::sync::mpsc::channel();
    let pool = builder(1)
        .on_output(move |line| to.send(line.text.len()).expect("the test waits"))
        .build()
        .expect("the pool starts");
    let printed = value(pool.submit(Job::json("flood", "[1000000]")));
    assert_eq!(printed, "1000000");
    drop(pool);
    let lengths: Vec<usize> = lines.iter().collect();
    assert_eq!(lengths.len(), 10_000);
    assert!(lengths.iter().all(|length| *length == 99));
}

#[test]
fn last_words_are_the_last_ones() {
    let pool = pool(1);
    let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    let job = Job::json("say", format!("[{}, \"exit\"]", brigade_tests::json(&lines)));
    let error = error(pool.submit(job.crash_retries(0)));
    let words = error.last_words();
    assert!(!words.is_empty() && words.len() < 100, "{words:?}");
    assert!(lines.ends_with(words), "{words:?}");
    assert_eq!(error.elapsed().map(|elapsed| elapsed > Duration::ZERO), Some(true));
}
