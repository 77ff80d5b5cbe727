//! `test_deadlock.py`: ends at every moment of a job's way, and nobody is left waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use brigade::protocol::message::Exit;
use brigade::{Failure, JobError, Shutdown, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::Gate;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::{alone_fails, assert_intact, double, error, fail, hold, pool, value};

/// How something ends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum How {
    Error,
    Panic,
    Exit,
    Crash,
}

use How::{Crash, Exit as Leave, Panic};

impl How {
    fn happen<E: std::fmt::Display>(self, error: impl FnOnce(&str) -> E) -> E {
        match self {
            Self::Error => error("not with me"),
            Self::Panic => panic!("not with me"),
            Self::Exit => std::process::exit(0),
            // What std does on a bad pointer's SIGSEGV, it does for one that is sent.
            Self::Crash => loop {
                nix::sys::signal::raise(nix::sys::signal::SIGSEGV).expect("it can be sent");
            },
        }
    }
}

/// Ends like this when it is encoded.
#[derive(Debug)]
struct OnEncode(How);

impl Serialize for OnEncode {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(self.0.happen(|text| serde::ser::Error::custom(text)))
    }
}

impl<'de> Deserialize<'de> for OnEncode {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self(How::Error))
    }
}

/// Ends like this when it is decoded.
#[derive(Debug)]
struct OnDecode(How);

impl Serialize for OnDecode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OnDecode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let how = How::deserialize(deserializer)?;
        Err(how.happen(|text| serde::de::Error::custom(text)))
    }
}

/// Takes what does not encode.
#[task]
fn take_unwritable(_what: OnEncode) {}

/// Takes what does not decode.
#[task]
fn take_unreadable(_what: OnDecode) {}

/// Gives what does not encode.
#[task]
fn give_unwritable(how: How) -> OnEncode {
    OnEncode(how)
}

/// Gives what does not decode.
#[task]
fn give_unreadable(how: How) -> OnDecode {
    OnDecode(how)
}

const SEGFAULT: Failure = Failure::Crashed(Exit::Signal(11));
const EXIT: Failure = Failure::Crashed(Exit::Code(0));

fn assert_undecodable(error: &JobError) {
    assert!(error.is_undecodable() && error.to_string().contains("not with me"), "{error}");
}

#[test]
fn an_error_while_arguments_are_encoded() {
    assert_undecodable(&alone_fails(|pool| pool.submit(take_unwritable(OnEncode(How::Error)))));
}

#[test]
fn an_error_while_arguments_are_decoded() {
    assert_undecodable(&alone_fails(|pool| pool.submit(take_unreadable(OnDecode(How::Error)))));
    let error = alone_fails(|pool| pool.submit(take_unreadable(OnDecode(Panic))));
    assert!(error.is_panicked(), "{error}");
}

#[test]
fn an_exit_while_arguments_are_decoded() {
    let job = || take_unreadable(OnDecode(Leave)).crash_retries(0);
    assert_eq!(*alone_fails(|pool| pool.submit(job())).failure(), EXIT);
}

#[test]
fn a_crash_while_arguments_are_decoded() {
    let job = || take_unreadable(OnDecode(Crash)).crash_retries(0);
    assert_eq!(*alone_fails(|pool| pool.submit(job())).failure(), SEGFAULT);
}

#[test]
fn an_error_while_the_result_is_encoded() {
    assert_undecodable(&alone_fails(|pool| pool.submit(give_unwritable(How::Error))));
    let error = alone_fails(|pool| pool.submit(give_unwritable(Panic)));
    assert!(error.is_panicked(), "{error}");
}

#[test]
fn an_exit_while_the_result_is_encoded() {
    let job = || give_unwritable(Leave).crash_retries(0);
    assert_eq!(*alone_fails(|pool| pool.submit(job())).failure(), EXIT);
}

#[test]
fn a_crash_while_the_result_is_encoded() {
    let job = || give_unwritable(Crash).crash_retries(0);
    assert_eq!(*alone_fails(|pool| pool.submit(job())).failure(), SEGFAULT);
}

#[test]
fn an_error_while_the_result_is_decoded() {
    let error = alone_fails(|pool| pool.submit(give_unreadable(How::Error)));
    assert_undecodable(&error);
}

