//! The command line: its flags, and which of them go together.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};

use super::values;

const USAGE: &str = "supervisor [OPTIONS] --task <NAME> [ARG]...
       supervisor [OPTIONS] --task <NAME> --jobs <FILE>
       supervisor [OPTIONS] --task command [INPUT]... -- <PROGRAM> [ARG]...
       supervisor --list-tasks";

const EXAMPLES: &str = "\
Examples:
  supervisor --workers 8 --task prime-count                 primes below 10^9
  supervisor --workers 8 --task prime-count --limit 1e10    primes below 10^10
  supervisor --task sleep 5 4 3 3 3                         five jobs
  supervisor --task sleep --jobs - < jobs.jsonl             a job for each line
  supervisor --task sleep --output jsonl 0.1 | jq .status   full records
  supervisor --task command *.log -- gzip -9 {}             a program for each file
  find . -print0 | supervisor --task command --null -- wc -c   the same for names from elsewhere
  supervisor --list-tasks                                   what tasks there are

A job's arguments are a JSON array (by position), an object (by name) or any other value (the only
argument). Results go to standard output, everything else to standard error. Ctrl-C once finishes
what is running, twice kills it. What tasks print is shown with the worker's number before it; if it
comes faster than standard error takes it, lines are left out and counted.

--task command runs a program, without a shell, for each input: the words before --, or the lines of
--jobs FILE or of standard input, as they are (of a .jsonl file: its JSON values). {} is replaced by the
input wherever it stands; without {} the input becomes the last argument. What the program writes to
standard output is printed as one piece; an exit code other than 0 makes the job fail.

Exit codes:
  0  all jobs succeeded        3  the pool could not start, or gave up
  1  some jobs failed          4  results could not be written
  2  usage or input error     70  a bug of supervisor
  128+n  ended by signal n";

/// Runs jobs in worker processes: one that crashes takes no other with it.
#[derive(Debug, Parser)]
#[command(name = "supervisor", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(allow_negative_numbers = true, override_usage = USAGE)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// The task to run; --list-tasks shows what there is
    #[arg(long, value_name = "NAME", help_heading = "Jobs")]
    pub(super) task: Option<String>,

    /// One job each: its argument, as JSON or as a bare word
    #[arg(value_name = "ARG")]
    pub(super) jobs: Vec<OsString>,

    /// command: the program to run for each input, and its arguments, {} in the place of the input
    #[arg(value_name = "PROGRAM", last = true)]
    pub(super) command: Vec<OsString>,

    /// Read jobs from a file (- is standard input), one a line as JSON; a bad line ends the input:
    /// the jobs before it are run and reported, and the exit code is 2
    #[arg(long = "jobs", value_name = "FILE", help_heading = "Jobs", conflicts_with = "jobs")]
    pub(super) file: Option<PathBuf>,

    /// command: inputs from a file or from standard input end with a NUL byte instead of a line end,
    /// as find -print0 writes them
    #[arg(long, help_heading = "Jobs", conflicts_with = "jobs")]
    pub(super) null: bool,

    /// prime-count: count the primes below N, written 1000000 or 1e6 [default: 1e9]
    #[arg(long, value_name = "N", help_heading = "Jobs", value_parser = values::count)]
    #[arg(conflicts_with_all = ["jobs", "file"])]
    pub(super) limit: Option<u64>,

    /// prime-count: how many numbers a job looks at [default: 1e7]
    #[arg(long, value_name = "N", help_heading = "Jobs", value_parser = values::positive)]
    #[arg(conflicts_with_all = ["jobs", "file"])]
    pub(super) segment: Option<u64>,

    /// Kill an attempt that runs longer: 2.5 (seconds), 500ms, 2m [default: no limit]
    #[arg(long, value_name = "TIME", help_heading = "Jobs")]
    #[arg(value_parser = values::positive_duration)]
    pub(super) timeout: Option<Duration>,

    /// Try a job again N times after an error, a panic or a time-out
    #[arg(long, value_name = "N", help_heading = "Jobs", default_value_t = 0)]
    pub(super) retries: u32,

    /// Try a job again N times after its worker died; 0 never starts a job twice
    #[arg(long, value_name = "N", help_heading = "Jobs", default_value_t = 2)]
    pub(super) crash_retries: u32,

    /// How many worker processes, 1 to 10000 [default: the CPUs that this process may use]
    #[arg(long, value_name = "N", help_heading = "Workers")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) workers: Option<u16>,

    /// How many jobs a worker runs at once, 1 to 64
    #[arg(long, value_name = "N", help_heading = "Workers", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) threads_per_worker: u16,

    /// How many jobs may wait with a busy worker; 0 hands out one at a time [default: as measured]
    #[arg(long, value_name = "N", help_heading = "Workers")]
    pub(super) prefetch: Option<u32>,

    /// How many jobs may travel to a worker together, at least 1 [default: as measured]
    #[arg(long, value_name = "N", help_heading = "Workers")]
    pub(super) batch: Option<NonZeroUsize>,

    /// Start this worker program instead of the built-in one
    #[arg(long, value_name = "PATH", help_heading = "Workers")]
    pub(super) worker: Option<PathBuf>,

    /// How long running jobs may take to finish after Ctrl-C
    #[arg(long, value_name = "TIME", help_heading = "Workers", default_value = "10")]
    #[arg(value_parser = values::duration)]
    pub(super) grace: Duration,

    /// Print results in the order of the jobs instead of as they come
    #[arg(long, help_heading = "Output")]
    pub(super) keep_order: bool,

    /// plain prints a job's output, strings as they are and other values as JSON (for prime-count
    /// the sum); jsonl prints a JSON object for each job, with its arguments, end and times
    #[arg(long, value_name = "FORMAT", help_heading = "Output", default_value = "plain")]
    pub(super) output: Output,

    /// Nothing on standard error but errors: no progress, no summary, not what tasks print
    #[arg(long, help_heading = "Output")]
    pub(super) quiet: bool,

    /// Show the tasks and their parameters
    #[arg(long)]
    pub(super) list_tasks: bool,
}

