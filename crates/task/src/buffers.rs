//! Large buffers that serve again. A page that is touched for the first time costs as much as copying ten
//! kilobytes; so a value of 64 MiB costs four times as much in fresh memory as in a buffer that was used
//! before. What is kept is bounded, and serves whoever comes next: all pools of this process share it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is smaller is left to the allocator, which keeps it warm by itself.
pub const SMALLEST: usize = 256 * 1024;

/// The most bytes that are kept for later.
pub const MOST: usize = 128 * 1024 * 1024;

static KEPT: Mutex<Kept> = Mutex::new(Kept { buffers: Vec::new(), bytes: 0 });

struct Kept {
    buffers: Vec<Vec<u8>>,
    /// Their capacities.
    bytes: usize,
}

/// A buffer of this length. What is in it is left from its last use, or zero.
pub fn take(length: usize) -> Vec<u8> {
    let mut buffer = if length < SMALLEST { None } else { lock().take(length) }.unwrap_or_default();
    if buffer.capacity() == 0 {
        // Pages of zeros come from the system, and are not touched here.
        return vec![0; length];
    }
    buffer.resize(length, 0);
    buffer
}

/// Takes back a buffer that is not needed any more, of whatever origin.
pub fn give(buffer: Vec<u8>) {
    if (SMALLEST..=MOST).contains(&buffer.capacity()) {
        let superfluous = lock().give(buffer);
        drop(superfluous);
    }
}

/// Whether anything is kept.
pub fn are_kept() -> bool {
    lock().bytes > 0
}

/// Lets go of all that is kept.
pub fn release() {
    let kept = std::mem::replace(&mut *lock(), Kept { buffers: Vec::new(), bytes: 0 });
    // Not under the lock.
    drop(kept);
}

fn lock() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// The smallest buffer that is large enough, unless it is much too large.
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| {
            let capacity = buffer.capacity();
            capacity >= length && capacity / 4 <= length
        };
        let fitting = self.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        let (index, _) = fitting.min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.buffers.remove(index);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer, and gives those back that have been kept for longest and are now too much.
    fn give(&mut self, buffer: Vec<u8>) -> Vec<Vec<u8>> {
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        let mut superfluous = Vec::new();
        while self.bytes > MOST {
            let oldest = self.buffers.remove(0);
            self.bytes -= oldest.capacity();
            superfluous.push(oldest);
        }
        superfluous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept { buffers: Vec::new(), bytes: 0 }
    }

    #[test]
    fn a_buffer_serves_again_if_it_fits() {
        let mut kept = kept();
        assert!(kept.give(Vec::with_capacity(1_000_000)).is_empty());
        assert!(kept.give(Vec::with_capacity(2_000_000)).is_empty());
        assert!(kept.take(2_000_001).is_none(), "too small");
        assert!(kept.take(100_000).is_none(), "much too large");
        assert_eq!(kept.take(900_000).map(|buffer| buffer.capacity()), Some(1_000_000));
        assert_eq!(kept.take(900_000).map(|buffer| buffer.capacity()), Some(2_000_000));
        assert_eq!((kept.bytes, kept.buffers.len()), (0, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = kept();
        for _ in 0..4 {
            assert!(kept.give(Vec::with_capacity(MOST / 4)).is_empty());
        }
        assert_eq!(kept.give(Vec::with_capacity(MOST / 2)).len(), 2, "the oldest make room");
        assert_eq!(kept.bytes, MOST);
    }

    #[test]
    fn a_buffer_is_as_long_as_it_should_be() {
        for length in [0, 1, SMALLEST - 1, SMALLEST, SMALLEST + 1] {
            let buffer = take(length);
            assert_eq!(buffer.len(), length);
            give(buffer);
        }
    }
}
