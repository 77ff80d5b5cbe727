//! How a job ends.

use brigade_protocol::codec;
pub use brigade_protocol::error::Failure;
use brigade_protocol::id::WorkerId;

use super::Time;

/// The end of a job, or of a run of them, told once.
///
/// ```
/// use brigade_supervisor::scheduler::{Failure, Settled};
///
/// let (result, worker, ran) = (Err(Failure::Cancelled), None, None);
/// let cancelled = Settled { count: 1, result, attempts: 0, allowed: 1, worker, ran };
/// assert_eq!(cancelled.result.map_err(|failure| failure.name()), Err("cancelled"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Of how many jobs, from that which is named on.
    pub count: u32,
    /// The encoded output, packed if there are several jobs, or why each has none.
    pub result: Result<Vec<u8>, Failure>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// How many it might have had, had they gone on failing in the way of the last one.
    pub allowed: u32,
    /// The last worker that ran it.
    pub worker: Option<WorkerId>,
    /// When the last attempt began and ended.
    pub ran: Option<(Time, Time)>,
}

/// The end of a run of jobs, in parts.
pub(crate) struct Parts {
    settled: Settled,
    /// How many of its outputs' bytes have been taken.
    taken: usize,
}

impl Settled {
    /// To be taken in parts.
    pub(crate) fn parts(self) -> Parts {
        Parts { settled: self, taken: 0 }
    }
}

impl Parts {
    /// How many jobs are left.
    pub(crate) fn left(&self) -> u32 {
        self.settled.count
    }

    /// The end of the next so many jobs, or of all that are left.
    ///
    /// # Panics
    ///
    /// If there is not an output for each: whoever takes a reply in sees to that.
    pub(crate) fn take(&mut self, count: u32) -> Settled {
        let whole = &mut self.settled;
        let count = count.min(whole.count);
        let mut took = Time::ZERO;
        let result = match &mut whole.result {
            // All at once, or a single one.
            Ok(outputs) if count == whole.count && self.taken == 0 => Ok(std::mem::take(outputs)),
            Ok(outputs) => {
                let all = &outputs[self.taken..];
                let (mut rest, mut last) = (all, &[][..]);
                for _ in 0..count {
                    let (elapsed, output) =
                        codec::take_output(&mut rest).expect("there is an output for each");
                    (took, last) = (took.saturating_add(Time::from_nanos(elapsed)), output);
                }
                let bytes = all.len() - rest.len();
                self.taken += bytes;
                Ok(if count == 1 { last.to_vec() } else { all[..bytes].to_vec() })
            }
            Err(failure) => Err(failure.clone()),
        };
        whole.count -= count;
        let mut ran = whole.ran;
        if let (Some((_, ended)), Some((started, _)), 1..) = (&mut ran, &mut whole.ran, whole.count)
        {
            // The next one began when this one ended.
            *started = started.saturating_add(took);
            *ended = *started;
        }
        Settled { count, result, ran, ..*whole }
    }
}
