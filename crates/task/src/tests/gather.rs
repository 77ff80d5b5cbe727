//! `as_completed` and `wait`.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use super::fake::{BAD, Order, Pool, STUCK, double};
use crate::executor::Executor;
use crate::future::Future;
use crate::gather::{ReturnWhen, Waited, as_completed, wait};

const SHORT: Option<Duration> = Some(Duration::from_millis(2));

fn submit<const N: usize>(pool: &Pool, xs: [u64; N]) -> [Future<u64>; N] {
    xs.map(|x| pool.submit(double(x)))
}

fn sides(waited: Waited<u64>) -> (Vec<u64>, Vec<u64>) {
    let jobs = |futures: Vec<Future<u64>>| futures.iter().map(|future| future.job().0).collect();
    (jobs(waited.done), jobs(waited.pending))
}

#[test]
fn futures_come_as_they_end_and_each_is_done() {
    let pool = Pool::new(Order::Last);
    let mut completed = as_completed(submit(&pool, [1, 2, 3]));
    assert_eq!(completed.len(), 3);
    let results: Vec<u64> = completed
        .by_ref()
        .map(|future| {
            assert!(future.done());
            future.result().unwrap()
        })
        .collect();
    assert_eq!(results, [6, 4, 2]);
    assert!(completed.next().is_none());
}

#[test]
fn what_has_ended_before_comes_first() {
    let pool = Pool::new(Order::First);
    let futures = submit(&pool, [1, 2, 3]);
    pool.end(1);
    let results: Vec<u64> = as_completed(futures).map(|future| future.result().unwrap()).collect();
    assert_eq!(results, [4, 2, 6]);
}

#[test]
fn the_error_of_a_time_out_counts_and_one_can_go_on() {
    let pool = Pool::new(Order::First);
    let mut completed = as_completed(submit(&pool, [1, STUCK, 3, STUCK]));
    for patience in [Duration::ZERO, Duration::from_millis(2)] {
        while let Ok(future) = completed.next_timeout(patience) {
            assert!(future.expect("not all of them end").done());
        }
        let unfinished = completed.next_by(Instant::now()).unwrap_err();
        assert_eq!(unfinished.to_string(), "2 of 4 futures are not done");
    }
    let pending = completed.into_pending();
    let jobs: Vec<u64> = pending.iter().map(|future| future.job().0).collect();
    assert_eq!(jobs, [2, 4]);
    assert!(pending.iter().all(Future::cancel));
    assert!(as_completed(pending).all(|future| future.result().unwrap_err().is_cancelled()));
}

#[test]
fn where_there_must_be_no_waiting_the_futures_say_so() {
    let pool = Pool::new(Order::First);
    let futures = submit(&pool, [1, 2]);
    pool.end(0);
    pool.state().forbidden = true;
    let results: Vec<_> = as_completed(futures).map(Future::result).collect();
    assert_eq!(results[0], Ok(2));
    assert!(results[1].as_ref().unwrap_err().to_string().ends_with("not here"));
    for when in [ReturnWhen::FirstCompleted, ReturnWhen::FirstFailed, ReturnWhen::All] {
        assert!(!wait(submit(&pool, [1, 2]), when, None).done.is_empty());
    }
}

#[test]
fn futures_of_several_pools_are_awaited_together() {
    let pools = [Pool::new(Order::First), Pool::new(Order::Last), Pool::new(Order::None)];
    let futures = pools.iter().flat_map(|pool| submit(pool, [1, 2, 3]));
    let mut completed = as_completed(futures.collect::<Vec<_>>());
    let done: Vec<_> = completed.by_ref().take(6).map(|future| future.result().unwrap()).collect();
    assert_eq!(done.iter().sum::<u64>(), 24);
    thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|_| pools[2].end(0)));
        assert_eq!(completed.count(), 3);
    });
}

#[test]
fn a_hundred_thousand_futures_cost_what_they_must() {
    let pool = Pool::new(Order::Last);
    let futures: Vec<_> = (0..100_000).map(|x| pool.submit(double(x))).collect();
    let seen: HashSet<u64> = as_completed(futures).map(|future| future.job().0).collect();
    assert_eq!(seen.len(), 100_000);
    assert!(pool.state().named.iter().all(|&named| named <= 1024));
}

#[test]
fn the_first_completed_is_enough() {
    let pool = Pool::new(Order::Last);
    let futures = submit(&pool, [1, 2, 3]);
    assert_eq!(sides(wait(futures, ReturnWhen::FirstCompleted, None)), (vec![3], vec![1, 2]));
    let futures = submit(&pool, [1, 2, 3]);
    futures[1].cancel();
    let mut waited = wait(futures, ReturnWhen::FirstCompleted, None);
    assert_eq!(waited.done.len(), 1, "one was done already");
    waited = wait(waited.pending, ReturnWhen::FirstCompleted, None);
    assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
}

#[test]
fn the_first_failure_is_enough() {
    let pool = Pool::new(Order::First);
    let waited = wait(submit(&pool, [1, BAD, 3]), ReturnWhen::FirstFailed, None);
    assert_eq!(sides(waited), (vec![1, 2], vec![3]));
    let futures = submit(&pool, [1, 2]);
    futures[1].cancel();
    assert_eq!(sides(wait(futures, ReturnWhen::FirstFailed, None)), (vec![5], vec![4]));
    let waited = wait(submit(&pool, [1, 2]), ReturnWhen::FirstFailed, None);
    assert_eq!((waited.done.len(), waited.pending.len()), (2, 0), "none fails: all");
}

#[test]
fn all_are_awaited_or_the_time() {
    let pool = Pool::new(Order::First);
    let waited = wait(submit(&pool, [1, BAD, 3]), ReturnWhen::All, None);
    assert_eq!(sides(waited), (vec![1, 2, 3], vec![]));
    let waited = wait(submit(&pool, [1, STUCK, 3]), ReturnWhen::All, SHORT);
    assert_eq!(sides(waited), (vec![4, 6], vec![5]));
    let waited = wait(Vec::<Future<u64>>::new(), ReturnWhen::FirstCompleted, None);
    assert_eq!(sides(waited), (vec![], vec![]));
}

#[test]
fn waiting_again_and_again_leaves_nothing_behind() {
    let pool = Pool::new(Order::First);
    let mut futures = vec![pool.submit(double(STUCK))];
    for _ in 0..100 {
        futures = wait(futures, ReturnWhen::All, Some(Duration::ZERO)).pending;
    }
    assert!(
        futures[0].origin().cell().watchers() <= 2,
        "{}",
        futures[0].origin().cell().watchers()
    );
}
