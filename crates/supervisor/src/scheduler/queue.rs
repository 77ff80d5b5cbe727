//! The queue: jobs that are with no worker, by priority.
//!
//! Within one priority the jobs that jobs submitted come first, as on a stack, the last of them first: so
//! the jobs that are alive at once are as few as they can be (in the order of a queue, a recursive job of
//! depth 20 has thousands of its kind waiting at once; as a stack, 19). Behind them come the jobs that
//! were submitted from outside, in their order.

use std::collections::{BTreeMap, VecDeque};

use brigade_protocol::id::JobId;

/// A place on the stack: the higher, the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(u64);

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The highest priority first; few, as a rule one.
    levels: Vec<Level>,
    stamps: u64,
}

#[derive(Debug)]
struct Level {
    priority: i8,
    stack: BTreeMap<Stamp, JobId>,
    queue: VecDeque<JobId>,
}

/// Where the first job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Stacked(JobId),
    Queued(JobId),
}

impl Queue {
    /// A place on top of the stack.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.stamps += 1;
        Stamp(self.stamps)
    }

    pub(super) fn stack(&mut self, priority: i8, stamp: Stamp, job: JobId) {
        self.level(priority).stack.insert(stamp, job);
    }

    pub(super) fn unstack(&mut self, priority: i8, stamp: Stamp) {
        self.level(priority).stack.remove(&stamp);
    }

    pub(super) fn push_back(&mut self, priority: i8, job: JobId) {
        self.level(priority).queue.push_back(job);
    }

    pub(super) fn push_front(&mut self, priority: i8, job: JobId) {
        self.level(priority).queue.push_front(job);
    }

    pub(super) fn front(&self) -> Option<Front> {
        self.levels.iter().find_map(|level| {
            let stacked = level.stack.last_key_value().map(|(_, job)| Front::Stacked(*job));
            stacked.or_else(|| level.queue.front().map(|job| Front::Queued(*job)))
        })
    }

    pub(super) fn pop_front(&mut self) -> Option<JobId> {
        self.levels.iter_mut().find_map(|level| {
            let stacked = level.stack.pop_last().map(|(_, job)| job);
            stacked.or_else(|| level.queue.pop_front())
        })
    }

    fn level(&mut self, priority: i8) -> &mut Level {
        let place = self.levels.iter().position(|level| level.priority <= priority);
        let place = place.unwrap_or(self.levels.len());
        if self.levels.get(place).is_none_or(|level| level.priority != priority) {
            let (stack, queue) = (BTreeMap::new(), VecDeque::new());
            self.levels.insert(place, Level { priority, stack, queue });
        }
        &mut self.levels[place]
    }
}
