//! What a panic in a job says: caught where the job was started, told to the supervisor instead of
//! standard error.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use brigade_protocol::message::TaskError;

thread_local! {
    /// Whether this thread is running a job.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Whether there is a note. This is asked for each job, and costs less than to look into `NOTED`, which
    /// must be dropped with the thread.
    static IS_NOTED: Cell<bool> = const { Cell::new(false) };
    /// The panic that is unwinding the job.
    static NOTED: Cell<Option<Box<Note>>> = const { Cell::new(None) };
}

struct Note {
    message: String,
    location: Option<String>,
    backtrace: Option<Backtrace>,
}

/// Makes panics of jobs be noted instead of printed. Those of threads that a job starts, and those
/// that end this process, are printed as ever, and so are those of threads that run no job. Once is enough,
/// and more do nothing.
#[doc(hidden)]
pub fn install_hook() {
    static INSTALLED: Once = Once::new();
    // A thread that panics may not change the hook.
    if !std::thread::panicking() {
        INSTALLED.call_once(put_before);
    }
}

/// Puts a hook before the one there is.
fn put_before() {
    let print = panic::take_hook();
    let with_backtrace = std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0");
    panic::set_hook(Box::new(move |info| {
        if !RUNNING.get() {
            return print(info);
        }
        let print = |info: &PanicHookInfo<'_>| {
            // A hook like this one may be below it: the fork server's, if it ran an initializer.
            RUNNING.set(false);
            print(info);
            RUNNING.set(true);
        };
        if let Some(first) = take_note() {
            // A panic during a panic ends the process: nobody will ask for the first one.
            let place = first.location.unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "panicked at {place}:\n{}", first.message);
            print(info);
        } else if cfg!(panic = "abort") {
            print(info);
        } else {
            put_note(Some(Box::new(Note::of(info, with_backtrace))));
        }
    }));
}

#[inline]
fn take_note() -> Option<Box<Note>> {
    if IS_NOTED.replace(false) { NOTED.take() } else { None }
}

#[inline]
fn put_note(note: Option<Box<Note>>) {
    if note.is_some() || IS_NOTED.get() {
        IS_NOTED.set(note.is_some());
        NOTED.set(note);
    }
}

/// Runs a job; a panic in it becomes an error.
#[doc(hidden)]
#[inline]
pub fn catch<T>(job: impl FnOnce() -> T) -> Result<T, TaskError> {
    // A job may run another one in its place, even while a panic unwinds it.
    let (was_running, noted) = (RUNNING.replace(true), take_note());
    // What the job borrows, it does not touch again after a panic.
    let result = panic::catch_unwind(AssertUnwindSafe(|| brigade_runs_the_job(job)));
    let result = result.map_err(tell);
    RUNNING.set(was_running);
    put_note(noted);
    result
}

/// The panic that has ended a job, as its error.
#[cold]
fn tell(payload: Box<dyn Any + Send>) -> TaskError {
    let note = take_note().map_or_else(|| Note::without_hook(payload.as_ref()), |note| *note);
    drop_quietly(payload);
    let backtrace = note.backtrace.map(|backtrace| shorten(&backtrace.to_string()));
    TaskError::panicked(note.message, note.location, backtrace)
}

/// Runs something of a user that must not harm the thread it runs in. The panic hook has said what
/// happened.
pub(crate) fn contain(call: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(call)) {
        drop_quietly(payload);
    }
}

/// Where the backtraces that users see end: what is below is ours. [`shorten`] looks for the name.
#[inline(never)]
fn brigade_runs_the_job<T>(job: impl FnOnce() -> T) -> T {
    let result = job();
    // A tail call would leave no frame. Not the result itself: it would be copied.
    std::hint::black_box(());
    result
}

impl Note {
    fn of(info: &PanicHookInfo<'_>, with_backtrace: bool) -> Self {
        Self {
            message: message(info.payload()),
            location: info.location().map(ToString::to_string),
            backtrace: with_backtrace.then(Backtrace::force_capture),
        }
    }

    /// `resume_unwind` calls no hook, and a job may put in a hook of its own.
    fn without_hook(payload: &(dyn Any + Send)) -> Self {
        Self { message: message(payload), location: None, backtrace: None }
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(a panic without a text)").to_owned()
}

/// A payload may panic once more when it is dropped, and so may the payload of that.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
        take_note();
    }
}

/// Leaves out the frames of the panic itself and those below the job.
fn shorten(trace: &str) -> String {
    let mut frames: Vec<String> = Vec::new();
    for line in trace.lines() {
        let number = line.trim_start().split_once(": ").filter(|(number, _)| is_number(number));
        match (number, frames.last_mut()) {
            (Some((_, rest)), _) => frames.push(rest.to_owned()),
            (None, Some(frame)) => frame.extend(["\n", line]),
            (None, None) => {}
        }
    }
    let having = |text: &'static str| move |frame: &String| frame.contains(text);
    let end = frames.iter().position(having("brigade_runs_the_job")).unwrap_or(frames.len());
    let start = frames[..end].iter().rposition(having("__rust_end_short_backtrace"));
    let shown = &frames[start.map_or(0, |start| start + 1)..end];
    let lines = shown.iter().enumerate().map(|(number, frame)| format!("{number:4}: {frame}\n"));
    lines.collect()
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_cut_to_the_job() {
        let trace = "   0: capture\n         at a.rs:1\n   1: std::__rust_end_short_backtrace\n   \
                     2: job\n         at b.rs:2\n  3: brigade_runs_the_job\n   4: main\n";
        assert_eq!(shorten(trace), "   0: job\n         at b.rs:2\n");
        assert_eq!(shorten("   7: job\n"), "   0: job\n", "without the marks it stays whole");
        assert_eq!(shorten("disabled backtrace"), "");
    }
}
