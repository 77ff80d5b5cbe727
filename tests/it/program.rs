//! The program, as a shell sees it: results, their order, exit codes, messages.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use brigade_tests::program::{Finished, Program};

use crate::FAULTY;

pub(crate) fn supervisor(arguments: &str) -> Program {
    Program::new(FAULTY, arguments)
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    let lines: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn prime_counts_do_not_depend_on_workers_or_segments() {
    for workers in [1, 2, 8, 64] {
        for (limit, segment, count) in [
            ("1e6", "1e12", "78498"),
            ("1e7", "1e6", "664579"),
            ("1e5", "997", "9592"),
            ("2", "1e6", "0"),
            ("3", "1e12", "1"),
        ] {
            let arguments = format!(
                "--workers {workers} --task prime-count --limit {limit} --segment {segment}"
            );
            assert_eq!(supervisor(&arguments).run().success(), format!("{count}\n"), "{arguments}");
        }
    }
}

#[test]
fn segments_may_be_tiny() {
    for segment in [1, 97] {
        let arguments = format!("--task prime-count --limit 1e5 --segment {segment}");
        assert_eq!(supervisor(&arguments).run().success(), "9592\n", "{arguments}");
    }
}

#[test]
fn the_main_job_is_right_for_all_workers_and_segments() {
    for (limit, count) in [("1e8", "5761455\n"), ("1e9", "50847534\n")] {
        for workers in [1, 2, 8, 64] {
            for segment in ["1e6", "1e12"] {
                let arguments = format!(
                    "--workers {workers} --task prime-count --limit {limit} --segment {segment}"
                );
                assert_eq!(supervisor(&arguments).run().success(), count, "{arguments}");
            }
        }
    }
}

#[test]
fn each_argument_is_a_job_and_each_result_a_line() {
    let results = supervisor("--workers 2 --task double 1 2.5 -3").run().success();
    assert_eq!(sorted(&results), ["-6", "2", "5.0"]);
    let echo = supervisor("--task echo").arg("some words").arg("[[1, 2]]").arg("\"text\"").run();
    assert_eq!(sorted(&echo.success()), ["[1, 2]", "some words", "text"]);
}

#[test]
fn lines_of_json_are_jobs() {
    let lines = "{\"x\": 1}\n\n[2]\r\n3\n{\"x\": 4}";
    let results = supervisor("--task double --jobs -").input(lines).run().success();
    assert_eq!(sorted(&results), ["2", "4", "6", "8"]);

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[5, 2]\n{\"exponent\": 3, \"base\": 2}\n").unwrap();
    let results = supervisor("--task pow --keep-order --jobs").arg(file.path()).run().success();
    assert_eq!(results, "25\n8\n");
}

#[test]
fn no_jobs_is_a_success() {
    let empty = supervisor("--task double --jobs -").input("").run().expect_code(0);
    assert_eq!(empty.stdout, "");
}

#[test]
fn the_order_of_jobs_is_kept_if_asked() {
    let input = lines(0..2000);
    let expected = lines((0..2000).map(|n| 2 * n));
    let program = supervisor("--workers 4 --task double --keep-order --jobs -").input(input);
    assert_eq!(program.run().success(), expected);
}

#[test]
fn exit_code_1_means_that_jobs_failed() {
    let failed = supervisor("--task fail").arg("no butter").arg("no flour").run().expect_code(1);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.contains("job 1 (fail)"), "{}", failed.stderr);
    assert!(failed.stderr.contains("no butter"), "{}", failed.stderr);
    assert!(failed.stderr.contains("2 jobs: 2 failed"), "{}", failed.stderr);
    let crashed = supervisor("--task exit 7").run().expect_code(1);
    assert!(crashed.stderr.contains("quarantined"), "{}", crashed.stderr);
    let spoiled = supervisor("--task prime-count").arg("[2, 1e30]").run().expect_code(1);
    assert_eq!(spoiled.stdout, "", "half a sum is none");
}

