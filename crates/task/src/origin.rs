//! Where a future has the end of its job from.

use std::sync::Arc;

use brigade_protocol::error::JobError;

use crate::blob::outside::Blobs;
use crate::cell::{Arrivals, Cell, Settlement};
use crate::pack::Claim;

/// See the [module documentation](self).
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Cell(Arc<Cell>),
    /// A pack, of which it has a part.
    Pack(Claim),
}

impl Origin {
    /// Whether the end is there.
    pub(crate) fn is_filled(&self) -> bool {
        match self {
            Self::Cell(cell) => cell.is_filled(),
            Self::Pack(claim) => claim.has_ended(),
        }
    }

    /// Calls `read` with the result, and with what its output left outside, if the end is there.
    pub(crate) fn peek<R>(
        &self,
        read: impl FnOnce(Result<&[u8], &JobError>, &Blobs) -> R,
    ) -> Option<R> {
        match self {
            Self::Cell(cell) => {
                cell.peek(|end| read(end.result.as_ref().map(Vec::as_slice), &end.blobs))
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
            Self::Cell(cell) => cell.watch_by_arrivals(arrivals, number),
            Self::Pack(claim) => claim.watch_by_arrivals(arrivals, number),
        }
    }

    /// The cell, for those who want to be told of the end.
    pub(crate) fn cell(&self) -> Arc<Cell> {
        match self {
            Self::Cell(cell) => Arc::clone(cell),
            Self::Pack(claim) => claim.cell(),
        }
    }
}
