//! What takes memory once, or none: tables of the initializer, and maps.

use std::fs;
use std::hint::black_box;
use std::sync::OnceLock;

use brigade::task;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;

use crate::support::{assert_intact, builder, double, hold, pool, value};

const MIB: usize = 1 << 20;
const KIB_PER_MIB: u64 = 1024;

static TABLE: OnceLock<Vec<u64>> = OnceLock::new();

/// Loads a table of so many MEBIBYTES.
#[task]
fn load(mebibytes: usize) {
    let entries = (mebibytes * MIB / size_of::<u64>()) as u64;
    TABLE.get_or_init(|| (0..entries).collect());
}

/// Reads all of the table.
#[task]
fn sum_up() -> u64 {
    TABLE.get().expect("it was loaded").iter().fold(0, |sum, entry| sum.wrapping_add(*entry))
}

/// The proportional size of a process, in KiB.
pub(crate) fn proportional(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it is alive");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a sum");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_table_of_the_initializer_takes_its_room_once() {
    const WORKERS: usize = 16;
    const TABLE: usize = 256;
    let pool = builder(WORKERS).initializer(load(TABLE)).build().unwrap();
    let entries = (TABLE * MIB / size_of::<u64>()) as u64;
    let sum = entries * (entries - 1) / 2;
    let pids = assert_intact(&pool, WORKERS);
    let server = process::parent(*pids.iter().next().unwrap()).unwrap();
    // Every worker reads all of it: as many as there are hold a job each between two readings.
    for _ in 0..2 {
        let gate = Gate::open();
        let sums: Vec<_> = (0..2 * WORKERS).map(|_| pool.submit(sum_up())).collect();
        let held: Vec<_> = (0..WORKERS).map(|_| pool.submit(hold(gate.path()))).collect();
        let visitors = gate.wait_for_all(WORKERS);
        visitors.into_iter().for_each(Visitor::release);
        assert!(sums.into_iter().all(|each| value(each) == sum));
        for held in held {
            assert_eq!(value(held).0, 1);
        }
    }
    let all: u64 = pids.iter().chain([&server]).map(|pid| proportional(*pid)).sum();
    let room = TABLE as u64 * KIB_PER_MIB;
    assert!(all >= room, "the table is there: {all} KiB");
    assert!(all < room + 32 * KIB_PER_MIB, "all workers add {} KiB", all - room);
}

/// The numbers of a map over so many jobs are right, and this process does not grow by it.
fn map_over(jobs: u64) {
    let pool = pool(2);
    let size = || process::size_kib(std::process::id(), "VmRSS").expect("it is alive");
    let mut map = pool.map((0..jobs).map(double)).map(Result::unwrap);
    // What is needed in any case is there after some.
    let mut sum: u64 = map.by_ref().take(20_000).sum();
    let before = size();
    sum += black_box(map).sum::<u64>();
    let grown = size().saturating_sub(before);
    assert_eq!(sum, jobs * (jobs - 1));
    assert!(grown < 32 * KIB_PER_MIB, "it grew by {grown} KiB");
}

/// `cargo test --release -p brigade --test conformance -- --ignored --exact
/// promises::memory::ten_million_jobs_take_no_more_memory_than_a_few`
///
/// A million of them is a matter of course: `memory_does_not_grow_with_a_million_jobs`.
#[test]
#[ignore = "takes a minute without optimisation"]
fn ten_million_jobs_take_no_more_memory_than_a_few() {
    map_over(10_000_000);
}
