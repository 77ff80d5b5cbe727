//! The layout of the scoreboard: what a worker says without a system call.
//!
//! The word is Apache httpd's. The scoreboard is one memory file with a page for each slot. A worker
//! maps the page of its own slot alone; its run threads write what they do, each in a lane of its
//! own. The supervisor reads it with `pread` and never maps it, so that nothing a worker does to
//! the file can hurt it.
//!
//! ```text
//!  page (4096 bytes) = 64 lanes; lane (64 bytes, one cache line) =
//!      0  started    the Seq that the run thread runs or last ran; 0 before the first
//!      8  since      when it started it, in nanoseconds of CLOCK_MONOTONIC
//!     16  finished   the Seq that it last finished; 0 before the first
//!     24  done       how far what it runs has come, of …
//!     32  total      … how much; 0 if it does not say
//! ```
//!
//! A run thread writes zero to `done` and `total`, then `since`, then `started`, and after the job
//! `finished`. All are native-endian `u64`: both sides run on one machine. Run threads take calls in
//! the order of their [`Seq`]: what is above the highest `started` of a page has never been started.
//!
//! The words of a lane are copied one after the other, from the lowest offset upwards, while a run
//! thread may write them. So what is read may be of several moments: `since` and what follows may be
//! of a later call than `started`, never of an earlier one. A `finished` beyond `started` says that
//! what was started has been finished.

use crate::id::Seq;

/// The bytes of one slot's page.
pub const PAGE: usize = 4096;
/// The bytes of one run thread's lane.
pub const LANE: usize = 64;
/// The most run threads a worker can have.
pub const LANES: usize = PAGE / LANE;
/// Offset of `started` in a lane.
pub const STARTED: usize = 0;
/// Offset of `since` in a lane.
pub const SINCE: usize = 8;
/// Offset of `finished` in a lane.
pub const FINISHED: usize = 16;
/// Offset of `done` in a lane.
pub const DONE: usize = 24;
/// Offset of `total` in a lane.
pub const TOTAL: usize = 32;

/// What one run thread last wrote.
///
/// ```
/// use brigade_protocol::board::Lane;
/// use brigade_protocol::id::Seq;
///
/// let lane = Lane { started: Seq(3), finished: Seq(2), progress: Some((1, 4)), ..Lane::default() };
/// assert_eq!(lane.running(), Some(Seq(3)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lane {
    /// What it runs or last ran.
    pub started: Seq,
    /// Since when, in nanoseconds of `CLOCK_MONOTONIC`.
    pub since: u64,
    /// What it last finished.
    pub finished: Seq,
    /// How far what it runs has come, of how much, if it says so.
    pub progress: Option<(u64, u64)>,
}

impl Lane {
    /// The call that is running in this lane, if one is.
    ///
    /// ```
    /// use brigade_protocol::board::Lane;
    /// use brigade_protocol::id::Seq;
    ///
    /// let lane = Lane { started: Seq(3), finished: Seq(3), ..Lane::default() };
    /// assert_eq!(lane.running(), None);
    /// ```
    pub fn running(&self) -> Option<Seq> {
        (self.started > self.finished).then_some(self.started)
    }
}

/// Reads the lanes of a page that have been used. A short page gives fewer lanes.
///
/// ```
/// use brigade_protocol::board::{self, PAGE, SINCE, STARTED};
/// use brigade_protocol::id::Seq;
///
/// let mut page = [0; PAGE]; // what the first run thread does when it begins its first call
/// page[SINCE..][..8].copy_from_slice(&1_000_u64.to_ne_bytes());
/// page[STARTED..][..8].copy_from_slice(&1_u64.to_ne_bytes());
/// let lanes = board::read(&page);
/// assert_eq!((lanes.len(), lanes[0].running(), lanes[0].since), (1, Some(Seq(1)), 1_000));
/// ```
pub fn read(page: &[u8]) -> Vec<Lane> {
    let word = |lane: &[u8], at: usize| {
        lane[at..].first_chunk().map_or(0, |word| u64::from_ne_bytes(*word))
    };
    page.chunks_exact(LANE)
        .map(|lane| Lane {
            started: Seq(word(lane, STARTED)),
            since: word(lane, SINCE),
            finished: Seq(word(lane, FINISHED)),
            progress: match word(lane, TOTAL) {
                0 => None,
                total => Some((word(lane, DONE), total)),
            },
        })
        .filter(|lane| lane.started != Seq(0))
        .collect()
}
