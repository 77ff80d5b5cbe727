//! What a program writes, until it exits.
//!
//! Both streams are read together, because a program that writes much to one of them waits for its reader.
//! The end of a stream tells nothing: the writing ends stay open here until the program has exited, so that
//! this thread is woken once for its exit and not for each stream that it closes before; and then they may be
//! held open, for ever, by processes that it left behind. So once the program has exited, what is in the pipes
//! is read, and that is all.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::last_lines::LastLines;

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

/// The reading ends of the pipes that a program writes to.
pub(super) struct Streams {
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

impl Streams {
    /// Listens until the program has exited, which `exit` becomes readable for, or has written more than
    /// `most` bytes to standard output. `let_go` closes the writing ends that are open in this process.
    pub(super) fn listen(
        &self,
        exit: &OwnedFd,
        let_go: impl FnOnce(),
        most: u64,
    ) -> io::Result<Heard> {
        let mut heard = Heard::default();
        while !heard.is_beyond(most) {
            let [has_exited, stdout, stderr] = wait(exit, self)?;
            if has_exited {
                let_go();
                self.read_rest(&mut heard, most)?;
                break;
            }
            if stdout {
                read(&self.stdout, |bytes| heard.output.extend_from_slice(bytes))?;
            }
            if stderr {
                read(&self.stderr, |bytes| heard.complaints.take(bytes))?;
            }
        }
        heard.complaints.finish();
        Ok(heard)
    }

    fn read_rest(&self, heard: &mut Heard, most: u64) -> io::Result<()> {
        let Heard { output, complaints } = heard;
        read_rest(&self.stdout, |bytes| {
            output.extend_from_slice(bytes);
            output.len() as u64 <= most
        })?;
        read_rest(&self.stderr, |bytes| {
            complaints.take(bytes);
            true
        })
    }
}

/// Waits until something has happened: whether the program has exited, and which streams can be read.
fn wait(exit: &OwnedFd, streams: &Streams) -> io::Result<[bool; 3]> {
    let all = [exit.as_fd(), streams.stdout.as_fd(), streams.stderr.as_fd()];
    let mut watched = all.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    poll_whole(&mut watched, PollTimeout::NONE)?;
    Ok(watched.map(|descriptor| descriptor.any() != Some(false)))
}

fn poll_whole(watched: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    loop {
        match poll(watched, timeout) {
            Err(Errno::EINTR) => {}
            result => return Ok(result.map(drop)?),
        }
    }
}

/// Reads a piece, for which it may wait; 0 is the end.
fn read(mut pipe: &PipeReader, take: impl FnOnce(&[u8])) -> io::Result<usize> {
    let mut piece = [0; PIECE];
    let count = loop {
        match pipe.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    take(&piece[..count]);
    Ok(count)
}

/// Reads what is there while `take` wants it, and no more than there can have been when the program exited:
/// whoever still writes may never end.
fn read_rest(pipe: &PipeReader, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut left = None;
    let mut goes_on = true;
    while goes_on && left != Some(0) && has_more(pipe)? {
        let count = read(pipe, |bytes| goes_on = take(bytes))?;
        if count == 0 {
            break;
        }
        let room = match left {
            Some(left) => left,
            None => usize::try_from(fcntl(pipe, FcntlArg::F_GETPIPE_SZ)?).unwrap_or(0),
        };
        left = Some(room.saturating_sub(count));
    }
    Ok(())
}

/// Whether there are bytes to be read: the end of the stream alone need not be.
fn has_more(pipe: &PipeReader) -> io::Result<bool> {
    let mut watched = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll_whole(&mut watched, PollTimeout::ZERO)?;
    Ok(watched[0].revents().is_none_or(|found| found.contains(PollFlags::POLLIN)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_for_ever_is_not_read_for_ever() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let mut pieces = 0;
        read_rest(&reader, |_| {
            // Whenever something was read, there is more.
            writer.write_all(&[0; PIECE]).unwrap();
            pieces += 1;
            assert!(pieces < 100, "it goes on reading");
            true
        })
        .unwrap();
        assert!(pieces > 1);
    }
}
