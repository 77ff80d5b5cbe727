//! Everything at once: jobs that end in all ways, while workers and fork servers are killed and
//! stopped at random, and the pool ends in a random way. Each job must be settled, and each pool end.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use brigade_supervisor::{
    Control, Failure, Job, Prefetch, ProcessPool, RestartIntensity, Shutdown,
};
use brigade_tests::DEADLINE;
use brigade_tests::process::{self, Watched};
use brigade_tests::random::Random;
use rustix::process::Signal;

use crate::pools::builder;

#[test]
fn whatever_happens_each_job_is_settled_and_each_pool_ends() {
    let seed = std::env::var("BRIGADE_CHAOS_SEED").ok().and_then(|text| text.parse().ok());
    let first = seed.unwrap_or(u64::from(std::process::id()) * 1000);
    let rounds = std::env::var("BRIGADE_CHAOS_ROUNDS").ok().and_then(|text| text.parse().ok());
    for seed in first..first + rounds.unwrap_or(12) {
        tell(&format!("BRIGADE_CHAOS_SEED={seed}"));
        // In a thread of its own, because a pool that does not end would not give this one back.
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            round(Random::new(seed));
            ended.send(()).expect("the test waits");
        });
        end.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Says what is shown if the test fails: the last seed is the one.
#[expect(clippy::print_stdout, reason = "the seed is needed to do it all again")]
fn tell(what: &str) {
    println!("{what}");
}

fn round(mut random: Random) {
    let pool = start(&mut random);
    let control = pool.control();
    let over = AtomicBool::new(false);
    let killers = random.clone();
    thread::scope(|scope| {
        scope.spawn(|| trouble(&control, killers, &over));
        let count = random.between(1, 200);
        let jobs: Vec<_> = (0..count).map(|n| pool.submit(any_job(&mut random, n))).collect();
        let cancelled: HashSet<usize> =
            (0..jobs.len()).filter(|_| random.between(0, 10) == 0).collect();
        for &index in &cancelled {
            // The answer is checked below, by the end that the job has.
            jobs[index].cancel();
        }
        let how = match random.between(0, 4) {
            0 => Shutdown::Abort,
            1 => Shutdown::Stop { grace: Duration::from_millis(random.between(0, 100)) },
            _ => Shutdown::Drain,
        };
        pool.shutdown(how);
        over.store(true, Ordering::Relaxed);
        for (n, job) in jobs.into_iter().enumerate() {
            assert!(job.done(), "a pool that is gone owes nothing: {job:?}");
            check(n, how, cancelled.contains(&n), &job.result());
        }
    });
}

fn start(random: &mut Random) -> ProcessPool {
    let mut builder = builder(usize::try_from(random.between(1, 9)).expect("it is small"))
        // Nobody is to give up here, however often the dice say so.
        .restart_intensity(RestartIntensity { max: 100_000, within: DEADLINE })
        .crash_retries(u32::try_from(random.between(0, 4)).expect("it is small"))
        .threads_per_worker(u16::try_from(random.between(1, 4)).expect("it is small"));
    if random.between(0, 2) == 0 {
        let most = u32::try_from(random.between(0, 20)).expect("it is small");
        builder = builder.prefetch(Prefetch::AtMost(most));
    }
    builder.build().expect("the pool starts")
}

fn any_job(random: &mut Random, n: u64) -> Job<String> {
    let (task, arguments) = match random.between(0, 12) {
        0 => ("exit", "[1]".to_owned()),
        1 => ("abort", "[]".to_owned()),
        2 => ("panic", "[\"plain\"]".to_owned()),
        3 => ("fail", "[\"no\"]".to_owned()),
        4 => ("raise", "[19]".to_owned()),
        5 => ("fill", format!("[{}]", random.between(0, 300_000))),
        6 => ("sleep", "[0.01]".to_owned()),
        _ => ("double", n.to_string()),
    };
    Job::json(task, arguments).timeout(Duration::from_millis(100)).retries(1)
}

/// Kills and stops workers and fork servers until it is over.
fn trouble(control: &Control, mut random: Random, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        // No synchronisation: these pauses are the load that the test is about.
        thread::sleep(Duration::from_millis(random.between(0, 20)));
        let Some(snapshot) = control.snapshot() else { return };
        let workers: Vec<u32> =
            snapshot.lanes.iter().filter_map(|lane| Some(lane.worker?.pid)).collect();
        let Some(&worker) = random.pick(&workers) else { continue };
        let ours = process::parent(worker).filter(|server| is_child(*server));
        let Some(server) = ours else { continue };
        match random.between(0, 8) {
            0 => process::kill(server),
            1..4 => process::send(worker, Signal::KILL),
            _ => {}
        }
    }
}

/// A worker's pid may be another's by now; a fork server is a child of this process.
fn is_child(server: u32) -> bool {
    process::parent(server) == Some(std::process::id()) && !Watched::new(server).is_dead()
}

/// The ends that a job may come to.
fn check(
    n: usize,
    how: Shutdown,
    cancelled: bool,
    result: &Result<String, brigade_supervisor::JobError>,
) {
    match result {
        Ok(output) => assert!(!output.is_empty(), "job {n}"),
        Err(error) => match error.failure() {
            Failure::Failed(_) | Failure::Panicked(_) | Failure::TimedOut(_) => {}
            Failure::Crashed(_) | Failure::Quarantined(_) => {
                assert!(error.attempts() > 0, "{error}");
            }
            Failure::Cancelled => assert!(cancelled || how != Shutdown::Drain, "{error}"),
            other => panic!("job {n} ended as {}: {error}", other.name()),
        },
    }
}
