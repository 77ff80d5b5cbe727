//! Where workers' lines go if the user says nothing: to standard error, with the worker's id.

use std::io::Write;

use crossbeam_channel::TrySendError;

use crate::builder::{OutputHandler, OutputLine};
use crate::shell::thread;

/// How many lines may wait for a slow reader of standard error; what is more is dropped and counted.
const MOST_LINES: usize = 1024;

/// A handler that hands the lines to a thread, since standard error may block.
pub(in crate::shell) fn to_standard_error() -> OutputHandler {
    let (give, take) = crossbeam_channel::bounded::<Vec<u8>>(MOST_LINES);
    let printer = move || {
        for line in take {
            // Nobody is left to complain to.
            drop(std::io::stderr().write_all(&line));
        }
    };
    let started = thread::spawn_small("brigade-printer", printer);
    let mut dropped = 0_u64;
    Box::new(move |OutputLine { worker, text }| {
        if started.is_err() {
            return;
        }
        let mut line = match worker {
            Some(worker) => format!("worker {} | ", worker.id).into_bytes(),
            None => b"fork server | ".to_vec(),
        };
        if dropped > 0 {
            let note = format!("brigade: {dropped} lines of worker output dropped\n");
            line.splice(0..0, note.into_bytes());
        }
        line.extend_from_slice(text);
        line.push(b'\n');
        match give.try_send(line) {
            Ok(()) => dropped = 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => dropped += 1,
        }
    })
}
