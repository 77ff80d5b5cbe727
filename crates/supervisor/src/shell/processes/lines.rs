//! What a worker printed: cut into lines, and the last of them kept for when it dies.

use std::collections::VecDeque;

/// The longest line, in bytes; a longer one comes in pieces.
const LONGEST_LINE: usize = 8 * 1024;
/// How many last lines are kept, and how many bytes of each.
const KEPT_LINES: usize = 20;
const KEPT_BYTES: usize = 400;

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    last: VecDeque<String>,
}

impl Lines {
    /// Takes more bytes and calls `line` for each line that they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LONGEST_LINE - self.partial.len();
            let end = bytes.iter().take(room).position(|&byte| byte == b'\n');
            let (piece, complete) = match end {
                Some(end) => (end, true),
                None => (bytes.len().min(room), bytes.len() >= room),
            };
            self.partial.extend_from_slice(&bytes[..piece]);
            bytes = &bytes[piece + usize::from(end.is_some())..];
            if complete {
                self.complete(&mut line);
            }
        }
    }

    /// Takes what is left as the last line.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            self.complete(&mut line);
        }
    }

    /// The last lines, oldest first.
    pub(super) fn last_words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.last).into()
    }

    fn complete(&mut self, line: &mut impl FnMut(&[u8])) {
        line(&self.partial);
        let kept = &self.partial[..self.partial.len().min(KEPT_BYTES)];
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(String::from_utf8_lossy(kept).into_owned());
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<String>) {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, |line| seen.push(line.to_vec()));
        }
        lines.finish(|line| seen.push(line.to_vec()));
        (seen, lines.last_words())
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (lines, last) = cut(&[b"on", b"e\ntwo\n", b"\nthr", b"ee"]);
        assert_eq!(lines, [&b"one"[..], b"two", b"", b"three"]);
        assert_eq!(last, ["one", "two", "", "three"]);
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces() {
        let (lines, last) = cut(&[&vec![b'x'; 2 * LONGEST_LINE + 5]]);
        let lengths: Vec<usize> = lines.iter().map(Vec::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 5]);
        assert_eq!(last[0].len(), KEPT_BYTES);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let text: String = (0..100).map(|n| n.to_string() + "\n").collect();
        let (_, last) = cut(&[text.as_bytes()]);
        assert_eq!(last.len(), KEPT_LINES);
        assert_eq!((&*last[0], &*last[KEPT_LINES - 1]), ("80", "99"));
    }
}
