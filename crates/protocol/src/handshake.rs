//! How a supervisor and a worker program find each other and agree on the protocol.
//!
//! The supervisor opens a [`Rendezvous`] and starts the worker program with its name in
//! [`VARIABLE`](crate::VARIABLE). The program [connects](connect) and sends its [`Hello`] together
//! with the far ends of the control channels. The hello begins with [`MAGIC`] and the version in a
//! layout that never changes, so that two versions can at least tell each other that they differ.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ipc_channel::ipc::{
    self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender,
};
use ipc_channel::{IpcError, TryRecvError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::VERSION;
use crate::codec::{self, DecodeError, EncodeError};
use crate::message::{BuildId, Hello, Report, Request};

/// The first eight bytes of every hello.
pub const MAGIC: [u8; 8] = *b"brigade\0";

/// The longest directory in which a socket can be made: its whole path must fit 108 bytes.
const LONGEST_DIRECTORY: usize = 80;

/// The supervisor and the worker program could not agree.
///
/// ```
/// use brigade_protocol::handshake::{HandshakeError, MAGIC, open_hello};
///
/// assert!(matches!(open_hello(b"who is there?"), Err(HandshakeError::NotAHello)));
/// let newer = [MAGIC.as_slice(), &99_u32.to_le_bytes()].concat();
/// assert!(matches!(open_hello(&newer), Err(HandshakeError::Version { theirs: 99 })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The directory for temporary files cannot hold a socket.
    #[error(
        "cannot make a socket in {}: {reason}; set TMPDIR to a short, writable directory",
        directory.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A channel could not be made or used.
    #[error("cannot talk to the other side: {0}")]
    Channel(#[from] io::Error),
    /// What came is not a hello.
    #[error("what came is not a hello of a brigade worker program")]
    NotAHello,
    /// The other side speaks another version.
    #[error(
        "the worker program speaks protocol version {theirs}, this supervisor speaks {VERSION}; build both from one release"
    )]
    Version {
        /// Its version.
        theirs: u32,
    },
    /// The hello is of this version and yet does not decode.
    #[error("the hello does not decode: {0}")]
    Malformed(#[from] DecodeError),
    /// The hello does not fit a message.
    #[error("the hello cannot be sent: {0}")]
    Unencodable(#[from] EncodeError),
    /// [`withdraw`] was called before anybody connected.
    #[error("nobody connected")]
    Withdrawn,
}

/// A control message with the channel ends that travel beside it.
#[derive(Serialize, Deserialize)]
struct Envelope {
    body: ByteBuf,
    ends: Option<FarEnds>,
}

/// The worker's ends of its private channel pair.
///
/// ```
/// use brigade_protocol::{codec, handshake, message::FromWorker};
///
/// let (near, far) = handshake::channel_pair()?;
/// far.replies.send(&codec::encode(&FromWorker::Ready)?)?; // what a worker says first
/// assert_eq!(codec::decode::<FromWorker>(&near.replies.recv()?)?, FromWorker::Ready);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
pub struct FarEnds {
    /// Where its jobs come from.
    pub jobs: IpcBytesReceiver,
    /// Where its replies go.
    pub replies: IpcBytesSender,
}

/// The supervisor's ends of a worker's private channel pair.
///
/// ```
/// use brigade_protocol::{codec, handshake, message::FromWorker};
///
/// let (near, far) = handshake::channel_pair()?;
/// drop(far); // the worker is dead, and the supervisor marks the end of what it said
/// near.end_mark.send(&codec::encode(&FromWorker::End)?)?;
/// assert_eq!(codec::decode::<FromWorker>(&near.replies.recv()?)?, FromWorker::End);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NearEnds {
    /// Where its jobs go.
    pub jobs: IpcBytesSender,
    /// Where its replies come from.
    pub replies: IpcBytesReceiver,
    /// A second way into `replies`, for the end mark behind all that a dead worker sent.
    pub end_mark: IpcBytesSender,
}

/// Makes the private channel pair of one worker.
///
/// ```
/// use brigade_protocol::{codec, handshake, message::ToWorker};
///
/// let (near, far) = handshake::channel_pair()?;
/// near.jobs.send(&codec::encode(&ToWorker::Stop)?)?;
/// assert_eq!(codec::decode::<ToWorker>(&far.jobs.recv()?)?, ToWorker::Stop);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn channel_pair() -> Result<(NearEnds, FarEnds), io::Error> {
    let (jobs_in, jobs_out) = ipc::bytes_channel()?;
    let (replies_in, replies_out) = ipc::bytes_channel()?;
    let near = NearEnds { jobs: jobs_in, replies: replies_out, end_mark: replies_in.clone() };
    Ok((near, FarEnds { jobs: jobs_out, replies: replies_in }))
}

