//! What is called when a job is settled.

use std::sync::{Arc, Mutex};

use super::fake::{BAD, Order, Pool, double};
use crate::executor::Executor;

#[test]
fn callbacks_come_once_in_the_order_in_which_they_were_given() {
    let pool = Pool::new(Order::First);
    let (good, bad, cancelled) =
        (pool.submit(double(1)), pool.submit(double(BAD)), pool.submit(double(3)));
    let calls = Arc::new(Mutex::new(Vec::new()));
    for number in 0..3 {
        for (name, future) in [("good", &good), ("bad", &bad), ("cancelled", &cancelled)] {
            let calls = Arc::clone(&calls);
            future.on_done(move |end| {
                calls.lock().unwrap().push((name, number, end.result.is_ok()));
            });
        }
    }
    assert!(cancelled.cancel());
    pool.end(0);
    pool.end(0);
    let of = |name, ok| (0..3).map(move |number| (name, number, ok));
    let expected: Vec<_> =
        of("cancelled", false).chain(of("good", true)).chain(of("bad", false)).collect();
    assert_eq!(*calls.lock().unwrap(), expected);
    // And at once if it has ended already.
    let later = Arc::clone(&calls);
    good.on_done(move |_| later.lock().unwrap().clear());
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn a_panic_in_a_callback_harms_nobody() {
    /// Panics once more when it is dropped.
    struct Twice;
    impl Drop for Twice {
        fn drop(&mut self) {
            panic!("and again");
        }
    }
    let pool = Pool::new(Order::First);
    let future = pool.submit(double(1));
    let called = Arc::new(Mutex::new(0));
    future.on_done(|_| panic!("on purpose"));
    future.on_done(|_| std::panic::panic_any(Twice));
    let count = Arc::clone(&called);
    future.on_done(move |_| *count.lock().unwrap() += 1);
    pool.end(0);
    assert_eq!(*called.lock().unwrap(), 1);
    future.on_done(|_| panic!("it is done already"));
    assert_eq!(future.result(), Ok(2));
}

#[test]
fn a_callback_may_submit_and_look_at_its_own_future() {
    let pool = Arc::new(Pool::new(Order::First));
    let future = Arc::new(pool.submit(double(1)));
    let (own, to) = (Arc::clone(&future), Arc::clone(&pool));
    let next = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&next);
    future.on_done(move |_| {
        assert!(own.done());
        *slot.lock().unwrap() = Some(to.submit(double(2)));
    });
    pool.end(0);
    let next = next.lock().unwrap().take().expect("it was called, and did not panic");
    assert_eq!(next.result(), Ok(4));
}

#[test]
fn a_second_end_is_not_heard() {
    let pool = Pool::new(Order::None);
    let future = pool.submit(double(1));
    let cell = Arc::clone(&pool.state().queued[0].cell);
    pool.end(0);
    cell.fill(crate::Settlement::bare(future.job(), Ok(vec![9])));
    assert_eq!(future.result(), Ok(2));
}
