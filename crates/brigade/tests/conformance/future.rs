//! `test_future.py`: what one job's future tells, in each state.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use brigade::{Future, Prefetch};
use brigade_tests::DEADLINE;
use brigade_tests::gate::Gate;

use crate::support::{builder, double, fail, occupy, pool, tell, value};

const SHORT: Duration = Duration::from_millis(5);

/// Calls back in this very thread, before it returns: so it is with what has ended.
fn calls_back_at_once<T>(future: &Future<T>, is_ok: bool) {
    let ((to, from), here) = (mpsc::channel(), thread::current().id());
    future.on_done(move |end| {
        let _ = to.send((end.result.is_ok(), thread::current().id()));
    });
    assert_eq!(from.try_recv(), Ok((is_ok, here)));
}

#[test]
fn what_has_failed_already_is_called_back_at_once() {
    let pool = pool(1);
    let failed = pool.submit(fail("on purpose".to_owned()));
    assert!(failed.error().is_some_and(|error| error.is_failed()));
    calls_back_at_once(&failed, false);
}

#[test]
fn what_was_cancelled_already_is_called_back_at_once() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let (_held, mut visitors) = occupy(&pool, &gate, 1);
    let cancelled = pool.submit(double(1));
    assert!(cancelled.cancel());
    calls_back_at_once(&cancelled, false);
    visitors.remove(0).release();
}

#[test]
fn a_future_shows_its_task_and_its_state() {
    let (pool, gate) = (pool(1), Gate::open());
    let (mut held, mut visitors) = occupy(&pool, &gate, 1);
    let future = held.remove(0);
    assert_eq!(format!("{future:?}"), "Future(hold, pending)");
    visitors.remove(0).release();
    assert!(future.error().is_none());
    assert_eq!(format!("{future:?}"), "Future(hold, done)");
}

#[test]
fn done_and_running_tell_where_it_is() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let (mut held, mut visitors) = occupy(&pool, &gate, 1);
    let (running, queued, cancelled) =
        (held.remove(0), pool.submit(double(1)), pool.submit(double(2)));
    assert!(cancelled.cancel());
    assert_eq!((running.done(), running.running()), (false, true));
    assert_eq!((queued.done(), queued.running()), (false, false));
    assert_eq!((cancelled.done(), cancelled.running()), (true, false));
    visitors.remove(0).release();
    assert!(running.error().is_none());
    assert_eq!((running.done(), running.running()), (true, false));
    let failed = pool.submit(fail("on purpose".to_owned()));
    assert!(failed.error().is_some());
    assert_eq!((failed.done(), failed.running()), (true, false));
}

#[test]
fn a_result_is_awaited_no_longer_than_was_said() {
    let (pool, gate) = (pool(1), Gate::open());
    let (mut held, mut visitors) = occupy(&pool, &gate, 1);
    let mut future = held.remove(0);
    for patience in [Duration::ZERO, SHORT] {
        assert!(future.try_result().is_none());
        future = future.result_timeout(patience).expect_err("it still runs, and is given back");
    }
    visitors.remove(0).release();
    assert_eq!(value(future).0, 1);
    let failed = pool.submit(fail("on purpose".to_owned()));
    let end = failed.result_timeout(DEADLINE).expect("it ends");
    assert!(end.unwrap_err().is_failed());
}

#[test]
fn a_thread_that_waits_hears_of_the_result_and_of_the_error() {
    let (pool, gate) = (pool(2), Gate::open());
    let (mut held, visitors) = occupy(&pool, &gate, 2);
    let (well, badly) = (held.remove(0), held.remove(0));
    let [well_visitor, badly_visitor] = {
        let mut visitors = visitors;
        visitors.sort_by_key(|visitor| visitor.job != well.job().0);
        <[_; 2]>::try_from(visitors).expect("there are two")
    };
    thread::scope(|scope| {
        let well = scope.spawn(|| well.result());
        let badly = scope.spawn(|| badly.error());
        well_visitor.release();
        assert_eq!(well.join().unwrap().unwrap().0, 1);
        drop(badly_visitor);
        assert!(badly.join().unwrap().is_some_and(|error| error.is_failed()));
    });
}

#[test]
fn a_thread_that_waits_hears_of_the_cancel() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let (_held, mut visitors) = occupy(&pool, &gate, 1);
    let queued = pool.submit(tell(1));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| queued.error());
        assert!(queued.cancel());
        assert!(waiting.join().unwrap().is_some_and(|error| error.is_cancelled()));
    });
    visitors.remove(0).release();
}
