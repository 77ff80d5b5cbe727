//! What errors of jobs say, and that each of them fits a message. And the ids of jobs that jobs submit.

use std::time::Duration;

use brigade_protocol::codec::{self, MAX_MESSAGE};
use brigade_protocol::error::{Certificate, Failure, JobError, Member, Sentence, WorkerInfo};
use brigade_protocol::id::{JobId, SlotId, Ticket, WorkerId};
use brigade_protocol::message::{Exit, TaskError, TaskErrorKind, ToWorker, Usage, Value};
use proptest::prelude::*;

use crate::strategies::nested;

const WORKER: WorkerInfo = WorkerInfo { id: WorkerId(7), slot: SlotId(2), pid: 4711 };

fn certificate(failure: Failure) -> Certificate {
    let job = JobId(42);
    JobError::unstarted(job, "fetch".into(), None, failure).certificate().clone()
}

fn ran(failure: Failure) -> Certificate {
    Certificate { attempts: 2, allowed: 3, worker: Some(WORKER), ..certificate(failure) }
}

#[track_caller]
fn assert_text(certificate: Certificate, text: &str) {
    let error = JobError::new(certificate);
    assert_eq!(error.to_string(), text);
    assert_eq!(format!("{error:?}"), text);
}

fn members(names: &[(u64, &str)]) -> Failure {
    let member = |&(job, name): &(u64, &str)| Member { job: JobId(job), name: name.into() };
    Failure::Deadlock(names.iter().map(member).collect())
}

#[test]
fn each_failure_reads_as_a_sentence() {
    let no = || TaskError::new(TaskErrorKind::Failed, "no");
    assert_text(ran(Failure::Failed(no())), "job 42 (fetch), attempt 2 of 3: no");
    let location = Some("src/a.rs:1:2".to_owned());
    let panicked = TaskError::panicked("oh".into(), location, Some("0: main".into()));
    assert_text(
        ran(Failure::Panicked(panicked)),
        "job 42 (fetch), attempt 2 of 3: panicked at src/a.rs:1:2: oh",
    );
    let nowhere = TaskError::panicked("oh".into(), None, None);
    assert_text(certificate(Failure::Panicked(nowhere)), "job 42 (fetch): panicked: oh");
    assert_text(certificate(Failure::Undecodable(no())), "job 42 (fetch): no");
    assert_text(
        ran(Failure::Crashed(Exit::Signal(11))),
        "job 42 (fetch), attempt 2 of 3: worker 7 (slot 2, pid 4711) was killed by SIGSEGV",
    );
    assert_text(
        ran(Failure::TimedOut(Duration::from_millis(1500))),
        "job 42 (fetch), attempt 2 of 3: still running after 1.5s, so worker 7 (slot 2, pid 4711) \
         was killed",
    );
    assert_text(certificate(Failure::Cancelled), "job 42 (fetch): cancelled");
    assert_text(
        ran(Failure::Quarantined(vec![Exit::Code(7), Exit::Code(8)])),
        "job 42 (fetch), attempt 2 of 3: quarantined: it took down 2 workers, the last of them \
         worker 7 (slot 2, pid 4711), which exited with code 8",
    );
    assert_text(
        certificate(Failure::PoolGaveUp("too many deaths".into())),
        "job 42 (fetch): the pool gave up: too many deaths",
    );
    assert_text(
        certificate(Failure::Refused("no such task".into())),
        "job 42 (fetch): no such task",
    );
}

#[test]
fn a_deadlock_names_its_cycle() {
    let cause = |names: &[(u64, &str)]| JobError::new(certificate(members(names))).cause();
    assert_eq!(
        cause(&[(1, "a"), (2, "b")]),
        "deadlock: job 1 (a) waits for job 2 (b) waits for job 1 (a)"
    );
    assert_eq!(cause(&[(1, "")]), "deadlock: job 1 waits for job 1");
    let nested = JobId::nested(WorkerId(7), 42).0;
    assert_eq!(cause(&[(nested, "a")]), "deadlock: job 7.42 (a) waits for job 7.42 (a)");
    assert_eq!(cause(&[]), "deadlock: ");
}

#[test]
fn the_supervisors_reason_to_kill_comes_before_the_signal() {
    let cause = |killed| {
        JobError::new(Certificate { killed, ..ran(Failure::Crashed(Exit::Signal(9))) }).cause()
    };
    let worker = "worker 7 (slot 2, pid 4711)";
    for (killed, death) in [
        (None, "was killed by SIGKILL (not by the supervisor; possibly out of memory)"),
        (
            Some(Sentence::TimedOutBeside(JobId(3))),
            "was killed because job 3, which it ran too, timed out",
        ),
        (
            Some(Sentence::KilledBeside(JobId(3))),
            "was killed because job 3, which it ran too, was to be killed",
        ),
        (Some(Sentence::Violated), "broke the protocol, so the supervisor killed it"),
        (Some(Sentence::Silent), "did not answer, so the supervisor killed it"),
        (Some(Sentence::Ended), "was killed by the supervisor"),
    ] {
        assert_eq!(cause(killed), format!("{worker} {death}"));
    }
}

