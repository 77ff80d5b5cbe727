//! How short a job may be: the efficiency of the pools over the length of their jobs.
//!
//! METG(50 %) is the length at which half of the machine still does useful work ("Task Bench: A Parameterized
//! Benchmark for Evaluating Parallel Runtime Performance", Slaughter et al., SC20). A job is a fixed number of
//! steps and not a time to wait for, because a job that loses its processor to the pool must not count that as
//! work. How many steps a microsecond has is measured in every round, with all workers at work at once, so
//! that what two processors of one core take from each other is not charged to a pool.

use std::time::Duration;

use brigade::ProcessPool;
use brigade_benches::amount::{micros, number, time, whole};
use brigade_benches::contest::{Contest, Entrant, Rounds, Who};
use brigade_benches::figures::Figures;
use brigade_benches::plot::{Axis, Chart, Curves, Line};
use brigade_benches::section::{Limit, Section};
use brigade_benches::table::Table;
use brigade_benches::{pools, whole_or_quick};

const WORKERS: u64 = 2;
/// In microseconds.
const LENGTHS: [f64; 17] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 1e4, 3e4, 1e5];
const FEW_LENGTHS: [f64; 5] = [0.5, 5.0, 50.0, 500.0, 5e3];
const SUBMIT: &str = "brigade submit";
const MAP: &str = "brigade map";

/// What one round of one pool gives: the efficiency at each length.
type Efficiency = Vec<(f64, f64)>;

