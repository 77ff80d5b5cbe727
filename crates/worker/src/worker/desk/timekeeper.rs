//! The timekeeper's part of the desk: what it looks for, and how long it sleeps.

use std::time::Duration;

use brigade_protocol::id::Ticket;
use brigade_task::buffers;

use super::super::clock;
use super::{Desk, KEPT_BACK, State, TICK, Timekeeper};
use crate::sync::atomic::Ordering;

/// After so many looks without a packet the timekeeper sleeps until it is roused: as long as
/// packets keep coming, none of them has to wake it.
const QUIET_LOOKS: u32 = 2;

/// For so many looks a run thread that goes from job to job may leave the receiver alone.
const PATIENT_LOOKS: u32 = 1;

/// How long a first job may take before a stand-in is hired, if no other waits for it: when many workers
/// start at once, their first results are not to wait for threads that few of them need.
const NAP: Duration = Duration::from_millis(10);

/// When nothing has happened for so long, large buffers are not kept any more. A job of 64 MiB takes three times
/// as long without: so much memory is worth a few seconds.
const LINGER: Duration = Duration::from_secs(5);

/// What the timekeeper is to do next.
pub(in crate::worker) enum Errand {
    /// Send what there is.
    Send,
    /// Start the stand-in, which is wanted for the first time.
    HireStandIn,
}

impl Desk {
    /// Waits until there is something for the timekeeper to do.
    pub(in crate::worker) fn next_errand(&self, watch: &mut Watch) -> Errand {
        let mut state = self.lock();
        loop {
            self.ticks.store(watch.tick(), Ordering::Relaxed);
            let now = clock();
            let due = state.pending.oldest().map(|ended| ended + KEPT_BACK);
            if !state.owed.is_empty() || due.is_some_and(|due| due <= now) {
                return Errand::Send;
            }
            if watch.misses_a_receiver(&state) {
                if !watch.has_stand_in {
                    return Errand::HireStandIn;
                }
                state.stand_in_wanted = true;
                self.stand_in.notify_one();
            }
            let (may_sleep, may_nap) = (watch.may_sleep(&state), watch.may_nap(&state));
            if due.is_none() && (may_sleep || may_nap) {
                state.timekeeper = Timekeeper::Asleep;
                self.ticks.store(0, Ordering::Relaxed);
                let patience = if !may_sleep {
                    NAP
                } else if buffers::are_kept() {
                    LINGER
                } else {
                    Duration::MAX
                };
                let is_over;
                (state, is_over) = self.wait_at_most(&self.rouse, state, patience);
                state.timekeeper = Timekeeper::Awake;
                if is_over && may_sleep {
                    // Not under the lock: it takes the system some time.
                    drop(state);
                    buffers::release();
                    state = self.lock();
                }
            } else {
                let pause = watch.pause();
                let patience = due.map_or(pause, |due| pause.min(due - now));
                let patience = Duration::from_nanos(patience);
                state = self.wait_at_most(&self.rouse, state, patience).0;
            }
        }
    }
}

/// What the timekeeper remembers from look to look.
#[derive(Default)]
pub(in crate::worker) struct Watch {
    received: u64,
    /// What ran at the last look.
    running: Vec<Ticket>,
    /// Whether the same ran at the look before.
    unchanged: bool,
    /// Whether other jobs ran then.
    goes_on: bool,
    /// Looks since a packet came.
    quiet: u32,
    ticks: u64,
    has_stand_in: bool,
}

impl Watch {
    /// Counts one look.
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// Notes that there is a stand-in now.
    pub(in crate::worker) fn hired(&mut self) {
        self.has_stand_in = true;
    }

    /// Whether all run threads have been busy since the last look, with nobody receiving. One that has ended a job
    /// meanwhile is likely to receive by itself: a frame of short ones is done when it is looked at again.
    fn misses_a_receiver(&mut self, state: &State) -> bool {
        let news = std::mem::replace(&mut self.received, state.received) != state.received;
        self.quiet = if news { 0 } else { self.quiet.saturating_add(1) };
        self.unchanged = self.running == state.running;
        self.goes_on = !self.unchanged && !self.running.is_empty();
        self.running.clone_from(&state.running);
        let is_stuck = (self.quiet > 0 && self.unchanged) || self.quiet > PATIENT_LOOKS;
        is_stuck && state.receiver.is_some() && !state.running.is_empty() && state.idle == 0
    }

    /// How long until the next look, in nanoseconds. Each takes the processor from a job, so there are half as many where
    /// one job follows on the other: somebody will soon be done and receive.
    fn pause(&self) -> u64 {
        if self.goes_on { 2 * TICK } else { TICK }
    }

    /// Whether there is nothing to be read behind the first call, as far as is known.
    fn may_nap(&self, state: &State) -> bool {
        !self.has_stand_in && state.received <= 1 && state.queue.is_empty()
    }

    /// Whether nothing can come to need it without rousing it. While it sleeps, the clock is read for each job: so as
    /// long as there are short ones, it does not.
    fn may_sleep(&self, state: &State) -> bool {
        if state.running.is_empty() {
            return self.quiet > QUIET_LOOKS;
        }
        self.unchanged && (state.receiver.is_none() || state.stand_in_wanted)
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;
    use brigade_protocol::ipc_channel::ipc::bytes_channel;

    use super::super::super::wire::Wire;
    use super::*;

    fn desk() -> Desk {
        let (to_supervisor, _) = bytes_channel().unwrap();
        let (_, receiver) = bytes_channel().unwrap();
        Desk::new(receiver, Wire::new(to_supervisor))
    }

    #[test]
    fn it_sleeps_while_a_job_lasts_that_the_stand_in_receives_for_but_not_while_short_ones_end() {
        let desk = desk();
        let (mut state, mut watch) = (desk.lock(), Watch::default());
        state.receiver = None;
        for (job, may_sleep) in [(1, false), (2, false), (3, false), (3, true), (4, false)] {
            state.running = vec![JobId(job).into()];
            watch.misses_a_receiver(&state);
            assert_eq!(watch.may_sleep(&state), may_sleep, "job {job}");
        }
    }

    #[test]
    fn who_goes_on_to_other_jobs_has_until_the_next_look_but_one_to_receive() {
        let desk = desk();
        let (mut state, mut watch) = (desk.lock(), Watch::default());
        // What is seen at each look: how many packets have come, which job runs, whether somebody is missed, and after
        // how many ticks it looks again.
        for (received, job, is_missed, ticks) in [
            (1, 1, false, 1),
            (1, 1, true, 1),
            (2, 1, false, 1),
            (2, 2, false, 2),
            (2, 3, true, 2),
            (3, 3, false, 1),
            (3, 4, false, 2),
            (3, 4, true, 1),
        ] {
            state.received = received;
            state.running = vec![JobId(job).into()];
            let seen = (watch.misses_a_receiver(&state), watch.pause() / TICK);
            assert_eq!(seen, (is_missed, ticks), "{received} packets, job {job}");
        }
        state.idle = 1;
        assert!(!watch.misses_a_receiver(&state), "who is idle receives");
        (state.idle, state.receiver) = (0, None);
        assert!(!watch.misses_a_receiver(&state), "somebody does");
    }
}
