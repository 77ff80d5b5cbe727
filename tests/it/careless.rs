//! A program that does not call `init`, or calls it too late: an error, and nothing that multiplies.

use brigade_tests::program::Program;

const CARELESS: &str = env!("CARGO_BIN_EXE_careless");

/// Runs it, and returns what it said and how often its `main` was entered, itself included.
fn run(mark: Option<&str>) -> (String, usize) {
    let directory = tempfile::tempdir().unwrap();
    let starts = directory.path().join("starts");
    let mut program = Program::new(CARELESS, "").env("CARELESS_STARTS", starts.to_str().unwrap());
    if let Some(mark) = mark {
        program = program.env(mark, "1");
    }
    let said = program.run().expect_code(1).stderr;
    (said, std::fs::read_to_string(starts).unwrap().lines().count())
}

#[test]
fn a_program_without_init_gets_an_error_and_starts_one_process() {
    let (said, starts) = run(None);
    assert!(said.contains("exited with code 1 before it said hello"), "{said}");
    assert!(said.contains("call brigade::init() first thing in main"), "{said}");
    assert_eq!(starts, 1 + 1, "{said}");
}

#[test]
fn a_program_whose_init_is_too_late_is_told() {
    let (said, starts) = run(Some("CARELESS_THREAD"));
    assert!(said.contains("exited with code 70 before it said hello"), "{said}");
    assert!(said.contains("init must be called before any other thread starts"), "{said}");
    assert!(said.contains("make it the first line of main"), "{said}");
    assert_eq!(starts, 1 + 1, "{said}");
}
