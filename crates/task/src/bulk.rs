//! The part of a map whose jobs travel in runs: plain calls of one task, one after the other, with small
//! arguments. Neither their submission nor their end costs anything for each but a few bytes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use brigade_protocol::codec::push_written;
use brigade_protocol::error::{Certificate, JobError};
use brigade_protocol::id::JobId;
use brigade_protocol::message::Form;

use crate::blob::outside;
use crate::ends::{Ends, Piece};
use crate::host::{Host, LONGEST, MOST_BYTES, MOST_JOBS, SubmittedRun};
use crate::job::{self, Arguments, Decode, Job, Plain};
use crate::task::Task;

/// See the [module documentation](self).
pub(crate) struct Bulk<T> {
    pub(crate) ends: Arc<Ends>,
    open: Option<Open<T>>,
    sent: VecDeque<Sent<T>>,
    /// What has come for the job that is next, and what reads it.
    piece: Option<(Piece, Decode<T>)>,
    /// The arguments of those that were sent.
    bytes: usize,
}

/// A run that is being filled.
struct Open<T> {
    kind: Kind<T>,
    /// The number of its first job in the map.
    number: u64,
    count: u32,
    longest: usize,
    arguments: Vec<u8>,
}

/// What the jobs of a run have in common.
struct Kind<T> {
    task: Cow<'static, str>,
    known: Option<&'static Task>,
    form: Form,
    decode: Decode<T>,
}

/// A run that was handed over; it stays until what follows all of it is asked for.
struct Sent<T> {
    kind: Kind<T>,
    number: u64,
    count: u32,
    job: JobId,
    bytes: usize,
}

impl<T> Clone for Kind<T> {
    fn clone(&self) -> Self {
        Self { task: self.task.clone(), ..*self }
    }
}

impl<T> Open<T> {
    fn new(number: u64, &(task, known, form, decode): &Plain<'_, T>) -> Self {
        let kind = Kind { task: task.clone(), known, form, decode };
        let arguments = Vec::with_capacity(1024);
        Self { kind, number, count: 0, longest: 0, arguments }
    }

    /// Whether a call of this kind can be the next of this run.
    #[inline]
    fn goes_on(&self, &(task, known, form, decode): &Plain<'_, T>) -> bool {
        self.count < MOST_JOBS
            && self.arguments.len() < MOST_BYTES
            && self.kind.form == form
            && std::ptr::fn_addr_eq(self.kind.decode, decode)
            && match (self.kind.known, known) {
                (Some(one), Some(other)) => std::ptr::eq(one, other),
                (None, None) => self.kind.task == *task,
                _ => false,
            }
    }
}

impl<T> Bulk<T> {
    pub(crate) fn new() -> Self {
        Self { ends: Arc::default(), open: None, sent: VecDeque::new(), piece: None, bytes: 0 }
    }

