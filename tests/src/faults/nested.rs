//! Tasks that submit jobs and wait for jobs.

use brigade_task::{Context, Executor as _, Handle, Job, task};

/// Gives the Nth Fibonacci number, each call a job of its own.
#[task]
pub fn fib(context: &Context, n: u64) -> Result<u64, String> {
    if n < 2 {
        return Ok(n);
    }
    let first = context.submit(Job::<u64>::call("fib", (n - 1,)));
    let second = context.submit(Job::<u64>::call("fib", (n - 2,)));
    let first = context.wait(first).map_err(|error| error.to_string())?;
    let second = context.wait(second).map_err(|error| error.to_string())?;
    Ok(first + second)
}

/// Waits for a job and adds one to its result.
#[task]
pub fn await_other(context: &Context, other: Handle<u64>) -> Result<u64, String> {
    context.wait(other).map(|n| n + 1).map_err(|error| error.to_string())
}
