//! `test_thread_pool.py`: what threads add to it.

use std::cell::Cell;
use std::time::Duration;

use brigade::{Job, ThreadPool, task};
use brigade_tests::gate::{Gate, Visitor};

use crate::support::{double, occupy, pool, value};

/// Adds one to what a process of its own gives.
#[task]
fn nested(x: u64) -> brigade::Result<u64> {
    let pool = crate::support::builder(1).build()?;
    Ok(pool.submit(double(x)).result()? + 1)
}

fn threads(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("it starts")
}

/// In CPython a map submits at once; here it is lazy, and [`brigade::Map::start`] does it.
#[test]
fn a_map_that_is_started_submits_without_being_asked_for_results() {
    let (pool, pulled) = (threads(2), Cell::new(0));
    let jobs = (0..4).map(|x| {
        pulled.set(pulled.get() + 1);
        double(x)
    });
    let map = pool.map(jobs).buffer(4).start();
    assert_eq!(pulled.get(), 4);
    assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [0, 2, 4, 6]);
}

#[test]
fn there_are_as_many_threads_as_cpus_unless_it_is_said() {
    let pool = ThreadPool::builder().build().expect("it starts");
    let results: Vec<u64> = pool.map((0..100).map(double)).map(Result::unwrap).collect();
    assert_eq!(results.len(), 100);
}

/// CPython's hang in `_global_shutdown_lock`: thread pools that make process pools, again and again.
#[test]
fn pools_in_pools_do_not_hang_each_other() {
    for _ in 0..50 {
        let pool = threads(2);
        let futures = [1, 2].map(|x| pool.submit(nested(x)));
        let closures = [3, 4].map(|x| pool.submit_fn(move || x));
        assert_eq!(futures.map(value), [3, 5]);
        assert_eq!(closures.map(value), [3, 4]);
    }
}

/// A map whose first job is late: who gives up on it cancels what has not been started.
#[test]
fn a_map_that_is_given_up_cancels_its_jobs() {
    let (processes, gate) = (pool(1), Gate::open());
    let pool = threads(1);
    let (_held, visitors) = occupy(&processes, &gate, 1);
    let running: Job<_, _> = crate::support::hold(gate.path());
    let busy = pool.submit(running);
    let visitor = gate.wait();
    let late: Vec<_> = pool.map((0..3).map(double)).timeout(Duration::from_millis(20)).collect();
    assert!(matches!(&late[..], [Err(error)] if error.is_refused()), "{late:?}");
    visitor.release();
    value(busy);
    assert_eq!(value(pool.submit(double(1))), 2);
    visitors.into_iter().for_each(Visitor::release);
}
