//! Futures, awaited.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use super::fake::{BAD, Order, Pool, STUCK, double};
use crate::executor::Executor;

/// Ends all jobs of a pool, in another thread, as a pool's loop does.
fn end_all_elsewhere(pool: &Arc<Pool>) -> thread::JoinHandle<()> {
    let pool = Arc::clone(pool);
    thread::spawn(move || {
        while !pool.state().queued.is_empty() {
            pool.end(0);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_awaited_under_tokio() {
    let pool = Arc::new(Pool::new(Order::None));
    let awaited: Vec<_> = (0..1000).map(|x| tokio::spawn(pool.submit(double(x)))).collect();
    let ending = end_all_elsewhere(&pool);
    let mut sum = 0;
    for job in awaited {
        sum += job.await.unwrap().unwrap();
    }
    assert_eq!(sum, 999_000);
    ending.join().unwrap();
}

#[tokio::test]
async fn select_with_a_time_out_gives_up_and_can_go_on() {
    let pool = Arc::new(Pool::new(Order::None));
    let mut stuck = pool.submit(double(STUCK));
    for _ in 0..10 {
        tokio::select! {
            result = &mut stuck => panic!("{result:?}"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    assert!(stuck.origin().cell().watchers() <= 1, "one waker, however often it was polled");
    let dropped = pool.submit(double(1));
    assert!(tokio::time::timeout(Duration::ZERO, dropped).await.is_err());
    let bad = pool.submit(double(BAD));
    let ending = end_all_elsewhere(&pool);
    assert!(bad.await.unwrap_err().is_failed());
    assert_eq!(stuck.await, Ok(2 * STUCK));
    ending.join().unwrap();
}

#[test]
fn many_are_awaited_under_smol() {
    let pool = Arc::new(Pool::new(Order::None));
    let awaited: Vec<_> = (0..1000).map(|x| smol::spawn(pool.submit(double(x)))).collect();
    let ending = end_all_elsewhere(&pool);
    let sum = smol::block_on(async {
        let mut sum = 0;
        for job in awaited {
            sum += job.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 999_000);
    ending.join().unwrap();
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_last_waker_is_woken_and_those_of_others() {
    let pool = Pool::new(Order::None);
    let future = pool.submit(double(1));
    let mut twin = pin!(future.twin());
    let mut future = pin!(future);
    let counts: [Arc<Count>; 3] = std::array::from_fn(|_| Arc::new(Count(AtomicUsize::new(0))));
    let wakers = counts.clone().map(Waker::from);
    for waker in &wakers[..2] {
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    assert!(twin.as_mut().poll(&mut Context::from_waker(&wakers[2])).is_pending());
    pool.end(0);
    let woken = counts.map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(woken, [0, 1, 1], "the first waker was replaced");
    let mut context = Context::from_waker(&wakers[0]);
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(Ok(2)));
    assert_eq!(twin.as_mut().poll(&mut context), Poll::Ready(Ok(2)));
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let pool = Pool::new(Order::None);
    let mut future = pool.submit(double(1));
    let waker = Waker::from(Arc::new(Panics));
    assert!(pin!(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
    pool.end(0);
    assert_eq!(smol::block_on(future), Ok(2));
}
