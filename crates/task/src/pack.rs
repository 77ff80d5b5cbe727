//! Plain calls that were submitted one after the other, each with a future of its own. They travel as a run, and
//! all their ends are put in one place: a job costs it nothing but its part of what came back. Only the
//! ends that somebody waits for get [cells](Cell) of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::error::{JobError, WorkerInfo};
use brigade_protocol::id::JobId;

use crate::blob::outside::Blobs;
use crate::cell::{Arrivals, Cell, Settlement};
use crate::ends::Outputs;
use crate::host::Host;
use crate::sync::{Mutex, MutexGuard};

/// See the [module documentation](self).
pub struct Pack {
    /// The id of its first job.
    first: JobId,
    /// The name of their task.
    task: Cow<'static, str>,
    /// Who runs them.
    host: Arc<dyn Host>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ends that have come, by the place of the first job of each, as long as there are claims to one
    /// of them.
    pieces: BTreeMap<u32, Kept>,
    /// By how many the claims to jobs that have not ended differ from one for each.
    claims: BTreeMap<u32, i64>,
    /// The cells of jobs that have not ended, by their places.
    cells: BTreeMap<u32, Arc<Cell>>,
    /// Where else their ends are to be noted: the place, and there the number, for as long as anybody wants
    /// to know.
    watchers: Vec<(u32, Weak<Arrivals>, usize)>,
}

/// Ends, and how many claims there are to them.
#[derive(Debug)]
struct Kept {
    piece: Arc<Piece>,
    claims: i64,
}

/// A claim to the end of one job of a pack. What nobody has a claim to is not kept, however long its
/// neighbours are.
pub struct Claim {
    pack: Arc<Pack>,
    place: u32,
}

/// What is true of all jobs that ended together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// How many attempts were begun.
    pub attempts: u32,
    /// The worker of the last attempt.
    pub worker: Option<WorkerInfo>,
    /// When they were submitted, since the pool began.
    pub submitted: Duration,
    /// When the first of them began, and the last ended, since the pool began.
    pub ran: Option<(Duration, Duration)>,
}

/// The ends of consecutive jobs.
#[derive(Debug)]
struct Piece {
    /// The place of the first.
    first: u32,
    count: u32,
    outputs: Result<Outputs, JobError>,
    blobs: Blobs,
    circumstances: Circumstances,
    /// Of each, once somebody wants one of them.
    marks: OnceLock<Vec<Mark>>,
}

/// Where an output is among several.
#[derive(Debug)]
struct Mark {
    offset: usize,
    /// How long the jobs before it took: each began when the one before it had ended.
    before: Duration,
}

impl Pack {
    /// A pack of calls of this task, which this host runs, and the first of which has this id.
    pub fn new(first: JobId, task: Cow<'static, str>, host: Arc<dyn Host>) -> Self {
        Self { first, task, host, state: Mutex::default() }
    }

    /// Puts in the ends of so many jobs, from this place on: their outputs, or of a single one why it
    /// has none. Only a single one may have left blobs outside.
    pub fn fill(
        &self,
        (first, count): (u32, u32),
        outputs: Result<Outputs, JobError>,
        blobs: Blobs,
        circumstances: Circumstances,
    ) {
        let marks = OnceLock::new();
        let piece = Arc::new(Piece { first, count, outputs, blobs, circumstances, marks });
        let ended = first..first + count;
        let mut state = self.lock();
        let changes: i64 =
            state.claims.extract_if(ended.clone(), |_, _| true).map(|(_, change)| change).sum();
        let claims = i64::from(count) + changes;
        if claims > 0 {
            state.pieces.insert(first, Kept { piece: Arc::clone(&piece), claims });
        }
        let cells: Vec<_> = state.cells.extract_if(ended.clone(), |_, _| true).collect();
        let watchers: Vec<_> =
            state.watchers.extract_if(.., |(place, ..)| ended.contains(place)).collect();
        drop(state);
        let cells: Vec<_> =
            cells.into_iter().map(|(place, cell)| (cell, self.settlement(&piece, place))).collect();
        // Before anybody is told: who reads a large blob then has it for himself.
        drop(piece);
        for (_, arrivals, number) in watchers {
            if let Some(arrivals) = arrivals.upgrade() {
                arrivals.push(number);
            }
        }
        for (cell, settlement) in cells {
            cell.fill_last(settlement);
        }
    }

    fn job(&self, place: u32) -> JobId {
        JobId(self.first.0 + u64::from(place))
    }

    /// The settlement of the job in this place.
    fn settlement(&self, piece: &Piece, place: u32) -> Settlement {
        let Circumstances { attempts, worker, submitted, .. } = piece.circumstances;
        let job = self.job(place);
        let result = piece.result(place).map(<[u8]>::to_vec).map_err(JobError::clone);
        let (blobs, ran) = (piece.blobs.clone(), piece.ran(place));
        Settlement { tag: 0, job, result, blobs, attempts, worker, submitted, ran }
    }

