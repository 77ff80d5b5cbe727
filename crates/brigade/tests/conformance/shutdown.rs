//! `test_shutdown.py`: how a pool ends, and a program with it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use brigade::{Prefetch, Shutdown, task};
use brigade_tests::gate::Gate;
use brigade_tests::process::Watched;

use crate::support::{assert_intact, builder, double, error, fail, hold, pool, value};

/// Writes "apple" to a file, having slept for a while: as CPython's `sleep_and_print`, so that its program ends
/// first if it does not wait. Nothing is synchronised by it.
#[task]
fn write_later(file: PathBuf) -> std::io::Result<()> {
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(file, "apple")
}

const WAYS: [Shutdown; 4] = [
    Shutdown::Drain,
    Shutdown::CancelQueued,
    Shutdown::Stop { grace: Duration::from_secs(1) },
    Shutdown::Abort,
];

#[test]
fn a_job_after_the_end_is_refused() {
    for how in WAYS {
        let pool = pool(2);
        pool.control().shutdown(how);
        let late = error(pool.submit(double(1)));
        assert!(late.is_refused() && late.attempts() == 0, "{how:?}: {late}");
        let results: Vec<_> = pool.map((0..3).map(double)).collect();
        assert!(results.iter().all(Result::is_err), "{how:?}: {results:?}");
    }
}

/// Where the program that ends is to write, and whether it asks its pool to end first.
const FILE: &str = "BRIGADE_TEST_END_FILE";
const FIRST: &str = "BRIGADE_TEST_END_FIRST";

/// Not a test: the program that ends while a job runs, for the next two.
#[test]
#[ignore = "it is started by other tests"]
fn a_program_that_ends_while_a_job_runs() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let pool = brigade::ProcessPool::builder().workers(2).build().unwrap();
    pool.submit(write_later(file.into()));
    if std::env::var_os(FIRST).is_some() {
        pool.control().shutdown(Shutdown::Drain);
    }
}

fn end_a_program(asks_first: bool) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "shutdown::a_program_that_ends_while_a_job_runs", "--ignored"]);
    program.env(FILE, &file);
    if asks_first {
        program.env(FIRST, "");
    }
    let output = program.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "nobody complains");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "apple");
}

#[test]
fn the_end_of_a_program_awaits_what_runs() {
    end_a_program(false);
}

#[test]
fn a_pool_that_was_asked_to_end_does_not_hang_the_end_of_a_program() {
    end_a_program(true);
}

#[test]
fn a_cancel_just_before_the_end_does_not_hang_it() {
    for prefetch in [Prefetch::AtMost(0), Prefetch::AtMost(4)] {
        for how in WAYS {
            let pool = builder(1).prefetch(prefetch).build().unwrap();
            let futures: Vec<_> = (0..10).map(|x| pool.submit(double(x))).collect();
            let last = &futures[9];
            last.cancel();
            pool.shutdown(how);
            assert!(futures.iter().all(brigade::Future::done), "{how:?}");
        }
    }
}

#[test]
fn an_end_that_is_not_awaited_computes_everything() {
    let (pool, gate) = (pool(2), Gate::open());
    let processes = assert_intact(&pool, 2).into_iter().map(Watched::new).collect::<Vec<_>>();
    let running = pool.submit(hold(gate.path()));
    let visitor = gate.wait();
    let futures: Vec<_> = (0..100).map(|x| pool.submit(double(x))).collect();
    pool.control().shutdown(Shutdown::Drain);
    visitor.release();
    assert_eq!(value(running).0, 1);
    for (x, future) in (0..).zip(futures) {
        assert_eq!(value(future), 2 * x);
    }
    drop(pool);
    assert!(processes.iter().all(Watched::is_dead));
}

/// CPython's gh-132969: workers go after each job, one job fails, and the end is asked for meanwhile.
fn end_while_workers_go(workers: usize) {
    for _ in 0..5 {
        let pool = builder(workers).max_jobs_per_worker(1).build().unwrap();
        let good = pool.submit(double(1));
        let bad = pool.submit(fail("on purpose".to_owned()));
        let more: Vec<_> = (0..6).map(|x| pool.submit(double(x))).collect();
        pool.control().shutdown(Shutdown::Drain);
        assert_eq!(value(good), 2);
        assert!(error(bad).is_failed());
        assert!((0..).zip(more).all(|(x, future)| value(future) == 2 * x));
        drop(pool);
    }
}

#[test]
fn a_failure_and_an_end_while_two_workers_go() {
    end_while_workers_go(2);
}

#[test]
fn a_failure_and_an_end_while_four_workers_go() {
    end_while_workers_go(4);
}
