//! The bytes of the messages about jobs that jobs submit, and of the errors of jobs.

use std::time::Duration;

use brigade_protocol::error::{Certificate, Failure, JobError, Member, Sentence, WorkerInfo};
use brigade_protocol::id::{JobId, SlotId, TaskId, WorkerId};
use brigade_protocol::message::{
    Exit, Form, FromWorker, Length, Options, Question, Submit, TaskError, TaskErrorKind, ToWorker,
    Value,
};

use super::{TICKET, assert_golden, assert_numbers};

pub(super) fn refused() -> JobError {
    JobError::unstarted(JobId(9), String::new(), None, Failure::Refused("no".into()))
}

pub(super) fn submit() -> Submit<'static> {
    Submit {
        parent: TICKET,
        job: JobId::nested(WorkerId(0), 1),
        task: TaskId(3),
        form: Form::Bincode,
        arguments: Value::Inline(&[1]),
        options: Options::default(),
        handles: vec![],
        shares: vec![],
    }
}

#[test]
fn submissions() {
    assert_golden(
        &FromWorker::Submit(submit()),
        "06:Submit fb2c01:job 02:attempt fd0100000001000000:job 03:task 00:Bincode
         00:Inline 01:length 01
         00:timeout 00:retries 00:crash_retries 00:priority 00:label
         00:handles 00:shares",
    );
    let options = Options {
        timeout: Some(Duration::new(1, 2)),
        retries: Some(3),
        crash_retries: Some(0),
        priority: -1,
        label: Some("ä".into()),
    };
    let handles = vec![JobId(1), JobId(300)];
    let (form, arguments) = (Form::Json, Value::Parts(Length::plain(65536)));
    assert_golden(
        &FromWorker::Submit(Submit {
            form,
            arguments,
            options,
            handles,
            shares: vec![251],
            ..submit()
        }),
        "06:Submit fb2c01:job 02:attempt fd0100000001000000:job 03:task 01:Json
         01:Parts fc00000100:bytes 00:blobs
         01:Some 01:seconds 02:nanoseconds  01:Some 03:retries  01:Some 00:crash_retries
         ff:priority  01:Some 02:label c3a4
         02:handles 01 fb2c01 01:shares fbfb00",
    );
}

#[test]
fn wishes() {
    let job = JobId(300);
    assert_golden(
        &FromWorker::Reserve { parent: TICKET, job },
        "07:Reserve fb2c01:job 02:attempt fb2c01:job",
    );
    assert_golden(&FromWorker::Abandon(job), "08:Abandon fb2c01:job");
    assert_golden(
        &FromWorker::Wait { waiter: TICKET, jobs: vec![JobId(1), job] },
        "09:Wait fb2c01:job 02:attempt 02:jobs 01 fb2c01",
    );
    assert_golden(&FromWorker::WaitOver(TICKET), "0a:WaitOver fb2c01:job 02:attempt");
    assert_golden(
        &FromWorker::Ask { asker: TICKET, job, question: Question::HasEnded },
        "0b:Ask fb2c01:job 02:attempt fb2c01:job 03:HasEnded",
    );
    assert_golden(&FromWorker::Cancel(vec![job, JobId(1)]), "0c:Cancel 02:jobs fb2c01 01");
}

#[test]
fn answers() {
    let settled = |result| ToWorker::Settled { waiter: TICKET, job: JobId(1), result };
    assert_golden(
        &settled(Ok(Value::Inline(&[0xfe, 0xff]))),
        "04:Settled fb2c01:job 02:attempt 01:job 00:Ok 00:Inline 02:length feff",
    );
    assert_golden(
        &settled(Ok(Value::Parts(Length::plain(300)))),
        "04:Settled fb2c01:job 02:attempt 01:job 00:Ok 01:Parts fb2c01:bytes 00:blobs",
    );
    let refused_bytes = "09:job 00:task 00:label 09:Refused 02:reason 6e6f 00:attempts 00:allowed
         00:worker 00:killed 00:elapsed 00:last_words 00:usage";
    assert_golden(
        &settled(Err(refused())),
        &format!("04:Settled fb2c01:job 02:attempt 01:job 01:Err {refused_bytes}"),
    );
    assert_golden(
        &ToWorker::WaitFailed { waiter: TICKET, error: refused() },
        &format!("05:WaitFailed fb2c01:job 02:attempt {refused_bytes}"),
    );
    assert_golden(
        &ToWorker::Told { asker: TICKET, yes: true },
        "06:Told fb2c01:job 02:attempt 01:yes",
    );
    assert_golden(&ToWorker::PleaseStop(TICKET), "07:PleaseStop fb2c01:job 02:attempt");
    assert_golden(&ToWorker::Accepted(300), "08:Accepted fb2c01:count");
}

