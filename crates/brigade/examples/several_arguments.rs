//! A task of several arguments: a call of it is a job, and the compiler checks the types.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use std::time::Duration;

use brigade::{ProcessPool, task};

/// Greets somebody.
#[task]
fn greet(greeting: String, name: String, times: u32) -> String {
    format!("{}, {name}", vec![greeting; times as usize].join(" "))
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(2).build()?;
    let job = greet("hello".to_owned(), "Ada".to_owned(), 3);
    let future = pool.submit(job.timeout(Duration::from_secs(5)).label("for Ada"));
    println!("{}", future.result()?);
    // The same job without any pool: in this thread, like a call of the function.
    println!("{}", greet("good morning".to_owned(), "Ada".to_owned(), 1).run()?);
    println!("{}", greet::call("good night".to_owned(), "Ada".to_owned(), 1));
    Ok(())
}
