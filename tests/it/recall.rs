//! Refill and recall: no worker idles while there is something that it could run.

use brigade_supervisor::Prefetch;
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::until;

use crate::pools::{assert_staffed, builder, hold, occupy, pool, tell, told};

#[test]
fn a_job_stuck_behind_a_long_one_is_given_to_an_idle_worker() {
    let pool = builder(2).prefetch(Prefetch::AtMost(4)).build().unwrap();
    let gate = Gate::open();
    let (long, mut visitors) = occupy(&pool, &gate, 2);
    // Both workers have some of these behind their long job.
    let stuck: Vec<_> = (0..8).map(|n| pool.submit(tell(&n.to_string()))).collect();
    let idle = visitors.pop().unwrap();
    let pid = idle.pid;
    idle.release();
    for (n, job) in stuck.into_iter().enumerate() {
        let told = told(job);
        assert_eq!(told, (1, pid, n.to_string()), "the other worker is still busy");
    }
    visitors.into_iter().for_each(Visitor::release);
    for job in long {
        assert_eq!(told(job).0, 1);
    }
}

#[test]
fn a_worker_gets_its_next_job_when_it_ends_one() {
    let (pool, gate) = (builder(2).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let mut jobs: Vec<_> = (0..6).map(|_| pool.submit(hold(&gate))).collect();
    let mut running = gate.wait_for_all(2);
    for _ in 0..4 {
        let released = running.remove(0);
        let pid = released.pid;
        released.release();
        let next = gate.wait();
        assert_eq!(next.pid, pid, "the other worker is still busy");
        running.push(next);
    }
    running.into_iter().for_each(Visitor::release);
    assert!(jobs.drain(..).all(|job| told(job).0 == 1));
}

#[test]
fn the_pool_tells_what_it_is_doing() {
    let (pool, gate) = (builder(2).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let control = pool.control();
    let (jobs, visitors) = occupy(&pool, &gate, 2);
    let waiting = pool.submit(tell("later"));
    let snapshot = until("a snapshot with both jobs", DEADLINE, || {
        let snapshot = control.snapshot().expect("the pool is there");
        // The submission may be on its way.
        (snapshot.queued == 1).then_some(snapshot)
    });
    assert_eq!(snapshot.settled, 0);
    let mut lanes: Vec<(u32, u64)> = Vec::new();
    for lane in &snapshot.lanes {
        lanes.push((lane.worker.unwrap().pid, lane.running[0].job.0));
    }
    let mut expected: Vec<_> = visitors.iter().map(|visitor| (visitor.pid, visitor.job)).collect();
    lanes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lanes, expected);
    visitors.into_iter().for_each(Visitor::release);
    assert!(jobs.into_iter().all(|job| told(job).0 == 1));
    assert_eq!(told(waiting).0, 1);
    drop(pool);
    assert!(control.snapshot().is_none(), "a pool that is gone does nothing");
}

#[test]
fn several_jobs_run_in_one_worker_if_asked() {
    let pool = builder(2).threads_per_worker(3).build().unwrap();
    let gate = Gate::open();
    let (jobs, visitors) = occupy(&pool, &gate, 6);
    let mut pids: Vec<u32> = visitors.iter().map(|visitor| visitor.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 2);
    // Each job that ran with it is charged; those of the other worker are not touched.
    let victim = visitors[0].pid;
    let mut spared: Vec<u64> = Vec::new();
    brigade_tests::process::kill(victim);
    for visitor in visitors {
        if visitor.pid != victim {
            spared.push(visitor.job);
            visitor.release();
        }
    }
    for visitor in gate.wait_for_all(3) {
        assert_eq!(visitor.attempt, 2);
        visitor.release();
    }
    for job in jobs {
        let attempt = if spared.contains(&job.job().0) { 1 } else { 2 };
        assert_eq!(told(job).0, attempt);
    }
}

#[test]
fn pools_do_not_know_of_each_other() {
    let pools: Vec<_> = (0..4).map(|_| pool(2)).collect();
    let mut all: Vec<u32> = pools.iter().flat_map(|pool| assert_staffed(pool, 2)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8);
}
