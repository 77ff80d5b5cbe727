//! Which jobs go to which worker, and how many travel together.
//!
//! Long jobs travel alone: one runs, at most one waits. Short ones travel in frames of some
//! milliseconds of work, by an estimate for each task that starts at one job and doubles with every
//! full frame that came back. While the end is in sight no frame holds more than
//! `remaining / (2 × workers)` (guided self-scheduling: Polychronopoulos and Kuck, 1987), so that the
//! workers finish together; unless that is less work than is worth sending. Of jobs too
//! short to wait for anything a frame is as large as if there were no more workers than processors: more would
//! only take turns. A job that must not be lost (at-most-once) or that has cost a worker has its frame for
//! itself.

use std::time::Duration;

use brigade_protocol::codec::{MESSAGE_BUDGET, OVERHEAD, OVERHEAD_IN_RUN, fits_inline};
use brigade_protocol::id::{Run, SlotId, TaskId, WorkerId};
use rustc_hash::FxHashMap;

use super::jobs::{Jobs, Next};
use super::worker::Worker;
use super::{Action, Phase, Prefetch, Scheduler, Server, Slot, Time};

/// The work that a frame should hold. There are a dozen changes from thread to thread for each frame, which
/// cost 100 to 250 µs where all processors are busy: of one millisecond a tenth or more, of sixteen a hundredth.
/// So much is sent at once only if there is as much for each worker.
const FRAME_WORK: Duration = Duration::from_millis(16);
/// Less work than this is not divided among workers: a single job there and back takes nearly half as long.
const GRAIN: Duration = Duration::from_micros(100);
/// What waits for something, the network or a disk, takes longer: two changes from thread to thread at the least.
const SHORTEST_WAIT: Duration = Duration::from_micros(10);
/// The most jobs in a frame.
const MOST_JOBS: usize = 4096;
/// What a message costs in the channel's buffer beyond its bytes.
const FRAME_COST: usize = 2048;
/// What may be under way to a worker, so that sending never blocks.
const MOST_UNDER_WAY: usize = 2 * (MESSAGE_BUDGET + FRAME_COST);
/// What may be under way beside arguments that travel in parts, of which two at a time are sent.
const MOST_BESIDE_PARTS: usize = MESSAGE_BUDGET + FRAME_COST;
/// How many workers may be asked of the fork server at once, so that its channel is never full.
const MOST_STARTING: usize = 64;

/// How long the jobs of each task take, and how many of them may travel together.
#[derive(Debug, Default)]
pub(super) struct Batches {
    tasks: FxHashMap<TaskId, Batch>,
}

#[derive(Debug)]
struct Batch {
    /// A moving mean of durations: Jacobson's, with a gain of 1/8.
    mean: Duration,
    /// The largest frame so far allowed.
    most: usize,
    /// Its jobs wait for others: what would travel behind one had to come back.
    waits: bool,
}

impl Batches {
    /// Learns from a job that took this long; `frame` is the size of its frame if it completed it.
    pub(super) fn learn(&mut self, task: TaskId, took: Duration, frame: Option<usize>) {
        let batch = self.tasks.entry(task).or_insert(Batch { mean: took, most: 1, waits: false });
        batch.mean = (batch.mean * 7 + took) / 8;
        let is_short = batch.mean < FRAME_WORK && !batch.waits;
        if frame.is_some_and(|size| size >= batch.most) && is_short {
            batch.most = (batch.most * 2).min(MOST_JOBS);
        }
    }

    /// Learns that jobs of this task wait for others: from now on they travel alone.
    pub(super) fn learn_wait(&mut self, task: TaskId) {
        let unknown = Batch { mean: FRAME_WORK, most: 1, waits: true };
        let batch = self.tasks.entry(task).or_insert(unknown);
        (batch.most, batch.waits) = (1, true);
    }

    /// Whether jobs of this task wait for others.
    fn waits(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|batch| batch.waits)
    }

    /// How many jobs are not worth dividing: none of a task that nothing is known of.
    fn grain(&self, task: TaskId) -> usize {
        let (expected, most) = self.expect(task);
        let grain = GRAIN.as_nanos() / expected.as_nanos().max(1);
        usize::try_from(grain).unwrap_or(usize::MAX).min(most)
    }

    /// Whether jobs of this task are so short that they wait for nothing but a processor.
    fn needs_processor(&self, task: TaskId) -> bool {
        self.expect(task).0 < SHORTEST_WAIT
    }

    /// The largest frame now allowed for any task.
    pub(super) fn largest(&self) -> usize {
        self.tasks.values().map(|batch| batch.most).max().unwrap_or(1)
    }

    /// The expected duration of a job, and the size its frame may have.
    fn expect(&self, task: TaskId) -> (Duration, usize) {
        self.tasks.get(&task).map_or((FRAME_WORK, 1), |batch| (batch.mean, batch.most))
    }
}

