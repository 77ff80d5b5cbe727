//! What thread pools run, and what becomes of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use brigade_supervisor::Job;
use brigade_task::{Context, Registry, task};

use super::{Plug, next, pool, strict};
use crate::pools::{error, value};

#[task(crate = brigade_task)]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[task(crate = brigade_task)]
fn refuse(what: String) -> Result<(), String> {
    Err(format!("no {what}"))
}

#[task(crate = brigade_task)]
fn explode(number: u8) {
    panic!("boom {number}");
}

/// Succeeds in the third attempt.
#[task(crate = brigade_task)]
fn third_time(context: &Context, text: String) -> Result<String, String> {
    let attempt = context.attempt();
    if attempt < 3 { Err(format!("attempt {attempt}")) } else { Ok(format!("{text} {attempt}")) }
}

#[task(crate = brigade_task)]
fn note(number: u8) {
    NOTED.lock().unwrap().push(number);
}
static NOTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[task(crate = brigade_task)]
fn come_far(context: &Context) {
    context.progress(3, 10);
    GO.0.lock().unwrap().as_ref().unwrap().send(()).unwrap();
    let _ = GO.1.lock().unwrap().as_ref().unwrap().recv();
}
type Place<T> = Mutex<Option<T>>;
static GO: (Place<std::sync::mpsc::Sender<()>>, Place<Receiver<()>>) =
    (Mutex::new(None), Mutex::new(None));

static HOLD: Mutex<Option<Receiver<()>>> = Mutex::new(None);

/// Is held up if it is this one.
#[task(crate = brigade_task)]
fn hold_one(number: u32, held: u32) {
    if number == held
        && let Some(wait) = HOLD.lock().unwrap().take()
    {
        let _ = wait.recv();
    }
}

/// A call of `add`.
fn add_job(a: u64, b: u64) -> Job<u64, (u64, u64)> {
    Job::of(&add::TASK, (a, b))
}

#[test]
fn a_call_of_a_task_needs_no_registry() {
    assert_eq!(value(pool(2).submit(add_job(2, 3))), 5);
}

