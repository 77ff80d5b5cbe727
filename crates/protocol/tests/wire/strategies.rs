//! Any message, for property tests.

pub(crate) mod nested;

use brigade_protocol::id::{JobId, Run, Seq, SlotId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    BuildId, Call, Calls, Configuration, ConfigurationError, Exit, Form, Frame, FromWorker, Hello,
    Initializer, Length, Outputs, ParameterInfo, Piece, Reply, Report, Request, Spawn, TaskError,
    TaskErrorKind, TaskInfo, ToWorker, Usage, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// What messages carry. Pieces of it have any length around the one where lengths take three bytes.
static NOISE: [u8; 600] = noise();

const fn noise() -> [u8; 600] {
    let mut bytes = [0; 600];
    let mut state = 0x9e37_79b9_u32;
    let mut at = 0;
    while at < bytes.len() {
        // Xorshift (Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[at] = state.to_le_bytes()[1];
        at += 1;
    }
    bytes
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    (0..=NOISE.len(), prop_oneof![0..8_usize, 245..260_usize]).prop_map(|(from, length)| {
        let from = from.min(NOISE.len() - length);
        &NOISE[from..from + length]
    })
}

/// Numbers of every encoded length.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..300_u64,
        any::<u16>().prop_map(u64::from),
        any::<u32>().prop_map(u64::from),
        any::<u64>()
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zäß€😀]{1,12}", "[a-z]{250,252}"]
}

fn ticket() -> impl Strategy<Value = Ticket> {
    (number(), any::<u32>()).prop_map(|(job, attempt)| Ticket { job: JobId(job), attempt })
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![bytes().prop_map(Value::Inline), length().prop_map(Value::Parts)]
}

fn length() -> impl Strategy<Value = Length> {
    (number(), number()).prop_map(|(bytes, blobs)| Length { bytes, blobs })
}

fn piece() -> impl Strategy<Value = Piece> {
    (number(), number()).prop_map(|(address, length)| Piece { address, length })
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Bincode), Just(Form::Json), Just(Form::Word)]
}

fn label() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("")), Just(Some("äö")), Just(Some("a name for people"))]
}

fn call() -> impl Strategy<Value = Call<'static>> {
    (ticket(), any::<u32>(), form(), value(), label()).prop_map(
        |(ticket, task, form, arguments, label)| {
            let task = TaskId(task);
            Call { ticket, task, form, arguments, label }
        },
    )
}

fn run() -> impl Strategy<Value = Run> {
    (ticket(), any::<u32>()).prop_map(|(first, count)| Run { first, count })
}

fn calls() -> impl Strategy<Value = ToWorker<'static>> {
    (number(), run(), any::<u32>(), form(), bytes()).prop_map(
        |(first, run, task, form, arguments)| {
            ToWorker::Run(Calls { first: Seq(first), run, task: TaskId(task), form, arguments })
        },
    )
}

fn task_error() -> impl Strategy<Value = TaskError> {
    let kind = prop_oneof![
        Just(TaskErrorKind::Failed),
        Just(TaskErrorKind::Panicked),
        Just(TaskErrorKind::BadArguments),
        Just(TaskErrorKind::BadOutput),
    ];
    (kind, text(), option::of(text()), option::of(text()), option::of(usage())).prop_map(
        |(kind, message, location, backtrace, usage)| TaskError {
            kind,
            message,
            location,
            backtrace,
            usage,
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    (number(), number()).prop_map(|(cpu, peak_memory)| Usage { cpu, peak_memory })
}

fn initializer() -> impl Strategy<Value = Initializer> {
    (any::<u32>(), form(), bytes()).prop_map(|(task, form, bytes)| Initializer {
        task: TaskId(task),
        form,
        arguments: bytes.to_vec(),
    })
}

fn configuration() -> impl Strategy<Value = Configuration> {
    (any::<i32>(), option::of(number()), option::of(initializer()), option::of(initializer()))
        .prop_map(|(nice, max_rss, initializer, worker_initializer)| Configuration {
            nice,
            max_rss,
            initializer,
            worker_initializer,
        })
}

fn reply() -> impl Strategy<Value = Reply<'static>> {
    let result = prop_oneof![value().prop_map(Ok), task_error().prop_map(Err)];
    (ticket(), number(), number(), result).prop_map(|(ticket, started, elapsed, result)| Reply {
        ticket,
        started,
        elapsed,
        result,
    })
}

pub(crate) fn to_worker() -> impl Strategy<Value = ToWorker<'static>> {
    let frame = (number(), vec(call(), 0..5))
        .prop_map(|(first, calls)| ToWorker::Frame(Frame { first: Seq(first), calls }));
    let part = (ticket(), bytes()).prop_map(|(ticket, bytes)| ToWorker::Part { ticket, bytes });
    prop_oneof![
        5 => frame,
        3 => calls(),
        2 => part,
        1 => (ticket(), number()).prop_map(|(ticket, length)| ToWorker::Expect { ticket, length }),
        1 => (ticket(), any::<bool>())
            .prop_map(|(ticket, whole)| ToWorker::Fetched { ticket, whole }),
        1 => Just(ToWorker::Recall),
        1 => Just(ToWorker::Stop),
        5 => nested::to_worker(),
    ]
}

