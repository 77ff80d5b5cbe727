//! Descriptors that the supervisor passes beside the control channel.
//!
//! An ipc-channel carries only its own ends. So the scoreboard and the output pipes come by
//! `SCM_RIGHTS` over a socket that is the fork server's standard input: one message for each, a byte
//! with exactly one descriptor, always sent before the request that needs it.

use std::fmt;
use std::fs::File;
use std::io::{self, Stdin};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{self, sockopt};
use nix::sys::time::TimeVal;
use nix::unistd;

use crate::os;

/// A descriptor that was sent before its request is there at once; this is for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the descriptors come from.
pub(crate) struct Descriptors(Stdin);

impl Descriptors {
    /// Takes standard input, which must be a socket.
    pub(crate) fn open() -> Result<Self, DescriptorError> {
        let stdin = io::stdin();
        let patience = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        match socket::setsockopt(&stdin, sockopt::ReceiveTimeout, &patience) {
            Ok(()) => Ok(Self(stdin)),
            Err(nix::Error::ENOTSOCK | nix::Error::EBADF) => Err(DescriptorError::NotASocket),
            Err(errno) => Err(DescriptorError::Failed(errno)),
        }
    }

    /// Lets standard input be empty while something runs that might read it.
    pub(crate) fn set_aside<T>(&self, meanwhile: impl FnOnce() -> T) -> Result<T, DescriptorError> {
        let refused = |error: io::Error| DescriptorError::Failed(as_errno(&error));
        let socket = self.0.as_fd().try_clone_to_owned().map_err(refused)?;
        let nothing = File::open("/dev/null").map_err(refused)?;
        unistd::dup2_stdin(nothing).map_err(DescriptorError::Failed)?;
        let result = meanwhile();
        unistd::dup2_stdin(socket).map_err(DescriptorError::Failed)?;
        Ok(result)
    }

    /// The next descriptor.
    pub(crate) fn next(&self) -> Result<OwnedFd, DescriptorError> {
        let received = loop {
            match os::receive_descriptors(self.0.as_fd()) {
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => return Err(DescriptorError::Late),
                Err(errno) => return Err(DescriptorError::Failed(errno)),
                Ok(received) => break received,
            }
        };
        let Some((_, mut descriptors)) = received else { return Err(DescriptorError::Closed) };
        match (descriptors.pop(), descriptors.len()) {
            (Some(descriptor), 0) => Ok(descriptor),
            (last, rest) => Err(DescriptorError::NotOne(usize::from(last.is_some()) + rest)),
        }
    }
}

fn as_errno(error: &io::Error) -> nix::Error {
    nix::Error::from_raw(error.raw_os_error().unwrap_or_default())
}

/// No descriptor could be received.
#[derive(Debug)]
pub(crate) enum DescriptorError {
    NotASocket,
    Failed(nix::Error),
    Late,
    Closed,
    NotOne(usize),
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASocket => f.write_str(
                "standard input is not the supervisor's socket; let `supervisor` start this program",
            ),
            Self::Failed(errno) => write!(f, "cannot receive a descriptor: {}", errno.desc()),
            Self::Late => write!(f, "no descriptor came within {} s", PATIENCE.as_secs()),
            Self::Closed => f.write_str("the supervisor closed the socket for descriptors"),
            Self::NotOne(0) => f.write_str("a message came without a descriptor"),
            Self::NotOne(count) => {
                write!(f, "a message came with {count} descriptors instead of one")
            }
        }
    }
}
