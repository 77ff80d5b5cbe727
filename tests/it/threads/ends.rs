//! How jobs on threads end that do not end by themselves, and how pools end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use brigade_supervisor::{Job, Shutdown, ThreadPool};
use brigade_task::{Context, task};
use brigade_tests::DEADLINE;

use super::{Plug, next, pool, strict};
use crate::pools::{error, value};

const SHORT: Duration = Duration::from_millis(30);

/// Runs until it is asked to stop.
fn spin(context: &Context) {
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
}

static STARTS: AtomicUsize = AtomicUsize::new(0);
#[task(crate = brigade_task)]
fn overrun(context: &Context) {
    STARTS.fetch_add(1, Ordering::SeqCst);
    spin(context);
}

#[test]
fn a_job_that_overruns_is_asked_to_stop_and_its_thread_is_replaced() {
    let pool = strict(1).timeout(SHORT).build().unwrap();
    let (stopped, stops) = channel();
    let future = pool.submit_with(move |context| {
        spin(context);
        stopped.send(()).unwrap();
    });
    let late = error(future);
    assert!(late.is_timed_out());
    assert!(late.to_string().ends_with("so its thread was left to itself"), "{late}");
    assert_eq!(value(pool.submit_fn(|| 7)), 7);
    next(&stops);
    assert_eq!(pool.statistics().workers_started, 2);
}

