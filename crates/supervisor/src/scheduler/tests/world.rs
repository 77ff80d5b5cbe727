//! A simulated outside: fork server, workers with their queues, run threads and scoreboard.
//!
//! It does what the scheduler says and checks every promise while it does so. What happens by
//! itself (a worker starts a job, finishes, replies, dies, keeps silent) is a [`Fate`], chosen and
//! shrunk by proptest.

use std::collections::BTreeMap;
use std::time::Duration;

use brigade_protocol::message::TaskErrorKind;

use super::super::*;
use super::kinship::Kinship;
use super::pool::{spec, tickets};
use super::prelude::*;
use super::process::{Call, Process};

/// What happens next. Numbers choose among the workers or jobs there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// So many jobs come, one by one or as one run.
    Submit(Limits, u32, bool),
    Cancel(usize),
    /// The worker becomes ready.
    Ready(usize),
    /// One of its run threads takes the next call.
    Start(usize),
    /// One of its run threads finishes, well or with an error.
    Finish(usize, bool),
    /// One of them takes so many calls and finishes them well.
    Hurry(usize, usize),
    /// So much of what it finished reaches the supervisor together.
    Report(usize, usize),
    /// It answers a recall.
    GiveBack(usize),
    /// It sends a reply to something that it does not hold.
    Lie(usize),
    /// It gives something back that it does not hold, beside all that it has.
    LieInReturn(usize),
    /// It says that it has grown too large.
    Grow(usize),
    /// It dies by itself, or because it was killed.
    Die(usize),
    /// The fork server dies, and its workers with it.
    ServerDies,
    ServerStarts(bool),
    Input(bool),
    /// A running job submits another, with the first free name or one that it reserved.
    Nest(usize, Limits),
    /// A running job, or a client, announces a job.
    Reserve(usize, bool),
    /// Whoever reserved a job submits it.
    SubmitReserved(usize, Limits),
    /// Whoever reserved a job gives it up.
    Abandon(usize),
    /// A running job waits for these jobs.
    Wait(usize, [usize; 2]),
    /// A job waits no longer.
    WaitOver(usize),
    Kill(usize),
    Resize(u32),
    Sleep(u64),
    End(Ending),
}

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) config: Config,
    pub(super) now: Time,
    pub(super) workers: BTreeMap<WorkerId, Process>,
    pub(super) jobs: BTreeMap<JobId, Ledger>,
    pub(super) kinship: Kinship,
    pub(super) settled: BTreeMap<JobId, Settled>,
    pub(super) cancels: BTreeMap<JobId, u32>,
    server: Option<bool>,
    inputs: u32,
    pub(super) log: Vec<Action>,
}

