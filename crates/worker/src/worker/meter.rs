//! What a failed attempt used, without a system call for each short job.
//!
//! The CPU time of a run thread is read when a job failed, and after each that took a millisecond or
//! more. What it was at the last reading is taken off. So the time of short jobs in between is in it;
//! but no attempt is said to have used more CPU time than it took, for it had one thread.

use brigade_protocol::message::Usage;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// A job that took so long, in nanoseconds, is worth a system call.
const LONG: u64 = 1_000_000;

/// The meter of one run thread. It must be used by that thread only.
pub(super) struct Meter {
    /// The CPU time at the last reading, in nanoseconds.
    last: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { last: read().map_or(0, |usage| usage.cpu) }
    }

    /// A job succeeded that took so long.
    #[inline]
    pub(super) fn succeeded(&mut self, elapsed: u64) {
        if elapsed >= LONG {
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
        self.last = usage.cpu;
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
        burn(20 * LONG);
        let first = meter.failed(u64::MAX).unwrap();
        assert!(first.cpu >= 19 * LONG, "{first:?}");
        let second = meter.failed(u64::MAX).unwrap();
        assert!(second.cpu < 10 * LONG, "{second:?}");
        assert!(second.peak_memory > 100 * 1024, "{second:?}");
    }

    #[test]
    fn it_is_never_more_than_it_took() {
        let mut meter = Meter::new();
        burn(5 * LONG);
        assert_eq!(meter.failed(17).unwrap().cpu, 17);
    }

    #[test]
    fn a_long_job_before_is_taken_off_and_a_short_one_makes_no_reading() {
        let mut meter = Meter::new();
        burn(20 * LONG);
        let last = meter.last;
        meter.succeeded(LONG - 1);
        assert_eq!(meter.last, last);
        meter.succeeded(LONG);
        assert!(meter.last >= last + 19 * LONG);
        assert!(meter.failed(u64::MAX).unwrap().cpu < 10 * LONG);
    }
}