    /// How many pieces are kept.
    #[cfg(test)]
    pub(crate) fn pieces(&self) -> usize {
        self.lock().pieces.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The claim that there is to each job of a pack from its submission on. It is made once.
    pub fn first(pack: &Arc<Pack>, place: u32) -> Self {
        Self { pack: Arc::clone(pack), place }
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.pack.job(self.place)
    }

    /// Who runs it.
    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.pack.host
    }

    /// The name of the task.
    pub(crate) fn task(&self) -> &str {
        &self.pack.task
    }

    /// Whether the job has ended.
    pub fn has_ended(&self) -> bool {
        self.pack.lock().find(self.place).is_some()
    }

    /// Calls `read` with the result of the job, and with what its output left outside, if it has ended.
    pub(crate) fn peek<R>(
        &self,
        read: impl FnOnce(Result<&[u8], &JobError>, &Blobs) -> R,
    ) -> Option<R> {
        // Not under the lock: what is read is decoded, by code of others.
        let piece = self.pack.lock().find(self.place).map(|kept| Arc::clone(&kept.piece))?;
        Some(read(piece.result(self.place), &piece.blobs))
    }

    /// Notes the end of the job under this number: at once if it is there already.
    pub(crate) fn watch_by_arrivals(&self, arrivals: &Arc<Arrivals>, number: usize) {
        let mut state = self.pack.lock();
        if state.find(self.place).is_some() {
            drop(state);
            return arrivals.push(number);
        }
        let watchers = &mut state.watchers;
        if watchers.len() == watchers.capacity() {
            // Who asks again and again, and does not wait for the end, leaves nothing behind.
            watchers.retain(|(_, arrivals, _)| arrivals.strong_count() > 0);
        }
        watchers.push((self.place, Arc::downgrade(arrivals), number));
    }

    /// The cell of the job.
    pub(crate) fn cell(&self) -> Arc<Cell> {
        let mut state = self.pack.lock();
        let Some(piece) = state.find(self.place).map(|kept| Arc::clone(&kept.piece)) else {
            return Arc::clone(state.cells.entry(self.place).or_default());
        };
        drop(state);
        let cell = Cell::default();
        cell.fill(self.pack.settlement(&piece, self.place));
        Arc::new(cell)
    }
}

/// One claim more.
impl Clone for Claim {
    fn clone(&self) -> Self {
        let mut state = self.pack.lock();
        match state.find(self.place) {
            Some(kept) => kept.claims += 1,
            None => *state.claims.entry(self.place).or_default() += 1,
        }
        drop(state);
        Self::first(&self.pack, self.place)
    }
}

/// One claim less.
impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.pack.lock();
        let Some(kept) = state.find(self.place) else {
            *state.claims.entry(self.place).or_default() -= 1;
            return;
        };
        kept.claims -= 1;
        if kept.claims == 0 {
            let first = kept.piece.first;
            let unwanted = state.pieces.remove(&first);
            // Not under the lock: it may be large.
            drop(state);
            drop(unwanted);
        }
    }
}

impl State {
    /// The ends among which is that of the job in this place, if it has ended.
    fn find(&mut self, place: u32) -> Option<&mut Kept> {
        let (_, kept) = self.pieces.range_mut(..=place).next_back()?;
        (place < kept.piece.first + kept.piece.count).then_some(kept)
    }
}

impl Piece {
    fn result(&self, place: u32) -> Result<&[u8], &JobError> {
        match self.outputs.as_ref()? {
            Outputs::One(output) => Ok(output),
            Outputs::Run(outputs) => Ok(self.find(outputs, place).2),
        }
    }

    /// When the job in this place began and ended.
    fn ran(&self, place: u32) -> Option<(Duration, Duration)> {
        let (started, ended) = self.circumstances.ran?;
        let Ok(Outputs::Run(outputs)) = &self.outputs else { return Some((started, ended)) };
        let (before, elapsed, _) = self.find(outputs, place);
        Some((started + before, started + before + elapsed))
    }

    /// Of the job in this place of several: how long those before it took, how long it took, its output.
    fn find<'a>(&self, outputs: &'a [u8], place: u32) -> (Duration, Duration, &'a [u8]) {
        let marks = self.marks.get_or_init(|| marks(outputs, self.count));
        let mark = &marks[(place - self.first) as usize];
        let (elapsed, output) = take(&mut &outputs[mark.offset..]);
        (mark.before, elapsed, output)
    }
}

fn marks(outputs: &[u8], count: u32) -> Vec<Mark> {
    let (mut rest, mut before) = (outputs, Duration::ZERO);
    let mark = |_| {
        let mark = Mark { offset: outputs.len() - rest.len(), before };
        before += take(&mut rest).0;
        mark
    };
    (0..count).map(mark).collect()
}

fn take<'a>(outputs: &mut &'a [u8]) -> (Duration, &'a [u8]) {
    let (elapsed, output) = codec::take_output(outputs).expect("there is an output for each");
    (Duration::from_nanos(elapsed), output)
}
