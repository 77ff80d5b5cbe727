//! Many jobs at once: maps, `as_completed`, `wait`, scopes, callbacks, and a bounded queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use brigade_supervisor::{
    Future, Job, Prefetch, ProcessPool, ReturnWhen, Unfinished, as_completed, wait,
};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::until;
use brigade_tests::program::Program;

use crate::pools::{builder, error, hold, occupy, outcome, pool, tell, told, value};

fn double(x: u64) -> Job<String> {
    Job::json("double", format!("[{x}]"))
}

/// The job that fails.
fn fail() -> Job<String> {
    Job::json("fail", r#"["on purpose"]"#)
}

fn numbers<E: std::fmt::Debug>(results: impl Iterator<Item = Result<String, E>>) -> Vec<u64> {
    results.map(|result| result.unwrap().parse().unwrap()).collect()
}

fn queued(pool: &ProcessPool) -> usize {
    pool.control().snapshot().unwrap().queued
}

#[test]
fn an_endless_map_ends_with_those_who_take() {
    let pool = pool(2);
    let expected: Vec<u64> = (0..1000).map(|x| 2 * x).collect();
    assert_eq!(numbers(pool.map((0..).map(double)).take(1000)), expected);
    let mut unordered: Vec<_> = pool.map_unordered((0..).map(double)).take(1000).collect();
    unordered.sort_by_key(|(number, _)| *number);
    for (number, result) in unordered {
        assert_eq!(result.unwrap(), (2 * number).to_string());
    }
    until("an empty queue", DEADLINE, || (queued(&pool) == 0).then_some(()));
}

#[test]
fn a_map_goes_on_after_a_failure_and_a_crash() {
    let pool = pool(2);
    let jobs = [double(1), fail(), Job::json("exit", "[3]").crash_retries(0), double(4)];
    let results: Vec<_> = pool.map(jobs).collect();
    assert_eq!(results[0].as_ref().unwrap(), "2");
    assert!(results[1].as_ref().unwrap_err().is_failed());
    assert!(results[2].as_ref().unwrap_err().is_crashed());
    assert_eq!(results[3].as_ref().unwrap(), "8");
}

#[test]
fn a_slow_job_holds_up_the_ordered_map_and_not_the_other() {
    let (pool, gate) = (pool(2), Gate::open());
    let jobs = || [hold(&gate)].into_iter().chain((1..4).map(double));
    let mut unordered = pool.map_unordered(jobs());
    let first: Vec<usize> = unordered.by_ref().take(3).map(|(number, _)| number).collect();
    assert!(!first.contains(&0), "{first:?}");
    gate.wait().release();
    assert_eq!(unordered.next().unwrap().0, 0);
    assert!(unordered.next().is_none());
    let map = pool.map(jobs()).start();
    gate.wait().release();
    assert_eq!(map.map(|result| result.unwrap()).nth(1).unwrap(), "2");
}

#[test]
fn a_map_that_is_dropped_half_way_cancels_what_was_not_started() {
    let pool = builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap();
    let (gate, log) = (Gate::open(), tempfile::NamedTempFile::new().unwrap());
    let logged = || Job::json("log", format!("[{}, 1, 0]", brigade_tests::json(log.path())));
    let jobs = [double(1), hold(&gate), logged(), logged()];
    let mut map = pool.map(jobs);
    assert_eq!(map.next().unwrap().unwrap(), "2");
    let visitor = gate.wait();
    drop(map);
    visitor.release();
    drop(pool);
    assert!(std::fs::read(log.path()).unwrap().is_empty(), "none of these was started");
}

#[test]
fn an_input_that_panics_leaves_no_job_behind() {
    let pool = builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap();
    let gate = Gate::open();
    let (running, visitors) = occupy(&pool, &gate, 1);
    let input = || (0..10).map(|x| if x == 3 { panic!("on purpose") } else { double(x) });
    catch_unwind(AssertUnwindSafe(|| pool.map(input()).count())).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| pool.map_unordered(input()).count())).unwrap_err();
    until("an empty queue", DEADLINE, || (queued(&pool) == 0).then_some(()));
    visitors.into_iter().for_each(Visitor::release);
    assert!(running.into_iter().all(|job| told(job).2 == "released"));
    let ended = pool.statistics();
    assert_eq!(ended.succeeded, 1, "what was pulled before was not run");
    assert_eq!(ended.cancelled + 1, ended.settled());
}

