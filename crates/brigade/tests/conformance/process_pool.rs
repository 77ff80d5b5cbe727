//! `test_process_pool.py`: what processes add to it.

use std::collections::HashSet;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use brigade::protocol::message::Exit;
use brigade::{Failure, Prefetch, Shutdown, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::{self as processes, Watched};
use nix::libc;
use rustix::process::Signal;

use crate::sandbox::{Refused, without};
use crate::support::{alone_fails, assert_intact, builder, error, hold, occupy, pool, tell, value};

/// Ends its worker.
#[task]
fn exit(code: i32) {
    process::exit(code);
}

/// Panics.
#[task]
fn stumble() {
    panic!("over its own feet");
}

/// How many of them have been dropped in this process.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// It is counted when it goes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Counted(Vec<u8>);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Only looks at it.
#[task]
fn look_at(counted: Counted) -> usize {
    counted.0.len()
}

/// How many were dropped here.
#[task]
fn dropped() -> usize {
    DROPPED.load(Ordering::Relaxed)
}

#[test]
fn a_worker_that_is_terminated_costs_its_job_and_no_more() {
    let gate = Gate::open();
    let error = alone_fails(|pool| {
        let killed = pool.submit(hold(gate.path()).crash_retries(0));
        let visitor = gate.wait();
        processes::send(visitor.pid, Signal::TERM);
        killed
    });
    assert_eq!(*error.failure(), Failure::Crashed(Exit::Signal(15)), "{error}");
    assert!(error.to_string().contains("was killed by SIGTERM"), "{error}");
}

#[test]
fn each_job_that_is_lost_has_an_error_of_its_own() {
    let (pool, gate) = (pool(3), Gate::open());
    let jobs: Vec<_> = (0..3).map(|_| pool.submit(hold(gate.path()).crash_retries(0))).collect();
    let mut visitors = gate.wait_for_all(3);
    visitors.sort_by_key(|visitor| visitor.job);
    for visitor in &visitors[..2] {
        processes::send(visitor.pid, Signal::KILL);
    }
    let mut jobs = jobs.into_iter();
    for (job, visitor) in jobs.by_ref().take(2).zip(&visitors) {
        let error = error(job);
        assert_eq!(error.job().0, visitor.job, "{error}");
        assert_eq!(error.worker().map(|worker| worker.pid), Some(visitor.pid), "{error}");
    }
    visitors.remove(2).release();
    assert_eq!(value(jobs.next().unwrap()).0, 1, "the third goes on");
    assert_intact(&pool, 3);
}

#[test]
fn a_panic_comes_back_with_its_message_its_place_and_its_stack() {
    let pool = builder(1).env("RUST_BACKTRACE", "1").build().unwrap();
    let error = error(pool.submit(stumble()));
    let Failure::Panicked(panic) = error.failure() else { panic!("{error}") };
    assert_eq!(panic.message, "over its own feet");
    let place = panic.location.as_deref().unwrap_or_default();
    assert!(place.contains("conformance/process_pool.rs:"), "{place}");
    let stack = panic.backtrace.as_deref().unwrap_or_default();
    assert!(stack.contains("stumble"), "{stack}");
    assert_intact(&pool, 1);
}

#[test]
fn an_error_names_the_exit_code() {
    let error = alone_fails(|pool| pool.submit(exit(99).crash_retries(0)));
    assert_eq!(error.exit(), Some(Exit::Code(99)));
    assert!(error.to_string().contains("exited with code 99"), "{error}");
}

#[test]
fn arguments_are_dropped_when_their_job_has_ended() {
    let pool = pool(1);
    for jobs in 1..=3 {
        assert_eq!(value(pool.submit(look_at(Counted(vec![7; 1000])))), 1000);
        assert_eq!(value(pool.submit(dropped())), jobs, "in the worker");
    }
}

#[test]
fn more_jobs_than_workers_make_no_more_workers() {
    const WORKERS: usize = 3;
    let (pool, gate) = (pool(WORKERS), Gate::open());
    let futures: Vec<_> = (0..15 * WORKERS).map(|_| pool.submit(hold(gate.path()))).collect();
    let visitors = gate.wait_for_all(WORKERS);
    let snapshot = pool.control().snapshot().unwrap();
    assert_eq!(snapshot.lanes.len(), WORKERS);
    assert_eq!(snapshot.statistics.workers_started, WORKERS as u64);
    let pids: HashSet<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
    visitors.into_iter().for_each(Visitor::release);
    for _ in WORKERS..futures.len() {
        gate.wait().release();
    }
    assert!(futures.into_iter().all(|future| pids.contains(&value(future).1)));
    assert_eq!(pool.statistics().workers_started, WORKERS as u64);
}

#[test]
fn an_idle_worker_is_used_again() {
    let pool = pool(1);
    let pids: HashSet<u32> = (0..6).map(|x| value(pool.submit(tell(x))).1).collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(pool.statistics().workers_started, 1);
}

#[test]
fn idle_workers_are_used_again() {
    let pool = pool(3);
    let before = assert_intact(&pool, 3);
    for _ in 0..4 {
        assert_eq!(assert_intact(&pool, 3), before);
    }
    assert_eq!(pool.statistics().workers_started, 3);
}

/// The processes of a pool whose environment has this mark, zombies left out.
fn alive(mark: &str) -> Vec<u32> {
    let marked = processes::marked(mark).into_iter();
    marked.filter(|pid| processes::state(*pid).is_some_and(|state| state != 'Z')).collect()
}

#[test]
fn no_replacement_outlives_an_abort() {
    for round in 0..20 {
        let value = format!("{}-{round}", process::id());
        let pool = builder(2).max_jobs_per_worker(1).prefetch(Prefetch::AtMost(0));
        let pool = pool.env("BRIGADE_TEST_MARK", &value).build().unwrap();
        let futures: Vec<_> = (0..20).map(|x| pool.submit(tell(x))).collect();
        // At some moment of it.
        for future in &futures[..round % 7] {
            while !future.done() {
                std::thread::yield_now();
            }
        }
        pool.abort();
        let alive = alive(&format!("BRIGADE_TEST_MARK={value}"));
        assert!(alive.is_empty(), "round {round}: {alive:?}");
        assert!(futures.iter().all(brigade::Future::done));
    }
}

#[test]
fn a_pool_of_dead_workers_can_be_aborted() {
    let (pool, gate) = (pool(2), Gate::open());
    let (futures, visitors) = occupy(&pool, &gate, 2);
    let begun = Instant::now();
    for visitor in &visitors {
        processes::send(visitor.pid, Signal::KILL);
    }
    pool.abort();
    assert!(begun.elapsed() < DEADLINE / 3, "{:?}", begun.elapsed());
    for future in futures {
        let error = future.try_result().expect("it is settled").unwrap_err();
        assert!(error.is_cancelled() || error.is_crashed(), "{error}");
    }
}

#[test]
fn a_pool_that_was_given_nothing_can_be_ended_in_every_way() {
    let grace = Duration::from_secs(1);
    for how in [Shutdown::Drain, Shutdown::CancelQueued, Shutdown::Stop { grace }, Shutdown::Abort]
    {
        let begun = Instant::now();
        pool(2).shutdown(how);
        assert!(begun.elapsed() < DEADLINE / 3, "{how:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn after_an_abort_nothing_is_taken_and_nobody_lives() {
    let (pool, gate) = (pool(2), Gate::open());
    let (futures, visitors) = occupy(&pool, &gate, 2);
    let watched: Vec<_> = visitors.iter().map(|visitor| Watched::new(visitor.pid)).collect();
    pool.control().shutdown(Shutdown::Abort);
    for future in futures {
        assert!(error(future).is_cancelled(), "what runs does not finish");
    }
    let late = error(pool.submit(tell(1)));
    assert!(late.is_refused(), "{late}");
    drop(pool);
    assert!(watched.iter().all(Watched::is_dead));
}

const EPERM: i32 = libc::EPERM;

#[test]
fn what_a_sandbox_refuses_to_tell_does_not_prevent_a_pool() {
    let refused = [libc::SYS_sched_getaffinity, libc::SYS_sysinfo];
    let refused = refused.map(|call| Refused { call, flags: 0, errno: EPERM });
    without(&refused, || {
        let pool = brigade::ProcessPool::builder().on_output(|_| {}).build().unwrap();
        assert_intact(&pool, 1);
    });
}

#[test]
fn threads_that_cannot_be_had_are_an_error_of_the_pool() {
    let flags = u32::try_from(libc::CLONE_THREAD).unwrap();
    // Without the newer call, whose flags no filter sees, the C library takes the older one.
    let refused = [
        Refused { call: libc::SYS_clone3, flags: 0, errno: libc::ENOSYS },
        Refused { call: libc::SYS_clone, flags, errno: libc::EAGAIN },
    ];
    let begun = Instant::now();
    let error = without(&refused, || builder(1).build().unwrap_err());
    assert!(begun.elapsed() < DEADLINE / 3, "{:?}", begun.elapsed());
    assert!(error.to_string().contains("thread"), "{error}");
}
