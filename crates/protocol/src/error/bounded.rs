//! An error as it goes into a message: every fact, and as much of the texts as fits.

use super::{Failure, JobError};
use crate::message::cut;

/// A message, a backtrace, a reason.
const LONG: usize = 8 * 1024;

/// Any other text: the name of a task, a label, a location, a line of last words.
const SHORT: usize = 512;

/// How many bytes all names of a cycle may have.
const NAMES: usize = 6 * 1024;

/// How many members of a cycle, or ends of workers, are told.
const MOST_LISTED: usize = 1000;

/// How many bytes of last words are told; the last ones.
const LAST_WORDS: usize = 5 * 1024;

impl JobError {
    /// The most bytes that a [bounded](JobError::bounded) error is encoded in. Two of them may be under way
    /// to a worker beside its frames.
    pub const LARGEST: usize = 26 * 1024;

    /// The same error, with texts so short that it fits [`LARGEST`](JobError::LARGEST) bytes. Only texts
    /// are cut, and lists of more members or ends than anybody reads.
    ///
    /// ```
    /// use brigade_protocol::codec::encode;
    /// use brigade_protocol::error::{Failure, JobError};
    /// use brigade_protocol::id::JobId;
    ///
    /// let why = Failure::Refused("no ".repeat(1_000_000));
    /// let error = JobError::unstarted(JobId(1), "pow".into(), None, why).bounded();
    /// assert!(encode(&error)?.len() <= JobError::LARGEST);
    /// assert!(error.cause().starts_with("no no no "));
    /// # Ok::<(), brigade_protocol::codec::EncodeError>(())
    /// ```
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let facts = &mut *self.0;
        shorten(&mut facts.task, SHORT);
        if let Some(label) = &mut facts.label
            && label.len() > SHORT
        {
            *label = cut(std::mem::take(label).into_string(), SHORT).into_boxed_str();
        }
        match &mut facts.failure {
            Failure::Failed(error) | Failure::Panicked(error) | Failure::Undecodable(error) => {
                shorten(&mut error.message, LONG);
                error.location.iter_mut().for_each(|text| shorten(text, SHORT));
                error.backtrace.iter_mut().for_each(|text| shorten(text, LONG));
            }
            Failure::PoolGaveUp(reason) | Failure::Refused(reason) => {
                shorten(reason, LONG);
            }
            Failure::Quarantined(exits) => {
                // The last one is the one that is told in words.
                exits.drain(..exits.len().saturating_sub(MOST_LISTED));
            }
            Failure::Deadlock(cycle) => {
                cycle.truncate(MOST_LISTED);
                let most = NAMES / cycle.len().max(1);
                for member in cycle {
                    shorten(&mut member.name, most);
                }
            }
            Failure::Crashed(_) | Failure::TimedOut(_) | Failure::Cancelled => {}
        }
        keep_last(&mut facts.last_words);
        self
    }
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        *text = cut(std::mem::take(text), most);
    }
}

/// Leaves as many of the last lines as there is room for.
fn keep_last(lines: &mut Vec<String>) {
    /// What the length of a line takes, at the most.
    const LENGTH: usize = 3;
    let mut left = LAST_WORDS;
    let mut kept = 0;
    for line in lines.iter_mut().rev() {
        shorten(line, SHORT);
        let Some(rest) = left.checked_sub(line.len() + LENGTH) else { break };
        left = rest;
        kept += 1;
    }
    lines.drain(..lines.len() - kept);
}
