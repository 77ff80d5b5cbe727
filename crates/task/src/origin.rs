//! Where a future has the end of its job from, and what it knows of that. A future itself is small: a million of them
//! are held at once, in memory that is new, of which each byte takes time.

use std::borrow::Cow;
use std::sync::Arc;

use brigade_protocol::error::JobError;
use brigade_protocol::id::JobId;

use crate::blob::outside::Blobs;
use crate::cell::{Arrivals, Cell, Settlement};
use crate::host::Host;
use crate::pack::Claim;

/// See the [module documentation](self).
#[derive(Clone)]
pub(crate) enum Origin {
    Single(Box<Single>),
    /// A pack, of which it has a part.
    Pack(Claim),
}

/// A job by itself.
#[derive(Clone)]
pub(crate) struct Single {
    pub(crate) job: JobId,
    pub(crate) task: Cow<'static, str>,
    /// Where its end is put.
    pub(crate) cell: Arc<Cell>,
    pub(crate) host: Arc<dyn Host>,
}

impl Origin {
    pub(crate) fn job(&self) -> JobId {
        match self {
            Self::Single(single) => single.job,
            Self::Pack(claim) => claim.job(),
        }
    }

    /// The name of the task.
    pub(crate) fn task(&self) -> &str {
        match self {
            Self::Single(single) => &single.task,
            Self::Pack(claim) => claim.task(),
        }
    }

    /// Who runs the job.
    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        match self {
            Self::Single(single) => &single.host,
            Self::Pack(claim) => claim.host(),
        }
    }

    /// Whether the end is there.
    pub(crate) fn is_filled(&self) -> bool {
        match self {
            Self::Single(single) => single.cell.is_filled(),
            Self::Pack(claim) => claim.has_ended(),
        }
    }

    /// Calls `read` with the result, and with what its output left outside, if the end is there.
    pub(crate) fn peek<R>(
        &self,
        read: impl FnOnce(Result<&[u8], &JobError>, &Blobs) -> R,
    ) -> Option<R> {
        match self {
            Self::Single(single) => {
                single.cell.peek(|end| read(end.result.as_ref().map(Vec::as_slice), &end.blobs))
            }
            Self::Pack(claim) => claim.peek(read),
        }
    }

    /// The end with all that is known of it, if it is there.
    pub(crate) fn settlement(&self) -> Option<Settlement> {
        self.cell().peek(Settlement::clone)
    }

    /// Notes the end under this number: at once if it is there.
    pub(crate) fn watch_by_arrivals(&self, arrivals: &Arc<Arrivals>, number: usize) {
        match self {
            Self::Single(single) => single.cell.watch_by_arrivals(arrivals, number),
            Self::Pack(claim) => claim.watch_by_arrivals(arrivals, number),
        }
    }

    /// The cell, for those who want to be told of the end.
    pub(crate) fn cell(&self) -> Arc<Cell> {
        match self {
            Self::Single(single) => Arc::clone(&single.cell),
            Self::Pack(claim) => claim.cell(),
        }
    }
}
