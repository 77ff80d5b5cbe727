//! What an idle worker costs in memory, and the supervisor and the fork server beside it.
//!
//! The measure is the proportional set size: a page that several processes share counts in parts, so
//! that the sum over all processes is what they take together. A worker is looked at when it is idle again
//! after its first job.

use std::thread;
use std::time::Duration;

use brigade_benches::amount::{short, whole};
use brigade_benches::contest::{Contest, Entrant, Rounds, Who};
use brigade_benches::figures::Figures;
use brigade_benches::plot::{Axis, Chart, Points};
use brigade_benches::process::{memory, parent};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, whole_or_quick};

const OURS: &str = "brigade";

/// Proportional, in KiB.
struct Look {
    worker: f64,
    fork_server: f64,
    supervisor: f64,
}

pub(crate) fn run(section: &mut Section) {
    for workers in [8, 64] {
        let mut contest: Contest<Look> = Contest::default();
        contest.add(OURS, Who::Ours, move || look(workers));
        for (pool, name) in [
            ("procspawn", "Pool"),
            ("executor", "ProcessPoolExecutor"),
            ("pool", "Pool"),
            ("loky", ""),
        ] {
            if workers > 8 && whole_or_quick(pool == "loky", true) {
                continue;
            }
            let Some(peer) = section.peer(pool, workers) else { continue };
            contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
                let pids = peer.ask("pids");
                let pids =
                    pids.into_iter().map(|pid| u32::try_from(whole(pid)).expect("it is a pid"));
                Look { worker: each(pids), fork_server: 0.0, supervisor: 0.0 }
            });
        }
        let rounds = contest.run(whole_or_quick(3, 1));
        let worker = rounds.each(|look| look.worker);
        let title = format!("Each of {workers} idle workers, proportional");
        section.compare(&title, "KiB", Better::Less, &[OURS], &worker);
        let ours = |part: fn(&Look) -> f64, name: &str| {
            let mut ours = rounds.each(part).find(OURS).expect("we took part").clone();
            ours.name = name.into();
            ours
        };
        let others = Rounds(vec![
            ours(|look| look.fork_server, "fork server"),
            ours(|look| look.supervisor, "supervisor"),
        ]);
        section.compare(&format!("Beside {workers} workers"), "KiB", Better::Less, &[], &others);
        let figures = worker.find(OURS).map(Entrant::figures);
        let what = format!("each of {workers} idle workers");
        section.bar(&what, Limit::AtMost(300.0), "KiB", figures);
        let subtitle = "proportional set size of one of so many idle workers, after its first job";
        let title = format!("Memory of each of {workers} workers");
        let points = Points::of(&title, subtitle, Axis::log("KiB", short), &worker);
        section.plot(&format!("memory-{workers}"), &Chart::Points(points.sorted(false)));
    }
    section.note(
        "Proportional memory depends on how many share: the same worker is dearer in a pool of 8 than in one of 64. \
         Peers that fork count their parent's pages in parts; ours are the fork server's.",
    );
}

/// The median over these processes.
fn each(pids: impl IntoIterator<Item = u32>) -> f64 {
    let of = |pid| memory(pid).expect("an idle worker lives").proportional;
    Figures::new(pids.into_iter().map(of)).median()
}

fn look(workers: usize) -> Look {
    let pool = pools::strict(workers);
    let mut naps = [500, 2_000, 8_000].into_iter().map(Duration::from_millis);
    let answered = naps.find_map(|nap| pools::let_each_answer(&pool, workers, nap));
    let answered = answered.expect("a nap of some seconds is long enough");
    // Its threads go to sleep after the answer.
    thread::sleep(Duration::from_millis(50));
    let any = *answered.iter().next().expect("there are workers");
    let of = |pid| memory(pid).expect("it is there").proportional;
    Look {
        worker: each(answered),
        fork_server: of(parent(any).expect("a worker has a parent")),
        supervisor: of(std::process::id()),
    }
}
