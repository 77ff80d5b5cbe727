//! The pool on the other side of the channel, as the host of jobs that a running job submits.
//!
//! Everything is said in the name of one attempt. It waits for one answer at a time: threads that a job
//! starts wait and ask in turn, but may submit meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Instant;

use brigade_protocol::codec::fits_inline;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    FromWorker, MOST_AWAITED, MOST_HANDLES, Question, Submit, TaskError, TaskErrorKind, Value,
};
use brigade_task::Registry;
use brigade_task::Settlement;
use brigade_task::cell::Cell;
use brigade_task::host::{Admission, Host, Place, Submission};
use brigade_task::outside::Encoding;

use super::converse::Answer;
use super::desk::Desk;
use super::large;
use crate::board::Lane;

/// What all attempts of a worker share.
pub(super) struct Pool {
    desk: &'static Desk,
    worker: WorkerId,
    /// Tells handles of this pool's jobs from those of others.
    id: u64,
    tasks: HashMap<&'static str, TaskId>,
    max_arguments: u64,
    next: AtomicU32,
    /// Where the ends of jobs go that somebody here may wait for.
    cells: Mutex<HashMap<JobId, Weak<Cell>>>,
}

/// One run thread, as the place where its jobs run.
pub(super) struct RunThread {
    pub(super) pool: Arc<Pool>,
    pub(super) lane: &'static Lane,
}

/// One attempt, as the host of the jobs that it submits.
struct Attempt {
    pool: Arc<Pool>,
    ticket: Ticket,
    /// Whether it has ended. Held, shared, while something is said in its name.
    over: RwLock<bool>,
    /// Held while arguments travel in parts: those of one job at a time.
    parts: Mutex<()>,
    /// Held from a question to its answer.
    question: Mutex<()>,
}

/// What a handle, or the number of a share, takes beside a job's arguments, in bytes.
const HANDLE: usize = 9;

impl Pool {
    pub(super) fn new(
        desk: &'static Desk,
        worker: WorkerId,
        id: u64,
        registry: &Registry,
        max_arguments: u64,
    ) -> Self {
        let tasks = registry.names().zip(0..).map(|(name, id)| (name, TaskId(id))).collect();
        let (next, cells) = (AtomicU32::new(1), Mutex::default());
        Self { desk, worker, id, tasks, max_arguments, next, cells }
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<JobId, Weak<Cell>>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, job: JobId, cell: &Arc<Cell>) {
        let mut cells = self.cells();
        if cells.len() == cells.capacity() {
            cells.retain(|_, cell| cell.strong_count() > 0);
        }
        cells.insert(job, Arc::downgrade(cell));
    }

    fn fill(&self, job: JobId, result: Result<Encoding, JobError>) {
        let cell = self.cells().remove(&job).and_then(|cell| cell.upgrade());
        if let Some(cell) = cell {
            cell.fill(Settlement::of(job, result));
        }
    }
}

impl Place for RunThread {
    fn host(&self, ticket: Ticket) -> Arc<dyn Host> {
        let (pool, over) = (Arc::clone(&self.pool), RwLock::new(false));
        Arc::new(Attempt {
            pool,
            ticket,
            over,
            parts: Mutex::default(),
            question: Mutex::default(),
        })
    }

    fn is_cancelled(&self, ticket: Ticket) -> bool {
        self.pool.desk.is_to_stop(ticket)
    }

    fn progress(&self, done: u64, total: u64) {
        self.lane.progress(done, total);
    }

    fn max_output(&self) -> u64 {
        // One limit for what goes either way.
        self.pool.max_arguments
    }
}

