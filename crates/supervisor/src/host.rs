//! The pools as hosts of jobs: what futures, handles and executors ask of them becomes messages to the
//! loop.

use std::cell::Cell as LocalCell;
use std::convert::Infallible;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use brigade_protocol::codec::MAX_VALUE;
use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{BuildId, Form, Options, TaskError, TaskErrorKind};
use brigade_task::bound::Bound;
use brigade_task::cell::{Cell, park_until};
use brigade_task::handle::Handles;
use brigade_task::host::{self, Admission, Call, Host, RunHost, SubmittedRun};
use brigade_task::outside::Encoding;
use brigade_task::pack::Claim;
use brigade_task::registry::Registry;
use brigade_task::task::Task;
use rustc_hash::FxBuildHasher;

use crate::capacity::Capacity;
use crate::error::{Failure, JobError};
use crate::poll::Poll;
use crate::scheduler::Limits;
use crate::shell::{Inbox, Message, Submission, Work, runs};
use crate::sink::{self, Sink};
use crate::sync::atomic::Ordering;
use crate::sync::channel::{self, Receiver, Sender};

/// What every handle of a pool shares.
pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) capacity: Arc<Capacity>,
    /// Disconnected once the pool is over.
    pub(crate) over: Receiver<Infallible>,
    /// The caller's own build if bincode arguments can be trusted to mean the same to the worker.
    pub(crate) own_build: BuildId,
    pub(crate) limits: Limits,
    pub(crate) bound: Option<Arc<Bound>>,
    /// The tasks, if this process runs them itself.
    pub(crate) registry: Option<Registry>,
    pub(crate) next_job: AtomicU64,
}

/// What a thread of a pool is doing.
#[derive(Clone, Copy)]
pub(crate) enum Occupation {
    /// It settles jobs, and must not wait for one.
    Settling,
    /// It is a thread of the pool of this id, between two jobs.
    Idle(u64),
    /// It runs this attempt of the pool of this id.
    Running(u64, WorkerId, Ticket),
}

thread_local! {
    static OCCUPATION: LocalCell<Option<Occupation>> = const { LocalCell::new(None) };
    /// What a thread has learned of its waits for jobs.
    static POLL: LocalCell<Poll> = LocalCell::default();
}

/// Notes what the calling thread is doing from now on.
pub(crate) fn occupy(occupation: Option<Occupation>) {
    OCCUPATION.set(occupation);
}

/// Whether the calling thread settles jobs, of whatever pool: it must not wait for an answer of a loop.
pub(crate) fn is_settling() -> bool {
    matches!(OCCUPATION.get(), Some(Occupation::Settling))
}

/// Whether the calling thread is one that runs jobs of this pool.
pub(crate) fn is_inside(id: u64) -> bool {
    let occupation = OCCUPATION.get();
    matches!(occupation, Some(Occupation::Idle(pool) | Occupation::Running(pool, ..)) if pool == id)
}

/// An id that tells this pool from others, in this and in other processes.
pub(crate) fn new_pool_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Shared {
    /// Makes a job ready for the loop, or settles it at once if it cannot be.
    pub(crate) fn submission(
        &self,
        task: &str,
        known: Option<&'static Task>,
        form: Form,
        arguments: Result<Encoding, TaskError>,
        options: Options,
        sink: Sink,
    ) -> Option<Submission> {
        let limits = self.limits.overridden(&options);
        let checked = self.check(task, known, form);
        match checked.and_then(|found| Ok((found, bounded(arguments?)?))) {
            Ok(((task, known), arguments)) => {
                let label = options.label;
                let submission = Submission::new(task, form, arguments, limits, label, sink);
                let work = known.map_or(Work::Elsewhere, Work::Task);
                Some(Submission { work, ..submission })
            }
            Err(failure) => {
                let job = sink.job;
                sink.settle(sink::refused(job, task.to_owned(), options.label, failure));
                None
            }
        }
    }

    /// The attempt that the calling thread runs, if it is of this pool.
    pub(crate) fn parent(&self) -> Option<(WorkerId, Ticket)> {
        match OCCUPATION.get() {
            Some(Occupation::Running(pool, worker, ticket)) if pool == self.id => {
                Some((worker, ticket))
            }
            _ => None,
        }
    }

    /// The task of this name; and itself, if this process runs it.
    fn check(
        &self,
        task: &str,
        known: Option<&'static Task>,
        form: Form,
    ) -> Result<(TaskId, Option<&'static Task>), Failure> {
        if let Some(registry) = &self.registry {
            return check_here(registry, task, known);
        }
        let Some(id) = self.inbox.hello.find(task) else {
            let offered: Vec<&str> =
                self.inbox.hello.tasks.iter().map(|task| &*task.name).collect();
            let offered = offered.join(", ");
            let reason = format!(
                "no such task: {task}; the worker program offers {offered} (the tasks of a \
                 dependency are linked only if the program mentions it: extern crate name as _;)"
            );
            return Err(Failure::Refused(reason));
        };
        if form == Form::Bincode && self.inbox.hello.build != self.own_build {
            let reason = format!(
                "the worker program is of another build ({}) than this program ({}), so typed \
                 arguments would be misread; pass them as JSON",
                self.inbox.hello.build, self.own_build
            );
            return Err(Failure::Refused(reason));
        }
        Ok((id, None))
    }

    /// Asks the loop; `None` if it is gone, or if this is its own thread: then what was asked for is done,
    /// but the answer is not known.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Message) -> Option<T> {
        let (answer, answered) = channel::bounded(1);
        self.inbox.send(question(answer));
        if is_settling() {
            return None;
        }
        answered.recv().ok()
    }
}

