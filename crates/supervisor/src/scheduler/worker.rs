//! What is known of one worker: its state, and the jobs that it holds.

use std::collections::VecDeque;

use brigade_protocol::id::{Run, Seq, Ticket, WorkerId};

use super::{Lane, Time};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) state: State,
    /// In the order in which they were sent.
    pub(super) held: VecDeque<Held>,
    /// How many jobs that is.
    load: usize,
    frames: VecDeque<Frame>,
    next_seq: u64,
    pub(super) recall: Recall,
    /// When it last spoke or was given work while it had none: since then it could have progressed.
    pub(super) last_heard: Time,
    /// When a job may have overrun its time-out: the scoreboard must be looked at.
    pub(super) check_at: Option<Time>,
    /// How many jobs it may still be given, if that is limited.
    jobs_left: Option<u64>,
    /// It has said that it is too large.
    pub(super) grown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting {
        deadline: Time,
        /// The fork server has told of its process.
        spawned: bool,
        /// It has said that it is ready.
        ready: bool,
    },
    Serving,
    /// Told to go or killed; only its exit is awaited. Replies that it sent before still count.
    Leaving {
        why: Why,
        /// When it is killed, if it was only asked.
        deadline: Option<Time>,
    },
}

/// Why a worker leaves. What it holds is judged by this at its exit, so that no two attempts of a
/// job ever overlap.
///
/// ```
/// use brigade_protocol::id::{JobId, Ticket, WorkerId};
/// use brigade_supervisor::scheduler::{Action, Why};
///
/// let kill = Action::Kill(WorkerId(7), Why::JobTimedOut(Ticket::from(JobId(42))));
/// assert!(matches!(kill, Action::Kill(_, Why::JobTimedOut(ticket)) if ticket.job == JobId(42)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No longer needed, and asked to go.
    Retired,
    /// The pool ended; what it holds is cancelled.
    Ended,
    /// Not ready in time.
    StartTimedOut,
    /// This attempt overran its time-out.
    JobTimedOut(Ticket),
    /// Somebody wanted this attempt killed.
    JobKilled(Ticket),
    /// Broke the protocol, or can no longer be reached.
    Violated,
    /// Did not answer a recall, or did not report what it finished.
    Silent,
    /// Had all the jobs that it was to have, or grew too large, and was asked to go; another follows.
    Recycled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    None,
    /// Asked to give back what it has not started.
    Asked {
        at: Time,
    },
    /// It gave back everything; there is nothing to ask for until it is sent more.
    Done,
}

/// The worker does not hold this attempt.
#[derive(Debug)]
pub(super) struct NotHeld;

/// Attempts with a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) run: Run,
    /// The place of the first one.
    pub(super) seq: Seq,
    pub(super) sent: Time,
    /// When one was first seen finished without a reply.
    pub(super) unreported: Option<Time>,
}

impl Held {
    /// The attempt at this place.
    pub(super) fn at(&self, seq: Seq) -> Option<Ticket> {
        let place = u32::try_from(seq.0.checked_sub(self.seq.0)?).ok()?;
        (place < self.run.count).then(|| self.run.part(place, 1).first)
    }

    /// So many of it, from this place on.
    pub(super) fn part(&self, place: u32, count: u32) -> Self {
        let seq = Seq(self.seq.0 + u64::from(place));
        Self { run: self.run.part(place, count), seq, ..*self }
    }
}

/// Jobs that travelled together.
#[derive(Debug)]
struct Frame {
    last: Seq,
    size: usize,
    cost: usize,
    in_parts: bool,
    left: usize,
}

