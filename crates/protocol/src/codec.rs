//! Messages and values to bytes and back: the only module that knows bincode.
//!
//! Two limits hold. A *message* is one packet of at most [`MAX_MESSAGE`] bytes. A *value* (the
//! arguments or the output of a job) may be as large as [`MAX_VALUE`] and travels in parts when it
//! does not fit a message. A length that lies is an error before it is an allocation: what is borrowed
//! from the packet allocates nothing, a list reserves at most 1 MiB on the word of its length (serde's
//! bound), and a text or an owned list of bytes at most [`WIDTH`] times what a packet of that size
//! class may hold.

use bincode::config;
use bincode::enc::write::Writer;
use serde::{Deserialize, Serialize};

/// The largest message, in bytes. An ipc-channel carries it in one packet, and four of them fit
/// its buffer.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The largest encoded arguments or output of one job, in bytes.
pub const MAX_VALUE: usize = 1024 * 1024 * 1024;

/// How many bytes of arguments or output go into one message, [`OVERHEAD`] per item included; the
/// rest of [`MAX_MESSAGE`] is for what surrounds them.
pub const MESSAGE_BUDGET: usize = 56 * 1024;

/// The most that one call or reply adds to the bytes that it carries.
pub const OVERHEAD: usize = 40;

/// The most that one call of a run adds.
pub const OVERHEAD_IN_RUN: usize = 5;

/// Whether a value of so many bytes goes into a message; otherwise it travels in parts.
///
/// ```
/// use brigade_protocol::codec::{MESSAGE_BUDGET, fits_inline};
///
/// assert!(fits_inline(1_000));
/// assert!(!fits_inline(MESSAGE_BUDGET));
/// ```
pub fn fits_inline(length: usize) -> bool {
    length + OVERHEAD <= MESSAGE_BUDGET
}

/// How many bytes of a large value one part carries.
pub const PART: usize = 48 * 1024;

/// bincode counts a limit in the memory that a value takes, not in the bytes that it is written in: a
/// `u64` below 251 is one byte there and eight here. So its limits are this many times the length.
pub const WIDTH: usize = 16;

/// How values are written: every number in as many bytes as its type has. Messages are written shorter,
/// with numbers as long as they are large, which takes two to four times as long for each.
const VALUE: config::Configuration<config::LittleEndian, config::Fixint> =
    config::standard().with_fixed_int_encoding();

/// The bytes are not the message that was expected.
///
/// ```
/// use brigade_protocol::codec::{DecodeError, decode, encode};
///
/// let mut bytes = encode(&7_u64)?;
/// bytes.push(0);
/// assert!(matches!(decode::<u64>(&bytes), Err(DecodeError::Trailing { extra: 1 })));
/// assert!(matches!(decode::<u64>(&[]), Err(DecodeError::Malformed(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than a message may have.
    #[error("message of {length} bytes, the limit is {MAX_MESSAGE}")]
    TooLong {
        /// How many there were.
        length: usize,
    },
    /// Bytes are left over.
    #[error("{extra} bytes trail the message")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A value is longer than what there is.
    #[error("a value is cut short")]
    CutShort,
    /// Cut short, not of this type, or claiming more than the limit.
    #[error("malformed message: {0}")]
    Malformed(#[source] bincode::error::DecodeError),
}

/// The value cannot be written down.
///
/// ```
/// use brigade_protocol::codec::{EncodeError, MAX_MESSAGE, encode};
///
/// let error = encode(&vec![7_u8; MAX_MESSAGE]).unwrap_err();
/// assert!(matches!(error, EncodeError::TooLong { length } if length > MAX_MESSAGE));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is larger than a message may be.
    #[error("message of {length} bytes, the limit is {MAX_MESSAGE}")]
    TooLong {
        /// How many bytes it takes.
        length: usize,
    },
    /// Its `Serialize` failed.
    #[error("cannot encode: {0}")]
    Unencodable(#[source] bincode::error::EncodeError),
}

/// Encodes a message.
///
/// # Errors
///
/// [`EncodeError::TooLong`] if it does not fit [`MAX_MESSAGE`].
///
/// ```
/// use brigade_protocol::codec::encode;
/// use brigade_protocol::message::FromWorker;
///
/// assert_eq!(encode(&FromWorker::Ready)?, [0]);
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_into(message, &mut bytes)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(EncodeError::TooLong { length: bytes.len() });
    }
    Ok(bytes)
}

/// Appends a message of any length to `buffer`.
///
/// # Errors
///
/// [`EncodeError::Unencodable`] if its `Serialize` fails; `buffer` is then as it was.
///
/// ```
/// use brigade_protocol::codec::encode_into;
/// use brigade_protocol::message::FromWorker;
///
/// let mut buffer = vec![7];
/// encode_into(&FromWorker::Taken, &mut buffer)?;
/// assert_eq!(buffer.len(), 2);
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
pub fn encode_into<T: Serialize>(message: &T, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
    write(message, buffer, config::standard())
}

