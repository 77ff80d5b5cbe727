//! How long a pool takes to start: until it is built, until the first result, until every worker has
//! answered; and to end.
//!
//! Every worker has answered a job when as many jobs as there are workers are done, each in a
//! worker of its own. To see to that the jobs sleep, and their sleep is taken off. All times
//! begin before the pool is built.

use std::time::{Duration, Instant};

use brigade_benches::figures::{Figures, Table};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_supervisor::Job;

/// How many workers, how long the jobs sleep, and the bar in milliseconds.
const SIZES: [(usize, Duration, Option<u32>); 3] = [
    (8, Duration::from_millis(200), None),
    (64, Duration::from_millis(400), Some(30)),
    (500, Duration::from_millis(1500), Some(300)),
];

fn main() {
    brigade_worker::init_with(&tasks::registry());
    let head = ["workers", "built", "first result", "all have answered", "bar", "shut down"];
    let mut table = Table::new("Start, in ms: median (least–most)", &head);
    for (workers, nap, bar) in SIZES {
        let rounds = whole_or_quick(if workers > 100 { 7 } else { 15 }, 2);
        let firsts: Vec<_> = (0..rounds).map(|_| first_result(workers)).collect();
        let alls: Vec<_> = (0..rounds).map(|_| all_answered(workers, nap)).collect();
        let of = |part: fn(&Times) -> Duration| Figures::millis(alls.iter().map(part));
        table.row([
            workers.to_string(),
            of(|times| times.built).to_string(),
            Figures::millis(firsts).to_string(),
            of(|times| times.answered).to_string(),
            bar.map_or_else(|| "–".into(), |bar| format!("< {bar}")),
            of(|times| times.ended).to_string(),
        ]);
    }
    table.print();
}

fn first_result(workers: usize) -> Duration {
    let begin = Instant::now();
    let pool = pools::plain(workers);
    let result = pool.submit(Job::<u64>::call(tasks::noop::TASK.name, (7_u64,))).result();
    let took = begin.elapsed();
    assert_eq!(result.expect("a no-op succeeds"), 7);
    took
}

struct Times {
    built: Duration,
    answered: Duration,
    ended: Duration,
}

fn all_answered(workers: usize, nap: Duration) -> Times {
    let begin = Instant::now();
    let pool = pools::strict(workers);
    let built = begin.elapsed();
    pools::let_each_answer(&pool, workers, nap);
    let answered = begin.elapsed().saturating_sub(nap);
    let begin = Instant::now();
    drop(pool);
    Times { built, answered, ended: begin.elapsed() }
}
