//! Lines that tasks print, on their way from the pool's watch thread to standard error.
//!
//! The watch thread must not wait for a slow reader of standard error, and workers that print must
//! not wait either. So the queue is bounded, and what finds no room is left out and counted.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::escape;
use crate::OutputLine;

/// How many lines may wait; with lines of 8 KiB these are 8 MiB.
const ROOM: usize = 1024;

/// Most lines printed in one go.
const BATCH: usize = 128;

enum Item {
    Line(String),
    End,
}

/// Where lines go in; never blocks on [`Lines::put`].
#[derive(Clone)]
pub(super) struct Lines {
    to: Sender<Item>,
    left_out: Arc<AtomicU64>,
}

/// Where they come out.
pub(super) struct Captured {
    from: Receiver<Item>,
    left_out: Arc<AtomicU64>,
    ended: Cell<bool>,
}

/// What [`Captured::next`] waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Some lines, ready to be printed.
    Lines(String),
    /// The time is over.
    TimeOver,
    /// No more lines will come.
    End,
}

/// A queue for lines.
pub(super) fn queue() -> (Lines, Captured) {
    let (to, from) = bounded(ROOM);
    let left_out = Arc::new(AtomicU64::new(0));
    (
        Lines { to, left_out: Arc::clone(&left_out) },
        Captured { from, left_out, ended: Cell::new(false) },
    )
}

impl Lines {
    /// Takes a line, if there is room.
    pub(super) fn put(&self, line: &OutputLine<'_>) {
        let text = escape::line(&String::from_utf8_lossy(line.text));
        let text = match line.worker {
            Some(worker) => format!("worker {} | {text}", worker.id),
            None => format!("worker program | {text}"),
        };
        if self.to.try_send(Item::Line(text)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells that no more lines will come.
    pub(super) fn end(&self) {
        // An error means that nobody listens any more.
        drop(self.to.send(Item::End));
    }
}

impl Captured {
    /// Waits for lines.
    pub(super) fn next(&self, deadline: Instant) -> Next {
        let mut lines = Vec::new();
        if !self.ended.get() {
            match self.from.recv_deadline(deadline) {
                Ok(Item::Line(line)) => lines.push(line),
                Err(RecvTimeoutError::Timeout) => return Next::TimeOver,
                Ok(Item::End) | Err(RecvTimeoutError::Disconnected) => self.ended.set(true),
            }
        }
        while !self.ended.get()
            && lines.len() < BATCH
            && let Ok(item) = self.from.try_recv()
        {
            match item {
                Item::Line(line) => lines.push(line),
                Item::End => self.ended.set(true),
            }
        }
        match self.left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            1 => lines.push("… 1 line left out".to_owned()),
            count => lines.push(format!("… {count} lines left out")),
        }
        if lines.is_empty() { Next::End } else { Next::Lines(lines.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::{SlotId, WorkerId};

    use super::*;
    use crate::WorkerInfo;

    #[test]
    fn lines_carry_their_worker_and_are_escaped() {
        let (lines, captured) = queue();
        let worker = Some(WorkerInfo { id: WorkerId(3), slot: SlotId(0), pid: 1 });
        lines.put(&OutputLine { worker, text: b"one\x1b[2J\xff" });
        lines.put(&OutputLine { worker: None, text: b"two" });
        let text = "worker 3 | one\\u{1b}[2J\u{fffd}\nworker program | two".to_owned();
        assert_eq!(captured.next(Instant::now()), Next::Lines(text));
        assert_eq!(captured.next(Instant::now()), Next::TimeOver);
        lines.end();
        assert_eq!(captured.next(Instant::now()), Next::End);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (lines, captured) = queue();
        for _ in 0..ROOM + 2 {
            lines.put(&OutputLine { worker: None, text: b"x" });
        }
        let Next::Lines(text) = captured.next(Instant::now()) else { panic!("there are lines") };
        assert!(text.ends_with("\n… 2 lines left out"), "{text}");
        assert_eq!(text.lines().count(), BATCH + 1);
    }

    #[test]
    fn what_was_left_out_last_is_told_at_the_end() {
        let (lines, captured) = queue();
        lines.end();
        lines.left_out.store(1, Ordering::Relaxed);
        assert_eq!(captured.next(Instant::now()), Next::Lines("… 1 line left out".to_owned()));
        assert_eq!(captured.next(Instant::now()), Next::End);
    }
}
