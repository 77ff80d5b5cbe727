//! Any message about jobs that jobs submit, and any error of a job.

use std::time::Duration;

use brigade_protocol::error::{Certificate, Failure, JobError, Member, Sentence, WorkerInfo};
use brigade_protocol::id::{JobId, SlotId, TaskId, WorkerId};
use brigade_protocol::message::{FromWorker, Options, Question, Submit, ToWorker};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{exit, form, number, task_error, text, ticket, value};

fn job() -> impl Strategy<Value = JobId> {
    number().prop_map(JobId)
}

fn duration() -> impl Strategy<Value = Duration> {
    (number(), 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
}

fn options() -> impl Strategy<Value = Options> {
    let number = || option::of(any::<u32>());
    let label = option::of(text().prop_map(String::into_boxed_str));
    (option::of(duration()), number(), number(), any::<i8>(), label).prop_map(
        |(timeout, retries, crash_retries, priority, label)| Options {
            timeout,
            retries,
            crash_retries,
            priority,
            label,
        },
    )
}

fn submit() -> BoxedStrategy<Submit<'static>> {
    let shares = vec(number(), 0..3);
    (ticket(), job(), any::<u32>(), form(), value(), options(), vec(job(), 0..5), shares)
        .prop_map(|(parent, job, task, form, arguments, options, handles, shares)| Submit {
            parent,
            job,
            task: TaskId(task),
            form,
            arguments,
            options,
            handles,
            shares,
        })
        .boxed()
}

fn question() -> impl Strategy<Value = Question> {
    use Question::{Cancel, HasEnded, IsRunning, Kill};
    prop_oneof![Just(Cancel), Just(Kill), Just(IsRunning), Just(HasEnded)]
}

fn failure() -> BoxedStrategy<Failure> {
    let member = (job(), text()).prop_map(|(job, name)| Member { job, name });
    prop_oneof![
        task_error().prop_map(Failure::Failed),
        task_error().prop_map(Failure::Panicked),
        task_error().prop_map(Failure::Undecodable),
        exit().prop_map(Failure::Crashed),
        duration().prop_map(Failure::TimedOut),
        Just(Failure::Cancelled),
        vec(exit(), 0..5).prop_map(Failure::Quarantined),
        vec(member, 0..5).prop_map(Failure::Deadlock),
        text().prop_map(Failure::PoolGaveUp),
        text().prop_map(Failure::Refused),
    ]
    .boxed()
}

fn sentence() -> impl Strategy<Value = Sentence> {
    prop_oneof![
        job().prop_map(Sentence::TimedOutBeside),
        job().prop_map(Sentence::KilledBeside),
        Just(Sentence::Violated),
        Just(Sentence::Silent),
        Just(Sentence::Ended),
        Just(Sentence::Abandoned),
    ]
}

pub(crate) fn error() -> BoxedStrategy<JobError> {
    let worker = (number(), any::<u32>(), any::<u32>()).prop_map(|(id, slot, pid)| {
        let (id, slot) = (WorkerId(id), SlotId(slot));
        WorkerInfo { id, slot, pid }
    });
    let whose = (job(), text(), option::of(text()));
    let how = (failure(), option::of(worker), option::of(sentence()));
    let attempts = (any::<u32>(), any::<u32>(), option::of(duration()));
    (whose, how, attempts, vec(text(), 0..4), option::of(super::usage()))
        .prop_map(|(whose, how, attempts, last_words, usage)| {
            let ((job, task, label), (failure, worker, killed)) = (whose, how);
            let (attempts, allowed, elapsed) = attempts;
            let label = label.map(String::into_boxed_str);
            JobError::new(Certificate {
                job,
                task,
                label,
                failure,
                attempts,
                allowed,
                worker,
                killed,
                elapsed,
                last_words,
                usage,
            })
        })
        .boxed()
}

// Boxed, for a strategy is as large as all its parts, and the stack of a test is not.
pub(super) fn to_worker() -> BoxedStrategy<ToWorker<'static>> {
    let result = prop_oneof![value().prop_map(Ok), error().prop_map(Err)];
    prop_oneof![
        4 => (ticket(), job(), result)
            .prop_map(|(waiter, job, result)| ToWorker::Settled { waiter, job, result }),
        2 => (ticket(), error()).prop_map(|(waiter, error)| ToWorker::WaitFailed { waiter, error }),
        1 => (ticket(), any::<bool>()).prop_map(|(asker, yes)| ToWorker::Told { asker, yes }),
        1 => ticket().prop_map(ToWorker::PleaseStop),
        1 => any::<u32>().prop_map(ToWorker::Accepted),
    ]
    .boxed()
}

pub(super) fn from_worker() -> BoxedStrategy<FromWorker<'static>> {
    prop_oneof![
        4 => submit().prop_map(FromWorker::Submit),
        1 => (ticket(), job()).prop_map(|(parent, job)| FromWorker::Reserve { parent, job }),
        1 => job().prop_map(FromWorker::Abandon),
        2 => (ticket(), vec(job(), 0..9))
            .prop_map(|(waiter, jobs)| FromWorker::Wait { waiter, jobs }),
        1 => ticket().prop_map(FromWorker::WaitOver),
        1 => (ticket(), job(), question())
            .prop_map(|(asker, job, question)| FromWorker::Ask { asker, job, question }),
        1 => vec(job(), 0..9).prop_map(FromWorker::Cancel),
    ]
    .boxed()
}
