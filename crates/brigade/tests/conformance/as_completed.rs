//! `test_as_completed.py`: jobs as they end.

use std::collections::HashSet;

use brigade::{Prefetch, as_completed};
use brigade_tests::gate::Gate;

use crate::support::{builder, occupy, tell};

#[test]
fn whatever_their_state_all_are_given_back_and_none_twice() {
    let pool = builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap();
    let gate = Gate::open();
    let ended = pool.submit(tell(1));
    assert!(ended.error().is_none());
    let (mut futures, mut visitors) = occupy(&pool, &gate, 1);
    let cancelled = pool.submit(tell(2));
    assert!(cancelled.cancel());
    futures.extend([ended, cancelled, pool.submit(tell(3))]);
    let all: HashSet<_> = futures.iter().map(brigade::Future::job).collect();

    let mut completed = as_completed(futures);
    let mut given = HashSet::new();
    for future in completed.by_ref().take(2) {
        assert!(future.done() && given.insert(future.job()));
    }
    visitors.remove(0).release();
    for future in completed {
        assert!(future.done() && given.insert(future.job()));
    }
    assert_eq!(given, all);
}
