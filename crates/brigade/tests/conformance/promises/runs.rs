//! The jobs of a map travel in runs of hundreds. What happens to one of them happens to no other.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use brigade::{JobError, ProcessPool, task};
use nix::sys::signal::{self, Signal};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::support::{assert_intact, builder};

/// The jobs of a map.
const JOBS: u64 = 5000;

/// What a job does instead of giving its number back.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Deed {
    Fail,
    Panic,
    Die,
    Exit,
    Sleep,
}

#[task]
fn act(x: u64, deed: Option<Deed>) -> Result<u64, String> {
    match deed {
        None => {}
        Some(Deed::Fail) => return Err(format!("{x} fails")),
        Some(Deed::Panic) => panic!("{x} panics"),
        Some(Deed::Die) => signal::kill(Pid::this(), Signal::SIGKILL).expect("one may"),
        Some(Deed::Exit) => std::process::exit(0),
        Some(Deed::Sleep) => std::thread::sleep(Duration::from_hours(1)),
    }
    Ok(x)
}

/// Gives its number back; if there is a gate, a FIFO, once that has a writer.
#[task]
fn pass(x: u64, gate: Option<PathBuf>) -> u64 {
    if let Some(gate) = gate {
        File::open(gate).expect("there is a gate");
    }
    x
}

#[task]
fn repeat(text: String) -> String {
    text
}

/// A map in which one job of every thousand does this. Gives the error of each.
fn errors_of(pool: &ProcessPool, deed: Deed) -> Vec<JobError> {
    // So that the pool has learnt how short these jobs are.
    assert!(pool.map((0..JOBS).map(|x| act(x, None))).eq((0..JOBS).map(Ok)));
    let jobs = (0..JOBS).map(|x| act(x, (x % 1000 == 500).then_some(deed)));
    let mut errors = Vec::new();
    for (x, result) in (0..JOBS).zip(pool.map(jobs)) {
        match result {
            Ok(value) => assert_eq!((value, x % 1000 == 500), (x, false)),
            Err(error) => {
                assert_eq!(x % 1000, 500, "{error}");
                assert_eq!(error.task(), "act");
                errors.push(error);
            }
        }
    }
    assert_eq!(errors.len(), 5);
    errors
}

#[test]
fn an_error_and_a_panic_are_those_of_one_job() {
    let pool = builder(2).retries(1).build().unwrap();
    for error in errors_of(&pool, Deed::Fail) {
        assert!(error.is_failed() && error.to_string().contains("500 fails"), "{error}");
        assert_eq!(error.attempts(), 2);
    }
    for error in errors_of(&pool, Deed::Panic) {
        assert!(error.is_panicked() && error.to_string().contains("500 panics"), "{error}");
    }
    assert_eq!(pool.statistics().workers_died, 0);
    assert_intact(&pool, 2);
}

#[test]
fn a_death_is_charged_to_one_job() {
    for deed in [Deed::Die, Deed::Exit] {
        let pool = builder(2).crash_retries(1).build().unwrap();
        for error in errors_of(&pool, deed) {
            assert!(error.is_quarantined(), "{error}");
            assert_eq!(error.attempts(), 2, "{error}");
        }
        assert_eq!(pool.statistics().workers_died, 10);
        assert_intact(&pool, 2);
    }
}

#[test]
fn a_time_out_is_that_of_one_job() {
    let pool = builder(2).timeout(Duration::from_millis(300)).build().unwrap();
    for error in errors_of(&pool, Deed::Sleep) {
        assert!(error.is_timed_out(), "{error}");
    }
    assert_intact(&pool, 2);
}

#[test]
fn jobs_of_all_kinds_keep_the_order_of_the_input() {
    let pool = builder(2).build().unwrap();
    // Some travel in runs, and some do not: the long ones, and those with a label or a limit.
    let text = |x: u64| format!("{x}{}", "x".repeat(if x.is_multiple_of(97) { 5000 } else { 0 }));
    let job = |x| match x % 11 {
        3 => repeat(text(x)).label("three"),
        7 => repeat(text(x)).priority(1).timeout(Duration::from_mins(1)),
        _ => repeat(text(x)),
    };
    let expected: Vec<String> = (0..3000).map(text).collect();
    let results: Result<Vec<String>, _> = pool.map((0..3000).map(job)).collect();
    assert_eq!(results.unwrap(), expected);
}

