//! What can be done to jobs and pools while they run: kill, ask to stop, resize, look.

use brigade_supervisor::{Future, Job, Prefetch, Shutdown};
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::{DEADLINE, process};

use crate::pools::{assert_staffed, builder, error, occupy, pool, tell, told, value};

/// A job that runs until it is asked to stop.
fn heed(gate: &Gate) -> Job<String> {
    Job::json("heed", format!("[{}]", gate.json()))
}

#[test]
fn a_running_job_is_killed_and_nothing_else() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(4)).build().unwrap(), Gate::open());
    let (mut running, mut visitors) = occupy(&pool, &gate, 1);
    let behind: Vec<Future<String>> = (0..4).map(|n| pool.submit(tell(&n.to_string()))).collect();
    let job = running.remove(0);
    assert!(job.running());
    assert!(job.kill(), "it ends");
    visitors[0].await_end(DEADLINE);
    assert!(job.done() && !job.running(), "and is settled when that is known");
    assert!(job.kill() && job.cancel(), "asked again, the answer is the same");
    let end = error(job);
    assert!(end.is_cancelled(), "{end}");
    for future in behind {
        assert_eq!(told(future).0, 1, "what waited with the killed worker is not charged");
    }
    assert_staffed(&pool, 1);
}

#[test]
fn no_more_short_jobs_wait_with_a_worker_than_may_travel_together() {
    let (pool, gate) = (builder(1).batch(3).build().unwrap(), Gate::open());
    let doubles = |count: u64| (0..count).map(|n| Job::json("double", n.to_string()));
    // By these it is learned that they are short.
    assert!(pool.map(doubles(500)).all(|result| result.is_ok()));
    let (running, visitors) = occupy(&pool, &gate, 1);
    let waiting = pool.map(doubles(100)).buffer(100).start();
    let queued = pool.control().snapshot().unwrap().queued;
    assert!(queued >= 97, "{queued}: one frame of three waits with the worker");
    visitors.into_iter().for_each(Visitor::release);
    assert_eq!(waiting.flatten().count(), 100);
    assert!(running.into_iter().all(|future| future.result().is_ok()));
}

#[test]
fn a_queued_job_that_is_killed_is_cancelled() {
    let (pool, gate) = (pool(1), Gate::open());
    let (running, visitors) = occupy(&pool, &gate, 1);
    let waiting = pool.submit(tell("waiting"));
    assert!(!waiting.running());
    assert!(waiting.kill());
    visitors.into_iter().for_each(Visitor::release);
    for job in running {
        assert_eq!(told(job).0, 1, "the job that runs goes on");
    }
}

#[test]
fn a_settled_job_is_not_killed() {
    let pool = pool(1);
    let job = pool.submit(tell("done"));
    assert!(pool.submit(tell("behind")).error().is_none());
    assert!(!job.kill());
    assert_eq!(told(job).0, 1);
}

#[test]
fn a_running_job_that_is_cancelled_hears_of_it() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(heed(&gate));
    let _visitor = gate.wait();
    assert!(!job.cancel(), "it runs, and is asked to stop");
    let end = error(job);
    assert!(end.is_failed() && end.to_string().contains("asked to stop"), "{end}");
    assert_eq!(told(pool.submit(tell("next"))).0, 1, "the next job is not asked to stop");
}

#[test]
fn jobs_are_asked_to_stop_when_the_pool_is() {
    let (pool, gate) = (pool(2), Gate::open());
    let jobs: Vec<Future<String>> = (0..2).map(|_| pool.submit(heed(&gate))).collect();
    let _visitors = gate.wait_for_all(2);
    pool.shutdown(Shutdown::Stop { grace: DEADLINE });
    for job in jobs {
        let end = error(job);
        assert!(end.is_failed(), "it ended by itself, within the grace: {end}");
    }
}