impl Scheduler {
    /// Whether fewer workers have something to run than there are processors.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use brigade_protocol::id::{JobId, TaskId, WorkerId};
    /// # use brigade_supervisor::scheduler::*;
    /// # let restarts = RestartIntensity::of(2);
    /// # let config = Config {
    /// #     slots: 2, threads: 1, most_waiting: 8, can_kill: true, prefetch: Prefetch::Auto, restarts,
    /// #     start_timeout: Duration::from_secs(4), server_restarts: restarts, processors: 1, batch: 100, max_jobs: None,
    /// # };
    /// # let (limits, parent) = (Limits::default(), None);
    /// # let job = JobSpec { job: JobId(1), count: 1, task: TaskId(0), size: 8, plain: None, limits, parent };
    /// # let mut scheduler = Scheduler::new(config);
    /// # let _ = scheduler.handle(Time::ZERO, []);
    /// # for worker in [WorkerId(0), WorkerId(1)] {
    /// #     let _ = scheduler.handle(Time::ZERO, [Event::Spawned(worker), Event::WorkerReady(worker)]);
    /// # }
    /// assert!(scheduler.has_spare_processor());
    /// let _ = scheduler.handle(Time::ZERO, [Event::Submitted(job)]);
    /// assert!(!scheduler.has_spare_processor());
    /// ```
    pub fn has_spare_processor(&self) -> bool {
        let processors = self.config.processors;
        self.workers().filter(|worker| worker.load() > 0).take(processors).count() < processors
    }

    /// Gives work to workers, idle ones first, and fills vacant slots.
    pub(super) fn fill(&mut self, now: Time, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Running | Phase::Draining) {
            return;
        }
        for want in [Self::want_now, Self::want_later] {
            for seat in 0..self.slots.len() {
                while self.jobs.queued() > 0 && self.permits[seat] {
                    let most = want(self, seat);
                    if most == 0 || !self.dispatch(now, seat, most, actions) {
                        break;
                    }
                }
            }
        }
        self.spawn(now, actions);
    }

    /// How many jobs to send to this worker because it has nothing to run.
    fn want_now(&mut self, seat: usize) -> usize {
        let Slot::Taken(worker) = &self.slots[seat] else { return 0 };
        let threads = usize::from(self.config.threads);
        let idle = threads.saturating_sub(worker.load());
        if !worker.takes_work() || idle == 0 {
            return 0;
        }
        let room = self.prefetch_room(worker);
        let fair_share = self.jobs.queued().div_ceil(self.sharers());
        idle.min(fair_share).max(self.guided()).min(room).max(1)
    }

    /// How many jobs to send to this worker ahead of time.
    fn want_later(&mut self, seat: usize) -> usize {
        // Ahead of time only what does not wait: the worker that ends a wait is to go on with what is on
        // top of the stack then.
        let next = self.jobs.peek();
        if next.is_none_or(|next| self.batches.waits(next.task)) {
            return 0;
        }
        let Slot::Taken(worker) = &self.slots[seat] else { return 0 };
        let threads = usize::from(self.config.threads);
        let full = if threads == 1 { worker.frames() >= 2 } else { worker.load() >= 2 * threads };
        if !worker.takes_work() || full {
            return 0;
        }
        let room = self.prefetch_room(worker);
        self.guided().min(room)
    }

    /// Guided self-scheduling. While the input is open, more will come: then it is a fair share of what is
    /// there now, so that no worker is left without.
    fn guided(&mut self) -> usize {
        let (queued, sharers) = (self.jobs.queued(), self.sharers());
        let share = if self.inputs > 0 { queued.div_ceil(sharers) } else { queued / (2 * sharers) };
        share.max(self.jobs.peek().map_or(0, |next| self.batches.grain(next.task)))
    }

    /// Into how many shares jobs like the next one are divided.
    fn sharers(&mut self) -> usize {
        let slots = self.config.slots as usize;
        let needs_processor =
            self.jobs.peek().is_some_and(|next| self.batches.needs_processor(next.task));
        if needs_processor { slots.min(self.config.processors) } else { slots }
    }

    /// How many more jobs the user lets this worker hold, and travel together.
    fn prefetch_room(&self, worker: &Worker) -> usize {
        let room = match self.config.prefetch {
            Prefetch::Auto => MOST_JOBS,
            Prefetch::AtMost(most) => {
                (usize::from(self.config.threads) + most as usize).saturating_sub(worker.load())
            }
        };
        room.min(worker.jobs_left()).min(self.config.batch)
    }

    /// Sends a frame of up to `most` jobs. False if there is no room under way.
    fn dispatch(&mut self, now: Time, seat: usize, most: usize, actions: &mut Vec<Action>) -> bool {
        let Slot::Taken(worker) = &mut self.slots[seat] else { return false };
        let idle = usize::from(self.config.threads).saturating_sub(worker.load());
        let (under_way, parts) = worker.under_way();
        let most_under_way = if parts { MOST_BESIDE_PARTS } else { MOST_UNDER_WAY };
        let room = most_under_way.saturating_sub(under_way + FRAME_COST).min(MESSAGE_BUDGET);
        let parts_fit = under_way + FRAME_COST <= MOST_BESIDE_PARTS;
        let mut frame = Frame { most, idle, room, parts_fit, ..Frame::default() };
        frame.gather(&mut self.jobs, &self.batches, worker.id);
        if frame.runs.is_empty() {
            return false;
        }
        let check_at = frame.timeout.map(|timeout| now.saturating_add(timeout));
        worker.check_at = worker.check_at.into_iter().chain(check_at).min();
        let first = worker.hold(now, &frame.runs, frame.bytes + FRAME_COST, frame.in_parts);
        actions.push(Action::Dispatch(worker.id, first, frame.runs));
        true
    }

    /// Asks for workers for the vacant slots, if there is or may come something to do.
    fn spawn(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.server != Server::Up || !self.wants_workers() {
            return;
        }
        let deadline = now.saturating_add(self.config.start_timeout);
        let mut starting = self.workers().filter(|worker| worker.is_unspawned()).count();
        let wanted = self.wanted_now();
        // A worker that makes up for a blocked one takes a seat beyond the slots.
        while self.slots.len() < wanted {
            self.slots.push(Slot::Vacant { until: Time::ZERO });
        }
        let mut missing = wanted.saturating_sub(self.workers().count());
        for (seat, slot) in self.slots.iter_mut().enumerate() {
            let is_due = matches!(slot, Slot::Vacant { until } if *until <= now);
            if missing > 0 && starting < MOST_STARTING && is_due {
                missing -= 1;
                starting += 1;
                self.jobs.statistics.workers_started += 1;
                let id = WorkerId(self.next_worker);
                self.next_worker += 1;
                *slot = Slot::Taken(Worker::starting(id, deadline, self.config.max_jobs));
                self.seats.insert(id, seat);
                let slot = SlotId(u32::try_from(seat).expect("slots are counted in u32"));
                actions.push(Action::Spawn(id, slot));
            }
        }
    }

    /// How many workers there are to be: for each slot one, and if there is something to run, one for each
    /// that is blocked.
    pub(super) fn wanted_now(&self) -> usize {
        if self.jobs.queued() > 0 { self.wanted() } else { self.config.slots as usize }
    }

    /// Whether a vacant slot is to be filled.
    pub(super) fn wants_workers(&self) -> bool {
        match self.phase {
            Phase::Running => true,
            Phase::Draining => self.jobs.queued() > 0,
            Phase::Stopping { .. } | Phase::Aborting | Phase::GaveUp(_) => false,
        }
    }
}

