//! Workers that are replaced after so many jobs or when they have grown; and what failed attempts used.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use brigade_supervisor::{
    Failure, Future, Job, JobError, Prefetch, RestartIntensity, Shutdown, StartError,
};
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;
use brigade_tests::{DEADLINE, json};

use crate::pools::{builder, error, hold, outcome, pool, tell, told, value};

const MIB: u64 = 1024 * 1024;

/// No death may go uncounted for.
const NO_DEATH: RestartIntensity = RestartIntensity { max: 0, within: DEADLINE };

/// How many jobs each process ran.
fn count(jobs: Vec<Future<String>>) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    for job in jobs {
        let (attempt, pid, _) = told(job);
        assert_eq!(attempt, 1, "nobody is charged with a death");
        *counts.entry(pid).or_default() += 1;
    }
    counts
}

#[test]
fn a_worker_runs_no_more_jobs_than_it_may() {
    for (workers, threads, prefetch, most) in [
        (1, 1, Prefetch::Auto, 1),
        (2, 1, Prefetch::AtMost(0), 3),
        (2, 1, Prefetch::Auto, 50),
        (2, 4, Prefetch::AtMost(7), 5),
        (1, 3, Prefetch::Auto, 100),
    ] {
        let pool = builder(workers).threads_per_worker(threads).prefetch(prefetch);
        let pool = pool.restart_intensity(NO_DEATH).max_jobs_per_worker(most).build().unwrap();
        let total = usize::try_from(most).unwrap() * 6;
        let jobs = (0..total).map(|n| pool.submit(tell(&n.to_string()))).collect();
        let counts = count(jobs);
        assert!(counts.values().all(|count| *count as u64 <= most), "{counts:?}");
        assert!(counts.len() >= 6, "{counts:?}");
        assert_eq!(pool.gave_up(), None);
    }
}

#[test]
fn a_worker_that_is_replaced_has_finished_what_it_ran() {
    let gate = Gate::open();
    let pool = builder(1).threads_per_worker(2).max_jobs_per_worker(2).build().unwrap();
    let slow = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let (_, first, _) = told(pool.submit(tell("beside it")));
    let next = pool.submit(tell("elsewhere"));
    assert_eq!(visitor.pid, first);
    assert!(!next.done(), "its worker has had two, and one of them runs");
    visitor.release();
    assert_eq!(told(slow), (1, first, "released".to_owned()));
    assert_ne!(told(next).1, first);
}

#[test]
fn retries_and_drains_go_on_while_workers_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let pool = builder(2).max_jobs_per_worker(1).restart_intensity(NO_DEATH).build().unwrap();
    let jobs: Vec<Future<String>> = (0..5)
        .map(|n| {
            let counter = json(&directory.path().join(n.to_string()));
            let job = Job::json("fail-until", format!("[{counter}, 3, \"error\"]"));
            pool.submit(job.retries(2))
        })
        .collect();
    let told: Vec<_> = (0..5).map(|_| pool.submit(tell("beside"))).collect();
    drop(pool); // which drains it
    for job in jobs {
        assert_eq!(value(job), "3");
    }
    assert_eq!(count(told).len(), 5);
}

#[test]
fn a_pool_ends_in_every_way_while_workers_are_replaced() {
    let ways = [Shutdown::Drain, Shutdown::Stop { grace: Duration::from_secs(1) }, Shutdown::Abort];
    for (round, how) in ways.into_iter().cycle().take(15).enumerate() {
        let pool = builder(2).max_jobs_per_worker(1).build().unwrap();
        let jobs: Vec<_> = (0..10).map(|n| pool.submit(tell(&n.to_string()))).collect();
        // At some moment of it.
        for job in &jobs[..round % 7] {
            while !job.done() {
                std::thread::yield_now();
            }
        }
        let begun = Instant::now();
        pool.shutdown(how);
        assert!(begun.elapsed() < DEADLINE, "{how:?}: {:?}", begun.elapsed());
        for job in jobs {
            let settled = outcome(job);
            let cancelled = settled.as_ref().is_err_and(JobError::is_cancelled);
            assert!(settled.is_ok() || (cancelled && how != Shutdown::Drain), "{settled:?}");
        }
    }
}