#[test]
fn what_was_pulled_before_the_input_panicked_is_delivered() {
    let pool = builder(2).build().unwrap();
    let input = (0..9).map(|x| if x == 7 { panic!("on purpose") } else { act(x, None) });
    let mut map = pool.map(input).buffer(8);
    catch_unwind(AssertUnwindSafe(|| map.next())).unwrap_err();
    assert!(map.eq((0..7).map(Ok)));
}

/// The second number panics as it is encoded, behind the first, if it is 64.
#[derive(serde::Serialize, serde::Deserialize)]
struct Fragile(u64, #[serde(serialize_with = "encode_but_64")] u64);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn encode_but_64<S: serde::Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
    assert_ne!(*number, 64, "on purpose");
    to.serialize_u64(*number)
}

#[task]
fn second(fragile: Fragile) -> u64 {
    fragile.1
}

#[test]
fn arguments_that_panic_as_they_are_encoded_leave_nothing_behind() {
    let pool = builder(2).build().unwrap();
    // With a multiple of 64 in the run, and room for many more, the input is asked again before that is sent.
    let mut map = pool.map((0..70).map(|x| second(Fragile(x, x)))).buffer(1000);
    catch_unwind(AssertUnwindSafe(|| map.next())).unwrap_err();
    assert!(map.eq((0..64).chain(65..70).map(Ok)));
    assert_intact(&pool, 2);
}

/// Panics as it is decoded, if it is 3 or 9.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Brittle(u64);

impl<'de> serde::Deserialize<'de> for Brittle {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        assert!(number != 3 && number != 9, "on purpose");
        Ok(Self(number))
    }
}

#[task]
fn brittle(x: u64) -> Brittle {
    Brittle(x)
}

#[test]
fn a_result_that_panics_as_it_is_decoded_is_lost_alone() {
    let pool = builder(2).build().unwrap();
    // In runs, of which it is the last one too, and by itself.
    for job in [|x| brittle(x), |x| brittle(x).label("by itself")] {
        let mut map = pool.map((0..10).map(job)).timeout(Duration::from_mins(1));
        let mut next = || catch_unwind(AssertUnwindSafe(|| map.next())).ok();
        let results: Vec<_> = (0..10).map(|_| next()).collect();
        let lost = |x: &u64| *x == 3 || *x == 9;
        let expected = (0..10).map(|x| (!lost(&x)).then_some(Some(Ok(Brittle(x)))));
        assert!(results.into_iter().eq(expected));
        assert_eq!(next(), Some(None));
        assert_eq!(map.size_hint().1, Some(0));

        let mut map = pool.map_unordered((0..10).map(job)).timeout(Duration::from_mins(1));
        let results = (0..10).filter_map(|_| catch_unwind(AssertUnwindSafe(|| map.next())).ok());
        assert_eq!(results.count(), 8);
        assert_eq!(map.next(), None);
    }
    assert_intact(&pool, 2);
}

#[test]
fn of_a_map_that_is_dropped_each_job_ends_once() {
    let pool = builder(2).build().unwrap();
    for taken in [1, 1000, 2500] {
        assert_eq!(pool.map((0..).map(|x| pass(x, None))).take(taken).count(), taken);
    }
    // Of the last one no more than two of those behind are begun, and none ends, before some are cancelled.
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    mkfifo(&gate, Mode::S_IRWXU).unwrap();
    let jobs = (0..).map(|x| pass(x, (x >= 1000).then(|| gate.clone())));
    assert_eq!(pool.map(jobs).take(1000).count(), 1000);
    while pool.statistics().cancelled == 0 {}
    let _writer = File::options().read(true).write(true).open(&gate).unwrap();
    let (control, mut statistics) = (pool.control(), pool.statistics());
    while control.snapshot().unwrap().queued > 0 || statistics.settled() < statistics.submitted {
        statistics = pool.statistics();
    }
    assert_eq!(statistics.succeeded + statistics.cancelled, statistics.submitted);
    assert!(statistics.succeeded >= 4501, "{statistics:?}");
}

/// A run of calls that are submitted one by one may be left to grow for a moment. Nobody can tell.
#[test]
fn what_was_submitted_is_there_for_all_that_is_asked_behind_it() {
    let pool = builder(2).build().unwrap();
    for round in 1..=200 {
        // From several threads, so that the runs are long.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..250).for_each(|x| drop(pool.submit(act(x, None)))));
            }
        });
        assert_eq!(pool.statistics().submitted, 1000 * round);
    }
    assert_intact(&pool, 2);
}
