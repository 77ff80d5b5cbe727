//! What is said about values that are too large for a message: how long they are, and where they lie.
//!
//! ```text
//!  supervisor                                                    worker
//!      │ ── Expect: so many bytes of arguments will come ───────▶ │
//!      │ ◀─────────────────────── Room: here is room for them ─── │
//!      │ ══ writes them there (process_vm_writev) ══════════════▶ │
//!      │ ── Frame with the call ────────────────────────────────▶ │
//!      │ ◀────────────────── Offer: the output lies in these ──── │
//!      │ ◀═ reads them (process_vm_readv) ═══════════════════════ │
//!      │ ── Fetched: they are free again ───────────────────────▶ │
//!      │ ◀────────────────────────────────────────── Replies ──── │
//! ```

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::{FromWorker, ToWorker};

/// From how many bytes on a value is copied directly between the two processes, where that is possible.
/// What is smaller travels in parts: two messages more cost as much as copying so many bytes once again.
pub const DIRECT: u64 = 256 * 1024;

/// In how many pieces an offered value may lie.
pub const MOST_PIECES: usize = 1024;

/// How many different regions of [shared](super::Submit::shares) memory the arguments of a job may name.
pub const MOST_SHARES: usize = 1024;

/// How long a value is that was sent before it is mentioned.
///
/// ```
/// use brigade_protocol::message::{Length, Value};
///
/// let value = Value::Parts(Length::plain(100_000));
/// # assert_eq!(value, Value::Parts(Length { bytes: 100_000, blobs: 0 }));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// In bytes, with all that belongs to it.
    pub bytes: u64,
    /// How many of these, from the first on, are what the encoded value left outside: its blobs, one
    /// behind the other. The encoded value itself follows on them.
    pub blobs: u64,
}

impl Length {
    /// The length of a value that left nothing outside.
    ///
    /// ```
    /// use brigade_protocol::message::Length;
    ///
    /// assert_eq!(Length::plain(7).blobs, 0);
    /// ```
    pub fn plain(bytes: u64) -> Self {
        Self { bytes, blobs: 0 }
    }
}

/// A piece of a worker's memory. Who names one that is not what it says harms only itself.
///
/// ```
/// use brigade_protocol::message::Piece;
///
/// let output = [1, 2, 3];
/// let piece = Piece::of(&output);
/// assert_eq!(piece.length, 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it begins, in the address space of the worker.
    pub address: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Piece {
    /// Where these bytes lie in this process.
    ///
    /// ```
    /// use brigade_protocol::message::Piece;
    ///
    /// assert_eq!(Piece::of(&[]).length, 0);
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        // Another process is going to read there: the compiler must not know better.
        let address = bytes.as_ptr().expose_provenance() as u64;
        Self { address, length: bytes.len() as u64 }
    }
}
