//! One run of the program, from the command line to the exit code.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Instant;

use brigade_protocol::message::TaskInfo;
use clap::error::ErrorKind;

use super::args::{self, Args};
use super::captured::{self, Captured, Lines};
use super::feeder::{self, Intake};
use super::input::{InputError, LineReader};
use super::jobs::{self, Source};
use super::progress::Progress;
use super::report::{Report, Reported, Sum};
use super::screen::Screen;
use super::signals::{Reins, Signals, Watch};
use super::tally::Tally;
use super::texts::Texts;
use super::{escape, tasks, template};
use crate::{Prefetch, ProcessPool, Shutdown, StartError};

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRun {
    /// The command line is wrong, or only asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The jobs cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// There is no pool.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The program itself cannot do what it must.
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
    /// The list of tasks cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// How a run ended; the graver ends come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A signal asked for it.
    Signal(i32),
    /// Nobody reads the results any more.
    ReaderGone,
    /// Results could not be written.
    NotWritten,
    /// The pool gave up.
    GaveUp,
    /// The input was wrong somewhere.
    BadInput,
    /// Some jobs gave no result.
    Unsuccessful,
    /// All jobs succeeded.
    Success,
}

/// Runs what the command line asks for.
pub(super) fn run(args: &Args) -> Result<End, NoRun> {
    // From here on signals are kept: none may come between the start of the pool and its watch.
    let mut signals =
        Signals::catch().map_err(|source| NoRun::System { what: "catch signals", source })?;
    let input = open_input(args)?;
    let screen = Arc::new(Screen::new(args.quiet));
    let (lines, captured) = captured::queue();
    let began = Instant::now();
    let pool = match (start_pool(args, lines.clone()), signals.come()) {
        (Ok(pool), None) => pool,
        // It went to the whole group, and the fork server was not yet in its own.
        (_, Some(signal)) => return Ok(End::Signal(signal)),
        (Err(error), None) => return Err(error.into()),
    };
    if args.list_tasks {
        let list = tasks::list(pool.tasks());
        screen.write_results(list.as_bytes()).map_err(NoRun::Output)?;
        return Ok(End::Success);
    }
    let task = find_task(args, pool.tasks())?;
    let source = Source::plan(args, task, input)
        .map_err(|message| args::usage(ErrorKind::MissingRequiredArgument, message))?;
    // Every job names its task, and the program ends with the run.
    let task: &'static str = Box::leak(task.name.clone().into_boxed_str());
    Run { args, task, screen, lines, began, tally: Arc::default(), intake: Arc::default() }
        .run(pool, source, captured, signals)
        .map_err(|source| NoRun::System { what: "start a thread", source })
}

/// What the jobs are read from, if they are. Before anything is started: a command must be there to be run.
fn open_input(args: &Args) -> Result<Option<LineReader>, NoRun> {
    let is_filled_in = jobs::is_filled_in(args) && !args.list_tasks;
    if is_filled_in && let Some(program) = args.command.first() {
        template::check_program(program)
            .map_err(|message| args::usage(ErrorKind::InvalidValue, message))?;
    }
    match &args.file {
        Some(path) => Ok(Some(LineReader::open(path, jobs::format(args, path))?)),
        None if is_filled_in && args.jobs.is_empty() => {
            if io::stdin().is_terminal() {
                let message = "there are no inputs: give them before --, or in a file (--jobs FILE), or on \
                               standard input, which is a terminal now";
                return Err(args::usage(ErrorKind::MissingRequiredArgument, message).into());
            }
            Ok(Some(LineReader::standard(jobs::text(args))))
        }
        None => Ok(None),
    }
}

fn start_pool(args: &Args, lines: Lines) -> Result<ProcessPool, StartError> {
    let mut builder = ProcessPool::builder()
        .threads_per_worker(args.threads_per_worker)
        .retries(args.retries)
        .crash_retries(args.crash_retries)
        .adopt_orphans(true);
    let quiet = args.quiet;
    builder = builder.on_output(move |line| {
        if !quiet {
            lines.put(&line);
        }
    });
    if args.list_tasks {
        builder = builder.workers(1);
    } else if let Some(workers) = args.workers {
        builder = builder.workers(usize::from(workers));
    }
    if let Some(limit) = args.timeout {
        builder = builder.timeout(limit);
    }
    if let Some(most) = args.prefetch {
        builder = builder.prefetch(Prefetch::AtMost(most));
    }
    if let Some(most) = args.batch {
        builder = builder.batch(most.get());
    }
    if let Some(program) = &args.worker {
        builder = builder.program(program);
    }
    builder.build()
}