#[test]
fn when_the_time_of_a_map_is_over_its_rest_is_cancelled() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let jobs = [hold(&gate), double(2), double(3)];
    let mut map = pool.map(jobs).timeout(Duration::from_millis(50)).start();
    let visitor = gate.wait();
    let refused = map.next().unwrap().unwrap_err();
    assert!(refused.to_string().contains("the map's time was over after 50ms"), "{refused}");
    assert!(map.next().is_none());
    until("an empty queue", DEADLINE, || (queued(&pool) == 0).then_some(()));
    visitor.release();
    let finished = pool.map([1, 2].map(double)).timeout(DEADLINE);
    assert_eq!(numbers(finished), [2, 4]);
}

/// Each map over so many jobs, in a process of its own.
fn assert_flat(count: u64) {
    for which in ["map", "map-unordered"] {
        let arguments = format!("{which} {count}");
        let findings = Program::new(env!("CARGO_BIN_EXE_host"), &arguments).run().success();
        let findings: Vec<u64> = findings.lines().map(|line| line.parse().unwrap()).collect();
        let [sum, growth] = findings[..] else { panic!("{findings:?}") };
        assert_eq!(sum, count * (count - 1));
        assert!(growth < 16 * 1024, "{which} grew by {growth} KiB");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_jobs() {
    assert_flat(300_000);
}

#[test]
#[ignore = "takes a minute without optimisation: cargo test --release -p brigade-tests -- --ignored a_million"]
fn memory_does_not_grow_with_a_million_jobs() {
    assert_flat(1_000_000);
}

#[test]
fn a_hundred_thousand_futures_are_given_back_once_each() {
    let pool = pool(2);
    let futures: Vec<_> = (0..100_000).map(|x| pool.submit(double(x))).collect();
    let (mut sum, mut count) = (0, 0);
    for future in as_completed(futures) {
        assert!(future.done());
        sum += value(future).parse::<u64>().unwrap();
        count += 1;
    }
    assert_eq!((count, sum), (100_000, 100_000 * 99_999));
}

#[test]
fn as_completed_tells_how_many_are_missing_and_goes_on() {
    let (pool, gate) = (pool(2), Gate::open());
    let (running, visitors) = occupy(&pool, &gate, 2);
    let other = crate::pools::pool(1);
    let others = [double(1), double(2)].map(|job| other.submit(job));
    let mut completed = as_completed(running.into_iter().chain(others));
    for _ in 0..2 {
        assert_ne!(completed.next().unwrap().try_result().unwrap().unwrap(), "released");
    }
    let missing = completed.next_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(missing, Unfinished { pending: 2, total: 4 });
    assert_eq!(missing.to_string(), "2 of 4 futures are not done");
    visitors.into_iter().for_each(Visitor::release);
    assert!(completed.by_ref().all(|future| told(future).2 == "released"));
    assert!(completed.next().is_none());
}

#[test]
fn wait_divides_the_done_from_the_pending() {
    let (pool, gate) = (pool(2), Gate::open());
    let held = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let waited = wait([held, pool.submit(double(1))], ReturnWhen::FirstCompleted, None);
    assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
    let futures = waited.pending.into_iter().chain([pool.submit(fail())]);
    let waited = wait(futures, ReturnWhen::FirstFailed, None);
    assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
    let patience = Some(Duration::from_millis(5));
    let waited = wait(waited.pending, ReturnWhen::All, patience);
    assert_eq!((waited.done.len(), waited.pending.len()), (0, 1));
    visitor.release();
    assert_eq!(wait(waited.pending, ReturnWhen::All, None).done.len(), 1);
}

#[test]
fn a_job_gathers_in_every_way_with_a_single_worker() {
    let pool = pool(1);
    for how in ["map", "map-unordered", "as-completed", "wait", "scope", "take", "one-by-one"] {
        let sum = value(pool.submit(Job::json("gather", format!("[\"{how}\", 50]"))));
        assert_eq!(sum, (50 * 49).to_string(), "{how}");
    }
    let sum = value(pool.submit(Job::json("gather", "[\"as-completed\", 3000]")));
    assert_eq!(sum, (3000 * 2999).to_string(), "more than can be named at once");
}

#[test]
fn a_scope_is_left_when_its_jobs_are_settled() {
    let pool = pool(2);
    let futures = pool.scope(|scope| (0..100).map(|x| scope.submit(double(x))).collect::<Vec<_>>());
    assert!(futures.iter().all(|future| future.try_result().is_some_and(|end| end.is_ok())));
}

#[test]
fn a_scope_that_panics_cancels_its_queue_and_awaits_what_runs() {
    let (pool, gate) = (builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let mut futures = Vec::new();
    thread::scope(|threads| {
        let (to, from) = mpsc::channel::<Visitor>();
        let pool = &pool;
        let releaser = threads.spawn(move || {
            let visitor = from.recv().expect("it is sent before the panic");
            until("an empty queue", DEADLINE, || (queued(pool) == 0).then_some(()));
            visitor.release();
        });
        let panic = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                futures.push(scope.submit(hold(&gate)));
                let visitor = gate.wait();
                futures.push(scope.submit(double(1)));
                to.send(visitor).unwrap();
                panic!("on purpose");
            });
        }));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on purpose"));
        releaser.join().unwrap();
    });
    assert!(futures.iter().all(|future| future.try_result().is_some()), "all are settled");
    assert!(error(futures.remove(1)).is_cancelled());
    assert_eq!(told(futures.remove(0)).2, "released");
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    let pool = pool(1);
    let job = pool.submit(double(1));
    job.on_done(|_| panic!("on purpose"));
    assert_eq!(value(job), "2");
    assert_eq!(value(pool.submit(double(2))), "4", "the pool goes on");
}

