//! When a run of plain calls that has begun is taken: at once, or a moment later, so that more can join it.
//!
//! A run costs the loop, a reader and a worker as much as a few hundred very short jobs do, whatever is in it. Who
//! submits one job after the other is slower than all of these together: taken at once, each run would hold a few
//! jobs. So where the last one held many, the next is left to grow (Nagle's algorithm, RFC 896, keeps small
//! packets back likewise). A job that comes after a pause is never kept back; one that somebody submits alone while
//! others submit many may be, with theirs.

use std::time::{Duration, Instant};

/// How long a run is left to grow.
const MOMENT: Duration = Duration::from_micros(100);

/// So many calls in a run say that more are being submitted.
const MANY: u32 = 32;

/// The run that has begun and has not been taken, if there is one.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// When the last run was taken, if it held many.
    busy: Option<Instant>,
    /// When the one that is held is to be taken.
    due: Option<Instant>,
}

impl Hold {
    /// A run has begun: whether it is to be taken at once.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_busy = self.busy.is_some_and(|taken| now < taken + 2 * MOMENT);
        self.due = is_busy.then(|| now + MOMENT);
        !is_busy
    }

    /// When the run that is held is to be taken.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A run with so many calls was taken.
    pub(super) fn taken(&mut self, now: Instant, calls: u32) {
        self.busy = (calls >= MANY).then_some(now);
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_on_many_is_held() {
        let (mut hold, mut now) = (Hold::default(), Instant::now());
        for (pause, calls, at_once) in [
            (Duration::ZERO, 1, true),
            (Duration::ZERO, MANY - 1, true),
            (Duration::ZERO, MANY, true),
            (MOMENT, MANY, false),
            (MOMENT, 1, false),
            (MOMENT, MANY, true),
            (2 * MOMENT, MANY, true),
        ] {
            now += pause;
            assert_eq!(hold.begin(now), at_once, "{calls} calls after {pause:?}");
            assert_eq!(hold.due(), (!at_once).then(|| now + MOMENT));
            hold.taken(now, calls);
            assert_eq!(hold.due(), None);
        }
    }
}