#[derive(Serialize, Deserialize)]
enum Greeting {
    Hello { hello: ByteBuf, requests: IpcSender<Envelope>, reports: IpcReceiver<ByteBuf> },
    Withdrawn,
}

/// A place at which one worker program is awaited.
///
/// ```
/// use std::thread;
/// use brigade_protocol::handshake::{Rendezvous, connect};
/// use brigade_protocol::message::{BuildId, Hello};
///
/// let meeting = Rendezvous::open()?;
/// let name = meeting.name().to_owned();
/// // In a worker program, which has the name in its environment:
/// let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
/// let program = thread::spawn(move || connect(&name, &hello).map(drop));
/// // In the supervisor:
/// assert_eq!(meeting.accept()?.hello.build.to_string(), "mine");
/// # program.join().expect("it does not panic")?;
/// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
/// ```
pub struct Rendezvous {
    server: IpcOneShotServer<Greeting>,
    name: String,
}

impl Rendezvous {
    /// Opens a place in the directory for temporary files (`TMPDIR`), which must exist and have a
    /// path of at most 80 bytes.
    ///
    /// ```
    /// use brigade_protocol::VARIABLE;
    /// use brigade_protocol::handshake::Rendezvous;
    ///
    /// let meeting = Rendezvous::open()?;
    /// let mut program = std::process::Command::new("worker-program");
    /// program.env(VARIABLE, meeting.name());
    /// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
    /// ```
    pub fn open() -> Result<Self, HandshakeError> {
        let directory = std::env::temp_dir();
        if let Err(reason) = check(&directory) {
            return Err(HandshakeError::Directory { directory, reason });
        }
        let (server, name) = IpcOneShotServer::new()?;
        Ok(Self { server, name })
    }

    /// The name under which it is reached; the value of [`VARIABLE`](crate::VARIABLE).
    ///
    /// ```
    /// # use brigade_protocol::handshake::Rendezvous;
    /// let [one, other] = [Rendezvous::open()?, Rendezvous::open()?];
    /// assert_ne!(one.name(), other.name());
    /// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits, without limit, until somebody connects. To bound the wait, accept in a thread and
    /// [`withdraw`] from another.
    ///
    /// ```
    /// # use brigade_protocol::handshake::{HandshakeError, Rendezvous, withdraw};
    /// # use std::thread;
    /// let meeting = Rendezvous::open()?;
    /// let name = meeting.name().to_owned();
    /// thread::spawn(move || withdraw(&name)); // after a while
    /// assert!(matches!(meeting.accept(), Err(HandshakeError::Withdrawn)));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    pub fn accept(self) -> Result<ToServer, HandshakeError> {
        // The channel of the greeting itself is not close-on-exec: it is dropped right here.
        let (_, greeting) = self.server.accept().map_err(|_| HandshakeError::NotAHello)?;
        match greeting {
            Greeting::Withdrawn => Err(HandshakeError::Withdrawn),
            Greeting::Hello { hello, requests, reports } => {
                Ok(ToServer { hello: open_hello(&hello)?, requests, reports })
            }
        }
    }
}

/// Makes the [`Rendezvous::accept`] of this name return [`HandshakeError::Withdrawn`], if nobody
/// has connected yet.
///
/// ```
/// use brigade_protocol::handshake::{Rendezvous, withdraw};
///
/// let meeting = Rendezvous::open()?;
/// withdraw(meeting.name());
/// assert_eq!(meeting.accept().map(drop).unwrap_err().to_string(), "nobody connected");
/// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
/// ```
pub fn withdraw(name: &str) {
    if let Ok(sender) = IpcSender::connect(name.to_owned()) {
        // Refused only if somebody else was faster: then there is nothing to withdraw.
        let _ = sender.send(Greeting::Withdrawn);
    }
}

