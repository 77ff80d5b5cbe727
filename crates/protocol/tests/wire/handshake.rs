//! The handshake: hellos that are none, and a whole conversation within one process.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use brigade_protocol::VERSION;
use brigade_protocol::handshake::{
    self, HandshakeError, MAGIC, Rendezvous, ToServer, open_hello, own_build, seal_hello,
};
use brigade_protocol::id::{SlotId, TaskId, WorkerId};
use brigade_protocol::ipc_channel::ipc::IpcSender;
use brigade_protocol::message::{
    BuildId, Exit, Hello, ParameterInfo, Report, Request, Spawn, TaskInfo,
};

/// How long anything may take that should take no time.
const DEADLINE: Duration = Duration::from_secs(20);

fn hello() -> Hello {
    let task = |name: &str| TaskInfo {
        name: name.into(),
        parameters: vec![ParameterInfo { name: "n".into(), kind: "u64".into() }],
        returns: "u64".into(),
        doc: "Does it.".into(),
    };
    Hello { build: BuildId("build".into()), tasks: vec![task("one"), task("two")] }
}

/// Accepts in a thread.
fn accept(meeting: Rendezvous) -> mpsc::Receiver<Result<ToServer, HandshakeError>> {
    let (give, take) = mpsc::channel();
    thread::spawn(move || give.send(meeting.accept()));
    take
}

/// The error of an accept, which must come soon.
#[track_caller]
fn refused(accepted: &mpsc::Receiver<Result<ToServer, HandshakeError>>) -> HandshakeError {
    accepted.recv_timeout(DEADLINE).unwrap().err().expect("this is no hello")
}

#[test]
fn another_version_is_told_with_both_numbers() {
    for theirs in [0, VERSION + 1, u32::MAX] {
        let mut bytes = seal_hello(&hello()).unwrap();
        bytes[8..12].copy_from_slice(&theirs.to_le_bytes());
        // What follows the version may be anything in another version, or nothing.
        for length in [12, 13, bytes.len()] {
            let error = open_hello(&bytes[..length]).unwrap_err();
            assert!(matches!(error, HandshakeError::Version { theirs: read } if read == theirs));
            let text = error.to_string();
            assert!(text.contains(&format!("speaks protocol version {theirs},")), "{text}");
            assert!(text.contains(&format!("this supervisor speaks {VERSION};")), "{text}");
        }
    }
}

#[test]
fn another_magic_is_no_hello() {
    let sealed = seal_hello(&hello()).unwrap();
    for at in 0..MAGIC.len() {
        let mut bytes = sealed.clone();
        bytes[at] ^= 0x20;
        assert!(matches!(open_hello(&bytes), Err(HandshakeError::NotAHello)), "byte {at}");
    }
}

#[test]
fn a_cut_hello_is_an_error() {
    let sealed = seal_hello(&hello()).unwrap();
    for length in 0..sealed.len() {
        match open_hello(&sealed[..length]) {
            Err(HandshakeError::NotAHello) => assert!(length < 12),
            Err(HandshakeError::Malformed(_)) => assert!(length >= 12),
            other => panic!("{length} bytes are {other:?}"),
        }
    }
    let error = open_hello(&[&*sealed, b"!"].concat()).unwrap_err();
    assert_eq!(error.to_string(), "the hello does not decode: 1 bytes trail the message");
}

#[test]
fn a_task_is_found_by_its_name() {
    assert_eq!(hello().find("two"), Some(TaskId(1)));
    assert_eq!(hello().find("three"), None);
}

#[test]
fn a_process_has_one_build() {
    let build = own_build().unwrap();
    assert_eq!(build, own_build().unwrap());
    assert_eq!(build.0.split(':').count(), 4, "{build}");
}

