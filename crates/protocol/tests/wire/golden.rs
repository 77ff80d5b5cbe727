//! The bytes of every message, written out.
//!
//! A test that fails here says that the protocol changed. If that is meant, and is more than a new
//! variant at the end, raise `brigade_protocol::VERSION`; then write the new bytes here, where the
//! review sees them.
//!
//! How to read them: a word is one or more bytes in hex, and what they are after a colon. Numbers
//! below 251 take one byte; `fb`, `fc` and `fd` announce two, four and eight, the lowest first.
//! Signed ones are folded: 0, -1, 1, -2 are 00, 01, 02, 03.

use std::collections::BTreeSet;
use std::fmt::Debug;

use brigade_protocol::codec;
use brigade_protocol::handshake::{MAGIC, open_hello, seal_hello};
use brigade_protocol::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    BuildId, Call, Calls, Configuration, ConfigurationError, Exit, Form, Frame, FromWorker, Hello,
    Initializer, Length, Outputs, ParameterInfo, Piece, Question, Reply, Report, Request, Spawn,
    TaskError, TaskErrorKind, TaskInfo, ToWorker, Usage, Value,
};
use serde::{Deserialize, Serialize};

mod nested;

const CHANGED: &str = "the bytes of this message changed. A worker program of another build would \
                       misread it: raise brigade_protocol::VERSION, then write the new bytes here";

const TICKET: Ticket = Ticket { job: JobId(300), attempt: 2 };