#[test]
fn a_text_has_what_is_known_and_no_more() {
    let crashed = || Failure::Crashed(Exit::Code(1));
    let unknown = Certificate { task: String::new(), ..certificate(crashed()) };
    assert_text(unknown, "job 42: its worker exited with code 1");
    let labelled = Certificate { label: Some("home".into()), ..certificate(Failure::Cancelled) };
    assert_text(labelled, "job 42 (fetch, home): cancelled");
    let last_words = vec!["one".into(), "two".into()];
    let spoken = Certificate { last_words, ..ran(crashed()) };
    assert_text(
        spoken,
        "job 42 (fetch), attempt 2 of 3: worker 7 (slot 2, pid 4711) exited with code 1; its last \
         words:\n  | one\n  | two",
    );
}

#[test]
fn every_failure_has_one_name_and_one_question() {
    type Question = fn(&JobError) -> bool;
    let error = || TaskError::new(TaskErrorKind::Failed, "");
    let questions: &[(&str, Question)] = &[
        ("failed", JobError::is_failed),
        ("panicked", JobError::is_panicked),
        ("undecodable", JobError::is_undecodable),
        ("crashed", JobError::is_crashed),
        ("timed-out", JobError::is_timed_out),
        ("cancelled", JobError::is_cancelled),
        ("quarantined", JobError::is_quarantined),
        ("deadlock", JobError::is_deadlock),
        ("pool-gave-up", JobError::is_pool_gave_up),
        ("refused", JobError::is_refused),
    ];
    let failures = [
        Failure::Failed(error()),
        Failure::Panicked(error()),
        Failure::Undecodable(error()),
        Failure::Crashed(Exit::Unknown),
        Failure::TimedOut(Duration::ZERO),
        Failure::Cancelled,
        Failure::Quarantined(vec![Exit::Code(1), Exit::Signal(9)]),
        members(&[]),
        Failure::PoolGaveUp(String::new()),
        Failure::Refused(String::new()),
    ];
    for (failure, (name, _)) in failures.into_iter().zip(questions) {
        assert_eq!(failure.name(), *name);
        let error = JobError::new(certificate(failure));
        let yes: Vec<&str> =
            questions.iter().filter(|(_, asks)| asks(&error)).map(|(name, _)| *name).collect();
        // Who is quarantined has crashed, too.
        let expected =
            if *name == "quarantined" { vec!["crashed", "quarantined"] } else { vec![*name] };
        assert_eq!(yes, expected);
        let is_a_death = ["crashed", "quarantined", "timed-out"].contains(name);
        assert_eq!(error.failure().is_a_death(), is_a_death, "{name}");
        let exit = match *name {
            "crashed" => Some(Exit::Unknown),
            "quarantined" => Some(Exit::Signal(9)),
            _ => None,
        };
        assert_eq!(error.exit(), exit, "{name}");
    }
}

/// Settled and failed, as a worker would be told.
fn fits(error: &JobError) -> bool {
    let waiter = Ticket { job: JobId(u64::MAX), attempt: u32::MAX };
    let result: Result<Value<'_>, _> = Err(error.clone());
    let settled = ToWorker::Settled { waiter, job: JobId(u64::MAX), result };
    let failed = ToWorker::WaitFailed { waiter, error: error.clone() };
    [settled, failed].iter().all(|message| {
        codec::encode(message).is_ok_and(|bytes| codec::decode::<ToWorker>(&bytes).is_ok())
    })
}

/// Everything about it is as large as can be.
fn huge(failure: Failure) -> JobError {
    let long = || "ä".repeat(MAX_MESSAGE);
    JobError::new(Certificate {
        job: JobId(u64::MAX),
        task: long(),
        label: Some(long().into()),
        failure,
        attempts: u32::MAX,
        allowed: u32::MAX,
        worker: Some(WorkerInfo { id: WorkerId(u64::MAX), slot: SlotId(u32::MAX), pid: u32::MAX }),
        killed: Some(Sentence::KilledBeside(JobId(u64::MAX))),
        elapsed: Some(Duration::MAX),
        last_words: vec![long(); 1000],
        usage: Some(Usage { cpu: u64::MAX, peak_memory: u64::MAX }),
    })
}

