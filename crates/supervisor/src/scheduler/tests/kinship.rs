//! The simulated outside of jobs that submit jobs and wait for jobs.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::pool::spec;
use super::prelude::*;
use super::process::Process;
use super::world::{Fate, World};

/// Who waits for what, and what is only announced.
#[derive(Debug)]
pub(super) struct Kinship {
    waits: BTreeMap<Ticket, Vec<JobId>>,
    /// By whom, if by a job.
    reserved: BTreeMap<JobId, Option<Ticket>>,
    /// A cycle whose waits are being ended.
    breaking: BTreeSet<JobId>,
    pub(super) most_slots: u32,
}

impl Kinship {
    pub(super) fn new() -> Self {
        Self {
            waits: BTreeMap::new(),
            reserved: BTreeMap::new(),
            breaking: BTreeSet::new(),
            most_slots: 0,
        }
    }

    pub(super) fn is_reserved(&self, job: JobId) -> bool {
        self.reserved.contains_key(&job)
    }

    pub(super) fn forget(&mut self, job: JobId) {
        self.reserved.remove(&job);
    }

    /// The attempt is over, whatever it waited for.
    pub(super) fn end(&mut self, attempt: Ticket) {
        self.waits.remove(&attempt);
    }

    pub(super) fn check_end(&self) {
        assert!(self.waits.is_empty(), "they wait for ever: {:?}", self.waits);
    }
}

impl World {
    pub(super) fn apply_kinship(&mut self, fate: Fate) {
        match fate {
            Fate::Nest(n, limits) => {
                let Some((_, parent)) = self.pick_attempt(n, false) else { return };
                let job = self.new_job(limits);
                self.tell_submitted(job, limits, Some(parent));
            }
            Fate::Reserve(n, by_client) => {
                let holder = if by_client { None } else { self.pick_attempt(n, false) };
                if !by_client && holder.is_none() {
                    return;
                }
                let job = self.new_job(Limits::default());
                let holder = holder.map(|(_, holder)| holder);
                self.kinship.reserved.insert(job, holder);
                self.tell(Event::Reserved { job, holder });
            }
            Fate::SubmitReserved(n, limits) => {
                let Some((job, holder)) = self.pick_reserved(n) else { return };
                self.kinship.reserved.remove(&job);
                self.jobs.get_mut(&job).expect("it was named").limits = limits;
                self.tell_submitted(job, limits, holder);
            }
            Fate::Abandon(n) => {
                let Some((job, _)) = self.pick_reserved(n) else { return };
                self.tell(Event::Abandoned(job));
                assert!(self.settled.contains_key(&job), "who waits for it is told");
            }
            Fate::Wait(n, jobs) => self.wait(n, jobs),
            Fate::WaitOver(n) => {
                let Some((worker, waiter)) = self.pick_attempt(n, true) else { return };
                self.tell(Event::WaitOver { worker, waiter });
                assert!(!self.kinship.waits.contains_key(&waiter), "it is told");
            }
            Fate::Kill(n) => {
                let Some(&job) = self.jobs.keys().nth(n % self.jobs.len().max(1)) else { return };
                if !self.settled.contains_key(&job) {
                    self.cancels.insert(job, 1);
                    self.tell(Event::CancelRequested { job, kill: true });
                }
            }
            Fate::Resize(slots) => {
                self.kinship.most_slots = self.kinship.most_slots.max(self.config.slots).max(slots);
                self.config.slots = slots;
                self.tell(Event::Resized(slots));
            }
            _ => unreachable!("the world itself applies it"),
        }
    }

    fn tell_submitted(&mut self, job: JobId, limits: Limits, parent: Option<Ticket>) {
        let task = TaskId(u32::try_from(job.0 % 2).expect("0 or 1"));
        self.tell(Event::Submitted(JobSpec { task, limits, parent, ..spec(job.0) }));
    }

