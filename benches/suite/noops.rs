//! No-ops a second: what a pool costs, and nothing else.
//!
//! Beside the pools stands what cannot be beaten: the same function in this process, in a thread pool of boxed
//! closures, and in a loop with its arguments and results through the codec.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use brigade::{Context, Job, ProcessPool};
use brigade_benches::amount::{amount, number, short};
use brigade_benches::contest::{Contest, Who};
use brigade_benches::peer::Peer;
use brigade_benches::plot::{Axis, Chart, Points};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{pools, tasks, whole_or_quick};
use brigade_protocol::codec;
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::Form;

const SUBMIT: &str = "brigade submit";
const MAP: &str = "brigade map";
const CLOSURES: &str = "crossbeam threads, boxed closures";
const WORKERS: usize = 2;

/// A pool, what it is asked, for how many jobs, and what that is called.
type Ask = (&'static str, &'static str, u64, &'static str);

const ASKS: [Ask; 11] = [
    ("executor", "submit 0 JOBS", 8_000, "ProcessPoolExecutor.submit"),
    ("executor", "map 0 JOBS 1", 8_000, "ProcessPoolExecutor.map, chunks of 1"),
    ("executor", "map 0 JOBS BEST", 500_000, "ProcessPoolExecutor.map"),
    ("pool", "submit 0 JOBS", 20_000, "Pool.apply_async"),
    ("pool", "unordered 0 JOBS 1", 20_000, "Pool.imap_unordered"),
    ("pool", "map 0 JOBS 0", 1_000_000, "Pool.map"),
    ("threads", "submit 0 JOBS", 20_000, "ThreadPoolExecutor.submit"),
    ("loky", "submit 0 JOBS", 5_000, "submit"),
    ("loky", "map 0 JOBS BEST", 500_000, "map"),
    ("joblib", "map 0 JOBS 0", 50_000, "Parallel, its own batches"),
    ("procspawn", "submit 0 JOBS", 20_000, "Pool.spawn"),
];

pub(crate) fn run(section: &mut Section) {
    let pool = &pools::plain(WORKERS);
    let others = ["executor", "pool", "threads", "loky", "joblib", "procspawn", "rayon"];
    let peers = section.peers(&others, WORKERS);
    let mut contest = Contest::default();
    add_ours(&mut contest, pool);
    let names = add_peers(&mut contest, &peers);
    let many = whole_or_quick(200_000, 20_000);
    let mut here = |name: &str, work: fn(u64) -> Duration| {
        contest.add(name, Who::Limit, move || number(many) / work(many).as_secs_f64());
    };
    here(CLOSURES, closures);
    here("a loop: encode, call, decode", encoded_loop);

    let rounds = contest.run(whole_or_quick(7, 1));
    section.compare("No-ops, 2 workers", "jobs a second", Better::More, &[SUBMIT, MAP], &rounds);
    let mut bar = |what: &str, least, of: &str, to: Option<&str>| {
        let ratio = to.and_then(|to| rounds.ratio(of, to));
        section.bar(what, Limit::AtLeast(least), "×", ratio);
    };
    for (what, least, of, to) in [
        ("submit / ProcessPoolExecutor.submit", 100.0, SUBMIT, "ProcessPoolExecutor.submit"),
        ("submit / Pool.apply_async", 30.0, SUBMIT, "Pool.apply_async"),
        ("submit / procspawn", 30.0, SUBMIT, "Pool.spawn"),
        ("map / Pool.map", 3.0, MAP, "Pool.map"),
    ] {
        bar(what, least, of, names.get(to));
    }
    bar("submit / boxed closures in this process", 0.4, SUBMIT, Some(CLOSURES));
    let subtitle = "no-ops with 2 workers on 2 processors; a bar goes from the least to the most of all rounds";
    let axis = Axis::log("jobs a second", short);
    let points = Points::of("Jobs a second, if a job is nothing", subtitle, axis, &rounds);
    section.plot("noops", &Chart::Points(points.sorted(true)));
}

fn add_ours<'a>(contest: &mut Contest<'a, f64>, pool: &'a ProcessPool) {
    let many = whole_or_quick(200_000, 20_000);
    let most = whole_or_quick(1_000_000, 50_000);
    let mut add = |name: &str, jobs: u64, work: fn(&ProcessPool, u64) -> Duration| {
        contest.add(name, Who::Ours, move || number(jobs) / work(pool, jobs).as_secs_f64());
    };
    add(SUBMIT, many, pools::submit_noops);
    add(MAP, most, pools::map_noops);
    add("brigade stream", many, |pool, jobs| {
        stream(pool, jobs, |n| Job::<u64>::call(tasks::noop::TASK.name, (n,)))
    });
    add("brigade stream, JSON", many, |pool, jobs| {
        stream(pool, jobs, |n| Job::json(tasks::noop::TASK.name, n.to_string()))
    });
}

