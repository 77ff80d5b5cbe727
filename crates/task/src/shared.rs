//! Bytes that many jobs use, and that are in memory once.
//!
//! ```text
//!  supervisor: Shared ── a sealed memory file ◀── opened by /proc/PID/fd/N, mapped ── worker: Shared
//!                  └─ its name among the arguments, the file kept until the job has ended ─┘
//! ```

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::blob::{Blob, outside};
use crate::os::{self, Mapping};

/// Bytes that are in memory once, however many jobs and workers use them.
///
/// [`ProcessPool::share`](../brigade/struct.ProcessPool.html#method.share) makes them. As an argument of a
/// task, or within one, only their name travels; a worker maps them as long as one of its jobs has them.
/// They stay as long as a `Shared` lives, or a job that was given one has not ended.
///
/// It dereferences to `[u8]`, and a clone is the same bytes. As a result they travel as a [`Blob`] does, and
/// with other encoders they are written as one is.
///
/// ```
/// use brigade::{ProcessPool, Shared, task};
/// # brigade::test_support!();
///
/// /// Counts a byte in a part of the data.
/// #[task]
/// fn count(data: Shared, part: usize, byte: u8) -> usize {
///     data.chunks(1000).nth(part).map_or(0, |part| part.iter().filter(|b| **b == byte).count())
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ProcessPool::builder().workers(2).build()?;
/// let data = pool.share(vec![7; 10_000]);
/// let counts = pool.map((0..10).map(|part| count(data.clone(), part, 7)));
/// assert_eq!(counts.sum::<Result<usize, _>>()?, 10_000);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Shared {
    bytes: Blob,
    region: Option<Arc<Region>>,
}

/// The memory file, and where others find it.
struct Region {
    name: Name,
    /// In the process that made it.
    file: Option<File>,
    bytes: Blob,
}

/// Where a memory file is found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Name {
    /// The process that has it open, and as which descriptor.
    process: u32,
    descriptor: i32,
    /// Tells it from what may be open there later.
    inode: u64,
}

type Known = HashMap<u64, (Name, Weak<Region>)>;

/// What this process has mapped, or made, by inode. No region may be dropped under this lock.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

impl Shared {
    /// Puts these bytes where other processes find them. If the system does not allow that, they will be
    /// sent to each job.
    #[doc(hidden)]
    pub fn between_processes(bytes: &[u8]) -> Self {
        Self::make(bytes).unwrap_or_else(|_| Self::here(bytes))
    }

    /// Bytes for jobs of this process.
    #[doc(hidden)]
    pub fn here(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), region: None }
    }

    fn make(bytes: &[u8]) -> io::Result<Self> {
        // Descriptors of what must not be dumped can be opened by nobody else.
        if bytes.is_empty() || !prctl::get_dumpable()? {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = File::from(memfd_create(c"brigade-shared", flags)?);
        file.write_all(bytes)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(os::seals()))?;
        let (process, descriptor) = (std::process::id(), file.as_raw_fd());
        let name = Name { process, descriptor, inode: file.metadata()?.ino() };
        let own = name.open()?;
        let bytes = Blob::from(Mapping::new(&own)?);
        Ok(Self::noted(&mut known(), name, Some(file), bytes))
    }

    /// Opens what another process made, or finds what is mapped here.
    pub(crate) fn open(name: Name) -> io::Result<Self> {
        // Under the lock, so that it is mapped once, whoever else comes for it now.
        let mut known = known();
        if let Some((_, region)) = known.get(&name.inode).filter(|(known, _)| *known == name)
            && let Some(region) = region.upgrade()
        {
            return Ok(region.into());
        }
        let file = name.open()?;
        Ok(Self::noted(&mut known, name, None, Mapping::new(&file)?.into()))
    }

    /// What is known here under this number.
    #[doc(hidden)]
    pub fn find(inode: u64) -> Option<Self> {
        known().get(&inode)?.1.upgrade().map(Self::from)
    }

    /// The number under which [`Shared::find`] finds it, if others can have it by its name.
    #[doc(hidden)]
    pub fn number(&self) -> Option<u64> {
        self.region.as_ref().map(|region| region.name.inode)
    }

    fn noted(known: &mut Known, name: Name, file: Option<File>, bytes: Blob) -> Self {
        let region = Arc::new(Region { name, file, bytes });
        known.retain(|_, (_, region)| region.strong_count() > 0);
        known.insert(name.inode, (name, Arc::downgrade(&region)));
        region.into()
    }
}

impl From<Arc<Region>> for Shared {
    fn from(region: Arc<Region>) -> Self {
        Self { bytes: region.bytes.clone(), region: Some(region) }
    }
}

impl Name {
    fn open(self) -> io::Result<File> {
        let Self { process, descriptor, inode } = self;
        let file = File::open(format!("/proc/{process}/fd/{descriptor}"))?;
        if file.metadata()?.ino() != inode {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is gone"));
        }
        Ok(file)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // The number may be that of another file from now on.
        if self.file.is_some() {
            let mut known = known();
            if known.get(&self.name.inode).is_some_and(|(name, _)| *name == self.name) {
                known.remove(&self.name.inode);
            }
        }
    }
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Shared> for Blob {
    /// The same bytes. They stay in memory as long as the blob; but it travels as blobs do.
    fn from(shared: Shared) -> Self {
        shared.bytes
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Shared {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} bytes)", self.len())
    }
}

/// How it is written by our codec.
#[derive(Serialize, Deserialize)]
enum Written {
    Bytes(Blob),
    Named(Name),
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.bytes.serialize(serializer);
        }
        match &self.region {
            Some(region) if outside::keep(self) => {
                Written::Named(region.name).serialize(serializer)
            }
            _ => Written::Bytes(self.bytes.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Blob::deserialize(deserializer).map(|bytes| Self { bytes, region: None });
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self { bytes, region: None }),
            Written::Named(name) => Self::open(name).map_err(|error| {
                let Name { process, .. } = name;
                let text = format!("cannot open what process {process} shares: {error}");
                de::Error::custom(text)
            }),
        }
    }
}
