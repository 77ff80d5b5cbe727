//! The jobs that are not settled and were submitted in runs: by maps, or one by one as plain calls. However the
//! scheduler cuts a run, here it stays whole until the last of its jobs has ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use brigade_protocol::codec;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::{JobId, Run, TaskId};
use brigade_protocol::message::Form;
use brigade_task::ends::{Ends, Outputs};
use brigade_task::host::{Host, MOST_BYTES, MOST_JOBS};
use brigade_task::outside::Blobs;
use brigade_task::pack::{Circumstances, Claim, Pack};

use crate::scheduler::{Limits, Time};

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
    pub(super) submitted: Time,
    /// The arguments, each with its length before it.
    arguments: Vec<u8>,
    offsets: Offsets,
    target: Target,
    /// Which jobs have not ended.
    open: Vec<bool>,
    left: u32,
}

/// Where the arguments of each job begin.
enum Offsets {
    /// All are so long.
    Even(usize),
    /// The last one is where all end.
    Each(Vec<u32>),
}

/// Where the ends of a run go.
enum Target {
    /// To a map; with the number of the first job there.
    Map(Arc<Ends>, u64),
    /// To the futures of its jobs.
    Futures(Arc<Pack>),
}

impl Entry {
    /// A run of jobs of a map.
    pub(crate) fn of_map(
        (first, count): (JobId, u32),
        (task, name, form): (TaskId, Cow<'static, str>, Form),
        limits: Limits,
        (arguments, longest): (Vec<u8>, usize),
        (ends, number): (Arc<Ends>, u64),
    ) -> Self {
        let mut run = Self::new(first, (task, name, form), limits, Target::Map(ends, number));
        run.offsets = Offsets::of(&arguments, count, longest);
        run.open = vec![true; count as usize];
        (run.count, run.left) = (count, count);
        (run.arguments, run.longest) = (arguments, longest);
        run
    }

    /// A run of calls with a future each, which are still to come.
    pub(crate) fn of_futures(
        first: JobId,
        (task, name, form): (TaskId, Cow<'static, str>, Form),
        limits: Limits,
        host: Arc<dyn Host>,
    ) -> Self {
        let target = Target::Futures(Arc::new(Pack::new(first, name.clone(), host)));
        Self::new(first, (task, name, form), limits, target)
    }

    fn new(
        first: JobId,
        (task, name, form): (TaskId, Cow<'static, str>, Form),
        limits: Limits,
        target: Target,
    ) -> Self {
        Self {
            first,
            count: 0,
            task,
            name,
            form,
            limits,
            longest: 0,
            submitted: Time::ZERO,
            arguments: Vec::new(),
            offsets: Offsets::Even(0),
            target,
            open: Vec::new(),
            left: 0,
        }
    }

    /// Adds a call of this id, if it can be the next one; gives the claim to its end.
    pub(crate) fn push(
        &mut self,
        job: JobId,
        (name, form): (&str, Form),
        arguments: &[u8],
    ) -> Option<Claim> {
        let Target::Futures(pack) = &self.target else { return None };
        let goes_on = self.first.0 + u64::from(self.count) == job.0
            && self.count < MOST_JOBS
            && self.arguments.len() < MOST_BYTES
            && self.form == form
            && self.name == name;
        if !goes_on {
            return None;
        }
        let claim = Claim::first(pack, self.count);
        codec::push_bytes(arguments, &mut self.arguments);
        self.offsets.push(self.count, self.arguments.len());
        self.open.push(true);
        (self.count, self.left) = (self.count + 1, self.left + 1);
        self.longest = self.longest.max(arguments.len());
        Some(claim)
    }

    /// The arguments of so many jobs from this place on, each with its length before it.
    pub(super) fn arguments(&self, place: u32, count: u32) -> &[u8] {
        &self.arguments[self.offsets.at(place)..self.offsets.at(place + count)]
    }

    /// Delivers why a job has no output.
    pub(super) fn fail(&mut self, place: u32, error: JobError, circumstances: Circumstances) {
        self.close(place, 1);
        self.deliver((place, 1), Err(error), Blobs::default(), circumstances);
    }

    /// Refuses all jobs that have not ended.
    pub(crate) fn refuse(&mut self, failure: &Failure) {
        for place in 0..self.count {
            if self.open[place as usize] {
                let job = JobId(self.first.0 + u64::from(place));
                let name = self.name.clone().into_owned();
                let error = JobError::unstarted(job, name, None, failure.clone());
                self.fail(place, error, Circumstances::default());
            }
        }
    }

    /// Whether these jobs come behind those in the same map, and are of the same kind.
    fn follows(&self, other: &Self) -> bool {
        let behind = |first: u64| first + u64::from(other.count);
        let (Target::Map(ends, number), Target::Map(others, first)) = (&self.target, &other.target)
        else {
            return false;
        };
        self.first.0 == behind(other.first.0)
            && *number == behind(*first)
            && Arc::ptr_eq(ends, others)
            && (self.task, self.form) == (other.task, other.form)
    }

    /// So many jobs from this place on have ended.
    fn close(&mut self, place: u32, count: u32) {
        self.open[place as usize..][..count as usize].fill(false);
        self.left -= count;
    }

    /// Delivers the ends of so many jobs from this place on, and maybe of those behind. A single one may have left
    /// blobs outside.
    fn deliver(
        &self,
        (place, count): (u32, u32),
        outputs: Result<Outputs, JobError>,
        blobs: Blobs,
        circumstances: Circumstances,
    ) {
        match &self.target {
            Target::Map(ends, number) => {
                ends.fill(number + u64::from(place), count, outputs, blobs);
            }
            Target::Futures(pack) => {
                let circumstances = Circumstances { submitted: self.submitted, ..circumstances };
                pack.fill((place, count), outputs, blobs, circumstances);
            }
        }
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

impl Offsets {
    /// Those of so many jobs, whose longest arguments have so many bytes.
    fn of(arguments: &[u8], count: u32, longest: usize) -> Self {
        let (mut rest, mut offsets) = (arguments, Self::Even(0));
        for place in 0..count {
            let taken = codec::take_bytes(&mut rest).expect("the map wrote arguments for each");
            let end = arguments.len() - rest.len();
            offsets.push(place, end);
            // If all together are as long as so many of the longest, none is shorter.
            if place == 0 && taken.len() == longest && end * count as usize == arguments.len() {
                break;
            }
        }
        offsets
    }

    /// Adds where the arguments of the job in this place end, which is the next.
    fn push(&mut self, place: u32, end: usize) {
        let narrow = |offset| u32::try_from(offset).expect("a run's arguments are few");
        match self {
            Self::Even(each) if place == 0 => *each = end,
            Self::Even(each) if (place as usize + 1) * *each == end => {}
            Self::Even(each) => {
                let ends = (0..=place as usize).map(|place| place * *each).chain([end]);
                *self = Self::Each(ends.map(narrow).collect());
            }
            Self::Each(offsets) => offsets.push(narrow(end)),
        }
    }

    /// Where the arguments of the job in this place begin.
    fn at(&self, place: u32) -> usize {
        match self {
            Self::Even(each) => place as usize * each,
            Self::Each(offsets) => offsets[place as usize] as usize,
        }
    }
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

    /// How many jobs from this one on end in one place: what is left of its run, and as far as needed the
    /// runs behind it of the same map. `None` if it was submitted by itself.
    pub(super) fn together(&self, job: JobId, needed: u32) -> Option<u32> {
        let (mut last, place) = self.find(job)?;
        let mut count = last.count - place;
        for (_, next) in self.0.range(JobId(last.first.0 + 1)..) {
            if count >= needed || !next.follows(last) {
                break;
            }
            count += next.count;
            last = next;
        }
        Some(count)
    }

    /// Delivers the outputs of so many jobs, which end in [one place](Self::together). A single one may have left
    /// blobs outside.
    pub(super) fn succeed(
        &mut self,
        run: Run,
        outputs: Outputs,
        blobs: Blobs,
        circumstances: Circumstances,
    ) {
        if let Some((entry, place)) = self.find(run.first.job) {
            entry.deliver((place, run.count), Ok(outputs), blobs, circumstances);
        }
        let mut rest = run;
        while rest.count > 0 {
            let closed = self.with(rest.first.job, |entry, place| {
                let count = rest.count.min(entry.count - place);
                entry.close(place, count);
                count
            });
            let Some(closed) = closed else { return };
            rest = rest.part(closed, rest.count - closed);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// So many jobs from the first on, which have this number in their map.
    fn entry(first: u64, count: u32, ends: &Arc<Ends>, number: u64) -> Entry {
        let mut arguments = Vec::new();
        (0..count).for_each(|_| codec::push_bytes(&[7], &mut arguments));
        let kind = (TaskId(0), "task".into(), Form::Bincode);
        let to = (Arc::clone(ends), number);
        Entry::of_map((JobId(first), count), kind, Limits::default(), (arguments, 1), to)
    }

    #[test]
    fn the_ends_of_runs_behind_each_other_in_a_map_are_delivered_together() {
        let (ends, others) = (Arc::default(), Arc::default());
        let mut runs = Runs::default();
        // The fifteenth job was submitted by somebody else.
        for (first, count, ends, number) in
            [(10, 3, &ends, 0), (13, 2, &ends, 3), (16, 2, &ends, 5), (18, 2, &others, 7)]
        {
            runs.insert(entry(first, count, ends, number));
        }
        for (job, needed, together) in [
            (11, 2, Some(2)),
            (11, 3, Some(4)),
            (11, 9, Some(4)),
            (15, 9, None),
            (17, 9, Some(1)),
            (18, 9, Some(2)),
        ] {
            assert_eq!(runs.together(JobId(job), needed), together, "{needed} from {job} on");
        }
        let succeed = |runs: &mut Runs, first, count| {
            let run = Run { first: JobId(first).into(), count };
            let outputs = Outputs::Run(vec![0; 2 * count as usize]);
            runs.succeed(run, outputs, Blobs::default(), Circumstances::default());
        };
        succeed(&mut runs, 11, 3);
        let open = (10..20).filter(|job| runs.find(JobId(*job)).is_some());
        assert_eq!(open.collect::<Vec<_>>(), [10, 14, 16, 17, 18, 19]);
        succeed(&mut runs, 14, 1);
        assert_eq!(runs.0.keys().copied().collect::<Vec<_>>(), [10, 16, 18].map(JobId));
        for (first, count) in [(10, 1), (16, 2), (18, 2)] {
            succeed(&mut runs, first, count);
        }
        assert!(runs.0.is_empty());
    }

    #[test]
    fn arguments_are_found_whether_they_are_as_long_as_each_other_or_not() {
        let long = "long".repeat(100);
        let even = [vec!["one"], vec!["one", "two", "six"], vec!["", ""], vec![&long, &long]];
        let uneven = [vec!["three", "four", "five"], vec!["a", "", "bc"], vec!["", &long]];
        for words in even.into_iter().chain(uneven) {
            let mut arguments = Vec::new();
            for word in &words {
                codec::push_bytes(word.as_bytes(), &mut arguments);
            }
            let longest = words.iter().map(|word| word.len()).max().unwrap();
            let offsets = Offsets::of(&arguments, u32::try_from(words.len()).unwrap(), longest);
            let is_even = words.iter().all(|word| word.len() == longest);
            assert_eq!(matches!(offsets, Offsets::Even(_)), is_even, "{words:?}");
            for (place, word) in (0..).zip(&words) {
                let mut found = &arguments[offsets.at(place)..offsets.at(place + 1)];
                assert_eq!(codec::take_bytes(&mut found).unwrap(), word.as_bytes());
                assert!(found.is_empty());
            }
        }
    }
}
