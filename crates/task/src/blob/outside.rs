//! What an encoded value leaves outside: its large blobs.
//!
//! ```text
//!  value ── encode, in collect() ──▶ bytes, which say where each blob is among
//!                                    blobs: one after the other, by reference
//!  bytes and blobs ── decode, in with() ──▶ the value, whose blobs are parts of those
//! ```
//!
//! Serde knows of no such thing; so a blob looks into the calling thread's notes whether what it is being
//! written to, or read from, has an outside. What crosses the border of a task is noted likewise: the
//! signature of its [entry](crate::task::Entry) has bytes only.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};

use brigade_protocol::codec::MESSAGE_BUDGET;
use brigade_protocol::message::{Length, MOST_PIECES, MOST_SHARES};

use super::Blob;
use crate::shared::Shared;

/// What is smaller is written where it stands: it fits a message.
const SMALL: usize = MESSAGE_BUDGET;

/// Whether there has ever been a blob in this process. If not, none needs to be looked for.
static EXIST: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What the value that this thread is encoding has left outside.
    static LEAVING: RefCell<Option<Blobs>> = const { RefCell::new(None) };
    /// What the value that this thread is decoding has outside.
    static PRESENT: RefCell<Option<Blobs>> = const { RefCell::new(None) };
    /// What the arguments of the task that this thread is about to run have outside.
    static GIVEN: RefCell<Blobs> = const { RefCell::new(Blobs::NONE) };
    /// What the result of the task that this thread has run left outside.
    static LEFT: RefCell<Blobs> = const { RefCell::new(Blobs::NONE) };
    /// Whether somebody takes that.
    static TAKES: Cell<bool> = const { Cell::new(false) };
}

/// What an encoded value left outside. It is a pointer in every job, and `None` in nearly all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blobs(Option<Box<Outside>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outside {
    /// Its large blobs, in the order in which it names them.
    large: Vec<Blob>,
    /// What it names, and what must be there as long as somebody may read it.
    shares: Vec<Shared>,
    /// It is a result, which can name nothing: nobody sees to it that it is there.
    is_result: bool,
}

/// An encoded value, and what it left outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The value.
    pub bytes: Vec<u8>,
    /// Its large blobs.
    pub blobs: Blobs,
}

/// Where a blob is: its first byte among those of all blobs, and how many it has.
pub(super) type Place = (u64, u64);

impl Blobs {
    const NONE: Self = Self(None);

    fn large(&self) -> &[Blob] {
        self.0.as_ref().map_or(&[], |outside| &outside.large)
    }

    fn shares(&self) -> &[Shared] {
        self.0.as_ref().map_or(&[], |outside| &outside.shares)
    }

    fn outside(&mut self) -> &mut Outside {
        self.0.get_or_insert_default()
    }

    /// Whether nothing was left outside.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.large().is_empty() && self.shares().is_empty()
    }

    /// Takes out what is only kept, and does not travel.
    pub fn take_shares(&mut self) -> Vec<Shared> {
        self.0.as_mut().map(|outside| std::mem::take(&mut outside.shares)).unwrap_or_default()
    }

    /// The numbers of what is only kept.
    pub fn share_numbers(&self) -> Vec<u64> {
        self.shares().iter().filter_map(Shared::number).collect()
    }

    /// Keeps what has these numbers in this process.
    pub fn keep_shares(&mut self, numbers: &[u64]) {
        let found = numbers.iter().filter_map(|number| Shared::find(*number));
        if !numbers.is_empty() {
            self.outside().shares.extend(found);
        }
    }

    /// How many bytes they have together.
    pub fn bytes(&self) -> u64 {
        self.large().iter().map(|blob| blob.len() as u64).sum()
    }

    /// The bytes of one after the other.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.large().iter().map(|blob| &**blob)
    }

    /// The part of it that is a blob.
    fn find(&self, (mut start, length): Place) -> Option<Blob> {
        for blob in self.large() {
            let size = blob.len() as u64;
            if start < size {
                let end = start.checked_add(length).filter(|end| *end <= size)?;
                return Some(blob.slice(usize::try_from(start).ok()?..usize::try_from(end).ok()?));
            }
            start -= size;
        }
        None
    }
}

/// All of it is what blobs left outside, one behind the other.
impl From<Blob> for Blobs {
    fn from(blob: Blob) -> Self {
        let mut blobs = Self::default();
        if !blob.is_empty() {
            blobs.outside().large.push(blob);
        }
        blobs
    }
}

impl Encoding {
    /// How long it is.
    pub fn length(&self) -> Length {
        let blobs = self.blobs.bytes();
        Length { bytes: blobs + self.bytes.len() as u64, blobs }
    }

    /// Its bytes, in the order in which they travel: the blobs first.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.blobs.pieces().chain([&*self.bytes])
    }
}

impl From<Vec<u8>> for Encoding {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, blobs: Blobs::default() }
    }
}

/// Whether there has ever been a blob in this process.
#[inline]
pub fn exist() -> bool {
    EXIST.load(Ordering::Relaxed)
}

