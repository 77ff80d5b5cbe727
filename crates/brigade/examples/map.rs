//! A task over many inputs, with the results in the order of the inputs.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{JobError, ProcessPool, task};

/// Doubles a number.
#[task]
fn double(x: u64) -> u64 {
    2 * x
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(3).build()?;
    let doubled = pool.map((1..=5).map(double)).collect::<Result<Vec<u64>, JobError>>()?;
    println!("{}", doubled.iter().map(u64::to_string).collect::<Vec<_>>().join(" "));
    // The input is pulled as results are taken, so it may be endless.
    let first = pool.map((1..).map(double)).take(1000).filter_map(Result::ok).sum::<u64>();
    println!("{first}");
    Ok(())
}