/// The bytes of such a text; white space and what follows a colon is for people.
fn bytes_of(golden: &str) -> Vec<u8> {
    let digits: String =
        golden.split_whitespace().map(|word| word.split(':').next().unwrap()).collect();
    assert!(digits.is_ascii() && digits.len().is_multiple_of(2), "half a byte in {golden}");
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

#[track_caller]
fn assert_golden<T>(message: &T, golden: &str)
where
    T: Serialize + Deserialize<'static> + PartialEq + Debug,
{
    let expected = bytes_of(golden).leak();
    let bytes = codec::encode(message).unwrap();
    assert_eq!(hex(&bytes), hex(expected), "{CHANGED}");
    assert_eq!(codec::decode::<T>(expected).unwrap(), *message);
}

#[test]
fn hello() {
    let number = ParameterInfo { name: "n".into(), kind: "u64".into() };
    let hello = Hello {
        build: BuildId("b:1".into()),
        tasks: vec![
            TaskInfo {
                name: "two".into(),
                parameters: vec![number],
                returns: "()".into(),
                doc: "A.".into(),
            },
            TaskInfo {
                name: String::new(),
                parameters: vec![],
                returns: String::new(),
                doc: String::new(),
            },
        ],
    };
    let golden = "6272696761646500:magic 04000000:version
        03:build 623a31  02:tasks
        03:name 74776f  01:parameters 01:name 6e 03:kind 753634  02:returns 2829  02:doc 412e
        00:name 00:parameters 00:returns 00:doc";
    let bytes = seal_hello(&hello).unwrap();
    assert_eq!(hex(&bytes), hex(&bytes_of(golden)), "{CHANGED}");
    assert_eq!(open_hello(&bytes_of(golden)).unwrap(), hello);
}

/// Two versions that differ in everything else agree on these twelve bytes.
#[test]
fn the_beginning_of_a_hello_never_changes() {
    let sealed = seal_hello(&Hello { build: BuildId(String::new()), tasks: vec![] }).unwrap();
    assert_eq!(MAGIC, *b"brigade\0");
    assert_eq!(sealed[..8], MAGIC);
    assert_eq!(sealed[8..12], brigade_protocol::VERSION.to_le_bytes());
}

#[test]
fn requests() {
    let (worker, slot, max_output) = (WorkerId(1), SlotId(250), 64 * 1024 * 1024);
    let spawn = Spawn { worker, slot, threads: 64, max_output, pool: 1 << 40, direct: true };
    assert_golden(
        &Request::Spawn(spawn),
        "00:Spawn 01:worker fa:slot 40:threads fc00000004:max_output fd0000000000010000:pool 01:direct",
    );
    assert_golden(&Request::Reap(WorkerId(u64::MAX)), "01:Reap fdffffffffffffffff:worker");
    assert_golden(
        &Request::Configure(Configuration::default()),
        "02:Configure 00:nice 00:None 00:None 00:None",
    );
    let load = Initializer { task: TaskId(3), form: Form::Json, arguments: vec![b'[', 0xff, b']'] };
    let prepare = Initializer { task: TaskId(251), form: Form::Bincode, arguments: vec![] };
    let configuration = Configuration {
        nice: 19,
        max_rss: Some(1 << 32),
        initializer: Some(load),
        worker_initializer: Some(prepare),
    };
    assert_golden(
        &Request::Configure(configuration),
        "02:Configure 26:nice 01:Some fd0000000001000000:max_rss
         01:Some 03:task 01:Json 03:length 5bff5d
         01:Some fbfb00:task 00:Bincode 00:length",
    );
}

#[test]
fn reports() {
    let worker = WorkerId(7);
    let reaped = |exit| Report::Reaped { worker, exit, usage: None };
    assert_golden(&Report::Spawned { worker, pid: 4711 }, "00:Spawned 07:worker fb6712:pid");
    assert_golden(&Report::NotSpawned { worker, errno: 11 }, "01:NotSpawned 07:worker 16:errno");
    assert_golden(&reaped(Exit::Code(7)), "02:Reaped 07:worker 00:Code 0e 00:None");
    assert_golden(&reaped(Exit::Code(-1)), "02:Reaped 07:worker 00:Code 01 00:None");
    assert_golden(&reaped(Exit::Signal(9)), "02:Reaped 07:worker 01:Signal 12 00:None");
    assert_golden(&reaped(Exit::Unknown), "02:Reaped 07:worker 02:Unknown 00:None");
    let usage = Some(Usage { cpu: 250, peak_memory: 1 << 20 });
    assert_golden(
        &Report::Reaped { worker, exit: Exit::Code(0), usage },
        "02:Reaped 07:worker 00:Code 00 01:Some fa:cpu fc00001000:peak_memory",
    );
    assert_golden(&Report::Configured, "03:Configured");
    let refused = Report::NotConfigured;
    assert_golden(&refused(ConfigurationError::Nice(13)), "04:NotConfigured 00:Nice 1a");
    let error = TaskError::new(TaskErrorKind::Failed, "no");
    assert_golden(
        &refused(ConfigurationError::Failed(error)),
        "04:NotConfigured 01:Failed 00:Failed 02:message 6e6f 00:None 00:None 00:None",
    );
    assert_golden(&refused(ConfigurationError::Threads(2)), "04:NotConfigured 02:Threads 02");
}

#[test]
fn to_worker() {
    let call = |form, arguments, label| {
        let (ticket, task) = (TICKET, TaskId(3));
        Call { ticket, task, form, arguments, label }
    };
    let calls = vec![
        call(Form::Bincode, Value::Inline(&[1, 2, 3]), None),
        call(Form::Json, Value::Inline(b"[]"), Some("ä")),
        call(Form::Word, Value::Inline(b""), Some("")),
        call(Form::Bincode, Value::Parts(Length::plain(65536)), None),
    ];
    assert_golden(
        &ToWorker::Frame(Frame { first: Seq(251), calls }),
        "00:Frame fbfb00:first 04:calls
         fb2c01:job 02:attempt 03:task 00:Bincode 00:Inline 03:length 010203 00:None
         fb2c01:job 02:attempt 03:task 01:Json    00:Inline 02:length 5b5d   01:Some 02:label c3a4
         fb2c01:job 02:attempt 03:task 02:Word    00:Inline 00:length        01:Some 00:label
         fb2c01:job 02:attempt 03:task 00:Bincode 01:Parts  fc00000100:bytes 00:blobs 00:None",
    );
    assert_golden(
        &ToWorker::Part { ticket: TICKET, bytes: &[0xfe, 0xff] },
        "01:Part fb2c01:job 02:attempt 02:length feff",
    );
    let run = Run { first: TICKET, count: 2 };
    let mut arguments = Vec::new();
    codec::push_bytes(&[7], &mut arguments);
    codec::push_bytes(&[], &mut arguments);
    let calls =
        Calls { first: Seq(1), run, task: TaskId(3), form: Form::Json, arguments: &arguments };
    assert_golden(
        &ToWorker::Run(calls),
        "09:Run 01:first fb2c01:job 02:attempt 02:count 03:task 01:Json 03:length
         01:length 07 00:length",
    );
    assert_golden(
        &ToWorker::Expect { ticket: TICKET, length: 1 << 20 },
        "0a:Expect fb2c01:job 02:attempt fc00001000:length",
    );
    assert_golden(
        &ToWorker::Fetched { ticket: TICKET, whole: true },
        "0b:Fetched fb2c01:job 02:attempt 01:whole",
    );
    assert_golden(&ToWorker::Recall, "02:Recall");
    assert_golden(&ToWorker::Stop, "03:Stop");
}

#[test]
fn from_worker() {
    assert_golden(&FromWorker::Ready, "00:Ready");
    assert_golden(
        &FromWorker::Part { ticket: TICKET, bytes: &[0xfe, 0xff] },
        "02:Part fb2c01:job 02:attempt 02:length feff",
    );
    let first = Ticket::from(JobId(1));
    assert_golden(
        &FromWorker::Returned(vec![first, TICKET]),
        "03:Returned 02:tickets 01:job 01:attempt fb2c01:job 02:attempt",
    );
    assert_golden(&FromWorker::Taken, "04:Taken");
    assert_golden(&FromWorker::End, "05:End");
    assert_golden(&FromWorker::Grown, "0d:Grown");
    let run = Run { first: TICKET, count: 2 };
    let mut outputs = Vec::new();
    codec::push_output(250, &[7], &mut outputs);
    codec::push_output(251, &[], &mut outputs);
    assert_golden(
        &FromWorker::Ran(Outputs { run, started: 5, outputs: &outputs }),
        "0e:Ran fb2c01:job 02:attempt 02:count 05:started 07:length
         fa:elapsed 01:length 07 fbfb00:elapsed 00:length",
    );
    assert_golden(
        &FromWorker::Room { ticket: TICKET, address: 1 << 40 },
        "0f:Room fb2c01:job 02:attempt fd0000000000010000:address",
    );
    let pieces = vec![Piece { address: 251, length: 3 }, Piece { address: 0, length: 4 }];
    let length = Length { bytes: 7, blobs: 3 };
    assert_golden(
        &FromWorker::Offer { ticket: TICKET, length, pieces },
        "10:Offer fb2c01:job 02:attempt 07:bytes 03:blobs 02:pieces
         fbfb00:address 03:length 00:address 04:length",
    );
}

#[test]
fn replies() {
    let reply = |result| Reply { ticket: TICKET, started: 1 << 40, elapsed: 70_000, result };
    let full = TaskError {
        kind: TaskErrorKind::Panicked,
        message: "ä".into(),
        location: Some("a:1:2".into()),
        backtrace: Some("0".into()),
        usage: Some(Usage { cpu: 251, peak_memory: 9 }),
    };
    let replies = vec![
        reply(Ok(Value::Inline(&[9]))),
        reply(Ok(Value::Parts(Length { bytes: 1 << 30, blobs: 7 }))),
        reply(Err(full)),
        reply(Err(TaskError::new(TaskErrorKind::Failed, "no"))),
        reply(Err(TaskError::new(TaskErrorKind::BadArguments, ""))),
        reply(Err(TaskError::new(TaskErrorKind::BadOutput, ""))),
    ];
    assert_golden(
        &FromWorker::Replies(replies),
        "01:Replies 06:replies
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            00:Ok  00:Inline 01:length 09
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            00:Ok  01:Parts fc00000040:bytes 07:blobs
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            01:Err 01:Panicked 02:message c3a4 01:Some 05:location 613a313a32 01:Some 01:backtrace 30
            01:Some fbfb00:cpu 09:peak_memory
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            01:Err 00:Failed 02:message 6e6f 00:None 00:None 00:None
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            01:Err 02:BadArguments 00:message 00:None 00:None 00:None
         fb2c01:job 02:attempt fd0000000000010000:started fc70110100:elapsed
            01:Err 03:BadOutput 00:message 00:None 00:None 00:None",
    );
}

/// A new variant does not compile here until it has a number, and then wants its golden bytes above.
#[test]
fn variants_keep_their_numbers() {
    let to_worker = [
        ToWorker::Frame(Frame { first: Seq(1), calls: vec![] }),
        ToWorker::Part { ticket: TICKET, bytes: &[] },
        ToWorker::Recall,
        ToWorker::Stop,
        ToWorker::Settled {
            waiter: TICKET,
            job: JobId(1),
            result: Ok(Value::Parts(Length::default())),
        },
        ToWorker::WaitFailed { waiter: TICKET, error: nested::refused() },
        ToWorker::Told { asker: TICKET, yes: true },
        ToWorker::PleaseStop(TICKET),
        ToWorker::Accepted(1),
        ToWorker::Run(Calls {
            first: Seq(1),
            run: TICKET.into(),
            task: TaskId(0),
            form: Form::Json,
            arguments: &[],
        }),
        ToWorker::Expect { ticket: TICKET, length: 0 },
        ToWorker::Fetched { ticket: TICKET, whole: false },
    ];
    assert_numbers(&to_worker, |message| match message {
        ToWorker::Frame(_) => 0,
        ToWorker::Part { .. } => 1,
        ToWorker::Recall => 2,
        ToWorker::Stop => 3,
        ToWorker::Settled { .. } => 4,
        ToWorker::WaitFailed { .. } => 5,
        ToWorker::Told { .. } => 6,
        ToWorker::PleaseStop(_) => 7,
        ToWorker::Accepted(_) => 8,
        ToWorker::Run(_) => 9,
        ToWorker::Expect { .. } => 10,
        ToWorker::Fetched { .. } => 11,
    });
    let from_worker = [
        FromWorker::Ready,
        FromWorker::Replies(vec![]),
        FromWorker::Part { ticket: TICKET, bytes: &[] },
        FromWorker::Returned(vec![]),
        FromWorker::Taken,
        FromWorker::End,
        FromWorker::Submit(nested::submit()),
        FromWorker::Reserve { parent: TICKET, job: JobId(1) },
        FromWorker::Abandon(JobId(1)),
        FromWorker::Wait { waiter: TICKET, jobs: vec![] },
        FromWorker::WaitOver(TICKET),
        FromWorker::Ask { asker: TICKET, job: JobId(1), question: Question::Cancel },
        FromWorker::Cancel(vec![]),
        FromWorker::Grown,
        FromWorker::Ran(Outputs { run: TICKET.into(), started: 0, outputs: &[] }),
        FromWorker::Room { ticket: TICKET, address: 0 },
        FromWorker::Offer { ticket: TICKET, length: Length::default(), pieces: vec![] },
    ];
    assert_numbers(&from_worker, |message| match message {
        FromWorker::Ready => 0,
        FromWorker::Replies(_) => 1,
        FromWorker::Part { .. } => 2,
        FromWorker::Returned(_) => 3,
        FromWorker::Taken => 4,
        FromWorker::End => 5,
        FromWorker::Submit(_) => 6,
        FromWorker::Reserve { .. } => 7,
        FromWorker::Abandon(_) => 8,
        FromWorker::Wait { .. } => 9,
        FromWorker::WaitOver(_) => 10,
        FromWorker::Ask { .. } => 11,
        FromWorker::Cancel(_) => 12,
        FromWorker::Grown => 13,
        FromWorker::Ran(_) => 14,
        FromWorker::Room { .. } => 15,
        FromWorker::Offer { .. } => 16,
    });
}

#[test]
fn variants_of_the_fork_server_keep_their_numbers() {
    let spawn = Spawn {
        worker: WorkerId(1),
        slot: SlotId(0),
        threads: 1,
        max_output: 0,
        pool: 0,
        direct: false,
    };
    let requests = [
        Request::Spawn(spawn),
        Request::Reap(WorkerId(1)),
        Request::Configure(Configuration::default()),
    ];
    assert_numbers(&requests, |message| match message {
        Request::Spawn(_) => 0,
        Request::Reap(_) => 1,
        Request::Configure(_) => 2,
    });
    let worker = WorkerId(1);
    let reports = [
        Report::Spawned { worker, pid: 1 },
        Report::NotSpawned { worker, errno: 1 },
        Report::Reaped { worker, exit: Exit::Unknown, usage: None },
        Report::Configured,
        Report::NotConfigured(ConfigurationError::Threads(1)),
    ];
    assert_numbers(&reports, |message| match message {
        Report::Spawned { .. } => 0,
        Report::NotSpawned { .. } => 1,
        Report::Reaped { .. } => 2,
        Report::Configured => 3,
        Report::NotConfigured(_) => 4,
    });
    let errors = [
        ConfigurationError::Nice(1),
        ConfigurationError::Failed(TaskError::new(TaskErrorKind::Failed, "")),
        ConfigurationError::Threads(1),
    ];
    assert_numbers(&errors, |error| match error {
        ConfigurationError::Nice(_) => 0,
        ConfigurationError::Failed(_) => 1,
        ConfigurationError::Threads(_) => 2,
    });
    assert_numbers(&[Form::Bincode, Form::Json, Form::Word], |form| match form {
        Form::Bincode => 0,
        Form::Json => 1,
        Form::Word => 2,
    });
    assert_numbers(&[Value::Inline(&[]), Value::Parts(Length::default())], |value| match value {
        Value::Inline(_) => 0,
        Value::Parts(_) => 1,
    });
    assert_numbers(&[Exit::Code(0), Exit::Signal(0), Exit::Unknown], |exit| match exit {
        Exit::Code(_) => 0,
        Exit::Signal(_) => 1,
        Exit::Unknown => 2,
    });
    let kinds = [
        TaskErrorKind::Failed,
        TaskErrorKind::Panicked,
        TaskErrorKind::BadArguments,
        TaskErrorKind::BadOutput,
    ];
    assert_numbers(&kinds, |kind| match kind {
        TaskErrorKind::Failed => 0,
        TaskErrorKind::Panicked => 1,
        TaskErrorKind::BadArguments => 2,
        TaskErrorKind::BadOutput => 3,
    });
}

#[track_caller]
fn assert_numbers<T: Serialize>(variants: &[T], number: impl Fn(&T) -> u8) {
    for variant in variants {
        assert_eq!(codec::encode(variant).unwrap()[0], number(variant), "{CHANGED}");
    }
    let numbers: BTreeSet<u8> = variants.iter().map(number).collect();
    assert!(numbers.len() == variants.len(), "a variant is missing or there twice");
}
