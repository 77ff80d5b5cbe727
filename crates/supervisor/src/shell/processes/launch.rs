//! Starting the worker program: exec, rendezvous, hello. Bounded in time, and told clearly.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use brigade_protocol::handshake::{self, HandshakeError, Rendezvous, ToServer};
use brigade_protocol::message::Exit;
use brigade_protocol::{DESCRIPTORS_VARIABLE, VARIABLE};
use crossbeam_channel::Receiver;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::lines::Lines;
use super::surroundings::Surroundings;
use crate::error::StartError;
use crate::shell::thread;

/// The executable of this process, even if it was replaced or deleted since.
const SELF: &str = "/proc/self/exe";

/// What to start, and how long it may take.
#[derive(Clone, Debug)]
pub(in crate::shell) struct Program {
    pub(in crate::shell) path: Option<PathBuf>,
    pub(in crate::shell) patience: Duration,
    /// If this process is a child subreaper: the children that it had before, which are not ours.
    pub(in crate::shell) spared: Option<Vec<Pid>>,
    /// The soft limit of descriptors before this process raised its own, for the workers.
    pub(in crate::shell) descriptors: u64,
    pub(in crate::shell) surroundings: Surroundings,
}

/// A worker program that said hello.
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) output: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) link: ToServer,
}

impl Program {
    /// A bare name is a file here, not a command to be looked for in `PATH`.
    fn path(&self) -> PathBuf {
        match &self.path {
            None => SELF.into(),
            Some(path) if path.components().count() == 1 => Path::new(".").join(path),
            Some(path) => path.clone(),
        }
    }

    /// The name for messages: what a person would call it.
    pub(super) fn name(&self) -> PathBuf {
        match &self.path {
            Some(path) => path.clone(),
            None => std::env::current_exe().unwrap_or_else(|_| SELF.into()),
        }
    }

    /// Starts it and waits for its hello. The calling thread must live as long as the pool.
    pub(super) fn launch(&self) -> Result<Launched, StartError> {
        let meeting = Rendezvous::open().map_err(|source| self.disagree(source))?;
        let (starting, output, socket) = self.execute(meeting.name())?;
        match starting.await_hello(meeting, self.patience) {
            Ok(link) => {
                let Starting { child, pidfd } = starting;
                Ok(Launched { child, pidfd, output, socket, link })
            }
            Err(silence) => {
                let status = starting.end();
                let last_words = last_words(output);
                let program = self.name();
                Err(match silence {
                    Silence::Died => {
                        StartError::Died { program, exit: exit_of(&status), last_words }
                    }
                    Silence::TooLong => {
                        StartError::NoHello { program, patience: self.patience, last_words }
                    }
                    Silence::Disagree(source) => StartError::Handshake { program, source },
                })
            }
        }
    }

    /// No `pre_exec`: so std starts it as `posix_spawn` does, however large this process is.
    fn execute(&self, meeting: &str) -> Result<(Starting, OwnedFd, OwnedFd), StartError> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (socket, far_socket) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
                .map_err(|error| system("make a socket pair", error))?;
        let (output, far_output) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| system("make a pipe", error))?;
        let far_error = far_output.try_clone().map_err(|error| system("copy a pipe", error))?;
        let mut command = self.surroundings.command(self.path())?;
        let child = command
            .arg0(self.name())
            .env(VARIABLE, meeting)
            .env(DESCRIPTORS_VARIABLE, self.descriptors.to_string())
            .stdin(Stdio::from(far_socket))
            .stdout(Stdio::from(far_output))
            .stderr(Stdio::from(far_error))
            .process_group(0)
            .spawn()
            .map_err(|source| StartError::NotExecutable { program: self.name(), source })?;
        let pidfd = pidfd_open(pid_of(&child), PidfdFlags::empty())
            .map_err(|error| system("watch a process", error))?;
        Ok((Starting { child, pidfd }, output, socket))
    }

    fn disagree(&self, source: HandshakeError) -> StartError {
        StartError::Handshake { program: self.name(), source }
    }
}

