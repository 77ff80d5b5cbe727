//! What an idle worker costs in memory, and the supervisor and the fork server beside it.
//!
//! The measure is the proportional set size: a page that several processes share counts in parts, so
//! that the sum over all processes is what they take together. A worker is looked at before its
//! first job, and after it when it is idle again.

use std::time::{Duration, Instant};

use brigade_benches::figures::{Figures, Table};
use brigade_benches::process::{Memory, memory, parent};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_supervisor::ProcessPool;

fn main() {
    brigade_worker::init_with(&tasks::registry());
    let head = ["", "proportional", "bar", "resident"];
    let title = "Memory, in KiB: median (least–most)";
    let mut table = Table::new(title, &head);
    for workers in [8, 64] {
        let mut add = |who: &str, bar: &str, found: &[Memory]| {
            let proportional = Figures::new(found.iter().map(|memory| memory.proportional));
            let resident = Figures::new(found.iter().map(|memory| memory.resident));
            let cells = [format!("{proportional:.0}"), bar.into(), format!("{resident:.0}")];
            table.row([format!("{workers} workers: {who}")].into_iter().chain(cells));
        };
        let looks: Vec<_> = (0..whole_or_quick(5, 1)).map(|_| look(workers)).collect();
        let all = |part: fn(&Look) -> &[Memory]| looks.iter().flat_map(part).copied().collect();
        let fresh: Vec<Memory> = all(|look| &look.fresh);
        let used: Vec<Memory> = all(|look| &look.used);
        add("each, before its first job", "< 300", &fresh);
        add("each, after a job", "< 300", &used);
        add("fork server", "–", &looks.iter().map(|look| look.fork_server).collect::<Vec<_>>());
        add("supervisor", "–", &looks.iter().map(|look| look.supervisor).collect::<Vec<_>>());
    }
    table.print();
}

struct Look {
    fresh: Vec<Memory>,
    used: Vec<Memory>,
    fork_server: Memory,
    supervisor: Memory,
}

fn look(workers: usize) -> Look {
    let pool = pools::strict(workers);
    let pids = pids(&pool, workers);
    // A worker that has a pid may still be on its way to its first wait.
    std::thread::sleep(Duration::from_millis(300));
    let fresh = memories(&pids);
    let answered = pools::let_each_answer(&pool, workers, Duration::from_millis(300));
    assert!(pids.iter().all(|pid| answered.contains(pid)), "the workers are the same");
    std::thread::sleep(Duration::from_millis(50));
    let used = memories(&pids);
    let fork_server = parent(pids[0]).expect("a worker has a parent");
    Look {
        fresh,
        used,
        fork_server: memory(fork_server).expect("the fork server is there"),
        supervisor: memory(std::process::id()).expect("this process is there"),
    }
}

/// The pids of all workers, once all have one.
fn pids(pool: &ProcessPool, workers: usize) -> Vec<u32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let snapshot = pool.control().snapshot().expect("the pool is there");
        let pids: Vec<u32> =
            snapshot.lanes.iter().filter_map(|lane| Some(lane.worker?.pid)).collect();
        if pids.len() == workers {
            return pids;
        }
        assert!(Instant::now() < deadline, "only {} of {workers} workers started", pids.len());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn memories(pids: &[u32]) -> Vec<Memory> {
    pids.iter().map(|&pid| memory(pid).expect("an idle worker lives")).collect()
}
