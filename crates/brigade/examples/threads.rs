//! Five jobs on a pool of five threads: all of them run at once.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::thread::sleep;
use std::time::{Duration, Instant};

use brigade::{Future, ThreadPool};

fn main() -> brigade::Result<()> {
    let pool = ThreadPool::builder().workers(5).build()?;
    let begin = Instant::now();
    let futures: Vec<Future<String>> = (1..=5)
        .map(|n| {
            pool.submit_fn(move || {
                sleep(Duration::from_millis(200));
                format!("thread job {n} slept")
            })
        })
        .collect();
    for future in futures {
        println!("{}", future.result()?);
    }
    println!("all within a second: {}", begin.elapsed() < Duration::from_secs(1));
    Ok(())
}
