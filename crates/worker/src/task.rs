//! A task: a named function that a worker program offers, with its two entries.
//!
//! The library calls a task with *bincode* arguments: both sides are one build of one executable and
//! know the types. The program does not know them, so it sends *JSON text* and the task's own code,
//! which does, converts. `#[task]` writes both entries.

use brigade_protocol::id::Ticket;
use brigade_protocol::message::{Form, ParameterInfo, TaskError, TaskInfo};

/// A named function that a worker program offers. `#[task]` makes one.
#[derive(Clone, Copy)]
pub struct Task {
    /// What it is called.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// The type of its result, as text.
    pub returns: &'static str,
    /// One line about what it does.
    pub doc: &'static str,
    /// Runs it: decodes `arguments`, calls the function, appends the encoded result to `output`.
    pub entry: fn(
        context: &Context,
        form: Form,
        arguments: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), TaskError>,
}

/// One parameter of a [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called.
    pub name: &'static str,
    /// Its type, as text.
    pub kind: &'static str,
}

/// What a running task can know of its job.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    ticket: Ticket,
}

impl Context {
    /// The context of one attempt.
    pub fn new(ticket: Ticket) -> Self {
        Self { ticket }
    }

    /// The job's id.
    pub fn job(&self) -> u64 {
        self.ticket.job.0
    }

    /// Which try at the job this is, counted from one.
    pub fn attempt(&self) -> u32 {
        self.ticket.attempt
    }
}

impl Task {
    /// The task as the supervisor's users see it.
    pub fn info(&self) -> TaskInfo {
        let parameters = self
            .parameters
            .iter()
            .map(|parameter| ParameterInfo {
                name: parameter.name.into(),
                kind: parameter.kind.into(),
            })
            .collect();
        TaskInfo {
            name: self.name.into(),
            parameters,
            returns: self.returns.into(),
            doc: self.doc.into(),
        }
    }
}