/// There is a blob now.
pub(super) fn note_existence() {
    if !exist() {
        EXIST.store(true, Ordering::Relaxed);
    }
}

/// Sets a note of this thread, and puts back what it was when it is dropped, by a panic too.
struct Noted<T: 'static> {
    place: &'static std::thread::LocalKey<RefCell<Option<T>>>,
    before: Option<T>,
}

impl<T> Noted<T> {
    fn new(place: &'static std::thread::LocalKey<RefCell<Option<T>>>, note: T) -> Self {
        Self { place, before: place.replace(Some(note)) }
    }
}

impl<T> Drop for Noted<T> {
    fn drop(&mut self) {
        self.place.set(self.before.take());
    }
}

/// Calls `encode`, and gives the blobs beside its result that it left outside.
pub fn collect<R>(encode: impl FnOnce() -> R) -> (R, Blobs) {
    if !exist() {
        return (encode(), Blobs::default());
    }
    collect_into(Blobs::default(), encode)
}

fn collect_into<R>(blobs: Blobs, encode: impl FnOnce() -> R) -> (R, Blobs) {
    let noted = Noted::new(&LEAVING, blobs);
    let result = encode();
    let blobs = LEAVING.take().unwrap_or_default();
    drop(noted);
    (result, blobs)
}

/// Calls `decode`, for which these blobs are outside.
#[inline]
pub fn with<R>(blobs: &Blobs, decode: impl FnOnce() -> R) -> R {
    if blobs.is_empty() {
        return decode();
    }
    with_taken(&mut blobs.clone(), decode)
}

/// Calls `decode`, for which these blobs are outside. They are taken: what is decoded has them for itself.
#[inline]
pub(crate) fn with_taken<R>(blobs: &mut Blobs, decode: impl FnOnce() -> R) -> R {
    if blobs.is_empty() {
        return decode();
    }
    let _noted = Noted::new(&PRESENT, std::mem::take(blobs));
    decode()
}

/// Notes blobs that were left outside before, if a value is being encoded in this thread.
pub(crate) fn leave_again(blobs: &Blobs) -> bool {
    LEAVING.with_borrow_mut(|leaving| match leaving {
        Some(left) if left.is_empty() => {
            left.clone_from(blobs);
            true
        }
        _ => blobs.is_empty(),
    })
}

/// Leaves a blob outside if there is an outside; tells where it is then.
pub(super) fn leave(blob: &Blob) -> Option<Place> {
    if blob.len() < SMALL {
        return None;
    }
    LEAVING.with_borrow_mut(|leaving| {
        // One piece is left for the value itself.
        let left = leaving.as_mut().filter(|left| left.large().len() < MOST_PIECES - 1)?;
        let start = left.bytes();
        left.outside().large.push(blob.clone());
        Some((start, blob.len() as u64))
    })
}

/// Sees that this is there as long as the value that is being encoded. If not, it must not be named.
pub(crate) fn keep(shared: &Shared) -> bool {
    LEAVING.with_borrow_mut(|leaving| {
        let Some(left) = leaving.as_mut() else { return false };
        if left.0.as_ref().is_some_and(|outside| outside.is_result) {
            return false;
        }
        let is_kept = left.shares().iter().any(|kept| kept.number() == shared.number());
        let may_keep = is_kept || left.shares().len() < MOST_SHARES;
        if !is_kept && may_keep {
            left.outside().shares.push(shared.clone());
        }
        may_keep
    })
}

/// The blob that was left outside there.
pub(super) fn find(place: Place) -> Option<Blob> {
    PRESENT.with_borrow(|present| present.as_ref()?.find(place))
}

/// Runs a task's entry: these are outside of its arguments. Gives what its result left outside as well.
#[inline]
pub fn call<R>(given: Blobs, entry: impl FnOnce() -> R) -> (R, Blobs) {
    let takes = TAKES.replace(true);
    // Taken apart, so that nothing is left to be dropped where there is nothing.
    let is_given = match given.0 {
        None => false,
        Some(outside) => {
            GIVEN.set(Blobs(Some(outside)));
            true
        }
    };
    let result = entry();
    if is_given {
        // If the entry has not looked.
        GIVEN.take();
    }
    TAKES.set(takes);
    let left = if exist() { LEFT.take() } else { Blobs::default() };
    (result, left)
}

/// Calls `decode`, which reads the arguments of a task.
#[inline]
pub(crate) fn read_arguments<R>(decode: impl FnOnce() -> R) -> R {
    if !exist() {
        return decode();
    }
    with_taken(&mut GIVEN.take(), decode)
}

/// Calls `encode`, which writes the result of a task.
#[inline]
pub(crate) fn write_result<R>(encode: impl FnOnce() -> R) -> R {
    if !TAKES.get() {
        return encode();
    }
    if !exist() {
        return encode();
    }
    let outside = Outside { is_result: true, ..Outside::default() };
    let (result, blobs) = collect_into(Blobs(Some(Box::new(outside))), encode);
    if !blobs.is_empty() {
        LEFT.set(blobs);
    }
    result
}
