//! A gate: how a test and a task that it started know of each other, without any sleeping.
//!
//! A task that visits a gate connects to its socket and says which attempt it is. So the test knows
//! that it runs; it lets it go on with a byte; and if the socket ends instead, then every process
//! that held it is dead.
//!
//! ```text
//!  test                                     task, in some worker
//!   Gate::open ◀────── connect, "job attempt pid" ── visit
//!   Gate::wait = Visitor                            │ waits
//!   Visitor::release ───────── one byte ──────────▶ goes on
//!   Visitor::await_end ◀────── end of file ──────── all that held it are gone
//! ```

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use brigade_worker::Context;
use rustix::event::{PollFd, PollFlags, poll};
use tempfile::TempDir;

use crate::DEADLINE;

/// A place where tasks are awaited.
pub struct Gate {
    directory: TempDir,
    listener: UnixListener,
}

impl Gate {
    /// Opens a gate of its own.
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("gate")).expect("a socket");
        Self { directory, listener }
    }

    /// Where it is, for the task.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("gate")
    }

    /// Its path as JSON text.
    pub fn json(&self) -> String {
        crate::json(&self.path())
    }

    /// Waits for the next visitor.
    #[track_caller]
    pub fn wait(&self) -> Visitor {
        let visitor = self.wait_for(DEADLINE);
        visitor.unwrap_or_else(|| panic!("no task came to the gate within {DEADLINE:?}"))
    }

    /// Waits for so many visitors, who are all there at once.
    #[track_caller]
    pub fn wait_for_all(&self, count: usize) -> Vec<Visitor> {
        let mut visitors = Vec::new();
        while visitors.len() < count {
            let visitor = self.wait_for(DEADLINE).unwrap_or_else(|| {
                panic!("only {} of {count} tasks came to the gate", visitors.len())
            });
            visitors.push(visitor);
        }
        visitors
    }

    /// The next visitor, if one comes in time.
    pub fn wait_for(&self, patience: Duration) -> Option<Visitor> {
        let timeout = patience.try_into().ok();
        let ready = poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], timeout.as_ref());
        if ready.expect("poll works") == 0 {
            return None;
        }
        let (stream, _) = self.listener.accept().expect("somebody is there");
        Some(Visitor::greet(stream))
    }
}

/// A task that is running and waits at a gate.
#[derive(Debug)]
pub struct Visitor {
    /// The job, by the id that the pool gave it.
    pub job: u64,
    /// Which try at it this is.
    pub attempt: u32,
    /// The process that runs it.
    pub pid: u32,
    stream: BufReader<UnixStream>,
}

impl Visitor {
    fn greet(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("a visitor says who it is");
        let mut words = line.split_whitespace();
        let mut word = || words.next().expect("three words");
        let (job, attempt, pid) = (word().parse(), word().parse(), word().parse());
        Self {
            job: job.expect("a job"),
            attempt: attempt.expect("an attempt"),
            pid: pid.expect("a pid"),
            stream,
        }
    }

    /// Lets the task go on.
    pub fn release(mut self) {
        self.nod();
    }

    /// Lets the task go on, and keeps the way to it, to see its end.
    pub fn nod(&mut self) {
        self.stream.get_mut().write_all(b"\n").expect("the visitor is still there");
    }

    /// Waits until no process holds the other end any more.
    #[track_caller]
    pub fn await_end(&mut self, within: Duration) {
        // Zero would mean no limit at all.
        let within = within.max(Duration::from_millis(1));
        self.stream.get_ref().set_read_timeout(Some(within)).expect("a timeout can be set");
        let end = self.stream.read(&mut [0]);
        match end {
            Ok(0) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => panic!("process {} or a descendant is alive ({other:?})", self.pid),
        }
    }
}

/// The task's side: says who it is at the gate.
pub fn visit(context: &Context, gate: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(gate)?;
    let (job, attempt) = (context.job().0, context.attempt());
    stream.write_all(format!("{job} {attempt} {}\n", std::process::id()).as_bytes())?;
    Ok(stream)
}

/// The task's side: waits until it is let go.
pub fn wait(stream: &mut UnixStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}
