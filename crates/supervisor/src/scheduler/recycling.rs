//! The replacement of workers that are worn: they were given all the jobs that they may be given, or
//! have grown too large.
//!
//! Nothing more is sent to a worn worker. One that has grown gives back what it has not started; one
//! that has had its jobs runs them to the end. Once it holds nothing it is asked to go, and its death
//! is no failure. Its slot is empty while it goes: two workers never share a seat.

use brigade_protocol::id::WorkerId;

use super::deadlines::LEAVING;
use super::worker::{Recall, State, Why};
use super::{Action, Scheduler, Slot, Time};

impl Scheduler {
    pub(super) fn on_grown(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker(id) {
            worker.grown = true;
        }
    }

    /// Relieves worn workers of what they hold, and lets those go that hold nothing.
    pub(super) fn recycle(&mut self, now: Time, actions: &mut Vec<Action>) {
        let threads = usize::from(self.config.threads);
        for slot in &mut self.slots {
            let Slot::Taken(worker) = slot else { continue };
            if !worker.is_serving() || !worker.is_worn() {
                continue;
            }
            if worker.held.is_empty() {
                let deadline = Some(now.saturating_add(LEAVING));
                worker.state = State::Leaving { why: Why::Recycled, deadline };
                actions.push(Action::Stop(worker.id));
            } else if worker.grown && worker.load() > threads && worker.recall == Recall::None {
                worker.recall = Recall::Asked { at: now };
                actions.push(Action::Recall(worker.id));
            }
        }
    }
}
