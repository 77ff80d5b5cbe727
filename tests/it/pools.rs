//! Pools for tests, and what is done with all of them.

use std::collections::HashSet;

use brigade_supervisor::{Builder, Future, Job, JobError, ProcessPool};
use brigade_tests::DEADLINE;
use brigade_tests::faults::plain::Told;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;

use crate::FAULTY;

/// A pool whose workers offer the tasks that misbehave.
pub(crate) fn builder(workers: usize) -> Builder {
    ProcessPool::builder().workers(workers).program(FAULTY).on_output(|_| {})
}

/// As [`builder`], started.
pub(crate) fn pool(workers: usize) -> ProcessPool {
    builder(workers).build().expect("the pool starts")
}

/// A job of `hold` at this gate.
pub(crate) fn hold(gate: &Gate) -> Job<String> {
    Job::json("hold", format!("[{}]", gate.json()))
}

/// A job of `tell` with this value.
pub(crate) fn tell(value: &str) -> Job<String> {
    Job::json("tell", format!("[{}]", brigade_tests::json(value)))
}

/// The end of a job.
#[track_caller]
pub(crate) fn outcome<T>(future: Future<T>) -> Result<T, JobError> {
    let name = format!("{future:?}");
    let settled = future.result_timeout(DEADLINE);
    settled.unwrap_or_else(|_| panic!("{name} was not settled within {DEADLINE:?}"))
}

/// The result of a job that succeeds.
#[track_caller]
pub(crate) fn value<T>(future: Future<T>) -> T {
    outcome(future).unwrap_or_else(|error| panic!("it should have succeeded: {error}"))
}

/// The error of a job that fails.
#[track_caller]
pub(crate) fn error<T: std::fmt::Debug>(future: Future<T>) -> JobError {
    outcome(future).expect_err("it should have failed")
}

/// What a job of `tell` or `hold` told.
#[track_caller]
pub(crate) fn told(future: Future<String>) -> Told {
    serde_json::from_str(&value(future)).expect("attempt, pid and value")
}

/// Submits a job of `hold` for each of so many workers, and waits until all of them run.
#[track_caller]
pub(crate) fn occupy(
    pool: &ProcessPool,
    gate: &Gate,
    workers: usize,
) -> (Vec<Future<String>>, Vec<Visitor>) {
    let futures = (0..workers).map(|_| pool.submit(hold(gate))).collect();
    (futures, gate.wait_for_all(workers))
}

/// Checks that so many different workers run jobs at the same time; returns their pids.
#[track_caller]
pub(crate) fn assert_staffed(pool: &ProcessPool, workers: usize) -> HashSet<u32> {
    let gate = Gate::open();
    let (futures, visitors) = occupy(pool, &gate, workers);
    let pids: HashSet<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
    assert_eq!(pids.len(), workers, "each worker runs one job at a time");
    visitors.into_iter().for_each(Visitor::release);
    for future in futures {
        assert_eq!(told(future).0, 1, "it is their first attempt");
    }
    pids
}

/// The fork server of a pool that has workers.
#[track_caller]
pub(crate) fn fork_server(pool: &ProcessPool) -> u32 {
    let worker = *assert_staffed(pool, 1).iter().next().expect("one worker ran the job");
    process::parent(worker).expect("a worker has a parent")
}
