//! Jobs on threads that wait for jobs.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brigade_supervisor::{Handle, Job, JobError, ThreadPool};
use brigade_task::{Context, task};
use brigade_tests::DEADLINE;

use super::{next, pool, strict};
use crate::pools::{error, value};

#[task(crate = brigade_task)]
fn fib(context: &Context, n: u64) -> Result<u64, JobError> {
    if n < 2 {
        return Ok(n);
    }
    let (a, b) = (context.submit(fib_job(n - 1)), context.submit(fib_job(n - 2)));
    Ok(a.result()? + context.wait(b)?)
}

/// Waits for a job.
#[task(crate = brigade_task)]
fn follow(context: &Context, other: Handle<u64>) -> Result<u64, JobError> {
    context.wait(&other).map(|n| n + 1)
}

/// Goes down so many levels.
#[task(crate = brigade_task)]
fn descend(context: &Context, levels: u32) -> Result<u32, JobError> {
    if levels == 0 { Ok(0) } else { Ok(context.submit(descend_job(levels - 1)).result()? + 1) }
}

static TOLD: Mutex<Option<Sender<Result<(), JobError>>>> = Mutex::new(None);

/// Waits for what does not end by itself.
#[task(crate = brigade_task)]
fn wait_in_vain(context: &Context) {
    let told = TOLD.lock().unwrap().take().unwrap();
    let _ = told.send(context.submit(Job::<(), _>::of(&held_up::TASK, ())).result());
}

#[task(crate = brigade_task)]
fn held_up(context: &Context) {
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
}

fn fib_job(n: u64) -> Job<u64, (u64,)> {
    Job::of(&fib::TASK, (n,))
}

fn follow_job(other: Handle<u64>) -> Job<u64, (Handle<u64>,)> {
    Job::of(&follow::TASK, (other,))
}

fn descend_job(levels: u32) -> Job<u32, (u32,)> {
    Job::of(&descend::TASK, (levels,))
}

#[test]
fn fib_needs_few_threads() {
    for threads in [1, 2, 8] {
        let pool = pool(threads);
        assert_eq!(value(pool.submit(fib_job(20))), 6765);
        let statistics = pool.statistics();
        assert_eq!(statistics.submitted, 21_891);
        // One is as a stack. Several hold each other up now and then, but no more than that.
        let most = if threads == 1 { 19 } else { 25 * threads + 25 };
        assert!(statistics.most_waiting <= most, "{statistics:?}");
        assert!(statistics.workers_started <= 2 * (most + threads) as u64, "{statistics:?}");
    }
}

#[test]
fn a_job_may_wait_with_the_pool_itself() {
    let pool = Arc::new(pool(1));
    let inside = Arc::clone(&pool);
    let future = pool.submit_fn(move || {
        let squares: Vec<_> = (1..=3).map(|n| inside.submit_fn(move || n * n)).collect();
        squares.into_iter().map(|future| future.result().unwrap()).sum::<i32>()
    });
    assert_eq!(value(future), 14);
}

#[test]
fn what_a_job_submitted_last_is_run_first() {
    let pool = Arc::new(strict(1).build().unwrap());
    let (told, tells) = channel();
    let inside = Arc::clone(&pool);
    let outside = told.clone();
    let future = pool.submit_fn(move || {
        for n in 1..=3 {
            let told = told.clone();
            inside.submit_fn(move || told.send(n).unwrap());
        }
    });
    let last = pool.submit_fn(move || outside.send(0).unwrap());
    value(future);
    value(last);
    assert_eq!(tells.iter().take(4).collect::<Vec<_>>(), [3, 2, 1, 0]);
}

#[test]
fn two_jobs_that_wait_for_each_other_are_told() {
    for threads in [1, 2] {
        let pool = pool(threads);
        let (a, b) = (pool.reserve::<u64>(), pool.reserve::<u64>());
        let (to_a, to_b) = (a.handle(), b.handle());
        let a = pool.submit_as(a, follow_job(to_b).label("anna"));
        let b = pool.submit_as(b, follow_job(to_a).label("bert"));
        let (a, b) = (error(a), error(b));
        assert!(a.is_deadlock() && b.is_deadlock(), "{a} / {b}");
        let cause = a.to_string();
        assert!(cause.contains("(anna) waits for job"), "{cause}");
        assert!(cause.contains("(bert) waits for job"), "{cause}");
    }
}

#[test]
fn a_job_that_waits_for_itself_is_told() {
    let pool = pool(1);
    let seat = pool.reserve::<u64>();
    let own = seat.handle();
    let told = error(pool.submit_as(seat, follow_job(own)));
    assert!(told.is_deadlock(), "{told}");
    let waits_for_its_own_seat = pool.submit_with(|context| {
        let seat = context.reserve::<u64>();
        context.wait(seat.handle())
    });
    assert!(value(waits_for_its_own_seat).unwrap_err().is_deadlock());
}

#[test]
fn a_nesting_that_is_too_deep_is_told() {
    let pool = strict(1).max_waiting(5).build().unwrap();
    assert_eq!(value(pool.submit(descend_job(5))), 5);
    let error = error(pool.submit(descend_job(6)));
    assert!(error.to_string().contains("max_waiting"), "{error}");
    assert!(pool.statistics().workers_started <= 6);
}

#[test]
fn a_job_waits_no_longer_than_it_wants_to() {
    let pool = Arc::new(pool(1));
    let inside = Arc::clone(&pool);
    let future = pool.submit_fn(move || {
        let (go, wait) = channel::<()>();
        let slow = inside.submit_fn(move || {
            let _ = wait.recv();
            7
        });
        let mut slow = slow;
        for _ in 0..20 {
            slow = slow.result_timeout(Duration::from_millis(1)).expect_err("it is held up");
        }
        drop(go);
        let result = slow.result_timeout(DEADLINE).unwrap_or_else(|_| panic!("it was let go"));
        result.unwrap()
    });
    assert_eq!(value(future), 7);
}

#[test]
fn a_job_that_times_out_while_it_waits_does_not_wait_for_ever() {
    let pool = Arc::new(ThreadPool::builder().workers(1).build().unwrap());
    let (told, tells) = channel();
    TOLD.lock().unwrap().replace(told);
    let future =
        pool.submit(Job::<(), _>::of(&wait_in_vain::TASK, ()).timeout(Duration::from_millis(30)));
    assert!(error(future).is_timed_out());
    assert!(next(&tells).unwrap_err().is_cancelled());
    Arc::into_inner(pool).expect("nobody else has it").abort();
}

#[test]
fn what_a_failed_job_had_not_started_is_cancelled() {
    let pool = Arc::new(strict(1).build().unwrap());
    let inside = Arc::clone(&pool);
    let (told, tells) = channel();
    let future = pool.submit_fn(move || {
        told.send(inside.submit_fn(|| 7)).unwrap();
        panic!("no more of this");
    });
    let failed: Result<(), _> = crate::pools::outcome(future);
    assert!(failed.unwrap_err().is_panicked());
    assert!(error(next(&tells)).is_cancelled());
}
