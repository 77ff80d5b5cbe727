//! Policies: pure values that say how often, how long and how much.

use std::collections::VecDeque;
use std::time::Duration;

use brigade_protocol::message::Options;

use super::Time;

/// How long one attempt at a job may take and how often the job is tried.
///
/// ```
/// use brigade_supervisor::Limits;
///
/// let patient = Limits { retries: 5, ..Limits::default() };
/// assert_eq!((patient.timeout, patient.crash_retries), (None, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From an attempt's start to its end.
    pub timeout: Option<Duration>,
    /// Further attempts after an error, a panic or a time-out.
    pub retries: u32,
    /// Further attempts after the death of a worker; 0 means that the job is never started twice.
    pub crash_retries: u32,
    /// Jobs of a higher priority are started first.
    pub priority: i8,
}

impl Limits {
    /// What a job may override, overridden.
    pub(crate) fn overridden(self, options: &Options) -> Self {
        Self {
            timeout: options.timeout.or(self.timeout),
            retries: options.retries.unwrap_or(self.retries),
            crash_retries: options.crash_retries.unwrap_or(self.crash_retries),
            priority: options.priority,
        }
    }
}

impl Default for Limits {
    /// No time-out, no retry of an error, and two of a crash.
    fn default() -> Self {
        Self { timeout: None, retries: 0, crash_retries: 2, priority: 0 }
    }
}

/// How many jobs may wait with a worker while it runs another.
///
/// ```
/// use brigade::{Prefetch, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(2).prefetch(Prefetch::AtMost(0)).build()?;
/// assert_eq!(pool.submit_fn(|| 7).result()?, 7);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Prefetch {
    /// One if jobs are long; frames that hold about 16 ms of work if they are short.
    #[default]
    Auto,
    /// At most this many; 0 hands out strictly one job at a time.
    AtMost(u32),
}

/// At most `max` deaths that are no job's fault `within` any such span; beyond it the pool gives up.
/// (Erlang/OTP's `intensity` and `period`.) A reply from any worker proves that the worker program
/// works, and the count begins anew.
///
/// ```
/// use std::time::Duration;
/// use brigade::{RestartIntensity, ThreadPool};
///
/// let once = RestartIntensity { max: 1, within: Duration::from_secs(10) };
/// let pool = ThreadPool::builder().workers(2).restart_intensity(once).build()?;
/// assert_eq!(pool.gave_up(), None);
/// # Ok::<(), brigade::StartError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartIntensity {
    /// How many.
    pub max: usize,
    /// In which time.
    pub within: Duration,
}

impl RestartIntensity {
    /// For the fork server: ten in a minute, because one that hangs is found out in seconds only.
    ///
    /// ```
    /// use brigade::RestartIntensity;
    ///
    /// assert_eq!(RestartIntensity::of_server().max, 10);
    /// ```
    pub fn of_server() -> Self {
        Self { max: 10, within: Duration::from_mins(1) }
    }

    /// For a pool of so many workers: three deaths for each within ten seconds, for all may be killed
    /// at once and again; but at least ten.
    ///
    /// ```
    /// use brigade::RestartIntensity;
    ///
    /// assert_eq!(RestartIntensity::of(8).max, 24);
    /// assert_eq!(RestartIntensity::of(1).max, 10);
    /// ```
    pub fn of(workers: usize) -> Self {
        Self { max: workers.saturating_mul(3).max(10), within: Duration::from_secs(10) }
    }
}

/// The deaths that count against a [`RestartIntensity`].
#[derive(Debug, Default)]
pub(super) struct Deaths {
    recent: VecDeque<Time>,
}

impl Deaths {
    /// Counts one more, and tells whether it was one too many.
    pub(super) fn count(&mut self, now: Time, intensity: RestartIntensity) -> bool {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|&at| at.saturating_add(intensity.within) < now) {
            self.recent.pop_front();
        }
        self.recent.len() > intensity.max
    }

    pub(super) fn forget(&mut self) {
        self.recent.clear();
    }

    /// How long a seat stays empty after its worker died for no job's fault: nothing the first time,
    /// then 10 ms doubling up to 1 s.
    pub(super) fn backoff(&self) -> Duration {
        match self.recent.len() {
            0 | 1 => Duration::ZERO,
            n => Duration::from_millis(10 << (n - 2).min(7)).min(Duration::from_secs(1)),
        }
    }
}
