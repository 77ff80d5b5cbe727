//! A program with a pool of its own: typed jobs, and nothing left behind.

use brigade_tests::program::Program;

const HOST: &str = env!("CARGO_BIN_EXE_host");

#[test]
fn typed_jobs_run_in_workers_of_the_same_build() {
    let findings = Program::new(HOST, "typed").run().success();
    let findings: Vec<&str> = findings.lines().collect();
    let [primes, told, wrong_arguments, wrong_result, large] = findings[..] else {
        panic!("{findings:?}");
    };
    assert_eq!(primes, "ok 168");
    assert!(told.starts_with("ok (N, N") && told.ends_with(r#", "typed")"#), "{told}");
    assert!(wrong_arguments.starts_with("undecodable: job 3 (prime-count)"), "{wrong_arguments}");
    assert!(wrong_result.starts_with("undecodable: job 4 (prime-count)"), "{wrong_result}");
    assert!(wrong_result.contains("the output is not a u8"), "{wrong_result}");
    assert_eq!(large, format!("ok (5000000, {})", 5_000_000 * u64::from(b'z')));
}

#[test]
fn a_handle_that_was_given_away_keeps_the_end_of_its_job() {
    assert_eq!(Program::new(HOST, "handles").run().success().trim_end(), "ok 3");
}

#[test]
fn a_pool_that_is_gone_leaves_no_descriptor_thread_or_child() {
    let findings = Program::new(HOST, "before-and-after").run().success();
    let findings: Vec<&str> = findings.lines().collect();
    let [before, after] = findings[..] else { panic!("{findings:?}") };
    assert_eq!(before, after);
    assert!(before.ends_with(" 0 children"), "{before}");
}
