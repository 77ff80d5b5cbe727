//! One call, from its arguments to its reply.

use std::sync::Arc;

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD};
use brigade_protocol::id::{JobId, TaskId, Ticket};
use brigade_protocol::message::{TaskError, TaskErrorKind};
use brigade_task::host::Place;
use brigade_task::outside::{self, Blobs};
use brigade_task::{Context, Registry, buffers, panics};

use super::clock;
use super::desk::Desk;
use super::large::{self, Gathered};
use super::meter::Meter;
use super::packet::Call;
use super::pending::{Done, Output};
use super::stopwatch::Stopwatch;
use crate::board::Lane;

/// A buffer that an unusually large output has made larger than this is not kept.
const KEPT: usize = 1024 * 1024;

/// A location is a path and two numbers; what is longer is none.
const LONGEST_LOCATION: usize = 8 * 1024;

/// Runs the calls of one run thread, one at a time.
pub(super) struct Runner<'a> {
    registry: &'a Registry,
    context: Context,
    max_output: u64,
    output: Vec<u8>,
    /// What that has left outside.
    blobs: Blobs,
    meter: Meter,
    stopwatch: Stopwatch,
}

impl<'a> Runner<'a> {
    /// Made by the thread that runs the calls.
    pub(super) fn new(registry: &'a Registry, place: Arc<dyn Place>, max_output: u64) -> Self {
        let (output, meter, stopwatch) = (Vec::new(), Meter::new(), Stopwatch::default());
        let (context, blobs) = (Context::at(place, Ticket::from(JobId(0)), None), Blobs::default());
        Self { registry, context, max_output, output, blobs, meter, stopwatch }
    }

    /// Runs a call that has been started at `since`. An output that is too large for a message is
    /// sent at once.
    ///
    /// It is inlined, as is what comes before and after it: else the call and its end would be copied
    /// from place to place, which takes longer than a very short job.
    #[expect(clippy::inline_always, reason = "asked once, the compiler does not do it")]
    #[inline(always)]
    pub(super) fn run(&mut self, call: &Call<'_>, since: u64, lane: &Lane, desk: &Desk) -> Done {
        if self.output.capacity() > KEPT {
            buffers::give(std::mem::take(&mut self.output));
        }
        self.output.clear();
        let result = self.attempt(call);
        let elapsed = self.stopwatch.lap(since, desk.ticks(), clock);
        lane.finish(call.seq);
        let is_inline = self.output.len() <= MESSAGE_BUDGET - OVERHEAD && self.blobs.is_empty();
        let result = match result {
            Err(error) => Err(Box::new(self.complete(*error, elapsed))),
            Ok(()) if is_inline => Ok(Output::Inline),
            Ok(()) => Ok(self.send_ahead(call.ticket, desk)),
        };
        if result.is_ok() {
            self.meter.succeeded(elapsed);
        }
        Done { ticket: call.ticket, in_run: call.in_run, started: since, elapsed, result }
    }

    /// The error of an attempt, with what that used.
    #[cold]
    fn complete(&mut self, error: TaskError, elapsed: u64) -> TaskError {
        let usage = self.meter.failed(elapsed);
        TaskError { usage, ..cut(error) }
    }

    /// Sends an output that is too large for a message.
    #[cold]
    fn send_ahead(&mut self, ticket: Ticket, desk: &Desk) -> Output {
        let blobs = std::mem::take(&mut self.blobs);
        Output::Parts(large::send(desk, ticket, &self.output, &blobs))
    }

    /// The output of the last call.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Runs the task. An error is in a box at once: it is as large as a dozen words, and what comes
    /// back from nearly all jobs is nothing.
    #[inline]
    fn attempt(&mut self, call: &Call<'_>) -> Result<(), Box<TaskError>> {
        let Some(task) = self.registry.get(call.task) else {
            return Err(Box::new(no_task(call.task)));
        };
        let Self { context, output, .. } = self;
        context.renew(call.ticket, call.label);
        let given = call.large.map(Gathered::blobs).unwrap_or_default();
        let (result, blobs) = outside::call(given, || {
            let run = || (task.entry)(context, call.form, call.arguments, output).map_err(Box::new);
            panics::catch(run).map_err(Box::new)
        });
        context.close();
        self.blobs = blobs;
        result??;
        let length = self.output.len() as u64 + self.blobs.bytes();
        if length > self.max_output {
            return Err(Box::new(too_large(length, self.max_output)));
        }
        Ok(())
    }
}

#[cold]
fn no_task(task: TaskId) -> TaskError {
    TaskError::new(TaskErrorKind::BadArguments, format!("no task number {task}"))
}

#[cold]
fn too_large(length: u64, most: u64) -> TaskError {
    let message = format!("output of {length} bytes is larger than the limit of {most} bytes");
    TaskError::new(TaskErrorKind::BadOutput, message)
}

/// A task may have made an error by hand, with texts of any length.
pub(super) fn cut(error: TaskError) -> TaskError {
    let location = error.location.filter(|location| location.len() <= LONGEST_LOCATION);
    TaskError { kind: error.kind, ..TaskError::panicked(error.message, location, error.backtrace) }
}
