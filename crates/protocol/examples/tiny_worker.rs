//! A worker program that doubles numbers: one worker, in its own process.
use brigade_protocol::ipc_channel::ipc::IpcBytesReceiver;
use brigade_protocol::message::{
    BuildId, FromWorker, Hello, ParameterInfo, Reply, Report, Request, TaskInfo, ToWorker, Value,
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
        let ToWorker::Frame(frame) = codec::decode(&packet)? else { continue };
        for call in frame.calls {
            let Value::Inline(arguments) = call.arguments else { continue };
            let (x,): (i64,) = codec::decode_value(arguments)?;
            let output = codec::encode(&(2 * x))?;
            let result = Ok(Value::Inline(&output));
            let reply = Reply { ticket: call.ticket, started: 0, elapsed: 0, result };
            send(FromWorker::Replies(vec![reply]))?;
        }
    }
    Ok(())
}