fn find_task<'a>(args: &Args, tasks: &'a [TaskInfo]) -> Result<&'a TaskInfo, clap::Error> {
    let name = args.task.as_deref().unwrap_or_default();
    tasks::find(tasks, name).map_err(|message| args::usage(ErrorKind::InvalidValue, message))
}

/// A run whose pool is up.
struct Run<'a> {
    args: &'a Args,
    task: &'static str,
    screen: Arc<Screen>,
    lines: Lines,
    began: Instant,
    tally: Arc<Tally>,
    intake: Arc<Intake>,
}

impl Run<'_> {
    fn run(
        self,
        pool: ProcessPool,
        source: Source,
        captured: Captured,
        signals: Signals,
    ) -> io::Result<End> {
        let total = source.total();
        let texts = Arc::new(Texts::default());
        let report = self.report(&source, &texts);
        let watch = signals.watch(Reins {
            control: pool.control(),
            grace: self.args.grace,
            intake: Arc::clone(&self.intake),
            screen: Arc::clone(&self.screen),
        })?;
        let progress = Progress {
            total,
            control: pool.control(),
            captured,
            texts: Arc::clone(&texts),
            tally: Arc::clone(&self.tally),
            intake: Arc::clone(&self.intake),
            screen: Arc::clone(&self.screen),
        };
        let progress = progress.start()?;
        let (feed, settlements) = pool.stream();
        feeder::start(self.task, source, feed, texts, Arc::clone(&self.intake))?;

        let reported = report.run(&settlements);
        drop(settlements);
        let reported = self.end_pool(pool, reported);
        self.lines.end();
        // A panic there has been told by the panic hook.
        drop(progress.join());
        Ok(self.conclude(total, reported, &watch))
    }

    /// Ends the pool after the last report, or at once if reporting failed.
    fn end_pool(&self, pool: ProcessPool, reported: io::Result<Reported>) -> io::Result<Reported> {
        match reported {
            Ok(mut reported) => {
                // With no job under way, no settlement brought the reason.
                reported.gave_up = reported.gave_up.or_else(|| pool.gave_up().map(str::to_owned));
                pool.shutdown(Shutdown::Drain);
                Ok(reported)
            }
            Err(error) => {
                self.intake.close();
                if is_reader_gone(&error) {
                    self.screen.mute();
                }
                pool.abort();
                Err(error)
            }
        }
    }

    fn report(&self, source: &Source, texts: &Arc<Texts>) -> Report {
        Report {
            task: self.task,
            output: self.args.output,
            keep_order: self.args.keep_order,
            sum: jobs::is_summed(self.args).then(Sum::default),
            raw: jobs::is_raw(self.args),
            written: source.written(),
            texts: Arc::clone(texts),
            tally: Arc::clone(&self.tally),
            intake: Arc::clone(&self.intake),
            screen: Arc::clone(&self.screen),
        }
    }

    /// Says how it went, and prints the sum if there is one.
    fn conclude(&self, total: Option<u64>, reported: io::Result<Reported>, watch: &Watch) -> End {
        let input_error = self.intake.take_error();
        let Reported { sum, gave_up } = match reported {
            Ok(reported) => reported,
            Err(error) => return self.not_written(&error, watch),
        };
        if let Some(total) = total {
            self.tally.count_not_run(total.saturating_sub(self.intake.pushed()));
        }
        let stopped = watch.first().is_some() || gave_up.is_some() || input_error.is_some();
        let complete = self.tally.unsuccessful() == 0 && !stopped;
        if let Some(error) = &input_error {
            self.screen.error(&escape::lines(&error.to_string()));
        }
        if let Some(reason) = &gave_up {
            self.screen.error(&format!("the pool gave up: {}", escape::lines(reason)));
        }
        let mut spoiled = false;
        if let Some(sum) = sum {
            spoiled = sum.spoiled;
            if complete && !spoiled {
                let sum = format!("{}\n", sum.total);
                if let Err(error) = self.screen.write_results(sum.as_bytes()) {
                    return self.not_written(&error, watch);
                }
            } else {
                self.screen.error("no sum is printed, because it would be incomplete");
            }
        }
        self.screen.tell(&self.tally.summary(self.began.elapsed()));
        match watch.first() {
            Some(signal) => End::Signal(signal),
            None if gave_up.is_some() => End::GaveUp,
            None if input_error.is_some() => End::BadInput,
            None if !complete || spoiled => End::Unsuccessful,
            None => End::Success,
        }
    }

    fn not_written(&self, error: &io::Error, watch: &Watch) -> End {
        if let Some(signal) = watch.first() {
            return End::Signal(signal);
        }
        if is_reader_gone(error) {
            return End::ReaderGone;
        }
        self.screen.error(&format!("cannot write to standard output: {error}"));
        End::NotWritten
    }
}

fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