/// What standard output looks like. (No documentation of the values: it would blow up the help.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    // A line for each output; prime-count prints the sum.
    Plain,
    // A line with a JSON object for each job.
    Jsonl,
}

impl Args {
    /// Reads the command line of this process.
    pub(super) fn read() -> Result<Self, clap::Error> {
        Self::try_parse()?.check()
    }

    /// What clap cannot express.
    fn check(mut self) -> Result<Self, clap::Error> {
        if self.list_tasks {
            return Ok(self);
        }
        let Some(task) = &self.task else {
            let message = "say which task to run with --task NAME; \
                           supervisor --list-tasks shows what tasks there are";
            return Err(usage(ErrorKind::MissingRequiredArgument, message));
        };
        if task != super::jobs::PRIME_COUNT && (self.limit.is_some() || self.segment.is_some()) {
            let message = "--limit and --segment are for --task prime-count only";
            return Err(usage(ErrorKind::ArgumentConflict, message));
        }
        if task == super::jobs::COMMAND {
            self.check_command()?;
            return Ok(self);
        }
        if self.null {
            let message = "--null is for --task command only";
            return Err(usage(ErrorKind::ArgumentConflict, message));
        }
        // Behind -- are jobs like any other, that may begin with a dash.
        self.jobs.append(&mut self.command);
        self.check_jobs()?;
        Ok(self)
    }

    /// There must be a command, unless each job brings its own.
    fn check_command(&self) -> Result<(), clap::Error> {
        if !self.command.is_empty() {
            return Ok(());
        }
        let message = if self.null {
            "--null is for the inputs of a command behind --, and there is none"
        } else if self.file.is_none() {
            "say behind -- what to run: supervisor --task command [INPUT]... -- PROGRAM [ARG]..."
        } else {
            return Ok(());
        };
        Err(usage(ErrorKind::MissingRequiredArgument, message))
    }

    /// Jobs behind `--` are in nobody's way, and the words of jobs are text.
    fn check_jobs(&self) -> Result<(), clap::Error> {
        let made_otherwise = self.file.is_some() || self.limit.is_some() || self.segment.is_some();
        if made_otherwise && !self.jobs.is_empty() {
            let message = "jobs behind -- cannot be used with --jobs, --limit or --segment";
            return Err(usage(ErrorKind::ArgumentConflict, message));
        }
        if let Some(job) = self.jobs.iter().find(|job| job.to_str().is_none()) {
            let message = format!("the job {} is not UTF-8", job.display());
            return Err(usage(ErrorKind::InvalidUtf8, message));
        }
        Ok(())
    }
}

/// A usage error that looks like clap's own.
pub(super) fn usage(kind: ErrorKind, message: impl std::fmt::Display) -> clap::Error {
    Args::command().error(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let words = std::iter::once("supervisor").chain(line.split_whitespace());
        Args::try_parse_from(words)?.check()
    }

    #[test]
    fn the_flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_line_of_the_demonstration() {
        let args = parse("--workers 8 --task prime-count").unwrap();
        assert_eq!(args.workers, Some(8));
        assert_eq!(args.grace, Duration::from_secs(10));
        assert_eq!(args.output, Output::Plain);
    }

    #[test]
    fn arguments_are_jobs() {
        let args = parse("--task sleep 5 -1 -0.5 --workers 2 word -- --odd").unwrap();
        assert_eq!(args.jobs, ["5", "-1", "-0.5", "word", "--odd"]);
        assert_eq!(args.workers, Some(2));
    }

    #[test]
    fn behind_the_dashes_is_the_command() {
        let args = parse("--task command -9 a -- gzip --force -9 {}").unwrap();
        assert_eq!(args.jobs, ["-9", "a"]);
        assert_eq!(args.command, ["gzip", "--force", "-9", "{}"]);
        assert!(parse("--task command --null --jobs - -- wc").unwrap().null);
    }

    #[test]
    fn mistakes_are_usage_errors_that_say_what_to_do() {
        let cases = [
            ("", "--list-tasks"),
            ("--workers 8", "--task NAME"),
            ("--task sleep --workers 0", "1..=10000"),
            ("--task sleep --workers 99999", "1..=10000"),
            ("--task sleep --threads-per-worker 65", "1..=64"),
            ("--task sleep --limit 5", "prime-count only"),
            ("--task prime-count --limit 1.5", "not a whole number"),
            ("--task prime-count --segment 0", "at least 1"),
            ("--task prime-count --limit 9 5", "cannot be used with"),
            ("--task sleep --jobs - 5", "cannot be used with"),
            ("--task sleep --jobs - -- 5", "cannot be used with"),
            ("--task prime-count --limit 9 -- 5", "cannot be used with"),
            ("--task command --jobs - 5 -- ls", "cannot be used with"),
            ("--task command --null 5 -- ls", "cannot be used with"),
            ("--task sleep --null --jobs -", "--task command only"),
            ("--task command a b", "behind --"),
            ("--task command", "behind --"),
            ("--task command --null --jobs -", "there is none"),
            ("--task sleep --timeout 0", "more than 0"),
            ("--task sleep --grace soon", "500ms"),
            ("--task sleep --output xml", "jsonl"),
        ];
        for (line, reason) in cases {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["--help", "--version", "--list-tasks"] {
            assert_eq!(parse(line).map_or_else(|error| error.exit_code(), |_| 0), 0, "{line}");
        }
    }
}
