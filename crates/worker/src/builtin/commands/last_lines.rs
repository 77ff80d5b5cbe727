//! The last lines of what a program said, in a bounded piece of memory.

/// How many lines are kept, and how many bytes of them together.
const LINES: usize = 10;
const BYTES: usize = 2 * 1024;

/// The end of a text.
#[derive(Default)]
pub(super) struct LastLines {
    /// At most twice what is kept.
    bytes: Vec<u8>,
    /// The text began earlier.
    cut: bool,
}

impl LastLines {
    /// Takes more of the text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(BYTES)..];
        if kept.len() < bytes.len() {
            self.bytes.clear();
            self.cut = true;
        }
        if self.bytes.len() + kept.len() > 2 * BYTES {
            self.bytes.drain(..self.bytes.len() - BYTES);
            self.cut = true;
        }
        self.bytes.extend_from_slice(kept);
    }

    /// The last lines, without blank ones, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let from = self.bytes.len().saturating_sub(BYTES);
        let text = String::from_utf8_lossy(&self.bytes[from..]);
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        if (self.cut || from > 0) && lines.len() > 1 {
            // Most likely the middle of a line.
            lines.remove(0);
        }
        lines.retain(|line| !line.is_empty());
        lines.drain(..lines.len().saturating_sub(LINES));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pieces: &[&str]) -> Vec<String> {
        let mut last = LastLines::default();
        for piece in pieces {
            last.push(piece.as_bytes());
        }
        assert!(last.bytes.len() <= 2 * BYTES);
        last.lines()
    }

    #[test]
    fn few_lines_are_kept_whole() {
        assert_eq!(after(&[]), [""; 0]);
        assert_eq!(after(&["one\ntw", "o\r\n\n", "three"]), ["one", "two", "three"]);
    }

    #[test]
    fn of_many_lines_the_last_are_kept() {
        let lines: Vec<String> = (0..10_000).map(|n| format!("line {n}")).collect();
        let (text, expected) = (lines.join("\n"), &lines[9_990..]);
        for size in [1, 7, 1000, 3000, 1 << 20] {
            let pieces: Vec<&str> =
                text.as_bytes().chunks(size).map(|piece| str::from_utf8(piece).unwrap()).collect();
            assert_eq!(after(&pieces), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn of_an_endless_line_its_end_is_kept() {
        let endless = "x".repeat(BYTES + 5);
        assert_eq!(after(&[&endless]), ["x".repeat(BYTES)]);
        assert_eq!(after(&[&endless, "\nend"]), ["end"]);
    }
}
