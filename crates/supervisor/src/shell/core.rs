//! What the loop keeps whatever the jobs run on: the jobs that are not settled, who waits for what, the
//! scheduler and its clock.

use std::sync::Arc;

use brigade_protocol::codec::fits_inline;
use brigade_protocol::id::{JobId, SlotId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{Form, Hello, TaskError, Usage};
use brigade_task::bound::Permit;
use brigade_task::cell::Cell;
use brigade_task::outside::{Blobs, Encoding};
use brigade_task::{Context, Settlement, Shared, Task};
use rustc_hash::FxHashMap;

use super::Inbox;
use super::clock::Clock;
use super::kept::Kept;
use super::runs::{self, Runs};
use crate::error::{Failure, JobError, Member, Sentence, WorkerInfo};
use crate::pool::{self, Running, Snapshot};
use crate::scheduler::{Event, JobSpec, Lane, Limits, Scheduler, Time};
use crate::sink::Sink;
use crate::sync::channel::Sender;

/// What runs a job.
pub(crate) enum Work {
    /// A worker program, which knows the task by its id.
    Elsewhere,
    /// This task, in this process.
    Task(&'static Task),
    /// A piece of this program, of this name. It is taken out while a thread has it.
    Closure(Box<(&'static str, Option<Closure>)>),
}

/// A job that is no task but a piece of this program.
pub(crate) type Closure = Box<dyn FnOnce(&Context) -> Result<(), TaskError> + Send>;

/// A job on its way into the loop.
pub(crate) struct Submission {
    pub(crate) task: TaskId,
    pub(crate) form: Form,
    /// Empty if they are large.
    pub(crate) arguments: Vec<u8>,
    /// Arguments that do not fit a message, or have left blobs outside.
    pub(crate) large: Option<Arc<Encoding>>,
    pub(crate) work: Work,
    pub(crate) limits: Limits,
    /// `None` for most: hundreds of thousands may be waiting.
    pub(crate) beside: Option<Box<Beside>>,
    pub(crate) sink: Sink,
}

/// What few jobs have.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) label: Option<Box<str>>,
    /// What its arguments name, which is there until it has ended.
    #[expect(dead_code, reason = "they are kept for as long as the job is")]
    pub(crate) shares: Vec<Shared>,
    /// Jobs whose ends are kept until this one has ended.
    pub(crate) handles: Vec<JobId>,
    /// Its place in the queue, until it is given to a worker.
    pub(crate) permit: Option<Permit>,
    /// The attempt that submitted it.
    pub(crate) parent: Option<(WorkerId, Ticket)>,
}

impl Submission {
    pub(crate) fn new(
        task: TaskId,
        form: Form,
        arguments: impl Into<Encoding>,
        limits: Limits,
        label: Option<Box<str>>,
        sink: Sink,
    ) -> Self {
        let Encoding { bytes, mut blobs } = arguments.into();
        let shares = blobs.take_shares();
        let named = label.as_ref().map_or(0, |label| label.len());
        let (arguments, large) = if blobs.is_empty() && fits_inline(bytes.len() + named) {
            (bytes, None)
        } else {
            (Vec::new(), Some(Arc::new(Encoding { bytes, blobs })))
        };
        let (work, beside) = (Work::Elsewhere, None);
        let mut new = Self { task, form, arguments, large, work, limits, beside, sink };
        if label.is_some() || !shares.is_empty() {
            *new.beside_mut() = Beside { label, shares, ..Beside::default() };
        }
        new
    }

    /// With the jobs whose ends it needs, its place in the queue, and the attempt that submitted it.
    pub(crate) fn with(
        mut self,
        handles: Vec<JobId>,
        permit: Option<Permit>,
        parent: Option<(WorkerId, Ticket)>,
    ) -> Self {
        if !handles.is_empty() || permit.is_some() || parent.is_some() {
            let beside = self.beside_mut();
            (beside.handles, beside.permit, beside.parent) = (handles, permit, parent);
        }
        self
    }

    fn beside_mut(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.beside.as_ref()?.label.as_deref()
    }

    /// Jobs whose ends are kept until this one has ended.
    pub(crate) fn handles(&self) -> &[JobId] {
        self.beside.as_ref().map_or(&[], |beside| &beside.handles)
    }

    /// The attempt that submitted it.
    pub(crate) fn parent(&self) -> Option<(WorkerId, Ticket)> {
        self.beside.as_ref()?.parent
    }

    /// It gives up its place in the queue.
    pub(crate) fn take_permit(&mut self) -> Option<Permit> {
        self.beside.as_mut()?.permit.take()
    }

    /// The name of its task; empty if it is not known.
    pub(super) fn name<'a>(&self, hello: &'a Hello) -> &'a str {
        match &self.work {
            Work::Task(task) => task.name,
            Work::Closure(closure) => closure.0,
            Work::Elsewhere => hello.tasks.get(self.task.0 as usize).map_or("", |task| &*task.name),
        }
    }

    /// The bytes that travel with it: none to a thread.
    pub(super) fn size(&self) -> usize {
        if !matches!(self.work, Work::Elsewhere) {
            return 0;
        }
        let large = self.large.as_ref().map_or(0, |value| value.length().bytes);
        let large = usize::try_from(large).unwrap_or(usize::MAX);
        self.arguments.len().max(large) + self.label().map_or(0, str::len)
    }
}

/// A job that is not settled.
pub(super) struct Entry {
    pub(super) submission: Submission,
    pub(super) submitted: Time,
    /// It is not submitted yet.
    pub(super) reserved: bool,
}

/// Who wants to hear whether a job was cancelled.
pub(super) enum Asker {
    Client(Sender<bool>),
    Job(WorkerId, Ticket),
}

impl From<Sender<bool>> for Asker {
    fn from(client: Sender<bool>) -> Self {
        Self::Client(client)
    }
}

/// What is known of the worker that ran a job which ended.
#[derive(Default)]
pub(super) struct Obituary<'a> {
    pub(super) info: Option<WorkerInfo>,
    /// Why it was killed, if it was.
    pub(super) killed: Option<Sentence>,
    /// What it printed last, if it is dead.
    pub(super) last_words: Option<&'a [String]>,
    /// What it used from its start to its end, if it is dead.
    pub(super) usage: Option<Usage>,
}

