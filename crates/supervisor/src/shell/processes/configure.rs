//! Telling a new fork server how it and its workers are to be, and waiting until it is so.
//!
//! While the initializer runs, the fork server is not where it receives requests, and nobody else reads
//! what it prints: so its output is read here, its death is looked for, and its time is bounded.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use brigade_protocol::codec::MESSAGE_BUDGET;
use brigade_protocol::handshake::{Reports, Requests};
use brigade_protocol::message::{
    BuildId, Configuration, ConfigurationError, Exit, Form, Hello, Initializer, Report, Request,
    TaskError,
};
use brigade_task::outside::Encoding;
use brigade_task::{Arguments, Job};
use crossbeam_channel::Receiver;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{OFlags, fcntl_setfl};

use super::launch;
use super::lines::Lines;
use crate::error::{InitializerError, StartError, quote};
use crate::shell::thread;

/// How much of what an initializer prints is kept; the rest is read and left out.
const MOST_PRINTED: usize = 1024 * 1024;
/// How long the report of a fork server that died may take to be read.
const LAST_REPORT: Duration = Duration::from_secs(1);

/// A call that the fork server or a worker makes when it starts.
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    task: Cow<'static, str>,
    form: Form,
    arguments: Result<Encoding, TaskError>,
}

impl<T, A: Arguments> From<Job<T, A>> for Preparation {
    fn from(job: Job<T, A>) -> Self {
        let (task, form, arguments, _) = job.into_parts();
        Self { task, form, arguments }
    }
}

/// How fork servers and workers are to be, in the words of the pool's owner.
pub(in crate::shell) struct Wishes {
    pub(in crate::shell) nice: i32,
    pub(in crate::shell) max_rss: Option<u64>,
    pub(in crate::shell) initializer: Option<Preparation>,
    pub(in crate::shell) worker_initializer: Option<Preparation>,
    pub(in crate::shell) own_build: BuildId,
}

/// Why a fork server is not as it is wished to be.
pub(super) enum Unconfigured {
    /// It said why.
    Refused(ConfigurationError),
    /// It does not answer. What it printed.
    Silent(Vec<u8>),
    /// It is gone, or cannot be understood. What it printed.
    Gone(Vec<u8>),
    /// It cannot even be waited for.
    Unreachable(io::Error),
}

impl Wishes {
    /// The wishes in the worker program's own terms; `None` if there are none.
    pub(super) fn configuration(&self, hello: &Hello) -> Result<Option<Configuration>, StartError> {
        let find = |wish: &Option<Preparation>| {
            wish.as_ref().map(|wish| self.find(hello, wish)).transpose()
        };
        let configuration = Configuration {
            nice: self.nice,
            max_rss: self.max_rss,
            initializer: find(&self.initializer)?,
            worker_initializer: find(&self.worker_initializer)?,
        };
        self.check_length(&configuration)?;
        Ok((configuration != Configuration::default()).then_some(configuration))
    }

    fn find(&self, hello: &Hello, wish: &Preparation) -> Result<Initializer, StartError> {
        let refused = |source| StartError::Initializer { task: wish.task.to_string(), source };
        let arguments = wish
            .arguments
            .clone()
            .map_err(|error| refused(InitializerError::Arguments(error.into())))?;
        let Some(task) = hello.find(&wish.task) else {
            let offered: Vec<&str> = hello.tasks.iter().map(|task| &*task.name).collect();
            return Err(refused(InitializerError::NotOffered { offered: offered.join(", ") }));
        };
        if wish.form == Form::Bincode && hello.build != self.own_build {
            let (theirs, ours) = (hello.build.clone(), self.own_build.clone());
            return Err(refused(InitializerError::OtherBuild { theirs, ours }));
        }
        // With a large blob they are too long, which is seen next.
        let arguments = arguments.pieces().collect::<Vec<_>>().concat();
        Ok(Initializer { task, form: wish.form, arguments })
    }

    fn check_length(&self, configuration: &Configuration) -> Result<(), StartError> {
        let both = [&configuration.initializer, &configuration.worker_initializer];
        let lengths = both.map(|one| one.as_ref().map_or(0, |one| one.arguments.len()));
        let (length, limit) = (lengths.iter().sum(), MESSAGE_BUDGET);
        if length <= limit {
            return Ok(());
        }
        let wishes = [&self.initializer, &self.worker_initializer];
        let longer = wishes[usize::from(lengths[1] > lengths[0])].as_ref();
        let task = longer.map(|wish| wish.task.to_string()).unwrap_or_default();
        Err(StartError::Initializer { task, source: InitializerError::TooLong { length, limit } })
    }

