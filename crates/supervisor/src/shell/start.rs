//! Starting a pool: everything that can fail before there is one.

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use brigade_protocol::handshake;
use brigade_protocol::message::BuildId;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustc_hash::FxHashMap;

use super::core::Core;
use super::hold::Hold;
use super::inbox::{Closing, Inbox};
use super::mailbox::mailbox;
use super::processes::{
    Board, Processes, Program, Server, ServerDeath, Watch, Wishes, children, system,
    to_standard_error,
};
use super::{Crew, Shell, thread};
use crate::builder::Builder;
use crate::capacity::{Capacity, processors};
use crate::error::StartError;
use crate::host::new_pool_id;
use crate::poll::Poll;
use crate::scheduler::{Config, RestartIntensity, Scheduler};
use crate::sync::channel::Receiver;

/// A pool that runs.
pub(crate) struct Started {
    pub(crate) pool: u64,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) capacity: Arc<Capacity>,
    pub(crate) own_build: BuildId,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) over: Receiver<Infallible>,
}

/// Starts the worker program, the threads of the pool, and its workers.
pub(crate) fn start(builder: Builder) -> Result<Started, StartError> {
    if std::env::var_os(brigade_protocol::VARIABLE).is_some() {
        return Err(StartError::IsWorker);
    }
    if builder.adopt_orphans {
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| system("become a child subreaper", error))?;
    }
    let own_build = handshake::own_build().map_err(|error| system("look at itself", error))?;
    let program = Program {
        path: builder.program,
        patience: builder.start_timeout,
        spared: builder.adopt_orphans.then(children),
        descriptors: raise_descriptor_limit(builder.workers)?,
        surroundings: builder.surroundings,
    };
    let wishes = Wishes {
        nice: builder.nice,
        max_rss: builder.max_rss,
        initializer: builder.initializer,
        worker_initializer: builder.worker_initializer,
        own_build: own_build.clone(),
    };
    let pages = most_workers(builder.workers) + builder.max_waiting;
    let board =
        Board::new(pages, builder.threads).map_err(|error| system("make the scoreboard", error))?;
    let board_copy = board
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| system("copy the scoreboard's descriptor", error))?;
    let (sender, receiver) = mailbox();
    let handler = builder.output.unwrap_or_else(to_standard_error);
    let watch = Watch::start(sender.clone(), handler)
        .map_err(|error| system("start the watch thread", error))?;
    let (server, server_thread, ready) =
        Server::start(program, wishes, board_copy, sender.clone())?;
    watch.add(ready.watched);
    let scheduler = Scheduler::new(Config {
        slots: u32::try_from(builder.workers).expect("the builder bounds the number of workers"),
        threads: builder.threads,
        most_waiting: builder.max_waiting,
        can_kill: true,
        prefetch: builder.prefetch,
        batch: builder.batch,
        start_timeout: builder.start_timeout,
        restarts: builder.restarts.unwrap_or_else(|| RestartIntensity::of(builder.workers)),
        server_restarts: builder.restarts.unwrap_or_else(RestartIntensity::of_server),
        processors: processors(),
        max_jobs: builder.max_jobs,
    });
    let inbox = Inbox::new(sender.clone(), receiver, ready.hello);
    let pool = new_pool_id();
    let crew = Processes {
        pool,
        board,
        threads: builder.threads,
        max_output: builder.max_output,
        direct: builder.direct,
        limits: builder.limits,
        may_grow: builder.max_rss.is_some(),
        inbox: sender,
        watch,
        server,
        server_thread,
        server_pidfd: ready.pidfd,
        generation: 0,
        server_death: ServerDeath::default(),
        links: FxHashMap::default(),
        mourning: Vec::new(),
        buried: Vec::new(),
    };
    run(pool, scheduler, inbox, crew, own_build)
}

/// Starts the loop.
pub(super) fn run<C: Crew + Send + 'static>(
    pool: u64,
    scheduler: Scheduler,
    (inbox, over): (Arc<Inbox>, Receiver<Infallible>),
    crew: C,
    own_build: BuildId,
) -> Result<Started, StartError> {
    let capacity = Arc::new(Capacity::new(scheduler.appetite()));
    let core = Core::new(scheduler, Arc::clone(&inbox));
    let shell = Shell {
        core,
        crew,
        capacity: Arc::clone(&capacity),
        questions: Vec::new(),
        poll: Poll::default(),
        hold: Hold::default(),
    };
    let closing = Closing(Arc::clone(&inbox));
    let thread = thread::spawn("brigade-loop", move || {
        let _closing = closing;
        shell.run();
    })
    .map_err(|error| system("start a thread", error))?;
    Ok(Started { pool, inbox, capacity, own_build, thread, over })
}

/// The most workers that a pool which began with so many can be resized to.
pub(crate) fn most_workers(workers: usize) -> usize {
    workers.max(1024)
}

/// Raises the soft limit of open descriptors to the hard one, if that is enough for so many workers.
/// Returns the soft limit as it was.
fn raise_descriptor_limit(workers: usize) -> Result<u64, StartError> {
    /// Two channels, the end mark's sender, a pidfd, a pipe.
    const EACH: u64 = 5;
    /// The pool's own, and what up to 64 workers take beside while they are being made.
    const ALL: u64 = 64 + 64 * 3;
    let refused = |error| system("raise the limit of open descriptors", error);
    let (soft, limit) = getrlimit(Resource::RLIMIT_NOFILE).map_err(refused)?;
    let needed = workers as u64 * EACH + ALL;
    if limit < needed {
        return Err(StartError::TooFewDescriptors { workers, needed, limit });
    }
    if soft < limit {
        setrlimit(Resource::RLIMIT_NOFILE, limit, limit).map_err(refused)?;
    }
    Ok(soft)
}

/// Whether a pool can be resized to so many workers.
pub(crate) fn check_resize(workers: usize) -> Result<u32, StartError> {
    let most = most_workers(0);
    if !(1..=most).contains(&workers) {
        let what = "the number of workers";
        return Err(StartError::OutOfRange { what, value: workers, range: "from 1 to 1024" });
    }
    raise_descriptor_limit(workers)?;
    Ok(u32::try_from(workers).expect("it was just bounded"))
}