#[test]
fn a_worker_that_has_grown_is_replaced() {
    let limit = 150 * MIB;
    let pool = builder(1).max_rss_per_worker(limit).restart_intensity(NO_DEATH).build().unwrap();
    let eat = |bytes: u64| -> u32 {
        value(pool.submit(Job::json("eat", format!("[{bytes}, \"\"]")))).parse().unwrap()
    };
    let small = eat(MIB);
    assert_eq!(eat(MIB), small, "a small one stays");
    let grown = eat(200 * MIB);
    assert_eq!(grown, small);
    assert_ne!(eat(MIB), grown);
    assert_eq!(pool.gave_up(), None);

    // What waits there goes elsewhere, and nothing is lost.
    let pool = builder(2).prefetch(Prefetch::AtMost(8)).max_rss_per_worker(limit);
    let pool = pool.restart_intensity(NO_DEATH).build().unwrap();
    let jobs: Vec<_> = (0..40)
        .map(|n| {
            let bytes = if n % 10 == 0 { 200 * MIB } else { 1 };
            pool.submit(Job::json("eat", format!("[{bytes}, \"\"]")))
        })
        .collect();
    let pids: Vec<String> = jobs.into_iter().map(value).collect();
    assert_ne!(pids[0], pids[39]);
}

#[test]
fn who_says_that_it_has_grown_more_often_than_it_may_is_killed() {
    let claim = |times: u32| Job::json("claim-growth", times.to_string());
    for (pool, times) in [(builder(1), 1), (builder(1).max_rss_per_worker(1 << 40), 2)] {
        let pool = pool.build().unwrap();
        let error = error(pool.submit(claim(times).crash_retries(0)));
        assert!(error.is_crashed(), "{error}");
        assert!(error.to_string().contains("broke the protocol"), "{error}");
    }
}

#[test]
fn numbers_of_replacement_are_not_zero() {
    for builder in [builder(1).max_jobs_per_worker(0), builder(1).max_rss_per_worker(0)] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, StartError::OutOfRange { value: 0, .. }), "{error}");
    }
}

#[test]
fn an_error_says_what_its_attempt_used() {
    let pool = pool(1);
    let burn = |milliseconds: u32, then: &str| {
        pool.submit(Job::json("burn", format!("[{milliseconds}, \"{then}\"]")))
    };
    let burnt = error(burn(60, "fail"));
    let (cpu, peak) = (burnt.cpu_time().unwrap(), burnt.peak_memory().unwrap());
    assert!(cpu >= Duration::from_millis(59) && cpu <= burnt.elapsed().unwrap(), "{cpu:?}");
    assert!((MIB..150 * MIB).contains(&peak), "{peak}");
    value(burn(60, "return"));
    let idle = error(burn(0, "fail"));
    assert!(idle.cpu_time().unwrap() < Duration::from_millis(30), "{:?}", idle.cpu_time());

    let eaten = error(pool.submit(Job::json("eat", "[200000000, \"exit\"]")));
    assert!(matches!(eaten.failure(), Failure::Quarantined(_)), "{eaten}");
    assert!(eaten.peak_memory().unwrap() > 190 * MIB, "{:?}", eaten.peak_memory());

    let overrun = Job::json("burn", "[60, \"hang\"]").timeout(Duration::from_secs(1));
    let overrun = error(pool.submit(overrun));
    assert!(overrun.is_timed_out(), "{overrun}");
    assert!(overrun.cpu_time().unwrap() >= Duration::from_millis(59), "{:?}", overrun.cpu_time());

    let refused = error(pool.submit(Job::json("no-such-task", "[]")));
    assert_eq!((refused.cpu_time(), refused.peak_memory()), (None, None));
}

#[test]
fn what_nobody_measured_is_not_told() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(hold(&gate).crash_retries(0));
    let visitor: Visitor = gate.wait();
    process::kill(process::parent(visitor.pid).unwrap());
    let lost = error(job);
    assert!(lost.is_crashed(), "{lost}");
    assert_eq!((lost.cpu_time(), lost.peak_memory()), (None, None));
}
