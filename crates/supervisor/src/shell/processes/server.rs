//! The talk with the fork server, in threads of its own: whatever it does, the loop goes on.
//!
//! One thread starts it, sends requests and waits for its end; it lives as long as the pool. Another,
//! one for each fork server, receives reports.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Child;
use std::thread::JoinHandle;
use std::time::Duration;

use brigade_protocol::handshake::{FarEnds, Reports, Requests};
use brigade_protocol::id::WorkerId;
use brigade_protocol::message::{Exit, Hello, Request, Spawn};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::configure::{Unconfigured, Wishes, configure};
use super::launch::{Launched, Program, exit_of, send_descriptor, system};
use super::watch::{Watched, Who};
use super::{News, orphans};
use crate::error::StartError;
use crate::shell::{Message, mailbox, thread};
use crate::sync::channel::{self, Receiver, Sender};

/// How long the fork server may take to go, once its channel is closed; it takes half a second to
/// kill what is below it.
const LEAVING: Duration = Duration::from_secs(1);

/// What the loop asks of the server thread.
pub(in crate::shell) enum Command {
    /// Start a fork server of this generation.
    Start(u64),
    /// Have it fork a worker, with the write end of its output pipe.
    Spawn { spawn: Spawn, ends: FarEnds, output: OwnedFd },
    /// Have it wait for a dead worker.
    Reap(WorkerId),
    /// It is dead: bury it and tell.
    Bury(u64),
}

/// The server thread's state.
pub(in crate::shell) struct Server {
    program: Program,
    wishes: Wishes,
    board: OwnedFd,
    inbox: mailbox::Sender<Message>,
    hello: Option<Hello>,
    live: Option<Live>,
}

struct Live {
    child: Child,
    socket: OwnedFd,
    requests: Requests,
}

/// What the loop has of a fork server that was started.
pub(crate) struct Ready {
    pub(in crate::shell) watched: Watched,
    /// For killing it.
    pub(in crate::shell) pidfd: OwnedFd,
    pub(in crate::shell) hello: Hello,
}

impl Server {
    /// Starts the first fork server in the server thread, and waits for it.
    pub(in crate::shell) fn start(
        program: Program,
        wishes: Wishes,
        board: OwnedFd,
        inbox: mailbox::Sender<Message>,
    ) -> Result<(Sender<Command>, JoinHandle<()>, Ready), StartError> {
        let (commands, received) = channel::unbounded();
        let (first, started) = channel::bounded(1);
        let mut server = Self { program, wishes, board, inbox, hello: None, live: None };
        let thread = thread::spawn("brigade-server", move || {
            let result = server.launch(0);
            let go_on = result.is_ok();
            drop(first.send(result));
            if go_on {
                server.run(&received);
            }
        })
        .map_err(|source| system("start a thread", source))?;
        let gone = || system("start a fork server", io::Error::other("its thread panicked"));
        let ready = started.recv().map_err(|_| gone())??;
        Ok((commands, thread, ready))
    }

    fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(command) = commands.recv() {
            match command {
                Command::Start(generation) => {
                    let message = match self.launch(generation) {
                        Ok(ready) => News::ServerStarted(ready),
                        Err(error) => News::ServerFailed(error.to_string()),
                    };
                    self.inbox.send(Message::Crew(message));
                }
                Command::Spawn { spawn, ends, output } => {
                    // Usually it is dead. If not, half of the request may have come through, and the
                    // next would get its pipe.
                    if self.spawn(spawn, ends, &output).is_err()
                        && let Some(live) = &mut self.live
                    {
                        let _ = live.child.kill();
                    }
                }
                Command::Reap(worker) => {
                    if let Some(live) = &self.live {
                        let _ = live.requests.send(&Request::Reap(worker), None);
                    }
                }
                Command::Bury(generation) => {
                    let exit = self.live.take().map(|mut live| exit_of(&live.child.wait()));
                    let exit = exit.unwrap_or(Exit::Unknown);
                    if let Some(spared) = &self.program.spared {
                        orphans::sweep(spared);
                    }
                    self.inbox.send(Message::Crew(News::ServerBuried { generation, exit }));
                }
            }
        }
        self.leave();
    }

    fn launch(&mut self, generation: u64) -> Result<Ready, StartError> {
        let Launched { child, pidfd, output, socket, link } = self.program.launch()?;
        let (hello, requests, reports) = link.split();
        self.live = Some(Live { child, socket, requests });
        let result = self
            .accept(&hello)
            .and_then(|()| self.configure(&hello, &pidfd, &output, reports))
            .and_then(|(reports, printed)| Ok((self.listen(reports, generation)?, printed)));
        let ((), printed) = result.inspect_err(|_| {
            self.leave();
        })?;
        let for_killing = pidfd.try_clone().map_err(|error| system("copy a pidfd", error))?;
        let watched = Watched { who: Who::Server(generation), pidfd, output, printed };
        Ok(Ready { watched, pidfd: for_killing, hello })
    }

    fn accept(&mut self, hello: &Hello) -> Result<(), StartError> {
        // Jobs name their task by its place in the first hello.
        if self.hello.get_or_insert_with(|| hello.clone()).tasks != hello.tasks {
            return Err(StartError::Replaced { program: self.name() });
        }
        let Some(live) = &self.live else { return Ok(()) };
        send_descriptor(&live.socket, &self.board)
            .map_err(|source| StartError::System { what: "send the scoreboard", source })
    }

    /// Has it be as is wished. Gives the reports back, and what it printed meanwhile.
    fn configure(
        &mut self,
        hello: &Hello,
        pidfd: &OwnedFd,
        output: &OwnedFd,
        reports: Reports,
    ) -> Result<(Reports, Vec<u8>), StartError> {
        let configuration = self.wishes.configuration(hello)?;
        let (Some(configuration), Some(live)) = (configuration, &self.live) else {
            return Ok((reports, Vec::new()));
        };
        let patience = self.program.patience;
        let watched = (pidfd, output);
        let configured = configure(&live.requests, configuration, reports, watched, patience);
        configured.map_err(|failure| {
            if !matches!(failure, Unconfigured::Refused(_)) {
                // It is not where it would see that its channel is closed.
                self.kill();
            }
            let exit = self.leave();
            self.wishes.blame(failure, patience, exit)
        })
    }

    fn kill(&mut self) {
        if let Some(live) = &mut self.live {
            // Both fail only if it is gone already.
            let _ = kill_process_group(Pid::from_child(&live.child), Signal::KILL);
            let _ = live.child.kill();
        }
    }

    /// Passes its reports on to the loop.
    fn listen(&self, reports: Reports, generation: u64) -> Result<(), StartError> {
        let inbox = self.inbox.clone();
        thread::spawn("brigade-reports", move || {
            while let Ok(report) = reports.receive() {
                inbox.send(Message::Crew(News::Reported { generation, report }));
            }
            inbox.send(Message::Crew(News::ReportsEnded { generation }));
        })
        .map(drop)
        .map_err(|source| StartError::System { what: "start a thread", source })
    }

    fn spawn(&self, spawn: Spawn, ends: FarEnds, output: &OwnedFd) -> io::Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        send_descriptor(&live.socket, output)?;
        live.requests.send(&Request::Spawn(spawn), Some(ends))
    }

    /// Closes the channel, upon which the fork server kills what is below it and goes; kills it if
    /// it does not. Tells how it ended.
    fn leave(&mut self) -> Exit {
        let Some(Live { mut child, socket, requests }) = self.live.take() else {
            return Exit::Unknown;
        };
        drop((socket, requests));
        let pid = Pid::from_child(&child);
        if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
            let patience = LEAVING.try_into().ok();
            let gone = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], patience.as_ref());
            if !matches!(gone, Ok(1)) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
        }
        let exit = exit_of(&child.wait());
        if let Some(spared) = &self.program.spared {
            // It may have been killed just now, and left something.
            orphans::sweep(spared);
        }
        exit
    }

    fn name(&self) -> PathBuf {
        self.program.name()
    }
}
