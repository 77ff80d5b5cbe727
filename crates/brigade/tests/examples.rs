//! Every example runs, and prints what it should.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example, which must succeed and complain of nothing; gives what it printed.
fn run(name: &str) -> Vec<String> {
    // Beside the folder of this test: Cargo builds examples before it runs tests.
    let mut path: PathBuf = std::env::current_exe().expect("this test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    let output = Command::new(&path).output().unwrap_or_else(|error| {
        panic!("{}: {error}; build it with cargo build --examples", path.display())
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{name}: {}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("it prints text").lines().map(str::to_owned).collect()
}

#[test]
fn primes() {
    assert_eq!(run("primes"), ["78498"]);
}

#[test]
fn threads() {
    let mut expected: Vec<String> = (1..=5).map(|n| format!("thread job {n} slept")).collect();
    expected.push("all within a second: true".to_owned());
    assert_eq!(run("threads"), expected);
}

#[test]
fn processes() {
    let lines = run("processes");
    let at = |text: &str| lines.iter().position(|line| line == text).unwrap();
    let (five, three) =
        (&lines[at("5 workers") + 1..at("3 workers")], &lines[at("3 workers") + 1..]);
    let pids = |lines: &[String]| {
        let pids = lines.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned());
        pids.collect::<std::collections::HashSet<_>>().len()
    };
    assert_eq!((five.len(), pids(five)), (5, 5), "each has a worker for itself");
    assert_eq!((three.len(), pids(three)), (5, 3), "two are started when others are done");
    let position = |job: &str| three.iter().position(|line| line.contains(job)).unwrap();
    assert!(position("job 3 ") < position("job 4 ") && position("job 2 ") < position("job 5 "));
}

#[test]
fn as_completed() {
    assert_eq!(run("as_completed"), [50, 300, 600].map(|ms| format!("slept for {ms} ms")));
}

#[test]
fn several_arguments() {
    let expected = ["hello hello hello, Ada", "good morning, Ada", "good night, Ada"];
    assert_eq!(run("several_arguments"), expected);
}

#[test]
fn deadlock() {
    let expected = [
        "deadlock: job 1 (a) waits for job 2 (b) waits for job 1 (a)",
        "deadlock: job 2 (b) waits for job 1 (a) waits for job 2 (b)",
    ];
    assert_eq!(run("deadlock"), expected);
}

#[test]
fn nested() {
    assert_eq!(run("nested"), ["25"]);
}

#[test]
fn map() {
    assert_eq!(run("map"), ["2 4 6 8 10", "1001000"]);
}

#[test]
fn devices() {
    let lines = run("devices");
    assert_eq!(lines[2], "10.0.0.3 FAILED: 10.0.0.3 refused the connection");
    for device in [0, 1, 3] {
        assert!(lines[device].ends_with("42 interfaces are up"), "{lines:?}");
    }
}

#[test]
fn errors() {
    let expected = [
        "error: failed",
        "panic: panicked",
        "abort: crashed (SIGABRT)",
        "exit: crashed (it exited by itself)",
        "hang: it took too long",
        "nothing at all: well",
    ];
    assert_eq!(run("errors"), expected);
}

#[test]
fn blobs() {
    let pixels = 16 << 20;
    let expected =
        [format!("inverted {pixels} pixels, the first is 254"), format!("[{pixels}, {pixels}, 0]")];
    assert_eq!(run("blobs"), expected);
}

#[test]
fn lanes() {
    let lines = run("lanes");
    assert_eq!(lines.len(), 2);
    for job in 1..=8 {
        let lane = lines.iter().filter(|line| line.contains(&format!("[{job}"))).count();
        assert_eq!(lane, 1, "job {job} is in one lane: {lines:?}");
    }
}
