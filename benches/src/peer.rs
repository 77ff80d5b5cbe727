//! Other pools, each in a process of its own that answers lines with numbers: see `peers/pools.py`.

use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{self as channel, Receiver};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a peer may take to answer, and to end its pool before it is killed.
const PATIENCE: Duration = Duration::from_mins(2);
const PATIENCE_AT_END: Duration = Duration::from_secs(10);

/// A pool to compare with.
#[derive(Debug)]
pub struct Peer {
    version: String,
    child: Child,
    wires: RefCell<Option<(ChildStdin, Receiver<String>)>>,
}

/// A peer that cannot take part.
#[derive(Debug)]
pub struct Missing {
    peer: String,
    why: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "left out: {} ({}); benches/peers/install installs it", self.peer, self.why)
    }
}

/// Where cargo puts what it builds; the peers are installed there too.
///
/// # Panics
///
/// If this program is not where cargo puts it.
pub fn target() -> PathBuf {
    let executable = std::env::current_exe().expect("this program has a path");
    // target/release/deps/suite-…
    executable.ancestors().nth(3).expect("cargo has put it below its target").into()
}

impl Peer {
    /// Starts a pool: `procspawn` or `rayon` of Rust, or `executor`, `pool`, `threads`, `loky` or `joblib` of Python.
    /// Those are from the virtual environment, or else from the system's Python, which has the first three.
    ///
    /// # Errors
    ///
    /// If it is not installed.
    pub fn start(pool: &str, workers: usize) -> Result<Self, Missing> {
        let mut command = if matches!(pool, "procspawn" | "rayon") {
            Command::new(target().join("peers/rust/release/brigade-peers"))
        } else {
            let installed = target().join("peers/venv/bin/python");
            let mut python =
                Command::new(if installed.exists() { installed } else { "python3".into() });
            python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pools.py"));
            python
        };
        Self::speak(pool, command.arg(pool).arg(workers.to_string()))
    }

    fn speak(pool: &str, command: &mut Command) -> Result<Self, Missing> {
        let missing = |why: &str| Missing { peer: pool.into(), why: why.into() };
        // A group of its own, so that its workers can be found if it does not end.
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .map_err(|error| missing(&format!("cannot start {program}: {error}")))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(to), Some(output)) = pipes else { unreachable!("both were piped") };
        let (lines, from) = channel::unbounded();
        // In a thread of its own, because a pipe knows no patience.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        let heard = from.recv_timeout(PATIENCE);
        let said = heard.unwrap_or_default();
        let wires = RefCell::new(Some((to, from)));
        match said.trim().split_once(' ') {
            Some(("ready", version)) => Ok(Self { version: version.into(), child, wires }),
            said => {
                let _ = child.kill();
                let _ = child.wait();
                Err(missing(said.map_or("it did not say that it is ready", |(_, why)| why)))
            }
        }
    }

    /// What it calls itself, with its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its answer to a request.
    ///
    /// # Panics
    ///
    /// If it does not answer with numbers within two minutes; it may have said why on standard error.
    pub fn ask(&self, request: &str) -> Vec<f64> {
        let mut wires = self.wires.borrow_mut();
        let (to, from) = wires.as_mut().expect("it is open until it is dropped");
        writeln!(to, "{request}").expect("a peer listens");
        let answer = from.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("{} does not answer {request:?}: {error}", self.version);
        });
        let figures: Vec<f64> =
            answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(!figures.is_empty(), "{} answered {request:?} with {answer:?}", self.version);
        figures
    }

    /// The first figure of its answer.
    ///
    /// # Panics
    ///
    /// As [`ask`](Self::ask).
    pub fn ask_one(&self, request: &str) -> f64 {
        self.ask(request)[0]
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends at the end of its input.
        self.wires.take();
        let deadline = Instant::now() + PATIENCE_AT_END;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
                let _ = self.child.wait();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where a program of the system is, if it is installed.
///
/// # Errors
///
/// If it is not.
pub fn installed(program: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found
        .into_iter()
        .find(|path| Path::is_file(path))
        .ok_or_else(|| Missing { peer: program.into(), why: "it is not in PATH".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Peer, Missing> {
        Peer::speak("shell", Command::new("sh").arg("-c").arg(script))
    }

    #[test]
    fn a_peer_answers_lines_with_numbers() {
        let peer = shell("echo ready sh 1; while read words; do echo 1.5 2; done").unwrap();
        assert_eq!(peer.version(), "sh 1");
        assert_eq!(peer.ask("anything"), [1.5, 2.0]);
    }

    #[test]
    fn who_is_missing_says_why() {
        let missing = shell("echo missing No module named it").unwrap_err();
        assert!(missing.to_string().contains("shell (No module named it)"), "{missing}");
        let missing = shell("exit 3").unwrap_err();
        assert!(missing.to_string().contains("did not say"), "{missing}");
        let missing = Peer::speak("nobody", &mut Command::new("/nowhere/nobody")).unwrap_err();
        assert!(missing.to_string().contains("cannot start /nowhere/nobody"), "{missing}");
        assert!(installed("sh").is_ok());
        assert!(installed("no such program").is_err());
    }
}
