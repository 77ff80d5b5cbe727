//! How the cost of a job grows with the number of jobs, and with that of workers.
//!
//! Neither may have a step: a bar holds the dearest point against the flat part, which is the lower quartile. The
//! memory of a job is what this process has at most while all of them are under way, less what it had before; sizes
//! go upwards, so what the C library kept of a smaller one is lacking in the next, which is a tenth at most.

use std::time::Duration;

use brigade::ProcessPool;
use brigade_benches::amount::{micros, number, short};
use brigade_benches::contest::{Contest, Who};
use brigade_benches::figures::Figures;
use brigade_benches::plot::{Axis, Chart, Curves, Line};
use brigade_benches::process::{forget_most_memory, most_memory};
use brigade_benches::section::{Limit, Record, Section};
use brigade_benches::table::Table;
use brigade_benches::{pools, whole_or_quick};

type Way = (&'static str, fn(&ProcessPool, u64) -> Duration);

const WAYS: [Way; 2] = [("brigade submit", pools::submit_noops), ("brigade map", pools::map_noops)];

pub(crate) fn run(section: &mut Section) {
    with_jobs(section);
    with_workers(section);
}

/// What was found for one size: nanoseconds and bytes a job.
struct Found {
    size: u64,
    time: Figures,
    memory: f64,
}

fn with_jobs(section: &mut Section) {
    let mut lines = [Vec::new(), Vec::new()];
    for (name, work) in WAYS {
        let sizes = whole_or_quick(
            &[1_000, 10_000, 100_000, 1_000_000, 10_000_000][..],
            &[1_000, 10_000, 100_000],
        );
        let pool = pools::plain(2);
        work(&pool, 10_000);
        let found: Vec<Found> = sizes.iter().map(|&size| of_jobs(&pool, size, work)).collect();
        tell(section, &format!("{name}, so many jobs"), name, &found, |found| found.size >= 10_000);
        let points = |part: fn(&Found) -> f64| {
            found.iter().map(|found| (number(found.size), part(found).max(0.1))).collect()
        };
        for (lines, points) in lines
            .iter_mut()
            .zip([points(|found| found.time.median()), points(|found| found.memory)])
        {
            lines.push(Line { name: name.into(), who: Who::Ours, points });
        }
    }
    let [times, memories] = lines;
    let subtitle =
        "no-ops, 2 workers; all of them submitted before the first result is taken, or by map";
    plot(
        section,
        "growth-jobs",
        ["Time of each of many jobs", subtitle, "jobs", "ns a job"],
        times,
    );
    let titles =
        ["Memory of each of many jobs", subtitle, "jobs", "bytes a job, in the supervisor"];
    plot(section, "growth-memory", titles, memories);
}

fn of_jobs(pool: &ProcessPool, size: u64, work: fn(&ProcessPool, u64) -> Duration) -> Found {
    // A million jobs or so, but three rounds at the least, for a figure that holds still.
    let rounds = (1 + whole_or_quick(1_000_000, 50_000) / size).clamp(3, 100);
    let mut memory = 0.0_f64;
    let times: Vec<f64> = (0..rounds)
        .map(|_| {
            forget_most_memory();
            let (_, before) = most_memory();
            let time = micros(work(pool, size)) * 1e3 / number(size);
            let (most, _) = most_memory();
            memory = memory.max((most - before) * 1024.0 / number(size));
            time
        })
        .collect();
    Found { size, time: Figures::new(times), memory }
}

fn with_workers(section: &mut Section) {
    // So many that the start of a map is a small part of it.
    let jobs = whole_or_quick(500_000, 5_000);
    let sizes =
        whole_or_quick(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000][..], &[1, 2, 4, 8, 64]);
    let mut times = [vec![Vec::new(); sizes.len()], vec![Vec::new(); sizes.len()]];
    // Each size has its turns in several minutes: a slow one of the machine must not look like a step.
    for _ in 0..whole_or_quick(3, 1) {
        for (place, &workers) in sizes.iter().enumerate() {
            let pool = &pools::plain(workers);
            pools::pids(pool, workers);
            let mut contest = Contest::default();
            for (name, work) in WAYS {
                contest.add(name, Who::Ours, move || micros(work(pool, jobs)) * 1e3 / number(jobs));
            }
            let rounds = contest.run(whole_or_quick(3, 1));
            for (times, entrant) in times.iter_mut().zip(rounds.0) {
                times[place].extend(entrant.values);
            }
        }
    }
    let found = times.map(|times| -> Vec<Found> {
        let found = |(&workers, times)| Found {
            size: workers as u64,
            time: Figures::new(times),
            memory: 0.0,
        };
        sizes.iter().zip(times).map(found).collect()
    });
    let mut lines = Vec::new();
    for ((name, _), found) in WAYS.into_iter().zip(&found) {
        // One worker has a processor for itself: that is no part of how the cost grows.
        tell(section, &format!("{name}, so many workers"), name, found, |found| found.size >= 2);
        let points = found.iter().map(|found| (number(found.size), found.time.median())).collect();
        lines.push(Line { name: name.into(), who: Who::Ours, points });
    }
    let subtitle = "500,000 no-ops on 2 processors, medians";
    let titles = ["Time of a job with many workers", subtitle, "workers", "ns a job"];
    plot(section, "growth-workers", titles, lines);
}

/// A table, the rounds, and a bar for the largest step upwards among those that `counts`: how much dearer one is
/// than the flat part, or than the cheapest of the smaller ones, if that is dearer still. So what falls with the
/// size, because the start of a map is shared by more jobs, is no step.
fn tell(
    section: &mut Section,
    title: &str,
    who: &str,
    found: &[Found],
    counts: impl Fn(&Found) -> bool,
) {
    let mut table = Table::new(title, &["", "ns a job: median (least–most)", "bytes a job"]);
    for found in found {
        let memory = if found.memory > 0.0 { short(found.memory.round()) } else { "–".into() };
        table.row([short(number(found.size)), found.time.to_string(), memory]);
        section.records.push(Record {
            what: format!("{title}: {}", found.size),
            who: who.into(),
            unit: "ns".into(),
            values: vec![found.time.median()],
        });
    }
    section.tables.push(table);
    let times: Vec<f64> =
        found.iter().filter(|found| counts(found)).map(|f| f.time.median()).collect();
    let flat = Figures::new(times.iter().copied()).quantile(0.25);
    let mut cheapest = f64::INFINITY;
    let steps = times.iter().map(|&time| {
        let before = if cheapest.is_finite() { cheapest.max(flat) } else { time };
        cheapest = cheapest.min(time);
        time / before
    });
    let step = steps.fold(0.0, f64::max);
    let what = format!("{title}: the largest step / the flat part");
    section.bar(&what, Limit::AtMost(1.3), "×", Some(Figures::new([step])));
}

fn plot(section: &mut Section, file: &str, titles: [&str; 4], lines: Vec<Line>) {
    let [title, subtitle, x, y] = titles;
    let curves = Curves {
        title: title.into(),
        subtitle: subtitle.into(),
        x: Axis::log(x, short),
        // From nothing, so that a step looks as large as it is.
        y: Axis::linear(y, short).from(0.0),
        lines,
        guide: None,
    };
    section.plot(file, &Chart::Curves(curves));
}
