//! A program that has a pool of its own, of itself as the worker program, with typed jobs. It says
//! what it finds, one line each.

use std::process::ExitCode;

use brigade_supervisor::{Future, Job, JobError, ProcessPool};
use brigade_tests::faults::plain::Told;
use brigade_tests::{DEADLINE, faults, process};

fn main() -> ExitCode {
    brigade_worker::init_with(&faults::registry());
    let findings = match std::env::args().nth(1).as_deref() {
        Some("typed") => typed(),
        Some("handles") => handles(),
        Some("before-and-after") => before_and_after(),
        Some("initializing") => initializing(),
        Some("initialized") => initialized(),
        Some("map") => map(true),
        Some("map-unordered") => map(false),
        _ => return ExitCode::from(2),
    };
    for finding in findings {
        say(&finding);
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn say(finding: &str) {
    println!("{finding}");
}

fn pool() -> ProcessPool {
    ProcessPool::builder().workers(2).build().expect("the pool starts")
}

/// What typed jobs come to.
fn typed() -> Vec<String> {
    let pool = pool();
    let primes: Future<u64> = pool.submit(Job::call("prime-count", (0_u64, 1000_u64)));
    let told: Future<Told> = pool.submit(Job::call("tell", ("typed",)));
    let wrong_arguments: Future<u64> = pool.submit(Job::call("prime-count", (0_u64,)));
    let wrong_result: Future<u8> = pool.submit(Job::call("prime-count", (0_u64, 100_000_u64)));
    let large: Future<(usize, u64)> = pool.submit(Job::call("measure", ("z".repeat(5_000_000),)));
    vec![
        show(primes),
        show(told).replace(char::is_numeric, "N"),
        show(wrong_arguments),
        show(wrong_result),
        show(large),
    ]
}

fn show<T: std::fmt::Debug>(future: Future<T>) -> String {
    match future.result() {
        Ok(value) => format!("ok {value:?}"),
        Err(error) => format!("{}: {error}", JobError::failure(&error).name()),
    }
}

/// Handles that live no longer than the call in which they are given away, and jobs that end before they
/// are waited for.
fn handles() -> Vec<String> {
    let pool = ProcessPool::builder().workers(1).build().expect("the pool starts");
    let await_other = &faults::nested::await_other::TASK;
    let first: Future<u64> = pool.submit(Job::call("fib", (1_u64,)));
    let second: Future<u64> = pool.submit(Job::of(await_other, (first.handle(),)));
    drop(first);
    let third: Future<u64> = pool.submit(Job::call("await-other", (second.handle(),)));
    drop(second);
    vec![show(third)]
}

/// The sum of so many results of a map, and by how many KiB that made the process grow.
fn map(is_ordered: bool) -> Vec<String> {
    let count = std::env::args().nth(2).and_then(|count| count.parse().ok());
    let (pool, count) = (pool(), count.expect("it is told how many"));
    let number = |result: Result<String, JobError>| {
        result.expect("it succeeds").parse::<u64>().expect("it is a number")
    };
    let sum = |count: u64| -> u64 {
        let jobs = (0..count).map(|x| Job::json("double", format!("[{x}]")));
        if is_ordered {
            pool.map(jobs).map(number).sum()
        } else {
            pool.map_unordered(jobs).map(|(_, result)| number(result)).sum()
        }
    };
    let size = || process::size_kib(std::process::id(), "VmHWM").expect("this process exists");
    // By then it is as far ahead of the results as it will ever be.
    assert_eq!(sum(50_000), 50_000 * 49_999, "the first ones");
    let before = size();
    let sum = sum(count);
    vec![sum.to_string(), (size() - before).to_string()]
}

/// Descriptors and children before a few pools were used and dropped, and after.
fn before_and_after() -> Vec<String> {
    // The first use of a channel, a thread or a lock may cost something that is kept for good.
    use_a_pool();
    let before = belongings();
    for _ in 0..5 {
        use_a_pool();
    }
    vec![before, belongings()]
}

/// The gate in the second argument, as JSON text.
fn gate() -> String {
    brigade_tests::json(&std::env::args().nth(2).expect("a gate is given"))
}

/// Starts a pool whose initializer never ends, but for a visit at the gate.
fn initializing() -> Vec<String> {
    let initializer = Job::json("hang", format!("[{}]", gate()));
    let builder = ProcessPool::builder().initializer(initializer).start_timeout(DEADLINE);
    vec![builder.build().expect_err("it hangs").to_string()]
}

/// A pool with an initializer, whose only job leaves a process behind and never ends.
fn initialized() -> Vec<String> {
    let builder = ProcessPool::builder().workers(1).initializer(Job::json("load", "[\"x\"]"));
    let pool = builder.build().expect("the pool starts");
    let left: Future<String> =
        pool.submit(Job::json("leave", format!("[{}, \"session\", \"hang\"]", gate())));
    vec![show(left)]
}

fn use_a_pool() {
    let pool = pool();
    let jobs: Vec<Future<String>> =
        (0..10).map(|_| pool.submit(Job::json("tell", "[\"x\"]"))).collect();
    let crash = pool.submit(Job::json("exit", "[1]"));
    drop(pool);
    assert!(jobs.into_iter().all(|job| job.result().is_ok()), "a dropped pool is drained");
    assert!(crash.result().is_err_and(|error| error.is_quarantined()), "this one crashes");
}

/// What this process has once the last threads of its pools, which have done their work and may be
/// about to end, have ended.
fn belongings() -> String {
    let threads = || std::fs::read_dir("/proc/self/task").expect("this process exists").count();
    process::until("a single thread", DEADLINE, || (threads() == 1).then_some(()));
    let pid = std::process::id();
    let descriptors = process::descriptors(pid).expect("this process exists");
    format!("{descriptors} descriptors, {} children", process::children(pid).len())
}
