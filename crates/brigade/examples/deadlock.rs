//! Two jobs that wait for each other: elsewhere they hang for ever, here both end at once, with the
//! cycle in their errors.
#![expect(clippy::print_stdout, reason = "an example speaks")]
use brigade::{Context, Handle, ProcessPool, task};

/// Waits for another job and adds one to its result.
#[task]
fn one_more_than(context: &Context, other: Handle<u64>) -> brigade::Result<u64> {
    Ok(context.wait(other)? + 1)
}

fn main() -> brigade::Result<()> {
    brigade::init();
    let pool = ProcessPool::builder().workers(2).build()?;
    // A seat has a handle before there is a job in it.
    let (seat_a, seat_b) = (pool.reserve(), pool.reserve());
    let (a, b) = (seat_a.handle(), seat_b.handle());
    let first = pool.submit_as(seat_a, one_more_than(b).label("a"));
    let second = pool.submit_as(seat_b, one_more_than(a).label("b"));
    for future in [first, second] {
        let error = future.result().expect_err("neither can have a result");
        println!("{}", error.cause());
    }
    Ok(())
}