    /// What to tell the pool's owner. `exit` is the fork server's end.
    pub(super) fn blame(
        &self,
        unconfigured: Unconfigured,
        patience: Duration,
        exit: Exit,
    ) -> StartError {
        let reason = match unconfigured {
            Unconfigured::Refused(ConfigurationError::Nice(errno)) => {
                let error = io::Error::from_raw_os_error(errno);
                return launch::system("raise the niceness of the worker program", error);
            }
            Unconfigured::Unreachable(error) => {
                return launch::system("configure the worker program", error);
            }
            Unconfigured::Refused(ConfigurationError::Failed(error)) => {
                InitializerError::Failed(error.into())
            }
            Unconfigured::Refused(ConfigurationError::Threads(count)) => {
                InitializerError::LeftThreads(count)
            }
            Unconfigured::Silent(printed) => {
                InitializerError::TooSlow { patience, last_words: last_words(&printed) }
            }
            Unconfigured::Gone(printed) => {
                InitializerError::Died { exit, last_words: last_words(&printed) }
            }
        };
        match (&self.initializer, reason) {
            (Some(wish), source) => StartError::Initializer { task: wish.task.to_string(), source },
            // Nothing took any time, so something else is wrong with it.
            (None, InitializerError::Died { exit, last_words }) => {
                let what = format!("it {exit}{}", quote(&last_words));
                launch::system("configure the worker program", io::Error::other(what))
            }
            (None, _) => {
                let what = format!("it did not answer within {patience:?}");
                launch::system("configure the worker program", io::Error::other(what))
            }
        }
    }
}

/// Tells the fork server how to be, and waits until it is. Gives its reports back, and what it printed
/// meanwhile. `watched` are its pidfd and its output.
pub(super) fn configure(
    requests: &Requests,
    configuration: Configuration,
    reports: Reports,
    watched: (&OwnedFd, &OwnedFd),
    patience: Duration,
) -> Result<(Reports, Vec<u8>), Unconfigured> {
    let broken = Unconfigured::Unreachable;
    // If it cannot be sent, the fork server is gone, which is found out below.
    let _ = requests.send(&Request::Configure(configuration), None);
    let (answer, answered) = receive_in_thread(reports).map_err(broken)?;
    let mut printed = Vec::new();
    let waited = wait(&answered, watched, patience, &mut printed).map_err(broken)?;
    let received = match waited {
        Waited::Answered => answer.recv().ok(),
        // What it said before comes first. A copy of it may hold its channel open.
        Waited::Dead => answer.recv_timeout(LAST_REPORT).ok(),
        Waited::TooLong => return Err(Unconfigured::Silent(printed)),
    };
    drain(watched.1, &mut printed);
    match received {
        Some((Ok(Report::Configured), reports)) => Ok((reports, printed)),
        Some((Ok(Report::NotConfigured(error)), _)) => Err(Unconfigured::Refused(error)),
        _ => Err(Unconfigured::Gone(printed)),
    }
}

enum Waited {
    Answered,
    Dead,
    TooLong,
}

/// Waits for the answer or the end, and reads what is printed.
fn wait(
    answered: &OwnedFd,
    (pidfd, output): (&OwnedFd, &OwnedFd),
    patience: Duration,
    printed: &mut Vec<u8>,
) -> io::Result<Waited> {
    let deadline = Instant::now().checked_add(patience);
    fcntl_setfl(output, OFlags::NONBLOCK)?;
    let mut output_open = true;
    loop {
        // Without a deadline that can be told: as long as the system call can wait.
        let left = deadline.map_or(Duration::from_secs(u64::from(u32::MAX)), |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        let mut sources = [
            PollFd::new(answered, PollFlags::IN),
            PollFd::new(pidfd, PollFlags::IN),
            PollFd::new(output, PollFlags::IN),
        ];
        let sources = &mut sources[..if output_open { 3 } else { 2 }];
        match poll(sources, left.try_into().ok().as_ref()) {
            Ok(0) => return Ok(Waited::TooLong),
            Ok(_) if !sources[0].revents().is_empty() => return Ok(Waited::Answered),
            Ok(_) if !sources[1].revents().is_empty() => return Ok(Waited::Dead),
            Ok(_) => output_open = drain(output, printed),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if left.is_zero() {
            // Something is printed all the time.
            return Ok(Waited::TooLong);
        }
    }
}

/// Reads what there is; false at the end. One that floods its output is not waited for.
fn drain(output: &OwnedFd, printed: &mut Vec<u8>) -> bool {
    const PIECES: usize = 16;
    let mut piece = vec![0; 64 * 1024];
    for _ in 0..PIECES {
        match rustix::io::read(output, &mut *piece) {
            Ok(0) => return false,
            Ok(length) => {
                let room = MOST_PRINTED.saturating_sub(printed.len());
                printed.extend_from_slice(&piece[..length.min(room)]);
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
    }
    true
}

type Answer = (io::Result<Report>, Reports);

/// A report cannot be waited for with a deadline, so it has a thread, which ends with the fork server if
/// not before. The descriptor becomes readable with the answer.
fn receive_in_thread(reports: Reports) -> io::Result<(Receiver<Answer>, OwnedFd)> {
    let (give, take) = crossbeam_channel::bounded(1);
    let answered = eventfd(0, EventfdFlags::CLOEXEC)?;
    let bell = answered.try_clone()?;
    thread::spawn("brigade-configure", move || {
        let report = reports.receive();
        let _ = give.send((report, reports));
        let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
    })?;
    Ok((take, answered))
}

fn last_words(printed: &[u8]) -> Vec<String> {
    let mut lines = Lines::default();
    lines.feed(printed, |_| {});
    lines.finish(|_| {});
    lines.last_words()
}
