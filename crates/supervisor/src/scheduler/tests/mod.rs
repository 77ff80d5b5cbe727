//! The scheduler against a simulated world, and examples of its decisions as sentences.

mod decisions;
mod kinship;
mod pool;
mod process;
mod properties;
mod recycling;
mod runs;
mod threads;
mod waiting;
mod world;

/// What all of them speak of.
mod prelude {
    pub(super) use brigade_protocol::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};
    pub(super) use brigade_protocol::message::{Exit, Form, TaskError};
}