    fn wait(&mut self, n: usize, jobs: [usize; 2]) {
        let Some((worker, waiter)) = self.pick_attempt(n, false) else { return };
        let names: Vec<JobId> = self.jobs.keys().copied().collect();
        let mut jobs: Vec<JobId> = jobs.iter().map(|n| names[n % names.len()]).collect();
        if n.is_multiple_of(2) {
            jobs.pop();
        }
        self.kinship.waits.insert(waiter, jobs.clone());
        let process = self.process(worker);
        for call in process.running.iter_mut().filter(|call| call.ticket == waiter) {
            call.waits = true;
        }
        self.tell(Event::WaitBegan { worker, waiter, jobs });
    }

    /// A wait ends once, for a reason that is true.
    pub(super) fn end_wait(
        &mut self,
        id: WorkerId,
        waiter: Ticket,
        result: &Result<JobId, Failure>,
    ) {
        let awaited = self.kinship.waits.remove(&waiter).expect("only who waits is told");
        match result {
            Ok(job) => {
                assert!(awaited.contains(job), "{waiter} did not wait for {job}");
                assert!(self.settled.contains_key(job), "{job} has not ended");
            }
            Err(Failure::Deadlock(cycle)) => {
                let names: BTreeSet<JobId> = cycle.iter().map(|member| member.job).collect();
                assert_eq!(cycle[0].job, waiter.job, "each reads it from its own place");
                let next = cycle.get(1).unwrap_or(&cycle[0]).job;
                assert!(awaited.contains(&next), "{waiter} does not wait for {next}");
                if self.kinship.breaking != names {
                    self.check_cycle(&cycle.iter().map(|member| member.job).collect::<Vec<_>>());
                }
                self.kinship.breaking = names;
            }
            Err(_) => {}
        }
        if let Some(process) = self.workers.get_mut(&id) {
            for call in process.running.iter_mut().filter(|call| call.ticket == waiter) {
                assert!(call.waits);
                call.waits = false;
            }
        }
    }

    fn check_cycle(&self, cycle: &[JobId]) {
        for (job, next) in cycle.iter().zip(cycle[1..].iter().chain(&cycle[..1])).skip(1) {
            let waits = self
                .kinship
                .waits
                .iter()
                .any(|(waiter, jobs)| waiter.job == *job && jobs.contains(next));
            let holder = self.kinship.reserved.get(job).copied().flatten();
            let is_held = holder.is_some_and(|holder| holder.job == *next);
            assert!(waits || is_held, "{job} does not wait for {next}");
        }
    }

    /// A worker that did nothing was given work: no more work than there are slots. Those that wait do not
    /// work.
    pub(super) fn check_crowd(&self) {
        if self.config.threads > 1 {
            return;
        }
        let works =
            |worker: &&Process| !worker.is_empty() && !worker.running.iter().any(|call| call.waits);
        let working = self.workers.values().filter(works).count();
        assert!(working <= self.config.slots as usize, "{working} workers work");
    }

    fn pick_attempt(&self, n: usize, waits: bool) -> Option<(WorkerId, Ticket)> {
        let attempts = self.workers.iter().filter(|(_, worker)| !worker.killed);
        let attempts = attempts.flat_map(|(id, worker)| {
            let calls = worker.running.iter().filter(|call| call.waits == waits);
            calls.map(|call| (*id, call.ticket))
        });
        let attempts: Vec<_> = attempts.collect();
        attempts.get(n % attempts.len().max(1)).copied()
    }

    fn pick_reserved(&self, n: usize) -> Option<(JobId, Option<Ticket>)> {
        let is_running = |ticket: &Ticket| {
            self.workers.values().any(|worker| {
                !worker.killed && worker.running.iter().any(|call| call.ticket == *ticket)
            })
        };
        let reserved = self.kinship.reserved.iter();
        let reserved = reserved.filter(|(_, holder)| holder.as_ref().is_none_or(is_running));
        let reserved: Vec<_> = reserved.map(|(job, holder)| (*job, *holder)).collect();
        reserved.get(n % reserved.len().max(1)).copied()
    }
}
