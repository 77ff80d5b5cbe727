//! What the threads of a pool have in common: how they begin, and the thread that settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use brigade_supervisor::{RestartIntensity, ThreadPool};

use super::{next, pool, strict};
use crate::pools::{error, value};

#[test]
fn each_thread_begins_with_the_initializer() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let pool = strict(3)
        .initializer(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let futures: Vec<_> = (0..3)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            pool.submit_fn(move || {
                barrier.wait();
            })
        })
        .collect();
    futures.into_iter().for_each(value);
    assert_eq!(begun.load(Ordering::SeqCst), 3);
}

#[test]
fn an_initializer_that_panics_makes_the_pool_give_up_with_its_words() {
    let pool = strict(1)
        .restart_intensity(RestartIntensity { max: 2, within: Duration::from_mins(1) })
        .initializer(|| panic!("no such model"))
        .build()
        .unwrap();
    let given_up = error(pool.submit_fn(|| ()));
    assert!(given_up.is_pool_gave_up(), "{given_up}");
    let reason = pool.gave_up().unwrap();
    assert!(reason.starts_with("3 workers died"), "{reason}");
    assert!(reason.contains("its initializer panicked at "), "{reason}");
    assert!(reason.ends_with("no such model"), "{reason}");
    assert!(error(pool.submit_fn(|| ())).is_pool_gave_up());
}

#[test]
fn an_initializer_that_fails_once_costs_nothing() {
    let tries = AtomicUsize::new(0);
    let pool = strict(1)
        .initializer(move || assert!(tries.fetch_add(1, Ordering::SeqCst) > 0, "not yet"))
        .build()
        .unwrap();
    assert_eq!(value(pool.submit_fn(|| 7)), 7);
}

#[test]
fn threads_have_the_stack_they_were_given() {
    fn dig(depth: usize) -> u64 {
        let block = std::hint::black_box([1_u64; 1024]);
        if depth == 0 { 0 } else { block[depth % 1024] + dig(depth - 1) }
    }
    let pool = strict(1).stack_size(64 << 20).build().unwrap();
    // At least 8 MiB.
    assert_eq!(value(pool.submit_fn(|| dig(1024))), 1024);
}

#[test]
fn so_many_threads_there_can_be() {
    for workers in [0, 10_001] {
        let error = ThreadPool::builder().workers(workers).build().unwrap_err();
        assert!(error.to_string().contains("must be from 1 to 10000"), "{error}");
    }
    assert!(pool(1).resize(10_001).is_err());
    let pool = strict(1000).build().unwrap();
    let barrier = Arc::new(std::sync::Barrier::new(1000));
    let meet = |_| {
        let barrier = Arc::clone(&barrier);
        pool.submit_fn(move || {
            barrier.wait();
        })
    };
    (0..1000).map(meet).collect::<Vec<_>>().into_iter().for_each(value);
}

#[test]
fn callbacks_are_called_and_a_panic_in_one_is_caught() {
    let pool = pool(1);
    let (told, tells) = channel();
    let future = pool.submit_fn(|| 7);
    future.on_done(|_| panic!("in a callback"));
    let last = told.clone();
    future.on_done(move |settlement| last.send(settlement.job).unwrap());
    assert_eq!(next(&tells), future.job());
    future.on_done(move |settlement| told.send(settlement.job).unwrap());
    assert_eq!(next(&tells), future.job(), "it has ended already");
    assert_eq!(value(future), 7);
}

#[test]
fn a_callback_that_would_wait_is_told_that_it_must_not() {
    let pool = Arc::new(pool(1));
    let plug = super::Plug::put_in(&pool);
    let (told, tells) = channel();
    let again = Arc::downgrade(&pool);
    plug.future.on_done(move |_| {
        let pool = again.upgrade().expect("the test has it");
        // It waits for what only this thread could settle.
        told.send(pool.submit_fn(|| 1).result()).unwrap();
    });
    plug.pull();
    let refused = next(&tells).unwrap_err();
    assert!(refused.is_refused(), "{refused}");
}

#[test]
fn what_a_cancelled_closure_holds_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let pool = strict(1).build().unwrap();
    let plug = super::Plug::put_in(&pool);
    let bomb = Bomb;
    let future = pool.submit_fn(move || std::mem::forget(bomb));
    assert!(future.cancel());
    plug.pull();
    assert_eq!(value(pool.submit_fn(|| 7)), 7);
}
