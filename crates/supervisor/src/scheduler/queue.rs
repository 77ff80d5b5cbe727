//! The queue: jobs that are with no worker, by priority, and in order within one.

use std::collections::VecDeque;

use brigade_protocol::id::JobId;

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The highest priority first; few, as a rule one.
    levels: Vec<(i8, VecDeque<JobId>)>,
}

impl Queue {
    pub(super) fn push_back(&mut self, priority: i8, job: JobId) {
        self.level(priority).push_back(job);
    }

    pub(super) fn push_front(&mut self, priority: i8, job: JobId) {
        self.level(priority).push_front(job);
    }

    pub(super) fn front(&self) -> Option<JobId> {
        self.levels.iter().find_map(|(_, jobs)| jobs.front().copied())
    }

    pub(super) fn pop_front(&mut self) -> Option<JobId> {
        self.levels.iter_mut().find_map(|(_, jobs)| jobs.pop_front())
    }

    fn level(&mut self, priority: i8) -> &mut VecDeque<JobId> {
        let place = self.levels.iter().position(|(level, _)| *level <= priority);
        let place = place.unwrap_or(self.levels.len());
        if self.levels.get(place).is_none_or(|(level, _)| *level != priority) {
            self.levels.insert(place, (priority, VecDeque::new()));
        }
        &mut self.levels[place].1
    }
}
