//! Tasks that submit jobs and wait for jobs.

use brigade_task::Handle;
use brigade_worker::{Context, task};

/// Gives the Nth Fibonacci number, each call a job of its own.
#[task(unlisted)]
pub fn fib(context: &Context, n: u64) -> Result<u64, String> {
    if n < 2 {
        return Ok(n);
    }
    let first = context.submit(fib(n - 1));
    let second = context.submit(fib(n - 2));
    let first = context.wait(first).map_err(|error| error.to_string())?;
    let second = context.wait(second).map_err(|error| error.to_string())?;
    Ok(first + second)
}

/// Waits for a job and adds one to its result.
#[task(unlisted)]
pub fn await_other(context: &Context, other: Handle<u64>) -> Result<u64, String> {
    context.wait(other).map(|n| n + 1).map_err(|error| error.to_string())
}

/// Says at GATE that it runs, and goes on until it is asked to stop.
#[task(unlisted)]
pub fn heed(context: &Context, gate: String) -> Result<String, String> {
    let stream = crate::gate::visit(context, &gate).map_err(|error| error.to_string())?;
    while !context.is_cancelled() {
        std::thread::yield_now();
    }
    drop(stream);
    Err("asked to stop".to_owned())
}

/// Says how far it is, then says at GATE that it runs, and waits to be let go.
#[task(unlisted)]
pub fn advance(context: &Context, gate: String, done: u64, total: u64) -> Result<(), String> {
    context.progress(done, total);
    let mut stream = crate::gate::visit(context, &gate).map_err(|error| error.to_string())?;
    crate::gate::wait(&mut stream).map_err(|error| error.to_string())
}
