//! A supervisor as small as can be, with only the protocol crate.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use brigade_protocol::board::{self, Lane, PAGE};
use brigade_protocol::handshake::{NearEnds, Rendezvous, Reports, Requests, channel_pair};
use brigade_protocol::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    Call, Calls, Configuration, Exit, Form, Frame, FromWorker, Hello, Initializer, Length, Outputs,
    Question, Report, Request, Spawn, TaskError, ToWorker, Usage, Value,
};
use brigade_protocol::{VARIABLE, codec};
use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType};
use nix::sys::socket::{sendmsg, socketpair};
use nix::unistd::pipe2;

/// A fork server and the way to it. Dropped, it is as if the supervisor died.
pub(crate) struct Server {
    pub(crate) hello: Hello,
    pub(crate) child: Child,
    requests: Requests,
    reports: Reports,
    socket: OwnedFd,
    scoreboard: File,
    workers: u64,
}

/// A worker and the way to it.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) ends: NearEnds,
    pub(crate) output: File,
    hello: Hello,
    next: u64,
    parts: HashMap<Ticket, Vec<u8>>,
}

/// A [`FromWorker`] that owns its bytes, with parts put together.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Ready,
    Replies(Vec<(u64, Result<String, TaskError>)>),
    /// The outputs of jobs from this one on.
    Ran(u64, Vec<String>),
    Returned(Vec<u64>),
    Taken,
    Part,
    Grown,
    /// A job submits one: its number, that of the one it submits, the task, the arguments.
    Submit(u64, JobId, String, String),
    Reserve(u64, JobId),
    Abandon(JobId),
    Wait(u64, Vec<JobId>),
    WaitOver(u64),
    Ask(u64, JobId, Question),
    Cancel(Vec<JobId>),
}

impl Server {
    /// This very program as a worker program.
    pub(crate) fn start() -> Self {
        Self::start_program(&std::env::current_exe().unwrap(), |command| command)
    }

    pub(crate) fn start_program(
        program: &Path,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let meeting = Rendezvous::open().unwrap();
        let flags = SockFlag::SOCK_CLOEXEC;
        let (socket, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let mut command = Command::new(program);
        command.env(VARIABLE, meeting.name()).stdin(theirs).stderr(Stdio::piped()).process_group(0);
        let child = prepare(&mut command).spawn().unwrap();
        drop(command);
        let (hello, requests, reports) = meeting.accept().unwrap().split();
        let scoreboard = memfd_create("board", MFdFlags::MFD_CLOEXEC).unwrap();
        let scoreboard = File::from(scoreboard);
        scoreboard.set_len(8 * PAGE as u64).unwrap();
        pass(&socket, &scoreboard);
        Self { hello, child, requests, reports, socket, scoreboard, workers: 0 }
    }

    pub(crate) fn spawn(&mut self) -> Worker {
        self.spawn_with(1, 16 * 1024 * 1024)
    }

    /// Starts a worker and waits until it is ready.
    pub(crate) fn spawn_with(&mut self, threads: u16, max_output: u64) -> Worker {
        let mut worker = self.fork(threads, max_output);
        assert_eq!(worker.hear(), Said::Ready);
        worker
    }

    /// Has the fork server be like this; gives its answer.
    pub(crate) fn configure(&self, configuration: Configuration) -> Report {
        self.request(configuration);
        self.reports.receive().unwrap()
    }

    /// Asks the fork server to be like this.
    pub(crate) fn request(&self, configuration: Configuration) {
        self.requests.send(&Request::Configure(configuration), None).unwrap();
    }

    /// What runs a task with arguments in JSON before anything else does.
    pub(crate) fn initializer(&self, task: &str, arguments: &str) -> Initializer {
        let (task, arguments) = (self.hello.find(task).unwrap(), arguments.into());
        Initializer { task, form: Form::Json, arguments }
    }

    /// Starts a worker.
    pub(crate) fn fork(&mut self, threads: u16, max_output: u64) -> Worker {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (ends, far) = channel_pair().unwrap();
        let id = WorkerId(self.workers);
        self.workers += 1;
        pass(&self.socket, &writer);
        drop(writer);
        let slot = SlotId(u32::try_from(id.0).unwrap());
        let spawn = Spawn { worker: id, slot, threads, max_output, pool: 7, direct: false };
        self.requests.send(&Request::Spawn(spawn), Some(far)).unwrap();
        assert!(
            matches!(self.reports.receive(), Ok(Report::Spawned { worker, .. }) if worker == id)
        );
        let (output, hello) = (File::from(reader), self.hello.clone());
        Worker { id, ends, output, hello, next: 1, parts: HashMap::new() }
    }

    /// Waits until the worker is gone by itself, and asks how it ended.
    pub(crate) fn reap(&self, worker: Worker) -> (Exit, String) {
        let (exit, output, _) = self.reap_with_usage(worker);
        (exit, output)
    }

    /// As [`Server::reap`], with what the worker used.
    pub(crate) fn reap_with_usage(&self, mut worker: Worker) -> (Exit, String, Option<Usage>) {
        let id = worker.id;
        let output = worker.last_words();
        self.requests.send(&Request::Reap(id), None).unwrap();
        let Ok(Report::Reaped { worker, exit, usage }) = self.reports.receive() else {
            panic!("no report")
        };
        assert_eq!(worker, id);
        (exit, output, usage)
    }

    pub(crate) fn request_reap(&self, id: WorkerId) -> Exit {
        self.requests.send(&Request::Reap(id), None).unwrap();
        let Ok(Report::Reaped { exit, .. }) = self.reports.receive() else { panic!("no report") };
        exit
    }

    /// What a worker wrote on its page.
    pub(crate) fn lanes(&self, worker: &Worker) -> Vec<Lane> {
        let mut page = [0; PAGE];
        self.scoreboard.read_exact_at(&mut page, worker.id.0 * PAGE as u64).unwrap();
        board::read(&page)
    }

    /// Lets go of everything, as a supervisor that is killed; what is left is the error stream.
    pub(crate) fn die(self) -> (Child, ChildStderr) {
        let mut child = self.child;
        let stderr = child.stderr.take().unwrap();
        (child, stderr)
    }
}

impl Worker {
    /// Sends one frame of calls of one task, with arguments in JSON; jobs are numbered like calls.
    pub(crate) fn send(&mut self, task: &str, arguments: &[&str]) {
        let calls: Vec<_> =
            arguments.iter().map(|text| (task, Form::Json, text.as_bytes())).collect();
        self.send_calls(&calls);
    }