/// Connects a worker program to the supervisor that waits at `name`.
///
/// ```
/// # use std::thread;
/// # use brigade_protocol::handshake::Rendezvous;
/// use brigade_protocol::handshake::{connect, own_build};
/// use brigade_protocol::message::Hello;
///
/// # let meeting = Rendezvous::open()?;
/// # let name = meeting.name().to_owned();
/// # let supervisor = thread::spawn(move || meeting.accept().map(|server| server.hello));
/// let hello = Hello { build: own_build()?, tasks: vec![] };
/// let _supervisor = connect(&name, &hello)?;
/// # assert_eq!(supervisor.join().expect("it does not panic")?, hello);
/// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
/// ```
pub fn connect(name: &str, hello: &Hello) -> Result<ToSupervisor, HandshakeError> {
    let supervisor = IpcSender::connect(name.to_owned())?;
    let (request_sender, requests) = ipc::channel()?;
    let (reports, report_receiver) = ipc::channel()?;
    let hello = ByteBuf::from(seal_hello(hello)?);
    let greeting = Greeting::Hello { hello, requests: request_sender, reports: report_receiver };
    supervisor.send(greeting).map_err(into_io)?;
    Ok(ToSupervisor { requests, reports })
}

/// The build of the executable that this process runs: its device, inode, size and time of change, so
/// that two processes have the same one only if they run the same file.
///
/// ```
/// use brigade_protocol::handshake::own_build;
///
/// assert_eq!(own_build()?, own_build()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn own_build() -> Result<BuildId, io::Error> {
    let file = std::fs::metadata("/proc/self/exe")?;
    let (device, inode, size) = (file.dev(), file.ino(), file.size());
    Ok(BuildId(format!("{device}:{inode}:{size}:{}.{:09}", file.mtime(), file.mtime_nsec())))
}

/// A hello as it travels: magic, version as four little-endian bytes, then the hello in bincode.
///
/// ```
/// use brigade_protocol::VERSION;
/// use brigade_protocol::handshake::{MAGIC, seal_hello};
/// use brigade_protocol::message::{BuildId, Hello};
///
/// let sealed = seal_hello(&Hello { build: BuildId("mine".into()), tasks: vec![] })?;
/// assert_eq!(sealed[..8], MAGIC);
/// assert_eq!(sealed[8..12], VERSION.to_le_bytes());
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
pub fn seal_hello(hello: &Hello) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    codec::encode_into(hello, &mut bytes)?;
    Ok(bytes)
}

/// Reads what [`seal_hello`] wrote.
///
/// ```
/// use brigade_protocol::handshake::{open_hello, seal_hello};
/// use brigade_protocol::message::{BuildId, Hello};
///
/// let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
/// assert_eq!(open_hello(&seal_hello(&hello)?)?, hello);
/// # Ok::<(), brigade_protocol::handshake::HandshakeError>(())
/// ```
pub fn open_hello(bytes: &[u8]) -> Result<Hello, HandshakeError> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(HandshakeError::NotAHello)?;
    let (version, hello) = rest.split_first_chunk::<4>().ok_or(HandshakeError::NotAHello)?;
    let theirs = u32::from_le_bytes(*version);
    if theirs != VERSION {
        return Err(HandshakeError::Version { theirs });
    }
    Ok(codec::decode_long(hello)?)
}

/// The supervisor's end of the control channels.
///
/// ```
/// # use std::{thread, time::Duration};
/// # use brigade_protocol::handshake::{Rendezvous, connect};
/// # use brigade_protocol::message::{BuildId, Hello};
/// use brigade_protocol::handshake::ToServer;
///
/// # let meeting = Rendezvous::open()?;
/// # let name = meeting.name().to_owned();
/// # let program = thread::spawn(move || {
/// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
/// #     connect(&name, &hello).map(drop)
/// # });
/// let server: ToServer = meeting.accept()?;
/// assert!(server.hello.tasks.is_empty());
/// # program.join().expect("it does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ToServer {
    /// What the worker program said of itself.
    pub hello: Hello,
    requests: IpcSender<Envelope>,
    reports: IpcReceiver<ByteBuf>,
}

impl ToServer {
    /// Splits it into the end for sending and the end for receiving, for two threads.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use brigade_protocol::handshake::{Rendezvous, connect};
    /// # use brigade_protocol::message::{BuildId, Hello, Report};
    /// # let meeting = Rendezvous::open()?;
    /// # let name = meeting.name().to_owned();
    /// # let program = thread::spawn(move || {
    /// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
    /// #     connect(&name, &hello).expect("it is there").report(&Report::Configured)
    /// # });
    /// let (hello, requests, reports) = meeting.accept()?.split();
    /// thread::spawn(move || drop(reports.receive())); // hears what becomes of the requests
    /// assert!(hello.tasks.is_empty());
    /// # program.join().expect("it does not panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(self) -> (Hello, Requests, Reports) {
        (self.hello, Requests(self.requests), Reports(self.reports))
    }
}

