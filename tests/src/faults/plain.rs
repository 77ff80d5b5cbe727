//! Tasks that behave, and say where and as which attempt they ran.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use brigade_worker::{Context, task};

use crate::gate;

/// Which attempt it was, in which process, and the value that was given.
pub type Told = (u32, u32, String);

fn told(context: &Context, value: String) -> Told {
    (context.attempt(), std::process::id(), value)
}

/// Gives VALUE back, with attempt and pid.
#[task(unlisted)]
pub fn tell(context: &Context, value: String) -> Told {
    told(context, value)
}

/// Runs until it is let go at GATE.
#[task(unlisted)]
pub fn hold(context: &Context, gate: String) -> io::Result<Told> {
    let mut stream = gate::visit(context, &gate)?;
    gate::wait(&mut stream)?;
    Ok(told(context, "released".to_owned()))
}

/// Writes X, attempt and pid as a line to the file LOG, takes so many MICROSECONDS, and gives back
/// twice X.
///
/// The file is an account of what ran that the system under test has no hand in.
#[task(unlisted)]
pub fn log(context: &Context, log: String, x: u64, microseconds: u64) -> io::Result<u64> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    // One write: lines of several processes do not mix.
    let line = format!("{x} {} {}\n", context.attempt(), std::process::id());
    file.write_all(line.as_bytes())?;
    thread::sleep(Duration::from_micros(microseconds));
    Ok(2 * x)
}

/// A text of so many BYTES.
#[task(unlisted)]
pub fn fill(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// How long TEXT is, and the sum of its bytes.
#[task(unlisted)]
pub fn measure(text: String) -> (usize, u64) {
    (text.len(), text.bytes().map(u64::from).sum())
}

/// Prints LINES, by turns on both streams, and then does what THEN says: `return` or `exit`.
#[task(unlisted)]
pub fn say(lines: Vec<String>, then: String) {
    for (index, line) in lines.iter().enumerate() {
        let line = format!("{line}\n");
        let written = if index % 2 == 0 {
            io::stdout().write_all(line.as_bytes())
        } else {
            io::stderr().write_all(line.as_bytes())
        };
        written.expect("somebody reads");
    }
    if then == "exit" {
        std::process::exit(7);
    }
}

/// Prints so many BYTES, in lines.
#[task(unlisted)]
pub fn flood(bytes: usize) -> usize {
    let line = [&[b'y'; 99][..], b"\n"].concat();
    let mut stdout = io::stdout().lock();
    let mut printed = 0;
    while printed < bytes {
        stdout.write_all(&line).expect("somebody reads");
        printed += line.len();
    }
    printed
}

/// How many bytes there are on standard input.
#[task(unlisted)]
pub fn read_all() -> io::Result<usize> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)
}
