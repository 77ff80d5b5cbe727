//! A simulated worker: its queue, its run threads, its page of the scoreboard, its unsent replies.

use std::collections::VecDeque;

use super::super::*;
use super::prelude::*;

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a world keeps every fact apart, to compare")]
pub(super) struct Process {
    pub(super) slot: u32,
    pub(super) ready: bool,
    pub(super) killed: bool,
    pub(super) told_to_stop: bool,
    pub(super) recalled: bool,
    pub(super) grown: bool,
    pub(super) queue: VecDeque<Call>,
    pub(super) frames: Vec<(u64, u64)>,
    pub(super) running: Vec<Call>,
    pub(super) lanes: Vec<Lane>,
    pub(super) unreported: VecDeque<(Call, bool)>,
    /// How many jobs it was given and has not given back.
    pub(super) given: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) seq: Seq,
    pub(super) ticket: Ticket,
    /// The place of the first of the run in which it came.
    pub(super) run: Seq,
    pub(super) since: Time,
    /// It waits for other jobs.
    pub(super) waits: bool,
}

impl Call {
    /// Whether it came with another in one run, so many places behind it.
    fn follows(&self, first: &Call, place: u32) -> bool {
        let run = Run { first: first.ticket, count: place + 1 };
        self.run == first.run && run.place(self.ticket) == Some(place)
    }
}

impl Process {
    pub(super) fn holds(&self, job: JobId) -> bool {
        let unreported = self.unreported.iter().map(|(call, _)| call);
        let mut calls = self.queue.iter().chain(&self.running).chain(unreported);
        calls.any(|call| call.ticket.job == job)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.running.is_empty() && self.unreported.is_empty()
    }

    pub(super) fn can_start(&self) -> bool {
        self.ready && !self.queue.is_empty() && self.running.len() < self.lanes.len()
    }

    pub(super) fn start(&mut self, now: Time) {
        let Some(mut call) = self.queue.pop_front() else { return };
        call.since = now;
        let lane = self.lanes.iter_mut().find(|lane| lane.running().is_none());
        let lane = lane.expect("a run thread is free");
        (lane.started, lane.since) = (call.seq, now);
        self.running.push(call);
    }

    pub(super) fn can_finish(&self) -> bool {
        self.running.iter().any(|call| !call.waits)
    }

    pub(super) fn finish(&mut self, well: bool) {
        let index = self.running.iter().position(|call| !call.waits);
        self.end(index.expect("one does not wait"), well);
    }

    /// What was started last has been run, and well.
    pub(super) fn finish_last(&mut self) {
        self.end(self.running.len() - 1, true);
    }

    fn end(&mut self, index: usize, well: bool) {
        let call = self.running.remove(index);
        let lane = self.lanes.iter_mut().find(|lane| lane.started == call.seq);
        lane.expect("it runs in a lane").finished = call.seq;
        self.unreported.push_back((call, well));
    }

    pub(super) fn give_back(&mut self) -> Vec<Ticket> {
        self.recalled = false;
        self.given -= self.queue.len() as u64;
        self.queue.drain(..).map(|call| call.ticket).collect()
    }

    /// Takes replies that travel together: up to so many, all of one run, all good, or a single one.
    pub(super) fn take_unreported(&mut self, most: usize) -> Vec<(Call, bool)> {
        let Some(&(first, well)) = self.unreported.front() else { return Vec::new() };
        let follow = self.unreported.iter().zip(0..).take_while(|((call, good), place)| {
            *place == 0 || (well && *good && call.follows(&first, *place))
        });
        let count = follow.take(most.max(1)).count();
        self.unreported.drain(..count).collect()
    }

    /// With one run thread at most two frames are with a worker, or what the user allows.
    pub(super) fn check_load(&self, config: &Config) {
        let calls = self.queue.len() + self.running.len() + self.unreported.len();
        if let Prefetch::AtMost(most) = config.prefetch {
            assert!(calls <= usize::from(config.threads) + most as usize, "{calls} calls held");
        }
        assert!(config.max_jobs.is_none_or(|most| self.given <= most), "{} jobs given", self.given);
        let pending = |(first, last): &&(u64, u64)| {
            let unreported = self.unreported.iter().map(|(call, _)| call);
            let mut calls = self.queue.iter().chain(&self.running).chain(unreported);
            calls.any(|call| (*first..=*last).contains(&call.seq.0))
        };
        if config.threads == 1 {
            assert!(self.frames.iter().filter(pending).count() <= 2, "three frames under way");
        }
    }
}