fn add_peers<'a>(contest: &mut Contest<'a, f64>, peers: &'a [(&'static str, Peer)]) -> Names {
    let few = |jobs: u64| whole_or_quick(jobs, jobs / 10);
    let find = |pool| peers.iter().find(|(other, _)| *other == pool).map(|(_, peer)| peer);
    let mut names = Names::default();
    for (pool, request, jobs, name) in ASKS {
        let (Some(peer), jobs) = (find(pool), few(jobs)) else { continue };
        let request = request.replace("JOBS", &jobs.to_string());
        let (request, chunk) = with_best_chunk(peer, &request);
        let full = format!("{} {name}{chunk}", peer.version());
        names.0.push((name, full.clone()));
        contest.add(full, Who::Peer, move || number(jobs) / peer.ask_one(&request));
    }
    if let Some(rayon) = find("rayon") {
        let jobs = few(5_000_000);
        let request = format!("map 0 {jobs} 0");
        let name = format!("{} par_iter, in process", rayon.version());
        contest.add(name, Who::Limit, move || number(jobs) / rayon.ask_one(&request));
    }
    names
}

/// What peers' ways are called in full, with their versions, by what they are called here.
#[derive(Default)]
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(short, _)| *short == name).map(|(_, full)| full.as_str())
    }
}

/// If the request leaves the size of the chunks open, it is tried which is best.
fn with_best_chunk(peer: &Peer, request: &str) -> (String, String) {
    if !request.contains("BEST") {
        return (request.into(), String::new());
    }
    let sizes = whole_or_quick(&[256, 1024, 4096, 16_384][..], &[1024]);
    let with = |size: &u64| request.replace("BEST", &size.to_string());
    peer.ask_one(&with(&sizes[0]));
    let times = sizes.iter().map(|size| (size, peer.ask_one(&with(size))));
    let best = times.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(1024, |(size, _)| *size);
    (with(&best), format!(", chunks of {}", amount(number(best))))
}

/// One thread pushes, this one takes the results; none is decoded.
fn stream<T>(pool: &ProcessPool, jobs: u64, job: impl Fn(u64) -> Job<T> + Send) -> Duration {
    /// The most bytes that the arguments take, in either form.
    const LONGEST: usize = 9;
    let begin = Instant::now();
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
    begin.elapsed()
}

/// The same no-op as a boxed closure, its result sent back.
fn closures(jobs: u64) -> Duration {
    type Closure = Box<dyn FnOnce() + Send>;
    let begin = Instant::now();
    let (submit, queue) = crossbeam_channel::unbounded::<Closure>();
    let (answer, answers) = crossbeam_channel::unbounded();
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let queue = queue.clone();
            scope.spawn(move || queue.iter().for_each(|closure| closure()));
        }
        for n in 0..jobs {
            let answer = answer.clone();
            let closure = move || answer.send(tasks::noop::call(black_box(n))).expect("it waits");
            submit.send(Box::new(closure)).expect("the threads wait");
        }
        drop((submit, answer));
        assert_eq!(answers.iter().sum::<u64>(), jobs * (jobs - 1) / 2);
    });
    begin.elapsed()
}

fn encoded_loop(jobs: u64) -> Duration {
    let begin = Instant::now();
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
    begin.elapsed()
}