/// A pool, what it is asked, what that is called, the shortest job it is asked for, the most jobs at once, and
/// how far it is to count for its pace. Who is slow is asked for few, and not for those too short to tell.
type Ask = (&'static str, &'static str, &'static str, f64, u64, u64);

const ASKS: [Ask; 9] = [
    ("rayon", "map LENGTH JOBS 0", " par_iter, in process", 0.0, 400_000, 20_000_000),
    ("pool", "map LENGTH JOBS 0", " Pool.map", 1.0, 100_000, 2_000_000),
    ("pool", "unordered LENGTH JOBS 1", " Pool.imap_unordered", 2.0, 5_000, 2_000_000),
    ("executor", "map LENGTH JOBS CHUNK", " ProcessPoolExecutor.map", 1.0, 50_000, 2_000_000),
    ("executor", "submit LENGTH JOBS", " ProcessPoolExecutor.submit", 10.0, 2_000, 2_000_000),
    ("threads", "submit LENGTH JOBS", " ThreadPoolExecutor.submit", 10.0, 5_000, 2_000_000),
    ("loky", "submit LENGTH JOBS", ".submit", 10.0, 2_000, 2_000_000),
    ("joblib", "map LENGTH JOBS 0", ".Parallel", 2.0, 20_000, 2_000_000),
    ("procspawn", "submit LENGTH JOBS", " Pool.spawn", 5.0, 5_000, 20_000_000),
];

pub(crate) fn run(section: &mut Section) {
    let pool = &pools::plain(2);
    let others = ["executor", "pool", "threads", "loky", "joblib", "procspawn", "rayon"];
    let peers = section.peers(&others, 2);
    let mut contest: Contest<Efficiency> = Contest::default();
    let pace = move || {
        let steps = 20_000_000;
        number(steps) / micros(pools::submit_busy(pool, steps, WORKERS))
    };
    let mut ours = |name: &str, most: u64, work: fn(&ProcessPool, u64, u64) -> Duration| {
        contest.add(name, Who::Ours, move || {
            curve(0.0, most, pace(), |steps, jobs| micros(work(pool, steps, jobs)))
        });
    };
    ours(MAP, 400_000, pools::map_busy);
    ours(SUBMIT, 100_000, pools::submit_busy);
    for (pool, request, name, shortest, most, steps) in ASKS {
        let Some((_, peer)) = peers.iter().find(|(other, _)| *other == pool) else { continue };
        let who = if pool == "rayon" { Who::Limit } else { Who::Peer };
        contest.add(format!("{}{name}", peer.version()), who, move || {
            let pace = peer.ask_one(&format!("calibrate {steps}"));
            curve(shortest, most, pace, |length, jobs| {
                let request = request.replace("LENGTH", &length.to_string());
                let request = request.replace("JOBS", &jobs.to_string());
                // As `Pool.map` chooses its chunks: four for each worker.
                let chunk = jobs.div_ceil(4 * WORKERS);
                peer.ask_one(&request.replace("CHUNK", &chunk.to_string())) * 1e6
            })
        });
    }
    let rounds = contest.run(whole_or_quick(5, 1));
    tell(section, &rounds);
}

/// The efficiency at each length from the shortest on; `work` gives the microseconds that so many jobs of so
/// many steps take.
fn curve(shortest: f64, most: u64, pace: f64, work: impl Fn(u64, u64) -> f64) -> Efficiency {
    let lengths = whole_or_quick(&LENGTHS[..], &FEW_LENGTHS[..]);
    // All jobs of one length are to take so long, if nothing is lost.
    let span = whole_or_quick(60_000.0, 5_000.0);
    let lengths = lengths.iter().filter(|length| **length >= shortest);
    let point = |&length: &f64| {
        let jobs = whole(span * number(WORKERS) / length).clamp(4 * WORKERS, most);
        let steps = whole(length * pace).max(1);
        let ideal = number(steps) / pace * number(jobs) / number(WORKERS);
        (length, 100.0 * ideal / work(steps, jobs))
    };
    lengths.map(point).collect()
}

/// Where a curve first reaches half, between two lengths in proportion of their logarithms.
fn metg(curve: &Efficiency) -> f64 {
    const HALF: f64 = 50.0;
    let reached = curve.iter().position(|(_, share)| *share >= HALF);
    match reached {
        None => f64::INFINITY,
        Some(0) => curve[0].0,
        Some(index) => {
            let ((short, low), (long, high)) = (curve[index - 1], curve[index]);
            short * (long / short).powf((HALF - low) / (high - low))
        }
    }
}

fn tell(section: &mut Section, rounds: &Rounds<Efficiency>) {
    let shortest = rounds.each(metg);
    section.record("METG(50 %)", "µs", &shortest);
    for &length in whole_or_quick(&LENGTHS[..], &FEW_LENGTHS[..]) {
        let at =
            |curve: &Efficiency| curve.iter().find(|(at, _)| (at - length).abs() < 1e-9).copied();
        let took_part = Rounds(
            rounds.0.iter().filter(|entrant| at(&entrant.values[0]).is_some()).cloned().collect(),
        );
        let shares = took_part.each(|curve| at(curve).map_or(0.0, |(_, share)| share));
        section.record(&format!("efficiency, jobs of {}", time(length)), "%", &shares);
    }
    let mut entrants: Vec<_> = rounds.0.iter().zip(&shortest.0).collect();
    entrants.sort_by(|(_, a), (_, b)| a.figures().median().total_cmp(&b.figures().median()));
    let head = ["", "METG(50 %) in µs: median (least–most)", "at 10 µs", "at 100 µs", "at 1 ms"];
    let mut table = Table::new("The shortest job for which half of two processors works", &head);
    for (entrant, shortest) in &entrants {
        let at = |length: f64| {
            let line = medians(entrant);
            let point = line.iter().find(|(at, _)| (at - length).abs() < 1e-9);
            point.map_or_else(|| "–".into(), |(_, share)| format!("{share:.0} %"))
        };
        let figures = shortest.figures();
        let reached =
            if figures.median().is_finite() { figures.to_string() } else { "never".into() };
        table.row([entrant.name.clone(), reached, at(10.0), at(100.0), at(1000.0)]);
    }
    section.tables.push(table);
    for (name, most) in [(MAP, 2.0), (SUBMIT, 10.0)] {
        let figures = shortest.find(name).map(Entrant::figures);
        section.bar(&format!("METG(50 %) of {name}"), Limit::AtMost(most), "µs", figures);
    }
    let line = |(entrant, shortest): &(&Entrant<Efficiency>, &Entrant<f64>)| {
        let half = shortest.figures().median();
        let half =
            if half.is_finite() { time((half * 100.0).round() / 100.0) } else { "never".into() };
        let name =
            entrant.name.replace("ProcessPoolExecutor", "ProcessPool").replace("CPython ", "Py ");
        Line { name: format!("{half}  {name}"), who: entrant.who, points: medians(entrant) }
    };
    let curves = Curves {
        title: "How much of two processors does useful work".into(),
        subtitle: "2 workers, jobs of one length, medians; before each name: METG(50 %), the shortest job \
                   for which half of the machine works"
            .into(),
        x: Axis::log("length of a job", time),
        y: Axis::linear("share of the processors' time inside jobs", |share| format!("{share:.0} %"))
            .from(0.0)
            .to(105.0),
        lines: entrants.iter().map(line).collect(),
        guide: Some((50.0, "half of the machine".into())),
    };
    section.plot("metg", &Chart::Curves(curves));
}

/// The median over all rounds at each length.
fn medians(entrant: &Entrant<Efficiency>) -> Vec<(f64, f64)> {
    let lengths = entrant.values[0].iter().enumerate();
    let median =
        |index: usize| Figures::new(entrant.values.iter().map(|curve| curve[index].1)).median();
    lengths.map(|(index, (length, _))| (*length, median(index))).collect()
}
