//! Mapping a file that cannot change: the only `unsafe` of this crate.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The bytes of a sealed memory file, mapped for reading.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

/// What a file must be sealed against, so that its bytes stay as they are wherever it is mapped.
pub(crate) fn seals() -> SealFlag {
    SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL
}

impl Mapping {
    /// Maps all of a file.
    ///
    /// # Errors
    ///
    /// It is empty, not a sealed memory file, or there is no room for it.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        let sealed = SealFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GET_SEALS)?);
        if !sealed.contains(seals()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not sealed"));
        }
        let length = usize::try_from(file.metadata()?.size()).map_err(io::Error::other)?;
        let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        // Private, because Linux before 6.7 does not share what is sealed against writing; the pages are
        // those of the file all the same, as long as nobody writes, which nobody may.
        let (access, flags) = (ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE);
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory in use.
        let start = unsafe { mmap(None, size, access, flags, file, 0) }?;
        Ok(Self { start: start.cast(), length })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped there until `self` is dropped, and the seals, which nobody can
        // take off, keep everybody from changing them or taking them away.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and nobody borrows from it any more.
        let unmapped = unsafe { munmap(self.start.cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

// SAFETY: the bytes never change, so any thread may read or unmap them.
unsafe impl Send for Mapping {}

// SAFETY: as above.
unsafe impl Sync for Mapping {}
