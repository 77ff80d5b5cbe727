//! What the program costs on its main job: `supervisor --workers 2 --task prime-count`, beside the
//! same sieve called over the same segments in a plain loop.
//!
//! Both are run as processes of their own. The processor time is that of the process and of all it
//! started and waited for, which are the fork server and, through it, the workers.

#![expect(clippy::print_stdout, reason = "a runner says what it counted")]

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use brigade_benches::figures::{Figures, Table};
use brigade_benches::{process, whole_or_quick};
use brigade_worker::builtin::primes;

/// What this process is to be, if not the benchmark itself.
const RUNNER: &str = "BRIGADE_BENCH_RUNNER";

const SEGMENT: u64 = 10_000_000;
const WORKERS: u32 = 2;

fn main() -> ExitCode {
    match std::env::var(RUNNER).as_deref() {
        // Its fork server comes here as well, and goes on from there.
        Ok("program") => brigade_supervisor::cli::main(),
        Ok(limit) => {
            println!("{}", count(limit.parse().expect("the limit is a number")));
            ExitCode::SUCCESS
        }
        Err(_) => {
            compare();
            ExitCode::SUCCESS
        }
    }
}

/// The plain loop.
fn count(limit: u64) -> u64 {
    (0..limit.div_ceil(SEGMENT))
        .map(|segment| {
            let from = segment * SEGMENT;
            primes::count(from, (from + SEGMENT).min(limit)).expect("it is far below 2^63")
        })
        .sum()
}

fn compare() {
    let (limit, primes, rounds) =
        whole_or_quick((10_000_000_000_u64, "455052511", 5), (1_000_000_000, "50847534", 1));
    let (limit_text, segment, workers) =
        (limit.to_string(), SEGMENT.to_string(), WORKERS.to_string());
    let arguments = ["--quiet", "--workers", &workers, "--task", "prime-count"];
    let arguments = [&arguments[..], &["--limit", &limit_text, "--segment", &segment]].concat();
    // In turns, so that a slower minute of the machine slows both.
    let (mut plain, mut program) = (vec![], vec![]);
    for _ in 0..rounds {
        plain.push(run(&limit_text, &[], primes));
        program.push(run("program", &arguments, primes));
    }

    let title = format!("Primes below {limit} in segments of {SEGMENT}, in s: median (least–most)");
    let mut table = Table::new(&title, &["", "wall", "processor"]);
    let seconds = |runs: &[Run], part: fn(&Run) -> Duration| {
        format!("{:.2}", Figures::new(runs.iter().map(|run| part(run).as_secs_f64())))
    };
    for (name, runs) in [("plain loop", &plain), ("program, 2 workers", &program)] {
        let cells = [seconds(runs, |run| run.wall), seconds(runs, |run| run.processor)];
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table.print();

    let ratio =
        |part: fn(&Run) -> Duration| {
            Figures::new(program.iter().zip(&plain).map(move |(program, plain)| {
                part(program).as_secs_f64() / part(plain).as_secs_f64()
            }))
        };
    let mut table = Table::new("Program to plain loop, pairs of neighbours", &["", "", "bar"]);
    let processor = format!("{:.3}", ratio(|run| run.processor));
    table.row(["processor time".into(), processor, "≤ 1.15".into()]);
    table.row(["wall".into(), format!("{:.3}", ratio(|run| run.wall)), "–".into()]);
    table.print();
}

struct Run {
    wall: Duration,
    processor: Duration,
}

/// Runs this executable as something else; it must print `expected`.
fn run(runner: &str, arguments: &[&str], expected: &str) -> Run {
    let executable = std::env::current_exe().expect("this program has a path");
    let before = process::time_of_children();
    let begin = Instant::now();
    let output = Command::new(executable).args(arguments).env(RUNNER, runner).output();
    let wall = begin.elapsed();
    let output = output.expect("this program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
    Run { wall, processor: process::time_of_children().saturating_sub(before) }
}
