//! A host in memory.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use brigade_protocol::codec;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::{JobId, Run};
use brigade_protocol::message::{TaskError, TaskErrorKind};

use crate::blob::outside::Blobs;
use crate::bound::Bound;
use crate::cell::{Cell, Settlement, park_until};
use crate::ends::Outputs;
use crate::executor::Executor;
use crate::host::{Admission, Call, Host, RunHost, Submission, SubmittedRun};
use crate::job::Job;
use crate::pack::Claim;

/// A job that never ends.
pub(super) const STUCK: u64 = 1_000_000_000;

/// A job that fails.
pub(super) const BAD: u64 = 1_000_000_001;

/// Which job ends next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Order {
    #[default]
    First,
    Last,
    /// None: the test ends them.
    None,
}

/// What the host has been told.
#[derive(Default)]
pub(super) struct State {
    pub(super) queued: VecDeque<Submission>,
    pub(super) cancelled: Vec<JobId>,
    /// One for each batch.
    pub(super) batches: Vec<usize>,
    /// All jobs, in the order in which they were handed over.
    pub(super) heard: Vec<JobId>,
    pub(super) inputs: Vec<bool>,
    pub(super) order: Order,
    /// How often it was asked for its appetite.
    pub(super) asked: usize,
    /// The most that were queued at once.
    pub(super) most: usize,
    /// Waits are refused.
    pub(super) forbidden: bool,
    /// How many jobs each wait named.
    pub(super) named: Vec<usize>,
    /// Runs are kept, and the test ends them.
    pub(super) keeps: bool,
    pub(super) kept: Vec<SubmittedRun>,
}

pub(super) struct Fake {
    id: u64,
    next: AtomicU64,
    pub(super) appetite: usize,
    bound: Option<Arc<Bound>>,
    takes_runs: bool,
    state: Mutex<State>,
}

pub(crate) struct Pool {
    pub(super) fake: Arc<Fake>,
    host: Arc<dyn Host>,
}

impl Pool {
    pub(crate) fn new(order: Order) -> Self {
        Self::with(order, 4, None)
    }

    pub(super) fn with(order: Order, appetite: usize, bound: Option<usize>) -> Self {
        Self::of(order, appetite, bound, false)
    }

    /// One that takes runs, whose jobs end at once.
    pub(super) fn with_runs(appetite: usize) -> Self {
        Self::of(Order::First, appetite, None, true)
    }

    fn of(order: Order, appetite: usize, bound: Option<usize>, takes_runs: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let state = Mutex::new(State { order, ..State::default() });
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let bound = bound.map(Bound::new);
        let fake =
            Arc::new(Fake { id, next: AtomicU64::new(1), appetite, bound, takes_runs, state });
        Self { host: Arc::clone(&fake) as Arc<dyn Host>, fake }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.fake.state.lock().unwrap()
    }

    /// Ends the job that has this place among the queued ones.
    pub(super) fn end(&self, place: usize) {
        let submission = self.state().queued.remove(place).unwrap();
        settle(submission);
    }
}

impl Executor for Pool {
    fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }
}

/// Gives twice `x`.
pub(super) fn double(x: u64) -> Job<u64> {
    Job::call("double", (x,))
}

fn argument(submission: &Submission) -> u64 {
    let (x,) = codec::decode_value(submission.arguments.as_ref().unwrap()).unwrap();
    x
}

fn settle(submission: Submission) {
    let x = argument(&submission);
    let Submission { job, task, cell, permit, .. } = submission;
    drop(permit);
    let result = if x == BAD {
        let error = TaskError::new(TaskErrorKind::Failed, "it is bad");
        Err(JobError::unstarted(job, task.into_owned(), None, error.into()))
    } else {
        let mut output = Vec::new();
        codec::encode_value(&(2 * x), &mut output).unwrap();
        Ok(output)
    };
    cell.fill(Settlement::bare(job, result));
}

impl Host for Fake {
    fn pool(&self) -> u64 {
        self.id
    }

    fn new_id(&self) -> JobId {
        JobId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, may_wait: bool) -> Admission {
        let Some(bound) = &self.bound else { return Admission::Free };
        match bound.try_enter() {
            Some(permit) => Admission::Place(permit),
            None if may_wait => panic!("it would block"),
            None => Admission::Full,
        }
    }