impl Worker {
    pub(super) fn starting(id: WorkerId, deadline: Time, max_jobs: Option<u64>) -> Self {
        Self {
            id,
            state: State::Starting { deadline, spawned: false, ready: false },
            held: VecDeque::new(),
            load: 0,
            frames: VecDeque::new(),
            next_seq: 1,
            recall: Recall::None,
            last_heard: Time::ZERO,
            check_at: None,
            jobs_left: max_jobs,
            grown: false,
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        self.state == State::Serving
    }

    /// Notes news of its start. It serves once both the fork server and the worker have told: the two
    /// go different ways, and without the former nothing is known that could be named or killed.
    pub(super) fn note_start(&mut self, now: Time, is_spawned: bool, is_ready: bool) {
        if let State::Starting { spawned, ready, .. } = &mut self.state {
            *spawned |= is_spawned;
            *ready |= is_ready;
            if *spawned && *ready {
                self.state = State::Serving;
                self.last_heard = now;
            }
        }
    }

    /// It was asked for, and the fork server has not told of it.
    pub(super) fn is_unspawned(&self) -> bool {
        matches!(self.state, State::Starting { spawned: false, .. })
    }

    /// It may be sent a frame. Not while it is asked to give jobs back, so that its answer is about
    /// what it holds now.
    pub(super) fn takes_work(&self) -> bool {
        self.is_available() && !matches!(self.recall, Recall::Asked { .. })
    }

    /// It serves, and may be given more than it has had.
    pub(super) fn is_available(&self) -> bool {
        self.is_serving() && !self.is_worn()
    }

    /// It has nothing to do, and may be given something.
    pub(super) fn is_idle(&self) -> bool {
        self.is_available() && self.held.is_empty()
    }

    /// It is to be given no more, and to be replaced once it holds nothing.
    pub(super) fn is_worn(&self) -> bool {
        self.grown || self.jobs_left == Some(0)
    }

    /// How many jobs it may still be given.
    pub(super) fn jobs_left(&self) -> usize {
        self.jobs_left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// It was sent SIGKILL.
    pub(super) fn is_killed(&self) -> bool {
        matches!(self.state, State::Leaving { deadline: None, .. })
    }

    /// How many frames have not been answered completely.
    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// What these frames cost in the channel, and whether there is one whose arguments travel in parts.
    pub(super) fn under_way(&self) -> (usize, bool) {
        let cost = self.frames.iter().map(|frame| frame.cost).sum();
        (cost, self.frames.iter().any(|frame| frame.in_parts))
    }

    /// Takes a frame, and returns the place of its first job.
    pub(super) fn hold(&mut self, now: Time, runs: &[Run], cost: usize, in_parts: bool) -> Seq {
        if self.held.is_empty() {
            self.last_heard = now;
        }
        self.recall = Recall::None;
        let first = Seq(self.next_seq);
        for &run in runs {
            let seq = Seq(self.next_seq);
            self.held.push_back(Held { run, seq, sent: now, unreported: None });
            self.next_seq += u64::from(run.count);
        }
        let size = self.next_seq - first.0;
        self.load += count(size);
        self.jobs_left = self.jobs_left.map(|left| left.saturating_sub(size));
        let (last, left) = (Seq(self.next_seq - 1), count(size));
        self.frames.push_back(Frame { last, size: left, cost, in_parts, left });
        first
    }

    /// How many jobs it holds.
    pub(super) fn load(&self) -> usize {
        self.load
    }

    /// The attempt that has this place.
    pub(super) fn held_at(&self, seq: Seq) -> Option<Ticket> {
        let behind = self.held.partition_point(|held| held.seq <= seq);
        self.held.get(behind.checked_sub(1)?)?.at(seq)
    }

    /// Whether this attempt is with it.
    pub(super) fn holds(&self, ticket: Ticket) -> bool {
        self.held.iter().any(|held| held.run.place(ticket).is_some())
    }

    /// Lets go of the attempts that were answered, and gives the size of their frame if they were the last
    /// of it.
    pub(super) fn take_reply(&mut self, now: Time, run: Run) -> Result<Option<usize>, NotHeld> {
        let completed = self.release(run)?;
        self.last_heard = now;
        Ok(completed)
    }

    /// Lets go of the attempts that were given back, in the order of their places, and gives the runs that
    /// they were. Nothing is let go if one of them is not held, or nothing was asked for.
    pub(super) fn take_returned(
        &mut self,
        now: Time,
        tickets: &[Ticket],
    ) -> Result<Vec<Run>, NotHeld> {
        if !matches!(self.recall, Recall::Asked { .. }) {
            return Err(NotHeld);
        }
        let runs = self.held_in_order(tickets).ok_or(NotHeld)?;
        self.recall = Recall::Done;
        self.last_heard = now;
        // What it has not started it has not had.
        self.jobs_left = self.jobs_left.map(|left| left.saturating_add(tickets.len() as u64));
        for &run in &runs {
            let _ = self.release(run);
        }
        Ok(runs)
    }

    /// The runs that these attempts are, if it holds all of them in this order.
    fn held_in_order(&self, tickets: &[Ticket]) -> Option<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::new();
        let mut held = self.held.iter().map(|held| held.run);
        // What is left of the one under the finger, and whether the last run goes on in it.
        let mut rest = Run { count: 0, ..Run::from(Ticket::default()) };
        let mut goes_on = false;
        for &ticket in tickets {
            let place = loop {
                if let Some(place) = rest.place(ticket) {
                    break place;
                }
                (rest, goes_on) = (held.next()?, false);
            };
            match runs.last_mut() {
                Some(last) if goes_on && place == 0 => last.count += 1,
                _ => runs.push(ticket.into()),
            }
            rest = rest.part(place + 1, rest.count - place - 1);
            goes_on = true;
        }
        Some(runs)
    }

    fn release(&mut self, run: Run) -> Result<Option<usize>, NotHeld> {
        let within = |held: &Held| within(held.run, run);
        let found = self.held.iter().enumerate().find_map(|(at, held)| Some((at, within(held)?)));
        let (index, place) = found.ok_or(NotHeld)?;
        let held = self.held[index];
        let (before, behind) = (place, held.run.count - place - run.count);
        // The rest has not been heard of yet.
        let rest = [held.part(0, before), held.part(place + run.count, behind)];
        match rest.map(|rest| Held { unreported: None, ..rest }) {
            [before, behind] if before.run.count > 0 && behind.run.count > 0 => {
                self.held[index] = before;
                self.held.insert(index + 1, behind);
            }
            [before, _] if before.run.count > 0 => self.held[index] = before,
            [_, behind] if behind.run.count > 0 => self.held[index] = behind,
            _ => drop(self.held.remove(index)),
        }
        self.load -= run.count as usize;
        let seq = held.seq.0 + u64::from(place);
        let at = self.frames.iter().position(|frame| seq <= frame.last.0).ok_or(NotHeld)?;
        let frame = &mut self.frames[at];
        frame.left -= run.count as usize;
        let size = frame.size;
        Ok((frame.left == 0).then(|| {
            self.frames.remove(at);
            size
        }))
    }

    /// What the scoreboard says of attempts that it holds: the run in parts of which all have come equally
    /// far. What a run thread runs, or ran last, is a part of its own.
    pub(super) fn progress_of(lanes: &[Lane], held: &Held) -> Vec<(Held, Progress)> {
        let place = |lane: &Lane| held.run.place(held.at(lane.started)?);
        let mut single: Vec<u32> = lanes.iter().filter_map(place).collect();
        single.sort_unstable();
        single.dedup();
        let mut parts = Vec::with_capacity(2 * single.len() + 1);
        let mut from = 0;
        for place in single {
            parts.extend([held.part(from, place - from), held.part(place, 1)]);
            from = place + 1;
        }
        parts.push(held.part(from, held.run.count - from));
        parts.retain(|part| part.run.count > 0);
        parts.into_iter().map(|part| (part, Self::progress(lanes, part.seq))).collect()
    }

    /// What the scoreboard says of an attempt that it holds.
    fn progress(lanes: &[Lane], seq: Seq) -> Progress {
        if let Some(lane) = lanes.iter().find(|lane| lane.started == seq) {
            return match lane.running() {
                Some(_) => Progress::Running(lane.since),
                None => Progress::Finished,
            };
        }
        let highest = lanes.iter().map(|lane| lane.started).max().unwrap_or_default();
        if seq > highest { Progress::NotStarted } else { Progress::Finished }
    }
}

/// The place of a run in one that was sent.
fn within(sent: Run, run: Run) -> Option<u32> {
    let place = sent.place(run.first)?;
    (run.count > 0 && run.count <= sent.count - place).then_some(place)
}

fn count(jobs: u64) -> usize {
    usize::try_from(jobs).unwrap_or(usize::MAX)
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    NotStarted,
    Running(Time),
    /// Its reply is on the way, or lost.
    Finished,
}
