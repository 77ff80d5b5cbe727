//! What a program writes, until it ends.
//!
//! Both streams are read together, because a program that writes much to one of them waits for its reader.
//! Once the program has exited, only what is in the pipes by then is read: their other ends may be held open,
//! for ever, by processes that it left behind.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::Child;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::last_lines::LastLines;
use crate::os;

/// How much is read at once: a quarter of what a pipe usually holds.
const PIECE: usize = 16 * 1024;

/// A line of standard error is passed on as a whole, unless it is longer.
const LONGEST_LINE: usize = 8 * 1024;

/// What was heard of a program.
#[derive(Default)]
pub(super) struct Heard {
    /// What it wrote to standard output.
    pub(super) output: Vec<u8>,
    complaints: Complaints,
}

/// Listens until the program has exited or written more than `most` bytes to standard output. Does not
/// collect its exit status.
pub(super) fn listen(child: &mut Child, most: u64) -> io::Result<Heard> {
    let exit = os::pidfd(child.id())?;
    let mut heard = Heard::default();
    let mut streams = [
        child.stdout.take().map(|stream| Stream::new(stream.into(), Heard::on_output)),
        child.stderr.take().map(|stream| Stream::new(stream.into(), Heard::on_complaint)),
    ];
    while streams.iter().any(Option::is_some) && !heard.is_beyond(most) {
        let [has_exited, ready @ ..] = wait(&exit, &streams)?;
        for (slot, _) in streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            if let Some(stream) = slot
                && stream.read(&mut heard)? == 0
            {
                *slot = None;
            }
        }
        if has_exited {
            streams.iter().flatten().try_for_each(|stream| stream.read_rest(&mut heard, most))?;
            break;
        }
    }
    heard.complaints.finish();
    Ok(heard)
}

/// Waits until something has happened: whether the program has exited, and which streams can be read.
fn wait(exit: &OwnedFd, streams: &[Option<Stream>; 2]) -> io::Result<[bool; 3]> {
    let [stdout, stderr] = streams;
    let exit = exit.as_fd();
    let mut watched = [
        PollFd::new(exit, PollFlags::POLLIN),
        watched_for(stdout, exit),
        watched_for(stderr, exit),
    ];
    poll_whole(&mut watched, PollTimeout::NONE)?;
    Ok(watched.map(|descriptor| descriptor.any() != Some(false)))
}

/// What to watch for a stream. The place of one that has ended is held by `other`, about which nothing is
/// asked.
fn watched_for<'a>(stream: &'a Option<Stream>, other: BorrowedFd<'a>) -> PollFd<'a> {
    match stream {
        Some(stream) => PollFd::new(stream.pipe.as_fd(), PollFlags::POLLIN),
        None => PollFd::new(other, PollFlags::empty()),
    }
}

fn poll_whole(watched: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    loop {
        match poll(watched, timeout) {
            Err(Errno::EINTR) => {}
            result => return Ok(result.map(drop)?),
        }
    }
}

/// The reading end of a stream, and where goes what is read.
struct Stream {
    pipe: File,
    take: fn(&mut Heard, &[u8]),
}

impl Stream {
    fn new(pipe: OwnedFd, take: fn(&mut Heard, &[u8])) -> Self {
        Self { pipe: pipe.into(), take }
    }

    /// Reads a piece, for which it may wait; 0 is the end.
    fn read(&self, heard: &mut Heard) -> io::Result<usize> {
        let mut piece = [0; PIECE];
        let count = loop {
            match (&self.pipe).read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        (self.take)(heard, &piece[..count]);
        Ok(count)
    }

    /// Reads what is there, and no more than there can have been when the program exited: whoever still
    /// writes may never end.
    fn read_rest(&self, heard: &mut Heard, most: u64) -> io::Result<()> {
        let mut left = usize::try_from(fcntl(&self.pipe, FcntlArg::F_GETPIPE_SZ)?).unwrap_or(0);
        while left > 0 && self.has_more()? && !heard.is_beyond(most) {
            match self.read(heard)? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        Ok(())
    }

    fn has_more(&self) -> io::Result<bool> {
        let mut watched = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        poll_whole(&mut watched, PollTimeout::ZERO)?;
        Ok(watched[0].any() != Some(false))
    }
}

impl Heard {
    /// Whether it wrote more to standard output than this.
    pub(super) fn is_beyond(&self, most: u64) -> bool {
        self.output.len() as u64 > most
    }

    /// The last lines that the program, which has failed, said. Passes on what it wrote to standard output,
    /// which would be lost otherwise.
    pub(super) fn last_words(mut self) -> Vec<String> {
        let said = self.complaints.last.lines();
        self.complaints.take(&self.output);
        self.complaints.finish();
        if said.is_empty() { self.complaints.last.lines() } else { said }
    }

    fn on_output(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    fn on_complaint(&mut self, bytes: &[u8]) {
        self.complaints.take(bytes);
    }
}

/// Standard error, which is passed on to that of this process in whole lines: other threads may run programs
/// too.
#[derive(Default)]
struct Complaints {
    /// The beginning of a line.
    partial: Vec<u8>,
    last: LastLines,
}

impl Complaints {
    fn take(&mut self, bytes: &[u8]) {
        self.last.push(bytes);
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (lines, rest) = bytes.split_at(whole);
        if !lines.is_empty() {
            self.partial.extend_from_slice(lines);
            self.pass_on();
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LONGEST_LINE {
            self.pass_on();
        }
    }

    /// Ends a line that the program did not end.
    fn finish(&mut self) {
        if !self.partial.is_empty() {
            self.partial.push(b'\n');
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        let lines = mem::take(&mut self.partial);
        // Where complaints cannot be written, that cannot be told either.
        drop(io::stderr().lock().write_all(&lines));
    }
}
