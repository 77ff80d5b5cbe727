//! Cancelling: what has not been started is never started, what runs is let run.

use brigade_protocol::message::Exit;
use brigade_supervisor::{Future, Job, Prefetch};
use brigade_tests::gate::{Gate, Visitor};

use crate::pools::{builder, error, hold, occupy, pool, tell, told, value};

/// A job that leaves a line in the log if it is ever started.
fn logged(log: &tempfile::NamedTempFile) -> Job<String> {
    Job::json("log", format!("[{}, 1, 0]", brigade_tests::json(log.path())))
}

fn is_empty(log: &tempfile::NamedTempFile) -> bool {
    std::fs::read(log.path()).unwrap().is_empty()
}

/// Cancels a job behind one that runs on the only worker.
fn cancel_behind_a_running_job(prefetch: Prefetch) {
    let pool = builder(1).prefetch(prefetch).build().unwrap();
    let (gate, log) = (Gate::open(), tempfile::NamedTempFile::new().unwrap());
    let (running, visitors) = occupy(&pool, &gate, 1);
    let waiting = pool.submit(logged(&log));
    let behind = pool.submit(tell("behind"));
    assert!(waiting.cancel(), "it has not been started");
    assert!(waiting.done(), "and it is settled when that is known");
    assert!(waiting.cancel(), "asked again, the answer is the same");
    visitors.into_iter().for_each(Visitor::release);
    assert!(error(waiting).is_cancelled());
    assert_eq!(told(behind).0, 1, "the job behind it goes on");
    for job in running {
        assert_eq!(told(job).0, 1, "the job before it goes on");
    }
    drop(pool);
    assert!(is_empty(&log), "a cancelled job is not started");
}

#[test]
fn a_queued_job_is_cancelled() {
    cancel_behind_a_running_job(Prefetch::AtMost(0));
}

#[test]
fn a_job_that_waits_with_a_worker_is_called_back() {
    cancel_behind_a_running_job(Prefetch::AtMost(4));
}

#[test]
fn a_running_job_is_not_cancelled() {
    let (pool, gate) = (pool(1), Gate::open());
    let (mut jobs, visitors) = occupy(&pool, &gate, 1);
    let job = jobs.remove(0);
    assert!(!job.cancel(), "it runs already");
    visitors.into_iter().for_each(Visitor::release);
    assert_eq!(told(job).2, "released");
}

#[test]
fn a_settled_job_is_not_cancelled() {
    let pool = pool(1);
    let (first, second) = (pool.submit(tell("first")), pool.submit(tell("second")));
    value(second);
    assert!(first.done(), "one worker runs its jobs in their order");
    assert!(!first.cancel());
    assert_eq!(told(first).2, "first");
}

#[test]
fn a_job_that_is_to_run_again_is_cancelled_in_between() {
    let pool = builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap();
    let gate = Gate::open();
    // Each is killed with its worker until it is cancelled; whichever comes first, it is settled.
    let job = pool.submit(hold(&gate).crash_retries(1000));
    let mut attempts = 0;
    while !job.done() {
        let Some(visitor) = gate.wait_for(std::time::Duration::from_millis(100)) else { continue };
        attempts += 1;
        assert_eq!(visitor.attempt, attempts);
        brigade_tests::process::kill(visitor.pid);
        job.cancel();
        assert!(attempts < 1000, "it is never between two attempts");
    }
    let end = error(job);
    // Either it was cancelled between two attempts, or it was not to be tried again.
    assert!(end.is_cancelled() || end.exit() == Some(Exit::Signal(9)), "{end}");
    assert!(!end.to_string().contains("broke the protocol"), "the test killed it: {end}");
    assert_eq!(end.attempts(), attempts);
}

#[test]
fn many_cancels_and_ends_race_and_each_job_has_one_end() {
    let pool = pool(2);
    let jobs: Vec<Future<String>> = (0..500).map(|n| pool.submit(tell(&n.to_string()))).collect();
    let cancelled: Vec<bool> = jobs.iter().rev().map(Future::cancel).collect();
    for (n, (job, cancelled)) in jobs.into_iter().zip(cancelled.into_iter().rev()).enumerate() {
        if cancelled {
            assert!(error(job).is_cancelled());
        } else {
            assert_eq!(told(job).2, n.to_string());
        }
    }
}
