//! How long a slot takes from the death of its worker to its next result.
//!
//! A pool of one worker runs a job that waits to be killed. From the SIGKILL on: the death is
//! noticed, the scoreboard read, the job put back, a new worker forked; it gets the job as its second
//! attempt and answers at once.

use std::time::{Duration, Instant};

use brigade_benches::figures::{Figures, Table};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_supervisor::{Job, ProcessPool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn main() {
    brigade_worker::init_with(&tasks::registry());
    let mut table = Table::new(
        "From SIGKILL of a busy worker to the next result of its slot, in ms",
        &["kills", "median (least–most)", "p90"],
    );
    let kills = whole_or_quick(50, 10);
    let pool = pools::plain(1);
    let times = Figures::millis((0..kills).map(|_| recover(&pool)));
    let p90 = format!("{:.2}", times.quantile(0.9));
    table.row([kills.to_string(), format!("{times:.2}"), p90]);
    table.print();
}

fn recover(pool: &ProcessPool) -> Duration {
    let future = pool.submit(Job::<u32>::call(tasks::die_once::TASK.name, ()));
    let worker = busy_worker(pool);
    let begin = Instant::now();
    kill(worker, Signal::SIGKILL).expect("the worker is there");
    let attempt = future.result().expect("the second attempt succeeds");
    let took = begin.elapsed();
    assert_eq!(attempt, 2);
    took
}

/// The worker, once it runs the job.
fn busy_worker(pool: &ProcessPool) -> Pid {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let snapshot = pool.control().snapshot().expect("the pool is there");
        let busy = snapshot.lanes.iter().find(|lane| !lane.running.is_empty());
        if let Some(worker) = busy.and_then(|lane| lane.worker) {
            return Pid::from_raw(worker.pid.cast_signed());
        }
        assert!(Instant::now() < deadline, "the job was not started");
        std::thread::sleep(Duration::from_millis(1));
    }
}