/// A frame being filled.
#[derive(Default)]
struct Frame {
    most: usize,
    /// Run threads that have nothing to do: a job for each is not a matter of estimates.
    idle: usize,
    room: usize,
    /// Arguments that travel in parts may be sent now.
    parts_fit: bool,
    runs: Vec<Run>,
    /// How many jobs these are.
    count: usize,
    /// What it takes of a message.
    bytes: usize,
    /// What it takes if its jobs are called one by one.
    loose: usize,
    /// Its only job's arguments travel in parts.
    in_parts: bool,
    /// Its only job must have it for itself.
    alone: bool,
    work: Duration,
    timeout: Option<Duration>,
}

impl Frame {
    fn gather(&mut self, jobs: &mut Jobs, batches: &Batches, worker: WorkerId) {
        while let Some(next) = jobs.peek() {
            let (expected, most) = batches.expect(next.task);
            let waits = batches.waits(next.task);
            let must_wait = waits && (self.idle == 0 || self.count > 0);
            let in_parts = !fits_inline(next.size);
            let alone = next.alone || waits;
            let fit = if must_wait { 0 } else { self.room_for(&next, alone, expected, most) };
            if fit == 0 {
                break;
            }
            let count = next.run.count.min(u32::try_from(fit).unwrap_or(u32::MAX));
            let run = next.run.part(0, count);
            jobs.take(run, worker);
            self.runs.push(run);
            self.count += count as usize;
            self.work += expected * count;
            self.in_parts = in_parts;
            self.alone = alone;
            let (size, count) = (if in_parts { 0 } else { next.size }, count as usize);
            self.loose += count * (OVERHEAD + size);
            let is_run = next.plain && self.runs.len() == 1;
            self.bytes = if is_run { count * (OVERHEAD_IN_RUN + size) } else { self.loose };
            self.timeout = self.timeout.into_iter().chain(next.timeout).min();
        }
    }

    /// How many of these there is room for.
    fn room_for(&self, next: &Next, alone: bool, expected: Duration, most: usize) -> usize {
        if !fits_inline(next.size) {
            // It has its frame for itself.
            return usize::from(self.count == 0 && self.parts_fit);
        }
        if self.alone || self.in_parts || (alone && self.count > 0) {
            return 0;
        }
        let most_now = if alone { 1 } else { self.most.saturating_sub(self.count) };
        let room = if next.plain && self.count == 0 {
            self.room / (next.size + OVERHEAD_IN_RUN)
        } else {
            self.room.saturating_sub(self.loose) / (next.size + OVERHEAD)
        };
        let idle = self.idle.max(1).saturating_sub(self.count);
        let short = FRAME_WORK.saturating_sub(self.work).as_nanos() / expected.as_nanos().max(1);
        let short = usize::try_from(short).unwrap_or(usize::MAX);
        idle.max(short.min(most.saturating_sub(self.count))).min(room).min(most_now)
    }
}
