//! The direct road: large values are copied once, from the memory of one process to that of the other,
//! by the thread that listens to the worker.
//!
//! ```text
//!  loop ── Expect ──▶ worker ── Room ──▶ listener ══ writes the value there ══▶ tells the loop
//!                     worker ── Offer ─▶ listener ══ reads the value there ═══▶ tells the loop
//! ```
//!
//! Nothing is shared, so nothing can be truncated under this process; the worker names addresses of its own
//! memory, so one that lies spoils its own job. Where the system does not allow it (it wants the right to
//! trace the worker, which an ancestor has unless that is forbidden), values travel in parts.

use std::io::{IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use brigade_protocol::id::Ticket;
use brigade_protocol::message::Piece;
use brigade_task::outside::Encoding;
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// What the loop and the listener share about one worker.
#[derive(Default)]
pub(super) struct Direct {
    /// While it is known and not reaped: then its pid is surely its own. Held while something is copied.
    process: Mutex<Option<Pid>>,
    /// What the worker has been told to expect.
    consigned: Mutex<Option<(Ticket, Arc<Encoding>)>>,
}

/// How an attempt to copy went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    Whole,
    /// The system does not allow it.
    Refused,
    /// The worker is dying.
    Gone,
    /// The worker named memory that it does not have.
    Astray,
}

impl Direct {
    /// The worker is this process, and stays so until [`Direct::close`].
    pub(super) fn open(&self, pid: u32) {
        *lock(&self.process) = i32::try_from(pid).ok().map(Pid::from_raw);
    }

    /// Nothing is copied any more: its pid may be reused. False if something is being copied now.
    pub(super) fn close(&self) -> bool {
        match self.process.try_lock() {
            Ok(mut process) => process.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => return false,
        };
        true
    }

    /// Lays out a value that the worker is told to expect, one at a time.
    pub(super) fn consign(&self, ticket: Ticket, value: &Arc<Encoding>) {
        *lock(&self.consigned) = Some((ticket, Arc::clone(value)));
    }

    /// The value that the worker was told to expect for this attempt.
    pub(super) fn take(&self, ticket: Ticket) -> Option<Arc<Encoding>> {
        lock(&self.consigned).take_if(|(consigned, _)| *consigned == ticket).map(|(_, value)| value)
    }

    /// Writes a value into the memory of the worker.
    pub(super) fn write(&self, value: &Encoding, address: u64) -> Copied {
        let process = lock(&self.process);
        let Some(pid) = *process else { return Copied::Gone };
        let (Ok(base), length) = (usize::try_from(address), value.length().bytes) else {
            return Copied::Astray;
        };
        let Ok(length) = usize::try_from(length) else { return Copied::Astray };
        if base.checked_add(length).is_none() {
            return Copied::Astray;
        }
        let mut pieces: Vec<IoSlice<'_>> =
            value.pieces().filter(|piece| !piece.is_empty()).map(IoSlice::new).collect();
        let mut left = pieces.as_mut_slice();
        let mut written = 0;
        while written < length {
            let there = [RemoteIoVec { base: base + written, len: length - written }];
            match process_vm_writev(pid, left, &there) {
                Ok(0) => return Copied::Astray,
                Ok(count) => {
                    IoSlice::advance_slices(&mut left, count);
                    written += count;
                }
                Err(errno) => return failed(errno),
            }
        }
        Copied::Whole
    }

