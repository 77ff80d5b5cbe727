//! A job of a thousand takes its worker down: 999 results, one error that names the cause, and all workers
//! are there again within 100 ms.

use std::hint::black_box;
use std::time::{Duration, Instant};

use brigade::protocol::message::Exit;
use brigade::{Builder, JobError, task};
use brigade_tests::gate::Visitor;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::support::{assert_intact, builder, error, hold, tell, value};

/// The jobs.
const JOBS: u64 = 1000;

/// The one that misbehaves.
const BAD: u64 = 500;

/// The workers.
const WORKERS: usize = 2;

/// How soon they are all there again; the machine may be busy with something else, so it has three tries.
const SOON: Duration = Duration::from_millis(100);
const TRIES: usize = 3;

/// How a job can take its worker down.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
enum Cause {
    Kill,
    Segfault,
    Abort,
    Exit,
    Overflow,
    OutOfMemory,
}

/// Gives X back, or takes its worker down.
#[task]
fn give(x: u64, cause: Option<Cause>) -> u64 {
    match cause {
        None => x,
        Some(Cause::Kill) => {
            signal::kill(Pid::this(), Signal::SIGKILL).expect("one may signal oneself");
            x
        }
        Some(Cause::Segfault) => {
            let nowhere = black_box(std::ptr::null::<u8>());
            // SAFETY: none. It is not safe, and what the processor then does is the point of this.
            u64::from(unsafe { nowhere.read_volatile() })
        }
        Some(Cause::Abort) => std::process::abort(),
        Some(Cause::Exit) => std::process::exit(0),
        Some(Cause::Overflow) => descend(black_box(0)),
        Some(Cause::OutOfMemory) => {
            // More than the limit allows, whatever that is.
            black_box(vec![1_u8; isize::MAX as usize / 2]).len() as u64
        }
    }
}

fn descend(depth: u64) -> u64 {
    let room = black_box([depth; 128]);
    if depth == u64::MAX { 0 } else { descend(depth + 1) + room[1] }
}

/// Limits the memory of its worker to so many bytes.
#[task]
fn limit_memory(bytes: u64) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_AS, bytes, bytes)
}

/// Limits the memory of its worker, and then wants twice as much, bit by bit.
#[task]
fn want_more_than(bytes: u64) -> usize {
    setrlimit(Resource::RLIMIT_AS, bytes, bytes).expect("a limit can be lowered");
    let mut held = Vec::new();
    while (held.len() as u64) < (2 * bytes) >> 20 {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
    held.len()
}

const GIB: u64 = 1 << 30;

/// One job of so many misbehaves. Gives its error, and how soon all workers were there after it.
fn play(builder: Builder, cause: Cause) -> (JobError, Duration) {
    let pool = builder.crash_retries(0).build().unwrap();
    let jobs: Vec<_> =
        (0..JOBS).map(|x| pool.submit(give(x, (x == BAD).then_some(cause)))).collect();
    let (mut good, mut bad) = (0, None);
    for (x, future) in (0..).zip(jobs) {
        if x == BAD {
            let end = error(future);
            let known = Instant::now();
            let gate = brigade_tests::gate::Gate::open();
            let held: Vec<_> =
                (0..WORKERS).map(|_| pool.submit(hold(gate.path()).priority(1))).collect();
            let visitors = gate.wait_for_all(WORKERS);
            bad = Some((end, known.elapsed()));
            visitors.into_iter().for_each(Visitor::release);
            for held in held {
                assert_eq!(value(held).0, 1);
            }
        } else {
            assert_eq!(value(future), x);
            good += 1;
        }
    }
    assert_eq!(good, JOBS - 1);
    assert_intact(&pool, WORKERS);
    let more: Vec<_> = (0..100).map(|x| pool.submit(tell(x))).collect();
    assert!((0..).zip(more).all(|(x, future)| value(future).2 == x), "and it goes on");
    bad.expect("it is one of them")
}

fn assert_promise(builder: impl Fn() -> Builder, cause: Cause, exit: Exit, words: &str) {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let (error, staffed) = play(builder(), cause);
        assert!(error.is_crashed() && error.exit() == Some(exit), "{cause:?}: {error}");
        assert!(error.to_string().contains(words), "{cause:?}: {error}");
        assert_eq!((error.attempts(), error.task()), (1, "give"), "{cause:?}: {error}");
        best = best.min(staffed);
        if best < SOON {
            return;
        }
    }
    panic!("{cause:?}: it took {best:?} at best until all workers were there again");
}

#[test]
fn a_sigkill_costs_one_job_of_a_thousand() {
    let words = "was killed by SIGKILL (not by the supervisor; possibly out of memory)";
    assert_promise(|| builder(WORKERS), Cause::Kill, Exit::Signal(9), words);
}

#[test]
fn a_segmentation_fault_costs_one_job_of_a_thousand() {
    let words = "was killed by SIGSEGV";
    assert_promise(|| builder(WORKERS), Cause::Segfault, Exit::Signal(11), words);
}

#[test]
fn an_abort_costs_one_job_of_a_thousand() {
    let words = "was killed by SIGABRT";
    assert_promise(|| builder(WORKERS), Cause::Abort, Exit::Signal(6), words);
}

#[test]
fn an_exit_with_zero_costs_one_job_of_a_thousand() {
    let words = "exited with code 0";
    assert_promise(|| builder(WORKERS), Cause::Exit, Exit::Code(0), words);
}

/// From before `main`, it is SIGSEGV without a word: see [`brigade::test_support`].
#[test]
fn a_stack_overflow_costs_one_job_of_a_thousand() {
    let words = "was killed by SIGSEGV";
    assert_promise(|| builder(WORKERS), Cause::Overflow, Exit::Signal(11), words);
}

#[test]
fn want_of_memory_under_a_limit_of_the_initializer_costs_one_job_of_a_thousand() {
    let limited = || builder(WORKERS).worker_initializer(limit_memory(4 * GIB));
    assert_promise(limited, Cause::OutOfMemory, Exit::Signal(6), "\n  | memory allocation of ");
}

#[test]
fn want_of_memory_under_a_limit_of_the_job_costs_that_job() {
    let error =
        crate::support::alone_fails(|pool| pool.submit(want_more_than(2 * GIB).crash_retries(0)));
    assert_eq!(error.exit(), Some(Exit::Signal(6)), "{error}");
    assert!(
        error.to_string().contains("\n  | memory allocation of 1048576 bytes failed"),
        "{error}"
    );
}