#[test]
fn exit_code_2_means_usage_or_input() {
    for (arguments, reason) in [
        ("", "--task NAME"),
        ("--task no-such-task 1", "there is no task \"no-such-task\""),
        ("--task slep 1", "did you mean sleep?"),
        ("--task sleep", "there are no jobs"),
        ("--task sleep --workers 0 1", "--workers"),
        ("--task sleep --batch 0 1", "'--batch <N>'"),
        ("--task sleep --timeout soon 1", "--timeout"),
        ("--task sleep --no-such-flag", "--no-such-flag"),
        ("--task double --jobs /no/such/file", "cannot open /no/such/file"),
    ] {
        let refused = supervisor(arguments).run().expect_code(2);
        assert!(refused.stderr.contains(reason), "{arguments}: {}", refused.stderr);
        assert_eq!(refused.stdout, "", "{arguments}");
    }
}

#[test]
fn a_bad_line_is_told_with_its_place_and_ends_the_input() {
    let input = "1\n2\n[3, \n4\n";
    let bad = supervisor("--task double --jobs -").input(input).run().expect_code(2);
    assert_eq!(sorted(&bad.stdout), ["2", "4"], "the jobs before it are run");
    assert!(bad.stderr.contains("standard input, line 3, column "), "{}", bad.stderr);
}

#[test]
fn exit_code_4_means_that_results_could_not_be_written() {
    let full = supervisor("--task double 1 2 3").output_to(Path::new("/dev/full")).run();
    let full = full.expect_code(4);
    assert!(full.stderr.contains("cannot write to standard output"), "{}", full.stderr);
    let sum = supervisor("--task prime-count --limit 1e5").output_to(Path::new("/dev/full")).run();
    assert_eq!(sum.code(), 4, "{}", sum.stderr);
}

/// Runs the program with a reader that takes one line, as `| head -1` does.
fn with_short_reader(program: Program) -> (String, Finished) {
    let mut started = program.start();
    let stdout = started.child.stdout.take().expect("it is a pipe");
    let head = Command::new("head").arg("-1").stdin(Stdio::from(OwnedFd::from(stdout))).output();
    let line = String::from_utf8(head.expect("there is such a program").stdout).unwrap();
    (line, started.finish())
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let input = lines(0..1_000_000);
    let program = supervisor("--workers 2 --task double --keep-order --jobs -").input(input);
    let (line, finished) = with_short_reader(program);
    assert_eq!(line, "0\n");
    assert_eq!(finished.code(), 141);
    assert_eq!(finished.stderr, "");
}

#[test]
fn the_list_of_tasks_tells_parameters_and_purpose() {
    let list = supervisor("--list-tasks").run().success();
    let find = |name: &str| list.lines().find(|line| line.starts_with(name)).expect("is listed");
    assert!(find("prime-count ").contains("(from: u64, to: u64) -> u64"), "{list}");
    assert!(find("sleep ").ends_with("Sleeps for SECONDS and says so."), "{list}");
    assert!(find("tell ").contains("(value: String)"), "{list}");
}

#[test]
fn help_and_version_tell_themselves() {
    let help = supervisor("--help").run().success();
    for part in ["--workers", "--keep-order", "Examples:", "Exit codes:"] {
        assert!(help.contains(part), "{part} is not in {help}");
    }
    let version = supervisor("--version").run().success();
    assert_eq!(version.trim(), concat!("supervisor ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn quiet_says_errors_only() {
    let say = || supervisor("--task say --jobs -").input("[[\"hear me\"], \"return\"]\n");
    let loud = say().run().expect_code(0);
    assert!(loud.stderr.contains(" | hear me"), "{}", loud.stderr);
    assert!(loud.stderr.contains("1 job: 1 succeeded"), "{}", loud.stderr);
    let quiet = say().arg("--quiet").run().expect_code(0);
    assert_eq!(quiet.stderr, "");
    let failed = supervisor("--task fail --quiet").arg("no butter").run().expect_code(1);
    assert!(failed.stderr.contains("no butter"), "{}", failed.stderr);
}

#[test]
fn another_worker_program_is_used_if_asked() {
    let list = supervisor("--worker").arg(FAULTY).arg("--task").arg("tell").arg("hi").run();
    assert!(list.success().ends_with(",\"hi\"]\n"));
}