impl Attempt {
    /// The right to say something in the attempt's name, while it runs.
    fn speak(&self) -> Option<RwLockReadGuard<'_, bool>> {
        let over = self.over.read().unwrap_or_else(PoisonError::into_inner);
        (!*over).then_some(over)
    }

    fn send(&self, submission: &Submission) -> Result<(), Failure> {
        let Submission { job, task, form, arguments, blobs, options, handles, .. } = submission;
        let arguments = arguments.as_ref().map_err(TaskError::clone)?;
        let handles = handles.jobs();
        let Some(&task) = self.pool.tasks.get(&**task) else {
            return Err(Failure::Refused(format!("no such task: {task}")));
        };
        let length = arguments.len() as u64 + blobs.bytes();
        let most = self.pool.max_arguments;
        if length > most {
            let message =
                format!("arguments of {length} bytes are longer than the limit of {most}");
            return Err(TaskError::new(TaskErrorKind::BadArguments, message).into());
        }
        if handles.len() > MOST_HANDLES {
            let message = format!("more than {MOST_HANDLES} handles are among the arguments");
            return Err(TaskError::new(TaskErrorKind::BadArguments, message).into());
        }
        let Some(_speaking) = self.speak() else { return Err(ended()) };
        let shares = blobs.share_numbers();
        let label = options.label.as_ref().map_or(0, |label| label.len());
        let extra = label + HANDLE * (handles.len() + shares.len());
        let mut one_at_a_time = None;
        let arguments = if blobs.bytes() == 0 && fits_inline(arguments.len() + extra) {
            Value::Inline(arguments)
        } else {
            one_at_a_time = Some(lock(&self.parts));
            let ticket = Ticket::from(*job);
            Value::Parts(large::send(self.pool.desk, ticket, arguments, blobs))
        };
        self.pool.desk.wish(&FromWorker::Submit(Submit {
            parent: self.ticket,
            job: *job,
            task,
            form: *form,
            arguments,
            options: options.clone(),
            handles,
            shares,
        }));
        drop(one_at_a_time);
        Ok(())
    }

    /// Waits until one of these has ended, or the time is over, which is told, too. `None` if the attempt
    /// has ended.
    fn await_end(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Option<(Option<Answer>, bool)> {
        let _question = lock(&self.question);
        let _speaking = self.speak()?;
        // Another thread of this job may have waited for the same.
        if ready() {
            return Some((None, false));
        }
        let (desk, waiter) = (self.pool.desk, self.ticket);
        let jobs = jobs[..jobs.len().min(MOST_AWAITED)].to_vec();
        let answer = desk.ask(waiter, &FromWorker::Wait { waiter, jobs }, deadline);
        if answer.is_some() {
            return Some((answer, false));
        }
        desk.wire().lock().send(&FromWorker::WaitOver(waiter));
        Some((desk.await_answer(waiter, None), true))
    }

    fn ask(&self, job: JobId, question: Question) -> bool {
        let _question = lock(&self.question);
        let Some(_speaking) = self.speak() else { return false };
        let message = FromWorker::Ask { asker: self.ticket, job, question };
        matches!(self.pool.desk.ask(self.ticket, &message, None), Some(Answer::Told(true)))
    }
}

impl Host for Attempt {
    fn pool(&self) -> u64 {
        self.pool.id
    }

    fn new_id(&self) -> JobId {
        JobId::nested(self.pool.worker, self.pool.next.fetch_add(1, Ordering::Relaxed))
    }

    fn admit(&self, _: bool) -> Admission {
        // A bound would hold up the jobs that are to make room.
        Admission::Free
    }

    fn submit(&self, submissions: Vec<Submission>) {
        for submission in submissions {
            self.pool.expect(submission.job, &submission.cell);
            if let Err(failure) = self.send(&submission) {
                let Submission { job, task, options, .. } = submission;
                let error = JobError::unstarted(job, task.into_owned(), options.label, failure);
                self.pool.fill(job, Err(error));
            }
        }
    }

    fn reserve(&self, job: JobId, cell: &Arc<Cell>) {
        self.pool.expect(job, cell);
        if let Some(_speaking) = self.speak() {
            self.pool.desk.wish(&FromWorker::Reserve { parent: self.ticket, job });
        }
    }

    fn abandon(&self, job: JobId) {
        // If the attempt has ended, the supervisor has given it up already.
        if let Some(_speaking) = self.speak() {
            self.pool.desk.wish(&FromWorker::Abandon(job));
        }
    }

    fn keep(&self, _: JobId, _: &Arc<Cell>) {
        // The supervisor keeps the ends of all that an attempt has submitted, as long as it runs.
    }

    fn let_go(&self, _: JobId) {}

    fn find(&self, job: JobId) -> Result<Arc<Cell>, JobError> {
        let known = self.pool.cells().get(&job).and_then(Weak::upgrade);
        Ok(known.unwrap_or_else(|| {
            let cell = Arc::default();
            self.pool.expect(job, &cell);
            cell
        }))
    }

    fn cancel(&self, job: JobId, kill: bool) -> bool {
        self.ask(job, if kill { Question::Kill } else { Question::Cancel })
    }

    fn cancel_later(&self, jobs: Vec<JobId>) {
        if let Some(_speaking) = self.speak() {
            for jobs in jobs.chunks(MOST_AWAITED) {
                self.pool.desk.wish(&FromWorker::Cancel(jobs.to_vec()));
            }
        }
    }

    fn is_running(&self, job: JobId) -> bool {
        self.ask(job, Question::IsRunning)
    }

    fn wait(
        &self,
        jobs: &[JobId],
        deadline: Option<Instant>,
        ready: &dyn Fn() -> bool,
    ) -> Result<(), JobError> {
        let job = jobs.first().copied().unwrap_or_default();
        while !ready() {
            let Some((answer, is_late)) = self.await_end(jobs, deadline, ready) else {
                return Err(JobError::unstarted(job, String::new(), None, ended()));
            };
            // Nothing is held here: a callback may want something of this host.
            match answer {
                Some(Answer::Settled(job, result)) => self.pool.fill(job, result),
                Some(Answer::Failed(error)) if !(is_late && error.is_cancelled()) => {
                    return Err(error);
                }
                _ => {}
            }
            if is_late {
                break;
            }
        }
        Ok(())
    }

    fn poll(&self, job: JobId) {
        if self.ask(job, Question::HasEnded) {
            let _ = self.wait(&[job], None, &|| !self.pool.cells().contains_key(&job));
        }
    }

    fn appetite(&self) -> usize {
        64
    }

    fn input(&self, _: bool) {}

    fn close(&self) {
        *self.over.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended() -> Failure {
    Failure::Refused("the job in whose name this was asked has ended".to_owned())
}
