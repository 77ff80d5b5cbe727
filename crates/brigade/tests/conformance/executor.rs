//! `executor.py`: what holds for every executor.

use brigade::{JobError, task};
use brigade_tests::DEADLINE;

use crate::support::{alone_fails, builder, double, fail, pool, value};

/// Some of all sorts of values.
type Everything = (bool, i128, f64, String, Vec<u8>, Option<(char, Vec<Option<u8>>)>);

/// Gives back whatever it is given.
#[task]
fn echo(
    flag: bool,
    number: i128,
    real: f64,
    text: String,
    bytes: Vec<u8>,
    nested: Option<(char, Vec<Option<u8>>)>,
) -> Everything {
    (flag, number, real, text, bytes, nested)
}

/// Adds.
#[task]
fn add(x: u64, y: u64) -> u64 {
    x + y
}

/// An error of its own that speaks of time.
#[task]
fn be_late() -> Result<(), String> {
    Err("the map's time was over".to_owned())
}

/// Panics with nothing to say.
#[task]
fn panic_silently() {
    std::panic::panic_any(String::new());
}

fn values(results: impl Iterator<Item = Result<u64, JobError>>) -> Vec<u64> {
    results.map(|result| result.unwrap()).collect()
}

#[test]
fn arguments_arrive_unchanged() {
    let pool = pool(1);
    let nested = Some(('\u{1F980}', vec![None, Some(255)]));
    let text = "\0 \u{e4}\u{202e} \n".to_owned();
    let bytes: Vec<u8> = (0..=255).collect();
    let job = echo(true, i128::MIN, -0.0, text.clone(), bytes.clone(), nested.clone());
    let echoed = value(pool.submit(job));
    assert!(echoed.2 == 0.0 && echoed.2.is_sign_negative());
    assert_eq!(echoed, (true, i128::MIN, -0.0, text, bytes, nested));
}

#[test]
fn a_map_gives_results_in_the_order_of_its_input() {
    let pool = pool(2);
    let expected: Vec<u64> = (0..100).map(|x| 2 * x).collect();
    assert_eq!(values(pool.map((0..100).map(double))), expected);
    let mut twice = pool.map((0..100).map(double));
    assert_eq!(values(twice.by_ref()), expected);
    assert!(twice.next().is_none(), "it stays at its end");
}

#[test]
fn a_bounded_read_ahead_changes_no_result() {
    let pool = pool(2);
    let expected: Vec<u64> = (0..20).map(|x| 2 * x).collect();
    for buffer in [1, 2, 3, 19, 20, 21, 1000] {
        assert_eq!(values(pool.map((0..20).map(double)).buffer(buffer)), expected, "{buffer}");
    }
}

#[test]
fn inputs_that_are_zipped_end_with_the_shortest() {
    let pool = pool(2);
    let jobs = || (0..4).zip(10..).map(|(x, y)| add(x, y));
    for buffer in [1, 2, 100] {
        assert_eq!(values(pool.map(jobs()).buffer(buffer)), [10, 12, 14, 16]);
    }
}

#[test]
fn endless_inputs_that_are_zipped_end_with_those_who_take() {
    let pool = pool(2);
    let jobs = || (0..).zip(1..).map(|(x, y)| add(x, y));
    for buffer in [1, 3, 100] {
        assert_eq!(values(pool.map(jobs()).buffer(buffer).take(4)), [1, 3, 5, 7]);
    }
}

#[test]
fn an_error_of_a_job_that_speaks_of_time_is_not_the_maps() {
    let pool = pool(1);
    let mut map = pool.map([be_late(), be_late()]).timeout(DEADLINE);
    for _ in 0..2 {
        let error = map.next().unwrap().unwrap_err();
        assert!(error.is_failed() && !error.is_timed_out() && !error.is_refused(), "{error}");
    }
    assert!(map.next().is_none());
}

/// CPython's bpo-12456: the queue is full, and workers are about to exit.
#[test]
fn a_pool_ends_although_its_queue_is_full_and_its_workers_go() {
    let workers = 2;
    for _ in 0..5 {
        let pool = builder(workers).max_queued(1).max_jobs_per_worker(1).build().unwrap();
        let futures: Vec<_> = (0..=2 * workers as u64).map(|x| pool.submit(double(x))).collect();
        drop(pool);
        for (x, future) in (0..).zip(futures) {
            assert_eq!(future.try_result().expect("it is settled"), Ok(2 * x));
        }
    }
}

#[test]
fn an_error_without_a_word_is_an_error() {
    let error = alone_fails(|pool| pool.submit(fail(String::new())));
    assert!(error.is_failed(), "{error}");
    let error = alone_fails(|pool| pool.submit(panic_silently()));
    assert!(error.is_panicked(), "{error}");
}
