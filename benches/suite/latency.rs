//! One job at a time: submit, wait for the result, submit the next.
//!
//! The limit is a bare echo over ipc-channel between two processes, without pool, codec or scoreboard.

use std::time::Instant;

use brigade_benches::amount::{micros, number, time};
use brigade_benches::contest::{Contest, Entrant, Who};
use brigade_benches::echo::Echo;
use brigade_benches::figures::Figures;
use brigade_benches::plot::{Axis, Chart, Curves, Line};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};

const OURS: &str = "brigade, 2 workers";
const ECHO: &str = "bare ipc-channel echo";

pub(crate) fn run(section: &mut Section) {
    let trips = whole_or_quick(2_000, 200);
    let echo = Echo::start();
    let mut contest: Contest<Figures> = Contest::default();
    contest.add(ECHO, Who::Limit, || {
        let message = [7; 16];
        Figures::new((0..trips).map(|_| {
            let begin = Instant::now();
            assert_eq!(echo.trip(&message), message);
            micros(begin.elapsed())
        }))
    });
    for workers in [2, 8] {
        let pool = pools::plain(workers);
        contest.add(format!("brigade, {workers} workers"), Who::Ours, move || {
            Figures::new((0..trips).map(|n| {
                let begin = Instant::now();
                assert_eq!(pool.submit(tasks::noop(n)).result().expect("a no-op succeeds"), n);
                micros(begin.elapsed())
            }))
        });
    }
    for (pool, name) in [
        ("procspawn", "Pool.spawn"),
        ("pool", "Pool.apply_async"),
        ("executor", "ProcessPoolExecutor"),
        ("loky", "submit"),
        ("threads", "ThreadPoolExecutor"),
    ] {
        let Some(peer) = section.peer(pool, 2) else { continue };
        let request = format!("trips {}", trips / 4);
        contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
            Figures::new(peer.ask(&request).into_iter().map(|seconds| seconds * 1e6))
        });
    }
    let rounds = contest.run(whole_or_quick(9, 1));

    let [p50, p99] = [0.5, 0.99].map(|share| rounds.each(|times| times.quantile(share)));
    section.compare("One job at a time, p50", "µs", Better::Less, &[OURS], &p50);
    section.compare("One job at a time, p99", "µs", Better::Less, &[OURS], &p99);
    section.bar("p50 of ours / of the echo", Limit::AtMost(2.5), "×", p50.ratio(OURS, ECHO));
    section.bar("p99 of ours / of the echo", Limit::AtMost(4.0), "×", p99.ratio(OURS, ECHO));
    let both = p99.find(OURS).zip(p50.find(ECHO));
    let ratio = both.map(|(ours, echo)| {
        Figures::new(ours.values.iter().zip(&echo.values).map(|(ours, echo)| ours / echo))
    });
    section.bar("p99 of ours / p50 of the echo", Limit::AtMost(4.0), "×", ratio);
    section.note(
        "The echo's trip takes some 10 µs while the kernel has both sides on one processor, and some 100 µs while \
         the one that is woken sleeps on the other: which of the two it is changes from round to round, so look at \
         the least and the most too. Ours looks for its result for a while before it sleeps.",
    );
    section.plot("latency", &Chart::Curves(curves(&rounds.0)));
}

fn curves(entrants: &[Entrant<Figures>]) -> Curves {
    let line = |entrant: &Entrant<Figures>| {
        let point = |percent: u32| {
            let share = f64::from(percent) / 100.0;
            let quantiles = entrant.values.iter().map(|times| times.quantile(share));
            (Figures::new(quantiles).median(), number(percent))
        };
        let points = (0..=99).map(point).collect();
        Line { name: entrant.name.clone(), who: entrant.who, points }
    };
    Curves {
        title: "How long one job takes, there and back".into(),
        subtitle: "one no-op at a time: the share of jobs that take at most so long, medians of rounds in turns"
            .into(),
        x: Axis::log("from submit to result", time),
        y: Axis::linear("share of jobs", |share| format!("{share:.0} %")).from(0.0).to(100.0),
        lines: entrants.iter().map(line).collect(),
        guide: Some((50.0, "median".into())),
    }
}
