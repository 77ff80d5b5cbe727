//! What both maps do: pull, submit, remember, and clear up.
//!
//! ```text
//!  input ──▶ read ahead ──▶ batch ──▶ host ──▶ undelivered ──▶ next()
//!              as long as there is room: so many jobs, so many bytes undelivered
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::JobId;

use crate::bulk::Bulk;
use crate::executor::{called, prepare, submit_call};
use crate::future::Future;
use crate::host::{Admission, Host, LONGEST, Submission};
use crate::job::{Arguments, Job};
use crate::pace::Pace;
use crate::ready::Ready;

/// The most bytes of arguments that are undelivered.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How many jobs are handed over at once.
const BATCH: usize = 256;

/// See the [module documentation](self).
pub(crate) struct Flow<T, I: Iterator> {
    pub(crate) host: Arc<dyn Host>,
    /// `None` once it is exhausted, or has panicked.
    input: Option<I>,
    /// Pulled, and there was no place for it in the queue of the pool.
    ahead: Option<I::Item>,
    /// The input is being asked for a job; if that is so when it is asked again, it panicked.
    pulling: bool,
    /// If it is slow, its jobs are handed over one by one, and a result that is there does not wait for it.
    pace: Pace,
    /// When jobs were last handed over, or the reading ahead began.
    handed_over: Instant,
    /// The host was told that there is an input.
    announced: bool,
    batch: Vec<Submission>,
    /// The jobs that travel in runs, if the results are taken in order: their numbers are those that are not
    /// among the undelivered ones.
    pub(crate) bulk: Option<Bulk<T>>,
    /// How many results were delivered: if they are taken in order, the number of the next one.
    pub(crate) cursor: usize,
    /// Submitted, or in the batch, in the order of the input.
    pub(crate) undelivered: BTreeMap<usize, Undelivered<T>>,
    bytes: usize,
    next: usize,
    pub(crate) buffer: Option<usize>,
    /// With so many undelivered ones it is worth while to read on.
    low: usize,
    pub(crate) patience: Option<Duration>,
    /// When it was begun.
    begun: Option<Instant>,
}

pub(crate) struct Undelivered<T> {
    pub(crate) future: Future<T>,
    bytes: usize,
}

