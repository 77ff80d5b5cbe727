//! This executable as something else: the program `supervisor`, or the plain loop that it is compared with.
//!
//! So what is measured is built together with what measures it.

#![expect(clippy::print_stdout, reason = "a runner says what it counted")]

use std::process::{Command, ExitCode};

use brigade::builtin::primes;

/// What this process is to be, if not the benchmark itself.
const RUNNER: &str = "BRIGADE_BENCH_RUNNER";

/// How many numbers a job of the prime count takes.
pub const SEGMENT: u64 = 10_000_000;

/// The program `supervisor`.
///
/// # Panics
///
/// If this program has no path.
pub fn supervisor() -> Command {
    runner("supervisor")
}

/// A plain loop that counts the primes below a limit, and prints their number.
///
/// # Panics
///
/// If this program has no path.
pub fn loop_over_primes(limit: u64) -> Command {
    runner(&limit.to_string())
}

fn runner(what: &str) -> Command {
    let executable = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(executable);
    command.env(RUNNER, what);
    command
}

/// Whether the program offers this task.
pub fn offers(task: &str) -> bool {
    let output = supervisor().arg("--list-tasks").output();
    output.is_ok_and(|output| {
        let tasks = String::from_utf8_lossy(&output.stdout);
        tasks.lines().any(|line| line.split([' ', '(']).next() == Some(task))
    })
}

/// If this process is to be something else, it is that, and returns how it ends. First thing in `main`.
///
/// # Panics
///
/// If it is to be something that there is not.
pub fn run() -> Option<ExitCode> {
    match std::env::var(RUNNER).ok()?.as_str() {
        // Its fork server comes here as well, and goes on from there.
        "supervisor" => Some(brigade_supervisor::cli::main()),
        limit => {
            println!("{}", count(limit.parse().expect("the limit is a number")));
            Some(ExitCode::SUCCESS)
        }
    }
}

fn count(limit: u64) -> u64 {
    (0..limit.div_ceil(SEGMENT))
        .map(|segment| {
            let from = segment * SEGMENT;
            primes::count(from, (from + SEGMENT).min(limit)).expect("it is far below 2^63")
        })
        .sum()
}
