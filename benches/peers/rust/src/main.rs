//! Other pools of Rust as peers: `brigade-peers POOL WORKERS`.
//!
//! Speaks as `pools.py` does, which says how. `procspawn` is a pool of processes, `rayon` one of
//! threads.

use std::collections::VecDeque;
use std::env;
use std::hint::black_box;
use std::io::{self, BufRead};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procspawn::Pool;
use rayon::prelude::*;
use serde_bytes::ByteBuf;

/// What procspawn may have under way: its documentation has no bound, but the channel of a worker blocks.
const PENDING: usize = 64;

fn main() {
    // A worker of procspawn does not return from here.
    procspawn::init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [pool, workers] = arguments.as_slice() else { panic!("usage: brigade-peers POOL WORKERS") };
    let workers = workers.parse().expect("the number of workers is a number");
    match pool.as_str() {
        "procspawn" => answer("procspawn 1.0.2", &mut Processes::new(workers)),
        "rayon" => answer("rayon 1.12.0", &mut Threads::new(workers)),
        other => panic!("no such pool: {other}"),
    }
}

/// A pool that can be asked.
trait Peer {
    /// What the words of a request give, in seconds.
    fn ask(&mut self, request: &[&str]) -> Vec<f64>;
}

fn answer(name: &str, peer: &mut dyn Peer) {
    println!("ready {name}");
    for line in io::stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        let request: Vec<&str> = line.split_whitespace().collect();
        let figures: Vec<String> = peer.ask(&request).iter().map(f64::to_string).collect();
        println!("{}", figures.join(" "));
    }
}

/// A no-op, or so many steps, each of which needs the one before.
fn job(input: u64, steps: u64) -> u64 {
    // A shift in between, so that the compiler cannot do many steps as one.
    let step = |n: u64, _| (n ^ (n >> 29)).wrapping_mul(6_364_136_223_846_793_005);
    black_box((0..steps).fold(black_box(input), step))
}

