//! One call, from its arguments to its reply.

use std::sync::Arc;

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD};
use brigade_protocol::message::{TaskError, TaskErrorKind};
use brigade_task::context::Closed;
use brigade_task::host::Place;
use brigade_task::outside::{self, Blobs};
use brigade_task::{Registry, buffers, panics};

use super::clock;
use super::desk::Desk;
use super::large::{self, Gathered};
use super::meter::Meter;
use super::packet::Call;
use super::pending::{Done, Output};
use crate::board::Lane;

/// A buffer that an unusually large output has made larger than this is not kept.
const KEPT: usize = 1024 * 1024;

/// A location is a path and two numbers; what is longer is none.
const LONGEST_LOCATION: usize = 8 * 1024;

/// Runs the calls of one run thread, one at a time.
pub(super) struct Runner<'a> {
    registry: &'a Registry,
    /// It is there between two calls.
    place: Option<Closed>,
    max_output: u64,
    output: Vec<u8>,
    /// What that has left outside.
    blobs: Blobs,
    meter: Meter,
}

impl<'a> Runner<'a> {
    /// Made by the thread that runs the calls.
    pub(super) fn new(registry: &'a Registry, place: Arc<dyn Place>, max_output: u64) -> Self {
        let place = Some(Closed::new(place));
        let (output, blobs) = (Vec::new(), Blobs::default());
        Self { registry, place, max_output, output, blobs, meter: Meter::new() }
    }

    /// Runs a call that has been started at `since`. An output that is too large for a message is
    /// sent at once.
    pub(super) fn run(&mut self, call: &Call<'_>, since: u64, lane: &Lane, desk: &Desk) -> Done {
        if self.output.capacity() > KEPT {
            buffers::give(std::mem::take(&mut self.output));
        }
        self.output.clear();
        let result = self.attempt(call);
        let elapsed = clock().saturating_sub(since);
        lane.finish(call.seq);
        let result = match result {
            Err(error) => {
                let usage = self.meter.failed(elapsed);
                Err(Box::new(TaskError { usage, ..cut(error) }))
            }
            Ok(()) if self.output.len() <= MESSAGE_BUDGET - OVERHEAD && self.blobs.is_empty() => {
                Ok(Output::Inline)
            }
            Ok(()) => {
                let blobs = std::mem::take(&mut self.blobs);
                Ok(Output::Parts(large::send(desk, call.ticket, &self.output, &blobs)))
            }
        };
        if result.is_ok() {
            self.meter.succeeded(elapsed);
        }
        Done { ticket: call.ticket, in_run: call.in_run, started: since, elapsed, result }
    }

    /// The output of the last call.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    fn attempt(&mut self, call: &Call<'_>) -> Result<(), TaskError> {
        let Some(task) = self.registry.get(call.task) else {
            let message = format!("no task number {}", call.task);
            return Err(TaskError::new(TaskErrorKind::BadArguments, message));
        };
        let place = self.place.take().expect("one call at a time");
        let context = place.open(call.ticket, call.label);
        let output = &mut self.output;
        let given = call.large.map(Gathered::blobs).unwrap_or_default();
        let (result, blobs) = outside::call(given, || {
            panics::catch(|| (task.entry)(&context, call.form, call.arguments, output))
        });
        self.blobs = blobs;
        self.place = Some(context.close());
        result??;
        let length = self.output.len() as u64 + self.blobs.bytes();
        let most = self.max_output;
        if length > most {
            let message =
                format!("output of {length} bytes is larger than the limit of {most} bytes");
            return Err(TaskError::new(TaskErrorKind::BadOutput, message));
        }
        Ok(())
    }
}

/// A task may have made an error by hand, with texts of any length.
pub(super) fn cut(error: TaskError) -> TaskError {
    let location = error.location.filter(|location| location.len() <= LONGEST_LOCATION);
    TaskError { kind: error.kind, ..TaskError::panicked(error.message, location, error.backtrace) }
}