impl Host for Shared {
    fn pool(&self) -> u64 {
        self.id
    }

    fn new_id(&self) -> JobId {
        JobId(self.next_job.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, may_wait: bool) -> Admission {
        // A job of the pool, or what a settlement calls back, would wait for itself.
        let is_inside = OCCUPATION.get().is_some();
        match &self.bound {
            None => Admission::Free,
            Some(bound) if may_wait && !is_inside => Admission::Place(bound.enter()),
            Some(bound) => match bound.try_enter() {
                Some(permit) => Admission::Place(permit),
                None if is_inside && may_wait => Admission::Free,
                None => Admission::Full,
            },
        }
    }

    fn submit(&self, submissions: Vec<host::Submission>) {
        let parent = self.parent();
        // Before they are dropped the loop must have heard of the jobs that are to keep them.
        let _kept: Vec<Handles> =
            submissions.iter().map(|submission| submission.handles.clone()).collect();
        let ready = submissions.into_iter().filter_map(|submission| {
            let host::Submission {
                job,
                task,
                known,
                form,
                arguments,
                blobs,
                options,
                handles,
                cell,
                permit,
            } = submission;
            let sink = Sink::cell(job, cell);
            let arguments = arguments.map(|bytes| Encoding { bytes, blobs });
            let submission = self.submission(&task, known, form, arguments, options, sink)?;
            let handles = handles.jobs();
            Some(submission.with(handles, permit, parent))
        });
        let ready: Vec<Submission> = ready.collect();
        if !ready.is_empty() {
            self.inbox.send(Message::Submit(ready));
        }
    }

    fn runs(&self) -> Option<&dyn RunHost> {
        // A thread takes its jobs one by one, and so do places in a bounded queue.
        let takes_runs = self.registry.is_none() && self.bound.is_none();
        takes_runs.then_some(self)
    }

    fn reserve(&self, job: JobId, cell: &Arc<Cell>) {
        let parent = self.parent();
        self.inbox.send(Message::Reserve { job, cell: Arc::clone(cell), parent });
    }

    fn abandon(&self, job: JobId) {
        self.inbox.send(Message::Abandon(job));
    }

    fn keep(&self, job: JobId, cell: &Arc<Cell>) {
        self.inbox.send(Message::Keep { job, cell: Arc::clone(cell) });
    }

    fn let_go(&self, job: JobId) {
        self.inbox.send(Message::LetGo(job));
    }

    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError> {
        self.ask(|answer| Message::Find { job, answer }).flatten().ok_or_else(|| unknown(job))
    }

    fn cancel(&self, job: JobId, kill: bool) -> bool {
        self.ask(|answer| Message::Cancel { job, kill, answer }).unwrap_or(false)
    }

    fn cancel_later(&self, jobs: Vec<JobId>) {
        self.inbox.send(Message::CancelAll(jobs));
    }

    fn is_running(&self, job: JobId) -> bool {
        self.ask(|answer| Message::IsRunning { job, answer }).unwrap_or(false)
    }

    fn wait(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        match OCCUPATION.get() {
            Some(Occupation::Settling) if !ready() => {
                let job = jobs.first().copied().unwrap_or_default();
                let reason = "a callback must not wait for a job: it runs in the thread that \
                              would have to settle it"
                    .to_owned();
                return Err(JobError::unstarted(
                    job,
                    String::new(),
                    None,
                    Failure::Refused(reason),
                ));
            }
            Some(Occupation::Running(pool, worker, waiter)) if pool == self.id => {
                return self.wait_in_job(worker, waiter, jobs, deadline, ready);
            }
            _ => {}
        }
        let mut poll = POLL.take();
        poll.wait(
            self.capacity.has_spare_processor(),
            deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
            || ready().then_some(true),
            |_| park_until(deadline, ready),
        );
        POLL.set(poll);
        Ok(())
    }

    fn appetite(&self) -> usize {
        self.capacity.appetite()
    }

    fn input(&self, open: bool) {
        self.inbox.send(if open { Message::InputOpened } else { Message::InputEnded });
    }
}

impl RunHost for Shared {
    fn new_ids(&self, count: u32) -> JobId {
        JobId(self.next_job.fetch_add(u64::from(count), Ordering::Relaxed))
    }