/// Lets a callback of a job that is still running do something, and gives what that gave.
fn in_callback<T: Send + 'static>(
    pool: &Arc<ProcessPool>,
    act: impl FnOnce(&ProcessPool) -> T + Send + 'static,
) -> T {
    let gate = Gate::open();
    let job = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let ((to, from), pool) = (mpsc::channel(), Arc::clone(pool));
    job.on_done(move |_| drop(to.send(act(&pool))));
    visitor.release();
    from.recv_timeout(DEADLINE).expect("the callback ends")
}

#[test]
fn a_callback_may_submit_to_the_pool() {
    let pool = Arc::new(builder(1).max_queued(1).build().unwrap());
    let jobs = in_callback(&pool, |pool| [1, 2, 3].map(|x| pool.submit(double(x))));
    assert_eq!(jobs.map(value), ["2", "4", "6"], "the bound does not hold it up");
}

#[test]
fn a_callback_that_waits_gets_an_error_and_not_a_hang() {
    let pool = Arc::new(pool(1));
    let refused = in_callback(&pool, |pool| pool.submit(double(1)).result().unwrap_err());
    assert!(refused.to_string().contains("a callback must not wait for a job"), "{refused}");
    let results: Vec<_> = in_callback(&pool, |pool| pool.map((0..).map(double)).collect());
    assert!(matches!(&results[..], [Err(error)] if error.is_refused()), "{results:?}");
    let results: Vec<_> = in_callback(&pool, |pool| {
        as_completed([1, 2].map(|x| pool.submit(double(x)))).map(Future::result).collect()
    });
    assert!(results.iter().all(Result::is_err), "{results:?}");
    in_callback(&pool, |pool| pool.scope(|scope| drop(scope.submit(double(1)))));
    assert_eq!(value(pool.submit(double(4))), "8");
}

