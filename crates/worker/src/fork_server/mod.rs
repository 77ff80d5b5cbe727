//! The fork server: forks workers on request, waits for them, and cleans up behind them.
//!
//! It decides nothing, knows nothing of jobs, and has a single thread for all its life, so that a
//! forked worker can do whatever a fresh process could.
//!
//! ```text
//!  set up ─▶ hello ─▶ scoreboard ─▶ wait for a request ◀──────────┐
//!                                    │     │      │ nothing for 1 s│
//!                              Spawn │     │ Reap │               │
//!                                    ▼     ▼      ▼               │
//!                                  fork  wait    tidy ────────────┘
//!         any error, any panic, supervisor gone ─▶ sweep ─▶ exit
//! ```
//!
//! Before the first worker the supervisor may have it [configured](configure).
//!
//! The supervisor's death is the end of the control channel. So every way out goes through
//! [`Family::sweep`], and nothing that was started here outlives the supervisor.

mod configure;
mod descriptors;
mod family;
mod oom;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use brigade_protocol::handshake::{self, FarEnds, HandshakeError, ToSupervisor};
use brigade_protocol::id::WorkerId;
use brigade_protocol::message::{Configuration, Hello, Report, Request, Spawn};
use brigade_protocol::{DESCRIPTORS_VARIABLE, VARIABLE, WORKER_VARIABLE, board};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{self, ForkResult, Pid};

use self::descriptors::{DescriptorError, Descriptors};
use self::family::Family;
use self::oom::OomScore;
use crate::complain::{BROKEN, complain};
use crate::os::{self, NumberVariable, SingleThreaded};
use crate::worker::{self, Birth};
use brigade_task::{Registry, panics};

/// How long it waits for a request before it tidies up, and looks whether the supervisor lives.
const PATIENCE: Duration = Duration::from_millis(500);

/// Serves until the supervisor is gone. Returns the exit code.
pub(crate) fn run(registry: &Registry) -> i32 {
    let mut server = match set_up(registry) {
        Ok(server) => server,
        Err(failure) => {
            complain(format_args!("fork server: {failure}"));
            return BROKEN;
        }
    };
    let end = panic::catch_unwind(AssertUnwindSafe(|| server.serve()));
    server.family.sweep();
    match end {
        Ok(End::SupervisorGone) => 0,
        Ok(End::Broken(failure)) => {
            complain(format_args!("fork server: {failure}"));
            BROKEN
        }
        // The supervisor has been told why, or the panic hook has said it.
        Ok(End::Unconfigured) | Err(_) => BROKEN,
    }
}

struct Server<'a> {
    registry: &'a Registry,
    alone: SingleThreaded,
    supervisor: Option<ToSupervisor>,
    descriptors: Descriptors,
    scoreboard: Option<File>,
    /// What is the standard input of workers.
    nothing: Option<File>,
    oom_score: Option<OomScore>,
    /// Marks workers and what they start; from the first of them on.
    mark: Option<NumberVariable>,
    family: Family,
    pid: Pid,
    /// The supervisor, as long as it lives.
    parent: Pid,
    descriptor_limit: Option<u64>,
    configuration: Option<Configuration>,
}

/// Why it stops serving.
enum End {
    SupervisorGone,
    Unconfigured,
    Broken(Failure),
}

