//! What the standard library and nix cannot do safely: the only `unsafe` of this crate.
//!
//! Each function here is safe to call as documented; none makes a decision.

use std::ffi::{CStr, c_void};
use std::fs::{self, File};
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};

use brigade_protocol::board;
use brigade_protocol::message::Usage;
use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{self, MapFlags, ProtFlags};
use nix::sys::prctl;
use nix::sys::signal::{self, SigHandler, Signal};
use nix::sys::socket::{self, ControlMessageOwned, MsgFlags};
use nix::sys::wait::WaitStatus;
use nix::unistd::{self, ForkResult, Pid};

use crate::board::Page;

/// That this process has exactly one thread: what fork and changes of the environment rest on.
#[derive(Clone, Copy)]
pub(crate) struct SingleThreaded(());

impl SingleThreaded {
    /// Looks whether it is so now. It stays so until this process starts a thread.
    pub(crate) fn check() -> io::Result<Option<Self>> {
        Ok((threads()? == 1).then_some(Self(())))
    }
}

/// How many threads this process has now. One that was joined may be counted a moment longer.
pub(crate) fn threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// Takes a variable out of the environment and returns its value.
pub(crate) fn take_variable(name: &str, _: SingleThreaded) -> Option<std::ffi::OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: with a single thread nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// A variable of the environment whose value is a number, changed by a few stores: to set one anew
/// copies the environment, and each worker would pay for that with pages of its own.
pub(crate) struct NumberVariable(NonNull<[u8; DIGITS + 1]>);

/// The most digits of a number of 64 bits.
const DIGITS: usize = 20;

impl NumberVariable {
    /// Puts it into the environment, for good, with a value of zero.
    pub(crate) fn put(name: &str, _: SingleThreaded) -> nix::Result<Self> {
        let start = format!("{name}=0");
        let place = start.len() - 1;
        let mut entry = start.into_bytes();
        entry.resize(place + DIGITS + 1, 0);
        // From now on it belongs to the environment.
        let entry = NonNull::from(Box::leak(entry.into_boxed_slice())).cast::<u8>();
        // SAFETY: with a single thread nobody reads the environment meanwhile; the entry ends with a zero
        // and is never freed.
        Errno::result(unsafe { libc::putenv(entry.as_ptr().cast()) })?;
        // SAFETY: the entry has that many bytes from this place on.
        Ok(Self(unsafe { entry.add(place) }.cast()))
    }

    /// Changes it.
    pub(crate) fn set(&mut self, number: u64, _: SingleThreaded) {
        let mut value = [0; DIGITS + 1];
        // It has no more digits than there is room for, and a zero behind them.
        let _ = write!(&mut value[..DIGITS], "{number}");
        // SAFETY: these bytes are never freed, and with a single thread nobody reads them meanwhile.
        unsafe { self.0.write(value) };
    }
}

/// Forks. The child has one thread, too, and must never return to its parent's callers.
pub(crate) fn fork(_: SingleThreaded) -> nix::Result<ForkResult> {
    // SAFETY: with a single thread no lock is held by a thread that the child does not have, so
    // the child may do whatever its parent might.
    unsafe { unistd::fork() }
}

/// Starts a thread without the standard library. It must not panic: that ends the process.
pub(crate) fn start_bare_thread<F>(name: &'static CStr, body: F) -> nix::Result<()>
where
    F: Fn() + Send + Sync + 'static,
{
    extern "C" fn begin<F: Fn()>(start: *mut c_void) -> *mut c_void {
        // SAFETY: `start` is what was leaked below, which is shared with nobody and is never freed.
        let Start(name, body) = unsafe { &*start.cast::<Start<F>>() };
        // A thread without a name works as well.
        let _ = prctl::set_name(name);
        body();
        ptr::null_mut()
    }
    // It is not freed by the new thread, whose first call of `malloc` would make an arena.
    let start: *mut Start<F> = Box::leak(Box::new(Start(name, body)));
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are initialized first and destroyed last. The thread gets a pointer to a `Start`
    // that is never freed, may be sent, and is read by `begin` of the same type.
    let refused = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        let refused = libc::pthread_create(
            thread.as_mut_ptr(),
            attributes.as_ptr(),
            begin::<F>,
            start.cast(),
        );
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        refused
    };
    if refused == 0 { Ok(()) } else { Err(Errno::from_raw(refused)) }
}

/// What a bare thread starts with.
struct Start<F>(&'static CStr, F);

/// The size of its stack, which is that of other threads.
const STACK: usize = 2 * 1024 * 1024;

/// Ends this process at once: no destructor, no exit handler, nothing flushed.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` is always safe to call; it does not return.
    unsafe { libc::_exit(code) }
}

