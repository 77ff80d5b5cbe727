//! Worker programs that do not start: a clear error in time, exit code 3, and no storm of starts.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brigade_protocol::VERSION;
use brigade_supervisor::{ProcessPool, StartError};
use brigade_tests::gate::Gate;
use brigade_tests::process;
use tempfile::TempDir;

use crate::FAULTY;
use crate::pools::builder;
use crate::program::supervisor;

const BAD_WORKER: &str = env!("CARGO_BIN_EXE_bad_worker");

/// What is promised.
const PROMISE: Duration = Duration::from_secs(5);

/// A bad worker program by its name, in a directory where its starts are counted.
fn bad_worker(name: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    symlink(BAD_WORKER, &path).unwrap();
    (directory, path)
}

fn starts(directory: &Path) -> usize {
    std::fs::read_to_string(directory.join("starts")).unwrap_or_default().lines().count()
}

/// Runs the program with a bad worker program, which must end as promised; returns what it said.
#[track_caller]
fn assert_refused(name: &str, words: &[&str], most_starts: usize) {
    let (directory, path) = bad_worker(name);
    let program = supervisor("--workers 8 --task double 1 2 3 --worker").arg(&path);
    let refused = program.run().expect_code(3);
    assert!(refused.took < PROMISE, "{name}: {:?}", refused.took);
    assert_eq!(refused.stdout, "", "{name}");
    for word in words {
        assert!(refused.stderr.contains(word), "{name}: {word:?} is not in {}", refused.stderr);
    }
    let starts = starts(directory.path());
    assert!((1..=most_starts).contains(&starts), "{name} was started {starts} times");
}

#[test]
fn a_program_that_dies_at_once() {
    let words = ["exits", "exited with code 42 before it said hello", "the larder is empty"];
    assert_refused("exits", &words, 1);
    assert_refused("aborts", &["was killed by SIGABRT before it said hello"], 1);
}

#[test]
fn a_program_that_never_says_hello() {
    let words = ["did not say hello within 4s", "is it a brigade worker program?", "for nobody"];
    assert_refused("sleeps", &words, 1);
}

#[test]
fn a_program_that_connects_and_says_nothing() {
    assert_refused("connects", &["did not say hello within 4s"], 1);
}

#[test]
fn a_program_of_another_version() {
    let theirs = format!("speaks protocol version {}", VERSION + 1);
    let ours = format!("this supervisor speaks {VERSION}");
    assert_refused("newer", &[&theirs, &ours], 1);
}

#[test]
fn a_program_that_says_something_else() {
    assert_refused("stranger", &["what came is not a hello of a brigade worker program"], 1);
    assert_refused("malformed", &["the hello does not decode"], 1);
}

#[test]
fn a_program_that_dies_at_each_spawn() {
    assert_refused("barren", &["the fork server exited with code 42", "no worker today"], 12);
}

#[test]
fn a_program_whose_workers_die_at_start() {
    assert_refused("forgetful", &["workers died", "without a job to blame"], 1);
}

#[test]
fn a_program_that_cannot_be_executed() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "neither program nor script").unwrap();
    let missing = directory.path().join("missing");
    let not_executable = |path: &Path, reason: &str| {
        let refused = supervisor("--task double 1 --worker").arg(path).run().expect_code(3);
        assert!(refused.took < PROMISE);
        let words = format!("cannot start worker program {}", path.display());
        assert!(refused.stderr.contains(&words), "{}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    };
    not_executable(&missing, "No such file or directory");
    not_executable(&text, "Permission denied");
    not_executable(directory.path(), "Permission denied");
}

#[test]
fn a_program_that_is_no_worker_program() {
    let refused = supervisor("--task double 1 --worker /bin/true").run().expect_code(3);
    assert!(
        refused.stderr.contains("exited with code 0 before it said hello"),
        "{}",
        refused.stderr
    );
    assert!(refused.took < PROMISE);
}

#[test]
fn a_start_time_out_can_be_shorter() {
    let (_directory, path) = bad_worker("sleeps");
    let patience = Duration::from_millis(200);
    let error = ProcessPool::builder().program(&path).start_timeout(patience).build().unwrap_err();
    assert!(matches!(&error, StartError::NoHello { patience: p, .. } if *p == patience), "{error}");
}

#[test]
fn numbers_out_of_their_range_are_refused() {
    for workers in [0, 10_001] {
        let error = builder(workers).build().unwrap_err();
        assert!(matches!(error, StartError::OutOfRange { .. }), "{error}");
    }
    for threads in [0, 65] {
        let error = builder(1).threads_per_worker(threads).build().unwrap_err();
        assert!(matches!(error, StartError::OutOfRange { .. }), "{error}");
    }
    let error = builder(1).batch(0).build().unwrap_err();
    assert!(error.to_string().contains("jobs that travel together"), "{error}");
}

#[test]
fn a_place_for_sockets_that_cannot_be_used_is_named() {
    let long = format!("/tmp/{}", "x".repeat(100));
    for directory in ["/no/such/directory", &long] {
        let refused = supervisor("--task double 1").env("TMPDIR", directory).run().expect_code(3);
        assert!(refused.stderr.contains("set TMPDIR"), "{}", refused.stderr);
        assert!(refused.stderr.contains(directory), "{}", refused.stderr);
    }
}

#[test]
fn a_worker_program_that_is_replaced_while_it_runs_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("barren");
    symlink(FAULTY, &path).unwrap();
    let gate = Gate::open();
    let input = format!("[{}]\n", gate.json());
    let program = supervisor("--workers 1 --task hold --jobs - --worker").arg(&path).input(input);
    let started = program.start();
    let visitor = gate.wait();
    std::fs::remove_file(&path).unwrap();
    // It offers other tasks, so the numbers of the jobs' tasks would mean others.
    symlink(BAD_WORKER, &path).unwrap();
    process::kill(process::parent(visitor.pid).unwrap());
    let ended = started.finish().expect_code(3);
    assert!(ended.stderr.contains("was replaced by another build"), "{}", ended.stderr);
}
