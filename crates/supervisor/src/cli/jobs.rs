//! Where a run's jobs come from.

use std::ffi::OsString;
use std::path::Path;

use brigade_protocol::message::TaskInfo;

use super::args::{Args, Output};
use super::escape;
use super::input::{Format, LineReader};
use super::template::Template;

/// The task whose jobs are made here, and whose outputs are summed.
pub(super) const PRIME_COUNT: &str = "prime-count";

/// The task that runs what stands behind `--`, and whose outputs are printed as they are.
pub(super) const COMMAND: &str = "command";

const LIMIT: u64 = 1_000_000_000;
const SEGMENT: u64 = 10_000_000;

/// A run's jobs, none of them made before it is wanted.
pub(super) enum Source {
    /// A single job without arguments.
    Once,
    /// A job for each word of the command line.
    Words(Vec<String>),
    /// The numbers below a limit, so many at a time.
    Segments(Segments),
    /// A job for each line of the input.
    Lines(LineReader),
    /// A command for each word of the command line.
    CommandsOfWords(Template, Vec<OsString>),
    /// A command for each line of the input.
    CommandsOfLines(Template, LineReader),
}

/// How the arguments of the jobs are written where they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// As JSON.
    Json,
    /// As words, each of which may be JSON.
    Word,
    /// As text, whatever it looks like.
    Text,
}

impl Source {
    /// What the command line asks for. `input` is the opened `--jobs`.
    ///
    /// # Errors
    ///
    /// A message if there is nothing to run.
    pub(super) fn plan(
        args: &Args,
        task: &TaskInfo,
        input: Option<LineReader>,
    ) -> Result<Self, String> {
        let template = is_filled_in(args).then(|| Template::new(&args.command));
        match (template, input) {
            (Some(template), Some(input)) => return Ok(Self::CommandsOfLines(template, input)),
            (Some(template), None) => {
                return Ok(Self::CommandsOfWords(template, args.jobs.clone()));
            }
            (None, Some(input)) => return Ok(Self::Lines(input)),
            (None, None) => {}
        }
        if !args.jobs.is_empty() {
            // That they are text has been seen to.
            let words = args.jobs.iter().map(|job| job.to_string_lossy().into_owned());
            return Ok(Self::Words(words.collect()));
        }
        if task.name == PRIME_COUNT {
            let limit = args.limit.unwrap_or(LIMIT);
            return Ok(Self::Segments(Segments::new(limit, args.segment.unwrap_or(SEGMENT))));
        }
        if task.parameters.is_empty() {
            return Ok(Self::Once);
        }
        let names: Vec<_> = task.parameters.iter().map(|parameter| &*parameter.name).collect();
        let (name, names) = (escape::line(&task.name), escape::line(&names.join(", ")));
        let (takes, job) = match task.parameters.len() {
            1 => (format!("1 argument ({names})"), names.to_uppercase()),
            count => (format!("{count} arguments ({names})"), format!("'[{names}]'")),
        };
        Err(format!(
            "there are no jobs: {name} takes {takes}; give each job as an argument \
             (supervisor --task {name} {job} …) or as a line of JSON (--jobs FILE, --jobs - for \
             standard input)"
        ))
    }

    /// How many jobs there are, if that is known before they have all been read.
    pub(super) fn total(&self) -> Option<u64> {
        match self {
            Self::Once => Some(1),
            Self::Words(words) => u64::try_from(words.len()).ok(),
            Self::CommandsOfWords(_, words) => u64::try_from(words.len()).ok(),
            Self::Segments(segments) => Some(segments.left()),
            Self::Lines(_) | Self::CommandsOfLines(..) => None,
        }
    }

    /// How the arguments are written.
    pub(super) fn written(&self) -> Written {
        match self {
            Self::Words(_) => Written::Word,
            Self::CommandsOfWords(..) => Written::Text,
            Self::CommandsOfLines(_, lines) if lines.format() != Format::Json => Written::Text,
            Self::Once | Self::Segments(_) | Self::Lines(_) | Self::CommandsOfLines(..) => {
                Written::Json
            }
        }
    }
}

/// Whether the outputs are added up instead of printed.
pub(super) fn is_summed(args: &Args) -> bool {
    args.task.as_deref() == Some(PRIME_COUNT) && args.output == Output::Plain
}

/// Whether outputs are printed as they are, without a line end of ours.
pub(super) fn is_raw(args: &Args) -> bool {
    args.task.as_deref() == Some(COMMAND)
}

/// Whether jobs are made by filling in the command behind `--`.
pub(super) fn is_filled_in(args: &Args) -> bool {
    args.task.as_deref() == Some(COMMAND) && !args.command.is_empty()
}

/// What the lines of an input are: jobs are JSON, and so are the inputs of commands if the file's name says
/// so.
pub(super) fn format(args: &Args, path: &Path) -> Format {
    let is_json = path.extension().is_some_and(|ending| {
        ["jsonl", "ndjson"].iter().any(|known| ending.eq_ignore_ascii_case(known))
    });
    if is_filled_in(args) && (args.null || !is_json) { text(args) } else { Format::Json }
}

/// Inputs of commands, as they come from elsewhere.
pub(super) fn text(args: &Args) -> Format {
    Format::Text { end: if args.null { 0 } else { b'\n' } }
}

/// `[0, s)`, `[s, 2s)`, … up to a limit, as JSON arguments.
pub(super) struct Segments {
    from: u64,
    limit: u64,
    segment: u64,
}

impl Segments {
    fn new(limit: u64, segment: u64) -> Self {
        Self { from: 0, limit, segment }
    }

    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.from).div_ceil(self.segment)
    }
}

impl Iterator for Segments {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let from = self.from;
        if from >= self.limit {
            return None;
        }
        self.from = from.saturating_add(self.segment).min(self.limit);
        Some(format!("[{from},{}]", self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_the_numbers_once() {
        let segments = |limit, segment| Segments::new(limit, segment).collect::<Vec<_>>();
        assert_eq!(segments(25, 10), ["[0,10]", "[10,20]", "[20,25]"]);
        assert_eq!(segments(20, 10), ["[0,10]", "[10,20]"]);
        assert_eq!(segments(1, 10), ["[0,1]"]);
        assert_eq!(segments(0, 10), [""; 0]);
        assert_eq!(segments(1 << 63, 1 << 63).len(), 1);
    }

    #[test]
    fn the_total_is_known_beforehand() {
        for (limit, segment, total) in [(25, 10, 3), (20, 10, 2), (0, 1, 0), (1 << 63, 1, 1 << 63)]
        {
            assert_eq!(Segments::new(limit, segment).left(), total);
        }
    }
}
