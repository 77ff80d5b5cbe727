//! The table of faults: for each way in which a task can misbehave, how its job ends, that the other
//! jobs are not touched, and that the pool has all its workers afterwards.

use std::panic;
use std::time::Duration;

use brigade_protocol::message::Exit;
use brigade_supervisor::{Failure, Future, Job, JobError, ProcessPool};
use brigade_tests::gate::{Gate, Visitor};

use crate::pools::{assert_staffed, builder, occupy, outcome, tell, told};

/// Three are busy with other jobs, the fourth meets the fault.
const WORKERS: usize = 4;

/// A job that misbehaves, and what must become of it.
struct Row {
    task: &'static str,
    /// JSON; `GATE` stands for the path of a gate, at which the test lets every visitor go on.
    arguments: &'static str,
    timeout: Option<Duration>,
    end: End,
}

enum End {
    /// It is settled with a result.
    Succeeds,
    /// It fails in this way, with a text that has these words in it.
    Fails(fn(&JobError) -> bool, &'static [&'static str]),
    /// Each of its two attempts takes a worker down in this way.
    Crashes(Exit, &'static [&'static str]),
    /// It is ended by its time-out.
    TimesOut,
    /// Its worker leaves or is killed, or it is ended by its time-out, whichever comes first.
    CrashesOrTimesOut,
}

const fn row(task: &'static str, arguments: &'static str, end: End) -> Row {
    Row { task, arguments, timeout: None, end }
}

const fn slow(task: &'static str, arguments: &'static str) -> Row {
    Row { task, arguments, timeout: Some(Duration::from_millis(200)), end: End::TimesOut }
}

