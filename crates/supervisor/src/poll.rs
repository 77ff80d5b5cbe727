//! How the loop waits for its next message, and a client for its result: awake for a moment, if that paid the last
//! time, and asleep after it.
//!
//! To wake a sleeping thread takes 5 µs on one machine and 100 on another, where the processor itself has been halted
//! and a host must resume it. That is more than anything else in the round trip of a short job, and without this
//! there would be five such waits in each. So who waits goes on looking for as long as a trip takes on the slowest of
//! these machines, if the last wait was no longer (KVM polls before it halts a processor by the same rule and for as
//! long: `halt_poll_ns`, Tosatti, 2015). It looks only while a processor is to spare, and nobody who computes wants its
//! own: where somebody did meanwhile, it sleeps at once. The latter alone does not do, for a scheduler may go on
//! with who has yielded though others wait.

use std::thread;
use std::time::{Duration, Instant};

/// The longest time for which it looks.
const MOMENT: Duration = Duration::from_micros(200);

/// When to yield the processor takes longer, a thread had it that computes. Those of the trip, the worker and who hears
/// it, take less of it at a time.
const SWITCH: Duration = Duration::from_micros(40);

/// What one thread has learned of its waits. See the [module documentation](self).
#[derive(Debug, Default)]
pub(crate) struct Poll {
    /// The last wait was short.
    pays: bool,
}

impl Poll {
    /// Waits until it finds something: with `find` as long as it looks, if a processor is to spare for that, and then
    /// with `sleep`, which is told what is left of its patience, and may return without having found anything when
    /// nothing is left.
    pub(crate) fn wait<R>(
        &mut self,
        spare: bool,
        patience: Option<Duration>,
        find: impl FnMut() -> Option<R>,
        sleep: impl FnOnce(Option<Duration>) -> R,
    ) -> R {
        let begin = Instant::now();
        let moment = patience.unwrap_or(MOMENT).min(MOMENT);
        let found = if self.pays && spare {
            look(moment, find, thread::yield_now, || begin.elapsed())
        } else {
            None
        };
        let result = found.unwrap_or_else(|| {
            sleep(patience.map(|patience| patience.saturating_sub(begin.elapsed())))
        });
        self.pays = begin.elapsed() < MOMENT;
        result
    }
}

/// Looks for a moment, or until a thread that computes wants the processor.
fn look<R>(
    moment: Duration,
    mut find: impl FnMut() -> Option<R>,
    mut give_way: impl FnMut(),
    mut elapsed: impl FnMut() -> Duration,
) -> Option<R> {
    let mut before = elapsed();
    while before < moment {
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
        let found = look(MOMENT, find, || (), elapsed).is_some();
        (looks, found)
    }

    #[test]
    fn it_finds_what_comes_soon() {
        assert_eq!(looks(1, Duration::from_micros(1)), (1, true));
        assert_eq!(looks(30, Duration::from_micros(1)), (30, true));
    }

    #[test]
    fn it_looks_for_a_moment_only() {
        assert_eq!(looks(u32::MAX, Duration::from_micros(1)), (199, false));
        assert_eq!(looks(u32::MAX, SWITCH), (4, false));
    }

    #[test]
    fn it_sleeps_where_another_computes() {
        assert_eq!(looks(2, SWITCH + Duration::from_nanos(1)), (1, false));
    }

    #[test]
    fn it_looks_only_where_the_last_wait_was_short() {
        let found = |poll: &mut Poll| poll.wait(true, None, || Some("awake"), |_| "asleep");
        assert_eq!(found(&mut Poll { pays: false }), "asleep");
        let mut poll = Poll { pays: true };
        assert_eq!(found(&mut poll), "awake");
        assert_eq!(poll.wait(false, None, || Some("awake"), |_| "asleep"), "asleep");
        assert_eq!(found(&mut poll), "awake");
        poll.wait(true, None, || None, |_| thread::sleep(MOMENT));
        assert_eq!(found(&mut poll), "asleep");
    }

    #[test]
    fn it_looks_no_longer_than_it_has_patience() {
        let left = Poll { pays: true }.wait(true, Some(Duration::ZERO), || Some(None), |left| left);
        assert_eq!(left, Some(Duration::ZERO));
    }
}