impl<T, I: Iterator> Flow<T, I> {
    pub(crate) fn new(host: &Arc<dyn Host>, input: I) -> Self {
        Self {
            host: Arc::clone(host),
            input: Some(input),
            ahead: None,
            pulling: false,
            pace: Pace::new(),
            handed_over: Instant::now(),
            announced: false,
            batch: Vec::new(),
            bulk: None,
            cursor: 0,
            undelivered: BTreeMap::new(),
            bytes: 0,
            next: 0,
            buffer: None,
            low: 0,
            patience: None,
            begun: None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.begun?.checked_add(self.patience?)
    }

    pub(crate) fn is_late(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    fn most(&self) -> usize {
        self.buffer.unwrap_or_else(|| self.host.appetite()).max(1)
    }

    /// For how many more there is room, of `most` in all, if their arguments are such that they travel in runs; for
    /// one at the least if all have been delivered.
    fn room(&self, most: usize) -> usize {
        let undelivered = self.unfinished();
        if undelivered == 0 {
            return 1;
        }
        let bytes = self.bytes + self.bulk.as_ref().map_or(0, Bulk::bytes);
        let places = MOST_BYTES.saturating_sub(bytes).div_ceil(LONGEST);
        most.saturating_sub(undelivered).min(places)
    }

    /// Whether so much has been delivered that it is worth while to read on: a quarter at a time.
    pub(crate) fn is_low(&mut self) -> bool {
        let unfinished = self.unfinished();
        // How many there may be changes slowly: it is asked for once in a while.
        if unfinished > self.low && !unfinished.is_multiple_of(64) {
            return false;
        }
        let has_ended = self.input.is_none() && self.ahead.is_none();
        if has_ended {
            return false;
        }
        let most = self.most();
        self.low = most - most.div_ceil(4);
        unfinished <= self.low
    }

    /// How many jobs have been pulled and not delivered.
    pub(crate) fn unfinished(&self) -> usize {
        self.next - self.cursor
    }

    fn begin(&mut self) {
        if self.begun.is_none() {
            self.begun = Some(Instant::now());
            self.announced = true;
            self.host.input(true);
        }
    }

    /// The input, to be asked for its next job, unless it has ended or panicked.
    #[inline]
    fn ask(&mut self) -> Option<&mut I> {
        if std::mem::replace(&mut self.pulling, true) {
            self.input = None;
        }
        self.input.as_mut()
    }

    /// It has answered.
    #[inline]
    fn answered(&mut self, is_over: bool) {
        self.pulling = false;
        self.pace.step();
        if is_over {
            self.end_input();
        }
    }

    /// The next job.
    fn pull(&mut self) -> Option<I::Item> {
        if self.ahead.is_some() {
            return self.ahead.take();
        }
        let job = self.ask()?.next();
        self.answered(job.is_none());
        job
    }

    fn end_input(&mut self) {
        self.input = None;
        if std::mem::take(&mut self.announced) {
            self.host.input(false);
        }
    }

    /// Hands over what is held back: before it is waited for, too, for an input that panicked left it so.
    pub(crate) fn flush(&mut self) {
        if let Some(bulk) = &mut self.bulk {
            bulk.flush(&self.host);
        }
        self.flush_batch();
    }

    fn flush_batch(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.host.submit(batch);
        }
    }

    /// The next result in the order of the input, if it came in a run and is there.
    #[inline]
    pub(crate) fn deliver_from_run(&mut self) -> Option<Result<T, JobError>> {
        self.bulk.as_mut()?.deliver(&mut self.cursor)
    }

    /// The future of this job, if it did not travel in a run. Its result counts as delivered.
    pub(crate) fn deliver(&mut self, number: usize) -> Option<Future<T>> {
        let Undelivered { future, bytes } = self.undelivered.remove(&number)?;
        self.bytes -= bytes;
        self.cursor += 1;
        Some(future)
    }

    /// The end, before its time: cancels what has not been started.
    pub(crate) fn stop(&mut self) {
        self.ahead = None;
        // Nobody has heard of these.
        self.batch.clear();
        let undelivered = std::mem::take(&mut self.undelivered).into_values();
        let unsettled = undelivered.filter(|undelivered| !undelivered.future.origin().is_filled());
        let mut jobs: Vec<JobId> = unsettled.map(|undelivered| undelivered.future.job()).collect();
        jobs.extend(self.bulk.iter_mut().flat_map(|bulk| bulk.stop(self.cursor as u64)));
        (self.cursor, self.bytes) = (self.next, 0);
        if !jobs.is_empty() {
            self.host.cancel_later(jobs);
        }
        self.end_input();
    }

    pub(crate) fn size_hint(&self) -> (usize, Option<usize>) {
        let known = self.unfinished() + usize::from(self.ahead.is_some());
        let (least, most) =
            self.input.as_ref().filter(|_| !self.pulling).map_or((0, Some(0)), Iterator::size_hint);
        let least = if self.patience.is_some() { 0 } else { least.saturating_add(known) };
        (least, most.and_then(|most| most.checked_add(known)))
    }

    pub(crate) fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (undelivered, pulled) = (self.unfinished(), self.next);
        write!(f, "{name}({undelivered} of {pulled} undelivered)")
    }
}

