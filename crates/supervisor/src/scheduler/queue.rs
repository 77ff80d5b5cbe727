//! The queue: jobs that are with no worker, by priority.
//!
//! Within one priority the jobs that jobs submitted come first, as on a stack, the last of them first: so
//! the jobs that are alive at once are as few as they can be (in the order of a queue, a recursive job of
//! depth 20 has thousands of its kind waiting at once; as a stack, 19). Behind them come the jobs that
//! were submitted from outside, in their order; consecutive ones are one entry.

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
    queue: VecDeque<Entry>,
}

/// Consecutive jobs.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: JobId,
    count: u64,
}

/// Where the first job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Stacked(JobId),
    /// With so many that follow on it, itself included.
    Queued(JobId, u32),
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

    pub(super) fn push_back(&mut self, priority: i8, first: JobId, count: u32) {
        let (count, queue) = (u64::from(count), &mut self.level(priority).queue);
        match queue.back_mut() {
            Some(last) if last.first.0 + last.count == first.0 => last.count += count,
            _ => queue.push_back(Entry { first, count }),
        }
    }

    pub(super) fn push_front(&mut self, priority: i8, first: JobId, count: u32) {
        let (count, queue) = (u64::from(count), &mut self.level(priority).queue);
        match queue.front_mut() {
            Some(next) if first.0 + count == next.first.0 => {
                *next = Entry { first, count: count + next.count };
            }
            _ => queue.push_front(Entry { first, count }),
        }
    }

    pub(super) fn front(&self) -> Option<Front> {
        self.levels.iter().find_map(|level| {
            let stacked = level.stack.last_key_value().map(|(_, job)| Front::Stacked(*job));
            let queued = level.queue.front().map(|entry| {
                Front::Queued(entry.first, u32::try_from(entry.count).unwrap_or(u32::MAX))
            });
            stacked.or(queued)
        })
    }

    /// Takes the first job; or so many, if they are not on the stack.
    pub(super) fn pop_front(&mut self, count: u32) {
        for level in &mut self.levels {
            if level.stack.pop_last().is_some() {
                return;
            }
            let Some(entry) = level.queue.front_mut() else { continue };
            let count = u64::from(count);
            if count < entry.count {
                *entry = Entry { first: JobId(entry.first.0 + count), count: entry.count - count };
            } else {
                level.queue.pop_front();
            }
            return;
        }
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