    fn submit_run(&self, run: SubmittedRun) {
        let SubmittedRun { job, count, task, known, form, arguments, longest, ends, number } = run;
        let checked = self.check(&task, known, form);
        let id = checked.as_ref().map_or(TaskId::default(), |(id, _)| *id);
        let mut entry = runs::Entry::of_map(
            (job, count),
            (id, task, form),
            self.limits,
            (arguments, longest),
            (ends, number),
        );
        match checked {
            Ok(_) => self.inbox.send(Message::SubmitRun(entry)),
            Err(failure) => entry.refuse(&failure),
        }
    }

    fn submit_call(&self, call: Call<'_>, own: &Arc<dyn Host>) -> Claim {
        let Call { task, known, form, arguments } = call;
        let begin = |first| {
            let checked = self.check(task, known, form);
            let id = checked.as_ref().map_or(TaskId::default(), |(id, _)| *id);
            let kind = (id, task.clone(), form);
            let run = runs::Entry::of_futures(first, kind, self.limits, Arc::clone(own));
            (run, checked.err())
        };
        self.inbox.gather(|| self.new_id(), (task, form), arguments, begin)
    }
}

impl Shared {
    /// A wait of a job that runs in this process: the scheduler is told, so that another thread takes its
    /// place, and no cycle of waits can close.
    fn wait_in_job(
        &self,
        worker: WorkerId,
        waiter: Ticket,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        if ready() {
            return Ok(());
        }
        let (answer, answered) = channel::bounded(1);
        self.inbox.send(Message::Wait { worker, waiter, jobs: jobs.to_vec(), answer });
        let in_time = match deadline {
            None => answered.recv().ok(),
            Some(deadline) => answered.recv_deadline(deadline).ok(),
        };
        let told = in_time.or_else(|| {
            // The answer is waited for even so: it must not be taken for that of the next wait.
            self.inbox.send(Message::WaitOver { worker, waiter });
            match answered.recv() {
                Ok(Err(Failure::Cancelled)) => Some(Ok(())),
                told => told.ok(),
            }
        });
        let told = told.unwrap_or_else(|| {
            let reason = || Failure::Refused("the pool is over".to_owned());
            if ready() { Ok(()) } else { Err(reason()) }
        });
        told.map_err(|failure| {
            let job = jobs.first().copied().unwrap_or_default();
            JobError::unstarted(job, String::new(), None, failure)
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).finish_non_exhaustive()
    }
}

/// As [`Shared::check`], of a pool that runs tasks in this process.
fn check_here(
    registry: &Registry,
    task: &str,
    known: Option<&'static Task>,
) -> Result<(TaskId, Option<&'static Task>), Failure> {
    let known = known.or_else(|| registry.find(task));
    if known.is_some() {
        return Ok((name_id(task), known));
    }
    let offered = registry.names().collect::<Vec<_>>().join(", ");
    let reason = format!(
        "no such task: {task}; the registry of the pool offers {}",
        if offered.is_empty() { "none" } else { &offered }
    );
    Err(Failure::Refused(reason))
}

/// Tells jobs of one name from others, for the estimates of how long they take. Names that happen to share
/// one share the estimate.
pub(crate) fn name_id(name: &str) -> TaskId {
    let hash = FxBuildHasher.hash_one(name);
    TaskId((hash >> 32) as u32)
}

/// Nothing is kept of this job.
pub(crate) fn unknown(job: JobId) -> JobError {
    let reason = "there is no such job, or it has ended and nobody kept its handle".to_owned();
    JobError::unstarted(job, String::new(), None, Failure::Refused(reason))
}

/// Arguments that no worker takes must not be sent to one.
fn bounded(arguments: Encoding) -> Result<Encoding, TaskError> {
    let length = arguments.length().bytes;
    if length <= MAX_VALUE as u64 {
        return Ok(arguments);
    }
    let message = format!("arguments of {length} bytes are longer than the limit of {MAX_VALUE}");
    Err(TaskError::new(TaskErrorKind::BadArguments, message))
}
