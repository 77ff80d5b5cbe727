//! How short a job may be: the efficiency of the pools over the length of their jobs.
//!
//! METG(50 %) is the length at which half of the machine still does useful work ("Task Bench: A Parameterized
//! Benchmark for Evaluating Parallel Runtime Performance", Slaughter et al., SC20). A job is a fixed number of
//! steps and not a time to wait for, because a job that loses its processor to the pool must not count that as
//! work. What the whole machine can do is, as there, what was reached with long jobs: in the same round, by the
//! pools whose jobs are of the same language, so that a pool that never uses both processors is seen not to.

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
/// How far the jobs count that the pace is measured by: some 50 ms.
const STEPS: u64 = 10_000_000;
const STEPS_OF_PYTHON: u64 = 5_000_000;
/// From this length on, jobs are long.
const LONG: f64 = 500.0;
const SUBMIT: &str = "brigade submit";
const MAP: &str = "brigade map";

/// What one round of one pool gives: at each length how many steps a job has, and how many steps all workers
/// went in a microsecond.
type Speed = Vec<Point>;

/// One length.
#[derive(Clone, Copy)]
struct Point {
    length: f64,
    steps: f64,
    speed: f64,
}

/// At each length that was asked for: what it was in this round, and the share of the machine.
type Efficiency = Vec<(f64, f64, f64)>;

