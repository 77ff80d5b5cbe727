//! Thread pools: what they run, how jobs on them end, and jobs that wait for jobs.

mod ends;
mod jobs;
mod shared;
mod waits;

use std::sync::mpsc::{Receiver, Sender, channel};

use brigade_supervisor::{Future, Prefetch, ThreadPool, ThreadPoolBuilder};
use brigade_tests::DEADLINE;

/// A pool of so many threads, which hands out one job at a time.
fn strict(workers: usize) -> ThreadPoolBuilder {
    ThreadPool::builder().workers(workers).prefetch(Prefetch::AtMost(0))
}

/// A pool of so many threads.
fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("it starts")
}

/// A job that occupies its thread until it is let go.
struct Plug {
    future: Future<()>,
    go: Sender<()>,
}

impl Plug {
    /// Submits one and waits until it runs.
    fn put_in(pool: &ThreadPool) -> Self {
        let (go, wait) = channel();
        let (started, starts) = channel();
        let future = pool.submit_fn(move || {
            started.send(()).expect("the test waits for it");
            // Also if the test is over.
            let _ = wait.recv();
        });
        next(&starts);
        Self { future, go }
    }

    /// Lets it go and waits for its end.
    fn pull(self) {
        drop(self.go);
        crate::pools::value(self.future);
    }
}

/// What comes next, in time.
#[track_caller]
fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(DEADLINE).expect("it comes in time")
}
