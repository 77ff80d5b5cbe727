//! Pools of this very program, the tasks that most tests need, and what is checked everywhere.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use brigade::{Builder, Context, Future, JobError, ProcessPool, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{self, Gate, Visitor};

/// What [`tell`] and [`hold`] tell: attempt, pid, number.
pub(crate) type Told = (u32, u32, u64);

/// Tells who runs it, and X.
#[task]
pub(crate) fn tell(context: &Context, x: u64) -> Told {
    (context.attempt(), std::process::id(), x)
}

/// Twice X.
#[task]
pub(crate) fn double(x: u64) -> u64 {
    2 * x
}

/// Says at GATE that it runs, waits until it is let go, and tells who ran it.
#[task]
pub(crate) fn hold(context: &Context, gate: PathBuf) -> io::Result<Told> {
    pass(context, &gate)?;
    Ok((context.attempt(), std::process::id(), 0))
}

/// Fails.
#[task]
pub(crate) fn fail(message: String) -> Result<u64, String> {
    Err(message)
}

/// The task's side of a gate: says who it is, and waits until it is let go.
pub(crate) fn pass(context: &Context, gate: &Path) -> io::Result<()> {
    let gate = gate.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    gate::wait(&mut gate::visit(context, gate)?)
}

/// A pool of this program, whose workers print to nobody, and no stacks into their last words.
pub(crate) fn builder(workers: usize) -> Builder {
    ProcessPool::builder().workers(workers).env("RUST_BACKTRACE", "0").on_output(|_| {})
}

/// As [`builder`], started.
#[track_caller]
pub(crate) fn pool(workers: usize) -> ProcessPool {
    builder(workers).build().expect("the pool starts")
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

/// Has each of so many workers hold a job.
#[track_caller]
pub(crate) fn occupy(
    pool: &ProcessPool,
    gate: &Gate,
    workers: usize,
) -> (Vec<Future<Told>>, Vec<Visitor>) {
    let futures = (0..workers).map(|_| pool.submit(hold(gate.path()))).collect();
    (futures, gate.wait_for_all(workers))
}

/// Isolation: the pool serves the next job, and all its workers are there, at the same time.
#[track_caller]
pub(crate) fn assert_intact(pool: &ProcessPool, workers: usize) -> HashSet<u32> {
    assert_eq!(value(pool.submit(double(21))), 42, "the pool serves the next job");
    let gate = Gate::open();
    let (futures, visitors) = occupy(pool, &gate, workers);
    let pids: HashSet<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
    assert_eq!(pids.len(), workers, "all its workers are there");
    visitors.into_iter().for_each(Visitor::release);
    for future in futures {
        assert_eq!(value(future).0, 1, "nobody else was charged");
    }
    assert_eq!(pool.gave_up(), None);
    pids
}

/// A pool of two: one is busy, the other runs what misbehaves; only that fails.
#[track_caller]
pub(crate) fn alone_fails<T: std::fmt::Debug>(
    submit: impl FnOnce(&ProcessPool) -> Future<T>,
) -> JobError {
    let (pool, gate) = (pool(2), Gate::open());
    let (mut busy, mut visitors) = occupy(&pool, &gate, 1);
    let failing = submit(&pool);
    let queued: Vec<_> = (0..5).map(|x| pool.submit(tell(x))).collect();
    let end = error(failing);
    for (x, future) in (0..).zip(queued) {
        let (attempt, _, told) = value(future);
        assert_eq!((attempt, told), (1, x), "who waited beside it: {end}");
    }
    visitors.remove(0).release();
    assert_eq!(value(busy.remove(0)).0, 1, "who ran beside it: {end}");
    assert_intact(&pool, 2);
    end
}
