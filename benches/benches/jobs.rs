//! How many jobs a second, when a job is a no-op: what the pool costs and nothing else.
//!
//! Beside the pool stands what cannot be beaten: the same function in this process, in a plain
//! loop, with its arguments and results encoded and decoded, and in a thread pool of boxed closures.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use brigade_benches::figures::{Figures, Table};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_protocol::codec;
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::Form;
use brigade_supervisor::{Job, ProcessPool};
use brigade_worker::Context;

const NOOP: &str = tasks::noop::TASK.name;

/// The most bytes that the arguments take, in either form.
const LONGEST: usize = 9;

fn main() {
    brigade_worker::init_with(&tasks::registry());
    let (jobs, rounds) = (whole_or_quick(200_000, 20_000), whole_or_quick(7, 2));
    rates(jobs, rounds).print();
    round_trips(whole_or_quick(10_000, 1000)).print();
}

fn rates(jobs: u64, rounds: usize) -> Table {
    let title = format!("{jobs} no-ops, in thousands a second: median (least–most)");
    let mut table = Table::new(&title, &["", "2 workers", "8 workers"]);
    let mut add = |name: &str, work: fn(&ProcessPool, u64)| {
        let of = |workers| {
            let pool = pools::plain(workers);
            // So that the pool has learnt how short these jobs are.
            work(&pool, jobs / 10);
            format!("{:.0}", rate(jobs, rounds, || work(&pool, jobs)))
        };
        table.row([name.into(), of(2), of(8)]);
    };
    add("submitted one by one, a future each", futures);
    add("map", map);
    add("stream, typed", |pool, jobs| stream(pool, jobs, |n| Job::<u64>::call(NOOP, (n,))));
    add("stream, JSON", |pool, jobs| stream(pool, jobs, |n| Job::json(NOOP, n.to_string())));
    let mut add = |name: &str, work: fn(u64)| {
        table.row([name.into(), format!("{:.0}", rate(jobs, rounds, || work(jobs)))]);
    };
    add("here: boxed closures, 2 threads", threads);
    add("here: encode, call, decode", encoded_loop);
    add("here: plain loop", plain_loop);
    table
}

/// Thousands of jobs a second.
#[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
fn rate(jobs: u64, rounds: usize, work: impl Fn()) -> Figures {
    Figures::new((0..rounds).map(|_| {
        let begin = Instant::now();
        work();
        jobs as f64 / begin.elapsed().as_secs_f64() / 1e3
    }))
}

fn futures(pool: &ProcessPool, jobs: u64) {
    let futures: Vec<_> = (0..jobs).map(|n| pool.submit(Job::<u64>::call(NOOP, (n,)))).collect();
    for (n, future) in (0..jobs).zip(futures) {
        assert_eq!(future.result().expect("a no-op succeeds"), n);
    }
}

fn map(pool: &ProcessPool, jobs: u64) {
    let results = pool.map((0..jobs).map(tasks::noop));
    for (n, result) in (0..jobs).zip(results) {
        assert_eq!(result.expect("a no-op succeeds"), n);
    }
}

/// One thread pushes, this one takes the results; none is decoded.
fn stream<T>(pool: &ProcessPool, jobs: u64, job: impl Fn(u64) -> Job<T> + Send) {
    let (mut feed, settlements) = pool.stream();
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..jobs {
                feed.push(n, job(n));
            }
        });
        let mut settled = 0;
        while let Some(settlement) = settlements.wait_next() {
            settlement.result.expect("a no-op succeeds");
            settled += 1;
            settlements.dealt_with(1, LONGEST);
        }
        assert_eq!(settled, jobs);
    });
}

/// The same no-op as a boxed closure, its result sent back.
fn threads(jobs: u64) {
    type Closure = Box<dyn FnOnce() + Send>;
    let (submit, queue) = crossbeam_channel::unbounded::<Closure>();
    let (answer, answers) = crossbeam_channel::unbounded();
    thread::scope(|scope| {
        for _ in 0..2 {
            let queue = queue.clone();
            scope.spawn(move || queue.iter().for_each(|closure| closure()));
        }
        for n in 0..jobs {
            let answer = answer.clone();
            let closure = move || answer.send(tasks::noop::call(black_box(n))).expect("it waits");
            submit.send(Box::new(closure)).expect("the threads wait");
        }
        drop((submit, answer));
        assert_eq!(answers.iter().count() as u64, jobs);
    });
}

fn encoded_loop(jobs: u64) {
    let context = Context::new(Ticket::from(JobId(1)));
    let (mut arguments, mut output) = (Vec::new(), Vec::new());
    for n in 0..jobs {
        arguments.clear();
        output.clear();
        codec::encode_value(&(n,), &mut arguments).expect("a number encodes");
        let entry = black_box(tasks::noop::TASK.entry);
        entry(&context, Form::Bincode, &arguments, &mut output).expect("a no-op succeeds");
        assert_eq!(codec::decode_value::<u64>(&output).expect("it is a number"), n);
    }
}

fn plain_loop(jobs: u64) {
    for n in 0..jobs {
        black_box(tasks::noop::call(black_box(n)));
    }
}

fn round_trips(jobs: u64) -> Table {
    let title = format!("One job at a time, {jobs} in turn, in µs from submit to result");
    let mut table = Table::new(&title, &["", "p50", "p99", "worst"]);
    for workers in [2, 8] {
        let pool = pools::plain(workers);
        let trip = |n| {
            let begin = Instant::now();
            let result = pool.submit(Job::<u64>::call(NOOP, (n,))).result();
            assert_eq!(result.expect("a no-op succeeds"), n);
            begin.elapsed()
        };
        (0..jobs / 10).map(trip).for_each(drop);
        let times = Figures::new((0..jobs).map(trip).map(micros));
        let quantiles = [0.5, 0.99, 1.0].map(|share| format!("{:.0}", times.quantile(share)));
        table.row([format!("{workers} workers")].into_iter().chain(quantiles));
    }
    table
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