/// What really happened to a job.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) limits: Limits,
    /// Attempts that were begun, as far as anybody outside can know.
    pub(super) begun: u32,
    /// Workers that died by themselves while running it, or cost it a reply once too often.
    crashes: u32,
    losses: u32,
    /// An attempt was lost or crashed: at-most-once forbids another.
    lost: bool,
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(config.clone()),
            config,
            now: Time::ZERO,
            workers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            kinship: Kinship::new(),
            settled: BTreeMap::new(),
            cancels: BTreeMap::new(),
            server: Some(true),
            inputs: 0,
            log: Vec::new(),
        };
        world.tell(Event::TimePassed);
        world
    }

    /// The jobs of one task, but not of the other, have been short so far: they travel together.
    pub(super) fn teach(&mut self, frames: u32) {
        for _ in 0..frames {
            self.scheduler.batches.learn(TaskId(0), Duration::from_micros(1), Some(usize::MAX));
        }
    }

    pub(super) fn alive(&self) -> usize {
        self.workers.len()
    }

    /// Tells the scheduler and does what it says, until it is content.
    pub(super) fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while !events.is_empty() {
            let actions = self.scheduler.handle(self.now, std::mem::take(&mut events));
            for action in actions {
                self.log.push(action.clone());
                events.extend(self.perform(action));
            }
        }
        if let Some(deadline) = self.scheduler.next_deadline() {
            let settled_work = self.scheduler.handle(self.now, []);
            assert!(settled_work.is_empty(), "nothing happened, and yet: {settled_work:?}");
            assert!(deadline > self.now, "it would spin");
        }
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Spawn(id, slot) => self.spawn(id, slot),
            Action::Dispatch(id, first, runs) => self.dispatch(id, first, &runs),
            Action::Recall(id) => {
                let worker = self.workers.get_mut(&id).expect("only the living are recalled");
                assert!(!worker.recalled, "one recall at a time");
                worker.recalled = true;
            }
            Action::Inspect(id) => {
                let lanes = self.workers[&id].lanes.clone();
                return Some(Event::Observed(id, lanes));
            }
            Action::Stop(id) => {
                let worker = self.workers.get_mut(&id).expect("only the living are told to stop");
                assert!(!worker.told_to_stop && worker.is_empty());
                worker.told_to_stop = true;
            }
            Action::Kill(id, _) => {
                let worker = self.workers.get_mut(&id).expect("only the living are killed");
                assert!(!worker.killed, "killed twice");
                worker.killed = true;
            }
            Action::KillServer => assert!(self.server.is_some()),
            Action::StartServer => {
                assert!(self.workers.is_empty(), "workers of the old fork server are alive");
                self.server = Some(false);
            }
            Action::Settle(job, settled) => self.settle_run(job, &settled),
            Action::PleaseStop(id, ticket) => {
                assert!(self.workers[&id].holds(ticket.job), "only what runs is asked to stop");
            }
            Action::EndWait(id, waiter, result) => self.end_wait(id, waiter, &result),
            Action::RefuseCancel(job) => {
                self.cancels.remove(&job);
            }
        }
        None
    }

    fn spawn(&mut self, id: WorkerId, slot: SlotId) {
        assert_eq!(self.server, Some(true), "there is a fork server to ask");
        let most = self.kinship.most_slots.max(self.config.slots) as usize;
        assert!((slot.0 as usize) < most + self.config.most_waiting, "no page for slot {slot}");
        let taken = self.workers.values().any(|worker| worker.slot == slot.0);
        assert!(!taken, "two workers in slot {slot}");
        let lane = Lane { started: Seq(0), since: Time::ZERO, finished: Seq(0), progress: None };
        let lanes = vec![lane; usize::from(self.config.threads)];
        let process = Process { slot: slot.0, lanes, ..Process::default() };
        assert!(self.workers.insert(id, process).is_none(), "worker ids are never reused");
    }

    fn dispatch(&mut self, id: WorkerId, first: Seq, runs: &[Run]) {
        let tickets = tickets(runs);
        for &ticket in &tickets {
            assert!(!self.settled.contains_key(&ticket.job), "{ticket} is settled");
            let twice = self.workers.values().any(|worker| worker.holds(ticket.job));
            assert!(!twice, "two live attempts of {ticket}");
            assert!(!self.kinship.is_reserved(ticket.job), "{ticket} is not submitted");
            let ledger = &self.jobs[&ticket.job];
            assert_eq!(ticket.attempt, ledger.begun + 1, "attempts count up");
            assert!(
                !(ledger.lost && ledger.limits.crash_retries == 0),
                "{ticket} must not be started twice"
            );
        }
        let worker = self.workers.get_mut(&id).expect("jobs go to the living");
        assert!(worker.ready && !worker.killed && !worker.told_to_stop && !worker.recalled);
        let was_idle = worker.is_empty();
        assert!(!worker.grown, "one that has grown is given no more");
        worker.given += tickets.len() as u64;
        let last = Seq(first.0 + tickets.len() as u64 - 1);
        assert!(worker.frames.last().is_none_or(|frame| first.0 > frame.1), "places count up");
        worker.frames.push((first.0, last.0));
        let mut next = first;
        for run in runs {
            let begin = next;
            for ticket in run.tickets() {
                let (seq, since) = (next, self.now);
                worker.queue.push_back(Call { seq, ticket, run: begin, since, waits: false });
                next.0 += 1;
            }
        }
        worker.check_load(&self.config);
        if was_idle {
            self.check_crowd();
        }
    }

    fn settle_run(&mut self, first: JobId, run: &Settled) {
        assert!(run.count > 0);
        for place in 0..run.count {
            let mut settled = run.clone();
            if let Ok(outputs) = &run.result {
                assert_eq!(outputs.len(), 8 * run.count as usize, "an output for each");
                settled.result = Ok(outputs[8 * place as usize..][..8].to_vec());
            }
            self.settle(JobId(first.0 + u64::from(place)), settled);
        }
    }

    fn settle(&mut self, job: JobId, settled: Settled) {
        let ledger = &self.jobs[&job];
        match &settled.result {
            Ok(output) => assert_eq!(output, &job.0.to_le_bytes(), "the result is its own"),
            Err(Failure::Crashed(_)) => {
                assert!(ledger.crashes > 0 || ledger.lost, "charged without cause");
            }
            Err(Failure::Quarantined(exits)) => {
                assert_eq!(exits.len(), ledger.crashes as usize, "every crash was seen");
                assert_eq!(ledger.crashes, ledger.limits.crash_retries + 1);
            }
            Err(_) => {}
        }
        self.kinship.forget(job);
        assert_eq!(settled.attempts, ledger.begun, "attempts begun");
        self.cancels.remove(&job);
        assert!(self.settled.insert(job, settled).is_none(), "{job} settled twice");
    }

    pub(super) fn apply(&mut self, fate: Fate) {
        match fate {
            Fate::Submit(limits, count, together) => self.submit(limits, count, together),
            Fate::Cancel(n) => {
                let Some(&job) = self.jobs.keys().nth(n % self.jobs.len().max(1)) else { return };
                if !self.settled.contains_key(&job) {
                    self.cancels.insert(job, 1);
                    self.tell(Event::CancelRequested { job, kill: false });
                }
            }
            Fate::Nest(..)
            | Fate::Reserve(..)
            | Fate::SubmitReserved(..)
            | Fate::Abandon(_)
            | Fate::Wait(..)
            | Fate::WaitOver(_)
            | Fate::Kill(_)
            | Fate::Resize(_) => self.apply_kinship(fate),
            Fate::Ready(n) => {
                let Some(id) = self.pick(n, |worker| !worker.ready) else { return };
                // The fork server's word and the worker's go different ways.
                let mut news = [Event::Spawned(id), Event::WorkerReady(id)];
                if n % 2 == 0 {
                    news.reverse();
                }
                self.process(id).ready = true;
                for event in news {
                    self.tell(event);
                }
            }
            Fate::Start(n) => {
                let now = self.now;
                let Some(id) = self.pick(n, Process::can_start) else { return };
                self.process(id).start(now);
            }
            Fate::Finish(n, well) => {
                let Some(id) = self.pick(n, Process::can_finish) else { return };
                self.process(id).finish(well);
            }
            Fate::Hurry(n, count) => {
                let now = self.now;
                let Some(id) = self.pick(n, Process::can_start) else { return };
                for _ in 0..count {
                    let worker = self.process(id);
                    if worker.can_start() {
                        worker.start(now);
                        worker.finish_last();
                    }
                }
            }
            Fate::Report(n, most) => {
                let Some(id) = self.pick(n, |worker| !worker.unreported.is_empty()) else { return };
                self.report(id, most);
            }
            Fate::GiveBack(n) => {
                let Some(id) = self.pick(n, |worker| worker.recalled) else { return };
                let tickets = self.process(id).give_back();
                self.tell(Event::Returned(id, tickets));
            }
            Fate::Lie(n) => self.lie(n),
            Fate::LieInReturn(n) => {
                let Some(id) = self.pick(n, |worker| worker.ready) else { return };
                let queue = &self.workers[&id].queue;
                let mut tickets: Vec<Ticket> = queue.iter().map(|call| call.ticket).collect();
                tickets.push(Ticket { job: JobId(n as u64), attempt: 77 });
                self.tell(Event::Returned(id, tickets));
                assert!(self.workers[&id].killed, "a liar is killed");
            }
            Fate::Grow(n) => {
                let Some(id) = self.pick(n, |worker| worker.ready && !worker.grown) else { return };
                self.process(id).grown = true;
                self.tell(Event::Grown(id));
            }
            Fate::Die(n) => {
                let Some(id) = self.pick(n, |_| true) else { return };
                self.die(id, false);
            }
            Fate::ServerDies => self.server_dies(),
            Fate::ServerStarts(well) => {
                if self.server == Some(false) {
                    self.server = well.then_some(true);
                    let failed = Event::ServerFailed("no".into());
                    self.tell(if well { Event::ServerStarted } else { failed });
                }
            }
            Fate::Input(open) => self.input(open),
            Fate::Sleep(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.tell(Event::TimePassed);
            }
            Fate::End(ending) => self.tell(Event::EndRequested(ending)),
        }
    }

    /// A job that nobody has named yet.
    pub(super) fn new_job(&mut self, limits: Limits) -> JobId {
        let job = JobId(self.jobs.len() as u64);
        self.jobs.insert(job, Ledger { limits, begun: 0, crashes: 0, losses: 0, lost: false });
        job
    }

    fn submit(&mut self, limits: Limits, count: u32, together: bool) {
        let jobs: Vec<JobId> = (0..count).map(|_| self.new_job(limits)).collect();
        let task = TaskId(u32::from(count.is_multiple_of(3)));
        if together {
            let job = jobs[0];
            let plain = Some(Form::Bincode);
            let run = JobSpec { count, task, plain, limits, ..spec(job.0) };
            self.tell(Event::Submitted(run));
        } else {
            for job in jobs {
                self.tell(Event::Submitted(JobSpec { task, limits, ..spec(job.0) }));
            }
        }
    }

    fn input(&mut self, open: bool) {
        if open {
            self.inputs += 1;
            self.tell(Event::InputOpened);
        } else if self.inputs > 0 {
            self.inputs -= 1;
            self.tell(Event::InputEnded);
        }
    }

    /// Delivers the oldest unreported replies, up to so many together.
    fn report(&mut self, id: WorkerId, most: usize) {
        let now = self.now;
        let calls = self.process(id).take_unreported(most);
        let Some(&(Call { ticket, since, .. }, well)) = calls.first() else { return };
        let mut outputs = Vec::new();
        for (call, _) in &calls {
            let job = call.ticket.job;
            self.jobs.get_mut(&job).expect("it was submitted").begun += 1;
            outputs.extend(job.0.to_le_bytes());
        }
        let run = Run { first: ticket, count: calls.len().try_into().expect("a few") };
        let error = TaskError::new(TaskErrorKind::Failed, "no");
        let result = if well { Ok(outputs) } else { Err(error) };
        self.tell(Event::Replied(id, Reply { run, ran: (since, now), result }));
    }

    /// Answers for a job that it does not hold.
    fn lie(&mut self, n: usize) {
        let Some(id) = self.pick(n, |worker| worker.ready) else { return };
        let ticket = Ticket { job: JobId(n as u64), attempt: 77 };
        let ran = (self.now, self.now);
        self.tell(Event::Replied(id, Reply { run: ticket.into(), ran, result: Ok(vec![]) }));
        assert!(self.workers[&id].killed, "a liar is killed");
    }

    fn die(&mut self, id: WorkerId, with_server: bool) {
        let overran = self.scheduler.overran(id);
        let worker = self.workers.remove(&id).expect("it was alive");
        for call in &worker.running {
            self.kinship.end(call.ticket);
        }
        // The kernel delivers what it sent before; here everything unreported is lost, which is harder.
        let unreported = worker.unreported.iter().map(|(call, _)| call.ticket);
        for ticket in worker.running.iter().map(|call| call.ticket).chain(unreported) {
            let ledger = self.jobs.get_mut(&ticket.job).expect("it was submitted");
            ledger.begun += 1;
            let timed_out =
                overran == Some(ticket) && worker.running.iter().any(|call| call.ticket == ticket);
            ledger.lost |= !timed_out;
        }
        // Killed for one job's time-out, the worker took the others along: they are not charged.
        for call in worker.running.iter().filter(|_| !with_server && overran.is_none()) {
            self.jobs.get_mut(&call.ticket.job).expect("it was submitted").crashes += 1;
        }
        // With nothing running, what a run thread finished last is suspect.
        let last = |call: &Call| worker.lanes.iter().any(|lane| lane.finished == call.seq);
        let suspects = worker.unreported.iter().filter(|(call, _)| last(call));
        let blameless = with_server || overran.is_some() || !worker.running.is_empty();
        for (call, _) in suspects.filter(|_| !blameless) {
            let ledger = self.jobs.get_mut(&call.ticket.job).expect("it was submitted");
            ledger.losses += 1;
            ledger.crashes += u32::from(ledger.losses > ledger.limits.crash_retries.max(1));
        }
        // It counted as started, because a stopped worker starts nothing: so it was begun.
        if let Some(ticket) = overran
            && worker.queue.iter().any(|call| call.ticket == ticket)
        {
            self.jobs.get_mut(&ticket.job).expect("it was submitted").begun += 1;
        }
        let exit = if with_server { Exit::Unknown } else { Exit::Signal(9) };
        let (lanes, epitaph) = (worker.lanes, "it died".to_owned());
        self.tell(Event::WorkerExited { worker: id, exit, with_server, lanes, epitaph });
    }

    fn server_dies(&mut self) {
        if self.server != Some(true) {
            return;
        }
        self.server = None;
        self.tell(Event::ServerLost("killed".into()));
        for id in self.workers.keys().copied().collect::<Vec<_>>() {
            self.die(id, true);
        }
    }

    /// Everyone behaves from now on; the pool must finish by itself.
    pub(super) fn finish(&mut self) {
        while self.inputs > 0 {
            self.input(false);
        }
        self.tell(Event::EndRequested(Ending::Drain));
        for _ in 0..20_000 {
            if self.scheduler.is_finished() {
                break;
            }
            self.behave();
        }
        assert!(self.scheduler.is_finished(), "the pool does not end: {:#?}", self.scheduler);
        assert_eq!(self.settled.len(), self.jobs.len(), "a job was lost");
        assert!(self.cancels.is_empty(), "a client waits for ever to hear of its cancellation");
        assert!(self.workers.is_empty());
        self.kinship.check_end();
    }

    fn behave(&mut self) {
        self.now += Duration::from_millis(1);
        self.apply(Fate::ServerStarts(true));
        for id in self.workers.keys().copied().collect::<Vec<_>>() {
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            if worker.killed || (worker.told_to_stop && worker.is_empty()) {
                self.die(id, false);
            } else if !worker.ready {
                worker.ready = true;
                self.tell(Event::Spawned(id));
                self.tell(Event::WorkerReady(id));
            } else if worker.recalled {
                let tickets = worker.give_back();
                self.tell(Event::Returned(id, tickets));
            } else if !worker.unreported.is_empty() {
                self.report(id, 3);
            } else if worker.can_finish() {
                worker.finish(true);
            } else if worker.can_start() {
                worker.start(self.now);
            }
        }
        self.tell(Event::TimePassed);
    }

    pub(super) fn process(&mut self, id: WorkerId) -> &mut Process {
        self.workers.get_mut(&id).expect("it was picked among the living")
    }

    pub(super) fn pick(&self, n: usize, which: impl Fn(&Process) -> bool) -> Option<WorkerId> {
        let candidates: Vec<WorkerId> =
            self.workers.iter().filter(|(_, worker)| which(worker)).map(|(id, _)| *id).collect();
        candidates.get(n % candidates.len().max(1)).copied()
    }
}
