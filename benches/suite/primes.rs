//! What the program costs on its main job: `supervisor --workers 2 --task prime-count`, beside the
//! same sieve called over the same segments in a plain loop.
//!
//! Both are run as processes of their own. The processor time is that of the process and of all it
//! started and waited for, which are the fork server and, through it, the workers.

use std::process::Command;
use std::time::{Duration, Instant};

use brigade_benches::contest::{Contest, Who};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{process, program, whole_or_quick};

const PROGRAM: &str = "program, 2 workers";
const LOOP: &str = "plain loop";

pub(crate) fn run(section: &mut Section) {
    let (limit, primes, rounds) =
        whole_or_quick((10_000_000_000_u64, "455052511", 3), (100_000_000, "5761455", 1));
    let mut contest: Contest<(Duration, Duration)> = Contest::default();
    contest.add(PROGRAM, Who::Ours, || {
        let mut command = program::supervisor();
        command.args(["--quiet", "--workers", "2", "--task", "prime-count"]);
        command.arg("--limit").arg(limit.to_string());
        time(command.arg("--segment").arg(program::SEGMENT.to_string()), primes)
    });
    contest.add(LOOP, Who::Limit, || time(&mut program::loop_over_primes(limit), primes));
    let rounds = contest.run(rounds);
    let wall = rounds.each(|(wall, _)| wall.as_secs_f64());
    let processor = rounds.each(|(_, processor)| processor.as_secs_f64());
    let title =
        |what: &str| format!("Primes below {limit} in segments of {}, {what}", program::SEGMENT);
    section.compare(&title("wall"), "s", Better::Less, &[PROGRAM], &wall);
    section.compare(&title("processor time"), "s", Better::Less, &[PROGRAM], &processor);
    let ratio = processor.ratio(PROGRAM, LOOP);
    section.bar("processor time / plain loop", Limit::AtMost(1.15), "×", ratio);
}

/// How long a command takes that must print this: wall, and processor.
fn time(command: &mut Command, expected: &str) -> (Duration, Duration) {
    let before = process::time_of_children();
    let begin = Instant::now();
    let output = command.output().expect("this program starts");
    let wall = begin.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
    (wall, process::time_of_children().saturating_sub(before))
}
