//! How long jobs took, without reading the clock for each of the very short ones: reading it takes as long
//! as some of them.
//!
//! Jobs of less than half a microsecond that follow on each other are timed [`GROUP`] at a time: what a job
//! of the last group took is what each of the next is said to have taken, and the reading at its end puts the
//! difference right. A job that is not like the others is noticed by the ticks of the timekeeper, which are
//! read from memory: if there was one since the last reading, the clock is read, and the job that ended just
//! now has the time. So no job is said to have begun more than some microseconds from when it did, unless it
//! follows one that was longer than those before by less than a tick.

use super::clock;

/// Jobs that took so long, in nanoseconds, are timed one by one.
const SHORT: u64 = 500;

/// How many shorter ones are timed together.
const GROUP: u32 = 16;

/// The stopwatch of one run thread.
#[derive(Default)]
pub(super) struct Stopwatch {
    /// When the clock was last read, and how many ticks of the timekeeper there had been.
    read: u64,
    ticks: u64,
    /// Jobs that ended since.
    jobs: u32,
    /// How many are timed together, and how long each is taken to be.
    group: u32,
    each: u64,
    /// When the last job ended.
    ended: u64,
}

impl Stopwatch {
    /// The job that was started at `since` has ended: how long it took. `ticks` is zero if nobody counts
    /// them.
    pub(super) fn lap(&mut self, since: u64, ticks: u64) -> u64 {
        if since != self.ended {
            // There was a pause, and the clock was read at its end.
            (self.read, self.jobs) = (since, 0);
        }
        self.jobs += 1;
        if self.jobs < self.group && ticks == self.ticks && ticks != 0 {
            self.ended = since + self.each;
            return self.each;
        }
        let now = clock().max(since);
        self.each = now.saturating_sub(self.read) / u64::from(self.jobs);
        self.group = if self.each < SHORT { GROUP } else { 1 };
        (self.read, self.ticks, self.jobs, self.ended) = (now, ticks, 0, now);
        now - since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stopwatch that has found jobs to be very short.
    fn used(ticks: u64) -> Stopwatch {
        let mut stopwatch = Stopwatch::default();
        let since = clock();
        // However slow this machine is, it is to be one group.
        (stopwatch.group, stopwatch.each, stopwatch.ticks) = (GROUP, 10, ticks);
        (stopwatch.read, stopwatch.ended) = (since, since);
        stopwatch
    }

    #[test]
    fn very_short_jobs_share_a_reading_and_follow_on_each_other() {
        let mut stopwatch = used(7);
        let mut since = stopwatch.ended;
        for _ in 1..GROUP {
            assert_eq!(stopwatch.lap(since, 7), 10);
            since += 10;
        }
        let last = stopwatch.lap(since, 7);
        assert!(since + last <= clock(), "the last one ends when the clock says");
        assert_eq!(stopwatch.jobs, 0);
    }

    #[test]
    fn a_job_during_which_there_was_a_tick_has_its_own_time() {
        let mut stopwatch = used(7);
        let since = stopwatch.ended;
        while clock() < since + SHORT * u64::from(GROUP) {}
        let elapsed = stopwatch.lap(since, 8);
        assert!(elapsed >= SHORT * u64::from(GROUP));
        assert_eq!(stopwatch.group, 1, "the next ones may be like it");
    }

    #[test]
    fn without_ticks_the_clock_is_read_for_each() {
        let mut stopwatch = used(0);
        let since = stopwatch.ended;
        stopwatch.lap(since, 0);
        assert_eq!((stopwatch.jobs, stopwatch.ended), (0, stopwatch.read));
        assert!(stopwatch.read > since || clock() == since);
    }

    #[test]
    fn a_pause_is_nobodys_time() {
        let mut stopwatch = used(7);
        while clock() < stopwatch.ended + 1_000_000 {}
        let since = clock();
        for _ in 0..GROUP {
            let since = if stopwatch.jobs == 0 { since } else { stopwatch.ended };
            stopwatch.lap(since, 7);
        }
        assert!(stopwatch.each < 1_000_000, "{}", stopwatch.each);
    }
}
