//! The supervisor's side of the scoreboard: made and sealed here, read with `pread`, never mapped.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use brigade_protocol::board::{self, LANE, PAGE};
use brigade_protocol::id::SlotId;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::scheduler::Lane;
use crate::shell::clock::Clock;

/// See the [module documentation](self).
pub(in crate::shell) struct Board {
    file: File,
    /// The bytes of a page that this pool's workers use.
    used: usize,
}

impl Board {
    pub(in crate::shell) fn new(slots: usize, threads: u16) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"brigade-scoreboard", flags)?);
        file.set_len((slots * PAGE) as u64)?;
        // A worker that shrank the file would kill its neighbours, which map it, with SIGBUS.
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self { file, used: usize::from(threads) * LANE })
    }

    /// Wipes the page for the next worker in this slot. The last one must be dead.
    pub(super) fn clear(&self, slot: SlotId) {
        let wiped = self.file.write_all_at(&[0; PAGE], Self::offset(slot));
        wiped.expect("a sealed memory file can be written within its length");
    }

    /// What the worker in this slot says that it does.
    pub(super) fn read(&self, slot: SlotId, clock: &Clock) -> Vec<Lane> {
        let mut page = [0; PAGE];
        let used = &mut page[..self.used];
        let read = self.file.read_exact_at(used, Self::offset(slot));
        read.expect("a sealed memory file can be read within its length");
        let lane = |lane: board::Lane| Lane {
            started: lane.started,
            since: clock.at(lane.since),
            finished: lane.finished,
            progress: lane.progress,
        };
        board::read(used).into_iter().map(lane).collect()
    }

    fn offset(slot: SlotId) -> u64 {
        u64::from(slot.0) * PAGE as u64
    }
}

impl AsFd for Board {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
