//! The tasks that are measured, beside the built-in ones.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use brigade::{Blob, Context, Shared, task};
use serde_bytes::ByteBuf;

use crate::process;

/// Gives N back.
#[task]
pub fn noop(n: u64) -> u64 {
    n
}

/// Sleeps for so many microseconds.
#[task]
pub fn nap(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

/// Sleeps for so many microseconds, and says in which process.
#[task]
pub fn nap_somewhere(micros: u64) -> u32 {
    thread::sleep(Duration::from_micros(micros));
    std::process::id()
}

/// Sleeps until its worker is killed; the second attempt returns at once.
#[task]
pub fn die_once(context: &Context) -> u32 {
    while context.attempt() == 1 {
        thread::park();
    }
    context.attempt()
}

/// Goes so many steps, each of which needs the one before: work that takes a processor time of its own,
/// whatever else happens on the machine.
#[task]
pub fn busy(steps: u64) -> u64 {
    // A shift in between, so that the compiler cannot do many steps as one.
    let step = |n: u64, _| (n ^ (n >> 29)).wrapping_mul(6_364_136_223_846_793_005);
    (0..black_box(steps)).fold(1, step)
}

/// Works until it has had so many microseconds of a processor, and says how many nanoseconds it had.
#[task]
pub fn work(micros: u64) -> u64 {
    let begin = process::time_of_thread();
    loop {
        let had = process::time_of_thread().saturating_sub(begin);
        if had >= Duration::from_micros(micros) {
            return u64::try_from(had.as_nanos()).expect("a job is short");
        }
        black_box(busy::call(100));
    }
}

/// Gives bytes back.
#[task]
pub fn send_back(bytes: ByteBuf) -> ByteBuf {
    bytes
}

/// Gives a blob back, one byte of it changed, so that it is not the same one.
#[task]
pub fn change(blob: Blob) -> Blob {
    let mut bytes = Vec::from(blob);
    if let Some(first) = bytes.first_mut() {
        *first = first.wrapping_add(1);
    }
    bytes.into()
}

/// Reads all of what is shared, keeps it for so many microseconds, and gives the sum of its bytes.
#[task]
pub fn read_and_keep(data: Shared, micros: u64) -> u64 {
    let sum = data.iter().map(|byte| u64::from(*byte)).sum();
    thread::sleep(Duration::from_micros(micros));
    sum
}

/// Asks a server, and says how many bytes it answered.
#[task]
pub fn fetch(url: String) -> Result<usize, String> {
    let answer = ureq::get(&url).call().map_err(|error| format!("cannot get {url}: {error}"))?;
    let body = answer.into_body().read_to_vec();
    body.map(|body| body.len()).map_err(|error| format!("cannot read {url}: {error}"))
}
