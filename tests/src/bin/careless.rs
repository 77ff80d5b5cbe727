//! A program that has a pool of its own, and calls `init` too late or not at all. Each of its starts
//! leaves a line in the file that [`STARTS`] names.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

use brigade::{ProcessPool, task};

/// Names the file in which starts are counted.
const STARTS: &str = "CARELESS_STARTS";

/// Does nothing.
#[task]
fn nothing() {}

fn main() -> brigade::Result<()> {
    if let Some(path) = std::env::var_os(STARTS) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(b"started\n")).expect("starts are counted");
    }
    if std::env::var_os("CARELESS_THREAD").is_some() {
        thread::spawn(thread::park);
        brigade::init();
    }
    let pool = ProcessPool::builder().workers(8).build()?;
    Ok(pool.submit(nothing()).result()?)
}
