//! What the workloads share: rounds in turns, figures, bars, tables, plots, peers, tasks.
//!
//! Each workload is a function that fills a [`Section`](section::Section). It lets several ways of doing one
//! thing run in turns (a [`Contest`](contest::Contest)), so that a slow minute of the machine slows all of
//! them, and what is compared is the ratio within a round. Results are asserted to be right;
//! figures are judged in print only, never by an exit code: on a busy machine each may miss its bar.

pub mod amount;
pub mod contest;
pub mod echo;
pub mod figures;
pub mod os;
pub mod peer;
pub mod plot;
pub mod pools;
pub mod process;
pub mod program;
pub mod section;
pub mod server;
pub mod table;
pub mod tasks;

/// Whether a short form is wanted, to see that the workloads work: by `BRIGADE_BENCH_QUICK`.
pub fn quick() -> bool {
    std::env::var_os("BRIGADE_BENCH_QUICK").is_some()
}

/// The one number or the other: for a whole run, and for its short form.
pub fn whole_or_quick<T>(whole: T, short: T) -> T {
    if quick() { short } else { whole }
}
