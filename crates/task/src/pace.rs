//! Whether an input is slow, without reading the clock for each of its items: that takes longer than some
//! inputs take.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// An input that takes longer than this for an item is slow.
const SLOW: Duration = Duration::from_micros(200);

/// Of an input that takes less than this for an item, all items within one tick of the kernel's clock are
/// timed together; to see that tick takes a fourth of the time that it takes to read the clock.
const FAST: Duration = Duration::from_micros(1);

/// What the kernel's coarse clock says, in nanoseconds.
type Tick = i64;

/// The pace of one input.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the clock was last read, and the tick then.
    read: Instant,
    tick: Tick,
    /// How many items there were since.
    items: u32,
    fast: bool,
    slow: bool,
}

impl Pace {
    /// Of an input that has not been asked for anything.
    pub(crate) fn new() -> Self {
        Self { read: Instant::now(), tick: 0, items: 0, fast: false, slow: false }
    }

    /// Whether the last item took long.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow
    }

    /// When the clock was last read.
    pub(crate) fn read(&self) -> Instant {
        self.read
    }

    /// Whether the clock was read after the last item.
    pub(crate) fn is_news(&self) -> bool {
        self.items == 0
    }

    /// Whether something that was done at this time should be done again.
    pub(crate) fn is_due(&self, done: Instant) -> bool {
        self.slow || self.read.duration_since(done) > SLOW
    }

    /// The input is going to be asked, after a pause.
    pub(crate) fn resume(&mut self) {
        (self.read, self.tick, self.items) = (Instant::now(), tick(), 0);
    }

    /// It has given an item.
    #[inline]
    pub(crate) fn step(&mut self) {
        self.step_at(Instant::now, tick);
    }

    #[inline]
    fn step_at(&mut self, now: impl FnOnce() -> Instant, tick: impl FnOnce() -> Tick) {
        self.items += 1;
        if self.fast {
            let tick = tick();
            if tick == self.tick {
                return;
            }
            self.tick = tick;
        }
        self.look(now());
    }

    #[cold]
    fn look(&mut self, now: Instant) {
        let each = now.duration_since(self.read) / self.items;
        (self.fast, self.slow) = (each < FAST, each > SLOW);
        (self.read, self.items) = (now, 0);
    }
}

/// It goes on by some milliseconds at a time.
#[inline]
fn tick() -> Tick {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An input that was asked for the first time at `start`, and the time since then.
    struct Input {
        pace: Pace,
        start: Instant,
        since: Duration,
    }

    impl Input {
        fn new() -> Self {
            let pace = Pace::new();
            Self { start: pace.read, pace, since: Duration::ZERO }
        }

        /// It gives an item after so long; the coarse clock goes on every 4 ms.
        fn give(&mut self, after: Duration) {
            self.since += after;
            let tick = i64::try_from(self.since.as_millis() / 4).unwrap();
            self.pace.step_at(|| self.start + self.since, || tick);
        }
    }

    #[test]
    fn a_fast_input_is_timed_by_ticks() {
        let mut input = Input::new();
        for _ in 0..3 {
            input.give(Duration::from_nanos(100));
        }
        assert!(input.pace.fast && !input.pace.is_news());
        let read = input.pace.read();
        for _ in 0..30_000 {
            input.give(Duration::from_nanos(100));
            assert!(!input.pace.is_slow());
        }
        assert!(!input.pace.is_due(read), "3 ms");
        for _ in 0..20_000 {
            input.give(Duration::from_nanos(100));
        }
        assert!(input.pace.is_due(read), "5 ms");
    }

    #[test]
    fn an_item_that_takes_long_is_seen_at_once_and_the_next_one_that_does_not() {
        let mut input = Input::new();
        for _ in 0..1000 {
            input.give(Duration::from_nanos(100));
        }
        input.give(Duration::from_secs(1));
        assert!(input.pace.is_slow());
        input.give(2 * SLOW);
        assert!(input.pace.is_slow());
        input.give(SLOW / 2);
        assert!(!input.pace.is_slow());
    }

    #[test]
    fn a_pause_is_not_the_inputs() {
        let mut pace = Pace::new();
        pace.resume();
        let resumed = pace.read();
        pace.step_at(|| resumed + SLOW / 2, tick);
        assert!(!pace.is_slow());
    }
}
