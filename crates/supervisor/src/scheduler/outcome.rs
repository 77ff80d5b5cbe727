//! How a job ends.

use brigade_protocol::codec;
pub use brigade_protocol::error::Failure;
use brigade_protocol::id::{JobId, Run, WorkerId};

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

impl Settled {
    /// The end of each job by itself, from `first` on.
    ///
    /// # Panics
    ///
    /// If there is not an output for each: whoever takes a reply in sees to that.
    pub(crate) fn apart(self, first: JobId) -> impl Iterator<Item = (JobId, Self)> {
        let run = Run { first: first.into(), count: self.count };
        let (mut at, mut next) = (0, self.ran.map(|(started, _)| started).unwrap_or_default());
        run.jobs().map(move |job| {
            let (result, ran) = match &self.result {
                Ok(outputs) if self.count > 1 => {
                    let mut rest = &outputs[at..];
                    let (elapsed, output) =
                        codec::take_output(&mut rest).expect("there is an output for each");
                    at = outputs.len() - rest.len();
                    let started = next;
                    next = next.saturating_add(Time::from_nanos(elapsed));
                    (Ok(output.to_vec()), Some((started, next)))
                }
                result => (result.clone(), self.ran),
            };
            (job, Self { count: 1, result, ran, ..self })
        })
    }
}
