//! The pool's clock: time since it began, standing still while the pool is paused.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::scheduler::Time;

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock that workers write on the scoreboard.
pub(super) fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC");
    u64::try_from(Duration::from(now).as_nanos()).expect("no machine is up for 584 years")
}

/// See the [module documentation](self).
pub(super) struct Clock {
    origin: u64,
    /// Spans of `CLOCK_MONOTONIC` in which the clock stood still, oldest first.
    pauses: Vec<(u64, u64)>,
    paused_at: Option<u64>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { origin: monotonic(), pauses: Vec::new(), paused_at: None }
    }

    pub(super) fn now(&self) -> Time {
        self.at(self.paused_at.unwrap_or_else(monotonic))
    }

    /// The pool's time at a moment of `CLOCK_MONOTONIC`; a moment before the pool counts as its
    /// beginning.
    pub(super) fn at(&self, moment: u64) -> Time {
        let paused: u64 = self.pauses.iter().map(|&(from, to)| moment.clamp(from, to) - from).sum();
        Duration::from_nanos(moment.saturating_sub(self.origin).saturating_sub(paused))
    }

    pub(super) fn pause(&mut self) {
        self.paused_at.get_or_insert_with(monotonic);
    }

    pub(super) fn resume(&mut self) {
        if let Some(from) = self.paused_at.take() {
            self.pauses.push((from, monotonic()));
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut clock = Clock { origin: 1000, pauses: vec![(2000, 3000)], paused_at: None };
        assert_eq!(clock.at(500), Duration::ZERO);
        assert_eq!(clock.at(2000), Duration::from_micros(1));
        assert_eq!(clock.at(2500), Duration::from_micros(1));
        assert_eq!(clock.at(3500), Duration::from_nanos(1500));
        clock.paused_at = Some(4000);
        assert_eq!(clock.now(), Duration::from_micros(2));
    }
}
