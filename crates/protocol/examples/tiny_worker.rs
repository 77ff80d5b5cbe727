//! A worker program that doubles numbers: one worker, in its own process.
use brigade_protocol::ipc_channel::ipc::IpcBytesReceiver;
use brigade_protocol::message::{
    BuildId, Form, FromWorker, Hello, ParameterInfo, Reply, Report, Request, TaskError,
    TaskErrorKind, TaskInfo, ToWorker, Value,
};
use brigade_protocol::{codec, handshake};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parameter = ParameterInfo { name: "x".into(), kind: "i64".into() };
    let task = TaskInfo {
        name: "double".into(),
        parameters: vec![parameter],
        returns: "i64".into(),
        doc: "Gives twice the number.".into(),
    };
    let hello = Hello { build: BuildId("tiny".into()), tasks: vec![task] };
    let supervisor = handshake::connect(&std::env::var(brigade_protocol::VARIABLE)?, &hello)?;
    loop {
        let request = supervisor.receive(std::time::Duration::from_mins(1))?;
        let Some((Request::Spawn(spawn), Some(ends))) = request else { continue };
        supervisor.report(&Report::Spawned { worker: spawn.worker, pid: std::process::id() })?;
        ends.replies.send(&codec::encode(&FromWorker::Ready)?)?;
        serve(&ends.jobs, |message| Ok(ends.replies.send(&codec::encode(&message)?)?))?;
    }
}

fn serve(
    jobs: &IpcBytesReceiver,
    send: impl Fn(FromWorker<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<(), Box<dyn std::error::Error>> {
    while let Ok(packet) = jobs.recv() {
        let frame = match codec::decode(&packet)? {
            ToWorker::Frame(frame) => frame,
            ToWorker::Stop => std::process::exit(0),
            // Nothing is recalled from so quick a worker, and its task asks for nothing.
            _ => continue,
        };
        for call in frame.calls {
            let doubled = match (call.form, call.arguments) {
                (Form::Bincode, Value::Inline(bytes)) => codec::decode_value::<(i64,)>(bytes).ok(),
                _ => None,
            };
            let mut output = Vec::new();
            codec::encode_value(&doubled.map_or(0, |(x,)| 2 * x), &mut output)?;
            let refusal = TaskError::new(TaskErrorKind::BadArguments, "not one i64 in bincode");
            let result = doubled.map(|_| Value::Inline(&output)).ok_or(refusal);
            let reply = Reply { ticket: call.ticket, started: 0, elapsed: 0, result };
            send(FromWorker::Replies(vec![reply]))?;
        }
    }
    Ok(())
}
