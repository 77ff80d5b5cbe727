//! What is shared: in memory once, there as long as somebody needs it, and gone afterwards.

use std::fs;
use std::path::PathBuf;

use brigade::{Blob, Context, Executor, Job, Shared, ThreadPool, task};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::until;
use serde::{Deserialize, Serialize};

use super::memory::proportional;
use crate::support::{assert_intact, builder, double, pass, pool, value};

const MIB: usize = 1 << 20;

/// Adds up all bytes, then waits at GATE with them.
#[task]
fn sum_and_hold(context: &Context, data: Shared, gate: PathBuf) -> std::io::Result<u64> {
    let sum = data.iter().copied().map(u64::from).sum();
    pass(context, &gate)?;
    Ok(sum)
}

#[derive(Serialize, Deserialize)]
struct Question {
    data: Option<Shared>,
    place: usize,
}

/// A byte of it, by a job of its own.
#[task]
fn delegate_shared(context: &Context, question: Question) -> brigade::Result<u8> {
    let Question { data, place } = question;
    let answer = context.submit(byte_at(data.expect("there is data"), place));
    Ok(context.wait(answer)?)
}

/// A byte of it.
#[task]
fn byte_at(data: Shared, place: usize) -> u8 {
    data[place]
}

/// Gives it back.
#[task]
fn bring_shared(data: Shared) -> Shared {
    data
}

/// Gives a part of it.
#[task]
fn tail(data: Shared, from: usize) -> Blob {
    Blob::from(data).slice(from..)
}

/// Whether this process maps something that is shared, of so many bytes.
fn maps(pid: u32, length: usize) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let mut shared = maps.lines().filter(|line| line.contains("memfd:brigade-shared"));
    shared.any(|line| {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        address(end) - address(start) == length
    })
}

/// Whether this process has the memory file of so many bytes open.
fn has_open(length: usize) -> bool {
    let listing = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut files = listing.filter(|entry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        target.to_string_lossy().contains("brigade-shared")
    });
    files.any(|entry| fs::metadata(entry.path()).is_ok_and(|file| file.len() == length as u64))
}

#[test]
fn what_is_shared_is_in_memory_once_and_gone_when_nobody_needs_it() {
    const WORKERS: usize = 8;
    const LENGTH: usize = 64 * MIB;
    let pool = pool(WORKERS);
    let data = pool.share(vec![3; LENGTH]);
    let gate = Gate::open();
    let sums: Vec<_> =
        (0..WORKERS).map(|_| pool.submit(sum_and_hold(data.clone(), gate.path()))).collect();
    // The jobs need it still.
    drop(data);
    let mut visitors = gate.wait_for_all(WORKERS);
    let pids: Vec<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
    let all: u64 = pids.iter().map(|pid| proportional(*pid)).sum();
    let once = (LENGTH / 1024) as u64;
    assert!(all >= once, "it is there: {all} KiB");
    assert!(all < once + once / 2, "eight workers have it once: {all} KiB");

    // The next attempt finds it still.
    let killed = visitors.pop().unwrap().pid;
    brigade_tests::process::kill(killed);
    let again = gate.wait();
    assert_eq!(again.attempt, 2);
    assert!(maps(again.pid, LENGTH) && has_open(LENGTH));
    again.release();
    visitors.into_iter().for_each(Visitor::release);
    for sum in sums {
        assert_eq!(value(sum), 3 * LENGTH as u64);
    }
    assert!(!has_open(LENGTH), "the last job has ended");
    for pid in assert_intact(&pool, WORKERS) {
        until("a worker to let go of it", DEADLINE, || (!maps(pid, LENGTH)).then_some(()));
    }
}

#[test]
fn a_worker_maps_it_once_for_all_its_jobs() {
    const LENGTH: usize = 3 * MIB + 4096;
    let pool = builder(1).threads_per_worker(4).build().unwrap();
    let data = pool.share(vec![1; LENGTH]);
    let gate = Gate::open();
    let jobs: Vec<_> =
        (0..4).map(|_| pool.submit(sum_and_hold(data.clone(), gate.path()))).collect();
    let visitors = gate.wait_for_all(4);
    let text = fs::read_to_string(format!("/proc/{}/maps", visitors[0].pid)).unwrap();
    let mappings = text.lines().filter(|line| line.contains("memfd:brigade-shared")).count();
    assert_eq!(mappings, 1, "{text}");
    visitors.into_iter().for_each(Visitor::release);
    for job in jobs {
        assert_eq!(value(job), LENGTH as u64);
    }
}

fn check_all(pool: &impl Executor, data: &Shared) {
    let length = data.len();
    let question = |data, place| delegate_shared(Question { data, place });
    assert_eq!(value(pool.submit(byte_at(data.clone(), length - 1))), 9);
    assert_eq!(value(pool.submit(question(Some(data.clone()), length - 1))), 9, "nested");
    assert_eq!(value(pool.submit(bring_shared(data.clone()))), *data);
    assert_eq!(value(pool.submit(tail(data.clone(), length - 2))), [1, 9]);
    let call: Job<u8> = Job::call("byte-at", (data.clone(), 0_usize));
    assert_eq!(value(pool.submit(call)), 1, "encoded beforehand");
    let all = pool.map((0..3).map(|place| byte_at(data.clone(), place)));
    assert!(all.map(Result::unwrap).eq([1, 1, 1]));
}

#[test]
fn what_is_shared_can_be_used_wherever_arguments_can() {
    let mut bytes = vec![1; 300_000];
    bytes.push(9);
    let threads = ThreadPool::builder().workers(1).build().unwrap();
    let processes = pool(2);
    for data in [processes.share(&bytes), threads.share(&bytes)] {
        check_all(&processes, &data);
        check_all(&threads, &data);
        assert_eq!(byte_at(data.clone(), 300_000).run().unwrap(), 9);
        let ended = Blob::from(data.clone());
        drop(data);
        assert_eq!(ended, bytes, "a blob of it keeps it");
    }
    let empty = processes.share([]);
    assert_eq!(value(processes.submit(bring_shared(empty))).len(), 0);
    assert_eq!(value(processes.submit(Job::json("byte-at", "[[4, 5], 1]"))), "5");
    assert_eq!(value(processes.submit(double(1))), 2);
}

#[test]
fn what_is_shared_outlives_the_pool_that_made_it() {
    let data = pool(1).share(vec![5; MIB]);
    let other = pool(1);
    assert_eq!(value(other.submit(byte_at(data, MIB - 1))), 5);
}