impl<T, A: Arguments, I: Iterator<Item = Job<T, A>>> Flow<T, I> {
    /// Pulls and submits while there is room; stops if `is_ready` and the input or the pool would have to
    /// be waited for. Calls `note` for each new job.
    pub(crate) fn read_ahead(
        &mut self,
        is_ready: impl Fn(&Self) -> bool,
        mut note: impl FnMut(usize, &Future<T>),
    ) {
        self.begin();
        self.pace.resume();
        self.handed_over = self.pace.read();
        let most = self.most();
        if self.room(most) > 0
            && !self.is_late()
            && let Some(job) = self.ahead.take()
            && !self.submit(job, &mut note)
        {
            return;
        }
        'ahead: loop {
            let room = self.room(most);
            if room == 0 || self.is_late() || self.pace.is_slow() && is_ready(self) {
                break;
            }
            // Nothing of that changes while jobs are put in runs but the time, of which each reading of the clock
            // reminds.
            for _ in 0..room {
                // It stays where it is: what has just been written in bytes and words is not there yet when
                // it is copied in pairs of words, and that takes as long as all else.
                let Some(input) = self.ask() else { break 'ahead };
                let job = input.next();
                self.answered(job.is_none());
                if job.as_ref().is_none_or(|job| !self.push_to_run(job)) {
                    let Some(job) = job else { break 'ahead };
                    if !self.submit(job, &mut note) {
                        return;
                    }
                    break;
                }
                if self.pace.is_news() {
                    break;
                }
            }
        }
        self.flush();
    }

    /// Submits a job that does not travel in a run. False if there is no place for it: then it is kept.
    fn submit(&mut self, job: Job<T, A>, note: &mut impl FnMut(usize, &Future<T>)) -> bool {
        let mut admission = self.host.admit(false);
        if matches!(admission, Admission::Full) {
            // What is held back here may be what the queue is full of.
            self.flush();
            if self.unfinished() > 0 {
                self.ahead = Some(job);
                return false;
            }
            admission = self.host.admit(true);
            self.pace.resume();
        }
        let job = job.ready();
        let (number, bytes) = (self.next, job.bytes());
        let future = self.hand_over(job, admission);
        note(number, &future);
        self.next += 1;
        self.bytes += bytes;
        self.undelivered.insert(number, Undelivered { future, bytes });
        // No job waits here for long.
        if self.pace.is_due(self.handed_over) || self.batch.len() >= BATCH {
            self.flush();
            self.handed_over = self.pace.read();
        }
        true
    }

    /// Hands a job over, or puts it into the batch.
    fn hand_over(&mut self, job: Ready<T>, admission: Admission) -> Future<T> {
        let host = Arc::clone(&self.host);
        // What is in the batch must not be overtaken.
        if self.batch.is_empty()
            && let Some(claim) = submit_call(&host, &job)
        {
            return called(job, claim);
        }
        let (submission, future) = prepare(&host, job, host.new_id(), Arc::default(), admission);
        self.batch.push(submission);
        future
    }

    /// Takes a job into the run that is being filled, if it can be.
    #[inline]
    fn push_to_run(&mut self, job: &Job<T, A>) -> bool {
        if self.bulk.is_none() {
            return false;
        }
        let plain = job.plain();
        if plain.is_some() {
            // What came before must not be overtaken.
            self.flush_batch();
        }
        let Some(bulk) = &mut self.bulk else { return false };
        let (host, number) = (&self.host, self.next as u64);
        if !plain.is_some_and(|plain| bulk.push(host, number, &plain, job)) {
            // Nor must this be.
            bulk.flush(host);
            return false;
        }
        self.next += 1;
        // No job waits here for long.
        if self.pace.is_news() && self.pace.is_due(self.handed_over) {
            bulk.flush(&self.host);
            self.handed_over = self.pace.read();
        }
        true
    }

    /// The time is over: the error that says so, unless everything is done.
    pub(crate) fn time_out(&mut self) -> Option<(usize, JobError)> {
        let first = self.undelivered.iter().next();
        let first = first.map(|(number, Undelivered { future, .. })| {
            (*number, future.job(), future.task().to_owned())
        });
        let in_run = self.bulk.as_ref().and_then(|bulk| bulk.job(self.cursor as u64));
        let in_run = in_run.map(|(job, task)| (self.cursor, job, task.to_owned()));
        let first = first.into_iter().chain(in_run).min_by_key(|(number, ..)| *number);
        let (number, job, task) = if let Some(first) = first {
            first
        } else {
            let job = self.pull()?;
            (self.next, self.host.new_id(), job.task().to_owned())
        };
        let reason = format!(
            "the map's time was over after {:?}, before this job was",
            self.patience.unwrap_or_default()
        );
        self.stop();
        Some((number, JobError::unstarted(job, task, None, Failure::Refused(reason))))
    }
}

impl<T, I: Iterator> Drop for Flow<T, I> {
    fn drop(&mut self) {
        self.stop();
    }
}
