//! Results in the order in which they are ready, whatever the order of the jobs.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::thread::sleep;
use std::time::Duration;

use brigade::{ProcessPool, as_completed, task};

/// Sleeps and gives the time back.
#[task]
fn nap(milliseconds: u64) -> u64 {
    sleep(Duration::from_millis(milliseconds));
    milliseconds
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(3).build()?;
    for future in as_completed([600, 50, 300].map(|ms| pool.submit(nap(ms)))) {
        println!("slept for {} ms", future.result()?);
    }
    Ok(())
}