    /// The arguments of the runs that are here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.open.as_ref().map_or(0, |open| open.arguments.len())
    }

    /// Takes a plain job with its number in the map, which is that behind the last one if the run has not been [handed
    /// over](Self::flush). False if its arguments cannot travel in a run.
    #[inline]
    pub(crate) fn push<A: Arguments>(
        &mut self,
        host: &Arc<dyn Host>,
        number: u64,
        plain: &Plain<'_, T>,
        job: &Job<T, A>,
    ) -> bool {
        if !self.open.as_ref().is_some_and(|open| open.goes_on(plain)) {
            self.begin(host, number, plain);
        }
        let open = self.open.as_mut().expect("if there was none, there is now");
        debug_assert_eq!(open.number + u64::from(open.count), number);
        let before = open.arguments.len();
        // What cannot be encoded is told in the usual way.
        let pushed = push_written(&mut open.arguments, |bytes| {
            if job.encode_plain(bytes) { Ok(()) } else { Err(()) }
        });
        let Some(length) = pushed.ok().filter(|length| *length <= LONGEST) else {
            open.arguments.truncate(before);
            return false;
        };
        open.count += 1;
        open.longest = open.longest.max(length);
        true
    }

    /// Begins a run with the job of this number.
    #[inline(never)]
    fn begin(&mut self, host: &Arc<dyn Host>, number: u64, plain: &Plain<'_, T>) {
        self.flush(host);
        self.open = Some(Open::new(number, plain));
    }

    /// Hands over the run that is being filled.
    pub(crate) fn flush(&mut self, host: &Arc<dyn Host>) {
        // It is empty if the first job could not travel in it.
        let Some(open) = self.open.take().filter(|open| open.count > 0) else { return };
        let host = host.runs().expect("jobs are put in runs for a host that takes them");
        let Open { kind, number, count, longest, arguments } = open;
        let bytes = arguments.len();
        self.bytes += bytes;
        let job = host.new_ids(count);
        self.sent.push_back(Sent { kind: kind.clone(), number, count, job, bytes });
        let Kind { task, known, form, .. } = kind;
        let ends = Arc::clone(&self.ends);
        host.submit_run(SubmittedRun {
            job,
            count,
            task,
            known,
            form,
            arguments,
            longest,
            ends,
            number,
        });
    }

    /// The id of a job that was handed over, and its task.
    pub(crate) fn job(&self, number: u64) -> Option<(JobId, &str)> {
        let sent = self.sent.iter().find(|sent| sent.place(number).is_some())?;
        Some((JobId(sent.job.0 + u64::from(sent.place(number)?)), &sent.kind.task))
    }

    /// The result of the job of this number, which is the next, if it has ended. It counts as delivered before it
    /// is decoded, which may panic.
    #[inline]
    pub(crate) fn deliver(&mut self, cursor: &mut usize) -> Option<Result<T, JobError>> {
        self.deliver_of_several(cursor).or_else(|| self.deliver_from_next(cursor))
    }

    /// The same, if the piece that there is is of several jobs.
    #[inline]
    fn deliver_of_several(&mut self, cursor: &mut usize) -> Option<Result<T, JobError>> {
        let (piece, decode) = self.piece.as_mut()?;
        let output = piece.next_of_several()?;
        *cursor += 1;
        // What was decoded is taken apart at once: to pass it on whole takes longer than to read it.
        Some(match decode(output) {
            Ok(value) => Ok(value),
            Err(reason) => Err(self.unread(*cursor as u64 - 1, &reason)),
        })
    }

    /// The same, if another piece must be taken first, or it is of a single job.
    #[inline(never)]
    fn deliver_from_next(&mut self, cursor: &mut usize) -> Option<Result<T, JobError>> {
        let number = *cursor as u64;
        if !self.has_piece() {
            self.take_piece(number)?;
        }
        let delivered = self.deliver_of_several(cursor);
        if delivered.is_some() {
            return delivered;
        }
        let (piece, decode) = self.piece.as_mut()?;
        let end = piece.single()?;
        *cursor += 1;
        let (output, blobs) = match end {
            Ok(end) => end,
            Err(error) => return Some(Err(error)),
        };
        Some(match outside::with_taken(blobs, || decode(output)) {
            Ok(value) => Ok(value),
            Err(reason) => Err(self.unread(number, &reason)),
        })
    }

    /// The output of the job of this number, which is the next, is not what it should be.
    #[cold]
    fn unread(&self, number: u64, reason: &str) -> JobError {
        let sent = self.sent.front().expect("a piece is of runs that were sent");
        sent.unread(number, reason)
    }

    /// Takes what has come for the job of this number. All before it has been delivered.
    fn take_piece(&mut self, number: u64) -> Option<()> {
        self.piece = None;
        let is_over = |sent: &mut Sent<T>| sent.number + u64::from(sent.count) <= number;
        // What came before may have been of several: of consecutive jobs, and of one kind.
        while let Some(sent) = self.sent.pop_front_if(is_over) {
            self.bytes -= sent.bytes;
        }
        let decode = self.sent.front()?.kind.decode;
        self.piece = Some((self.ends.take(number)?, decode));
        Some(())
    }

    fn has_piece(&self) -> bool {
        self.piece.as_ref().is_some_and(|(piece, _)| piece.has_more())
    }

    /// Whether the result of this job, which is the next, is there.
    pub(crate) fn is_ready(&self, number: u64) -> bool {
        self.has_piece() || self.ends.is_there(number)
    }

    /// Forgets all, and gives the ids of the jobs from this number on that were handed over.
    pub(crate) fn stop(&mut self, number: u64) -> Vec<JobId> {
        (self.open, self.piece, self.bytes) = (None, None, 0);
        let jobs = self.sent.drain(..).flat_map(|sent| {
            let delivered = u32::try_from(number.saturating_sub(sent.number)).unwrap_or(u32::MAX);
            (delivered..sent.count).map(move |place| JobId(sent.job.0 + u64::from(place)))
        });
        jobs.collect()
    }
}

impl<T> Sent<T> {
    fn place(&self, number: u64) -> Option<u32> {
        let place = u32::try_from(number.checked_sub(self.number)?).ok()?;
        (place < self.count).then_some(place)
    }

    /// The output of this job is not what it should be.
    fn unread(&self, number: u64, reason: &str) -> JobError {
        let job = JobId(self.job.0 + (number - self.number));
        let task = self.kind.task.clone().into_owned();
        let unread = job::unread(job, task, job::not_a::<T>(reason));
        // There was one at least; how many is not told of a run.
        JobError::new(Certificate { attempts: 1, allowed: 1, ..unread })
    }
}
