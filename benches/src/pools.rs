//! Pools to be measured, and how to bring each of their workers to answer.

use std::collections::HashSet;
use std::time::Duration;

use brigade_supervisor::{Job, Prefetch, ProcessPool};

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
/// all workers take to be ready, nobody gets a second one.
///
/// # Panics
///
/// If somebody did get a second one, or a job failed.
pub fn let_each_answer(pool: &ProcessPool, workers: usize, nap: Duration) -> HashSet<u32> {
    let micros = u64::try_from(nap.as_micros()).expect("a nap is short");
    let (mut feed, settlements) = pool.stream();
    for tag in 0..workers as u64 {
        feed.push(tag, Job::<()>::call(tasks::nap::TASK.name, (micros,)));
    }
    drop(feed);
    let answered: HashSet<u32> = std::iter::from_fn(|| settlements.wait_next())
        .map(|settlement| {
            settlement.result.expect("a nap succeeds");
            settlement.worker.expect("it was in a worker").pid
        })
        .collect();
    assert_eq!(answered.len(), workers, "somebody answered twice: the nap is too short");
    answered
}
