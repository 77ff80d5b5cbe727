//! What the jobs of a worker want of other jobs: checked, and counted, so that no worker can fill the
//! supervisor or meddle with what is not its own.

use std::sync::Arc;

use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    Form, FromWorker, LONGEST_LABEL, MOST_AWAITED, MOST_HANDLES, MOST_UNACCEPTED, Options,
    Question, Submit,
};
use brigade_task::outside::Encoding;

use super::link::Violation;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What a job wants of another.
pub(crate) enum Wish {
    Submit {
        parent: Ticket,
        job: JobId,
        task: TaskId,
        form: Form,
        arguments: Encoding,
        options: Options,
        handles: Vec<JobId>,
    },
    Reserve {
        parent: Ticket,
        job: JobId,
    },
    Abandon(JobId),
    Cancel(Vec<JobId>),
    Wait {
        waiter: Ticket,
        jobs: Vec<JobId>,
    },
    WaitOver(Ticket),
    Ask {
        asker: Ticket,
        job: JobId,
        question: Question,
    },
}

impl Wish {
    /// Whether the worker waits for it to be accepted.
    fn is_accepted(&self) -> bool {
        matches!(
            self,
            Self::Submit { .. } | Self::Reserve { .. } | Self::Abandon(_) | Self::Cancel(_)
        )
    }
}

/// How many more wishes there may be. Those that are answered count until the answer is on its way, which
/// it is when the worker has taken what was sent before: so one that says much and reads nothing is found
/// out, instead of filling the supervisor or the channel.
#[derive(Clone)]
pub(super) struct Window {
    /// That are accepted in time.
    unaccepted: Arc<AtomicU64>,
    /// Upon which the job waits.
    unanswered: Arc<AtomicU64>,
    /// Taken in, and not yet told so.
    taken: u32,
}

impl Window {
    /// The window of a worker with so many run threads. Each can wait and stop waiting, when the loop may not
    /// have taken in yet that it stopped waiting the last time: it was answered before.
    pub(super) fn new(threads: u16) -> Self {
        Self {
            unaccepted: Arc::new(AtomicU64::new(u64::from(MOST_UNACCEPTED))),
            unanswered: Arc::new(AtomicU64::new(3 * u64::from(threads))),
            taken: 0,
        }
    }

    /// The loop has taken a wish in. Returns how many are to be told as accepted: a few at a time, so that
    /// no more than four such messages are under way.
    pub(super) fn take(&mut self, wish: &Wish) -> Option<u32> {
        if wish.is_accepted() {
            self.taken += 1;
        } else if matches!(wish, Wish::WaitOver(_)) {
            // It has no answer but that of the wait.
            self.answered();
        }
        (self.taken >= MOST_UNACCEPTED / 4).then(|| std::mem::take(&mut self.taken))
    }

    /// A wait or a question is being answered.
    pub(super) fn answered(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// So many wishes are being told as accepted.
    pub(super) fn accepted(&self, count: u32) {
        self.unaccepted.fetch_add(count.into(), Ordering::Relaxed);
    }
}

/// The listener's side.
pub(super) struct Nested {
    worker: WorkerId,
    window: Window,
}

impl Nested {
    pub(super) fn new(worker: WorkerId, window: Window) -> Self {
        Self { worker, window }
    }

    pub(super) fn submit(
        &self,
        submit: &Submit<'_>,
        arguments: Encoding,
    ) -> Result<Wish, Violation> {
        let &Submit { parent, job, task, form, .. } = submit;
        let (options, handles) = (submit.options.clone(), submit.handles.clone());
        self.own(job)?;
        let is_long = |label: &str| label.len() > LONGEST_LABEL;
        if handles.len() > MOST_HANDLES || options.label.as_deref().is_some_and(is_long) {
            return Err(Violation);
        }
        let wish = Wish::Submit { parent, job, task, form, arguments, options, handles };
        self.spend(wish)
    }

