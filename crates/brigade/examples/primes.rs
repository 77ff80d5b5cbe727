//! Counts the primes below a million in ten jobs, on as many workers as there are CPUs.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{Future, ProcessPool, task};

/// Counts the primes in a range, slowly.
#[task]
fn count_primes(from: u64, to: u64) -> usize {
    (from.max(2)..to).filter(|n| (2..=n.isqrt()).all(|d| n % d != 0)).count()
}

fn main() -> brigade::Result<()> {
    brigade::init(); // this very program, started as a worker program, ends here

    let pool = ProcessPool::builder().build()?;
    let futures: Vec<Future<usize>> =
        (0..10).map(|n| pool.submit(count_primes(n * 100_000, (n + 1) * 100_000))).collect();
    let mut sum = 0;
    for future in futures {
        sum += future.result()?;
    }
    println!("{sum}");
    Ok(())
} // dropping the pool drains it
