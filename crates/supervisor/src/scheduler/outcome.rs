//! How a job ends.

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