/// See the [module documentation](self).
pub(super) struct Core {
    pub(super) scheduler: Scheduler,
    pub(super) clock: Clock,
    pub(super) inbox: Arc<Inbox>,
    pub(super) jobs: FxHashMap<JobId, Entry>,
    /// Those that were submitted in runs, which are not in that table.
    pub(super) runs: Runs,
    pub(super) kept: Kept,
    /// What the outputs of jobs left outside, until these are settled.
    blobs: FxHashMap<JobId, Blobs>,
    pub(super) cancels: FxHashMap<JobId, Vec<Asker>>,
    /// What jobs were told whose waits would have closed a cycle: at their end others of it may have left the
    /// table.
    pub(super) cycles: FxHashMap<JobId, Box<[Member]>>,
    /// Where jobs of this process that wait for others are told.
    waits: FxHashMap<Ticket, Sender<Result<(), Failure>>>,
    /// What has happened since the scheduler was last asked.
    pub(super) events: Vec<Event>,
}

impl Core {
    pub(super) fn new(scheduler: Scheduler, inbox: Arc<Inbox>) -> Self {
        Self {
            scheduler,
            clock: Clock::new(),
            inbox,
            jobs: FxHashMap::default(),
            runs: Runs::default(),
            kept: Kept::default(),
            blobs: FxHashMap::default(),
            cancels: FxHashMap::default(),
            cycles: FxHashMap::default(),
            waits: FxHashMap::default(),
            events: Vec::new(),
        }
    }

    /// Whether a worker may submit a job of this id for this attempt: the attempt is with it, and the job
    /// is new, or reserved.
    pub(super) fn may_submit(&self, worker: WorkerId, parent: Ticket, job: JobId) -> bool {
        self.scheduler.holds(worker, parent)
            && self.runs.find(job).is_none()
            && self.jobs.get(&job).is_none_or(|entry| entry.reserved)
    }

