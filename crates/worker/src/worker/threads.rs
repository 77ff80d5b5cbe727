//! The threads of a worker.
//!
//! * **run threads** run jobs; the main thread is the first of them;
//! * the **timekeeper** sends replies that have waited for 16 ms, and what is owed besides;
//! * the **stand-in** receives while all run threads are busy. It never sends.
//!
//! All but the main thread start with the first frame, the stand-in when it is first wanted: an
//! idle worker is one thread. The last two run nothing of a job, and are started [bare](os::start_bare_thread).
//!
//! A run thread [computes](os::become_batch), and what a job starts does so, too: a worker that wakes to its next frame
//! would else take the processor from the very thread that submits, or takes results.

use std::convert::Infallible;
use std::ffi::CStr;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, Scope};
use std::time::Duration;

use brigade_protocol::ipc_channel::IpcError;
use brigade_protocol::message::Spawn;

use super::call::Runner;
use super::desk::{Desk, Errand, Step, Watch};
use super::growth::Growth;
use super::nested::{Pool, RunThread};
use super::packet::Message;
use super::queue::Hand;
use super::{broken, supervisor_gone, violation};
use crate::board::Page;
use crate::complain::BROKEN;
use crate::os;
use crate::sync::IpcBytesReceiver;
use brigade_task::Registry;

/// What the run threads need.
pub(super) struct Crew<'a> {
    pub(super) desk: &'static Desk,
    pub(super) pool: Arc<Pool>,
    pub(super) page: &'static Page,
    pub(super) registry: &'a Registry,
    pub(super) spawn: Spawn,
    pub(super) growth: Growth,
}

/// Receives and runs until the end of this worker. It is called by the main thread.
pub(super) fn main(crew: &Crew<'_>) -> ! {
    guarded(|| thread::scope(|scope| run_jobs(crew, 0, || start_others(crew, scope))))
}

fn start_others<'scope>(crew: &'scope Crew<'_>, scope: &'scope Scope<'scope, '_>) {
    let required = |name: &str, started: io::Result<()>| {
        if let Err(error) = started {
            broken(format_args!("cannot start its {name} thread: {error}"));
        }
    };
    required("timekeeper", start_helper(c"timekeeper", keep_time, crew.desk));
    // Not before: the helpers are waited for, and what they have to do takes microseconds.
    os::become_batch();
    for lane in 1..usize::from(crew.spawn.threads) {
        required("run", start(scope, "run", move || run_jobs(crew, lane, || ())));
    }
}

/// A run thread. `before_first` is called when it has received the first calls.
fn run_jobs(crew: &Crew<'_>, lane: usize, before_first: impl FnOnce()) -> ! {
    let desk = crew.desk;
    let lane = crew.page.lane(lane);
    let place = RunThread { pool: Arc::clone(&crew.pool), lane };
    let mut runner = Runner::new(crew.registry, Arc::new(place), crew.spawn.max_output);
    let mut hand = Hand::default();
    let mut before_first = Some(before_first);
    let mut step = desk.next(lane, &mut hand);
    loop {
        match step {
            Step::Run(since) => {
                let done = runner.run(&mut hand, since, lane, desk);
                if crew.growth.is_news(done.ended()) {
                    // Before the reply, upon which more work might come.
                    desk.wire().grown();
                }
                step = desk.go_on(lane, &mut hand, done, runner.output());
                continue;
            }
            Step::Send => {
                desk.send();
                // Std keeps an unfinished line. Behind the replies, for a job may hold the lock.
                let _ = io::stdout().flush();
            }
            Step::Receive(receiver) => {
                let message = receive_or_die(&receiver);
                if matches!(message, Message::Calls(_))
                    && let Some(prepare) = before_first.take()
                {
                    prepare();
                }
                if desk.take_in(receiver, message) {
                    desk.send();
                }
            }
            Step::Exit => {
                desk.send();
                std::process::exit(0);
            }
        }
        step = desk.next(lane, &mut hand);
    }
}

fn keep_time(desk: &'static Desk) -> ! {
    let mut watch = Watch::default();
    loop {
        match desk.next_errand(&mut watch) {
            Errand::Send => desk.send(),
            Errand::HireStandIn => match start_helper(c"stand-in", stand_in, desk) {
                Ok(()) => watch.hired(),
                // Until there is one, recalls wait for the end of a job. It is tried again in a tick.
                Err(_) => thread::sleep(Duration::from_millis(1)),
            },
        }
    }
}

fn stand_in(desk: &'static Desk) -> ! {
    loop {
        let mut receiver = Some(desk.await_stand_in());
        while let Some(held) = receiver.take() {
            match receive(&held) {
                Ok(message) => receiver = desk.take_in_by_stand_in(held, message),
                // The run threads finish what there is; whether anybody wants it, they will see.
                Err(_) if desk.is_stopping() => {}
                Err(_) => supervisor_gone(),
            }
        }
    }
}

/// The next message. Without a supervisor there is nothing to live for.
pub(super) fn receive_or_die(receiver: &IpcBytesReceiver) -> Message {
    receive(receiver).unwrap_or_else(|_| supervisor_gone())
}

fn receive(receiver: &IpcBytesReceiver) -> Result<Message, IpcError> {
    let packet = loop {
        match receiver.recv() {
            Err(IpcError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    Ok(Message::read(packet).unwrap_or_else(|error| violation(format_args!("{error}"))))
}

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> Infallible + Send + 'scope,
) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, || -> () { guarded(body) })
        .map(drop)
}

/// Starts a thread that runs no job. It goes without what the standard library does for one that might (a
/// stack for the handler of overflows, for example): 64 workers start 6 % sooner, and each is 20 KiB smaller.
fn start_helper(
    name: &'static CStr,
    body: fn(&'static Desk) -> !,
    desk: &'static Desk,
) -> io::Result<()> {
    Ok(os::start_bare_thread(name, move || guarded(|| body(desk)))?)
}

/// A panic of ours, not of a job, ends the worker: half a worker is worse than none.
fn guarded(body: impl FnOnce() -> Infallible) -> ! {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(never) => match never {},
        // The panic hook has said why.
        Err(_) => os::exit_now(BROKEN),
    }
}