#[test]
fn certificates() {
    assert_golden(
        &JobError::new(Certificate {
            job: JobId(300),
            task: "t".into(),
            label: Some("l".into()),
            failure: Failure::Crashed(Exit::Signal(9)),
            attempts: 2,
            allowed: 3,
            worker: Some(WorkerInfo { id: WorkerId(7), slot: SlotId(1), pid: 4711 }),
            killed: Some(Sentence::TimedOutBeside(JobId(4))),
            elapsed: Some(Duration::new(1, 2)),
            last_words: vec!["a".into(), String::new()],
            usage: None,
        }),
        "fb2c01:job 01:task 74 01:Some 01:label 6c  03:Crashed 01:Signal 12  02:attempts 03:allowed
         01:Some 07:worker 01:slot fb6712:pid  01:Some 00:TimedOutBeside 04:job
         01:Some 01:seconds 02:nanoseconds  02:last_words 01 61 00  00:usage",
    );
}

#[test]
fn failures() {
    let error = || TaskError::new(TaskErrorKind::BadOutput, "x");
    let error_bytes = "03:BadOutput 01:message 78 00:location 00:backtrace 00:usage";
    assert_golden(&Failure::Failed(error()), &format!("00:Failed {error_bytes}"));
    assert_golden(&Failure::Panicked(error()), &format!("01:Panicked {error_bytes}"));
    assert_golden(&Failure::Undecodable(error()), &format!("02:Undecodable {error_bytes}"));
    assert_golden(&Failure::Crashed(Exit::Unknown), "03:Crashed 02:Unknown");
    assert_golden(&Failure::TimedOut(Duration::new(3, 0)), "04:TimedOut 03:seconds 00:nanoseconds");
    assert_golden(&Failure::Cancelled, "05:Cancelled");
    assert_golden(
        &Failure::Quarantined(vec![Exit::Code(1), Exit::Signal(9)]),
        "06:Quarantined 02:exits 00:Code 02 01:Signal 12",
    );
    let member = |job, name: &str| Member { job: JobId(job), name: name.into() };
    assert_golden(
        &Failure::Deadlock(vec![member(1, "a"), member(2, "")]),
        "07:Deadlock 02:members 01:job 01:name 61 02:job 00:name",
    );
    assert_golden(&Failure::PoolGaveUp("x".into()), "08:PoolGaveUp 01:reason 78");
    assert_golden(&Failure::Refused("x".into()), "09:Refused 01:reason 78");
}

/// As for messages: a new variant wants a number.
#[test]
fn variants_keep_their_numbers() {
    let questions = [Question::Cancel, Question::Kill, Question::IsRunning, Question::HasEnded];
    assert_numbers(&questions, |question| match question {
        Question::Cancel => 0,
        Question::Kill => 1,
        Question::IsRunning => 2,
        Question::HasEnded => 3,
    });
    let sentences = [
        Sentence::TimedOutBeside(JobId(1)),
        Sentence::KilledBeside(JobId(1)),
        Sentence::Violated,
        Sentence::Silent,
        Sentence::Ended,
        Sentence::Abandoned,
    ];
    assert_numbers(&sentences, |sentence| match sentence {
        Sentence::TimedOutBeside(_) => 0,
        Sentence::KilledBeside(_) => 1,
        Sentence::Violated => 2,
        Sentence::Silent => 3,
        Sentence::Ended => 4,
        Sentence::Abandoned => 5,
    });
}
