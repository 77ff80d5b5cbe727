//! The display at the bottom of a terminal: some lines that are redrawn in place.
//!
//! The cursor rests below the last line, so that the `^C` or `^Z` that the terminal echoes does not
//! spoil the display. Long lines are clipped by the terminal (wrapping is off while drawing), so
//! that the number of rows to go back is known whatever the characters' widths.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Lines on the screen.
#[derive(Debug, Default)]
pub(super) struct Display {
    lines: Vec<String>,
    /// Rows that are on the screen now.
    rows: usize,
}

impl Display {
    /// Replaces the lines.
    pub(super) fn show(&mut self, lines: Vec<String>) {
        self.lines = lines;
        self.draw();
    }

    /// Removes the lines for good.
    pub(super) fn close(&mut self) {
        self.show(Vec::new());
    }

    /// Calls `act` while the lines are away.
    pub(super) fn suspend<R>(&mut self, act: impl FnOnce() -> R) -> R {
        if self.rows > 0 {
            write(&self.go_back());
            self.rows = 0;
        }
        let result = act();
        self.draw();
        result
    }

    fn draw(&mut self) {
        if self.rows > 0 || !self.lines.is_empty() {
            write(&self.picture());
            self.rows = self.lines.len();
        }
    }

    /// The lines in place of those that are on the screen.
    fn picture(&self) -> String {
        let mut text = self.go_back();
        if !self.lines.is_empty() {
            text.push_str("\x1b[?7l");
            for line in &self.lines {
                text.push_str(line);
                text.push_str("\r\n");
            }
            text.push_str("\x1b[?7h");
        }
        text
    }

    /// Goes back to the first row and erases what is there and below.
    fn go_back(&self) -> String {
        let mut text = String::new();
        if self.rows > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "\r\x1b[{}A\x1b[J", self.rows);
        }
        text
    }
}

/// In one piece, so that nothing flickers. A terminal that is gone is somebody else's concern.
fn write(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Rows and columns of the terminal.
pub(super) fn size() -> (usize, usize) {
    rustix::termios::tcgetwinsize(io::stderr())
        .ok()
        .filter(|size| size.ws_row > 0 && size.ws_col > 0)
        .map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_redrawn_in_place() {
        let mut display = Display { lines: vec!["a".to_owned(), "b".to_owned()], rows: 0 };
        assert_eq!(display.picture(), "\x1b[?7la\r\nb\r\n\x1b[?7h");
        display.rows = 2;
        assert_eq!(display.picture(), "\r\x1b[2A\x1b[J\x1b[?7la\r\nb\r\n\x1b[?7h");
        display.lines.clear();
        assert_eq!(display.picture(), "\r\x1b[2A\x1b[J");
    }
}
