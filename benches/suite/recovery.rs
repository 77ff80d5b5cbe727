//! How long a slot takes from the death of its worker to its next result.
//!
//! A pool of one worker runs a job that waits to be killed. From the SIGKILL on: the death is
//! noticed, the scoreboard read, the job put back, a new worker forked; it gets the job as its second
//! attempt and answers at once. None of the peers tries a job again: theirs is the time until another job,
//! submitted by hand, has its result; with an executor that is one in another pool, because the first is broken.

use std::time::{Duration, Instant};

use brigade::ProcessPool;
use brigade_benches::amount::{millis, short};
use brigade_benches::contest::{Contest, Entrant, Who};
use brigade_benches::plot::{Axis, Chart, Points};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const OURS: &str = "brigade, the same job again";

pub(crate) fn run(section: &mut Section) {
    let ours = pools::plain(1);
    let mut contest = Contest::default();
    contest.add(OURS, Who::Ours, || millis(recover(&ours)));
    for (pool, name) in
        [("procspawn", "Pool"), ("pool", "Pool"), ("executor", "ProcessPoolExecutor"), ("loky", "")]
    {
        let Some(peer) = section.peer(pool, 1) else { continue };
        contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
            peer.ask_one("recover") * 1e3
        });
    }
    let rounds = contest.run(whole_or_quick(15, 1));
    let title = "From SIGKILL of a busy worker to the next result of its slot";
    section.compare(title, "ms", Better::Less, &[OURS], &rounds);
    let figures = rounds.find(OURS).map(Entrant::figures);
    section.bar("SIGKILL to the next result", Limit::AtMost(3.0), "ms", figures);
    let subtitle = "from SIGKILL of the only worker to the next result; peers lose the job, and it is submitted again";
    let points = Points::of("Recovery from a kill", subtitle, Axis::log("ms", short), &rounds);
    section.plot("recovery", &Chart::Points(points.sorted(false)));
}

fn recover(pool: &ProcessPool) -> Duration {
    let future = pool.submit(tasks::die_once());
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
