//! Input of any length: results come while it is still being read, and memory does not grow with it.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::sync::mpsc;
use std::thread;

use brigade_tests::process;

use crate::program::supervisor;

/// What is promised, in KiB.
const MOST_MEMORY: u64 = 64 * 1024;

/// Streams so many lines through `double`; the first result must be there before the input ends.
fn stream(lines: u64, arguments: &str) {
    let program = supervisor(&format!("--workers 2 --quiet --task double --jobs - {arguments}"));
    let mut started = program.open_input().start();
    let stdin = started.child.stdin.take().expect("it is a pipe");
    let stdout = BufReader::new(started.child.stdout.take().expect("it is a pipe"));
    let (seen, first_result) = mpsc::channel();
    let (all_seen, end) = mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let mut input = BufWriter::new(stdin);
        for x in 0..lines {
            if x == lines / 100 {
                input.flush().expect("it reads");
                // The rest of the input waits for the first result.
                first_result.recv().expect("there is a first result");
            }
            writeln!(input, "{{\"x\": {x}}}").expect("it reads");
        }
        input.flush().expect("it reads");
        // The input ends only when all results are there.
        end.recv().expect_err("nothing is sent");
    });
    let (mut count, mut sum) = (0, 0);
    for line in stdout.lines() {
        let result: u64 = line.expect("it is text").parse().expect("it is a number");
        sum += result;
        count += 1;
        if count == 1 {
            seen.send(()).expect("the writer waits");
        }
        if count == lines {
            break;
        }
    }
    let peak = process::size_kib(started.pid(), "VmHWM").expect("it still runs");
    drop(all_seen);
    writer.join().expect("all could be written");
    started.finish().expect_code(0);
    assert_eq!((count, sum), (lines, lines * (lines - 1)));
    assert!(peak < MOST_MEMORY, "it took {peak} KiB");
}

#[test]
fn half_a_million_lines_stream_through() {
    stream(500_000, "");
}

#[test]
fn a_hundred_thousand_lines_stream_through_in_order() {
    stream(100_000, "--keep-order");
}

#[test]
#[ignore = "takes a minute without optimisation: cargo test --release -p brigade-tests -- --ignored ten_million"]
fn ten_million_lines_stream_through() {
    stream(10_000_000, "");
}

#[test]
fn a_single_line_is_answered_while_the_input_is_open() {
    let mut started = supervisor("--workers 2 --task double --jobs -").open_input().start();
    let mut stdin = started.child.stdin.take().expect("it is a pipe");
    let mut stdout = BufReader::new(started.child.stdout.take().expect("it is a pipe"));
    for x in [1, 20, 300] {
        writeln!(stdin, "{x}").expect("it reads");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it answers");
        assert_eq!(line, format!("{}\n", 2 * x));
    }
    drop(stdin);
    started.finish().expect_code(0);
}
