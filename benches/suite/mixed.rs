//! Jobs of a millisecond, and one long job among many short ones.
//!
//! The first asks how much of the processors' time is inside the jobs, which each job measures by
//! the clock of its thread. The second asks whether a short job waits behind a long one: 1,000 jobs of 50 µs,
//! one of 2 s, 1,000 of 50 µs, submitted in this order; the best there is takes as long as the long one.

use std::thread;
use std::time::{Duration, Instant};

use brigade::ProcessPool;
use brigade_benches::amount::{millis, number};
use brigade_benches::contest::{Contest, Entrant, Who};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};

const WORKERS: u64 = 2;
const SHORT: u64 = 50;
const SHORTS: u64 = 1_000;

pub(crate) fn run(section: &mut Section) {
    let pool = pools::plain(2);
    inside_jobs(section, &pool);
    one_long_job(section, &pool);
}

fn inside_jobs(section: &mut Section, pool: &ProcessPool) {
    // So many that the start of a map, and its end, are a small part of it.
    let jobs = whole_or_quick(3_000, 50);
    let share = |nanos: u64, wall: Duration| {
        100.0 * number(nanos) / number(wall.as_nanos()) / number(WORKERS)
    };
    let mut contest = Contest::default();
    contest.add("brigade map", Who::Ours, || {
        let begin = Instant::now();
        let results = pool.map((0..jobs).map(|_| tasks::work(1000)));
        let nanos = results.map(|result| result.expect("it succeeds")).sum();
        share(nanos, begin.elapsed())
    });
    contest.add("brigade submit", Who::Ours, || {
        let begin = Instant::now();
        let futures: Vec<_> = (0..jobs).map(|_| pool.submit(tasks::work(1000))).collect();
        let nanos = futures.into_iter().map(|future| future.result().expect("it succeeds")).sum();
        share(nanos, begin.elapsed())
    });
    contest.add("two threads, a loop in each", Who::Limit, || {
        let begin = Instant::now();
        let nanos = thread::scope(|scope| {
            let work = || (0..jobs / WORKERS).map(|_| tasks::work::call(1000)).sum::<u64>();
            let threads = [(); 2].map(|()| scope.spawn(work));
            threads.into_iter().map(|thread| thread.join().expect("it works")).sum()
        });
        share(nanos, begin.elapsed())
    });
    let rounds = contest.run(whole_or_quick(9, 1));
    let title = "Jobs of 1 ms: share of two processors' time inside them";
    section.compare(title, "%", Better::More, &["brigade map"], &rounds);
    for name in ["brigade map", "brigade submit"] {
        let figures = rounds.find(name).map(Entrant::figures);
        let what = format!("jobs of 1 ms, {name}: share of two processors inside jobs");
        section.bar(&what, Limit::AtLeast(97.0), "%", figures);
    }
}

fn one_long_job(section: &mut Section, pool: &ProcessPool) {
    let long = whole_or_quick(2_000_000, 200_000);
    let mut contest = Contest::default();
    contest.add("brigade submit", Who::Ours, || {
        let begin = Instant::now();
        let short = || pool.submit(tasks::work(SHORT));
        let mut shorts: Vec<_> = (0..SHORTS).map(|_| short()).collect();
        let long = pool.submit(tasks::work(long));
        shorts.extend((0..SHORTS).map(|_| short()));
        for future in shorts {
            future.result().expect("it succeeds");
        }
        let last_short = begin.elapsed();
        long.result().expect("it succeeds");
        (millis(last_short), millis(begin.elapsed()))
    });
    contest.add("brigade map_unordered", Who::Ours, || {
        let begin = Instant::now();
        let job = |n| tasks::work(if n == SHORTS { long } else { SHORT });
        let mut last_short = Duration::ZERO;
        for result in brigade::Executor::map_unordered(pool, (0..=2 * SHORTS).map(job)) {
            let nanos = result.1.expect("it succeeds");
            if nanos < long * 1000 {
                last_short = begin.elapsed();
            }
        }
        (millis(last_short), millis(begin.elapsed()))
    });
    // A thread each for the long one and for all the short ones: what is the best on this machine now.
    contest.add("two threads, the best schedule", Who::Limit, || {
        let begin = Instant::now();
        let last_short = thread::scope(|scope| {
            scope.spawn(|| tasks::work::call(long));
            let shorts = scope.spawn(|| {
                (0..2 * SHORTS).for_each(|_| assert!(tasks::work::call(SHORT) > 0));
                begin.elapsed()
            });
            shorts.join().expect("it works")
        });
        (millis(last_short), millis(begin.elapsed()))
    });
    let rounds = contest.run(whole_or_quick(5, 1));
    let total = rounds.each(|(_, total)| *total);
    let last_short = rounds.each(|(last_short, _)| *last_short);
    let best = "two threads, the best schedule";
    section.compare(
        "One long job among 2,000 short ones: total",
        "ms",
        Better::Less,
        &[best],
        &total,
    );
    let title = "One long job among 2,000 short ones: until the last short one has ended";
    section.compare(title, "ms", Better::Less, &[best], &last_short);
    for name in ["brigade submit", "brigade map_unordered"] {
        let what = format!("mixed jobs, {name}: total / best schedule");
        section.bar(&what, Limit::AtMost(1.05), "×", total.ratio(name, best));
        // Were one to wait for the long one, it would be some twenty times as long.
        let what =
            format!("mixed jobs, {name}: until the last short one has ended / best schedule");
        section.bar(&what, Limit::AtMost(1.5), "×", last_short.ratio(name, best));
    }
}
