//! Worker programs that do not work. Which one it is, is the name by which it was started; each
//! start leaves a line in the file `starts` beside that name.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use brigade_protocol::handshake::{self, MAGIC};
use brigade_protocol::ipc_channel::ipc::{self, IpcReceiver, IpcSender};
use brigade_protocol::message::{Exit, Hello, Report, Request};
use brigade_protocol::{VARIABLE, VERSION};
use serde::{Deserialize, Serialize};

/// As long as a test may take, and no process is left for ever if it goes wrong.
const LONG: Duration = Duration::from_mins(1);

/// What a greeting looks like on the wire.
#[derive(Serialize, Deserialize)]
enum Greeting {
    Hello { hello: Bytes, requests: IpcSender<u8>, reports: IpcReceiver<u8> },
}

/// Bytes that are written as bytes.
#[derive(Serialize, Deserialize)]
struct Bytes(Vec<u8>);

fn main() -> ExitCode {
    let path = PathBuf::from(std::env::args_os().next().expect("a program has a name"));
    count_start(&path);
    let place = std::env::var(VARIABLE).unwrap_or_default();
    match path.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
        "exits" => complain("the larder is empty"),
        "aborts" => std::process::abort(),
        "sleeps" => {
            complain("waiting for nobody");
            std::thread::sleep(LONG);
        }
        "newer" => {
            let version = (VERSION + 1).to_le_bytes();
            greet(&place, &[&MAGIC[..], &version, b"who knows"].concat());
        }
        "stranger" => greet(&place, b"GET / HTTP/1.1"),
        "malformed" => greet(&place, &[&MAGIC[..], &VERSION.to_le_bytes(), &[0xff; 50]].concat()),
        "connects" => {
            let connected = IpcSender::<Greeting>::connect(place);
            std::thread::sleep(LONG);
            drop(connected);
        }
        "barren" => barren(&place),
        "forgetful" => forgetful(&place),
        _ => return ExitCode::SUCCESS,
    }
    ExitCode::from(42)
}

#[expect(clippy::print_stderr, reason = "these are its last words")]
fn complain(words: &str) {
    eprintln!("{words}");
}

fn count_start(path: &Path) {
    let starts = path.with_file_name("starts");
    let file = OpenOptions::new().append(true).create(true).open(starts);
    // Where it was started by something else than a test, nobody counts.
    let _ = file.and_then(|mut file| file.write_all(b"started\n"));
}

/// Sends a hello of these bytes, and waits.
fn greet(place: &str, hello: &[u8]) {
    let supervisor = IpcSender::connect(place.to_owned()).expect("the supervisor waits");
    let (requests, _own_requests) = ipc::channel().expect("a channel");
    let (_own_reports, reports) = ipc::channel().expect("a channel");
    let greeting = Greeting::Hello { hello: Bytes(hello.to_vec()), requests, reports };
    supervisor.send(greeting).expect("the supervisor listens");
    std::thread::sleep(LONG);
}

/// Says a proper hello, and dies when it is to fork a worker.
fn barren(place: &str) {
    let supervisor = handshake::connect(place, &hello()).expect("the supervisor waits");
    let _ = supervisor.receive(LONG);
    complain("no worker today");
    // Were the channel closed first, the supervisor might kill it before it exits.
    std::process::exit(42);
}

/// Says a proper hello, and has workers that die before they are ready.
fn forgetful(place: &str) {
    let supervisor = handshake::connect(place, &hello()).expect("the supervisor waits");
    let mut workers = Vec::new();
    while let Ok(Some((request, _))) = supervisor.receive(LONG) {
        let report = match request {
            Request::Spawn(spawn) => {
                let child = Command::new("true").spawn().expect("it can be started");
                let pid = child.id();
                workers.push(child);
                Report::Spawned { worker: spawn.worker, pid }
            }
            Request::Reap(worker) => {
                workers.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
                Report::Reaped { worker, exit: Exit::Code(0), usage: None }
            }
            Request::Configure(_) => Report::Configured,
        };
        if supervisor.report(&report).is_err() {
            return;
        }
    }
}

fn hello() -> Hello {
    let build = handshake::own_build().expect("/proc is mounted");
    let task = brigade_worker::builtin::double::TASK.info();
    Hello { build, tasks: vec![task] }
}