/// Adds to the niceness of this thread, and so of what it forks; the system stops at 19.
pub(crate) fn add_niceness(increment: i32) -> nix::Result<()> {
    Errno::clear();
    // SAFETY: `nice` takes a number and touches no memory.
    match unsafe { libc::nice(increment) } {
        // It may be the niceness as well as an error.
        -1 if Errno::last_raw() != 0 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// Makes this thread, and what it starts from now on, one that computes (`SCHED_BATCH`): when it wakes, the kernel does
/// not take the processor from another for it. One with a policy of somebody else's choice keeps that, and so does one
/// that may not change it.
pub(crate) fn become_batch() {
    // SAFETY: it reads a number that the kernel keeps.
    if unsafe { libc::sched_getscheduler(0) } == libc::SCHED_OTHER {
        let no_priority = libc::sched_param { sched_priority: 0 };
        // SAFETY: the kernel reads the parameters, which outlive the call.
        let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const no_priority) };
    }
}

/// Waits for a child, and says what it used in all its life.
pub(crate) fn wait_for(pid: Pid) -> nix::Result<(WaitStatus, Usage)> {
    let mut status = 0;
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to memory of ours of the right size, which lives during the call.
    let waited = unsafe { libc::wait4(pid.as_raw(), &raw mut status, 0, used.as_mut_ptr()) };
    Errno::result(waited)?;
    // SAFETY: any bytes are a valid `rusage`, which consists of integers; these were set to zero
    // before the kernel wrote them.
    let used = unsafe { used.assume_init() };
    let cpu = nanoseconds(used.ru_utime).saturating_add(nanoseconds(used.ru_stime));
    let peak_memory = u64::try_from(used.ru_maxrss).unwrap_or(0).saturating_mul(1024);
    let usage = Usage { cpu, peak_memory };
    Ok((WaitStatus::from_raw(pid, status)?, usage))
}

fn nanoseconds(time: libc::timeval) -> u64 {
    let (seconds, micros) = (time.tv_sec.unsigned_abs(), time.tv_usec.unsigned_abs());
    seconds.saturating_mul(1_000_000_000).saturating_add(micros.saturating_mul(1000))
}

/// A descriptor of a child, to be watched for its end. The child must not have been waited for.
pub(crate) fn pidfd(child: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and touches no memory.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    let descriptor = RawFd::try_from(Errno::result(descriptor)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, close-on-exec, for this process; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Gives a signal its default action.
pub(crate) fn default_action(which: Signal) -> nix::Result<()> {
    // SAFETY: the default action is no handler, so there is no code that could be unsafe to run.
    unsafe { signal::signal(which, SigHandler::SigDfl) }.map(drop)
}

/// Ignores SIGPIPE, as the standard library does before `main`: a write that nobody reads is an error.
pub(crate) fn ignore_broken_pipes() -> nix::Result<()> {
    // SAFETY: to ignore a signal is no handler, so there is no code that could be unsafe to run.
    unsafe { signal::signal(Signal::SIGPIPE, SigHandler::SigIgn) }.map(drop)
}

/// Closes every descriptor from 3 on, whoever left it open.
pub(crate) fn close_strays() -> io::Result<()> {
    // SAFETY: called before this process opens any descriptor of its own; those that are open
    // were inherited, and nothing here owns them.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0 {
        return Ok(());
    }
    // A kernel older than 5.9, or one that is told to refuse what it does not know.
    let numbers: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number >= 3)
        .collect();
    for number in numbers {
        // SAFETY: as above. The listing's own descriptor is closed already, which gives EBADF.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Receives one byte from a socket, with the descriptors that came beside it (close-on-exec).
/// No byte at all means that the other side is closed.
pub(crate) fn receive_descriptors(from: BorrowedFd<'_>) -> nix::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut byte = [0];
    let mut control = nix::cmsg_space!([RawFd; 1]);
    let mut into = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = socket::recvmsg::<()>(from.as_raw_fd(), &mut into, Some(&mut control), flags)?;
    let mut descriptors = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = item {
            // SAFETY: the kernel has just installed these for this process; nobody else knows them.
            descriptors.extend(numbers.iter().map(|&fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let received = message.bytes;
    Ok((received > 0).then_some((byte[0], descriptors)))
}

/// Maps the page of one slot, for good.
pub(crate) fn map_page(scoreboard: &File, slot: u32) -> io::Result<&'static Page> {
    let offset = u64::from(slot) * board::PAGE as u64;
    let length = scoreboard.metadata()?.len();
    if length < offset + board::PAGE as u64 {
        let message = format!("the scoreboard of {length} bytes has no page for slot {slot}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let size = NonZeroUsize::new(board::PAGE).ok_or(io::ErrorKind::InvalidInput)?;
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory in use.
    let at = unsafe { mman::mmap(None, size, access, MapFlags::MAP_SHARED, scoreboard, offset) }?;
    // SAFETY: `at` is page-aligned and `board::PAGE` bytes long, which is the size of `Page`; any
    // bytes are a valid `Page`, which consists of atomics; and it is never unmapped. Whoever
    // shares the file may only change these atomics, or shrink it, which kills this worker alone.
    Ok(unsafe { at.cast::<Page>().as_ref() })
}
