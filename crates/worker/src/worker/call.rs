//! One call, from its arguments to its reply.

use std::sync::Arc;

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD};
use brigade_protocol::id::{JobId, Seq, TaskId, Ticket};
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
use super::queue::Hand;
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

    /// Runs the call in the hand, which has been started at `since`, and those behind it for which there is
    /// a lease; tells how the last one ended, which is then in the hand. An output that is too large for a
    /// message is sent at once.
    pub(super) fn run(&mut self, hand: &mut Hand, since: u64, lane: &Lane, desk: &Desk) -> Done {
        if self.output.capacity() > KEPT {
            buffers::give(std::mem::take(&mut self.output));
        }
        let mut started = since;
        let result = self.attempt(hand, &mut started, lane, desk);
        let Call { ticket, in_run, seq, .. } = hand.call();
        let (elapsed, result) = match result {
            Ok(elapsed) => (elapsed, self.check_output()),
            Err(error) => (self.end(seq, started, lane, desk), Err(error)),
        };
        let is_inline = self.output.len() <= MESSAGE_BUDGET - OVERHEAD && self.blobs.is_empty();
        let result = match result {
            Err(error) => Err(Box::new(self.complete(*error, elapsed))),
            Ok(()) if is_inline => Ok(Output::Inline),
            Ok(()) => Ok(self.send_ahead(ticket, desk)),
        };
        if result.is_ok() {
            // Those before it under the lease did, too.
            self.meter.succeeded(started + elapsed - since);
        }
        Done { ticket, in_run, started, elapsed, result }
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

    /// Runs the task, and tells how long the last call took if it gave an output. Calls under a lease are all
    /// of one task, and what is put up around one serves all.
    ///
    /// An error is in a box at once: it is as large as a dozen words, and what comes back from nearly all
    /// jobs is nothing.
    fn attempt(
        &mut self,
        hand: &mut Hand,
        started: &mut u64,
        lane: &Lane,
        desk: &Desk,
    ) -> Result<u64, Box<TaskError>> {
        let Call { mut seq, mut ticket, task, form, large, label, .. } = hand.call();
        let Some(task) = self.registry.get(task) else {
            return Err(Box::new(no_task(task)));
        };
        self.context.renew(ticket, label);
        let given = large.map(Gathered::take_blobs).unwrap_or_default();
        let Self { context, output, stopwatch, max_output, .. } = self;
        let run = || loop {
            output.clear();
            (task.entry)(context, form, hand.arguments(), output).map_err(Box::new)?;
            let elapsed = stopwatch.lap(*started, desk.ticks(), clock);
            lane.finish(seq);
            // What is not as usual is seen to one by one.
            let is_usual = output.len() as u64 <= *max_output && !outside::exist();
            if !(is_usual && desk.lease.go_on(hand, elapsed, output)) {
                return Ok(elapsed);
            }
            // The next one of the run.
            *started += elapsed;
            seq.0 += 1;
            ticket.job.0 = ticket.job.0.saturating_add(1);
            lane.start(seq, *started);
            context.close();
            context.renew(ticket, None);
        };
        let (result, blobs) = outside::call(given, || panics::catch(run).map_err(Box::new));
        self.context.close();
        self.blobs = blobs;
        result?
    }

    /// The call has failed: how long it took.
    #[cold]
    fn end(&mut self, call: Seq, started: u64, lane: &Lane, desk: &Desk) -> u64 {
        let elapsed = self.stopwatch.lap(started, desk.ticks(), clock);
        lane.finish(call);
        elapsed
    }

    fn check_output(&self) -> Result<(), Box<TaskError>> {
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
