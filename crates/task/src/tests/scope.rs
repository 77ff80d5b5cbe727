//! Scopes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fake::{Order, Pool, double};
use crate::executor::Executor;

#[test]
fn all_jobs_of_a_scope_are_settled_when_it_is_left() {
    let pool = Pool::new(Order::Last);
    let outside = pool.submit(double(100));
    let futures = pool.scope(|scope| {
        assert_eq!(scope.map((0..9).map(double)).count(), 9);
        let reserved = scope.reserve();
        [scope.submit(double(1)), scope.submit_as(reserved, double(2))]
    });
    assert!(futures.iter().all(crate::Future::done));
    assert!(!outside.done(), "others are not waited for");
    assert!(pool.state().cancelled.is_empty());
}

#[test]
fn a_panic_cancels_what_has_not_been_started_and_goes_on() {
    let pool = Pool::new(Order::First);
    let mut futures = Vec::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            futures.extend([1, 2, 3].map(|x| scope.submit(double(x))));
            pool.end(0);
            panic!("on purpose");
        });
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on purpose"));
    let ends: Vec<_> = futures.into_iter().map(|future| future.try_result().unwrap()).collect();
    assert_eq!(ends[0], Ok(2));
    assert!(ends[1..].iter().all(|end| end.as_ref().unwrap_err().is_cancelled()));
}

#[test]
fn a_scope_within_a_scope_and_one_where_there_is_no_waiting() {
    let pool = Pool::new(Order::First);
    let inner = pool.scope(|outer| outer.scope(|inner| inner.submit(double(1))));
    assert!(inner.done());
    pool.state().forbidden = true;
    let future = pool.scope(|scope| scope.submit(double(1)));
    assert!(!future.done(), "it returns none the less");
}
