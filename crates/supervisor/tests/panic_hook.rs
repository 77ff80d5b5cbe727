//! A thread pool and the panic hook of the program that it is in.
//!
//! A program of its own, for a process has one hook.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use brigade_supervisor::ThreadPool;

#[test]
fn the_hook_of_the_program_is_called_for_threads_that_run_no_job() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }));
    for _ in 0..2 {
        let pool = ThreadPool::builder().workers(1).build().expect("it starts");
        let error = pool.submit_fn(|| panic!("in a job")).result().unwrap_err();
        assert!(error.is_panicked());
        let place = format!("panicked at {}:", file!());
        assert!(error.to_string().contains(&place), "the pool's hook notes where: {error}");
        assert_eq!(CALLS.load(Ordering::SeqCst), 0, "a job's panic is told by its error");
        let beside = pool.submit_fn(|| std::thread::spawn(|| panic!("beside")).join().is_err());
        assert!(beside.result().expect("the job goes on"));
        assert_eq!(CALLS.swap(0, Ordering::SeqCst), 1, "it was a thread of the job's own");
    }
    assert!(std::thread::spawn(|| panic!("elsewhere")).join().is_err());
    assert_eq!(CALLS.load(Ordering::SeqCst), 1);
    let _ = panic::take_hook();
}
