//! Five jobs on five worker processes, then on three: a worker that is done gets the next job at once.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::thread::sleep;
use std::time::{Duration, Instant};

use brigade::{ProcessPool, as_completed, task};

/// Sleeps, and says in which process.
#[task]
fn nap(milliseconds: u64) -> u32 {
    sleep(Duration::from_millis(milliseconds));
    std::process::id()
}

fn run(workers: usize) -> brigade::Result<()> {
    let pool = ProcessPool::builder().workers(workers).build()?;
    let begin = Instant::now();
    let naps = [500, 400, 300, 300, 300];
    let futures: Vec<_> =
        naps.iter().map(|&ms| pool.submit(nap(ms).label(ms.to_string()))).collect();
    println!("{workers} workers");
    for future in as_completed(futures) {
        let job = future.job();
        let pid = future.result()?;
        println!("  {:>4.1} s  job {job} is done by process {pid}", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

fn main() -> brigade::Result<()> {
    brigade::init();
    run(5)?;
    // Jobs 4 and 5 wait until workers are free, and start the moment one is.
    run(3)
}
