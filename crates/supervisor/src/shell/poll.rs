//! How the loop waits for its next message: awake for a moment, if that paid the last time, and asleep after it.
//!
//! To wake a sleeping thread takes 5 to 20 µs, more than anything else in the round trip of a short job, and the
//! loop is woken twice in each. So it goes on looking for as long as such a trip takes, if its last wait was no
//! longer (KVM polls before it halts a processor by the same rule: `halt_poll_ns`, Tosatti, 2015). It looks only
//! while nobody else wants its processor: where another thread ran meanwhile, it sleeps at once.

use std::thread;
use std::time::{Duration, Instant};

use crate::sync::channel::{Receiver, RecvTimeoutError};

/// The longest time for which it looks.
const MOMENT: Duration = Duration::from_micros(50);

/// When to yield the processor takes so long, another thread had it.
const SWITCH: Duration = Duration::from_micros(4);

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Poll {
    /// The last wait was short.
    pays: bool,
}

impl Poll {
    /// Waits for a message, at most so long if that is given.
    pub(super) fn receive<M>(
        &mut self,
        receiver: &Receiver<M>,
        patience: Option<Duration>,
    ) -> Result<M, RecvTimeoutError> {
        let begin = Instant::now();
        let found = if self.pays {
            look(|| receiver.try_recv().ok(), thread::yield_now, || begin.elapsed())
        } else {
            None
        };
        let result = match (found, patience) {
            (Some(message), _) => Ok(message),
            (None, Some(patience)) => receiver.recv_timeout(patience),
            (None, None) => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        self.pays = begin.elapsed() < MOMENT;
        result
    }
}

/// Looks for a moment, or until another thread wants the processor.
fn look<M>(
    mut find: impl FnMut() -> Option<M>,
    mut give_way: impl FnMut(),
    mut elapsed: impl FnMut() -> Duration,
) -> Option<M> {
    let mut before = elapsed();
    while before < MOMENT {
        if let Some(found) = find() {
            return Some(found);
        }
        give_way();
        let now = elapsed();
        if now.saturating_sub(before) > SWITCH {
            break;
        }
        before = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it looks for what comes at the given look, if each takes so long; and whether it finds it.
    fn looks(comes: u32, each: Duration) -> (u32, bool) {
        let (mut looks, mut time) = (0, Duration::ZERO);
        let find = || {
            looks += 1;
            (looks == comes).then_some(())
        };
        let elapsed = || {
            time += each;
            time
        };
        let found = look(find, || (), elapsed).is_some();
        (looks, found)
    }

    #[test]
    fn it_finds_what_comes_soon() {
        assert_eq!(looks(1, Duration::from_micros(1)), (1, true));
        assert_eq!(looks(30, Duration::from_micros(1)), (30, true));
    }

    #[test]
    fn it_looks_for_a_moment_only() {
        assert_eq!(looks(u32::MAX, Duration::from_micros(1)), (49, false));
        assert_eq!(looks(u32::MAX, SWITCH), (12, false));
    }

    #[test]
    fn it_sleeps_where_another_wants_the_processor() {
        assert_eq!(looks(2, SWITCH + Duration::from_nanos(1)), (1, false));
    }
}
