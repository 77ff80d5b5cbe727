//! `test_wait.py`: waiting for some of several jobs.

use std::time::Duration;

use brigade::{ReturnWhen, Waited, wait};
use brigade_tests::gate::{Gate, Visitor};

use crate::support::{double, error, hold, occupy, pool, tell, value};

/// CPython's bpo-20369. A future is not given twice, since it is given by value; its job can be awaited
/// twice all the same.
#[test]
fn a_job_may_be_awaited_more_than_once() {
    let (pool, gate) = (pool(1), Gate::open());
    let (mut held, mut visitors) = occupy(&pool, &gate, 1);
    let (future, handle) = (held.remove(0), pool.submit(double(4)));
    let (first, second) = (handle.handle(), handle.handle());
    visitors.remove(0).release();
    assert_eq!(pool.wait(&future).unwrap().0, pool.wait(&future).unwrap().0);
    assert_eq!(pool.wait(&first).unwrap() + pool.wait(second).unwrap(), 16);
    let Waited { done, pending } = wait([future], ReturnWhen::All, None);
    assert_eq!((done.len(), pending.len()), (1, 0));
}

#[test]
fn the_first_failure_is_enough_though_some_have_ended() {
    let (pool, gate) = (pool(2), Gate::open());
    let (mut held, visitors) = occupy(&pool, &gate, 1);
    let good = pool.submit(tell(1));
    assert!(good.error().is_none());
    let bad = pool.submit(hold("/no/such/gate".into()));
    let (held, bad_job) = (held.remove(0), bad.job());
    let Waited { done, pending } = wait([good, held, bad], ReturnWhen::FirstFailed, None);
    assert_eq!((done.len(), pending.len()), (2, 1));
    assert!(done.iter().any(|future| future.job() == bad_job));
    visitors.into_iter().for_each(Visitor::release);
    assert_eq!(wait(pending, ReturnWhen::FirstFailed, None).done.len(), 1);
}

#[test]
fn a_failure_from_before_is_enough() {
    let (pool, gate) = (pool(2), Gate::open());
    let (mut held, visitors) = occupy(&pool, &gate, 1);
    let bad = pool.submit(hold("/no/such/gate".into()));
    assert!(bad.error().is_some_and(|error| error.is_failed()));
    let Waited { done, pending } = wait([held.remove(0), bad], ReturnWhen::FirstFailed, None);
    assert_eq!((done.len(), pending.len()), (1, 1));
    assert!(done.into_iter().all(|future| error(future).is_failed()));
    visitors.into_iter().for_each(Visitor::release);
}

#[test]
fn the_time_divides_the_done_from_the_pending() {
    let (pool, gate) = (pool(2), Gate::open());
    let (mut futures, visitors) = occupy(&pool, &gate, 1);
    let (done, short) = (pool.submit(tell(1)), Some(Duration::from_millis(10)));
    assert!(done.error().is_none());
    futures.push(done);
    let Waited { done, pending } = wait(futures, ReturnWhen::All, short);
    assert_eq!((done.len(), pending.len()), (1, 1));
    visitors.into_iter().for_each(Visitor::release);
    assert!(pending.into_iter().chain(done).all(|future| value(future).0 == 1));
}