#[test]
fn the_largest_error_of_a_job_fits_a_message_when_bounded() {
    let long = || "ä".repeat(MAX_MESSAGE);
    let error = || TaskError {
        kind: TaskErrorKind::Panicked,
        message: long(),
        location: Some(long()),
        backtrace: Some(long()),
        usage: Some(Usage { cpu: u64::MAX, peak_memory: u64::MAX }),
    };
    let member = Member { job: JobId(u64::MAX), name: long() };
    for failure in [
        Failure::Failed(error()),
        Failure::Panicked(error()),
        Failure::Undecodable(error()),
        Failure::Crashed(Exit::Signal(i32::MIN)),
        Failure::TimedOut(Duration::MAX),
        Failure::Quarantined(vec![Exit::Code(i32::MIN); 100_000]),
        Failure::Deadlock(vec![member; 10_000]),
        Failure::PoolGaveUp(long()),
        Failure::Refused(long()),
    ] {
        let name = failure.name();
        let error = huge(failure);
        assert!(!fits(&error), "{name} would fit anyway");
        let bounded = error.clone().bounded();
        assert!(fits(&bounded), "{name}");
        assert!(codec::encode(&bounded).unwrap().len() <= JobError::LARGEST, "{name}");
        assert_eq!(bounded.failure().name(), name);
        let same = |error: &JobError| {
            let Certificate { job, attempts, allowed, worker, killed, elapsed, .. } =
                error.certificate().clone();
            (job, attempts, allowed, worker, killed, elapsed)
        };
        assert_eq!(same(&bounded), same(&error), "{name}");
    }
}

/// A cycle of 300 jobs whose labels are as long as labels may be keeps all its members.
#[test]
fn a_long_cycle_keeps_its_members() {
    let name = "x".repeat(256);
    let cycle = (1..=300).map(|job| Member { job: JobId(job), name: name.clone() }).collect();
    let error = JobError::new(certificate(Failure::Deadlock(cycle)));
    assert!(!fits(&error));
    let bounded = error.bounded();
    assert!(fits(&bounded));
    let Failure::Deadlock(cycle) = bounded.failure() else { panic!("{bounded}") };
    assert_eq!(cycle.len(), 300);
    assert!(cycle.iter().all(|member| member.name.starts_with("xxxxxxxx")));
}

#[test]
fn an_ordinary_error_is_told_in_full() {
    let last_words = vec!["y".repeat(400); 12];
    let long = "z".repeat(8 * 1024);
    let panicked = TaskError::panicked(long.clone(), Some("a.rs:1:1".into()), Some(long));
    let label = Some("l".repeat(256).into());
    let error =
        JobError::new(Certificate { last_words, label, ..ran(Failure::Panicked(panicked)) });
    assert!(fits(&error));
    assert_eq!(error.clone().bounded(), error);
}

#[test]
fn the_last_of_the_last_words_are_kept() {
    let last_words: Vec<String> = (0..100).map(|n| format!("{n:0>400}")).collect();
    let error =
        JobError::new(Certificate { last_words: last_words.clone(), ..ran(Failure::Cancelled) });
    let bounded = error.bounded();
    let kept = bounded.last_words();
    assert!(kept.len() >= 12 && last_words.ends_with(kept), "{}", kept.len());
}

proptest! {
    #[test]
    fn an_error_that_is_small_is_not_changed(error in nested::error()) {
        prop_assert_eq!(error.clone().bounded(), error);
    }

    #[test]
    fn a_nested_id_tells_its_origin(worker in 0..1_u64 << 31, count: u32) {
        let job = JobId::nested(WorkerId(worker), count);
        prop_assert_eq!(job.origin(), Some((WorkerId(worker), count)));
        prop_assert_eq!(job.to_string(), format!("{worker}.{count}"));
    }

    #[test]
    fn an_id_from_outside_has_no_origin(job: u32) {
        let job = JobId(job.into());
        prop_assert_eq!(job.origin(), None);
        prop_assert_eq!(job.to_string(), job.0.to_string());
    }

    #[test]
    fn every_number_is_an_id(job: u64) {
        let text = JobId(job).to_string();
        prop_assert_eq!(text.contains('.'), JobId(job).origin().is_some());
    }
}

#[test]
fn nested_ids_begin_where_those_from_outside_end() {
    assert_eq!(JobId::nested(WorkerId(0), 0), JobId(1 << 32));
    assert_eq!(JobId((1 << 32) - 1).origin(), None);
    let last = WorkerId((1 << 31) - 1);
    assert_eq!(JobId::nested(last, u32::MAX).origin(), Some((last, u32::MAX)));
}
