//! Starts a worker program, has it double 21, and prints what it answers.
#![allow(clippy::print_stdout, reason = "an example speaks")]
use brigade_protocol::id::{JobId, Seq, SlotId, TaskId, WorkerId};
use brigade_protocol::message::{Call, Form, Frame, FromWorker, Request, Spawn, ToWorker, Value};
use brigade_protocol::{codec, handshake};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::args().nth(1).ok_or("usage: tiny_driver WORKER-PROGRAM")?;
    let meeting = handshake::Rendezvous::open()?;
    let mut child = std::process::Command::new(program)
        .env(brigade_protocol::VARIABLE, meeting.name())
        .spawn()?;
    let (hello, requests, reports) = meeting.accept()?.split();
    assert_eq!(hello.find("double"), Some(TaskId(0)));

    let (near, far) = handshake::channel_pair()?;
    let spawn = Spawn {
        worker: WorkerId(0),
        slot: SlotId(0),
        threads: 1,
        max_output: 1024,
        pool: 0,
        direct: false,
    };
    requests.send(&Request::Spawn(spawn), Some(far))?;
    println!("the worker program says {:?}", reports.receive()?);

    let mut arguments = Vec::new();
    codec::encode_value(&(21_i64,), &mut arguments)?;
    let call = Call {
        ticket: JobId(1).into(),
        task: TaskId(0),
        form: Form::Bincode,
        arguments: Value::Inline(&arguments),
        label: None,
    };
    let frame = Frame { first: Seq(1), calls: vec![call] };
    near.jobs.send(&codec::encode(&ToWorker::Frame(frame))?)?;
    loop {
        let packet = near.replies.recv()?;
        let FromWorker::Replies(replies) = codec::decode(&packet)? else { continue };
        let Ok(Value::Inline(output)) = replies[0].result else { return Err("it failed".into()) };
        println!("21 twice is {}", codec::decode_value::<i64>(output)?);
        break;
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}
