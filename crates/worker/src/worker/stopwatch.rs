//! How long jobs took, without reading the clock for each of the very short ones: reading it takes as long
//! as some of them.
//!
//! Jobs of less than half a microsecond that follow on each other are timed [`GROUP`] at a time: what a job
//! of the last group took is what each of the next is said to have taken, and the reading at its end puts the
//! difference right. A job that is not like the others is noticed by the ticks of the timekeeper, which are
//! read from memory: if there was one since the last reading, the clock is read, and the job that ended just
//! now has the time. So no job is said to have begun more than 16 µs from when it did, unless it
//! follows one that was longer than those before by less than is between two ticks, 16 ms.

/// Jobs that took so long, in nanoseconds, are timed one by one.
const SHORT: u64 = 500;

/// How many shorter ones are timed together.
const GROUP: u32 = 32;

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
    /// them; `clock` is read if need be.
    #[inline]
    pub(super) fn lap(&mut self, since: u64, ticks: u64, clock: impl FnOnce() -> u64) -> u64 {
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

    /// What the clock says when all begins.
    const START: u64 = 1_000_000;

    /// A stopwatch that has found jobs to take 10 ns, and a tick, the seventh, that lasts.
    fn used() -> Stopwatch {
        let mut stopwatch = Stopwatch::default();
        assert_eq!(stopwatch.lap(START - 10, 7, || START), 10);
        assert_eq!((stopwatch.group, stopwatch.each), (GROUP, 10));
        stopwatch
    }

    fn unread() -> u64 {
        panic!("the clock was read")
    }

    /// The next job, begun when the last one ended, during which the clock need not be read.
    fn short(stopwatch: &mut Stopwatch) {
        assert_eq!(stopwatch.lap(stopwatch.ended, 7, unread), 10);
    }

    #[test]
    fn very_short_jobs_share_a_reading_that_puts_them_right() {
        let mut stopwatch = used();
        for _ in 1..GROUP {
            short(&mut stopwatch);
        }
        let all = 20 * u64::from(GROUP);
        let last = stopwatch.lap(stopwatch.ended, 7, || START + all);
        assert_eq!(last, all - 10 * u64::from(GROUP - 1), "what is left of the time of all");
        assert_eq!((stopwatch.each, stopwatch.ended), (20, START + all));
    }

    #[test]
    fn no_job_ends_before_it_began() {
        let mut stopwatch = used();
        for _ in 1..GROUP {
            short(&mut stopwatch);
        }
        assert_eq!(stopwatch.lap(stopwatch.ended, 7, || START + 1), 0);
        assert_eq!(stopwatch.ended, START + 10 * u64::from(GROUP - 1));
    }

    #[test]
    fn a_job_during_which_there_was_a_tick_has_its_own_time() {
        let mut stopwatch = used();
        short(&mut stopwatch);
        let elapsed = stopwatch.lap(stopwatch.ended, 8, || START + 2_000_000);
        assert_eq!(elapsed, 2_000_000 - 10);
        assert_eq!(stopwatch.group, 1, "the next ones may be like it");
    }

    #[test]
    fn without_ticks_the_clock_is_read_for_each() {
        let mut stopwatch = used();
        for n in 1..=3 {
            let now = START + 30 * n;
            assert_eq!(stopwatch.lap(stopwatch.ended, 0, || now), 30);
        }
    }

    #[test]
    fn a_pause_is_nobodys_time() {
        let mut stopwatch = used();
        let since = START + 60_000_000_000;
        assert_eq!(stopwatch.lap(since, 7, unread), 10);
        for _ in 2..GROUP {
            short(&mut stopwatch);
        }
        stopwatch.lap(stopwatch.ended, 7, || since + 10 * u64::from(GROUP));
        assert_eq!(stopwatch.each, 10);
    }
}