/// Decodes a message, borrowing byte slices and strings from the packet.
///
/// # Errors
///
/// Any [`DecodeError`]; never a panic.
///
/// ```
/// use brigade_protocol::codec::{decode, encode};
/// use brigade_protocol::message::{FromWorker, ToWorker};
///
/// let packet = encode(&FromWorker::Taken)?;
/// assert_eq!(decode::<FromWorker>(&packet)?, FromWorker::Taken);
/// assert!(decode::<ToWorker>(&[255]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(DecodeError::TooLong { length: bytes.len() });
    }
    decode_limited(bytes, config::standard().with_limit::<{ WIDTH * MAX_MESSAGE }>())
}

/// Decodes a message that [`encode_into`] wrote, whatever its length.
pub(crate) fn decode_long<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    decode_limited(bytes, config::standard().with_limit::<{ WIDTH * MAX_VALUE }>())
}

/// Appends a value (arguments, output) to `buffer`.
///
/// # Errors
///
/// [`EncodeError::Unencodable`] if its `Serialize` fails; `buffer` is then as it was.
///
/// ```
/// use brigade_protocol::codec::encode_value;
///
/// let mut arguments = Vec::new();
/// encode_value(&(1_u8, true), &mut arguments)?;
/// assert_eq!(arguments, [1, 1]);
/// # Ok::<(), brigade_protocol::codec::EncodeError>(())
/// ```
#[inline]
pub fn encode_value<T: Serialize + ?Sized>(
    value: &T,
    buffer: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    write(value, buffer, VALUE)
}

/// Decodes a value (arguments, output).
///
/// # Errors
///
/// Any [`DecodeError`] but `TooLong`.
///
/// ```
/// use brigade_protocol::codec::{decode_value, encode_value};
///
/// let mut output = Vec::new();
/// encode_value("as it was", &mut output)?;
/// assert_eq!(decode_value::<&str>(&output)?, "as it was");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn decode_value<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    const MEDIUM: usize = 16 * 1024 * 1024;
    // bincode wants its limit at compile time: so there are three sizes.
    if bytes.len() <= MAX_MESSAGE {
        decode_limited(bytes, VALUE.with_limit::<{ WIDTH * MAX_MESSAGE }>())
    } else if bytes.len() <= MEDIUM {
        decode_limited(bytes, VALUE.with_limit::<{ WIDTH * MEDIUM }>())
    } else {
        decode_limited(bytes, VALUE.with_limit::<{ WIDTH * MAX_VALUE }>())
    }
}

/// Appends one of several values that travel one behind the other: bytes with their length before them.
///
/// ```
/// use brigade_protocol::codec::{push_bytes, take_bytes};
///
/// let mut bytes = Vec::new();
/// push_bytes(b"one", &mut bytes);
/// push_bytes(b"two", &mut bytes);
/// let mut rest = bytes.as_slice();
/// assert_eq!(take_bytes(&mut rest).unwrap(), b"one");
/// assert_eq!(take_bytes(&mut rest).unwrap(), b"two");
/// ```
#[inline]
pub fn push_bytes(value: &[u8], buffer: &mut Vec<u8>) {
    push(value.len() as u64, buffer);
    buffer.extend_from_slice(value);
}

/// Appends one of several values as [`push_bytes`] does, without a copy of it: `write` appends it. Returns
/// its length.
///
/// ```
/// use brigade_protocol::codec::{encode_value, push_written, take_bytes};
///
/// let mut bytes = Vec::new();
/// let length = push_written(&mut bytes, |bytes| encode_value(&(7_u8, true), bytes))?;
/// assert_eq!((length, take_bytes(&mut bytes.as_slice())?), (2, &[7, 1][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// That of `write`; `buffer` is then as it was.
///
/// # Panics
///
/// As `write` does; `buffer` is then as it was, too.
#[inline]
pub fn push_written<E>(
    buffer: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<usize, E> {
    let before = buffer.len();
    let mut growth = Growth { buffer, keep: before };
    growth.buffer.push(0);
    write(growth.buffer)?;
    let length = growth.buffer.len() - before - 1;
    if let Ok(short @ 0..=250) = u8::try_from(length) {
        growth.buffer[before] = short;
    } else {
        insert_length(growth.buffer, before, length);
    }
    growth.keep = growth.buffer.len();
    Ok(length)
}

/// Replaces the byte at `place` with a length that takes more than one.
#[cold]
fn insert_length(buffer: &mut Vec<u8>, place: usize, length: usize) {
    let mut prefix = Vec::new();
    push(length as u64, &mut prefix);
    buffer.splice(place..=place, prefix);
}

/// What is being added to a buffer, and how much of that stays if an error or a panic ends it.
struct Growth<'a> {
    buffer: &'a mut Vec<u8>,
    keep: usize,
}

impl Drop for Growth<'_> {
    fn drop(&mut self) {
        self.buffer.truncate(self.keep);
    }
}