    /// Fills these buffers with what lies in these pieces of the worker's memory, which are as long together.
    pub(super) fn read(&self, pieces: &[Piece], into: [&mut [u8]; 2]) -> Copied {
        let process = lock(&self.process);
        let Some(pid) = *process else { return Copied::Gone };
        let there = pieces.iter().filter(|piece| piece.length > 0).map(|piece| {
            let (base, len) = (piece.address.try_into().ok()?, piece.length.try_into().ok()?);
            Some(RemoteIoVec { base, len })
        });
        let Some(mut there) = there.collect::<Option<Vec<_>>>() else { return Copied::Astray };
        let mut there = there.as_mut_slice();
        let mut buffers = into.map(IoSliceMut::new);
        let mut left = buffers.as_mut_slice();
        while left.iter().any(|buffer| !buffer.is_empty()) {
            match process_vm_readv(pid, left, there) {
                Ok(0) => return Copied::Astray,
                Ok(count) => {
                    IoSliceMut::advance_slices(&mut left, count);
                    there = advance(there, count);
                }
                Err(errno) => return failed(errno),
            }
        }
        Copied::Whole
    }
}

/// The pieces without their first bytes.
fn advance(mut pieces: &mut [RemoteIoVec], mut count: usize) -> &mut [RemoteIoVec] {
    while let Some(first) = pieces.first_mut() {
        if first.len > count {
            first.base += count;
            first.len -= count;
            break;
        }
        count -= first.len;
        pieces = &mut pieces[1..];
    }
    pieces
}

fn failed(errno: Errno) -> Copied {
    match errno {
        Errno::ESRCH => Copied::Gone,
        Errno::EFAULT | Errno::EINVAL => Copied::Astray,
        // EPERM, or ENOSYS in a sandbox. With ENOMEM, say, parts may go all the same.
        _ => Copied::Refused,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;
    use brigade_task::Blob;

    use super::*;

    /// This very process as the worker.
    fn own() -> Direct {
        let direct = Direct::default();
        direct.open(std::process::id());
        direct
    }

    fn value() -> Encoding {
        let blobs = Blob::from(vec![7; 300_000]).into();
        Encoding { bytes: vec![9; 100], blobs }
    }

    #[test]
    fn what_is_written_there_can_be_read_there() {
        let (direct, room) = (own(), vec![0; 300_100]);
        assert_eq!(direct.write(&value(), Piece::of(&room).address), Copied::Whole);
        let pieces = [Piece::of(&room[..5]), Piece::of(&[]), Piece::of(&room[5..])];
        let (mut blobs, mut bytes) = (vec![0; 300_000], vec![0; 100]);
        assert_eq!(direct.read(&pieces, [&mut blobs, &mut bytes]), Copied::Whole);
        assert!(blobs.iter().all(|byte| *byte == 7) && bytes.iter().all(|byte| *byte == 9));
    }

    #[test]
    fn nothing_is_written_to_or_read_from_where_there_is_nothing() {
        let direct = own();
        assert_eq!(direct.write(&value(), 1), Copied::Astray);
        assert_eq!(direct.write(&value(), u64::MAX), Copied::Astray);
        for address in [1, u64::MAX] {
            let piece = Piece { address, length: 4 };
            assert_eq!(direct.read(&[piece], [&mut [0; 4], &mut []]), Copied::Astray);
        }
        assert_eq!(direct.read(&[], [&mut [0; 4], &mut []]), Copied::Astray, "less than was said");
    }

    #[test]
    fn who_is_dead_or_not_known_is_left_alone() {
        let direct = Direct::default();
        assert_eq!(direct.write(&value(), 1), Copied::Gone);
        direct.open(std::process::id());
        assert!(direct.close());
        assert_eq!(direct.read(&[], [&mut [0; 4], &mut []]), Copied::Gone);
        let held = own();
        let copying = held.process.lock().unwrap();
        assert!(!held.close(), "its pid must not be reused now");
        drop(copying);
        assert!(held.close());
    }

    #[test]
    fn a_value_is_taken_by_whom_it_is_for() {
        let (direct, value) = (Direct::default(), Arc::new(value()));
        direct.consign(JobId(1).into(), &value);
        assert!(direct.take(JobId(2).into()).is_none());
        assert_eq!(direct.take(JobId(1).into()), Some(value));
        assert!(direct.take(JobId(1).into()).is_none());
    }
}