#[test]
fn what_is_queued_is_cancelled_and_what_runs_is_finished() {
    let (pool, gate) = (pool(1), Gate::open());
    let (running, visitors) = occupy(&pool, &gate, 1);
    let waiting: Vec<Future<String>> = (0..50).map(|_| pool.submit(tell("waiting"))).collect();
    pool.control().shutdown(Shutdown::CancelQueued);
    for job in waiting {
        assert!(error(job).is_cancelled());
    }
    visitors.into_iter().for_each(Visitor::release);
    for job in running {
        assert_eq!(told(job).2, "released", "however long it takes");
    }
}

#[test]
fn a_pool_is_resized_while_it_runs() {
    let (pool, gate) = (pool(1), Gate::open());
    let (one, first) = occupy(&pool, &gate, 1);
    pool.resize(3).unwrap();
    let (two, more) = occupy(&pool, &gate, 2);
    pool.resize(1).unwrap();
    let pids: Vec<u32> = first.iter().chain(&more).map(|visitor| visitor.pid).collect();
    first.into_iter().chain(more).for_each(Visitor::release);
    for job in one.into_iter().chain(two) {
        assert_eq!(told(job).0, 1, "what runs is finished, wherever it runs");
    }
    let alive = || pids.iter().filter(|pid| process::state(**pid).is_some()).count();
    process::until("one worker", DEADLINE, || (alive() == 1).then_some(()));
    assert_staffed(&pool, 1);
    assert!(pool.resize(0).is_err() && pool.resize(1_000_000).is_err());
}

#[test]
fn higher_priorities_are_started_first() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let (running, visitors) = occupy(&pool, &gate, 1);
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = brigade_tests::json(log.path());
    let jobs: Vec<Future<String>> = [(1, 0), (2, 5), (3, -5), (4, 5)]
        .map(|(n, priority)| {
            pool.submit(Job::json("log", format!("[{path}, {n}, 0]")).priority(priority))
        })
        .into();
    visitors.into_iter().for_each(Visitor::release);
    running.into_iter().chain(jobs).for_each(|job| drop(value(job)));
    let text = std::fs::read_to_string(log.path()).unwrap();
    let order: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(order, ["2", "4", "1", "3"], "{text}");
}

#[test]
fn a_snapshot_tells_labels_and_progress() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = Job::json("advance", format!("[{}, 3, 7]", gate.json())).label("the third");
    let job = pool.submit(job);
    let visitor = gate.wait();
    let snapshot = pool.control().snapshot().unwrap();
    let running = &snapshot.lanes[0].running[0];
    assert_eq!((running.label.as_deref(), running.progress), (Some("the third"), Some((3, 7))));
    assert!(!running.waiting);
    visitor.release();
    value(job);
}

#[test]
fn a_snapshot_counts_what_was_submitted_before_it() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let (running, visitors) = occupy(&pool, &gate, 1);
    let mut waiting = Vec::new();
    for count in 1..=500 {
        waiting.push(pool.submit(tell("waiting")));
        assert_eq!(pool.control().snapshot().unwrap().queued, count);
    }
    visitors.into_iter().for_each(Visitor::release);
    running.into_iter().chain(waiting).for_each(|job| drop(value(job)));
}

#[test]
fn statistics_count_what_happened() {
    let pool = pool(2);
    value(pool.submit(tell("well")));
    assert!(error(pool.submit(Job::json("fail", "[\"no\"]").retries(2))).is_failed());
    assert!(error(pool.submit(Job::json("exit", "[1]").crash_retries(0))).is_crashed());
    let gate = Gate::open();
    let hanging = pool.submit(Job::json("hang", format!("[{}]", gate.json())));
    let _visitor = gate.wait();
    assert!(hanging.kill());
    let statistics = pool.statistics();
    let counts = (statistics.submitted, statistics.succeeded, statistics.failed);
    assert_eq!((counts, statistics.cancelled, statistics.retried), ((4, 1, 2), 1, 2));
    assert_eq!(statistics.workers_died, 1);
    assert!(statistics.workers_started >= 3);
}

#[test]
fn one_worker_is_enough_for_jobs_that_submit_jobs() {
    let pool = pool(1);
    assert_eq!(value(pool.submit(Job::json("fib", "[12]"))), "144");
    // Of fib(12) the deepest branch has eleven calls above its leaf.
    assert_eq!(pool.statistics().most_waiting, 11);
}
