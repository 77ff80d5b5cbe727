//! Bytes that travel beside the value that holds them, and are not copied more often than they must be.

#[doc(hidden)]
pub mod outside;

use std::fmt;
use std::ops::{Bound, Deref, Range, RangeBounds};
use std::sync::Arc;

use serde::de::{self, EnumAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::buffers;
use crate::os::Mapping;

/// Bytes that are shared instead of copied, and that no encoder touches.
///
/// As an argument of a task, as its result, or anywhere within these, a blob of 56 KiB and more is left
/// outside when they are encoded (as the buffers of Python's pickle protocol 5 are): it is copied once,
/// from the memory of one process to that of the other. A worker that returns a blob it was given copies
/// nothing. On a thread pool, or run in place, a blob is the same memory for all.
///
/// A clone shares the bytes. It dereferences to `[u8]`, and is made of a `Vec<u8>` without a copy, as is a
/// `Vec<u8>` of a blob that nobody shares. Nobody shares what a job was given if it is the only large one among its
/// arguments, nor, as a rule, what a client was given.
///
/// With other encoders it is written as bytes are by serde: JSON has an array of numbers, and is read from
/// such an array or from a string, of which it takes the bytes.
///
/// ```
/// use brigade::{Blob, ProcessPool, task};
/// # brigade::test_support!();
///
/// /// Paints all pixels of one colour.
/// #[task]
/// fn paint(image: Blob, colour: u8) -> Blob {
///     let mut pixels = Vec::from(image);
///     pixels.fill(colour);
///     pixels.into()
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ProcessPool::builder().workers(1).build()?;
/// let image = Blob::from(vec![0; 1_000_000]);
/// let painted = pool.submit(paint(image, 7)).result()?;
/// assert_eq!((painted.len(), painted[999_999]), (1_000_000, 7));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Blob {
    memory: Arc<Memory>,
    range: Range<usize>,
}

/// Where the bytes are.
enum Memory {
    /// It is used again when nobody shares it any more.
    Own(Vec<u8>),
    /// It belongs to a [`Shared`](crate::Shared).
    Mapped(Mapping),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Mapped(mapping) => mapping.bytes(),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Own(bytes) = self {
            buffers::give(std::mem::take(bytes));
        }
    }
}

impl Blob {
    /// A part of it, which shares its bytes.
    ///
    /// # Panics
    ///
    /// If the range is not within it.
    ///
    /// ```
    /// use brigade::Blob;
    ///
    /// let blob = Blob::from(vec![1, 2, 3, 4]);
    /// assert_eq!(blob.slice(1..3), [2, 3]);
    /// assert_eq!(blob.slice(2..).slice(1..), [4]);
    /// ```
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let length = self.len();
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => length,
        };
        assert!(start <= end && end <= length, "{start}..{end} is not within {length} bytes");
        let range = self.range.start + start..self.range.start + end;
        Self { memory: Arc::clone(&self.memory), range }
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.range.clone()]
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        outside::note_existence();
        let range = 0..bytes.len();
        Self { memory: Arc::new(Memory::Own(bytes)), range }
    }
}

impl From<Mapping> for Blob {
    fn from(mapping: Mapping) -> Self {
        outside::note_existence();
        let range = 0..mapping.bytes().len();
        Self { memory: Arc::new(Memory::Mapped(mapping)), range }
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = buffers::take(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer.into()
    }
}

impl<const N: usize> From<&[u8; N]> for Blob {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Box<[u8]>> for Blob {
    fn from(bytes: Box<[u8]>) -> Self {
        bytes.into_vec().into()
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Blob> for Vec<u8> {
    /// Without a copy if nobody shares the bytes and this is all of them.
    fn from(blob: Blob) -> Self {
        let Blob { memory, range } = blob;
        let mut memory = memory;
        match Arc::get_mut(&mut memory) {
            Some(Memory::Own(bytes)) if range.start == 0 => {
                let mut bytes = std::mem::take(bytes);
                bytes.truncate(range.end);
                bytes
            }
            _ => memory[range].to_vec(),
        }
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        let is_same = Arc::ptr_eq(&self.memory, &other.memory) && self.range == other.range;
        is_same || **self == **other
    }
}

impl Eq for Blob {}

impl PartialEq<[u8]> for Blob {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Blob {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl PartialEq<Vec<u8>> for Blob {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

/// How it is written where other encoders would write bytes: here, or as what lies outside.
const NAME: &str = "Blob";
const VARIANTS: &[&str] = &["Here", "Outside"];

struct Here<'a>(&'a [u8]);

impl Serialize for Here<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_bytes(self);
        }
        match outside::leave(self) {
            Some(place) => serializer.serialize_newtype_variant(NAME, 1, VARIANTS[1], &place),
            None => serializer.serialize_newtype_variant(NAME, 0, VARIANTS[0], &Here(self)),
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_byte_buf(Bytes).map(|Owned(bytes)| bytes.into());
        }
        deserializer.deserialize_enum(NAME, VARIANTS, Variants)
    }
}

struct Variants;

impl<'de> Visitor<'de> for Variants {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a blob")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Blob, A::Error> {
        match data.variant::<u32>()? {
            (0, variant) => variant.newtype_variant::<Owned>().map(|Owned(bytes)| bytes.into()),
            (1, variant) => {
                let place = variant.newtype_variant()?;
                let found = outside::find(place);
                found.ok_or_else(|| de::Error::custom("what a blob left outside is not there"))
            }
            (other, _) => {
                let unexpected = de::Unexpected::Unsigned(other.into());
                Err(de::Error::invalid_value(unexpected, &"0 or 1"))
            }
        }
    }
}

struct Owned(Vec<u8>);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Owned;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Owned, E> {
        Ok(Owned(bytes.to_vec()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Owned, E> {
        Ok(Owned(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Owned, E> {
        Ok(Owned(text.as_bytes().to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Owned, A::Error> {
        // A length that lies must not be an allocation.
        let mut bytes = Vec::with_capacity(sequence.size_hint().unwrap_or(0).min(4096));
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(Owned(bytes))
    }
}
