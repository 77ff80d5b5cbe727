//! No-ops a second, beside the pools of Python's standard library, in turns.
//!
//! A peer that is not installed is left out, with a note.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use brigade_benches::figures::{Figures, Table};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_supervisor::ProcessPool;

/// A peer, how many jobs it is given, and our way of doing the same.
type Peer = (&'static str, u64, fn(&ProcessPool, u64));

const PEERS: [Peer; 5] = [
    ("ProcessPoolExecutor.submit", 10_000, submit),
    ("Pool.apply_async", 20_000, submit),
    ("ThreadPoolExecutor.submit", 20_000, submit),
    ("ProcessPoolExecutor.map, chunks of 1024", 500_000, map),
    ("Pool.map", 1_000_000, map),
];

fn main() {
    brigade_worker::init_with(&tasks::registry());
    let Some(mut python) = Python::start() else {
        return note("python3 is not there, or cannot start its pools: no peers to compare with");
    };
    let rounds = whole_or_quick(7, 2);
    let title = "No-ops with 2 workers, in thousands a second, in turns: median (least–most)";
    let mut table = Table::new(title, &["", "peer", "ours", "ours / peer"]);
    let pool = pools::plain(2);
    for (name, jobs, work) in PEERS {
        let jobs = whole_or_quick(jobs, jobs / 10);
        // So that both have learnt what there is to learn.
        let _ = (python.rate(name, jobs), rate(&pool, jobs, work));
        let pairs: Vec<_> =
            (0..rounds).map(|_| (python.rate(name, jobs), rate(&pool, jobs, work))).collect();
        let peer = Figures::new(pairs.iter().map(|(peer, _)| *peer / 1e3));
        let ours = Figures::new(pairs.iter().map(|(_, ours)| *ours / 1e3));
        let ratio = Figures::new(pairs.iter().map(|(peer, ours)| ours / peer));
        let cells = [format!("{peer:.0}"), format!("{ours:.0}"), format!("{ratio:.1}")];
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table.print();
    python.stop();
}

#[expect(clippy::print_stdout, reason = "a benchmark reports there")]
fn note(what: &str) {
    println!("\n{what}");
}

/// Jobs a second.
#[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
fn rate(pool: &ProcessPool, jobs: u64, work: fn(&ProcessPool, u64)) -> f64 {
    let begin = Instant::now();
    work(pool, jobs);
    jobs as f64 / begin.elapsed().as_secs_f64()
}

/// A future for each job.
fn submit(pool: &ProcessPool, jobs: u64) {
    let futures: Vec<_> = (0..jobs).map(|n| pool.submit(tasks::noop(n))).collect();
    for (n, future) in (0..jobs).zip(futures) {
        assert_eq!(future.result().expect("a no-op succeeds"), n);
    }
}

fn map(pool: &ProcessPool, jobs: u64) {
    for (n, result) in (0..jobs).zip(pool.map((0..jobs).map(tasks::noop))) {
        assert_eq!(result.expect("a no-op succeeds"), n);
    }
}

/// `peers/pools.py`, which answers each line with a number.
struct Python {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pools.py");
        let mut command = Command::new("python3");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let (to, mut from) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut ready = String::new();
        let _ = from.read_line(&mut ready);
        if ready.trim() != "ready" {
            // It has said why on standard error.
            let _ = child.wait();
            return None;
        }
        Some(Self { child, to, from })
    }

    /// Jobs a second of this peer.
    fn rate(&mut self, peer: &str, jobs: u64) -> f64 {
        writeln!(self.to, "{peer} {jobs}").expect("it listens");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("it answers");
        answer.trim().parse().expect("its answer is a number")
    }

    fn stop(self) {
        let Self { mut child, to, .. } = self;
        drop(to);
        assert!(child.wait().expect("it is a child").success());
    }
}
