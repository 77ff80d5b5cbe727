//! Tasks that want something of other jobs.

use std::fs::File;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use brigade_protocol::error::JobError;
use brigade_task::{Future, Handle, Job};
use brigade_worker::{Context, Task, task};

pub(crate) static ALL: &[&Task] = &[
    &delegate::TASK,
    &submit_many::TASK,
    &wait_a_while::TASK,
    &reserve::TASK,
    &ask::TASK,
    &crowd::TASK,
    &take_handles::TASK,
    &until_stopped::TASK,
    &is_wanted::TASK,
    &keep_future::TASK,
    &use_future::TASK,
    &in_threads::TASK,
    &submit_beside_a_wait::TASK,
    &call_back::TASK,
    &tell_progress::TASK,
];

fn echo(value: &str) -> Job<String> {
    Job::json("echo", value)
}

/// Has TASK run with these ARGUMENTS, and gives back what came of it.
#[task(crate = ::brigade_worker, unlisted)]
fn delegate(context: &Context, task: String, arguments: String) -> Result<String, JobError> {
    context.submit(Job::json(task, arguments)).result()
}

/// Submits so many jobs, and waits for none.
#[task(crate = ::brigade_worker, unlisted)]
fn submit_many(context: &Context, count: u32) {
    for number in 0..count {
        context.submit(echo(&number.to_string()));
    }
}

/// Waits for a job, but only for so many MILLISECONDS.
#[task(crate = ::brigade_worker, unlisted)]
fn wait_a_while(context: &Context, milliseconds: u64) -> Result<String, JobError> {
    match context.submit(echo("1")).result_timeout(Duration::from_millis(milliseconds)) {
        Ok(result) => result,
        Err(_) => Ok("in vain".to_owned()),
    }
}

/// Reserves two seats, and uses the first.
#[task(crate = ::brigade_worker, unlisted)]
fn reserve(context: &Context) {
    let (used, unused) = (context.reserve(), context.reserve::<String>());
    context.submit_as(used, echo("1"));
    drop(unused);
}

/// Asks everything that can be asked about a job.
#[task(crate = ::brigade_worker, unlisted)]
fn ask(context: &Context) -> (bool, bool, bool) {
    let job = context.submit(echo("1"));
    (job.done(), job.cancel(), job.kill())
}

/// Submits a job that has so many handles among its arguments.
#[task(crate = ::brigade_worker, unlisted)]
fn crowd(context: &Context, handles: usize) -> Result<(), JobError> {
    let seat = context.reserve::<String>();
    let handles: Vec<Handle<String>> = vec![seat.handle(); handles];
    let job: Job<(), _> = Job::of(&take_handles::TASK, (handles,));
    context.submit(job).result()
}

/// Does nothing with HANDLES.
#[task(crate = ::brigade_worker, unlisted)]
fn take_handles(handles: Vec<Handle<String>>) {
    drop(handles);
}

/// Opens the gate at PATH and runs until it is asked to stop.
#[task(crate = ::brigade_worker, unlisted)]
fn until_stopped(context: &Context, path: String) {
    drop(File::open(path));
    while !context.is_cancelled() {
        thread::yield_now();
    }
}

/// Whether nobody has asked it to stop.
#[task(crate = ::brigade_worker, unlisted)]
fn is_wanted(context: &Context) -> bool {
    !context.is_cancelled()
}

static KEPT: Mutex<Option<Future<String>>> = Mutex::new(None);

/// Submits a job and keeps its future for another job of this process.
#[task(crate = ::brigade_worker, unlisted)]
fn keep_future(context: &Context) {
    *KEPT.lock().expect("no job panics with it") = Some(context.submit(echo("1")));
}

/// Tries everything with the future that another job has kept.
#[task(crate = ::brigade_worker, unlisted)]
fn use_future() -> Result<String, JobError> {
    let future = KEPT.lock().expect("no job panics with it").take().expect("it was kept");
    assert!(!future.done() && !future.running() && !future.cancel());
    drop(future.handle());
    future.result()
}

/// Has two threads of its own which each submit a job and wait for it.
#[task(crate = ::brigade_worker, unlisted)]
fn in_threads(context: &Context) -> Result<Vec<String>, JobError> {
    thread::scope(|scope| {
        let threads = ["1", "2"].map(|value| scope.spawn(|| context.submit(echo(value)).result()));
        threads.map(|thread| thread.join().expect("it does not panic")).into_iter().collect()
    })
}

/// While one of its threads waits, and the gate at PATH is passed, it submits another job.
#[task(crate = ::brigade_worker, unlisted)]
fn submit_beside_a_wait(context: &Context, path: String) -> Result<String, JobError> {
    thread::scope(|scope| {
        let first = context.submit(echo("1"));
        let waits = scope.spawn(|| first.result());
        drop(File::open(path));
        context.submit(echo("2"));
        waits.join().expect("it does not panic")
    })
}

/// Asks about a second job when the first has ended, in the callback.
#[task(crate = ::brigade_worker, unlisted)]
fn call_back(context: &Context) -> Result<String, JobError> {
    let (first, second) = (context.submit(echo("1")), context.submit(echo("2")));
    first.on_done(move |_| {
        second.cancel();
    });
    first.result()
}

/// Tells that it has come so far, and passes the gate at PATH.
#[task(crate = ::brigade_worker, unlisted)]
fn tell_progress(context: &Context, done: u64, total: u64, path: String) {
    context.progress(done, total);
    drop(File::open(path));
}