/// Where requests to the fork server go.
///
/// ```
/// # use std::{thread, time::Duration};
/// # use brigade_protocol::handshake::{Rendezvous, connect};
/// # use brigade_protocol::message::{BuildId, Hello};
/// # let meeting = Rendezvous::open()?;
/// # let name = meeting.name().to_owned();
/// # let program = thread::spawn(move || {
/// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
/// #     let supervisor = connect(&name, &hello).expect("it is there");
/// #     supervisor.receive(Duration::from_secs(60)).map(|got| got.map(|(request, _)| request))
/// # });
/// use brigade_protocol::handshake::Requests;
/// use brigade_protocol::message::{Configuration, Request};
///
/// let (_, requests, _): (_, Requests, _) = meeting.accept()?.split();
/// let nice = Request::Configure(Configuration { nice: 10, ..Configuration::default() });
/// requests.send(&nice, None)?;
/// assert_eq!(program.join().expect("it does not panic")?, Some(nice));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Requests(IpcSender<Envelope>);

impl Requests {
    /// Sends a request; `ends` belongs to a `Spawn`. Blocks if a few hundred are unread.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use brigade_protocol::handshake::{Rendezvous, connect};
    /// # use brigade_protocol::id::WorkerId;
    /// # use brigade_protocol::message::{BuildId, Hello, Request};
    /// # let meeting = Rendezvous::open()?;
    /// # let name = meeting.name().to_owned();
    /// # let program = thread::spawn(move || {
    /// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
    /// #     let supervisor = connect(&name, &hello).expect("it is there");
    /// #     supervisor.receive(Duration::from_secs(60)).map(|got| got.map(|(request, _)| request))
    /// # });
    /// let (_, requests, _) = meeting.accept()?.split();
    /// requests.send(&Request::Reap(WorkerId(7)), None)?;
    /// assert_eq!(program.join().expect("it does not panic")?, Some(Request::Reap(WorkerId(7))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&self, request: &Request, ends: Option<FarEnds>) -> Result<(), io::Error> {
        let body = ByteBuf::from(codec::encode(request).map_err(io::Error::other)?);
        self.0.send(Envelope { body, ends }).map_err(into_io)
    }
}

/// Where the fork server's reports come from.
///
/// ```
/// # use std::{thread, time::Duration};
/// # use brigade_protocol::handshake::{Rendezvous, connect};
/// # use brigade_protocol::message::{BuildId, Hello};
/// # let meeting = Rendezvous::open()?;
/// # let name = meeting.name().to_owned();
/// # let program = thread::spawn(move || {
/// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
/// #     let supervisor = connect(&name, &hello).expect("it is there");
/// #     supervisor.report(&brigade_protocol::message::Report::Configured)
/// # });
/// use brigade_protocol::handshake::Reports;
/// use brigade_protocol::message::Report;
///
/// let (_, _requests, reports): (_, _, Reports) = meeting.accept()?.split();
/// while let Ok(report) = reports.receive() {
///     assert_eq!(report, Report::Configured);
/// }
/// # program.join().expect("it does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reports(IpcReceiver<ByteBuf>);

impl Reports {
    /// Waits for the next report. An error means that the fork server is gone or talks nonsense.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use brigade_protocol::handshake::{Rendezvous, connect};
    /// # use brigade_protocol::message::{BuildId, Hello, Report};
    /// # let meeting = Rendezvous::open()?;
    /// # let name = meeting.name().to_owned();
    /// # let program = thread::spawn(move || {
    /// #     let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
    /// #     connect(&name, &hello).expect("it is there").report(&Report::Configured)
    /// # });
    /// let (_, _requests, reports) = meeting.accept()?.split();
    /// assert_eq!(reports.receive()?, Report::Configured);
    /// assert!(reports.receive().is_err(), "the program has ended");
    /// # program.join().expect("it does not panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(&self) -> Result<Report, io::Error> {
        let body = self.0.recv().map_err(into_io)?;
        codec::decode(&body).map_err(io::Error::other)
    }
}

