//! Jobs that submit jobs and wait for them: any depth on any number of workers.

use std::path::PathBuf;
use std::time::Duration;

use brigade::protocol::message::Exit;
use brigade::{Context, Failure, Handle, JobError, Prefetch, ProcessPool, as_completed, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;

use crate::support::{assert_intact, builder, double, error, hold, occupy, pass, pool, value};

/// The Nth Fibonacci number; each call is a job.
#[task]
fn fib(context: &Context, n: u64) -> brigade::Result<u64> {
    if n < 2 {
        return Ok(n);
    }
    let (a, b) = (context.submit(fib(n - 1)), context.submit(fib(n - 2)));
    Ok(a.result()? + b.result()?)
}

/// A job in a job in a job, so many deep.
#[task]
fn descend(context: &Context, depth: u64) -> Result<u64, JobError> {
    if depth == 0 { Ok(0) } else { Ok(context.submit(descend(depth - 1)).result()? + 1) }
}

/// Waits for another job and adds one to its result.
#[task]
fn one_above(context: &Context, other: Handle<u64>) -> Result<u64, JobError> {
    Ok(context.wait(other)? + 1)
}

/// Gives the handle on to another job, and waits for that.
#[task]
fn pass_on(context: &Context, other: Handle<u64>) -> Result<u64, JobError> {
    context.submit(one_above(other)).result()
}

/// Passes GATE, and gives X back.
#[task]
fn after(context: &Context, gate: PathBuf, x: u64) -> std::io::Result<u64> {
    pass(context, &gate).map(|()| x)
}

/// Asks for a child's result when that has been settled for long, and once more.
#[task]
fn ask_late(context: &Context) -> Result<u64, JobError> {
    let (first, second) = (context.submit(double(1)), context.submit(double(10)));
    assert!(second.error().is_none() && first.error().is_none());
    assert!(first.done() && second.done());
    let handle = first.handle();
    Ok(first.result()? + context.wait(&handle)? + context.wait(handle)? + second.result()?)
}

/// Takes its worker down.
#[task]
fn crash(code: i32) {
    std::process::exit(code);
}

/// Has a job crash, and tells what it learned of it.
#[task]
fn have_a_crash(context: &Context) -> (Option<Exit>, String, JobError) {
    let job = context.submit(crash(3).crash_retries(0).label("the child"));
    let error = job.result().expect_err("it crashes");
    (error.exit(), error.task().to_owned(), error)
}

/// Submits some jobs, and then one that holds up the only worker, and waits for that: the last is the
/// first to be started.
#[task]
fn wait_in_vain(context: &Context, gate: PathBuf, log: PathBuf) -> Result<(), JobError> {
    let _behind: Vec<_> = (0..3).map(|_| context.submit(touch(log.clone()))).collect();
    context.submit(hold(gate)).result().map(drop)
}

/// Leaves a trace of having been started.
#[task]
fn touch(log: PathBuf) -> std::io::Result<()> {
    std::fs::write(log, "it was started")
}

/// So many bytes.
#[task]
fn fill(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

/// Looks through a large result of a job.
#[task]
fn weigh(context: &Context, bytes: usize) -> Result<(usize, u64), JobError> {
    let filled = context.submit(fill(bytes)).result()?;
    Ok((filled.len(), filled.iter().map(|byte| u64::from(*byte)).sum()))
}

/// Sums up results of jobs that it had in two ways.
#[task]
fn gather(context: &Context, count: u64) -> Result<(Vec<u64>, u64), JobError> {
    let mapped: Result<Vec<u64>, JobError> = context.map((0..count).map(double)).collect();
    let futures: Vec<_> = (0..count).map(|x| context.submit(double(x))).collect();
    let mut sum = 0;
    for future in as_completed(futures) {
        sum += future.result()?;
    }
    Ok((mapped?, sum))
}

/// Loses its patience with a job, tells so at GATE, and then waits for it all the same.
#[task]
fn lose_patience(context: &Context, slow: PathBuf, gate: PathBuf) -> brigade::Result<u64> {
    let slow = context.submit(after(slow, 7));
    let Err(slow) = slow.result_timeout(Duration::from_millis(20)) else {
        return Err(brigade::Error::new("it did not wait at its gate"));
    };
    let beside = context.submit(double(100)).result()?;
    pass(context, &gate)?;
    Ok(slow.result()? + beside)
}

fn fibs(pool: &ProcessPool, workers: usize) {
    // Twenty thousand waits, each of which wakes half a dozen threads: where that is slow, it is no hang.
    let number = pool.submit(fib(20)).result_timeout(10 * DEADLINE);
    assert_eq!(number.ok(), Some(Ok(6765)));
    let most = pool.statistics().most_waiting;
    if workers == 1 {
        assert_eq!(most, 19, "the deepest branch has as many calls above its leaf");
    }
    // There may be a worker too many for a while after each wait, which goes down another branch.
    assert!((19..=19 * 8).contains(&most), "{most} with {workers} workers");
    assert_intact(pool, workers);
}

#[test]
fn recursion_is_right_with_one_worker_and_no_deeper_than_it_must_be() {
    fibs(&pool(1), 1);
}

#[test]
fn recursion_is_right_with_two_workers() {
    fibs(&pool(2), 2);
}

#[test]
fn recursion_is_right_with_eight_workers() {
    fibs(&pool(8), 8);
}

#[test]
fn recursion_is_right_with_several_jobs_in_each_worker() {
    let pool = builder(1).threads_per_worker(4).build().unwrap();
    assert_eq!(value(pool.submit(fib(12))), 144);
    assert_eq!(value(pool.submit(gather(20))).1, 380);
    let several: Vec<_> = (0..8).map(|_| pool.submit(descend(5))).collect();
    assert!(several.into_iter().all(|future| value(future) == 5));
}

#[test]
fn nesting_beyond_the_bound_is_told() {
    let pool = builder(1).max_waiting(5).build().unwrap();
    assert_eq!(value(pool.submit(descend(5))), 5, "five may wait");
    let error = error(pool.submit(descend(6)));
    let words =
        "5 jobs wait for others already, which is the bound (max_waiting): the nesting is too deep";
    assert!(error.is_failed() && error.to_string().contains(words), "{error}");
    assert_eq!(pool.statistics().most_waiting, 5);
    assert_eq!(value(pool.submit(descend(5))), 5, "and it goes on");
}

#[test]
fn a_job_may_be_awaited_by_two_others_and_by_the_client() {
    let (pool, gate) = (pool(1), Gate::open());
    let slow = pool.submit(after(gate.path(), 40));
    let visitor = gate.wait();
    let waiting = [slow.handle(), slow.handle()].map(|handle| pool.submit(one_above(handle)));
    visitor.release();
    assert_eq!(pool.wait(&slow), Ok(40));
    assert_eq!(waiting.map(value), [41, 41]);
    assert_eq!(value(slow), 40);
}

#[test]
fn a_handle_may_go_through_a_third_job() {
    let (pool, gate) = (pool(1), Gate::open());
    let slow = pool.submit(after(gate.path(), 5));
    let visitor = gate.wait();
    let through = pool.submit(pass_on(slow.handle()));
    // Nobody else keeps it.
    drop(slow);
    visitor.release();
    assert_eq!(value(through), 6);
}

#[test]
fn a_child_may_be_awaited_after_it_was_settled() {
    for workers in [1, 3] {
        assert_eq!(value(pool(workers).submit(ask_late())), 26);
    }
}

#[test]
fn a_nested_crash_is_a_typed_error_of_its_parent() {
    let pool = pool(2);
    let (exit, task, error) = value(pool.submit(have_a_crash()));
    assert_eq!((exit, task.as_str()), (Some(Exit::Code(3)), "crash"));
    assert_eq!(*error.failure(), Failure::Crashed(Exit::Code(3)));
    assert_eq!((error.label(), error.attempts()), (Some("the child"), 1));
    assert_intact(&pool, 2);
}

#[test]
fn the_unstarted_children_of_a_dead_parent_are_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    // What waits with a worker could be started before it is called back.
    let builder = ProcessPool::builder().workers(1).prefetch(Prefetch::AtMost(0));
    let (pool, gate) = (builder.build().unwrap(), Gate::open());
    let parent = pool.submit(wait_in_vain(gate.path(), log.clone()).crash_retries(0));
    let child = gate.wait();
    let snapshot = pool.control().snapshot().unwrap();
    let lane = snapshot.lanes.iter().find(|lane| lane.running.iter().any(|job| job.waiting));
    let waiting = lane.expect("the parent waits").worker.expect("it has a process");
    assert_ne!(waiting.pid, child.pid);
    process::kill(waiting.pid);
    assert!(error(parent).is_crashed());
    child.release();
    assert_intact(&pool, 1);
    assert_eq!(pool.statistics().cancelled, 3);
    drop(pool);
    assert!(!log.exists(), "none was started");
}

#[test]
fn a_nested_result_may_be_large() {
    let bytes = 5_000_000;
    let sum = (0..=250_u8).cycle().take(bytes).map(u64::from).sum();
    assert_eq!(value(pool(1).submit(weigh(bytes))), (bytes, sum));
}

#[test]
fn a_job_gathers_by_a_map_and_as_they_end() {
    for workers in [1, 2] {
        let expected: Vec<u64> = (0..100).map(|x| 2 * x).collect();
        assert_eq!(value(pool(workers).submit(gather(100))), (expected, 9900));
    }
}

#[test]
fn a_job_that_loses_its_patience_goes_on_and_may_wait_again() {
    // Two, for the one that is slow has one to itself.
    let (pool, slow, gate) = (pool(2), Gate::open(), Gate::open());
    let parent = pool.submit(lose_patience(slow.path(), gate.path()));
    let child = slow.wait();
    gate.wait().release();
    child.release();
    assert_eq!(value(parent), 207);
}

#[test]
fn a_job_of_another_pool_is_not_awaited() {
    let (pool, other, gate) = (pool(1), pool(1), Gate::open());
    let (mut held, visitors) = occupy(&other, &gate, 1);
    let foreign = other.submit(double(1));
    let job = foreign.job();
    let error = error(pool.submit(one_above(foreign.handle())));
    let words = format!("job {job} belongs to another pool");
    assert!(error.is_failed() && error.to_string().contains(&words), "{error}");
    let refused = pool.wait(foreign.handle()).unwrap_err();
    assert!(refused.is_refused() && refused.to_string().contains(&words), "{refused}");
    visitors.into_iter().for_each(Visitor::release);
    assert_eq!(value(held.remove(0)).0, 1);
    assert!(foreign.result_timeout(DEADLINE).is_ok());
}
