//! The program under test, as a shell would run it: arguments, streams, signals, exit code.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, SigHandler};
use rustix::process::Signal;
use serde_json::Value;

use crate::DEADLINE;
use crate::process::{self, Watched, until};

/// The variable by which everything that a program started is found.
const MARK: &str = "BRIGADE_TEST_RUN";

/// What the keyboard sends is not ignored by what is started from now on. It would be if the tests run in the
/// background of a shell without job control, which has it ignored.
fn hear_interrupts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for which in [signal::SIGINT, signal::SIGQUIT] {
            // SAFETY: the default action is no handler, so there is no code that could be unsafe to run.
            unsafe { signal::signal(which, SigHandler::SigDfl) }.expect("it can be set");
        }
    });
}

/// A program to be run.
pub struct Program {
    command: Command,
    input: Vec<u8>,
    piped: bool,
    mark: String,
}

impl Program {
    /// This executable with these arguments, separated by blanks.
    pub fn new(executable: &str, arguments: &str) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        hear_interrupts();
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{run}", std::process::id());
        let mut command = Command::new(executable);
        command.args(arguments.split_whitespace()).env(MARK, &mark);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, input: Vec::new(), piped: false, mark: format!("{MARK}={mark}") }
    }

    /// One more argument, which may have blanks.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// What it reads from standard input.
    #[must_use]
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self.piped = true;
        self
    }

    /// Reads standard input from this file.
    #[must_use]
    pub fn input_from(mut self, file: File) -> Self {
        self.command.stdin(file);
        self
    }

    /// Leaves standard input to the test, as a pipe that stays open.
    #[must_use]
    pub fn open_input(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Sends its results to this file instead of to the test.
    #[must_use]
    pub fn output_to(mut self, path: &Path) -> Self {
        let file = File::create(path).expect("it can be written");
        self.command.stdout(file);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        if self.piped {
            self.command.stdin(Stdio::piped());
        }
        let began = Instant::now();
        let mut child = self.command.spawn().expect("the program starts");
        let input = self.piped.then(|| child.stdin.take()).flatten().map(|mut stdin| {
            let text = self.input;
            // It may end before it has read everything.
            std::thread::spawn(move || drop(stdin.write_all(&text)))
        });
        let said = Arc::new(Said::default());
        let stderr = child.stderr.take().expect("it is a pipe");
        let listener = Arc::clone(&said);
        let stderr = std::thread::spawn(move || listener.listen(stderr));
        Started { child, began, input, said, stderr: Some(stderr), mark: self.mark }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.start().finish()
    }
}

/// A program that runs.
pub struct Started {
    /// The process; its standard output is the test's until [`Started::finish`].
    pub child: Child,
    began: Instant,
    input: Option<JoinHandle<()>>,
    said: Arc<Said>,
    stderr: Option<JoinHandle<()>>,
    mark: String,
}

impl Started {
    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that is alive of what it started, itself included.
    pub fn alive(&self) -> Vec<u32> {
        process::marked(&self.mark)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        Watched::new(self.pid()).is_dead()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// Waits until it has so many workers, and returns them.
    #[track_caller]
    pub fn await_workers(&self, count: usize) -> Vec<u32> {
        until(&format!("{count} workers"), DEADLINE, || {
            Some(process::workers_of(self.pid())).filter(|workers| workers.len() == count)
        })
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub fn await_stderr(&self, words: &str) {
        let found = self.said.wait_for(words);
        assert!(found, "it did not say {words:?} within {DEADLINE:?}: {}", self.said.text());
    }

    /// Waits for its end, reads what it printed, and sees that nothing of it is left.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        // Read aside, because a program that prints much waits for its reader.
        let stdout = self.child.stdout.take().map(collect);
        drop(self.child.stdin.take());
        Watched::new(self.pid()).await_death(DEADLINE);
        let took = self.began.elapsed();
        let status = self.child.wait().expect("it is our child");
        await_nothing(&self.mark, Duration::from_secs(1));
        if let Some(input) = self.input.take() {
            input.join().expect("writing its input does not fail");
        }
        if let Some(stderr) = self.stderr.take() {
            stderr.join().expect("its messages can be read");
        }
        let stdout = stdout.map(|reader| reader.join().expect("its output can be read"));
        let stdout = String::from_utf8(stdout.unwrap_or_default()).expect("its output is UTF-8");
        Finished { status, stdout, stderr: self.said.text(), took }
    }
}

impl Drop for Started {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for pid in self.alive() {
                process::send(pid, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// Waits until nothing that carries the mark is alive.
#[track_caller]
fn await_nothing(mark: &str, within: Duration) {
    let deadline = Instant::now() + within;
    loop {
        let left = process::marked(mark);
        if left.is_empty() {
            return;
        }
        if Instant::now() > deadline {
            let left: Vec<String> =
                left.iter().map(|pid| format!("{pid}: {}", process::describe(*pid))).collect();
            panic!("still alive {within:?} after the program's end:\n{}", left.join("\n"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// What a program has said so far on standard error.
#[derive(Default)]
struct Said {
    text: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Said {
    fn listen(&self, mut from: impl Read) {
        let mut piece = [0; 4096];
        loop {
            let length = from.read(&mut piece).expect("a pipe can be read");
            if length == 0 {
                return;
            }
            self.text.lock().expect("nobody panics here").extend_from_slice(&piece[..length]);
            self.more.notify_all();
        }
    }

    fn wait_for(&self, words: &str) -> bool {
        let text = self.text.lock().expect("nobody panics here");
        let missing = |text: &mut Vec<u8>| !String::from_utf8_lossy(text).contains(words);
        let waited = self.more.wait_timeout_while(text, DEADLINE, missing);
        !waited.expect("nobody panics here").1.timed_out()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("nobody panics here")).into_owned()
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// Its results.
    pub stdout: String,
    /// Everything else it said.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// Its exit code, as a shell shows it.
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// Checks the exit code.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "the check may be all that is wanted")]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "its standard error: {}", self.stderr);
        self
    }

    /// Checks that it succeeded, and returns its results.
    #[track_caller]
    pub fn success(self) -> String {
        self.expect_code(0).stdout
    }

    /// Its results as records.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let record = |line: &str| serde_json::from_str(line).expect("each line is a record");
        self.stdout.lines().map(record).collect()
    }
}
