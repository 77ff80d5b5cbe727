//! Jobs that wait for each other: each job of the cycle hears of it at once, with all names in order.

use brigade::{Context, Failure, Future, Handle, JobError, ProcessPool, task};

use crate::support::{assert_intact, error, outcome, pool, value};

/// Waits for another job and adds one to its result.
#[task]
fn one_more_than(context: &Context, other: Handle<u64>) -> brigade::Result<u64> {
    Ok(context.wait(other)? + 1)
}

/// Waits for another job, and tells why there was no waiting for it.
#[task]
fn why_not(context: &Context, other: Handle<String>) -> String {
    match context.wait(other) {
        Ok(text) => text,
        Err(error) => error.cause(),
    }
}

/// Jobs of which each waits for the next, and the last for the first; each with its number as its label.
fn circle(pool: &ProcessPool, count: usize) -> Vec<Future<u64>> {
    let seats: Vec<_> = (0..count).map(|_| pool.reserve()).collect();
    let mut handles: Vec<_> = seats.iter().map(brigade::Reserved::handle).collect();
    handles.rotate_left(1);
    let jobs = seats.into_iter().zip(handles).enumerate();
    jobs.map(|(number, (seat, next))| {
        pool.submit_as(seat, one_more_than(next).label(format!("n{number}")))
    })
    .collect()
}

/// The cycle in the error of the job with this number: it begins with any, and goes the way of the waits.
#[track_caller]
fn assert_cycle(error: &JobError, jobs: &[brigade::protocol::id::JobId]) {
    assert!(error.is_deadlock(), "{error}");
    let Failure::Deadlock(cycle) = error.failure() else { panic!("{error}") };
    assert_eq!(cycle.len(), jobs.len(), "{error}");
    let first = jobs.iter().position(|job| *job == cycle[0].job).expect("it is one of them");
    for (step, member) in cycle.iter().enumerate() {
        let number = (first + step) % jobs.len();
        assert_eq!((member.job, &member.name), (jobs[number], &format!("n{number}")), "{error}");
    }
    let text = error.cause();
    assert_eq!(text.matches(" waits for ").count(), jobs.len(), "it closes: {text}");
    assert!(text.starts_with("deadlock: job "), "{text}");
}

fn circles(count: usize) {
    for workers in [1, 2, 4] {
        let pool = pool(workers);
        let futures = circle(&pool, count);
        let jobs: Vec<_> = futures.iter().map(Future::job).collect();
        for future in futures {
            assert_cycle(&error(future), &jobs);
        }
        assert_intact(&pool, workers);
    }
}

#[test]
fn two_jobs_that_wait_for_each_other_are_both_told() {
    circles(2);
}

#[test]
fn a_cycle_of_three_is_told_in_its_order() {
    circles(3);
}

#[test]
fn a_job_that_waits_for_itself_is_told() {
    circles(1);
}

#[test]
fn a_job_may_go_on_after_a_deadlock() {
    let pool = pool(1);
    let seat = pool.reserve();
    let own = seat.handle();
    let future = pool.submit_as(seat, why_not(own).label("narcissus"));
    let job = future.job();
    let text = value(future);
    assert_eq!(text, format!("deadlock: job {job} (narcissus) waits for job {job} (narcissus)"));
    assert_intact(&pool, 1);
}

#[test]
fn who_waits_for_a_cycle_from_outside_is_no_part_of_it() {
    let pool = pool(2);
    let futures = circle(&pool, 2);
    let outside = pool.submit(one_more_than(futures[0].handle()));
    let jobs: Vec<_> = futures.iter().map(Future::job).collect();
    let error = outcome(outside).unwrap_err();
    assert!(!error.is_deadlock(), "it fails with the error of what it waits for: {error}");
    assert!(error.to_string().contains("deadlock: job "), "{error}");
    for future in futures {
        assert_cycle(&crate::support::error(future), &jobs);
    }
}
