//! `test_init.py`: initializers.

use std::collections::HashMap;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use brigade::{RestartIntensity, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process as processes;

use crate::support::{builder, double, error, occupy, value};

static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Counts that it was called in this process.
#[task]
fn begin(number: usize) {
    BEGUN.fetch_add(number, Ordering::Relaxed);
}

/// Which process it is, and how often it was begun.
#[task]
fn begun() -> (u32, usize) {
    (process::id(), BEGUN.load(Ordering::Relaxed))
}

/// Cannot be begun.
#[task]
fn refuse() -> Result<(), String> {
    Err("no table to load".to_owned())
}

#[test]
fn each_worker_is_initialized_once() {
    let pool = builder(3).worker_initializer(begin(1)).build().unwrap();
    let gate = Gate::open();
    // All are there when the jobs are given out.
    let (_held, visitors) = occupy(&pool, &gate, 3);
    visitors.into_iter().for_each(Visitor::release);
    let mut counts = HashMap::new();
    for (pid, count) in (0..100).map(|_| pool.submit(begun())).map(value).collect::<Vec<_>>() {
        assert_eq!(*counts.entry(pid).or_insert(count), 1, "once, however many jobs there are");
    }
    assert!(counts.len() <= 3);
}

/// An initializer that fails, of the program or of its workers, leaves no process of the pool.
#[test]
fn a_failed_initializer_leaves_nothing_behind() {
    let mark = format!("{}-initializer", process::id());
    let none = || {
        let marked = processes::marked(&format!("BRIGADE_TEST_MARK={mark}"));
        marked.into_iter().all(|pid| processes::state(pid).is_none_or(|state| state == 'Z'))
    };
    let refused = builder(2).env("BRIGADE_TEST_MARK", &mark).initializer(refuse()).build();
    assert!(refused.unwrap_err().to_string().contains("no table to load"));
    assert!(none(), "of the program");

    let pool = builder(2).env("BRIGADE_TEST_MARK", &mark).worker_initializer(refuse());
    let pool = pool.restart_intensity(RestartIntensity { max: 2, within: DEADLINE }).build();
    let pool = pool.unwrap();
    let gave_up = error(pool.submit(double(1)));
    assert!(gave_up.is_pool_gave_up(), "{gave_up}");
    assert!(gave_up.to_string().contains("no table to load"), "{gave_up}");
    assert!(pool.gave_up().is_some(), "and it stays so");
    assert!(error(pool.submit(double(1))).attempts() == 0);
    drop(pool);
    assert!(none(), "of the workers");
}
