//! A program with two tasks of one name has no pool.

use brigade::{ProcessPool, Registry, StartError, task};

brigade::test_support!();

#[task]
fn twin() {}

/// Another module, the same name.
mod elsewhere {
    use brigade::task;

    #[task(name = "twin")]
    pub(super) fn other() {}
}

#[test]
fn the_pool_quotes_the_worker_program_which_names_both_places() {
    let error = ProcessPool::builder().workers(1).build().unwrap_err();
    assert!(matches!(error, StartError::Died { .. }), "{error}");
    let text = error.to_string();
    let reason = Registry::gathered().unwrap_err().to_string();
    assert!(text.contains("exited with code 70 before it said hello"), "{text}");
    assert!(text.contains(&reason), "{text}");
    for place in ["one in twins (", "one in twins::elsewhere (", "tests/twins.rs:8)"] {
        assert!(reason.contains(place), "{reason}");
    }
}

#[test]
fn its_tasks_can_be_run_in_place_all_the_same() {
    assert!(twin().run().is_ok());
    assert!(elsewhere::other().run().is_ok());
}