    pub(super) fn hear(&self, message: FromWorker<'_>) -> Result<Wish, Violation> {
        let wish = match message {
            FromWorker::Reserve { parent, job } => {
                self.own(job)?;
                Wish::Reserve { parent, job }
            }
            FromWorker::Abandon(job) => {
                self.own(job)?;
                Wish::Abandon(job)
            }
            FromWorker::Cancel(jobs) => Wish::Cancel(jobs),
            FromWorker::Wait { jobs, .. } if jobs.is_empty() || jobs.len() > MOST_AWAITED => {
                return Err(Violation);
            }
            FromWorker::Wait { waiter, jobs } => Wish::Wait { waiter, jobs },
            FromWorker::WaitOver(waiter) => Wish::WaitOver(waiter),
            FromWorker::Ask { asker, job, question } => Wish::Ask { asker, job, question },
            _ => return Err(Violation),
        };
        self.spend(wish)
    }

    /// A worker gives ids with its own number in them, and no other.
    fn own(&self, job: JobId) -> Result<(), Violation> {
        match job.origin() {
            Some((worker, _)) if worker == self.worker => Ok(()),
            _ => Err(Violation),
        }
    }

    fn spend(&self, wish: Wish) -> Result<Wish, Violation> {
        let Window { unaccepted, unanswered, .. } = &self.window;
        let credit = if wish.is_accepted() { unaccepted } else { unanswered };
        let spent = credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |credit| credit.checked_sub(1));
        spent.map(|_| wish).map_err(|_| Violation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: WorkerId = WorkerId(3);

    fn listener(threads: u16) -> (Nested, Window) {
        let window = Window::new(threads);
        (Nested::new(WORKER, window.clone()), window)
    }

    fn own(count: u32) -> JobId {
        JobId::nested(WORKER, count)
    }

    fn reserve(count: u32) -> FromWorker<'static> {
        FromWorker::Reserve { parent: JobId(1).into(), job: own(count) }
    }

    fn ask() -> FromWorker<'static> {
        FromWorker::Ask { asker: JobId(1).into(), job: own(1), question: Question::HasEnded }
    }

    /// However quickly the loop takes them in: what counts is what the worker was told.
    #[test]
    fn wishes_count_until_they_are_told_as_accepted() {
        let (nested, mut window) = listener(1);
        let mut told = Vec::new();
        for count in 0..MOST_UNACCEPTED {
            let wish = nested.hear(reserve(count)).ok().unwrap();
            told.extend(window.take(&wish));
        }
        assert_eq!(told, [64; 4]);
        assert!(nested.hear(reserve(256)).is_err(), "none has been told yet");
        window.accepted(told[0]);
        for count in 256..256 + 64 {
            assert!(nested.hear(reserve(count)).is_ok());
        }
        assert!(nested.hear(FromWorker::Abandon(own(1))).is_err());
        assert!(nested.hear(ask()).is_ok(), "that is another matter");
    }

    #[test]
    fn questions_count_until_they_are_answered() {
        let (nested, mut window) = listener(2);
        for _ in 0..6 {
            let wish = nested.hear(ask()).ok().unwrap();
            assert_eq!(window.take(&wish), None);
        }
        assert!(nested.hear(ask()).is_err());
        window.answered();
        assert!(nested.hear(ask()).is_ok());
        assert!(nested.hear(ask()).is_err());
    }

    /// It has no answer of its own, so it is free again as soon as it is taken in.
    #[test]
    fn the_end_of_patience_counts_until_it_is_taken_in() {
        let (nested, mut window) = listener(1);
        for _ in 0..100 {
            let wish = nested.hear(FromWorker::WaitOver(JobId(1).into())).ok().unwrap();
            assert_eq!(window.take(&wish), None);
        }
    }

    #[test]
    fn what_breaks_the_rules_is_no_wish() {
        let (nested, _) = listener(1);
        let waiter = Ticket::from(JobId(1));
        for jobs in [vec![], vec![JobId(1); MOST_AWAITED + 1]] {
            assert!(nested.hear(FromWorker::Wait { waiter, jobs }).is_err());
        }
        for job in [JobId(1), JobId::nested(WorkerId(4), 1), JobId(u64::MAX)] {
            assert!(nested.hear(FromWorker::Reserve { parent: waiter, job }).is_err());
            assert!(nested.hear(FromWorker::Abandon(job)).is_err());
        }
        assert!(nested.hear(FromWorker::Ready).is_err());
    }
}