#[test]
fn both_sides_meet_and_talk() {
    let meeting = Rendezvous::open().unwrap();
    let name = meeting.name().to_owned();
    let accepted = accept(meeting);
    let worker_program = handshake::connect(&name, &hello()).unwrap();
    let to_server = accepted.recv_timeout(DEADLINE).unwrap().unwrap();
    let (heard, requests, reports) = to_server.split();
    assert_eq!(heard, hello());

    assert!(worker_program.receive(Duration::from_millis(1)).unwrap().is_none());
    let (near, far) = handshake::channel_pair().unwrap();
    let spawn = Spawn {
        worker: WorkerId(1),
        slot: SlotId(0),
        threads: 1,
        max_output: 9,
        pool: 3,
        direct: false,
    };
    requests.send(&Request::Spawn(spawn), Some(far)).unwrap();
    requests.send(&Request::Reap(WorkerId(1)), None).unwrap();

    let (request, ends) = worker_program.receive(DEADLINE).unwrap().unwrap();
    assert_eq!(request, Request::Spawn(spawn));
    let far = ends.expect("a spawn request brings the ends");
    near.jobs.send(b"a job").unwrap();
    assert_eq!(far.jobs.recv().unwrap(), b"a job");
    far.replies.send(b"a reply").unwrap();
    near.end_mark.send(b"the end").unwrap();
    assert_eq!(near.replies.recv().unwrap(), b"a reply");
    assert_eq!(near.replies.recv().unwrap(), b"the end");

    let (request, ends) = worker_program.receive(DEADLINE).unwrap().unwrap();
    assert_eq!(request, Request::Reap(WorkerId(1)));
    assert!(ends.is_none());
    let report = Report::Reaped { worker: WorkerId(1), exit: Exit::Signal(9), usage: None };
    worker_program.report(&report).unwrap();
    assert_eq!(reports.receive().unwrap(), report);

    drop(requests);
    let error = worker_program.receive(DEADLINE).err().expect("the supervisor is gone");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    drop(worker_program);
    assert_eq!(reports.receive().unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn withdrawing_frees_who_waits() {
    let meeting = Rendezvous::open().unwrap();
    let name = meeting.name().to_owned();
    let accepted = accept(meeting);
    handshake::withdraw(&name);
    assert!(matches!(refused(&accepted), HandshakeError::Withdrawn));
    // Nobody waits there any more.
    handshake::withdraw(&name);
    assert!(matches!(handshake::connect(&name, &hello()), Err(HandshakeError::Channel(_))));
}

#[test]
fn withdrawing_too_late_changes_nothing() {
    let meeting = Rendezvous::open().unwrap();
    let name = meeting.name().to_owned();
    let connected = handshake::connect(&name, &hello()).unwrap();
    handshake::withdraw(&name);
    let accepted = accept(meeting).recv_timeout(DEADLINE).unwrap();
    assert_eq!(accepted.unwrap().hello, hello());
    drop(connected);
}

#[test]
fn who_says_something_else_is_not_believed() {
    for nonsense in [vec![], vec![9; 3], vec![0; 100], vec![0xff; 100]] {
        let meeting = Rendezvous::open().unwrap();
        let stranger = IpcSender::<Vec<u8>>::connect(meeting.name().to_owned()).unwrap();
        let accepted = accept(meeting);
        stranger.send(nonsense).unwrap();
        assert!(matches!(refused(&accepted), HandshakeError::NotAHello));
    }
}

#[test]
fn who_connects_and_goes_is_not_believed() {
    let meeting = Rendezvous::open().unwrap();
    let stranger = IpcSender::<Vec<u8>>::connect(meeting.name().to_owned()).unwrap();
    drop(stranger);
    assert!(matches!(refused(&accept(meeting)), HandshakeError::NotAHello));
}

/// What the child of [`a_directory_that_cannot_hold_a_socket_is_named`] is to find.
const REASON: &str = "WIRE_TEST_REASON";

/// The directory is an environment variable of the whole process: this test starts itself once more
/// for each case.
#[test]
fn a_directory_that_cannot_hold_a_socket_is_named() {
    if let Ok(reason) = std::env::var(REASON) {
        let error = Rendezvous::open().err().expect("there is no room for a socket");
        let directory = std::env::temp_dir();
        assert!(
            matches!(&error, HandshakeError::Directory { directory: named, .. } if *named == directory)
        );
        let text = error.to_string();
        assert!(text.contains(directory.to_str().unwrap()) && text.contains(&reason), "{text}");
        assert!(text.ends_with("set TMPDIR to a short, writable directory"), "{text}");
        return;
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let long = scratch.join("d".repeat(100));
    std::fs::create_dir_all(&long).unwrap();
    let file = scratch.join("file");
    std::fs::write(&file, "").unwrap();
    for (directory, reason) in [
        (&scratch.join("missing"), "No such file or directory"),
        (&file, "Not a directory"),
        (&long, "longer than 80 bytes"),
    ] {
        let name = "handshake::a_directory_that_cannot_hold_a_socket_is_named";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("TMPDIR", directory)
            .env(REASON, reason)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{reason}: {said}");
    }
}
