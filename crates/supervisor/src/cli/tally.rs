//! How many jobs came to which end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::figures::{grouped, span};
use crate::{Failure, Settlement};

/// Everything a job can come to, in the order of the summary.
const ENDS: [&str; 11] = [
    "succeeded",
    "failed",
    "panicked",
    "undecodable",
    "crashed",
    "quarantined",
    "timed-out",
    "refused",
    "cancelled",
    "not run",
    "of another end",
];

/// The place of jobs that were never started.
const NOT_RUN: usize = 9;

/// Counts by end. Written by the main thread, read by the display.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [AtomicU64; ENDS.len()],
}

impl Tally {
    /// Counts a settled job.
    pub(super) fn count(&self, settlement: &Settlement) {
        let end = match &settlement.result {
            Ok(_) => "succeeded",
            Err(error) => match error.failure() {
                Failure::Cancelled | Failure::PoolGaveUp(_) if settlement.attempts == 0 => {
                    "not run"
                }
                Failure::PoolGaveUp(_) => "cancelled",
                failure => failure.name(),
            },
        };
        let place = ENDS.iter().position(|name| *name == end).unwrap_or(ENDS.len() - 1);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts jobs that were not even submitted.
    pub(super) fn count_not_run(&self, jobs: u64) {
        self.counts[NOT_RUN].fetch_add(jobs, Ordering::Relaxed);
    }

    /// All jobs counted so far.
    pub(super) fn settled(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Those without a result.
    pub(super) fn unsuccessful(&self) -> u64 {
        self.counts[1..].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// `12 jobs: 10 succeeded, 1 failed, 1 crashed; 3.2 s`.
    pub(super) fn summary(&self, took: Duration) -> String {
        let total = self.settled();
        let mut counts: Vec<String> = Vec::new();
        for (count, name) in self.counts.iter().zip(ENDS) {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => counts.push(format!("{} {name}", grouped(count))),
            }
        }
        let counts =
            if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        let jobs = if total == 1 { "job" } else { "jobs" };
        format!("{} {jobs}{counts}; {}", grouped(total), span(took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_there_was() {
        let tally = Tally::default();
        assert_eq!(tally.summary(Duration::ZERO), "0 jobs; 0.0 s");
        tally.counts[0].store(1, Ordering::Relaxed);
        assert_eq!(tally.summary(Duration::from_millis(3249)), "1 job: 1 succeeded; 3.2 s");
        tally.counts[4].store(1, Ordering::Relaxed);
        tally.count_not_run(12_345);
        assert_eq!(
            tally.summary(Duration::from_secs(125)),
            "12,347 jobs: 1 succeeded, 1 crashed, 12,345 not run; 2 min 5 s"
        );
        assert_eq!(tally.unsuccessful(), 12_346);
    }
}
