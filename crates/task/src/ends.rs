//! Where the ends of a map's jobs are put that travel in runs, and its consumer, who waits for them in the
//! order of the jobs.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use brigade_protocol::codec;
use brigade_protocol::error::JobError;

use crate::blob::outside::Blobs;
use crate::buffers;
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard};

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub struct Ends(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By the number of the first job of each.
    pieces: BTreeMap<u64, Piece>,
    /// The consumer, parked or about to be, and the number that it waits for.
    listener: Option<(Thread, u64)>,
}

/// The outputs of consecutive jobs.
#[derive(Debug)]
pub enum Outputs {
    /// That of a single one.
    One(Vec<u8>),
    /// Those of all, as [`push_output`](codec::push_output) writes each.
    Run(Vec<u8>),
}

/// What was a large output serves again.
impl Drop for Outputs {
    fn drop(&mut self) {
        if let Self::One(output) = self {
            buffers::give(std::mem::take(output));
        }
    }
}

/// The ends of consecutive jobs.
#[derive(Debug)]
pub(crate) struct Piece {
    outputs: Result<Outputs, JobError>,
    /// What the output of a single one left outside.
    blobs: Blobs,
    /// How many bytes of the outputs of several have been taken; of a single one's end anything but 0 if that has.
    taken: usize,
}

impl Ends {
    /// Puts in the ends of so many jobs, from this number on: their outputs, or of a single one why it
    /// has none. Only a single one may have left blobs outside.
    pub fn fill(&self, number: u64, count: u32, outputs: Result<Outputs, JobError>, blobs: Blobs) {
        let mut state = self.lock();
        state.pieces.insert(number, Piece { outputs, blobs, taken: 0 });
        let awaited =
            |(_, wanted): &mut (Thread, u64)| (number..number + u64::from(count)).contains(wanted);
        let listener = state.listener.take_if(awaited);
        drop(state);
        if let Some((listener, _)) = listener {
            listener.unpark();
        }
    }

    /// The ends from this number on, if they are there.
    pub(crate) fn take(&self, number: u64) -> Option<Piece> {
        self.lock().pieces.remove(&number)
    }

    /// Whether the end of this job is there. If not, the calling thread, and no other, is unparked when it
    /// comes.
    pub(crate) fn watch(&self, number: u64) -> bool {
        let mut state = self.lock();
        let is_there = state.pieces.contains_key(&number);
        if !is_there {
            state.listener = Some((thread::current(), number));
        }
        is_there
    }

    /// Whether the end of this job is there.
    pub(crate) fn is_there(&self, number: u64) -> bool {
        self.lock().pieces.contains_key(&number)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    /// Whether not all has been taken.
    pub(crate) fn has_more(&self) -> bool {
        match &self.outputs {
            Ok(Outputs::Run(outputs)) => self.taken < outputs.len(),
            Ok(Outputs::One(_)) | Err(_) => self.taken == 0,
        }
    }

    /// Takes the next output of several. `None` if there are no more, or if it is the end of a single one.
    #[inline]
    pub(crate) fn next_of_several(&mut self) -> Option<&[u8]> {
        let Ok(Outputs::Run(outputs)) = &self.outputs else { return None };
        let mut rest = outputs.get(self.taken..).filter(|rest| !rest.is_empty())?;
        let (_, output) = codec::take_output(&mut rest).expect("there is an output for each");
        self.taken = outputs.len() - rest.len();
        Some(output)
    }

    /// Takes the end of a single one: its output, and what that left outside. `None` if it has been taken, or if there
    /// are several.
    pub(crate) fn single(&mut self) -> Option<Result<(&[u8], &mut Blobs), JobError>> {
        if self.taken > 0 {
            return None;
        }
        let single = match &self.outputs {
            Ok(Outputs::Run(_)) => return None,
            Ok(Outputs::One(output)) => Ok((&**output, &mut self.blobs)),
            Err(error) => Err(error.clone()),
        };
        self.taken = 1;
        Some(single)
    }
}
