//! A job that submits a job to its own pool of one worker and waits for it: elsewhere it waits for
//! itself, here its place is given to another worker meanwhile.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{Context, ProcessPool, task};

/// Raises a number to a power.
#[task]
fn pow(base: u64, exponent: u32) -> u64 {
    base.pow(exponent)
}

/// Has another job do it.
#[task]
fn delegate(context: &Context, base: u64, exponent: u32) -> brigade::Result<u64> {
    let future = context.submit(pow(base, exponent));
    Ok(context.wait(future)?)
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(1).build()?;
    println!("{}", pool.submit(delegate(5, 2)).result()?);
    Ok(())
}
