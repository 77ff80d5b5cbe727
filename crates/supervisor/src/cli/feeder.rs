//! The feeder thread: takes jobs from their source and pushes them into the stream.
//!
//! A read from a pipe may block for ever, and a stream ends only when its feed is gone. So while it
//! reads, the feeder lends its feed to the [`Intake`], and whoever closes the intake takes the feed
//! from there:
//!
//! ```text
//!  pushing ── flush, lend ──▶ reading ── read, take back ──▶ pushing
//!                                │ closed meanwhile
//!                                ▼
//!                             the feed is gone; nobody joins this thread
//! ```

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use brigade_worker::builtin::Value;

use super::input::{Format, InputError, LineReader, Step};
use super::jobs::Source;
use super::template::Template;
use super::texts::Texts;
use crate::{Feed, Job};

/// What the other threads see of the feeder.
#[derive(Default)]
pub(super) struct Intake {
    closed: AtomicBool,
    lent: Mutex<Option<Feed>>,
    pushed: AtomicU64,
    ended: AtomicBool,
    error: Mutex<Option<InputError>>,
}

impl Intake {
    /// Reads no more input. Never blocks.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let feed = self.lent.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(feed);
    }

    /// How many jobs have been pushed.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }

    /// All jobs have been pushed.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What was wrong with the input.
    pub(super) fn take_error(&self) -> Option<InputError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// No more input is read, because the run was stopped or the pool gave up.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn lend(&self, feed: Feed) {
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
        if self.is_closed() {
            // Closed between the last look and the lending: nobody else takes it.
            self.close();
        }
    }

    fn take_back(&self) -> Option<Feed> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Starts the thread. It is not to be joined: it may hang in a read.
pub(super) fn start(
    task: &'static str,
    source: Source,
    feed: Feed,
    texts: Arc<Texts>,
    intake: Arc<Intake>,
) -> io::Result<()> {
    let feeder = Feeder { task, feed: Some(feed), texts, intake };
    thread::Builder::new().name("feeder".to_owned()).spawn(move || feeder.run(source))?;
    Ok(())
}

struct Feeder {
    task: &'static str,
    /// Gone once the intake was closed during a read.
    feed: Option<Feed>,
    texts: Arc<Texts>,
    intake: Arc<Intake>,
}

impl Feeder {
    fn run(mut self, source: Source) {
        if let Err(error) = self.feed_all(source) {
            *self.intake.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        self.intake.ended.store(true, Ordering::Release);
        // The stream ends with the feed, so how the input ended must be known before.
        drop(self.feed.take());
    }

    fn feed_all(&mut self, source: Source) -> Result<(), InputError> {
        match source {
            Source::Once => self.push_json("[]"),
            Source::Words(words) => {
                // All of them even if the intake is closed, so that each gets its record.
                for word in words {
                    self.push(&word, word.len(), Job::word(self.task, &*word));
                }
            }
            Source::CommandsOfWords(template, words) => {
                for word in words {
                    self.push_command(&template, word.as_bytes());
                }
            }
            Source::Segments(segments) => {
                for segment in segments {
                    if self.intake.is_closed() {
                        break;
                    }
                    self.push_json(&segment);
                }
            }
            Source::Lines(lines) => self.feed_lines(lines, None)?,
            Source::CommandsOfLines(template, lines) => self.feed_lines(lines, Some(&template))?,
        }
        Ok(())
    }

    fn feed_lines(
        &mut self,
        mut lines: LineReader,
        template: Option<&Template>,
    ) -> Result<(), InputError> {
        while !self.intake.is_closed() {
            match lines.step()? {
                Step::End => break,
                Step::Line => match template {
                    None => self.push_json(lines.line()),
                    Some(template) => self.push_line(template, &lines),
                },
                Step::Hungry => {
                    if let Some(mut feed) = self.feed.take() {
                        feed.flush();
                        self.intake.lend(feed);
                    }
                    let filled = lines.fill();
                    self.feed = self.intake.take_back();
                    filled?;
                }
            }
        }
        Ok(())
    }

    fn push_json(&mut self, text: &str) {
        self.push(text, text.len(), Job::json(self.task, text));
    }

    /// A command for a line: for the text that it is, or for the value that its JSON stands for.
    fn push_line(&mut self, template: &Template, lines: &LineReader) {
        if matches!(lines.format(), Format::Text { .. }) {
            return self.push_command(template, lines.bytes());
        }
        // That it is JSON the reader has seen.
        let Ok(value) = Value::from_json(lines.line()) else { return };
        let arguments = template.arguments(value.text().as_bytes());
        self.push(lines.line(), arguments.len(), Job::json(self.task, arguments));
    }

    fn push_command(&mut self, template: &Template, input: &[u8]) {
        let arguments = template.arguments(input);
        let text = String::from_utf8_lossy(input);
        self.push(&text, arguments.len(), Job::json(self.task, arguments));
    }

    /// Pushes a job that was given as `text` and has so many bytes of arguments.
    fn push(&mut self, text: &str, bytes: usize, job: Job<String>) {
        if let Some(feed) = &mut self.feed {
            let number = self.intake.pushed.fetch_add(1, Ordering::Relaxed) + 1;
            self.texts.keep(number, text, bytes);
            feed.push(number, job);
        }
    }
}
