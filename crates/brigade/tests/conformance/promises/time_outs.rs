//! In a map of a hundred jobs three sleep for ever: 97 results, and three time-outs, in time.

use std::thread;
use std::time::Duration;

use brigade::{Failure, JobError, task};
use nix::sys::signal::{SigHandler, Signal, signal};

use crate::support::{assert_intact, builder};

const LIMIT: Duration = Duration::from_secs(1);
const IN_TIME: Duration = Duration::from_millis(1100);
const WORKERS: usize = 4;

/// Gives X back, or sleeps for ever; if it is STUBBORN, its process ignores what asks it to end.
#[task]
fn sleep_if(x: u64, for_ever: bool, stubborn: bool) -> u64 {
    if stubborn {
        for deaf in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            // SAFETY: no handler is installed, so none runs at a bad moment.
            unsafe { signal(deaf, SigHandler::SigIgn) }.expect("these can be ignored");
        }
    }
    while std::hint::black_box(for_ever) {
        thread::park();
    }
    x
}

fn play(stubborn: bool) -> Vec<JobError> {
    let pool = builder(WORKERS).build().unwrap();
    let jobs = (0..100).map(|x| sleep_if(x, matches!(x, 7 | 50 | 99), stubborn).timeout(LIMIT));
    let mut late = Vec::new();
    for (x, result) in (0..).zip(pool.map(jobs)) {
        match result {
            Ok(value) => assert_eq!(value, x),
            Err(error) => late.push(error),
        }
    }
    assert_eq!(late.len(), 3, "{late:?}");
    for error in &late {
        assert_eq!(*error.failure(), Failure::TimedOut(LIMIT), "{error}");
        assert_eq!(error.attempts(), 1, "{error}");
        assert!(error.elapsed() >= Some(LIMIT), "{error}: {:?}", error.elapsed());
    }
    assert_intact(&pool, WORKERS);
    late
}

fn assert_in_time(stubborn: bool) {
    let mut longest = Duration::MAX;
    // The machine may be busy with something else.
    for _ in 0..3 {
        let ends = play(stubborn).into_iter().filter_map(|error| error.elapsed());
        longest = longest.min(ends.max().expect("there are three"));
        if longest <= IN_TIME {
            return;
        }
    }
    panic!("one ran for {longest:?} at best");
}

#[test]
fn three_that_sleep_for_ever_end_in_time_and_the_others_well() {
    assert_in_time(false);
}

#[test]
fn workers_that_ignore_all_requests_end_in_time_too() {
    assert_in_time(true);
}
