//! How long a pool takes to start: until its first result, and until every worker has answered.
//!
//! Every worker has answered a job when as many jobs as there are workers are done, each in a worker of its
//! own. To see to that the jobs sleep, and longer if somebody got a second one, and their sleep is taken off. All
//! times begin before the pool is built.

use std::time::{Duration, Instant};

use brigade_benches::amount::{millis, number, short};
use brigade_benches::contest::{Contest, Entrant, Who};
use brigade_benches::os::fork_and_hear;
use brigade_benches::plot::{Axis, Chart, Curves, Line};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};

const OURS: &str = "brigade";
const FORKS: &str = "bare forks, a byte from each";

/// How many workers, how long the jobs sleep, and how long those of peers do.
const SIZES: [(usize, f64, f64); 3] = [(8, 0.2, 0.5), (64, 0.4, 1.0), (500, 1.5, 3.0)];

pub(crate) fn run(section: &mut Section) {
    let mut lines: Vec<Line> = Vec::new();
    for &(workers, nap, nap_of_peers) in whole_or_quick(&SIZES[..], &SIZES[..2]) {
        let mut contest: Contest<[f64; 2]> = Contest::default();
        let nap = Duration::from_secs_f64(nap);
        contest.add(OURS, Who::Ours, move || {
            [millis(first_result(workers)), millis(all_answered(workers, nap))]
        });
        contest.add(FORKS, Who::Limit, move || {
            [millis(fork_and_hear(1)), millis(fork_and_hear(workers))]
        });
        for (pool, name, most) in [
            ("procspawn", "Pool", 500),
            ("executor", "ProcessPoolExecutor", 500),
            ("pool", "Pool", 500),
            // It starts Python anew for each worker: with 64 of them that takes ten seconds.
            ("loky", "", 8),
        ] {
            if workers > whole_or_quick(most, 8) {
                continue;
            }
            let Some(peer) = section.peer(pool, workers) else { continue };
            contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
                let times = peer.ask(&format!("start {nap_of_peers}"));
                [times[0] * 1e3, times[1] * 1e3]
            });
        }
        let rounds = contest.run(whole_or_quick(if workers == 8 { 7 } else { 3 }, 1));
        let [first, every] = [0, 1].map(|part| rounds.each(|times| times[part]));
        let title = |what: &str| format!("{workers} workers, until {what}");
        section.compare(&title("the first result"), "ms", Better::Less, &[OURS], &first);
        section.compare(&title("every worker has answered"), "ms", Better::Less, &[OURS], &every);
        if workers == 64 {
            let figures = every.find(OURS).map(Entrant::figures);
            section.bar("64 workers, first result of each", Limit::AtMost(15.0), "ms", figures);
            section.note(
                "A bare fork is of this very program, and its child does nothing but write a byte: it is what the \
                 system needs for itself.",
            );
        }
        for entrant in &every.0 {
            let median = entrant.figures().median();
            Line::add(&mut lines, entrant, (number(workers), median.max(0.1)));
        }
    }
    end(section);
    let curves = Curves {
        title: "How long a pool takes to start".into(),
        subtitle: "until every worker has given its first result, medians".into(),
        x: Axis::log("workers", short).marks_at(SIZES.map(|(workers, ..)| number(workers))),
        y: Axis::log("ms", short),
        lines,
        guide: None,
    };
    section.plot("start", &Chart::Curves(curves));
}

/// How long an idle pool takes to end: every worker, the fork server and all threads are gone.
fn end(section: &mut Section) {
    let mut contest = Contest::default();
    for &(workers, ..) in whole_or_quick(&SIZES[..], &SIZES[..2]) {
        contest.add(format!("{workers} workers"), Who::Ours, move || {
            let pool = pools::plain(workers);
            pools::pids(&pool, workers);
            let begin = Instant::now();
            drop(pool);
            millis(begin.elapsed())
        });
    }
    let rounds = contest.run(whole_or_quick(5, 1));
    section.compare("Dropping an idle pool of ours", "ms", Better::Less, &[], &rounds);
}

fn first_result(workers: usize) -> Duration {
    let begin = Instant::now();
    let pool = pools::plain(workers);
    let result = pool.submit(tasks::noop(7)).result();
    let took = begin.elapsed();
    assert_eq!(result.expect("a no-op succeeds"), 7);
    took
}

fn all_answered(workers: usize, mut nap: Duration) -> Duration {
    loop {
        let begin = Instant::now();
        let pool = pools::strict(workers);
        let answered = pools::let_each_answer(&pool, workers, nap);
        let took = begin.elapsed().saturating_sub(nap);
        if answered.is_some() {
            return took;
        }
        nap *= 2;
    }
}