    /// Whether a worker may reserve a job of this id for this attempt: the attempt is with it, and nobody
    /// has heard of the job.
    pub(super) fn may_reserve(&self, worker: WorkerId, parent: Ticket, job: JobId) -> bool {
        self.scheduler.holds(worker, parent) && !self.contains(job) && self.kept.find(job).is_none()
    }

    /// Whether an attempt of this process has been judged already: then its thread was left to itself.
    pub(super) fn is_over(&self, (worker, attempt): (WorkerId, Ticket)) -> bool {
        !self.scheduler.holds(worker, attempt)
    }

    pub(super) fn submit(&mut self, mut submission: Submission, now: Time) {
        let job = submission.sink.job;
        if submission.sink.as_cell().is_some_and(|cell| cell.is_filled()) {
            // It was reserved, and has ended before it came: cancelled, say.
            return;
        }
        let Submission { task, limits, .. } = submission;
        let size = submission.size();
        // What is kept for its sake must be kept already.
        if let Some(beside) = &mut submission.beside {
            beside.handles.retain(|&handle| self.kept.keep_on(handle));
        }
        if let (Some((worker, parent)), Some(cell)) =
            (submission.parent(), submission.sink.as_cell())
        {
            self.kept.claim(worker, parent, job, cell);
        }
        let parent = submission.parent().map(|(_, parent)| parent);
        let entry = Entry { submission, submitted: now, reserved: false };
        if let Some(reserved) = self.jobs.insert(job, entry) {
            reserved.submission.sink.give_up();
        }
        let plain = None;
        let job = JobSpec { job, count: 1, task, size, plain, limits, parent };
        self.events.push(Event::Submitted(job));
    }

    /// Jobs that were submitted in a run.
    pub(super) fn submit_run(&mut self, mut entry: runs::Entry) {
        entry.submitted = self.clock.now();
        let (job, count) = (entry.first, entry.count);
        let (task, size, limits) = (entry.task, entry.longest, entry.limits);
        let (plain, parent) = (Some(entry.form), None);
        self.runs.insert(entry);
        let jobs = JobSpec { job, count, task, size, plain, limits, parent };
        self.events.push(Event::Submitted(jobs));
    }

    /// A job is announced, by a client or by an attempt that runs.
    pub(super) fn reserve(
        &mut self,
        job: JobId,
        cell: &Arc<Cell>,
        parent: Option<(WorkerId, Ticket)>,
    ) {
        if let Some((worker, attempt)) = parent {
            self.kept.claim(worker, attempt, job, cell);
        }
        let task = TaskId(u32::MAX);
        let limits = Limits::default();
        let sink = Sink::cell(job, Arc::clone(cell));
        let submission = Submission::new(task, Form::Bincode, Vec::new(), limits, None, sink);
        self.jobs.insert(job, Entry { submission, submitted: self.clock.now(), reserved: true });
        self.events.push(Event::Reserved { job, holder: parent.map(|(_, attempt)| attempt) });
    }

    pub(super) fn cancel(&mut self, job: JobId, kill: bool, asker: Asker) {
        // Settled already: the answer is dropped, and the future looks at its cell.
        if self.contains(job) {
            self.cancels.entry(job).or_default().push(asker);
            self.events.push(Event::CancelRequested { job, kill });
        }
    }

    /// Cancels jobs, and nobody waits to hear whether that was in time.
    pub(super) fn cancel_all(&mut self, mut jobs: Vec<JobId>) {
        // Settled already, some of them.
        jobs.retain(|job| self.contains(*job));
        let cancels = jobs.into_iter().map(|job| Event::CancelRequested { job, kill: false });
        self.events.extend(cancels);
    }

    /// Cancels a job for another, which is told later; or now, if it has ended already.
    pub(super) fn cancel_for(
        &mut self,
        job: JobId,
        kill: bool,
        worker: WorkerId,
        asker: Ticket,
    ) -> Option<bool> {
        if self.contains(job) {
            self.cancel(job, kill, Asker::Job(worker, asker));
            return None;
        }
        let is_cancelled =
            |end: &Settlement| end.result.as_ref().is_err_and(JobError::is_cancelled);
        Some(self.kept.find(job).and_then(|cell| cell.peek(is_cancelled)).unwrap_or(false))
    }