#[test]
fn a_callback_may_cancel_other_jobs_and_look_at_the_pool() {
    let pool = Arc::new(builder(1).prefetch(Prefetch::AtMost(0)).build().unwrap());
    let other_gate = Gate::open();
    let other = in_callback(&pool, {
        let held = hold(&other_gate);
        move |pool| {
            let (first, other) = (pool.submit(held), pool.submit(double(1)));
            assert!(!other.cancel(), "it is done, but the answer is not waited for");
            assert!(!first.running());
            assert!(pool.control().snapshot().is_none());
            other
        }
    });
    other_gate.wait().release();
    assert!(error(other).is_cancelled());
}

#[test]
fn a_callback_may_drop_the_pool() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let last = pool.submit(double(1));
    let (to, from) = mpsc::channel();
    job.on_done(move |_| {
        drop(pool);
        let _ = to.send(());
    });
    visitor.release();
    from.recv_timeout(DEADLINE).expect("the callback ends");
    assert_eq!(value(last), "2", "a dropped pool is drained");
}

#[test]
fn callbacks_come_in_their_order() {
    let (pool, gate, (to, from)) = (pool(1), Gate::open(), mpsc::channel());
    let job = pool.submit(hold(&gate));
    let visitor = gate.wait();
    for number in 0..10 {
        let to = to.clone();
        job.on_done(move |_| to.send(number).unwrap_or_default());
    }
    drop(to);
    visitor.release();
    assert!(from.iter().eq(0..10));
}

/// A pool of one busy worker and this bound, whose queue is full; its queued jobs.
fn full(bound: usize, gate: &Gate) -> (ProcessPool, Vec<Future<String>>, Visitor) {
    let prefetch = Prefetch::AtMost(0);
    let pool = builder(1).prefetch(prefetch).max_queued(bound).build().unwrap();
    let mut futures = vec![pool.submit(hold(gate))];
    let visitor = gate.wait();
    futures.extend((0..bound).map(|n| pool.submit(tell(&n.to_string()))));
    (pool, futures, visitor)
}

#[test]
fn a_full_queue_gives_the_job_back() {
    let gate = Gate::open();
    let (pool, futures, visitor) = full(2, &gate);
    let job = pool.try_submit(double(7)).expect_err("it is full");
    assert_eq!(job.task(), "double");
    assert!(futures[2].cancel(), "that makes room");
    let taken = pool.try_submit(job).expect("there is room");
    let job = pool.try_submit(double(8)).expect_err("it is full again");
    visitor.release();
    assert_eq!(value(taken), "14");
    assert_eq!(value(pool.try_submit(job).expect("all was dispatched")), "16");
}

#[test]
fn submitting_to_a_full_queue_blocks_until_a_job_is_dispatched() {
    let gate = Gate::open();
    let (pool, _futures, visitor) = full(1, &gate);
    let submitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        let blocked = scope.spawn(|| {
            let job = pool.submit(hold(&gate));
            submitted.store(1, Ordering::SeqCst);
            job
        });
        assert!(pool.try_submit(double(1)).is_err());
        assert_eq!(submitted.load(Ordering::SeqCst), 0, "there is no room yet");
        visitor.release();
        let job = blocked.join().unwrap();
        gate.wait().release();
        assert_eq!(told(job).2, "released");
    });
}

#[test]
fn jobs_of_jobs_are_not_held_up_by_a_full_queue() {
    let pool = builder(1).max_queued(1).build().unwrap();
    let sum = outcome(pool.submit(Job::json("gather", r#"["as-completed", 40]"#)));
    assert_eq!(sum.unwrap(), (40 * 39).to_string());
}

#[test]
fn a_map_over_a_bounded_queue_ends() {
    let pool = builder(2).max_queued(1).build().unwrap();
    assert_eq!(numbers(pool.map((0..500).map(double))).len(), 500);
    assert_eq!(pool.map_unordered((0..500).map(double)).count(), 500);
}
