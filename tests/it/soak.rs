//! The soak: workers are killed all the time, and an outside checker finds every job settled once.
//!
//! `BRIGADE_SOAK_SECONDS=60 cargo test --release -p brigade-tests -- --ignored soak` is the long one.
//! The checker knows nothing of the system under test: it reads the records that the program wrote
//! and the account that the tasks themselves kept of what was run.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use brigade_tests::process;
use brigade_tests::program::Started;
use brigade_tests::random::Random;
use rustix::process::Signal;
use serde_json::Value;

use crate::program::supervisor;

const WORKERS: usize = 8;

#[test]
fn a_few_seconds_of_kills() {
    soak(Duration::from_secs(4), 1_000, 20_000);
}

#[test]
#[ignore = "takes a minute: cargo test --release -p brigade-tests -- --ignored soak"]
fn soak_for_a_minute() {
    let seconds = std::env::var("BRIGADE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    soak(Duration::from_secs(seconds.unwrap_or(60)), 100_000, 4 * 1024);
}

/// Runs jobs for so long and at least so many, and lets memory grow by so many KiB.
fn soak(duration: Duration, least: u64, growth: u64) {
    let seed = std::env::var("BRIGADE_SOAK_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(u64::from(std::process::id()));
    tell(&format!("BRIGADE_SOAK_SEED={seed}"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (records, log) = (directory.path().join("records"), directory.path().join("log"));
    let arguments = "--workers 8 --quiet --crash-retries 1000 --output jsonl --task log --jobs -";
    let mut started = supervisor(arguments).open_input().output_to(&records).start();
    started.await_workers(WORKERS);

    let stdin = started.child.stdin.take().expect("it is a pipe");
    let feeder = Feeder {
        random: Random::new(seed),
        log: log.clone(),
        until: Instant::now() + duration,
        least,
    };
    let over = AtomicBool::new(false);
    let (jobs, kills, samples) = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_workers(&started, Random::new(!seed), &over));
        let sampler = scope.spawn(|| sample(&started, &over));
        let jobs = feeder.feed(stdin);
        over.store(true, Ordering::Relaxed);
        (jobs, killer.join().expect("it only kills"), sampler.join().expect("it only looks"))
    });
    started.finish().expect_code(0);

    let (attempts, again) = check(&records, &log, jobs);
    assert!(again > 0, "some of {kills} kills hit a running job");
    assert!(attempts >= jobs);
    assert_steady(&samples, growth);
    let count = samples.len();
    tell(&format!("{jobs} jobs, {kills} kills, {again} jobs ran again, {count} samples"));
}

/// Says what is shown if the test fails, or with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the seed is needed to do it all again")]
fn tell(what: &str) {
    println!("{what}");
}

/// Writes jobs until the time is over and there were enough.
struct Feeder {
    random: Random,
    log: PathBuf,
    until: Instant,
    least: u64,
}

impl Feeder {
    fn feed(mut self, stdin: ChildStdin) -> u64 {
        let log = brigade_tests::json(&self.log);
        let mut input = BufWriter::new(stdin);
        let mut x = 0;
        while x < self.least || Instant::now() < self.until {
            let microseconds = self.random.between(0, 4000);
            writeln!(input, "[{log}, {x}, {microseconds}]").expect("it reads");
            x += 1;
        }
        input.flush().expect("it reads");
        x
    }
}

/// Kills a worker every 20 to 100 ms, and counts.
fn kill_workers(started: &Started, mut random: Random, over: &AtomicBool) -> u64 {
    let mut kills = 0;
    while !over.load(Ordering::Relaxed) {
        // No synchronisation: these pauses are the load that the test is about.
        thread::sleep(Duration::from_millis(random.between(20, 100)));
        if let Some(worker) = random.pick(&process::workers_of(started.pid())) {
            process::send(*worker, Signal::KILL);
            kills += 1;
        }
    }
    kills
}

/// What the supervisor has at one moment.
struct Sample {
    descriptors: u64,
    processes: u64,
    memory_kib: u64,
}

fn sample(started: &Started, over: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    let pid = started.pid();
    while !over.load(Ordering::Relaxed) {
        samples.push(Sample {
            descriptors: process::descriptors(pid).expect("it runs") as u64,
            processes: started.alive().len() as u64,
            memory_kib: process::size_kib(pid, "VmRSS").expect("it runs"),
        });
        thread::sleep(Duration::from_millis(50));
    }
    samples
}

/// Checks that nothing grows in the second half, by the slope of a straight line through it.
fn assert_steady(samples: &[Sample], growth: u64) {
    let half = &samples[samples.len() / 2..];
    let grown = |what: fn(&Sample) -> u64| rise(&half.iter().map(what).collect::<Vec<_>>());
    // A worker that is being replaced has the descriptors and processes of two.
    let (descriptors, processes) = (grown(|s| s.descriptors), grown(|s| s.processes));
    assert!(descriptors < 12.0, "descriptors grew by {descriptors}");
    assert!(processes < 3.0, "processes grew by {processes}");
    let most = samples.iter().map(|sample| sample.processes).max();
    assert!(most <= Some(2 + 2 * WORKERS as u64), "there were {most:?} processes");
    let memory = grown(|s| s.memory_kib);
    #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
    let growth = growth as f64;
    assert!(memory < growth, "memory grew by {memory} KiB");
}

/// By how much a straight line through these values (least squares) rises from first to last.
#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
fn rise(values: &[u64]) -> f64 {
    let count = values.len() as f64;
    let (mean_x, mean_y) = ((count - 1.0) / 2.0, values.iter().sum::<u64>() as f64 / count);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in values.iter().enumerate() {
        covariance += (x as f64 - mean_x) * (*y as f64 - mean_y);
        variance += (x as f64 - mean_x).powi(2);
    }
    if variance > 0.0 { covariance / variance * (count - 1.0) } else { 0.0 }
}

/// The outside checker: reads both files and compares them. Returns how many attempts the records
/// tell of, and how many jobs ran more than once.
fn check(records: &Path, log: &Path, jobs: u64) -> (u64, u64) {
    let mut runs: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
    for line in lines(log) {
        let numbers: Vec<u64> =
            line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [x, attempt, pid] = numbers[..] else { panic!("the log has a line {line:?}") };
        runs.entry(x).or_default().push((attempt, pid));
    }
    let (mut settled, mut all_attempts, mut again) = (HashMap::new(), 0, 0);
    for line in lines(records) {
        let record: Value = serde_json::from_str(&line).expect("each line is a record");
        assert_eq!(record["status"], "succeeded", "{line}");
        let x = record["args"][1].as_u64().expect("x");
        let attempts = record["attempts"].as_u64().expect("a number of attempts");
        assert_eq!(record["output"].as_u64(), Some(2 * x), "{line}");
        assert_eq!(settled.insert(x, record["job"].as_u64()), None, "settled twice: {line}");
        let mut ran = runs.remove(&x).unwrap_or_default();
        let pid = record["pid"].as_u64().expect("a pid");
        assert!(ran.contains(&(attempts, pid)), "what is told did not run: {line}, {ran:?}");
        assert!(ran.iter().all(|(attempt, _)| (1..=attempts).contains(attempt)), "{line}, {ran:?}");
        let count = ran.len();
        ran.dedup_by_key(|(attempt, _)| *attempt);
        assert_eq!(ran.len(), count, "an attempt ran twice: {line}, {ran:?}");
        all_attempts += attempts;
        again += u64::from(attempts > 1);
    }
    assert_eq!(settled.len() as u64, jobs, "each job has a record");
    let mut numbers: Vec<_> = settled.into_values().collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len() as u64, jobs, "each job has a number of its own");
    assert!(runs.is_empty(), "these ran and have no record: {:?}", runs.keys());
    (all_attempts, again)
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    let file = File::open(path).expect("it was written");
    BufReader::new(file).lines().map(|line| line.expect("it is text"))
}
