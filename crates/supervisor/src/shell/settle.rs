//! The ends of jobs: what the scheduler decided, with what else is known, on its way to who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brigade_protocol::codec;
use brigade_protocol::id::{JobId, Run, Ticket, WorkerId};
use brigade_task::Settlement;
use brigade_task::ends::Outputs;
use brigade_task::pack::Circumstances;

use super::core::{Core, Entry, Obituary, Submission};
use crate::error::{Certificate, Failure, JobError};
use crate::scheduler::{Settled, Time};

impl Core {
    /// Delivers the ends of jobs that were submitted in runs. Returns the jobs that asked for a
    /// cancellation and are to be told.
    pub(super) fn settle_run(
        &mut self,
        first: JobId,
        settled: Settled,
        obituary: &Obituary<'_>,
    ) -> Vec<(WorkerId, Ticket, bool)> {
        let count = settled.count;
        let run = Run { first: first.into(), count };
        let cancelled = matches!(settled.result, Err(Failure::Cancelled));
        let (attempts, worker, ran) = (settled.attempts, obituary.info, settled.ran);
        let circumstances = Circumstances { attempts, worker, ran, ..Circumstances::default() };
        match settled.result {
            Ok(outputs) => {
                let outputs =
                    if count == 1 { Outputs::One(outputs) } else { Outputs::Run(outputs) };
                let blobs = self.take_blobs(first);
                self.runs.succeed(run, outputs, blobs, circumstances);
            }
            Err(ref failure) => {
                for job in run.jobs() {
                    self.take_blobs(job);
                    let failure = self.named(job, failure.clone());
                    let name = self.runs.find(job).map_or("", |(entry, _)| &*entry.name);
                    let error =
                        certificate(job, name.to_owned(), None, failure, &settled, obituary);
                    self.runs.with(job, |entry, place| entry.fail(place, error, circumstances));
                }
            }
        }
        if self.cancels.is_empty() {
            return Vec::new();
        }
        let askers = run.jobs().flat_map(|job| self.answer_cancels(job, cancelled));
        askers.map(|(worker, asker)| (worker, asker, cancelled)).collect()
    }

    /// Delivers the end of a job. Returns the jobs that asked for its cancellation and are to be told.
    pub(super) fn settle(
        &mut self,
        job: JobId,
        settled: Settled,
        obituary: &Obituary<'_>,
    ) -> Vec<(WorkerId, Ticket, bool)> {
        let Some(Entry { submission, submitted, .. }) = self.jobs.remove(&job) else {
            return Vec::new();
        };
        for &handle in submission.handles() {
            self.kept.let_go(handle);
        }
        let task =
            if settled.result.is_err() { self.task_name(&submission) } else { String::new() };
        let Submission { beside, sink, work, large, .. } = submission;
        let label = beside.and_then(|beside| beside.label);
        // Who hears of the end finds this memory free, and what it shared as well.
        drop(large);
        // What a closure holds is the user's, and may panic when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
        let (attempts, ran, worker) = (settled.attempts, settled.ran, obituary.info);
        let cancelled = matches!(settled.result, Err(Failure::Cancelled));
        let result = match settled.result {
            Ok(output) => Ok(output),
            Err(ref failure) => {
                let failure = self.named(job, failure.clone());
                Err(certificate(job, task, label, failure, &settled, obituary))
            }
        };
        let blobs = self.take_blobs(job);
        sink.settle(Settlement { tag: 0, job, result, blobs, attempts, worker, submitted, ran });
        // Who hears that the job was cancelled finds it settled.
        let askers = self.answer_cancels(job, cancelled);
        askers.into_iter().map(|(worker, asker)| (worker, asker, cancelled)).collect()
    }

    /// A deadlock with the names of those in it, as they were when it was found.
    fn named(&mut self, job: JobId, failure: Failure) -> Failure {
        let named = if self.cycles.is_empty() { None } else { self.cycles.remove(&job) };
        match (failure, named) {
            (Failure::Deadlock(_), Some(named)) => Failure::Deadlock(named.into()),
            (failure, _) => failure,
        }
    }

    /// The wait of an attempt fails. If it would close a cycle, the jobs in it get their names, as long as
    /// all are there.
    pub(super) fn name_cycle(&mut self, waiter: Ticket, failure: Failure) -> Failure {
        let Failure::Deadlock(mut cycle) = failure else { return failure };
        for member in &mut cycle {
            member.name = self.name_of(member.job);
        }
        if self.contains(waiter.job) {
            self.cycles.insert(waiter.job, cycle.clone().into());
        }
        Failure::Deadlock(cycle)
    }
}

/// The error of a job, with all that is known.
fn certificate(
    job: JobId,
    task: String,
    label: Option<Box<str>>,
    failure: Failure,
    settled: &Settled,
    obituary: &Obituary<'_>,
) -> JobError {
    let is_a_death = failure.is_a_death();
    let last_words = obituary.last_words.filter(|_| is_a_death);
    let usage = match &failure {
        Failure::Failed(error) | Failure::Panicked(error) | Failure::Undecodable(error) => {
            error.usage
        }
        _ => obituary.usage.filter(|_| is_a_death),
    };
    let elapsed = settled.ran.map(|(started, ended)| ended.saturating_sub(started));
    JobError::new(Certificate {
        job,
        task,
        label,
        failure,
        attempts: settled.attempts,
        allowed: settled.allowed,
        worker: obituary.info,
        killed: obituary.killed,
        elapsed,
        last_words: last_words.map(<[String]>::to_vec).unwrap_or_default(),
        usage,
    })
}

/// The end of a run of jobs, in parts.
pub(super) struct Parts {
    settled: Settled,
    /// How many of its outputs' bytes have been taken.
    taken: usize,
}

impl Parts {
    /// To be taken in parts.
    pub(super) fn of(settled: Settled) -> Self {
        Self { settled, taken: 0 }
    }

    /// How many jobs are left.
    pub(super) fn left(&self) -> u32 {
        self.settled.count
    }

    /// The end of the next so many jobs, or of all that are left.
    ///
    /// # Panics
    ///
    /// If there is not an output for each: whoever takes a reply in sees to that.
    pub(super) fn take(&mut self, count: u32) -> Settled {
        let whole = &mut self.settled;
        let count = count.min(whole.count);
        let mut took = Time::ZERO;
        let result = match &mut whole.result {
            // All at once, or a single one.
            Ok(outputs) if count == whole.count && self.taken == 0 => Ok(std::mem::take(outputs)),
            Ok(outputs) => {
                let all = &outputs[self.taken..];
                let (mut rest, mut last) = (all, &[][..]);
                for _ in 0..count {
                    let (elapsed, output) =
                        codec::take_output(&mut rest).expect("there is an output for each");
                    (took, last) = (took.saturating_add(Time::from_nanos(elapsed)), output);
                }
                let bytes = all.len() - rest.len();
                self.taken += bytes;
                Ok(if count == 1 { last.to_vec() } else { all[..bytes].to_vec() })
            }
            Err(failure) => Err(failure.clone()),
        };
        whole.count -= count;
        let mut ran = whole.ran;
        if let (Some((_, ended)), Some((started, _)), 1..) = (&mut ran, &mut whole.ran, whole.count)
        {
            // The next one began when this one ended.
            *started = started.saturating_add(took);
            *ended = *started;
        }
        Settled { count, result, ran, ..*whole }
    }
}