/// Appends the output of one job of a run, with how many nanoseconds it ran.
///
/// ```
/// use brigade_protocol::codec::{push_output, take_output};
///
/// let mut bytes = Vec::new();
/// push_output(1500, b"done", &mut bytes);
/// assert_eq!(take_output(&mut bytes.as_slice()).unwrap(), (1500, &b"done"[..]));
/// ```
#[inline]
pub fn push_output(elapsed: u64, output: &[u8], buffer: &mut Vec<u8>) {
    if let Some((head, used)) = short_head(elapsed, output.len()) {
        buffer.reserve(used + output.len());
        buffer.extend_from_slice(&head[..used]);
        buffer.extend_from_slice(output);
        return;
    }
    push(elapsed, buffer);
    push_bytes(output, buffer);
}

/// What [`push_output`] writes before the output of a short job, if that is short as well: the bytes, and how many
/// of them count.
///
/// ```
/// use brigade_protocol::codec::{push_output, short_head};
///
/// let mut bytes = Vec::new();
/// push_output(1500, b"done", &mut bytes);
/// let (head, used) = short_head(1500, 4).expect("it is short");
/// assert_eq!(bytes, [&head[..used], b"done"].concat());
/// assert_eq!(short_head(1500, 100_000), None);
/// ```
#[inline]
pub fn short_head(elapsed: u64, length: usize) -> Option<([u8; 4], usize)> {
    let length = u8::try_from(length).ok().filter(|length| *length <= 250)?;
    let [low, high] = u16::try_from(elapsed).ok()?.to_le_bytes();
    Some(if elapsed <= 250 { ([low, length, 0, 0], 2) } else { ([251, low, high, length], 4) })
}

/// Takes the first of several values off `bytes`; see [`push_bytes`].
///
/// ```
/// # use brigade_protocol::codec::take_bytes;
/// let mut rest = &[1, b'x', 5, b'y'][..];
/// assert_eq!(take_bytes(&mut rest).unwrap(), b"x");
/// assert!(take_bytes(&mut rest).is_err(), "it is cut short");
/// ```
///
/// # Errors
///
/// [`DecodeError::CutShort`] or [`DecodeError::Malformed`] if it is not whole.
#[inline]
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = pop(bytes)?;
    let parts = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let Some((first, rest)) = parts else { return Err(DecodeError::CutShort) };
    *bytes = rest;
    Ok(first)
}

/// Takes the first of several outputs off `bytes`, with how many nanoseconds it took; see
/// [`push_output`].
///
/// ```
/// # use brigade_protocol::codec::take_output;
/// assert_eq!(take_output(&mut &[7, 1, b'x'][..]).unwrap(), (7, &b"x"[..]));
/// ```
///
/// # Errors
///
/// [`DecodeError::CutShort`] or [`DecodeError::Malformed`] if it is not whole.
#[inline]
pub fn take_output<'a>(bytes: &mut &'a [u8]) -> Result<(u64, &'a [u8]), DecodeError> {
    Ok((pop(bytes)?, take_bytes(bytes)?))
}

/// Writes a number as bincode does. Millions a second are: so the short ones are written by hand.
#[inline]
fn push(number: u64, buffer: &mut Vec<u8>) {
    match number {
        0..=250 => buffer.push(number.to_le_bytes()[0]),
        251..=0xffff => buffer.extend([251, number.to_le_bytes()[0], number.to_le_bytes()[1]]),
        _ => {
            let written = bincode::encode_into_writer(number, Append(buffer), config::standard());
            written.expect("a number can be written to memory");
        }
    }
}

/// Reads what [`push`] wrote.
#[inline]
fn pop(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let number;
    (number, *bytes) = match *bytes {
        [number @ 0..=250, rest @ ..] => (u64::from(*number), rest),
        // Not by reference: or what is read would be in memory, and not in registers, for the short ones too.
        long => pop_long(long)?,
    };
    Ok(number)
}

/// Reads a number of more than one byte. Apart, so that what reads the short ones is small enough to be inlined.
#[cold]
fn pop_long(bytes: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    let (number, used) =
        bincode::decode_from_slice(bytes, config::standard()).map_err(DecodeError::Malformed)?;
    Ok((number, &bytes[used..]))
}

/// bincode's way into memory that grows; its own is of the standard library's I/O.
struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[inline]
fn write<T: Serialize + ?Sized, C: config::Config>(
    value: &T,
    buffer: &mut Vec<u8>,
    config: C,
) -> Result<(), EncodeError> {
    let before = buffer.len();
    let encoded = bincode::serde::encode_into_writer(value, Append(buffer), config);
    encoded.map_err(|error| {
        buffer.truncate(before);
        EncodeError::Unencodable(error)
    })
}

#[inline]
fn decode_limited<'a, T: Deserialize<'a>, C: config::Config>(
    bytes: &'a [u8],
    config: C,
) -> Result<T, DecodeError> {
    let decoded = bincode::serde::borrow_decode_from_slice(bytes, config);
    let (message, used) = decoded.map_err(DecodeError::Malformed)?;
    match bytes.len() - used {
        0 => Ok(message),
        extra => Err(DecodeError::Trailing { extra }),
    }
}