/// Why there was no hello.
enum Silence {
    Died,
    TooLong,
    Disagree(HandshakeError),
}

struct Starting {
    child: Child,
    pidfd: OwnedFd,
}

impl Starting {
    fn await_hello(&self, meeting: Rendezvous, patience: Duration) -> Result<ToServer, Silence> {
        let deadline = Instant::now().checked_add(patience);
        let name = meeting.name().to_owned();
        let broken = |error: io::Error| Silence::Disagree(HandshakeError::Channel(error));
        let (greeting, greeted) = accept_in_thread(meeting).map_err(broken)?;
        while greeting.is_empty() {
            // Without a deadline that can be told: as long as the system call can wait.
            let left = deadline.map_or(Duration::from_secs(u64::from(u32::MAX)), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            let mut sources =
                [PollFd::new(&self.pidfd, PollFlags::IN), PollFd::new(&greeted, PollFlags::IN)];
            let timeout = left.try_into().ok();
            match poll(&mut sources, timeout.as_ref()) {
                Ok(0) => {
                    handshake::withdraw(&name);
                    return Err(Silence::TooLong);
                }
                Ok(_) if sources[1].revents().is_empty() => {
                    // Dead. What it sent before comes first; then the thread is let go.
                    handshake::withdraw(&name);
                    return Err(match greeting.recv_timeout(left) {
                        Ok(Err(error)) if !matches!(error, HandshakeError::Withdrawn) => {
                            Silence::Disagree(error)
                        }
                        _ => Silence::Died,
                    });
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(broken(error.into())),
            }
        }
        greeting.recv().map_err(|_| Silence::Died)?.map_err(Silence::Disagree)
    }

    /// Kills it and all it started.
    fn end(mut self) -> io::Result<ExitStatus> {
        // Both fail only if it is gone already.
        let _ = kill_process_group(pid_of(&self.child), Signal::KILL);
        let _ = self.child.kill();
        self.child.wait()
    }
}

type Greeting = Result<ToServer, HandshakeError>;

/// `accept` knows no timeout, so it has a thread of its own, which [`handshake::withdraw`] frees.
/// The descriptor becomes readable with the greeting.
fn accept_in_thread(meeting: Rendezvous) -> io::Result<(Receiver<Greeting>, OwnedFd)> {
    let (give, take) = crossbeam_channel::bounded(1);
    let greeted = eventfd(0, EventfdFlags::CLOEXEC)?;
    let bell = greeted.try_clone()?;
    thread::spawn("brigade-accept", move || {
        let _ = give.send(meeting.accept());
        let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
    })?;
    Ok((take, greeted))
}

/// The last lines in the pipe of a process that is dead.
fn last_words(output: OwnedFd) -> Vec<String> {
    const MOST: u64 = 1024 * 1024;
    let mut lines = Lines::default();
    let mut bytes = Vec::new();
    // What a survivor still holds open is not waited for.
    let _ = rustix::fs::fcntl_setfl(&output, rustix::fs::OFlags::NONBLOCK);
    let _ = File::from(output).take(MOST).read_to_end(&mut bytes);
    lines.feed(&bytes, |_| {});
    lines.finish(|_| {});
    lines.last_words()
}

/// Sends a descriptor to the fork server, which takes it from its standard input.
pub(super) fn send_descriptor(socket: &OwnedFd, descriptor: impl AsFd) -> io::Result<()> {
    let descriptors = [descriptor.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let byte = [io::IoSlice::new(&[0])];
    sendmsg::<()>(socket.as_raw_fd(), &byte, &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

pub(super) fn exit_of(status: &io::Result<ExitStatus>) -> Exit {
    let Ok(status) = status else { return Exit::Unknown };
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

pub(in crate::shell) fn system(what: &'static str, error: impl Into<io::Error>) -> StartError {
    StartError::System { what, source: error.into() }
}