#[test]
fn a_job_that_timed_out_is_not_tried_again() {
    let pool = strict(2).timeout(SHORT).retries(3).build().unwrap();
    let late = error(pool.submit(Job::<(), _>::of(&overrun::TASK, ())));
    assert!(late.is_timed_out());
    assert_eq!((late.attempts(), late.certificate().allowed), (1, 1));
    pool.shutdown(Shutdown::Drain);
    assert_eq!(STARTS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thread_that_never_returns_does_not_hold_up_the_end() {
    let (go, wait) = channel::<()>();
    let pool = strict(1).timeout(SHORT).build().unwrap();
    let future = pool.submit_fn(move || wait.recv().is_ok());
    let behind: Vec<_> = (0..10).map(|n| pool.submit_fn(move || n)).collect();
    assert!(error(future).is_timed_out());
    assert_eq!(behind.into_iter().map(value).sum::<i32>(), 45);
    drop(pool);
    drop(go);
}

#[test]
fn what_waits_behind_a_stuck_thread_is_run_by_another() {
    let pool = pool(2);
    let plug = Plug::put_in(&pool);
    let futures: Vec<_> = (0..50).map(|n| pool.submit_fn(move || n)).collect();
    assert_eq!(futures.into_iter().map(value).sum::<i32>(), 1225);
    assert!(!plug.future.done());
    plug.pull();
}

#[test]
fn a_queued_job_is_cancelled_and_a_running_one_is_asked() {
    let pool = strict(1).build().unwrap();
    let (started, starts) = channel();
    let running = pool.submit_with(move |context| {
        started.send(()).unwrap();
        spin(context);
        7
    });
    next(&starts);
    let queued = pool.submit_fn(|| unreachable!("it was cancelled"));
    assert!(queued.cancel());
    let end: Result<(), _> = crate::pools::outcome(queued);
    assert!(end.unwrap_err().is_cancelled());
    assert!(!running.cancel(), "it goes on until it looks");
    assert_eq!(value(running), 7);
}

#[test]
fn to_kill_a_running_job_is_to_ask_it() {
    let pool = strict(1).build().unwrap();
    let (started, starts) = channel();
    let running = pool.submit_with(move |context| {
        started.send(()).unwrap();
        spin(context);
        7
    });
    next(&starts);
    assert!(!running.kill());
    assert_eq!(value(running), 7);
}

#[test]
fn one_that_was_asked_does_not_pass_it_on_to_the_next() {
    let pool = strict(1).build().unwrap();
    let (started, starts) = channel();
    let running = pool.submit_with(move |context| {
        started.send(()).unwrap();
        spin(context);
    });
    next(&starts);
    assert!(!running.cancel());
    value(running);
    assert!(!value(pool.submit_with(Context::is_cancelled)));
}

#[test]
fn a_drain_finishes_everything() {
    let pool = pool(2);
    let futures: Vec<_> = (0..1000).map(|n| pool.submit_fn(move || n)).collect();
    pool.shutdown(Shutdown::Drain);
    assert!(futures.iter().all(brigade_supervisor::Future::done));
    assert_eq!(futures.into_iter().map(value).sum::<i32>(), 499_500);
}

#[test]
fn after_the_end_jobs_are_refused() {
    let pool = pool(1);
    pool.control().shutdown(Shutdown::Drain);
    assert!(error(pool.submit_fn(|| ())).is_refused());
}

#[test]
fn the_queue_can_be_cancelled_and_what_runs_be_awaited() {
    let pool = pool(1);
    let plug = Plug::put_in(&pool);
    let queued: Vec<_> = (0..10).map(|_| pool.submit_fn(|| ())).collect();
    pool.control().shutdown(Shutdown::CancelQueued);
    for future in queued {
        assert!(error(future).is_cancelled());
    }
    plug.pull();
    drop(pool);
}

#[test]
fn an_abort_cancels_what_runs_and_waits_for_nobody() {
    let pool = pool(1);
    let plug = Plug::put_in(&pool);
    let queued = pool.submit_fn(|| ());
    let looks = pool.control();
    pool.abort();
    assert!(looks.snapshot().is_none(), "it is over");
    assert!(error(plug.future).is_cancelled());
    assert!(error(queued).is_cancelled());
    drop(plug.go);
}

#[test]
fn a_stop_asks_and_leaves_to_itself_what_does_not_listen() {
    let pool = strict(2).build().unwrap();
    let plug = Plug::put_in(&pool);
    let (started, starts) = channel();
    let listens = pool.submit_with(move |context| {
        started.send(()).unwrap();
        spin(context);
        7
    });
    next(&starts);
    let queued = pool.submit_fn(|| ());
    pool.control().shutdown(Shutdown::Stop { grace: DEADLINE });
    assert!(error(queued).is_cancelled());
    assert_eq!(value(listens), 7, "it was asked, and had the time");
    pool.shutdown(Shutdown::Stop { grace: SHORT });
    assert!(error(plug.future).is_cancelled());
    drop(plug.go);
}

#[test]
fn the_last_handle_may_be_with_a_job() {
    let own = Arc::new(pool(1));
    let (go, wait) = channel::<()>();
    let inside = Arc::clone(&own);
    let future = own.submit_fn(move || {
        let _ = wait.recv();
        assert_eq!(Arc::strong_count(&inside), 1);
        drop(inside);
        7
    });
    let control = own.control();
    drop(own);
    drop(go);
    assert_eq!(value(future), 7);
    // It ends all the same.
    while control.snapshot().is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn the_last_handle_may_be_with_a_callback_or_a_queued_closure() {
    let own = Arc::new(pool(1));
    let plug = Plug::put_in(&own);
    let inside = Arc::clone(&own);
    let (told, tells) = channel();
    plug.future.on_done(move |_| {
        drop(inside);
        told.send(()).unwrap();
    });
    drop(own);
    plug.pull();
    next(&tells);

    let own = Arc::new(strict(1).build().unwrap());
    let plug = Plug::put_in(&own);
    let inside = Arc::clone(&own);
    let queued = own.submit_fn(move || drop(inside));
    drop(own);
    assert!(queued.cancel());
    plug.pull();
}

#[test]
fn what_was_left_to_itself_has_no_more_say() {
    let pool = Arc::new(strict(1).timeout(SHORT).build().unwrap());
    let (told, tells) = channel();
    let inside = Arc::downgrade(&pool);
    let future = pool.submit_with(move |context| {
        spin(context);
        let pool: Arc<ThreadPool> = inside.upgrade().expect("the test has it");
        let child = pool.submit_fn(|| 7);
        let waited = pool.wait(&child);
        told.send((child, waited.is_err(), context.wait(context.reserve::<u8>().handle())))
            .unwrap();
    });
    assert!(error(future).is_timed_out());
    // It is asked to stop when its exit is on the way: so all this is of one that is over.
    let (child, waited, own_seat) = next(&tells);
    assert!(error(child).is_cancelled(), "it was not even started");
    assert!(waited && own_seat.is_err());
    assert_eq!(value(pool.submit_fn(|| 8)), 8);
}
