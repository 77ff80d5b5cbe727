//! What a failed attempt used, without a system call for each short job.
//!
//! The CPU time of a run thread is read when a job failed, and when jobs have succeeded for ten milliseconds
//! since the last reading. What it was then is taken off. So the time of the jobs in between is in it; but no attempt
//! is said to have used more CPU time than it took, for it had one thread.

use brigade_protocol::message::Usage;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// Jobs that took so long together, in nanoseconds, are worth a system call.
const LONG: u64 = 10_000_000;

/// The meter of one run thread. It must be used by that thread only.
pub(super) struct Meter {
    /// The CPU time at the last reading, in nanoseconds.
    last: u64,
    /// For how long jobs have succeeded since, in nanoseconds.
    since: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { last: read().map_or(0, |usage| usage.cpu), since: 0 }
    }

    /// Jobs succeeded that took so long.
    #[inline]
    pub(super) fn succeeded(&mut self, elapsed: u64) {
        self.since = self.since.saturating_add(elapsed);
        if self.since >= LONG {
            self.advance();
        }
    }

    /// A job failed that took so long: what it used.
    pub(super) fn failed(&mut self, elapsed: u64) -> Option<Usage> {
        let before = self.last;
        let Usage { cpu, peak_memory } = self.advance()?;
        Some(Usage { cpu: cpu.saturating_sub(before).min(elapsed), peak_memory })
    }

    fn advance(&mut self) -> Option<Usage> {
        let usage = read()?;
        (self.last, self.since) = (usage.cpu, 0);
        Some(usage)
    }
}

/// The CPU time of this thread, and the largest size so far of this process.
fn read() -> Option<Usage> {
    // It fails only if the kernel is older than 2.6.26.
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    let nanoseconds = |time: TimeVal| u64::try_from(time.num_nanoseconds()).unwrap_or(0);
    let cpu = nanoseconds(usage.user_time()).saturating_add(nanoseconds(usage.system_time()));
    let peak_memory = u64::try_from(usage.max_rss()).unwrap_or(0).saturating_mul(1024);
    Some(Usage { cpu, peak_memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(least: u64) {
        let start = read().unwrap().cpu;
        while read().unwrap().cpu < start + least {
            std::hint::black_box((0..1000_u64).sum::<u64>());
        }
    }

    #[test]
    fn a_failure_is_told_what_it_used_since_the_last_reading() {
        let mut meter = Meter::new();
        burn(2 * LONG);
        let first = meter.failed(u64::MAX).unwrap();
        assert!(first.cpu >= 19 * LONG / 10, "{first:?}");
        let second = meter.failed(u64::MAX).unwrap();
        assert!(second.cpu < LONG, "{second:?}");
        assert!(second.peak_memory > 100 * 1024, "{second:?}");
    }

    #[test]
    fn it_is_never_more_than_it_took() {
        let mut meter = Meter::new();
        burn(LONG / 2);
        assert_eq!(meter.failed(17).unwrap().cpu, 17);
    }

    #[test]
    fn long_jobs_before_are_taken_off_and_a_short_one_makes_no_reading() {
        let mut meter = Meter::new();
        burn(2 * LONG);
        let last = meter.last;
        meter.succeeded(LONG / 2);
        assert_eq!(meter.last, last);
        meter.succeeded(LONG / 2);
        assert!(meter.last >= last + 19 * LONG / 10);
        let last = meter.last;
        meter.succeeded(LONG / 2);
        assert_eq!(meter.last, last, "all are counted anew");
        assert!(meter.failed(u64::MAX).unwrap().cpu < LONG);
    }
}