/// A worker program's end of the control channels.
///
/// ```
/// use std::{thread, time::Duration};
/// use brigade_protocol::handshake::{Rendezvous, ToSupervisor, connect, own_build};
/// use brigade_protocol::message::Hello;
///
/// # let meeting = Rendezvous::open()?;
/// # let name = meeting.name().to_owned();
/// # let server = thread::spawn(move || meeting.accept().map(drop));
/// // The name comes from the environment, under `VARIABLE`.
/// let hello = Hello { build: own_build()?, tasks: vec![] };
/// let supervisor: ToSupervisor = connect(&name, &hello)?;
/// while let Ok(request) = supervisor.receive(Duration::from_secs(1)) { /* … */ }
/// // The supervisor is gone, and so must we be.
/// # server.join().expect("it does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ToSupervisor {
    requests: IpcReceiver<Envelope>,
    reports: IpcSender<ByteBuf>,
}

impl ToSupervisor {
    /// Waits at most `patience` (whole milliseconds) for the next request. `Ok(None)` if there was
    /// none; an error means that the supervisor is gone.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use brigade_protocol::handshake::{Rendezvous, connect};
    /// # use brigade_protocol::message::{BuildId, Hello};
    /// # let meeting = Rendezvous::open()?;
    /// # let name = meeting.name().to_owned();
    /// # let server = thread::spawn(move || meeting.accept().map(|server| server.split()));
    /// # let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
    /// let supervisor = connect(&name, &hello)?;
    /// # let ends = server.join().expect("it does not panic")?;
    /// assert!(supervisor.receive(Duration::from_millis(1))?.is_none());
    /// # drop(ends);
    /// // Later, when the supervisor is gone:
    /// assert!(supervisor.receive(Duration::from_millis(1)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(
        &self,
        patience: std::time::Duration,
    ) -> Result<Option<(Request, Option<FarEnds>)>, io::Error> {
        match self.requests.try_recv_timeout(patience) {
            Ok(Envelope { body, ends }) => {
                let request = codec::decode(&body).map_err(io::Error::other)?;
                Ok(Some((request, ends)))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::IpcError(IpcError::Io(error)))
                if error.kind() == io::ErrorKind::Interrupted =>
            {
                Ok(None)
            }
            Err(TryRecvError::IpcError(error)) => Err(into_io(error)),
        }
    }

    /// Sends a report.
    ///
    /// ```
    /// # use std::{thread, time::Duration};
    /// # use brigade_protocol::handshake::{Rendezvous, connect};
    /// # use brigade_protocol::id::WorkerId;
    /// # use brigade_protocol::message::{BuildId, Hello, Report};
    /// # let meeting = Rendezvous::open()?;
    /// # let name = meeting.name().to_owned();
    /// # let server = thread::spawn(move || meeting.accept().map(|server| server.split()));
    /// # let hello = Hello { build: BuildId("mine".into()), tasks: vec![] };
    /// let supervisor = connect(&name, &hello)?;
    /// supervisor.report(&Report::Spawned { worker: WorkerId(0), pid: std::process::id() })?;
    /// # let (_, _, reports) = server.join().expect("it does not panic")?;
    /// # assert!(matches!(reports.receive()?, Report::Spawned { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn report(&self, report: &Report) -> Result<(), io::Error> {
        let body = codec::encode(report).map_err(io::Error::other)?;
        self.reports.send(ByteBuf::from(body)).map_err(into_io)
    }
}

fn into_io(error: IpcError) -> io::Error {
    match error {
        IpcError::Io(error) => error,
        IpcError::Disconnected => io::ErrorKind::BrokenPipe.into(),
        IpcError::SerializationError(error) => io::Error::other(error),
    }
}

/// ipc-channel panics if the directory cannot be written to or is not UTF-8, and cuts a long path short.
fn check(directory: &Path) -> Result<(), String> {
    if directory.as_os_str().len() > LONGEST_DIRECTORY {
        return Err(format!("its path is longer than {LONGEST_DIRECTORY} bytes"));
    }
    if directory.to_str().is_none() {
        return Err("its path is not UTF-8".to_owned());
    }
    // Tried out: whether one may write there depends on more than its mode.
    let probe = directory.join(format!(".brigade-{}", std::process::id()));
    match std::fs::create_dir(&probe) {
        Ok(()) => {
            let _ = std::fs::remove_dir(&probe);
            Ok(())
        }
        // By another thread of this process.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
