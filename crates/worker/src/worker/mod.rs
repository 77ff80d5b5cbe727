//! A worker: the process that runs jobs, from its fork to its exit.
//!
//! ```text
//!                 packets                    calls                     replies
//!  supervisor ══════════════▶ receiver ───▶ ┌──────┐ ───▶ run threads ───▶ ┌──────┐ ══▶ supervisor
//!                          (one thread's    │ Desk │      call::run        │ Wire │
//!                             at a time)    └──────┘                       └──────┘
//!                                              ▲  timekeeper: replies older than 16 ms,
//!                                              └─ and a stand-in to receive if all are busy
//! ```
//!
//! Threads and what they do are in [`threads`], the state they share under one lock in [`desk`].
//! A worker has one thread until its first frame comes. That main thread is the first run thread.
//!
//! A worker makes no decision either. Whatever goes wrong with the channel ends it: the supervisor
//! knows from the scoreboard what it was doing.

mod call;
mod converse;
mod desk;
mod growth;
mod initialize;
mod large;
mod lease;
mod meter;
#[cfg(all(test, brigade_model))]
mod models;
mod nested;
mod packet;
mod pending;
mod queue;
mod stopwatch;
mod threads;
mod wire;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use brigade_protocol::handshake::FarEnds;
use brigade_protocol::message::{Configuration, Spawn};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{self, Pid};

use self::desk::Desk;
use self::growth::Growth;
use self::nested::Pool;
use self::threads::Crew;
use self::wire::Wire;
use crate::board::Page;
use crate::complain::{BROKEN, complain};
use crate::os;
use brigade_task::Registry;

pub(crate) use self::initialize::initialize;

/// What a worker is born with.
pub(crate) struct Birth<'a> {
    pub(crate) spawn: Spawn,
    pub(crate) ends: FarEnds,
    pub(crate) output: OwnedFd,
    /// What its standard input is to be.
    pub(crate) nothing: Option<File>,
    pub(crate) scoreboard: Option<File>,
    pub(crate) fork_server: Pid,
    pub(crate) descriptor_limit: Option<u64>,
    pub(crate) configuration: Configuration,
    pub(crate) registry: &'a Registry,
}

/// Lives a worker's life. The process has just been forked and has one thread.
pub(crate) fn run(birth: Birth<'_>) -> ! {
    let page = match set_up(&birth) {
        Ok(page) => page,
        Err(error) => broken(format_args!("worker {} cannot start: {error}", birth.spawn.worker)),
    };
    let Birth { spawn, ends, output, nothing, scoreboard, configuration, registry, .. } = birth;
    drop((output, nothing, scoreboard));
    if let Some(initializer) = &configuration.worker_initializer
        && let Err(error) = initialize(registry, initializer)
    {
        let task = registry.get(initializer.task).map_or("(no such task)", |task| task.name);
        let place = error.location.map(|place| format!(" at {place}")).unwrap_or_default();
        broken(format_args!("its initializer {task} failed{place}: {}", error.message));
    }
    let wire = Wire::new(ends.replies);
    wire.ready();
    // A worker never returns, so what its threads share lives as long as they do.
    let mut desk = Desk::new(ends.jobs, wire);
    if spawn.threads == 1 {
        desk.allow_leases();
    }
    let desk: &'static Desk = Box::leak(Box::new(desk));
    if !spawn.direct {
        desk.forbid_direct();
    }
    let pool = Pool::new(desk, spawn.worker, spawn.pool, registry, spawn.max_output);
    let growth = Growth::new(configuration.max_rss);
    threads::main(&Crew { desk, page, registry, spawn, growth, pool: Arc::new(pool) })
}

fn set_up(birth: &Birth<'_>) -> std::io::Result<&'static Page> {
    prctl::set_name(c"brigade-worker")?;
    // Its own session: a signal to its group reaches its descendants and nobody else.
    unistd::setsid()?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if unistd::getppid() != birth.fork_server {
        // The fork server died before the death signal was set: nobody is left to tell.
        os::exit_now(1);
    }
    let missing = std::io::ErrorKind::NotConnected;
    unistd::dup2_stdin(birth.nothing.as_ref().ok_or(missing)?)?;
    unistd::dup2_stdout(&birth.output)?;
    unistd::dup2_stderr(&birth.output)?;
    if let Some(limit) = birth.descriptor_limit {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, limit.min(most), most)?;
    }
    let scoreboard = birth.scoreboard.as_ref().ok_or(missing)?;
    let page = os::map_page(scoreboard, birth.spawn.slot.0)?;
    page.clear();
    Ok(page)
}

/// Ends this worker because it, or the supervisor, does what neither ever should.
fn broken(what: std::fmt::Arguments<'_>) -> ! {
    complain(format_args!("worker with pid {}: {what}", std::process::id()));
    os::exit_now(BROKEN);
}

/// Ends this worker because the supervisor said what no supervisor says.
fn violation(what: std::fmt::Arguments<'_>) -> ! {
    broken(format_args!("the supervisor broke the protocol: {what}"));
}

/// Ends this worker because nobody is left to talk to.
fn supervisor_gone() -> ! {
    os::exit_now(1);
}

/// `CLOCK_MONOTONIC` in nanoseconds. It makes no system call.
fn clock() -> u64 {
    use nix::time::{ClockId, clock_gettime};
    // This clock cannot fail: it exists since Linux 2.6.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |now| now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs())
}
