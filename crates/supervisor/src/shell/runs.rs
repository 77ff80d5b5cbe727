//! The jobs of maps that are not settled, in the runs in which they were submitted. However the scheduler
//! cuts a run, here it stays whole until the last of its jobs has ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use brigade_protocol::codec;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::{JobId, Run, TaskId};
use brigade_protocol::message::Form;
use brigade_task::ends::Ends;
use brigade_task::outside::Blobs;

use crate::scheduler::Limits;

/// A run on its way into the loop, and in it.
pub(crate) struct Entry {
    pub(crate) first: JobId,
    pub(crate) count: u32,
    pub(crate) task: TaskId,
    pub(crate) name: Cow<'static, str>,
    pub(crate) form: Form,
    pub(crate) limits: Limits,
    /// The bytes of the longest arguments.
    pub(crate) longest: usize,
    /// The arguments, each with its length before it.
    arguments: Vec<u8>,
    /// Where the arguments of each job begin; the last one is where all end.
    offsets: Vec<u32>,
    ends: Arc<Ends>,
    /// The number of the first job there.
    number: u64,
    /// Which jobs have not ended.
    open: Vec<bool>,
    left: u32,
}

impl Entry {
    /// A run of jobs.
    pub(crate) fn new(
        (first, count): (JobId, u32),
        (task, name, form): (TaskId, Cow<'static, str>, Form),
        limits: Limits,
        (arguments, longest): (Vec<u8>, usize),
        (ends, number): (Arc<Ends>, u64),
    ) -> Self {
        let offsets = offsets(&arguments, count);
        let open = vec![true; count as usize];
        Self {
            first,
            count,
            task,
            name,
            form,
            limits,
            longest,
            arguments,
            offsets,
            ends,
            number,
            open,
            left: count,
        }
    }

    /// The arguments of so many jobs from this place on, each with its length before it.
    pub(super) fn arguments(&self, place: u32, count: u32) -> &[u8] {
        let (from, to) = (place as usize, (place + count) as usize);
        &self.arguments[self.offsets[from] as usize..self.offsets[to] as usize]
    }

    /// Delivers the outputs of so many jobs from this place on, each with its length before it. A single
    /// one may have left blobs outside.
    pub(super) fn succeed(&mut self, place: u32, count: u32, outputs: Vec<u8>, blobs: Blobs) {
        self.close(place, count);
        self.ends.fill(self.number + u64::from(place), count, Ok(outputs), blobs);
    }

    /// Delivers why a job has no output.
    pub(super) fn fail(&mut self, place: u32, error: JobError) {
        self.close(place, 1);
        let number = self.number + u64::from(place);
        self.ends.fill(number, 1, Err(error), Blobs::default());
    }

    /// Refuses all jobs that have not ended.
    pub(crate) fn refuse(&mut self, failure: &Failure) {
        for place in 0..self.count {
            if self.open[place as usize] {
                let job = JobId(self.first.0 + u64::from(place));
                let name = self.name.clone().into_owned();
                self.fail(place, JobError::unstarted(job, name, None, failure.clone()));
            }
        }
    }

    fn close(&mut self, place: u32, count: u32) {
        self.open[place as usize..][..count as usize].fill(false);
        self.left -= count;
    }
}

/// The pool is gone: whoever waits for one of the jobs hears of it.
impl Drop for Entry {
    fn drop(&mut self) {
        if self.left > 0 {
            self.refuse(&Failure::Refused(
                "the pool was shut down before it took this job".to_owned(),
            ));
        }
    }
}

fn offsets(arguments: &[u8], count: u32) -> Vec<u32> {
    let mut rest = arguments;
    let mut offsets = Vec::with_capacity(count as usize + 1);
    let offset = |rest: &[u8]| {
        u32::try_from(arguments.len() - rest.len()).expect("a run's arguments are few")
    };
    offsets.push(0);
    for _ in 0..count {
        let _ = codec::take_bytes(&mut rest).expect("the map wrote arguments for each");
        offsets.push(offset(rest));
    }
    offsets
}

/// See the [module documentation](self).
#[derive(Default)]
pub(super) struct Runs(BTreeMap<JobId, Entry>);

impl Runs {
    pub(super) fn insert(&mut self, entry: Entry) {
        self.0.insert(entry.first, entry);
    }

    /// The run in which this job was submitted, and its place there, if it has not ended.
    pub(super) fn find(&self, job: JobId) -> Option<(&Entry, u32)> {
        let (first, entry) = self.0.range(..=job).next_back()?;
        let place = Run { first: (*first).into(), count: entry.count }.place(job.into())?;
        entry.open[place as usize].then_some((entry, place))
    }

    /// Does something with the run in which this job was submitted; forgets it when all have ended.
    pub(super) fn with<R>(
        &mut self,
        job: JobId,
        act: impl FnOnce(&mut Entry, u32) -> R,
    ) -> Option<R> {
        let (_, place) = self.find(job)?;
        let (&first, entry) = self.0.range_mut(..=job).next_back()?;
        let done = act(entry, place);
        if entry.left == 0 {
            self.0.remove(&first);
        }
        Some(done)
    }
}