/// A result is decoded by who asks for it, so what happens there happens to them alone.
#[test]
fn a_panic_while_the_result_is_decoded() {
    let pool = pool(2);
    let beside = pool.submit(double(4));
    let bad = pool.submit(give_unreadable(Panic));
    let panic = catch_unwind(AssertUnwindSafe(|| bad.result())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"not with me"));
    assert_eq!(value(beside), 8);
    assert_intact(&pool, 2);
}

#[test]
fn what_does_not_encode_does_not_hold_up_the_end() {
    let (pool, gate) = (pool(1), Gate::open());
    let running = pool.submit(hold(gate.path()));
    let visitor = gate.wait();
    let bad = pool.submit(take_unwritable(OnEncode(How::Error)));
    pool.control().shutdown(Shutdown::Drain);
    assert_undecodable(&error(bad));
    visitor.release();
    value(running);
    drop(pool);
}

/// CPython's gh-105829: more is asked of the loop than its wake-up can hold, before it looks at any of it.
#[test]
fn a_loop_that_is_busy_may_be_asked_for_more_than_it_can_hold() {
    let (pool, gate) = (pool(1), Gate::open());
    let first = pool.submit(hold(gate.path()));
    let visitor = gate.wait();
    let ((is_called, called), (go, goes)) = (mpsc::channel(), mpsc::channel());
    first.on_done(move |_| {
        let _ = is_called.send(());
        let _: Result<(), _> = goes.recv_timeout(DEADLINE);
    });
    visitor.release();
    called.recv_timeout(DEADLINE).expect("it is called back");
    // No job of the pool is settled now, and none is dispatched.
    let futures: Vec<_> = (0..20_000).map(|x| pool.submit(double(x))).collect();
    go.send(()).expect("it still waits");
    for (x, future) in (0..).zip(futures) {
        assert_eq!(value(future), 2 * x);
    }
    assert_eq!(value(first).0, 1);
}

#[test]
fn a_hundred_that_do_not_encode_and_a_hundred_that_do() {
    let pool = pool(2);
    let bad: Vec<_> =
        (0..100).map(|_| pool.submit(take_unwritable(OnEncode(How::Error)))).collect();
    let good: Vec<_> = (0..100).map(|x| pool.submit(double(x))).collect();
    for future in bad {
        assert_undecodable(&error(future));
    }
    assert!((0..).zip(good).all(|(x, future)| value(future) == 2 * x));
    assert!(error(pool.submit(fail("on purpose".to_owned()))).is_failed());
}

#[test]
fn a_crash_after_the_end_was_asked_for() {
    let (pool, gate) = (pool(2), Gate::open());
    let lost = pool.submit(hold(gate.path()).crash_retries(0));
    let first = gate.wait();
    let beside = pool.submit(hold(gate.path()));
    let second = gate.wait();
    let queued: Vec<_> = (0..20).map(|x| pool.submit(double(x))).collect();
    pool.control().shutdown(Shutdown::Drain);
    brigade_tests::process::send(first.pid, rustix::process::Signal::SEGV);
    assert_eq!(*error(lost).failure(), SEGFAULT);
    // The worker that takes its place does what is left: the other one is still busy.
    assert!((0..).zip(queued).all(|(x, future)| value(future) == 2 * x));
    second.release();
    assert_eq!(value(beside).0, 1);
    drop(pool);
}

/// Takes what ends its worker before the rest of it has been read.
#[task]
fn take_much(_what: OnDecode, _rest: Vec<u8>) {}

/// CPython's gh-94777: more is written to a worker than its channel holds, and nobody reads it any more.
#[test]
fn a_crash_within_large_data() {
    for how in [Crash, Leave] {
        let job = || take_much(OnDecode(how), vec![7; 20_000_000]).crash_retries(0);
        assert!(alone_fails(|pool| pool.submit(job())).is_crashed());
    }
    let (pool, gate) = (pool(1), Gate::open());
    let lost = pool.submit(hold(gate.path()).crash_retries(0));
    let visitor = gate.wait();
    let large: Vec<_> = (0..3).map(|_| pool.submit(weigh(vec![7; 5_000_000]))).collect();
    brigade_tests::process::kill(visitor.pid);
    assert!(error(lost).is_crashed());
    assert!(large.into_iter().all(|future| value(future) == 5_000_000));
    assert_intact(&pool, 1);
}

/// How long it is.
#[task(name = "weigh-arguments")]
fn weigh(bytes: Vec<u8>) -> usize {
    bytes.len()
}