    pub(crate) fn send_calls(&mut self, calls: &[(&str, Form, &[u8])]) {
        let first = Seq(self.next);
        let calls: Vec<_> = calls
            .iter()
            .map(|&(task, form, bytes)| {
                let (ticket, task) = (JobId(self.next).into(), self.task(task));
                self.next += 1;
                Call { ticket, task, form, arguments: Value::Inline(bytes), label: None }
            })
            .collect();
        self.say(&ToWorker::Frame(Frame { first, calls }));
    }

    /// As [`Worker::send`], in one run.
    pub(crate) fn send_run(&mut self, task: &str, arguments: &[&str]) {
        let arguments: Vec<&[u8]> = arguments.iter().map(|text| text.as_bytes()).collect();
        self.send_run_in(Form::Json, task, &arguments);
    }

    /// With the arguments in this form.
    pub(crate) fn send_run_in(&mut self, form: Form, task: &str, arguments: &[&[u8]]) {
        let mut packed = Vec::new();
        for bytes in arguments {
            codec::push_bytes(bytes, &mut packed);
        }
        let count = arguments.len().try_into().unwrap();
        let (first, run) = (Seq(self.next), Run { first: JobId(self.next).into(), count });
        let (task, arguments) = (self.task(task), packed.as_slice());
        self.say(&ToWorker::Run(Calls { first, run, task, form, arguments }));
        self.next += u64::from(count);
    }

    /// The number of the next job.
    pub(crate) fn number(&self) -> u64 {
        self.next
    }

    /// Sends a call whose arguments go ahead in parts.
    pub(crate) fn send_in_parts(&mut self, task: &str, arguments: &[u8]) {
        let ticket = JobId(self.next).into();
        for bytes in arguments.chunks(codec::PART) {
            self.say(&ToWorker::Part { ticket, bytes });
            assert_eq!(self.hear(), Said::Taken);
        }
        let (task, arguments) =
            (self.task(task), Value::Parts(Length::plain(arguments.len() as u64)));
        let call = Call { ticket, task, form: Form::Json, arguments, label: None };
        self.say(&ToWorker::Frame(Frame { first: Seq(self.next), calls: vec![call] }));
        self.next += 1;
    }