    /// The job that was to be cancelled has been started. Returns the jobs that are to be told.
    pub(super) fn refuse_cancel(&mut self, job: JobId) -> Vec<(WorkerId, Ticket)> {
        self.answer_cancels(job, false)
    }

    pub(super) fn answer_cancels(
        &mut self,
        job: JobId,
        cancelled: bool,
    ) -> Vec<(WorkerId, Ticket)> {
        let mut jobs = Vec::new();
        for asker in self.cancels.remove(&job).into_iter().flatten() {
            match asker {
                Asker::Client(answer) => drop(answer.send(cancelled)),
                Asker::Job(worker, asker) => jobs.push((worker, asker)),
            }
        }
        jobs
    }

    /// Where an attempt of this process that waits is told.
    pub(super) fn await_answer(&mut self, waiter: Ticket, answer: Sender<Result<(), Failure>>) {
        self.waits.insert(waiter, answer);
    }

    /// Tells an attempt of this process that its wait is over.
    pub(super) fn end_wait(&mut self, waiter: Ticket, result: Result<(), Failure>) {
        if let Some(answer) = self.waits.remove(&waiter) {
            let _ = answer.send(result);
        }
    }

    /// The output of this job left these outside. Of several attempts the last one that was heard counts.
    pub(super) fn keep_blobs(&mut self, job: JobId, blobs: Blobs) {
        if !blobs.is_empty() && self.contains(job) {
            self.blobs.insert(job, blobs);
        }
    }

    /// What the output of a job that ends left outside.
    pub(super) fn take_blobs(&mut self, job: JobId) -> Blobs {
        if self.blobs.is_empty() {
            return Blobs::default();
        }
        self.blobs.remove(&job).unwrap_or_default()
    }

    /// Whether the job is not settled, as far as the loop has got.
    pub(super) fn contains(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job) || self.runs.find(job).is_some()
    }

    /// The label of a job that is not settled, or else the name of its task.
    pub(super) fn name_of(&self, job: JobId) -> String {
        if let Some((entry, _)) = self.runs.find(job) {
            return entry.name.clone().into_owned();
        }
        let Some(Entry { submission, .. }) = self.jobs.get(&job) else { return String::new() };
        let label = submission.label().map(str::to_owned);
        label.unwrap_or_else(|| self.task_name(submission))
    }

    pub(super) fn task_name(&self, submission: &Submission) -> String {
        submission.name(&self.inbox.hello).to_owned()
    }

    pub(super) fn snapshot(
        &self,
        workers: Vec<(WorkerId, SlotId, Option<WorkerInfo>, Vec<Lane>)>,
    ) -> Snapshot {
        let now = self.clock.now();
        let lane = |(id, slot, worker, lanes): (_, _, _, Vec<Lane>)| {
            let running = lanes.iter().filter_map(|lane| {
                let job = self.scheduler.held(id, lane.running()?)?;
                let (task, tag, label) = match self.jobs.get(&job) {
                    Some(Entry { submission, .. }) => {
                        let (tag, label) =
                            (submission.sink.tag(), submission.label().map(Into::into));
                        (self.task_name(submission), tag, label)
                    }
                    None => (self.runs.find(job)?.0.name.clone().into_owned(), None, None),
                };
                let waiting = self.scheduler.is_waiting(job);
                let elapsed = now.saturating_sub(lane.since);
                let progress = lane.progress;
                Some(Running { job, task, tag, label, elapsed, waiting, progress })
            });
            pool::Lane { slot, worker, running: running.collect() }
        };
        let mut lanes: Vec<pool::Lane> = workers.into_iter().map(lane).collect();
        lanes.sort_by_key(|lane| lane.slot);
        let statistics = self.scheduler.statistics();
        Snapshot {
            queued: self.scheduler.queued(),
            settled: statistics.settled(),
            lanes,
            statistics,
        }
    }
}
