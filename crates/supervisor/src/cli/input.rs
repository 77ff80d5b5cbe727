//! Jobs from a file or from standard input, one a line: JSON, or, for commands, text as it is.
//!
//! The reader never holds more than one line and one buffer, and tells before each read that may
//! block. It checks that a line is JSON, because only here the place of a mistake is known; what the
//! arguments mean is the worker's business. Of text nothing is changed: no byte order mark, no carriage
//! return, no blank is taken away, since all of them may be in names.

use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::path::Path;

use serde::de::IgnoredAny;

/// The longest line, in bytes. It is enforced while the line is gathered, not afterwards.
const LONGEST: usize = 16 * 1024 * 1024;

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// Why the input cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    /// The file cannot be opened.
    #[error("cannot open {name}: {source}")]
    Open { name: String, source: io::Error },
    /// The system's fault.
    #[error("cannot read {name}{}: {source}", after(*line))]
    Read { name: String, line: u64, source: io::Error },
    /// The writer's fault.
    #[error("{name}, line {line}, column {column}: {problem}")]
    Malformed { name: String, line: u64, column: usize, problem: String },
    /// A line that may have no end.
    #[error("{name}, line {line}: longer than {} MiB", LONGEST / 1024 / 1024)]
    TooLong { name: String, line: u64 },
}

fn after(line: u64) -> String {
    if line == 0 { String::new() } else { format!(" after line {line}") }
}

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, one value a line.
    Json,
    /// Any bytes, up to this one.
    Text { end: u8 },
}

/// Reads lines.
pub(super) struct LineReader {
    /// What the input is called in messages.
    name: String,
    from: Box<dyn Read + Send>,
    format: Format,
    buffer: Box<[u8]>,
    /// What of the buffer has not been used yet.
    unused: std::ops::Range<usize>,
    ended: bool,
    line: Vec<u8>,
    /// The line is whole, and the next step begins a new one.
    whole: bool,
    number: u64,
}

/// What [`LineReader::step`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// [`LineReader::line`] is the next job.
    Line,
    /// Nothing more without [`LineReader::fill`], which may block.
    Hungry,
    /// There are no more lines.
    End,
}

