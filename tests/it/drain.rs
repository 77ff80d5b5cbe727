//! How a pool ends: drained, stopped, aborted. Nothing of it is left, and no job without an end.

use std::thread;
use std::time::Duration;

use brigade_supervisor::{Failure, Job, Prefetch, Shutdown};
use brigade_tests::DEADLINE;
use brigade_tests::gate::Gate;
use brigade_tests::process::{self, Watched};

use crate::pools::{assert_staffed, builder, error, fork_server, hold, occupy, pool, tell, told};

#[test]
fn dropping_a_pool_drains_it() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = brigade_tests::json(log.path());
    let pool = pool(3);
    let jobs: Vec<_> =
        (0..200).map(|n| pool.submit(Job::json("log", format!("[{path}, {n}, 0]")))).collect();
    drop(pool);
    let log = std::fs::read_to_string(log.path()).unwrap();
    assert_eq!(log.lines().count(), 200, "each has been run before the pool was gone");
    for (n, job) in jobs.into_iter().enumerate() {
        assert!(job.done());
        assert_eq!(job.result().unwrap(), (2 * n).to_string());
    }
}

#[test]
fn a_pool_that_is_gone_has_no_process() {
    let pool = pool(3);
    let server = fork_server(&pool);
    let mut family: Vec<Watched> = assert_staffed(&pool, 3).into_iter().map(Watched::new).collect();
    family.push(Watched::new(server));
    drop(pool);
    assert!(family.iter().all(Watched::is_dead));
    assert_eq!(process::state(server), None, "it has been waited for as well");
}

#[test]
fn a_crash_while_draining_is_made_good() {
    let (pool, gate) = (pool(2), Gate::open());
    let (jobs, mut visitors) = occupy(&pool, &gate, 2);
    let draining = thread::spawn(move || drop(pool));
    process::kill(visitors.pop().unwrap().pid);
    let second = gate.wait();
    assert_eq!(second.attempt, 2);
    second.release();
    visitors.pop().unwrap().release();
    let attempts: u32 = jobs.into_iter().map(|job| told(job).0).sum();
    assert_eq!(attempts, 1 + 2);
    draining.join().unwrap();
}

#[test]
fn a_fork_server_that_dies_while_draining_is_replaced() {
    let (pool, gate) = (pool(2), Gate::open());
    let (jobs, visitors) = occupy(&pool, &gate, 2);
    let queued = pool.submit(tell("queued"));
    let draining = thread::spawn(move || drop(pool));
    process::kill(process::parent(visitors[0].pid).unwrap());
    for visitor in gate.wait_for_all(2) {
        assert_eq!(visitor.attempt, 2);
        visitor.release();
    }
    assert!(jobs.into_iter().all(|job| told(job).0 == 2));
    assert_eq!(told(queued).0, 1);
    draining.join().unwrap();
}

#[test]
fn a_stop_lets_running_jobs_finish_and_starts_none() {
    let pool = builder(1).prefetch(Prefetch::AtMost(2)).build().unwrap();
    let gate = Gate::open();
    let (mut running, mut visitors) = occupy(&pool, &gate, 1);
    let queued: Vec<_> = (0..5).map(|_| pool.submit(tell("queued"))).collect();
    let control = pool.control();
    control.shutdown(Shutdown::Stop { grace: DEADLINE });
    for job in queued {
        let error = error(job);
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(error.attempts(), 0);
    }
    let late = error(pool.submit(tell("late")));
    assert!(late.is_refused(), "{late}");
    visitors.pop().unwrap().release();
    assert_eq!(told(running.pop().unwrap()).0, 1);
    drop(pool);
}

#[test]
fn what_runs_beyond_the_grace_is_killed() {
    let (pool, gate) = (pool(2), Gate::open());
    let (jobs, visitors) = occupy(&pool, &gate, 2);
    pool.shutdown(Shutdown::Stop { grace: Duration::from_millis(100) });
    for mut visitor in visitors {
        visitor.await_end(Duration::ZERO);
    }
    for job in jobs {
        assert!(job.done());
        let error = error(job);
        assert_eq!(*error.failure(), Failure::Cancelled);
        assert_eq!(error.attempts(), 1);
    }
}

#[test]
fn an_abort_kills_at_once() {
    let (pool, gate) = (builder(2).prefetch(Prefetch::AtMost(1)).build().unwrap(), Gate::open());
    let (jobs, visitors) = occupy(&pool, &gate, 2);
    let queued: Vec<_> = (0..10).map(|_| pool.submit(tell("queued"))).collect();
    let server = process::parent(visitors[0].pid).unwrap();
    pool.abort();
    for mut visitor in visitors {
        visitor.await_end(Duration::ZERO);
    }
    assert_eq!(process::state(server), None);
    for job in jobs.into_iter().chain(queued) {
        assert!(job.done());
        let error = error(job);
        assert!(error.is_cancelled(), "{error}");
    }
}

#[test]
fn a_graver_end_overtakes_a_milder_one() {
    let (pool, gate) = (pool(1), Gate::open());
    let (mut jobs, mut visitors) = occupy(&pool, &gate, 1);
    let control = pool.control();
    let draining = thread::spawn(move || drop(pool));
    control.shutdown(Shutdown::Stop { grace: DEADLINE });
    control.shutdown(Shutdown::Abort);
    draining.join().unwrap();
    visitors.pop().unwrap().await_end(Duration::ZERO);
    assert!(error(jobs.pop().unwrap()).is_cancelled());
}

#[test]
fn a_retry_does_not_outlive_a_stop() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let control = pool.control();
    control.shutdown(Shutdown::Stop { grace: DEADLINE });
    // The stop is known to the pool when the snapshot, asked for later, is there.
    control.snapshot().expect("the job still runs");
    process::kill(visitor.pid);
    let error = error(job);
    assert_eq!(error.attempts(), 1);
    drop(pool);
    assert!(gate.wait_for(Duration::ZERO).is_none(), "it is not started again");
}
