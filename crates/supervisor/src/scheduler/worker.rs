//! What is known of one worker: its state, and the jobs that it holds.

use std::collections::VecDeque;

use brigade_protocol::id::{Seq, Ticket, WorkerId};

use super::{Lane, Time};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) state: State,
    /// In the order in which they were sent.
    pub(super) held: VecDeque<Held>,
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

/// One attempt with a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) ticket: Ticket,
    pub(super) seq: Seq,
    pub(super) sent: Time,
    /// When it was first seen finished without a reply.
    pub(super) unreported: Option<Time>,
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
    pub(super) fn hold(
        &mut self,
        now: Time,
        tickets: &[Ticket],
        cost: usize,
        in_parts: bool,
    ) -> Seq {
        if self.held.is_empty() {
            self.last_heard = now;
        }
        self.recall = Recall::None;
        let first = Seq(self.next_seq);
        for &ticket in tickets {
            let seq = Seq(self.next_seq);
            self.held.push_back(Held { ticket, seq, sent: now, unreported: None });
            self.next_seq += 1;
        }
        let (last, size) = (Seq(self.next_seq - 1), tickets.len());
        self.jobs_left = self.jobs_left.map(|left| left.saturating_sub(size as u64));
        self.frames.push_back(Frame { last, size, cost, in_parts, left: size });
        first
    }

    pub(super) fn held_at(&self, seq: Seq) -> Option<&Held> {
        let index = self.held.binary_search_by_key(&seq, |held| held.seq).ok()?;
        self.held.get(index)
    }

    /// Lets go of the attempt that was answered, and gives the size of its frame if it was the last
    /// one of it.
    pub(super) fn take_reply(
        &mut self,
        now: Time,
        ticket: Ticket,
    ) -> Result<Option<usize>, NotHeld> {
        let completed = self.release(ticket)?;
        self.last_heard = now;
        Ok(completed)
    }

    /// Lets go of the attempts that were given back, in the order of their places. False, and nothing
    /// is let go, if one of them is not held, or nothing was asked for.
    pub(super) fn take_returned(&mut self, now: Time, tickets: &[Ticket]) -> bool {
        let mut held = self.held.iter().map(|held| held.ticket);
        let all_held = tickets.iter().all(|ticket| held.any(|held| held == *ticket));
        if !matches!(self.recall, Recall::Asked { .. }) || !all_held {
            return false;
        }
        self.recall = Recall::Done;
        self.last_heard = now;
        // What it has not started it has not had.
        self.jobs_left = self.jobs_left.map(|left| left.saturating_add(tickets.len() as u64));
        for &ticket in tickets {
            let _ = self.release(ticket);
        }
        true
    }

    fn release(&mut self, ticket: Ticket) -> Result<Option<usize>, NotHeld> {
        let index = self.held.iter().position(|held| held.ticket == ticket).ok_or(NotHeld)?;
        let held = self.held.remove(index).ok_or(NotHeld)?;
        let at = self.frames.iter().position(|frame| held.seq <= frame.last).ok_or(NotHeld)?;
        let frame = &mut self.frames[at];
        frame.left -= 1;
        let size = frame.size;
        Ok((frame.left == 0).then(|| {
            self.frames.remove(at);
            size
        }))
    }

    /// What the scoreboard says of an attempt that it holds.
    pub(super) fn progress(lanes: &[Lane], seq: Seq) -> Progress {
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

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    NotStarted,
    Running(Time),
    /// Its reply is on the way, or lost.
    Finished,
}
