//! Whether this worker has grown larger than it may be: looked at after jobs, said once.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

use crate::sync::atomic::{AtomicU64, Ordering};

/// How long, in nanoseconds, after a look there is no other: it takes some microseconds.
const PAUSE: u64 = 10_000_000;

/// The bound, and when it is looked at next.
pub(super) struct Growth {
    /// In pages.
    most: Option<u64>,
    next_look: AtomicU64,
}

impl Growth {
    /// With a bound in bytes, or none.
    pub(super) fn new(most: Option<u64>) -> Self {
        Self { most: most.map(|most| most / page_size()), next_look: AtomicU64::new(0) }
    }

    /// Looks, if there is a bound and it is time, whether the supervisor must be told now. True once
    /// at most. Without a bound it costs nothing.
    #[inline]
    pub(super) fn is_news(&self, now: u64) -> bool {
        self.most.is_some_and(|most| self.is_beyond(most, now))
    }

    fn is_beyond(&self, most: u64, now: u64) -> bool {
        let due = self.next_look.load(Ordering::Relaxed);
        if now < due {
            return false;
        }
        // Of several run threads one looks.
        let next = now.saturating_add(PAUSE);
        if !self.postpone(due, next) {
            return false;
        }
        let is_larger = resident_pages().is_some_and(|pages| pages > most);
        is_larger && self.postpone(next, u64::MAX)
    }

    fn postpone(&self, from: u64, to: u64) -> bool {
        self.next_look.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// The second number of `statm`. What cannot be read is no reason to end.
fn resident_pages() -> Option<u64> {
    let sizes = fs::read_to_string("/proc/self/statm").ok()?;
    sizes.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_once() {
        let growth = Growth::new(Some(1));
        assert!(growth.is_news(0));
        assert!(!growth.is_news(u64::MAX - 1));
    }

    #[test]
    fn it_is_looked_at_now_and_then() {
        let growth = Growth::new(Some(u64::MAX));
        assert!(!growth.is_news(5));
        assert_eq!(growth.next_look.load(Ordering::Relaxed), 5 + PAUSE);
        assert!(!growth.is_news(4 + PAUSE));
        assert_eq!(growth.next_look.load(Ordering::Relaxed), 5 + PAUSE, "too early");
    }

    #[test]
    fn without_a_bound_it_is_never_looked_at() {
        let growth = Growth::new(None);
        assert!(!growth.is_news(5));
        assert_eq!(growth.next_look.load(Ordering::Relaxed), 0);
    }
}