const SIGILL: Exit = Exit::Signal(4);
const SIGABRT: Exit = Exit::Signal(6);
const SIGBUS: Exit = Exit::Signal(7);
const SIGFPE: Exit = Exit::Signal(8);
const SIGKILL: Exit = Exit::Signal(9);
const SIGSEGV: Exit = Exit::Signal(11);
const SIGTERM: Exit = Exit::Signal(15);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Ends that leave the worker alive.
    row("panic", r#"["plain"]"#, End::Fails(JobError::is_panicked, &["panicked at", "endings.rs:", "as it was asked to"])),
    row("panic", r#"["payload"]"#, End::Fails(JobError::is_panicked, &["panicked"])),
    row("fail", r#"["no butter"]"#, End::Fails(JobError::is_failed, &["no butter"])),
    row("fail", "[1, 2]", End::Fails(JobError::is_undecodable, &["fail"])),
    row("fill", "[3000000]", End::Fails(JobError::is_undecodable, &["3000002 bytes", "limit of 2000000 bytes"])),
    row("no-such-task", "[]", End::Fails(JobError::is_refused, &["no such task: no-such-task"])),
    row("flood", "[20000000]", End::Succeeds),
    row("say", r#"[["one", "two"], "return"]"#, End::Succeeds),
    // Ends that take the worker with them.
    row("exit", "[0]", End::Crashes(Exit::Code(0), &["exited with code 0"])),
    row("exit", "[7]", End::Crashes(Exit::Code(7), &["exited with code 7"])),
    row("exit", "[255]", End::Crashes(Exit::Code(255), &["exited with code 255"])),
    row("exit-in-thread", "[3]", End::Crashes(Exit::Code(3), &["exited with code 3"])),
    row("say", r#"[["my last", "words"], "exit"]"#, End::Crashes(Exit::Code(7), &["\n  | my last", "\n  | words"])),
    row("abort", "[]", End::Crashes(SIGABRT, &["was killed by SIGABRT"])),
    row("segfault", "[]", End::Crashes(SIGSEGV, &["was killed by SIGSEGV"])),
    row("overflow", "[]", End::Crashes(SIGABRT, &["has overflowed its stack", "was killed by SIGABRT"])),
    row("raise", "[4]", End::Crashes(SIGILL, &["was killed by SIGILL"])),
    row("raise", "[7]", End::Crashes(SIGBUS, &["was killed by SIGBUS"])),
    row("raise", "[8]", End::Crashes(SIGFPE, &["was killed by SIGFPE"])),
    row("raise", "[15]", End::Crashes(SIGTERM, &["was killed by SIGTERM"])),
    row("raise", "[9]", End::Crashes(SIGKILL, &["was killed by SIGKILL (not by the supervisor; possibly out of memory)"])),
    row("kill-group", "[]", End::Crashes(SIGKILL, &["was killed by SIGKILL"])),
    // Ends that are not seen without a clock.
    slow("raise", "[19]"),
    slow("hang", "[GATE]"),
    // The worker leaves as soon as it finds that it cannot receive any more, if it looks in time.
    Row { timeout: Some(Duration::from_millis(500)), ..row("close", r#"["hang"]"#, End::CrashesOrTimesOut) },
    // Processes left behind, with all their worker's descriptors or some.
    row("fork", r#"[GATE, "return"]"#, End::Succeeds),
    row("fork", r#"[GATE, "exit"]"#, End::Crashes(Exit::Code(7), &["exited with code 7"])),
    slow("fork", r#"[GATE, "hang"]"#),
    row("leave", r#"[GATE, "child", "return"]"#, End::Succeeds),
    row("leave", r#"[GATE, "session", "return"]"#, End::Succeeds),
    row("leave", r#"[GATE, "child", "exit"]"#, End::Crashes(Exit::Code(7), &["exited with code 7"])),
    row("leave", r#"[GATE, "session", "exit"]"#, End::Crashes(Exit::Code(7), &["exited with code 7"])),
    // Lies and noise.
    row("garble", "[1]", End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("garble", "[50]", End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("lie", r#"["another"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("lie", r#"["attempt"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["what is not there"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["what does not end"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["more than is there"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["another length"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["more blobs than bytes"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["twice"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["room that nobody wants"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
    row("offer", r#"["and mention something else"]"#, End::Crashes(SIGKILL, &["broke the protocol, so the supervisor killed it"])),
];

#[test]
fn each_fault_ends_its_job_as_promised_and_touches_no_other() {
    let mut broken = Vec::new();
    for row in TABLE {
        // All rows are tried, so that one look shows all that is wrong.
        if panic::catch_unwind(|| row.play()).is_err() {
            broken.push(row.name());
        }
    }
    assert!(broken.is_empty(), "these end otherwise: {}", broken.join(", "));
}

/// What the transport does not take for a packet holds up its reader, until the worker is dead.
#[test]
fn what_is_no_packet_at_all_costs_one_worker() {
    for arguments in ["[0]", "[1]", "[8]", "[16]", "[100]"] {
        let timeout = Some(Duration::from_millis(200));
        Row { timeout, ..row("scribble", arguments, End::CrashesOrTimesOut) }.play();
    }
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.task, self.arguments)
    }

    fn play(&self) {
        let pool = builder(WORKERS).max_output(2_000_000).build().expect("the pool starts");
        let (faults, gate) = (Gate::open(), Gate::open());
        let (busy, visitors) = occupy(&pool, &gate, WORKERS - 1);

        let (fault, mut met) = self.misbehave(&pool, &faults);
        let queued: Vec<_> = (0..5).map(|n| pool.submit(tell(&n.to_string()))).collect();
        let ended = self.await_end(fault, &faults, &mut met);
        self.check_end(ended);

        let pids: Vec<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
        visitors.into_iter().for_each(Visitor::release);
        for future in busy {
            let (attempt, pid, _) = told(future);
            assert_eq!(attempt, 1, "a busy neighbour of {} is not touched", self.task);
            assert!(pids.contains(&pid), "a busy neighbour of {} keeps its worker", self.task);
        }
        for (n, future) in queued.into_iter().enumerate() {
            let (attempt, _, value) = told(future);
            assert_eq!((attempt, value), (1, n.to_string()), "beside {}", self.task);
        }
        assert_staffed(&pool, WORKERS);
        drop(pool);
        for mut visitor in met {
            // Workers and all they left behind are gone with the pool.
            visitor.await_end(Duration::from_secs(1));
        }
    }

    fn misbehave(&self, pool: &ProcessPool, gate: &Gate) -> (Future<String>, Vec<Visitor>) {
        let arguments = self.arguments.replace("GATE", &gate.json());
        let mut job = Job::json(self.task, arguments).crash_retries(1);
        if let Some(timeout) = self.timeout {
            job = job.timeout(timeout);
        }
        (pool.submit(job), Vec::new())
    }

    /// Waits for the end of the job, and lets every attempt that comes to the gate go on.
    fn await_end(
        &self,
        fault: Future<String>,
        gate: &Gate,
        met: &mut Vec<Visitor>,
    ) -> Result<String, JobError> {
        let attempts = match (&self.end, self.arguments.contains("GATE")) {
            (_, false) => 0,
            (End::Crashes(..), true) => 2,
            (_, true) => 1,
        };
        for _ in 0..attempts {
            let mut visitor = gate.wait();
            visitor.nod();
            met.push(visitor);
        }
        outcome(fault)
    }

    fn check_end(&self, ended: Result<String, JobError>) {
        let what = self.name();
        match (&self.end, ended) {
            (End::Succeeds, Ok(_)) => {}
            (End::Succeeds, Err(error)) => panic!("{what}: {error}"),
            (_, Ok(output)) => panic!("{what} gave {output}"),
            (End::Fails(is_so, words), Err(error)) => {
                assert!(is_so(&error), "{what}: {error}");
                assert_words(&what, &error, words);
            }
            (End::Crashes(exit, words), Err(error)) => {
                let exits = Failure::Quarantined(vec![*exit; 2]);
                assert_eq!(*error.failure(), exits, "{what}: {error}");
                assert_eq!(error.exit(), Some(*exit), "{what}");
                assert_eq!(error.attempts(), 2, "{what}: {error}");
                assert!(error.worker().is_some_and(|worker| worker.pid > 0), "{what}: {error}");
                assert_words(&what, &error, words);
                assert_words(&what, &error, &["attempt 2 of 2", "it took down 2 workers"]);
            }
            (End::TimesOut, Err(error)) => {
                assert!(error.is_timed_out(), "{what}: {error}");
                assert_eq!(error.attempts(), 1, "{what}: a time-out is not tried again");
                let limit = self.timeout.unwrap_or_default();
                assert!(error.elapsed() >= Some(limit), "{what}: {:?}", error.elapsed());
                assert_words(&what, &error, &["still running after 200ms", "was killed"]);
            }
            (End::CrashesOrTimesOut, Err(error)) => {
                assert!(error.is_quarantined() || error.is_timed_out(), "{what}: {error}");
            }
        }
    }
}

fn assert_words(what: &str, error: &JobError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{what}: {word:?} is not in {text:?}");
    }
}