fn timed(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn number(text: &str) -> u64 {
    text.parse().expect("it is a number")
}

/// How far one worker counts in a microsecond, if all of them took so long to count so far.
fn pace(steps: u64, seconds: f64) -> f64 {
    steps as f64 / seconds / 1e6
}

struct Processes {
    pool: Pool,
    workers: usize,
}

impl Processes {
    fn new(workers: usize) -> Self {
        Self { pool: Pool::new(workers).expect("the pool starts"), workers }
    }

    /// One by one, a handle for each job.
    fn submit(&self, steps: u64, jobs: u64) -> f64 {
        timed(|| {
            let mut pending = VecDeque::new();
            for n in 0..jobs {
                if pending.len() == PENDING {
                    let (n, handle): (u64, procspawn::JoinHandle<u64>) =
                        pending.pop_front().expect("there are some");
                    check(n, steps, handle.join().expect("a job succeeds"));
                }
                pending.push_back((n, self.pool.spawn((n, steps), |(n, steps)| job(n, steps))));
            }
            for (n, handle) in pending {
                check(n, steps, handle.join().expect("a job succeeds"));
            }
        })
    }

    fn trip(&self, n: u64) -> f64 {
        timed(|| {
            let handle = self.pool.spawn(n, |n| n);
            assert_eq!(handle.join().expect("a no-op succeeds"), n);
        })
    }

    fn echo(&self, size: usize) -> f64 {
        let data = ByteBuf::from(vec![7; size]);
        timed(|| {
            let handle = self.pool.spawn(data, |data| data);
            assert_eq!(handle.join().expect("an echo succeeds").len(), size);
        })
    }

    /// Lets each worker of a pool answer, and gives their pids; nothing, if somebody answered twice, because the
    /// nap is too short.
    fn pids(pool: &Pool, workers: usize, nap: Duration) -> Option<Vec<u32>> {
        let nap = u64::try_from(nap.as_micros()).expect("a nap is short");
        let sleep = |_| {
            pool.spawn(nap, |nap| {
                thread::sleep(Duration::from_micros(nap));
                std::process::id()
            })
        };
        let handles: Vec<_> = (0..workers).map(sleep).collect();
        let join = |handle: procspawn::JoinHandle<u32>| handle.join().expect("a nap succeeds");
        let mut pids: Vec<u32> = handles.into_iter().map(join).collect();
        pids.sort_unstable();
        pids.dedup();
        (pids.len() == workers).then_some(pids)
    }

    fn start(&self, nap: Duration) -> Vec<f64> {
        let first = timed(|| {
            let pool = Pool::new(self.workers).expect("the pool starts");
            assert_eq!(pool.spawn(7, |n: u64| n).join().expect("a no-op succeeds"), 7);
            std::mem::forget(pool);
        });
        let mut nap = nap;
        loop {
            let begin = Instant::now();
            let pool = Pool::new(self.workers).expect("the pool starts");
            let answered = Self::pids(&pool, self.workers, nap);
            let every = begin.elapsed().saturating_sub(nap);
            if answered.is_some() {
                return vec![first, every.as_secs_f64()];
            }
            nap *= 2;
        }
    }

    fn recover() -> f64 {
        let pool = Pool::new(1).expect("the pool starts");
        pool.spawn(7, |n: u64| n).join().expect("a no-op succeeds");
        let victim = pool.spawn((), |()| thread::sleep(Duration::from_secs(60)));
        let deadline = Instant::now() + Duration::from_secs(10);
        let worker = loop {
            if let Some(pid) = victim.pid() {
                break Pid::from_raw(pid.cast_signed());
            }
            assert!(Instant::now() < deadline, "the job was not started");
            thread::sleep(Duration::from_millis(1));
        };
        timed(|| {
            kill(worker, Signal::SIGKILL).expect("the worker is there");
            // Its slot stands still until somebody takes the error.
            assert!(victim.join().is_err(), "its worker was killed");
            assert_eq!(pool.spawn(7, |n: u64| n).join().expect("a no-op succeeds"), 7);
        })
    }
}

/// A no-op gives back what it was given; what a busy job gives is no secret either.
fn check(n: u64, steps: u64, found: u64) {
    assert!(steps > 0 || found == n, "a no-op gave {found} for {n}");
}

impl Peer for Processes {
    fn ask(&mut self, request: &[&str]) -> Vec<f64> {
        match request {
            ["submit", steps, jobs] => vec![self.submit(number(steps), number(jobs))],
            ["calibrate", steps] => {
                let took = self.submit(number(steps), self.workers as u64);
                vec![pace(number(steps), took)]
            }
            ["trips", jobs] => (0..number(jobs)).map(|n| self.trip(n)).collect(),
            ["echo", size] => vec![self.echo(usize::try_from(number(size)).expect("it fits"))],
            ["start", nap] => {
                self.start(Duration::from_secs_f64(nap.parse().expect("it is a number")))
            }
            ["pids"] => {
                let mut naps = [500, 2_000, 8_000].into_iter().map(Duration::from_millis);
                let pids = naps.find_map(|nap| Self::pids(&self.pool, self.workers, nap));
                let pids = pids.expect("a nap of some seconds is long enough");
                pids.into_iter().map(f64::from).collect()
            }
            ["recover"] => vec![Self::recover()],
            other => panic!("not understood: {other:?}"),
        }
    }
}

struct Threads {
    pool: rayon::ThreadPool,
    workers: u64,
}

impl Threads {
    fn new(workers: usize) -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
        Self { pool: pool.expect("the threads start"), workers: workers as u64 }
    }

    fn map(&self, steps: u64, jobs: u64) -> f64 {
        let mut found: Vec<u64> = Vec::new();
        let took = timed(|| {
            // `usize`, because a range of u64 has no length that rayon knows.
            let jobs = (0..usize::try_from(jobs).expect("it fits")).into_par_iter();
            self.pool.install(|| jobs.map(|n| job(n as u64, steps)).collect_into_vec(&mut found));
        });
        assert_eq!(found.len() as u64, jobs);
        (0..jobs).zip(found).for_each(|(n, found)| check(n, steps, found));
        took
    }
}

impl Peer for Threads {
    fn ask(&mut self, request: &[&str]) -> Vec<f64> {
        match request {
            ["map", steps, jobs, _chunk] => vec![self.map(number(steps), number(jobs))],
            ["calibrate", steps] => {
                vec![pace(number(steps), self.map(number(steps), self.workers))]
            }
            other => panic!("not understood: {other:?}"),
        }
    }
}