/// A pool, what it is asked, what that is called, the shortest job it is asked for, the most jobs at once, and
/// how far it is to count for its pace. Who is slow is asked for few, and not for those too short to tell.
type Ask = (&'static str, &'static str, &'static str, f64, u64, u64);

const ASKS: [Ask; 9] = [
    ("rayon", "map LENGTH JOBS 0", " par_iter, in process", 0.0, 400_000, STEPS),
    ("pool", "map LENGTH JOBS 0", " Pool.map", 1.0, 100_000, STEPS_OF_PYTHON),
    ("pool", "unordered LENGTH JOBS 1", " Pool.imap_unordered", 2.0, 5_000, STEPS_OF_PYTHON),
    ("executor", "map LENGTH JOBS CHUNK", " ProcessPoolExecutor.map", 1.0, 50_000, STEPS_OF_PYTHON),
    ("executor", "submit LENGTH JOBS", " ProcessPoolExecutor.submit", 10.0, 2_000, STEPS_OF_PYTHON),
    ("threads", "submit LENGTH JOBS", " ThreadPoolExecutor.submit", 10.0, 5_000, STEPS_OF_PYTHON),
    ("loky", "submit LENGTH JOBS", ".submit", 10.0, 2_000, STEPS_OF_PYTHON),
    ("joblib", "map LENGTH JOBS 0", ".Parallel", 2.0, 20_000, STEPS_OF_PYTHON),
    ("procspawn", "submit LENGTH JOBS", " Pool.spawn", 5.0, 5_000, STEPS),
];

pub(crate) fn run(section: &mut Section) {
    let pool = &pools::plain(2);
    let others = ["executor", "pool", "threads", "loky", "joblib", "procspawn", "rayon"];
    let peers = section.peers(&others, 2);
    let mut contest: Contest<Speed> = Contest::default();
    let pace = best_of_three(|| number(STEPS) / micros(pools::submit_busy(pool, STEPS, WORKERS)));
    let mut ours = |name: &str, most: u64, work: fn(&ProcessPool, u64, u64) -> Duration| {
        contest.add(name, Who::Ours, move || {
            curve(0.0, most, pace, |steps, jobs| micros(work(pool, steps, jobs)))
        });
    };
    ours(MAP, 400_000, pools::map_busy);
    ours(SUBMIT, 100_000, pools::submit_busy);
    for (pool, request, name, shortest, most, steps) in ASKS {
        let Some((_, peer)) = peers.iter().find(|(other, _)| *other == pool) else { continue };
        let who = if pool == "rayon" { Who::Limit } else { Who::Peer };
        let pace = best_of_three(|| peer.ask_one(&format!("calibrate {steps}")));
        contest.add(format!("{}{name}", peer.version()), who, move || {
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
    tell(section, &efficiency(&rounds));
}

/// How far one worker counts in a microsecond, about: so that lengths are near what they are to be.
fn best_of_three(mut pace: impl FnMut() -> f64) -> f64 {
    (0..3).map(|_| pace()).fold(0.0, f64::max)
}

/// The speed at each length from the shortest on; `work` gives the microseconds that so many jobs of so many
/// steps take.
fn curve(shortest: f64, most: u64, pace: f64, work: impl Fn(u64, u64) -> f64) -> Speed {
    let lengths = whole_or_quick(&LENGTHS[..], &FEW_LENGTHS[..]);
    // All jobs of one length are to take so long, if nothing is lost.
    let span = whole_or_quick(60_000.0, 5_000.0);
    let lengths = lengths.iter().filter(|length| **length >= shortest);
    let point = |&length: &f64| {
        let jobs = whole(span * number(WORKERS) / length).clamp(4 * WORKERS, most);
        let steps = whole(length * pace).max(1);
        Point { length, steps: number(steps), speed: number(steps * jobs) / work(steps, jobs) }
    };
    lengths.map(point).collect()
}

/// The share of the machine instead of speeds.
fn efficiency(rounds: &Rounds<Speed>) -> Rounds<Efficiency> {
    let is_python = |entrant: &Entrant<Speed>| {
        ["Python", "loky", "joblib"].iter().any(|name| entrant.name.starts_with(name))
    };
    // Long jobs, and not the very best of them: that one may have been luck.
    let best = |python: bool, round: usize| {
        let same = rounds.0.iter().filter(|entrant| is_python(entrant) == python);
        let points = same.flat_map(|entrant| &entrant.values[round]);
        let long = points.filter(|point| point.length >= LONG).map(|point| point.speed);
        Figures::new(long).quantile(0.9)
    };
    let entrants = rounds.0.iter().map(|entrant| {
        let values = entrant.values.iter().enumerate().map(|(round, points)| {
            let best = best(is_python(entrant), round);
            let share = |point: &Point| {
                let length = point.steps * number(WORKERS) / best;
                (point.length, length, 100.0 * point.speed / best)
            };
            points.iter().map(share).collect()
        });
        Entrant { name: entrant.name.clone(), who: entrant.who, values: values.collect() }
    });
    Rounds(entrants.collect())
}

/// Where a curve first reaches half, between two lengths in proportion of their logarithms.
fn metg(curve: &Efficiency) -> f64 {
    const HALF: f64 = 50.0;
    let reached = curve.iter().position(|(.., share)| *share >= HALF);
    match reached {
        None => f64::INFINITY,
        Some(0) => curve[0].1,
        Some(index) => {
            let ((_, short, low), (_, long, high)) = (curve[index - 1], curve[index]);
            short * (long / short).powf((HALF - low) / (high - low))
        }
    }
}

fn tell(section: &mut Section, rounds: &Rounds<Efficiency>) {
    let shortest = rounds.each(metg);
    section.record("METG(50 %)", "µs", &shortest);
    for &length in whole_or_quick(&LENGTHS[..], &FEW_LENGTHS[..]) {
        let shares = rounds.each(|curve| at(curve, length).unwrap_or(f64::NAN));
        section.record(&format!("efficiency, jobs of about {}", time(length)), "%", &shares);
    }
    for (name, most) in [(MAP, 2.0), (SUBMIT, 10.0)] {
        let figures = shortest.find(name).map(Entrant::figures);
        section.bar(&format!("METG(50 %) of {name}"), Limit::AtMost(most), "µs", figures);
    }
    let mut entrants: Vec<_> = rounds.0.iter().zip(&shortest.0).collect();
    entrants.sort_by(|(_, a), (_, b)| a.figures().median().total_cmp(&b.figures().median()));
    section.tables.push(table(&entrants));
    section.plot("metg", &Chart::Curves(curves(&entrants)));
}

/// A pool's curves, and its METG(50 %), round by round.
type Found<'a> = (&'a Entrant<Efficiency>, &'a Entrant<f64>);

/// The share at a length, if it was asked for.
fn at(curve: &Efficiency, length: f64) -> Option<f64> {
    let point = curve.iter().find(|(nominal, ..)| (nominal - length).abs() < 1e-9);
    point.map(|(.., share)| *share)
}

fn table(entrants: &[Found]) -> Table {
    let head = ["", "METG(50 %) in µs: median (least–most)", "at 10 µs", "at 100 µs", "at 1 ms"];
    let mut table = Table::new("The shortest job for which half of two processors works", &head);
    for (entrant, shortest) in entrants {
        let at = |length: f64| {
            let shares: Vec<f64> =
                entrant.values.iter().filter_map(|curve| at(curve, length)).collect();
            if shares.is_empty() {
                "–".into()
            } else {
                format!("{:.0} %", Figures::new(shares).median())
            }
        };
        let figures = shortest.figures();
        let reached =
            if figures.median().is_finite() { figures.to_string() } else { "never".into() };
        table.row([entrant.name.clone(), reached, at(10.0), at(100.0), at(1000.0)]);
    }
    table
}

fn curves(entrants: &[Found]) -> Curves {
    let line = |(entrant, shortest): &Found| {
        let points = medians(entrant);
        let name = entrant.name.replace("ProcessPoolExecutor", "…Executor");
        let half = match shortest.figures().median() {
            half if !half.is_finite() => "never".into(),
            half if half <= points[0].0 => format!("≤ {}", time(half)),
            half => time(half),
        };
        Line { name: format!("{half}: {name}"), who: entrant.who, points }
    };
    Curves {
        title: "How much of two processors does useful work".into(),
        subtitle: "2 workers, jobs of one length, medians; before each name: METG(50 %), the shortest job for which \
                   half of the machine works"
            .into(),
        x: Axis::log("length of a job", time),
        y: Axis::linear("share of the processors' time inside jobs", |share| format!("{share:.0} %"))
            .from(0.0)
            .to(105.0),
        lines: entrants.iter().map(line).collect(),
        guide: Some((50.0, "half of the machine".into())),
    }
}

/// The medians over all rounds: of the length, and of the share.
fn medians(entrant: &Entrant<Efficiency>) -> Vec<(f64, f64)> {
    let median = |index: usize, part: fn(&(f64, f64, f64)) -> f64| {
        Figures::new(entrant.values.iter().map(|curve| part(&curve[index]))).median()
    };
    let indices = 0..entrant.values[0].len();
    indices.map(|index| (median(index, |point| point.1), median(index, |point| point.2))).collect()
}
