//! Plain calls that were submitted one after the other, each with a future of its own. They travel as a run, and
//! all their ends are put in one place: a job costs it nothing but its part of what came back. Only the
//! ends that somebody waits for get [cells](Cell) of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::error::{JobError, WorkerInfo};
use brigade_protocol::id::JobId;

use crate::blob::outside::Blobs;
use crate::buffers;
use crate::cell::{Arrivals, Cell, Settlement};
use crate::ends::Outputs;
use crate::sync::{Mutex, MutexGuard};

/// See the [module documentation](self).
#[derive(Debug)]
pub struct Pack {
    /// The id of its first job.
    first: JobId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ends that have come, by the place of the first job of each.
    pieces: BTreeMap<u32, Arc<Piece>>,
    /// The cells of jobs that have not ended, by their places.
    cells: BTreeMap<u32, Arc<Cell>>,
    /// Where else their ends are to be noted: the place, and there the number, for as long as anybody wants
    /// to know.
    watchers: Vec<(u32, Weak<Arrivals>, usize)>,
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
    /// A pack whose first job has this id.
    pub fn new(first: JobId) -> Self {
        Self { first, state: Mutex::default() }
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
        let mut state = self.lock();
        state.pieces.insert(first, Arc::clone(&piece));
        let ended = first..first + count;
        let awaited: Vec<_> = state.cells.extract_if(ended.clone(), |_, _| true).collect();
        let watchers: Vec<_> =
            state.watchers.extract_if(.., |(place, ..)| ended.contains(place)).collect();
        drop(state);
        for (_, arrivals, number) in watchers {
            if let Some(arrivals) = arrivals.upgrade() {
                arrivals.push(number);
            }
        }
        for (place, cell) in awaited {
            cell.fill(self.settlement(&piece, place));
        }
    }

    /// Whether the job in this place has ended.
    pub fn has(&self, place: u32) -> bool {
        self.find(place).is_some()
    }

    /// Calls `read` with the result of the job in this place, and with what its output left outside, if it
    /// has ended.
    pub(crate) fn peek<R>(
        &self,
        place: u32,
        read: impl FnOnce(Result<&[u8], &JobError>, &Blobs) -> R,
    ) -> Option<R> {
        // Not under the lock: what is read is decoded, by code of others.
        let piece = self.find(place)?;
        Some(read(piece.result(place), &piece.blobs))
    }

    /// Notes the end of the job in this place under this number: at once if it is there already.
    pub(crate) fn watch_by_arrivals(&self, place: u32, arrivals: &Arc<Arrivals>, number: usize) {
        let mut state = self.lock();
        if state.find(place).is_some() {
            drop(state);
            return arrivals.push(number);
        }
        let watchers = &mut state.watchers;
        if watchers.len() == watchers.capacity() {
            // Who asks again and again, and does not wait for the end, leaves nothing behind.
            watchers.retain(|(_, arrivals, _)| arrivals.strong_count() > 0);
        }
        watchers.push((place, Arc::downgrade(arrivals), number));
    }

    /// The cell of the job in this place.
    pub(crate) fn cell(&self, place: u32) -> Arc<Cell> {
        let mut state = self.lock();
        let Some(piece) = state.find(place) else {
            return Arc::clone(state.cells.entry(place).or_default());
        };
        drop(state);
        let cell = Cell::default();
        cell.fill(self.settlement(&piece, place));
        Arc::new(cell)
    }

    /// The settlement of the job in this place.
    fn settlement(&self, piece: &Piece, place: u32) -> Settlement {
        let Circumstances { attempts, worker, submitted, .. } = piece.circumstances;
        let job = JobId(self.first.0 + u64::from(place));
        let result = piece.result(place).map(<[u8]>::to_vec).map_err(JobError::clone);
        let (blobs, ran) = (piece.blobs.clone(), piece.ran(place));
        Settlement { tag: 0, job, result, blobs, attempts, worker, submitted, ran }
    }

    fn find(&self, place: u32) -> Option<Arc<Piece>> {
        self.lock().find(place)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, place: u32) -> Option<Arc<Piece>> {
        let (_, piece) = self.pieces.range(..=place).next_back()?;
        (place < piece.first + piece.count).then(|| Arc::clone(piece))
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

/// What was a large output serves again.
impl Drop for Piece {
    fn drop(&mut self) {
        if let Ok(Outputs::One(output)) = &mut self.outputs {
            buffers::give(std::mem::take(output));
        }
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
