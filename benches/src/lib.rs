//! What the benchmarks share: their tasks, rounds and figures, and what the system says of a process.
//!
//! Each benchmark is a program that starts itself as its worker program, so that the size of what
//! is forked is that of a real one. They measure in rounds and print medians with the smallest and the
//! largest value; none of them judges its figures.

pub mod figures;
pub mod pools;
pub mod process;
pub mod tasks;

/// Whether a short form is wanted, to see that the benchmarks work: by `BRIGADE_BENCH_QUICK`, or
/// because they are run as tests.
pub fn quick() -> bool {
    std::env::var_os("BRIGADE_BENCH_QUICK").is_some()
        || !std::env::args().any(|argument| argument == "--bench")
}

/// The one number or the other: for a whole benchmark, and for its short form.
pub fn whole_or_quick<T>(whole: T, short: T) -> T {
    if quick() { short } else { whole }
}
