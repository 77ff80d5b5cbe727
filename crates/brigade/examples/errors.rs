//! Everything that can go wrong with a job, caught one by one: each costs that job and no other.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::time::Duration;

use brigade::{ProcessPool, task};

/// Goes wrong in the way that it is told.
#[task]
fn misbehave(how: String) -> Result<String, String> {
    match how.as_str() {
        "error" => return Err("that is not possible".to_owned()),
        "panic" => panic!("this cannot be"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "hang" => loop {
            std::thread::park();
        },
        _ => {}
    }
    Ok("well".to_owned())
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(2).crash_retries(0).build()?;
    let ways = ["error", "panic", "abort", "exit", "hang", "nothing at all"];
    let submit = |way: &str| {
        pool.submit(misbehave(way.to_owned()).label(way).timeout(Duration::from_secs(2)))
    };
    let futures: Vec<_> = ways.into_iter().map(submit).collect();
    for (way, future) in ways.into_iter().zip(futures) {
        match future.result() {
            Ok(value) => println!("{way}: {value}"),
            Err(error) if error.is_timed_out() => println!("{way}: it took too long"),
            Err(error) if error.is_crashed() => {
                let how = error.signal().unwrap_or("it exited by itself");
                println!("{way}: crashed ({how})");
            }
            Err(error) => println!("{way}: {}", error.failure().name()),
        }
    }
    Ok(())
}