    fn submit(&self, submissions: Vec<Submission>) {
        let mut state = self.state.lock().unwrap();
        state.batches.push(submissions.len());
        state.heard.extend(submissions.iter().map(|submission| submission.job));
        state.queued.extend(submissions);
        state.most = state.most.max(state.queued.len());
    }

    fn runs(&self) -> Option<&dyn RunHost> {
        self.takes_runs.then_some(self)
    }

    fn reserve(&self, _: JobId, _: &Arc<Cell>) {}

    fn abandon(&self, _: JobId) {}

    fn keep(&self, _: JobId, _: &Arc<Cell>) {}

    fn let_go(&self, _: JobId) {}

    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError> {
        Err(refused(job, "it keeps nothing"))
    }

    fn cancel(&self, job: JobId, _: bool) -> bool {
        let mut state = self.state.lock().unwrap();
        let place = state.queued.iter().position(|queued| queued.job == job);
        let cancelled = place.and_then(|place| state.queued.remove(place));
        drop(state);
        let Some(Submission { cell, .. }) = cancelled else { return false };
        let error = JobError::unstarted(job, String::new(), None, Failure::Cancelled);
        cell.fill(Settlement::bare(job, Err(error)));
        true
    }

    fn cancel_later(&self, jobs: Vec<JobId>) {
        for &job in &jobs {
            self.cancel(job, false);
        }
        self.state.lock().unwrap().cancelled.extend(jobs);
    }

    fn is_running(&self, _: JobId) -> bool {
        false
    }

    fn wait(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        let mut state = self.state.lock().unwrap();
        state.named.push(jobs.len());
        if state.forbidden && !ready() {
            return Err(refused(jobs[0], "not here"));
        }
        drop(state);
        while !ready() {
            let mut state = self.state.lock().unwrap();
            let is_able = |submission: &Submission| argument(submission) != STUCK;
            let place = match state.order {
                Order::First => state.queued.iter().position(is_able),
                Order::Last => state.queued.iter().rposition(is_able),
                Order::None => None,
            };
            let next = place.and_then(|place| state.queued.remove(place));
            let order = state.order;
            drop(state);
            match (next, deadline) {
                (Some(submission), _) => settle(submission),
                (None, Some(_)) => {
                    park_until(deadline, ready);
                    return Ok(());
                }
                (None, None) if order == Order::None => thread::park(),
                (None, None) => return Err(refused(jobs[0], "nothing is left to run")),
            }
        }
        Ok(())
    }

    fn appetite(&self) -> usize {
        self.state.lock().unwrap().asked += 1;
        self.appetite
    }

    fn input(&self, open: bool) {
        self.state.lock().unwrap().inputs.push(open);
    }
}

impl RunHost for Fake {
    fn new_ids(&self, count: u32) -> JobId {
        JobId(self.next.fetch_add(count.into(), Ordering::Relaxed))
    }

    fn submit_run(&self, run: SubmittedRun) {
        let mut state = self.state.lock().unwrap();
        state.heard.extend(Run { first: run.job.into(), count: run.count }.jobs());
        if state.keeps {
            state.kept.push(run);
        } else {
            let outputs = Ok(Outputs::Run(outputs(&run)));
            run.ends.fill(run.number, run.count, outputs, Blobs::default());
        }
    }

    fn submit_call(&self, _: Call<'_>, _: &Arc<dyn Host>) -> Claim {
        unreachable!("a map puts plain calls into runs")
    }
}

/// What the jobs of a run give, each its own.
pub(super) fn outputs(run: &SubmittedRun) -> Vec<u8> {
    let mut rest = run.arguments.as_slice();
    let mut outputs = Vec::new();
    for _ in 0..run.count {
        let (x,): (u64,) = codec::decode_value(codec::take_bytes(&mut rest).unwrap()).unwrap();
        let output = (2 * x).to_le_bytes();
        codec::push_output(1, if x == BAD { b"bad" } else { &output }, &mut outputs);
    }
    outputs
}

fn refused(job: JobId, reason: &str) -> JobError {
    JobError::unstarted(job, String::new(), None, Failure::Refused(reason.to_owned()))
}
