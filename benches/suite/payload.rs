//! Bytes there and back: a job that gives back what it was given, of 1 KiB to 256 MiB.
//!
//! The limit is `memcpy` of the same bytes into memory that is already there, twice. And what is shared with
//! eight jobs: how much more memory all processes have together, while all jobs hold it.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use brigade::{Blob, Future, ProcessPool};
use brigade_benches::amount::{bytes, number, short};
use brigade_benches::contest::{Contest, Rounds, Who};
use brigade_benches::echo::Echo;
use brigade_benches::figures::Figures;
use brigade_benches::plot::{Axis, Chart, Curves, Line};
use brigade_benches::process::memory;
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};
use serde_bytes::ByteBuf;

const BLOB: &str = "brigade, Blob";
const OURS: &str = "brigade, serde_bytes";
const EXECUTOR: &str = "ProcessPoolExecutor";
const COPY: &str = "memcpy, twice";
/// How many share.
const JOBS: usize = 8;
const MIB: usize = 1024 * 1024;
const SIZES: [usize; 7] = [1024, 16 * 1024, 256 * 1024, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB];

pub(crate) fn run(section: &mut Section) {
    let pool = ProcessPool::builder().workers(2).max_output(1 << 30).build();
    let pool = &pool.expect("the pool starts");
    let echo = &Echo::start();
    let asked = [
        ("executor", EXECUTOR),
        ("pool", "Pool.apply_async"),
        ("loky", "submit"),
        ("procspawn", "Pool.spawn, serde_bytes"),
    ];
    let peers = asked.map(|(pool, name)| (section.peer(pool, 2), name));
    let mut lines: Vec<Line> = Vec::new();
    for &size in whole_or_quick(&SIZES[..], &SIZES[..4]) {
        let mut contest = Contest::default();
        // So many, one after the other, that a short one can be measured.
        let times = (4 * MIB / size).clamp(1, 100);
        let each = move |took: Duration| took.as_secs_f64() * 1e3 / number(times);
        contest.add(OURS, Who::Ours, move || {
            let inputs: Vec<_> = (0..times).map(|_| ByteBuf::from(vec![7; size])).collect();
            let begin = Instant::now();
            for input in inputs {
                let output = pool.submit(tasks::send_back(input)).result();
                assert_eq!(output.expect("it succeeds").len(), size);
            }
            each(begin.elapsed())
        });
        contest.add(BLOB, Who::Ours, move || {
            let inputs: Vec<_> = (0..times).map(|_| Blob::from(vec![7; size])).collect();
            let begin = Instant::now();
            for input in inputs {
                let output = pool.submit(tasks::change(input)).result().expect("it succeeds");
                assert_eq!((output.len(), output[0], output[size - 1]), (size, 8, 7));
            }
            each(begin.elapsed())
        });
        for (peer, name) in &peers {
            let Some(peer) = peer else { continue };
            contest.add(format!("{} {name}", peer.version()), Who::Peer, move || {
                let request = format!("echo {size}");
                (0..times).map(|_| peer.ask_one(&request)).sum::<f64>() * 1e3 / number(times)
            });
        }
        contest.add("bare ipc-channel echo", Who::Limit, move || {
            let input = vec![7; size];
            let begin = Instant::now();
            for _ in 0..times {
                assert_eq!(echo.trip(&input).len(), size);
            }
            each(begin.elapsed())
        });
        let (from, mut there, mut back) = (vec![7; size], vec![1; size], vec![1; size]);
        contest.add(COPY, Who::Limit, move || {
            let begin = Instant::now();
            for _ in 0..times {
                there.copy_from_slice(black_box(&from));
                back.copy_from_slice(black_box(&there));
                black_box(&back);
            }
            each(begin.elapsed())
        });
        let rounds = contest.run(whole_or_quick(if size > 16 * MIB { 5 } else { 7 }, 1));
        let title = format!("{} there and back", bytes(number(size)));
        section.compare(&title, "ms", Better::Less, &[BLOB, OURS], &rounds);
        if size == 64 * MIB {
            judge(section, &rounds);
        }
        for entrant in &rounds.0 {
            let moved = 2.0 * number(size) / 1e9 / (entrant.figures().median() / 1e3);
            Line::add(&mut lines, entrant, (number(size), moved));
        }
    }
    let curves = Curves {
        title: "Bytes there and back".into(),
        subtitle: "one job at a time that gives back what it was given; both ways counted, medians"
            .into(),
        x: Axis::log("bytes of the argument, and of the result", bytes).marks_at(SIZES.map(number)),
        y: Axis::log("GB a second", short),
        lines,
        guide: None,
    };
    section.plot("payload", &Chart::Curves(curves));
    share(section);
}

/// What is shared is in memory once, however many jobs hold it.
fn share(section: &mut Section) {
    // Less may stay in the allocator after it was freed, and count as memory.
    let size = whole_or_quick(256, 64) * MIB;
    let growth = |_| {
        let pool = pools::strict(JOBS);
        let pids = pools::pids(&pool, JOBS);
        let all = || -> f64 {
            let pids = pids.iter().copied().chain([std::process::id()]);
            pids.map(|pid| memory(pid).expect("it lives").proportional).sum()
        };
        let before = all();
        let data = pool.share(vec![1; size]);
        let keep = whole_or_quick(3_000_000, 500_000);
        let jobs = (0..JOBS).map(|_| pool.submit(tasks::read_and_keep(data.clone(), keep)));
        let futures: Vec<_> = jobs.collect();
        // Processes are looked at one after the other: a page that is being mapped meanwhile may count twice. But
        // for most of the time all have mapped it.
        let mut looks = Vec::new();
        while !futures.iter().any(Future::done) {
            looks.push(all() - before);
            thread::sleep(Duration::from_millis(20));
        }
        for future in futures {
            assert_eq!(future.result().expect("it succeeds"), size as u64);
        }
        Figures::new(looks).median() * 1024.0 / number(size)
    };
    let figures = Figures::new((0..whole_or_quick(3, 1)).map(growth));
    let what = "memory of all processes for what is shared with 8 jobs / its size";
    section.bar(what, Limit::AtMost(1.1), "×", Some(figures));
}

fn judge(section: &mut Section, rounds: &Rounds<f64>) {
    let ratio = rounds.ratio(BLOB, COPY);
    section.bar("64 MiB there and back / memcpy both ways", Limit::AtMost(3.0), "×", ratio);
    let executor = rounds.0.iter().find(|entrant| entrant.name.ends_with(EXECUTOR));
    let ratio = executor.and_then(|executor| rounds.ratio(&executor.name, BLOB));
    let what = "64 MiB there and back, faster than ProcessPoolExecutor";
    section.bar(what, Limit::AtLeast(5.0), "×", ratio);
}
