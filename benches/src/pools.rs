//! Pools of ours to be measured, how each of their workers is brought to answer, and jobs of two kinds.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use brigade::{Prefetch, ProcessPool};

use crate::tasks;

/// A pool that hands out strictly one job at a time.
///
/// # Panics
///
/// If it does not start.
pub fn strict(workers: usize) -> ProcessPool {
    let pool = ProcessPool::builder().workers(workers).prefetch(Prefetch::AtMost(0)).build();
    pool.expect("the pool starts")
}

/// A pool as it comes.
///
/// # Panics
///
/// If it does not start.
pub fn plain(workers: usize) -> ProcessPool {
    ProcessPool::builder().workers(workers).build().expect("the pool starts")
}

/// Lets each worker of a [`strict`] pool answer one job, and returns their pids.
///
/// There are as many jobs as workers, and each sleeps for `nap`: as long as that is more than
/// all workers take to be ready, nobody gets a second one. If somebody did, there is nothing to return.
///
/// # Panics
///
/// If a job failed.
pub fn let_each_answer(pool: &ProcessPool, workers: usize, nap: Duration) -> Option<HashSet<u32>> {
    let micros = u64::try_from(nap.as_micros()).expect("a nap is short");
    let futures: Vec<_> = (0..workers).map(|_| pool.submit(tasks::nap_somewhere(micros))).collect();
    let answered: HashSet<u32> =
        futures.into_iter().map(|future| future.result().expect("a nap succeeds")).collect();
    (answered.len() == workers).then_some(answered)
}

/// The pids of all workers, once all have one.
///
/// # Panics
///
/// If they do not all start within ten seconds.
pub fn pids(pool: &ProcessPool, workers: usize) -> Vec<u32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let snapshot = pool.control().snapshot().expect("the pool is there");
        let pids: Vec<u32> =
            snapshot.lanes.iter().filter_map(|lane| Some(lane.worker?.pid)).collect();
        if pids.len() == workers {
            return pids;
        }
        assert!(Instant::now() < deadline, "only {} of {workers} workers started", pids.len());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// So many no-ops with a future each: all are submitted, then all results awaited.
///
/// # Panics
///
/// If a result is wrong.
pub fn submit_noops(pool: &ProcessPool, jobs: u64) -> Duration {
    let begin = Instant::now();
    let futures: Vec<_> = (0..jobs).map(|n| pool.submit(tasks::noop(n))).collect();
    for (n, future) in (0..jobs).zip(futures) {
        assert_eq!(future.result().expect("a no-op succeeds"), n);
    }
    begin.elapsed()
}

/// So many no-ops by `map`, the results taken one by one.
///
/// # Panics
///
/// If a result is wrong.
pub fn map_noops(pool: &ProcessPool, jobs: u64) -> Duration {
    let begin = Instant::now();
    let mut results = 0;
    for (n, result) in pool.map((0..jobs).map(tasks::noop)).enumerate() {
        assert_eq!(result.expect("a no-op succeeds"), n as u64);
        results += 1;
    }
    assert_eq!(results, jobs);
    begin.elapsed()
}

/// So many busy jobs with a future each.
///
/// # Panics
///
/// If a result is wrong.
pub fn submit_busy(pool: &ProcessPool, steps: u64, jobs: u64) -> Duration {
    let expected = tasks::busy::call(steps);
    let begin = Instant::now();
    let futures: Vec<_> = (0..jobs).map(|_| pool.submit(tasks::busy(steps))).collect();
    for future in futures {
        assert_eq!(future.result().expect("it succeeds"), expected);
    }
    begin.elapsed()
}

/// So many busy jobs by `map`.
///
/// # Panics
///
/// If a result is wrong.
pub fn map_busy(pool: &ProcessPool, steps: u64, jobs: u64) -> Duration {
    let expected = tasks::busy::call(steps);
    let begin = Instant::now();
    let results = pool.map((0..jobs).map(|_| tasks::busy(steps)));
    let right = results.filter(|result| matches!(result, Ok(found) if *found == expected)).count();
    let took = begin.elapsed();
    assert_eq!(right as u64, jobs);
    took
}