impl Server<'_> {
    fn serve(&mut self) -> End {
        loop {
            let Some(supervisor) = &self.supervisor else { return End::SupervisorGone };
            // Orphans are looked for as soon as there is nothing else to do.
            let patience = if self.family.is_bereaved() { Duration::ZERO } else { PATIENCE };
            let report = match supervisor.receive(patience) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return End::SupervisorGone;
                }
                Err(error) => return End::Broken(Failure::Nonsense(error.to_string())),
                // Its channel may be held open by a forked copy of it.
                Ok(None) if unistd::getppid() != self.parent => return End::SupervisorGone,
                Ok(None) => {
                    self.family.tidy();
                    continue;
                }
                Ok(Some((Request::Reap(worker), _))) => {
                    let (exit, usage) = self.family.reap(worker);
                    Ok(Report::Reaped { worker, exit, usage })
                }
                Ok(Some((Request::Spawn(spawn), ends))) => self.spawn(spawn, ends),
                Ok(Some((Request::Configure(configuration), _))) => self.configure(configuration),
            };
            let unconfigured = matches!(report, Ok(Report::NotConfigured(_)));
            match (report, &self.supervisor) {
                (Err(failure), _) => return End::Broken(failure),
                (Ok(report), Some(supervisor)) if supervisor.report(&report).is_ok() => {}
                (Ok(_), _) => return End::SupervisorGone,
            }
            if unconfigured {
                return End::Unconfigured;
            }
            self.family.bury();
        }
    }

    fn spawn(&mut self, spawn: Spawn, ends: Option<FarEnds>) -> Result<Report, Failure> {
        let Some(ends) = ends else {
            return Err(Failure::Nonsense("a spawn request came without channel ends".into()));
        };
        if !(1..=board::LANES).contains(&usize::from(spawn.threads)) {
            let what = format!("a spawn request asks for {} threads", spawn.threads);
            return Err(Failure::Nonsense(what));
        }
        let output = self.descriptors.next()?;
        self.prepare(spawn.worker)?;
        let raised = self.oom_score.as_ref().and_then(OomScore::raise);
        let forked = os::fork(self.alone);
        if matches!(forked, Ok(ForkResult::Child)) {
            self.become_worker(spawn, ends, output);
        }
        if let Some(score) = &self.oom_score {
            score.restore(raised);
        }
        match forked {
            Ok(ForkResult::Child) => unreachable!("it has become a worker"),
            Ok(ForkResult::Parent { child }) => {
                self.family.add(spawn.worker, child);
                Ok(Report::Spawned { worker: spawn.worker, pid: child.as_raw().unsigned_abs() })
            }
            Err(errno) => Ok(Report::NotSpawned { worker: spawn.worker, errno: errno as i32 }),
        }
        // The far ends and the pipe are dropped here: only the worker may hold them open.
    }

    /// Does what the next worker would do first of all: here it costs no fresh copies of pages.
    fn prepare(&mut self, worker: WorkerId) -> Result<(), Failure> {
        let mark = match &mut self.mark {
            Some(mark) => mark,
            none => {
                panics::install_hook();
                none.insert(NumberVariable::put(WORKER_VARIABLE, self.alone)?)
            }
        };
        mark.set(worker.0, self.alone);
        Ok(())
    }

    /// The child's side of the fork. Nothing of the fork server may run in it any more: neither
    /// the rest of the loop nor, by a panic, the sweep.
    fn become_worker(&mut self, spawn: Spawn, ends: FarEnds, output: OwnedFd) -> ! {
        let born = panic::catch_unwind(AssertUnwindSafe(|| {
            drop((self.supervisor.take(), self.oom_score.take()));
            worker::run(Birth {
                spawn,
                ends,
                output,
                nothing: self.nothing.take(),
                scoreboard: self.scoreboard.take(),
                fork_server: self.pid,
                descriptor_limit: self.descriptor_limit,
                configuration: self.configuration.take().unwrap_or_default(),
                registry: self.registry,
            })
        }));
        match born {
            Ok(never) => never,
            Err(_) => os::exit_now(BROKEN),
        }
    }
}

fn set_up(registry: &Registry) -> Result<Server<'_>, Failure> {
    let alone = SingleThreaded::check().map_err(Failure::Proc)?.ok_or(Failure::Threads)?;
    let place = os::take_variable(VARIABLE, alone).unwrap_or_default();
    let place =
        place.into_string().map_err(|_| Failure::Nonsense("its variable is not UTF-8".into()))?;
    let descriptor_limit = os::take_variable(DESCRIPTORS_VARIABLE, alone)
        .and_then(|limit| limit.to_str().and_then(|limit| limit.parse().ok()));

    // What `ps` and `top` show instead of the `exe` of /proc/self/exe.
    prctl::set_name(c"brigade-fork")?;
    // What this process inherited, and its workers are not to have.
    SigSet::empty().thread_set_mask()?;
    // Ignored, it would make the kernel wait for the dead in our stead, and free their pids.
    os::default_action(Signal::SIGCHLD)?;
    // What was printed before `init` would otherwise be printed by each worker once more.
    let _ = io::stdout().flush();
    // Before anything is opened here: an ipc-channel whose end is closed behind it panics.
    os::close_strays().map_err(Failure::Proc)?;
    prctl::set_child_subreaper(true)?;
    // If it is stopped when the supervisor dies, it is to go on, and so to end.
    prctl::set_pdeathsig(Signal::SIGCONT)?;
    let parent = unistd::getppid();

    let descriptors = Descriptors::open()?;
    let hello =
        Hello { build: handshake::own_build().map_err(Failure::Proc)?, tasks: registry.infos() };
    let supervisor = handshake::connect(&place, &hello)?;
    let scoreboard = descriptors.next()?;
    Ok(Server {
        registry,
        alone,
        supervisor: Some(supervisor),
        descriptors,
        scoreboard: Some(scoreboard.into()),
        nothing: Some(File::open("/dev/null").map_err(Failure::Null)?),
        oom_score: Some(OomScore::open()),
        mark: None,
        family: Family::new(),
        pid: Pid::this(),
        parent,
        descriptor_limit,
        configuration: None,
    })
}

/// Why it cannot go on.
enum Failure {
    Threads,
    Proc(io::Error),
    Null(io::Error),
    System(nix::Error),
    Descriptor(DescriptorError),
    Handshake(HandshakeError),
    Nonsense(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads => f.write_str(
                "init must be called before any other thread starts: make it the first line of main, \
                 or, in tests, use brigade::test_support!()",
            ),
            Self::Proc(error) => write!(f, "cannot read /proc: {error}; it must be mounted"),
            Self::Null(error) => write!(f, "cannot open /dev/null: {error}"),
            Self::System(errno) => write!(f, "cannot set itself up: {}", errno.desc()),
            Self::Descriptor(error) => error.fmt(f),
            Self::Handshake(error) => write!(f, "cannot reach the supervisor: {error}"),
            Self::Nonsense(what) => write!(f, "{what}; it was started by something else than a supervisor of its version"),
        }
    }
}

impl From<nix::Error> for Failure {
    fn from(errno: nix::Error) -> Self {
        Self::System(errno)
    }
}

impl From<DescriptorError> for Failure {
    fn from(error: DescriptorError) -> Self {
        Self::Descriptor(error)
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}