pub(crate) fn from_worker() -> impl Strategy<Value = FromWorker<'static>> {
    prop_oneof![
        5 => vec(reply(), 0..5).prop_map(FromWorker::Replies),
        3 => (run(), number(), bytes())
            .prop_map(|(run, started, outputs)| FromWorker::Ran(Outputs { run, started, outputs })),
        2 => (ticket(), bytes()).prop_map(|(ticket, bytes)| FromWorker::Part { ticket, bytes }),
        2 => vec(ticket(), 0..9).prop_map(FromWorker::Returned),
        1 => (ticket(), number())
            .prop_map(|(ticket, address)| FromWorker::Room { ticket, address }),
        1 => (ticket(), length(), vec(piece(), 0..4))
            .prop_map(|(ticket, length, pieces)| FromWorker::Offer { ticket, length, pieces }),
        5 => nested::from_worker(),
        1 => prop_oneof![
            Just(FromWorker::Ready),
            Just(FromWorker::Taken),
            Just(FromWorker::End),
            Just(FromWorker::Grown),
        ],
    ]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let numbers = (number(), any::<u32>(), any::<u16>(), number(), number(), any::<bool>());
    let spawn = numbers.prop_map(|(worker, slot, threads, max_output, pool, direct)| {
        let (worker, slot) = (WorkerId(worker), SlotId(slot));
        Request::Spawn(Spawn { worker, slot, threads, max_output, pool, direct })
    });
    prop_oneof![
        spawn,
        number().prop_map(|worker| Request::Reap(WorkerId(worker))),
        configuration().prop_map(Request::Configure),
    ]
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        any::<i32>().prop_map(Exit::Code),
        any::<i32>().prop_map(Exit::Signal),
        Just(Exit::Unknown),
    ]
}

pub(crate) fn report() -> impl Strategy<Value = Report> {
    let worker = || number().prop_map(WorkerId);
    prop_oneof![
        (worker(), any::<u32>()).prop_map(|(worker, pid)| Report::Spawned { worker, pid }),
        (worker(), any::<i32>()).prop_map(|(worker, errno)| Report::NotSpawned { worker, errno }),
        (worker(), exit(), option::of(usage())).prop_map(|(worker, exit, usage)| Report::Reaped {
            worker,
            exit,
            usage
        }),
        Just(Report::Configured),
        prop_oneof![
            any::<i32>().prop_map(ConfigurationError::Nice),
            task_error().prop_map(ConfigurationError::Failed),
            any::<u32>().prop_map(ConfigurationError::Threads),
        ]
        .prop_map(Report::NotConfigured),
    ]
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let parameter = (text(), text()).prop_map(|(name, kind)| ParameterInfo { name, kind });
    let task = (text(), vec(parameter, 0..4), text(), text())
        .prop_map(|(name, parameters, returns, doc)| TaskInfo { name, parameters, returns, doc });
    (text(), vec(task, 0..4)).prop_map(|(build, tasks)| Hello { build: BuildId(build), tasks })
}
