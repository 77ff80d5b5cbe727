//! A thread that runs jobs, one by one.

use std::sync::Arc;

use brigade_protocol::id::{Seq, Ticket};
use brigade_protocol::message::{Form, TaskError};
use brigade_task::host::Place;
use brigade_task::outside::{Blobs, Encoding};
use brigade_task::{Context, job, panics};

use super::desk::{Desk, Done};
use crate::host::{Occupation, occupy};
use crate::shell::clock::monotonic;
use crate::shell::core::Closure;

/// A job that waits at a thread's desk.
pub(super) struct Task {
    pub(super) ticket: Ticket,
    pub(super) seq: Seq,
    pub(super) label: Option<Box<str>>,
    pub(super) work: Work,
    /// The last one of its frame.
    pub(super) is_last: bool,
}

/// What is to be run.
pub(super) enum Work {
    /// A task, with its arguments.
    Task(&'static brigade_task::Task, Form, Vec<u8>, Option<Arc<Encoding>>),
    Closure(Closure),
}

/// Says that the thread has ended, whatever ends it.
struct Goodbye<'a> {
    desk: &'a Desk,
    reason: Option<String>,
}

impl Drop for Goodbye<'_> {
    fn drop(&mut self) {
        self.desk.end(self.reason.take());
    }
}

/// Runs jobs until there are to be no more.
pub(super) fn main(desk: &Arc<Desk>) {
    // An error is not possible: the arguments of the system call are right.
    let _ = desk.home.signals.thread_set_mask();
    occupy(Some(Occupation::Idle(desk.home.pool)));
    let unforeseen = Some("its thread panicked, which is a bug of Brigade".to_owned());
    let mut goodbye = Goodbye { desk, reason: unforeseen };
    if let Some(initializer) = &desk.home.initializer {
        if let Err(error) = panics::catch(initializer) {
            let place = error.location.map(|place| format!(" at {place}")).unwrap_or_default();
            goodbye.reason = Some(format!("its initializer panicked{place}: {}", error.message));
            return;
        }
        desk.ready();
    }
    let place = Arc::clone(desk) as Arc<dyn Place>;
    let mut done = None;
    while let Some((task, since)) = desk.next(done.take()) {
        let Task { ticket, seq, label, work, is_last } = task;
        occupy(Some(Occupation::Running(desk.home.pool, desk.worker, ticket)));
        let mut context = Context::at(Arc::clone(&place), ticket, label.as_deref());
        let (result, arguments, blobs) = attempt(&context, work);
        context.close();
        occupy(Some(Occupation::Idle(desk.home.pool)));
        let ended = monotonic();
        done = Some(Done { ticket, seq, is_last, started: since, ended, result, arguments, blobs });
    }
    goodbye.reason = None;
}

/// The result, the arguments if it is an error, and what the output left outside.
fn attempt(context: &Context, work: Work) -> (Result<Vec<u8>, TaskError>, Option<Vec<u8>>, Blobs) {
    match work {
        Work::Task(task, form, arguments, large) => {
            let mut output = Vec::new();
            let given = match &large {
                None => (&*arguments, Blobs::default()),
                Some(large) => (&*large.bytes, large.blobs.clone()),
            };
            match job::attempt(task, context, form, given, &mut output) {
                Ok(blobs) => (Ok(output), None, blobs),
                Err(error) => (Err(error), Some(arguments), Blobs::default()),
            }
        }
        Work::Closure(closure) => {
            let result = panics::catch(|| closure(context)).and_then(|result| result);
            (result.map(|()| Vec::new()), None, Blobs::default())
        }
    }
}