impl LineReader {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, InputError> {
        if path.as_os_str() == "-" {
            return Ok(Self::standard(format));
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Self::new(name, Box::new(file), format)),
            Err(source) => Err(InputError::Open { name, source }),
        }
    }

    /// Reads standard input.
    pub(super) fn standard(format: Format) -> Self {
        Self::new("standard input".to_owned(), Box::new(io::stdin()), format)
    }

    fn new(name: String, from: Box<dyn Read + Send>, format: Format) -> Self {
        Self {
            name,
            from,
            format,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            unused: 0..0,
            ended: false,
            line: Vec::new(),
            whole: true,
            number: 0,
        }
    }

    /// Goes on to the next line that is not blank, as far as it gets without reading.
    pub(super) fn step(&mut self) -> Result<Step, InputError> {
        loop {
            if self.whole {
                self.line.clear();
                self.line.shrink_to(BUFFER);
                self.whole = false;
            }
            self.gather()?;
            let terminated = self.line.last() == Some(&self.end());
            if !terminated && !self.ended {
                return Ok(Step::Hungry);
            }
            if self.line.is_empty() {
                return Ok(Step::End);
            }
            self.whole = true;
            self.number += 1;
            if matches!(self.format, Format::Text { .. }) {
                self.line.truncate(self.line.len() - usize::from(terminated));
                if self.line.is_empty() {
                    continue;
                }
                return Ok(Step::Line);
            }
            if self.number == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                self.check()?;
                return Ok(Step::Line);
            }
        }
    }

    /// What the lines are.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The JSON text of the line that the last step came to.
    pub(super) fn line(&self) -> &str {
        // `check` has seen that it is UTF-8.
        str::from_utf8(&self.line).map_or("", str::trim_ascii)
    }

    /// The line that the last step came to, whatever is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.line
    }

    /// The byte that ends a line.
    fn end(&self) -> u8 {
        match self.format {
            Format::Json => b'\n',
            Format::Text { end } => end,
        }
    }

    /// Reads once, which may block.
    pub(super) fn fill(&mut self) -> Result<(), InputError> {
        let count = loop {
            match self.from.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = count.map_err(|source| InputError::Read {
            name: self.name.clone(),
            line: self.number,
            source,
        })?;
        self.ended = count == 0;
        self.unused = 0..count;
        Ok(())
    }

    /// Moves what the buffer has of the current line to the line.
    fn gather(&mut self) -> Result<(), InputError> {
        let end = self.end();
        let mut rest = &self.buffer[self.unused.clone()];
        let moved = rest.read_until(end, &mut self.line).unwrap_or_else(|_| {
            unreachable!("reading from memory does not fail");
        });
        self.unused.start += moved;
        if self.line.len() > LONGEST {
            return Err(InputError::TooLong { name: self.name.clone(), line: self.number + 1 });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), InputError> {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (column, problem) = match str::from_utf8(line) {
            Err(error) => {
                let valid = line.get(..error.valid_up_to()).unwrap_or_default();
                (String::from_utf8_lossy(valid).chars().count() + 1, "not UTF-8".to_owned())
            }
            Ok(text) => match serde_json::from_str::<IgnoredAny>(text) {
                Ok(IgnoredAny) => return Ok(()),
                Err(error) => explain(text, &error),
            },
        };
        Err(InputError::Malformed { name: self.name.clone(), line: self.number, column, problem })
    }
}

/// The column, in characters from one, and the problem in words.
fn explain(text: &str, error: &serde_json::Error) -> (usize, String) {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(&*message, |(problem, _)| problem);
    if error.is_eof() {
        let inside = message.strip_prefix("EOF while parsing ").unwrap_or("a value");
        return (text.chars().count() + 1, format!("the line ends inside {inside}"));
    }
    let before = text.bytes().take(error.column().saturating_sub(1));
    // Every character has one byte that does not continue another.
    let column = before.filter(|byte| byte & 0xc0 != 0x80).count() + 1;
    (column, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its text in pieces of this many bytes.
    struct Pieces(io::Cursor<Vec<u8>>, usize);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    fn reader(bytes: &[u8], size: usize, format: Format) -> LineReader {
        let from = Pieces(io::Cursor::new(bytes.to_vec()), size);
        LineReader::new("jobs.jsonl".to_owned(), Box::new(from), format)
    }

    fn read_in_pieces(bytes: &[u8], size: usize) -> (Vec<String>, Option<String>) {
        let mut reader = reader(bytes, size, Format::Json);
        let mut lines = Vec::new();
        loop {
            match reader.step() {
                Ok(Step::Line) => lines.push(reader.line().to_owned()),
                Ok(Step::Hungry) => reader.fill().unwrap(),
                Ok(Step::End) => return (lines, None),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
    }

    fn read(bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let whole = read_in_pieces(bytes, BUFFER);
        for size in [1, 2, 3, 7] {
            assert_eq!(read_in_pieces(bytes, size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn lines_are_jobs() {
        let cases: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("\n \r\n\t\n", &[]),
            ("1\n2\n", &["1", "2"]),
            ("1\n2", &["1", "2"]),
            ("\u{feff}1\r\n2\r\n", &["1", "2"]),
            ("\u{feff}", &[]),
            ("\u{feff}\n1", &["1"]),
            ("  [1, \"a\"] \n\n{\"x\": null}\n", &["[1, \"a\"]", "{\"x\": null}"]),
            ("\"a\\nb\"\n", &["\"a\\nb\""]),
        ];
        for (text, jobs) in cases {
            let (lines, error) = read(text.as_bytes());
            assert_eq!(error, None, "{text:?}");
            assert_eq!(lines, jobs, "{text:?}");
        }
    }

    #[test]
    fn text_is_read_as_it_is() {
        type Lines = &'static [&'static [u8]];
        let cases: [(&[u8], u8, Lines); 5] = [
            (b"", b'\n', &[]),
            (b"\n\n0123\n\n1e3\ntrue", b'\n', &[b"0123", b"1e3", b"true"]),
            (b" a  b \n\"x\r\n \n", b'\n', &[b" a  b ", b"\"x\r", b" "]),
            (b"\xef\xbb\xbfa\n\xff\0\n", b'\n', &[b"\xef\xbb\xbfa", b"\xff\0"]),
            (b"a\nb\0\0c\n\0d", 0, &[b"a\nb", b"c\n", b"d"]),
        ];
        for (bytes, end, expected) in cases {
            for size in [1, 2, 3, BUFFER] {
                let mut reader = reader(bytes, size, Format::Text { end });
                let mut lines = Vec::new();
                loop {
                    match reader.step().unwrap() {
                        Step::Line => lines.push(reader.bytes().to_vec()),
                        Step::Hungry => reader.fill().unwrap(),
                        Step::End => break,
                    }
                }
                assert_eq!(lines, expected, "{bytes:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_bad_line_is_reported_with_its_place() {
        let cases: [(&[u8], &str); 14] = [
            (b"1\nabc\n", "line 2, column 1: expected value"),
            (b"1\n\n  x\n", "line 3, column 3: expected value"),
            (b"[1, 2\n", "line 1, column 6: the line ends inside a list"),
            (b"[1, 2\r\n", "line 1, column 6: the line ends inside a list"),
            (b"{\"a\": 1", "line 1, column 8: the line ends inside an object"),
            (b"\"open\n", "line 1, column 6: the line ends inside a string"),
            (b"[1 2]\n", "line 1, column 4: expected `,` or `]`"),
            (b"1 2\n", "line 1, column 3: trailing characters"),
            (b"{a: 1}\n", "line 1, column 2: key must be a string"),
            ("[\"ää\", x]\n".as_bytes(), "line 1, column 8: expected value"),
            (b"1\n\"\xc3\xa4\xff\"\n", "line 2, column 3: not UTF-8"),
            (b"\xff\xfe1\0", "line 1, column 1: not UTF-8"),
            (b"\0\n", "line 1, column 1: expected value"),
            (b"1\n\xef\xbb\xbf2\n", "line 2, column 1: expected value"),
        ];
        for (bytes, message) in cases {
            let (_, error) = read(bytes);
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(error.as_deref(), Some(&*format!("jobs.jsonl, {message}")), "{text:?}");
        }
    }

    #[test]
    fn jobs_before_a_bad_line_are_given() {
        let (lines, error) = read(b"1\n2\nx\n4\n");
        assert_eq!(lines, ["1", "2"]);
        assert!(error.is_some());
    }

    #[test]
    fn an_endless_line_is_refused_before_it_is_held() {
        let mut reader = LineReader::new("x".to_owned(), Box::new(io::repeat(b'[')), Format::Json);
        let error = loop {
            match reader.step() {
                Ok(step) => assert_eq!(step, Step::Hungry),
                Err(error) => break error,
            }
            reader.fill().unwrap();
        };
        assert_eq!(error.to_string(), "x, line 1: longer than 16 MiB");
        assert!(reader.line.capacity() <= 2 * LONGEST + BUFFER);
    }

    #[test]
    fn a_deep_line_is_no_danger() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        let (lines, error) = read_in_pieces(deep.as_bytes(), BUFFER);
        assert_eq!((lines.len(), error), (1, None));
    }
}