    pub(crate) fn say(&self, message: &ToWorker<'_>) {
        self.ends.jobs.send(&codec::encode(message).unwrap()).unwrap();
    }

    /// Waits for the next message.
    pub(crate) fn hear(&mut self) -> Said {
        let packet = self.ends.replies.recv().unwrap();
        match codec::decode(&packet).unwrap() {
            FromWorker::Ready => Said::Ready,
            FromWorker::Taken => Said::Taken,
            FromWorker::Grown => Said::Grown,
            FromWorker::End => panic!("no worker says this"),
            FromWorker::Submit(submit) => {
                let first = submit.job.into();
                let arguments = self.whole(first, submit.arguments);
                let task = self.hello.tasks[submit.task.0 as usize].name.clone();
                let arguments = String::from_utf8_lossy(&arguments).into_owned();
                Said::Submit(submit.parent.job.0, submit.job, task, arguments)
            }
            FromWorker::Reserve { parent, job } => Said::Reserve(parent.job.0, job),
            FromWorker::Abandon(job) => Said::Abandon(job),
            FromWorker::Wait { waiter, jobs } => Said::Wait(waiter.job.0, jobs),
            FromWorker::WaitOver(waiter) => Said::WaitOver(waiter.job.0),
            FromWorker::Ask { asker, job, question } => Said::Ask(asker.job.0, job, question),
            FromWorker::Cancel(jobs) => Said::Cancel(jobs),
            FromWorker::Returned(tickets) => {
                Said::Returned(tickets.iter().map(|ticket| ticket.job.0).collect())
            }
            FromWorker::Room { .. } | FromWorker::Offer { .. } => panic!("nothing is direct here"),
            FromWorker::Part { ticket, bytes } => {
                self.parts.entry(ticket).or_default().extend(bytes);
                Said::Part
            }
            FromWorker::Replies(replies) => {
                let mut said = Vec::new();
                for reply in replies {
                    let result = reply.result.map(|value| self.whole(reply.ticket, value));
                    let text = result.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                    said.push((reply.ticket.job.0, text));
                }
                Said::Replies(said)
            }
            FromWorker::Ran(Outputs { run, mut outputs, .. }) => {
                let mut texts = Vec::new();
                for _ in 0..run.count {
                    let (_, output) = codec::take_output(&mut outputs).unwrap();
                    texts.push(String::from_utf8_lossy(output).into_owned());
                }
                assert!(outputs.is_empty(), "an output for each");
                Said::Ran(run.first.job.0, texts)
            }
        }
    }

    fn whole(&mut self, ticket: Ticket, value: Value<'_>) -> Vec<u8> {
        match value {
            Value::Inline(bytes) => bytes.to_vec(),
            Value::Parts(length) => {
                let whole = self.parts.remove(&ticket).unwrap();
                assert_eq!(Length::plain(whole.len() as u64), length);
                whole
            }
        }
    }

    /// Waits for so many replies.
    pub(crate) fn replies(&mut self, count: usize) -> Vec<(u64, Result<String, TaskError>)> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.hear() {
                Said::Replies(replies) => all.extend(replies),
                Said::Part => {}
                other => panic!("{other:?} instead of replies"),
            }
        }
        all
    }

    /// Runs one job.
    pub(crate) fn run(&mut self, task: &str, arguments: &str) -> Result<String, TaskError> {
        self.send(task, &[arguments]);
        self.replies(1).remove(0).1
    }

    /// What it and its descendants print until the last of them is gone.
    pub(crate) fn last_words(&mut self) -> String {
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        output
    }

    fn task(&self, name: &str) -> TaskId {
        self.hello.find(name).unwrap()
    }
}

/// A named pipe for [`hold`](crate::faults).
pub(crate) struct Gate {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        Self { _directory: directory, path }
    }

    /// The arguments of the task that waits here.
    pub(crate) fn arguments(&self) -> String {
        format!("[\"{}\"]", self.path())
    }

    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Waits until the task is here, and lets it pass.
    pub(crate) fn open(&self) {
        drop(File::options().write(true).open(&self.path).unwrap());
    }
}

fn pass(socket: &OwnedFd, descriptor: &impl AsFd) {
    let numbers = [descriptor.as_fd().as_raw_fd()];
    let control = [ControlMessage::ScmRights(&numbers)];
    let bytes = [IoSlice::new(&[0])];
    sendmsg::<()>(socket.as_raw_fd(), &bytes, &control, MsgFlags::empty(), None).unwrap();
}
