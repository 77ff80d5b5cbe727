//! How a process ends.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a process ended.
///
/// ```
/// use brigade_protocol::message::Exit;
///
/// assert_eq!(Exit::Code(7).to_string(), "exited with code 7");
/// assert_eq!(Exit::Signal(9).to_string(), "was killed by SIGKILL");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// Somebody else reaped it, or its fork server died with it.
    Unknown,
}

impl Exit {
    /// The name of the signal, `SIGSEGV`, if one killed the process and it has a name.
    ///
    /// ```
    /// use brigade_protocol::message::Exit;
    ///
    /// assert_eq!(Exit::Signal(11).signal_name(), Some("SIGSEGV"));
    /// assert_eq!(Exit::Signal(40).signal_name(), None);
    /// ```
    pub fn signal_name(self) -> Option<&'static str> {
        /// By number, as on every Linux but Alpha, MIPS, PA-RISC and SPARC.
        const NAMES: [&str; 32] = [
            "",
            "SIGHUP",
            "SIGINT",
            "SIGQUIT",
            "SIGILL",
            "SIGTRAP",
            "SIGABRT",
            "SIGBUS",
            "SIGFPE",
            "SIGKILL",
            "SIGUSR1",
            "SIGSEGV",
            "SIGUSR2",
            "SIGPIPE",
            "SIGALRM",
            "SIGTERM",
            "SIGSTKFLT",
            "SIGCHLD",
            "SIGCONT",
            "SIGSTOP",
            "SIGTSTP",
            "SIGTTIN",
            "SIGTTOU",
            "SIGURG",
            "SIGXCPU",
            "SIGXFSZ",
            "SIGVTALRM",
            "SIGPROF",
            "SIGWINCH",
            "SIGIO",
            "SIGPWR",
            "SIGSYS",
        ];
        match self {
            Self::Signal(number) => {
                let index = usize::try_from(number).ok()?;
                NAMES.get(index).copied().filter(|name| !name.is_empty())
            }
            Self::Code(_) | Self::Unknown => None,
        }
    }
}

/// Reads as what happened to the process: `was killed by SIGSEGV`, `exited with code 7`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.signal_name()) {
            (Self::Code(code), _) => write!(f, "exited with code {code}"),
            (_, Some(name)) => write!(f, "was killed by {name}"),
            (Self::Signal(number), None) => write!(f, "was killed by signal {number}"),
            (Self::Unknown, None) => f.write_str("ended in an unknown way"),
        }
    }
}
