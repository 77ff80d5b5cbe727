//! Odd surroundings: what a program may inherit, and must cope with.

use std::fs::File;

use brigade_tests::program::Program;

use crate::FAULTY;
use crate::program::supervisor;

/// The program, started by another that arranges its surroundings and then becomes it.
fn under(wrapper: &str, arguments: &str) -> Program {
    let (program, rest) = wrapper.split_once(' ').expect("a program and its arguments");
    let mut whole = Program::new(program, rest).arg(FAULTY);
    for argument in arguments.split_whitespace() {
        whole = whole.arg(argument);
    }
    whole
}

#[test]
fn ignored_deaths_of_children_are_seen_all_the_same() {
    let wrapper = "env --ignore-signal=CHLD";
    assert_eq!(under(wrapper, "--task prime-count --limit 1e5").run().success(), "9592\n");
    let crashed = under(wrapper, "--task exit 3").run().expect_code(1);
    assert!(crashed.stderr.contains("exited with code 3"), "{}", crashed.stderr);
}

#[test]
fn blocked_signals_are_unblocked_for_workers() {
    let crashed = under("env --block-signal", "--task raise 15").run().expect_code(1);
    assert!(crashed.stderr.contains("was killed by SIGTERM"), "{}", crashed.stderr);
}

#[test]
fn too_few_descriptors_are_told_before_anything_is_started() {
    let wrapper = "prlimit --nofile=40:40";
    let refused = under(wrapper, "--workers 64 --task double 1").run().expect_code(3);
    assert!(refused.stderr.contains("open files"), "{}", refused.stderr);
    assert!(refused.stderr.contains("the limit is 40"), "{}", refused.stderr);
}

#[test]
fn a_soft_limit_of_descriptors_is_raised() {
    let wrapper = "prlimit --nofile=64:4096";
    let results = under(wrapper, "--workers 64 --task double 1 2 3").run().success();
    assert_eq!(results.lines().count(), 3);
}

#[test]
fn closed_standard_streams_do_no_harm() {
    for (closed, results) in [("<&-", "2\n"), ("2>&-", "2\n"), (">&-", "")] {
        let script = format!("exec \"$0\" --workers 1 --task double 1 {closed}");
        let program = Program::new("sh", "-c").arg(script).arg(FAULTY);
        assert_eq!(program.run().success(), results, "{closed}");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let folder = File::open(directory.path()).unwrap();
    let refused = supervisor("--task double --jobs -").input_from(folder).run().expect_code(2);
    assert!(refused.stderr.contains("cannot read standard input"), "{}", refused.stderr);
    let missing = supervisor("--task double --jobs").arg(directory.path()).run().expect_code(2);
    assert!(missing.stderr.contains("cannot read "), "{}", missing.stderr);
}

#[test]
fn a_worker_that_reads_standard_input_takes_nothing_from_the_program() {
    let program = supervisor("--workers 1 --prefetch 0 --task read-all --keep-order --jobs -");
    let results = program.input("[]\n[]\n[]\n").run().success();
    assert_eq!(results, "0\n0\n0\n", "each finds it empty");
}