#[test]
fn tasks_of_the_registry_are_called_by_name() {
    let registry = Registry::new(&[&add::TASK]).unwrap();
    let pool = strict(1).registry(registry).build().unwrap();
    assert_eq!(pool.tasks()[0].name, "add");
    assert_eq!(value(pool.submit(Job::<u64>::call("add", (2_u64, 3_u64)))), 5);
    assert_eq!(value(pool.submit(Job::json("add", r#"{"a": 2, "b": 3}"#))), "5");
    let refused = error(pool.submit(Job::<u64>::call("sub", (2_u64, 3_u64))));
    assert!(refused.is_refused());
    assert!(
        refused.to_string().ends_with("no such task: sub; the registry of the pool offers add")
    );
}

#[test]
fn bad_arguments_are_told() {
    let registry = Registry::new(&[&add::TASK]).unwrap();
    let pool = strict(1).registry(registry).build().unwrap();
    assert!(error(pool.submit(Job::json("add", "[1, true]"))).is_undecodable());
}

#[test]
fn a_closure_gives_what_could_not_be_encoded() {
    let pool = pool(1);
    let (sender, receiver) = channel::<u8>();
    let function = value(pool.submit_fn(move || -> Box<dyn FnOnce() -> Receiver<u8> + Send> {
        Box::new(move || receiver)
    }));
    sender.send(7).unwrap();
    assert_eq!(next(&function()), 7);
}

#[test]
fn the_value_of_a_closure_is_given_out_once() {
    let pool = pool(1);
    let future = pool.submit_fn(|| 7);
    assert_eq!(pool.wait(&future).unwrap(), 7);
    assert!(error(future).to_string().contains("the value was taken before"));
}

#[test]
fn errors_and_panics_are_told_with_their_circumstances() {
    let pool = pool(1);
    let failed = error(pool.submit(Job::<(), _>::of(&refuse::TASK, ("way",)).label("mine")));
    assert!(failed.is_failed());
    assert!(failed.to_string().ends_with("(refuse, mine), attempt 1 of 1: no way"), "{failed}");
    let panicked = error(pool.submit(Job::<(), _>::of(&explode::TASK, (3_u8,))));
    let brigade_supervisor::Failure::Panicked(told) = panicked.failure() else {
        panic!("{panicked}")
    };
    assert_eq!(told.message, "boom 3");
    assert!(told.location.as_deref().unwrap().contains("tests/it/threads/jobs.rs:"), "{told}");
    assert!(told.backtrace.as_deref().unwrap().contains("explode"), "{told}");
    let panicked = error(pool.submit_fn(|| -> u8 { panic!("from a closure") }));
    assert!(panicked.is_panicked());
    assert!(panicked.task().contains("errors_and_panics"), "{panicked}");
    assert!(panicked.to_string().contains("from a closure"), "{panicked}");
}

#[test]
fn a_job_that_runs_another_in_its_place_still_has_its_panics_told() {
    let panicked = error(pool(1).submit_fn(|| -> u8 {
        assert!(Job::<(), _>::of(&explode::TASK, (1_u8,)).run().unwrap_err().is_panicked());
        panic!("and now for real")
    }));
    assert!(panicked.to_string().contains("jobs.rs:"), "{panicked}");
}

#[test]
fn a_task_is_tried_again_with_its_arguments_and_a_closure_is_not() {
    let pool = strict(1).retries(2).build().unwrap();
    assert_eq!(value(pool.submit(Job::<String, _>::of(&third_time::TASK, ("yes",)))), "yes 3");
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let future = pool.submit_fn(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        panic!("once");
    });
    let once: Result<(), _> = crate::pools::outcome(future);
    assert_eq!(once.unwrap_err().attempts(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[test]
fn no_more_jobs_run_at_once_than_there_are_threads() {
    const THREADS: usize = 4;
    for pool in [pool(THREADS), strict(THREADS).build().unwrap()] {
        let running = Arc::new(AtomicUsize::new(0));
        let (started, starts) = channel();
        let mut futures = Vec::new();
        for _ in 0..15 * THREADS {
            let (running, started) = (Arc::clone(&running), started.clone());
            futures.push(pool.submit_fn(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                let (go, wait) = channel::<()>();
                started.send((now, go)).unwrap();
                let _ = wait.recv();
                running.fetch_sub(1, Ordering::SeqCst);
                thread::current().id()
            }));
        }
        let mut plugs = std::collections::VecDeque::new();
        for started in 0..15 * THREADS {
            if started >= THREADS {
                drop(plugs.pop_front());
            }
            let (now, go) = next(&starts);
            assert!(now <= THREADS, "{now} at once");
            plugs.push_back(go);
        }
        drop(plugs);
        let threads: HashSet<_> = futures.into_iter().map(value).collect();
        assert_eq!(threads.len(), THREADS);
    }
}

#[test]
fn idle_threads_are_used_again() {
    let pool = pool(2);
    let mut threads = HashSet::new();
    for _ in 0..100 {
        threads.insert(value(pool.submit_fn(|| thread::current().id())));
    }
    assert!(threads.len() <= 2);
    assert_eq!(pool.statistics().workers_started, 2);
}

#[test]
fn more_threads_run_more_jobs_at_once_and_fewer_fewer() {
    let pool = strict(1).build().unwrap();
    pool.resize(3).unwrap();
    let barrier = Arc::new(Barrier::new(3));
    let meet = |_| {
        let barrier = Arc::clone(&barrier);
        pool.submit_fn(move || {
            barrier.wait();
        })
    };
    (0..3).map(meet).collect::<Vec<_>>().into_iter().for_each(value);
    pool.resize(1).unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let futures: Vec<_> = (0..200)
        .map(|_| {
            let running = Arc::clone(&running);
            pool.submit_fn(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                now
            })
        })
        .collect();
    assert_eq!(futures.into_iter().map(value).max(), Some(1));
}

#[test]
fn jobs_of_a_higher_priority_go_first_and_equals_in_order() {
    let pool = strict(1).build().unwrap();
    let plug = Plug::put_in(&pool);
    let jobs = [(1_u8, 0), (2, 5), (3, -1), (4, 5), (5, 0)];
    let futures = jobs.map(|(number, priority)| {
        pool.submit(Job::<(), _>::of(&note::TASK, (number,)).priority(priority))
    });
    plug.pull();
    futures.into_iter().for_each(value);
    assert_eq!(*NOTED.lock().unwrap(), [2, 4, 1, 5, 3]);
}

#[test]
fn a_full_queue_is_told_and_waited_for() {
    let pool = strict(1).max_queued(1).build().unwrap();
    let plug = Plug::put_in(&pool);
    let queued = pool.submit_fn(|| 1);
    assert!(pool.try_submit_fn(|| 2).is_err());
    assert!(pool.try_submit(add_job(1, 2)).is_err());
    thread::scope(|scope| {
        let blocked = scope.spawn(|| value(pool.submit_fn(|| 3)));
        plug.pull();
        assert_eq!(blocked.join().unwrap(), 3);
    });
    assert_eq!(value(queued), 1);
    assert!(pool.try_submit_fn(|| 4).is_ok());
}

#[test]
fn many_jobs_that_do_nothing() {
    let pool = pool(2);
    let futures: Vec<_> = (0..100_000_u64).map(|n| pool.submit(add_job(n, 1))).collect();
    let sum: u64 = futures.into_iter().map(value).sum();
    assert_eq!(sum, 5_000_050_000);
    let futures: Vec<_> = (0..100_000_u64).map(|n| pool.submit_fn(move || n + 1)).collect();
    let sum: u64 = futures.into_iter().map(value).sum();
    assert_eq!(sum, 5_000_050_000);
}

#[test]
fn a_result_does_not_wait_for_the_job_behind_it() {
    const HELD: u32 = 1500;
    let pool = pool(1);
    let (go, wait) = channel();
    *HOLD.lock().unwrap() = Some(wait);
    // In frames of many, for they are short.
    let job = |number| Job::<(), _>::of(&hold_one::TASK, (number, HELD));
    let mut futures: Vec<_> = (1..=2 * HELD).map(|number| pool.submit(job(number))).collect();
    let rest = futures.split_off(HELD as usize - 1);
    futures.into_iter().for_each(value);
    assert!(!rest[0].done());
    drop(go);
    rest.into_iter().for_each(value);
}

#[test]
fn what_runs_can_be_looked_at() {
    let ((started, starts), (go, wait)) = (channel(), channel());
    (*GO.0.lock().unwrap(), *GO.1.lock().unwrap()) = (Some(started), Some(wait));
    let pool = strict(2).build().unwrap();
    let future = pool.submit(Job::<(), _>::of(&come_far::TASK, ()).label("far"));
    next(&starts);
    assert!(future.running());
    let snapshot = pool.control().snapshot().unwrap();
    let running: Vec<_> = snapshot.lanes.iter().flat_map(|lane| &lane.running).collect();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].job, future.job());
    assert_eq!(running[0].label.as_deref(), Some("far"));
    assert_eq!(running[0].progress, Some((3, 10)));
    drop(go);
    value(future);
}
