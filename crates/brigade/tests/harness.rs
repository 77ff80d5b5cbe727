//! A test program that is its own worker program, under the ordinary test harness.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process;

use brigade::{Context, JobError, ProcessPool, Registry, task};

brigade::test_support!();

/// What some tasks return.
mod kitchen {
    use std::fmt;

    pub(crate) type Result = std::result::Result<Dish, Burnt>;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Dish(pub(crate) String);

    /// It can be told, but not sent.
    #[derive(Debug)]
    pub(crate) struct Burnt;

    impl fmt::Display for Burnt {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it is burnt")
        }
    }

    /// Its types are seen from where it stands.
    pub(super) mod oven {
        use brigade::task;

        /// Bakes.
        #[task]
        pub(in super::super) fn bake(what: String, minutes: u8) -> super::Result {
            if minutes > 60 {
                return Err(super::Burnt);
            }
            Ok(pot::dish(what))
        }

        mod pot {
            pub(super) fn dish(what: String) -> super::super::Dish {
                super::super::Dish(what)
            }
        }
    }
}

/// The slow way, a job for each call.
#[task]
fn fib(context: &Context, n: u64) -> brigade::Result<u64> {
    if n < 2 {
        return Ok(n);
    }
    let (a, b) = (context.submit(fib(n - 1)), context.submit(fib(n - 2)));
    Ok(a.result()? + b.result()?)
}

/// What the process is like.
#[task(name = "surroundings")]
#[must_use]
#[inline]
fn look_around() -> (u32, usize, String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find(|line| line.starts_with("SigIgn:")).unwrap_or_default();
    (process::id(), std::env::args().count(), ignored.to_owned())
}

/// Writes where nobody reads.
#[task]
fn write_to_nobody() -> std::io::Result<()> {
    let (reader, mut writer) = std::io::pipe()?;
    drop(reader);
    writer.write_all(b"x")
}

/// Uses up its stack.
#[task]
fn overflow() -> u64 {
    fn descend(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 128]);
        if depth == u64::MAX { 0 } else { descend(depth + 1) + room[1] }
    }
    descend(std::hint::black_box(0))
}

/// Panics.
#[task]
fn burn() {
    panic!("fire");
}

fn pool() -> ProcessPool {
    ProcessPool::builder().workers(2).build().expect("it starts")
}

#[test]
fn all_tasks_of_the_program_are_there_by_name_and_no_others() {
    let names: Vec<_> = pool().tasks().iter().map(|task| task.name.clone()).collect();
    let all = ["bake", "burn", "fib", "overflow", "surroundings", "write-to-nobody"];
    assert_eq!(names, all);
    assert_eq!(Registry::gathered().unwrap().names().collect::<Vec<_>>(), all);
    assert_eq!(fib::TASK.doc, "The slow way, a job for each call.");
    assert!(fib::TASK.source.file.ends_with("harness.rs"));
}

#[test]
fn a_call_of_a_task_is_a_job_for_a_worker() {
    let pool = pool();
    let (pid, arguments, _) = pool.submit(look_around()).result().unwrap();
    assert_ne!(pid, process::id());
    assert!(arguments >= 1);
    let job = kitchen::oven::bake("bread".to_owned(), 50).label("for the guests").retries(1);
    assert_eq!(pool.submit(job).result().unwrap(), kitchen::Dish("bread".to_owned()));
}

#[test]
fn a_job_submits_jobs() {
    assert_eq!(pool().submit(fib(7)).result().unwrap(), 13);
}

#[test]
fn errors_and_panics_come_back() {
    let pool = pool();
    let error = pool.submit(kitchen::oven::bake("bread".to_owned(), 61)).result().unwrap_err();
    assert!(error.to_string().contains("it is burnt"), "{error}");
    let error: JobError = pool.submit(burn()).result().unwrap_err();
    assert!(error.to_string().contains("fire"), "{error}");
}

#[test]
fn the_function_itself_is_there_and_a_job_can_be_run_in_place() {
    assert_eq!(look_around::call().0, process::id());
    assert_eq!(look_around().run().unwrap().0, process::id());
    assert_eq!(fib(10).run().unwrap(), 55);
    assert!(kitchen::oven::bake::call(String::new(), 61).is_err());
}

#[test]
fn a_worker_from_before_main_ignores_broken_pipes() {
    let pool = pool();
    let error = pool.submit(write_to_nobody()).result().unwrap_err();
    assert!(error.to_string().contains("Broken pipe"), "{error}");
}

#[test]
fn a_stack_overflow_in_a_worker_from_before_main_is_reported() {
    let pool = pool();
    let error = pool.submit(overflow().crash_retries(0)).result().unwrap_err();
    assert!(error.is_crashed(), "{error}");
    assert!(error.to_string().contains("SIGSEGV"), "{error}");
    assert!(pool.submit(look_around()).result().is_ok(), "the pool goes on");
}
