//! How willing the system is to end a worker rather than the supervisor when memory runs out.
//!
//! A process inherits this from the one that forked it. So the fork server is as a worker while it
//! forks, and as it was afterwards: it is smaller than most workers, and all of them would go with it. For
//! a worker to do that itself would take four times as long, because its entry in `/proc` is not there yet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// What a worker has.
const OF_WORKERS: i32 = 500;

/// The score of this process.
pub(super) struct OomScore(Option<File>);

impl OomScore {
    /// Of this process. It is a hint: workers work as well without it.
    pub(super) fn open() -> Self {
        Self(OpenOptions::new().read(true).write(true).open("/proc/self/oom_score_adj").ok())
    }

    /// Makes it that of a worker. Returns what it was, if it was changed.
    pub(super) fn raise(&self) -> Option<i32> {
        // Never lowered: that would take the place in line that an operator has given it.
        self.read().filter(|own| *own < OF_WORKERS && self.write(OF_WORKERS).is_ok())
    }

    /// Makes it what it was.
    pub(super) fn restore(&self, raised: Option<i32>) {
        if let Some(own) = raised {
            // What it was before may always be set again.
            let _ = self.write(own);
        }
    }

    fn read(&self) -> Option<i32> {
        let mut text = [0; 16];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
    }

    fn write(&self, score: i32) -> io::Result<()> {
        let file = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.write_all_at(score.to_string().as_bytes(), 0)
    }
}
