//! The thread that shows how the run is getting on, and prints what tasks print.
//!
//! On a terminal there is a display at the bottom, redrawn ten times a second: a lane for each slot
//! as far as the terminal is high enough, and a bar below them. Elsewhere a line every ten seconds.
//!
//! ```text
//!  slot 0  pid 4711  prime-count [0,10000000]  0.1 s
//!  slot 1  pid 4712  idle
//!  ████████▌░░░░░░░░░░░  43 of 100 jobs  12/s  5.0 s left
//! ```

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::captured::{Captured, Next};
use super::display;
use super::escape;
use super::feeder::Intake;
use super::figures::{bar, grouped, span};
use super::screen::Screen;
use super::tally::Tally;
use super::texts::Texts;
use crate::{Control, Lane, Snapshot};

/// How often the pool is looked at and the display redrawn.
const TICK: Duration = Duration::from_millis(100);

/// How often the pool is looked at if there is no display.
const SLOW_TICK: Duration = Duration::from_secs(1);

/// How often there is a line then.
const PLAIN_TICK: Duration = Duration::from_secs(10);

/// So many rows of the terminal are for the bar and for what is printed above the display.
const ROWS_LEFT: usize = 6;

/// How many characters the bar has.
const BAR: u64 = 20;

/// The most characters of what a lane says of its job.
const JOB: usize = 60;

/// What the thread looks at.
pub(super) struct Progress {
    /// How many jobs there are, if that is known.
    pub(super) total: Option<u64>,
    pub(super) control: Control,
    pub(super) captured: Captured,
    pub(super) texts: Arc<Texts>,
    pub(super) tally: Arc<Tally>,
    pub(super) intake: Arc<Intake>,
    pub(super) screen: Arc<Screen>,
}

impl Progress {
    /// Starts the thread. It ends when the captured lines end.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("progress".to_owned()).spawn(move || self.run())
    }

    fn run(self) {
        let mut pace = Pace::new(Instant::now());
        let tick = if self.screen.is_terminal() { TICK } else { SLOW_TICK };
        let mut next = Instant::now() + tick;
        let mut next_line = Instant::now() + PLAIN_TICK;
        loop {
            match self.captured.next(next) {
                Next::Lines(text) => self.screen.tell(&text),
                Next::TimeOver => {}
                Next::End => break,
            }
            let now = Instant::now();
            if now < next {
                continue;
            }
            next = now + tick;
            pace.update(now, self.tally.settled());
            if self.screen.is_quiet() {
                continue;
            }
            // None once the pool is over; the main thread hears of that by itself.
            let Some(snapshot) = self.control.snapshot() else { continue };
            if self.screen.is_terminal() {
                self.draw(&snapshot, &pace);
            } else if now >= next_line {
                next_line = now + PLAIN_TICK;
                self.screen.tell(&self.plain_line(&snapshot, &pace));
            }
        }
        self.screen.take_down();
    }

    fn draw(&self, snapshot: &Snapshot, pace: &Pace) {
        let (rows, columns) = display::size();
        let mut lines = self.lanes(snapshot, rows.saturating_sub(ROWS_LEFT), columns);
        lines.push(clip(&self.bar_line(pace), columns));
        self.screen.show(lines);
    }

    /// `progress: 1,234 of 10,000 jobs, 120/s, 8 running`.
    fn plain_line(&self, snapshot: &Snapshot, pace: &Pace) -> String {
        let running: usize = snapshot.lanes.iter().map(|lane| lane.running.len()).sum();
        let (jobs, rate, notes) = (self.count(), pace.rate(), self.notes(", "));
        format!("progress: {jobs}, {rate}, {} running{notes}", grouped(running as u64))
    }

    /// `████████▌░░░░░░░░░░░  43 of 100 jobs  12/s  5.0 s left`.
    fn bar_line(&self, pace: &Pace) -> String {
        let (jobs, rate, notes) = (self.count(), pace.rate(), self.notes("  "));
        let settled = self.tally.settled();
        match self.total() {
            Some(total) if !self.intake.is_closed() => {
                let left =
                    pace.left(total).map_or(String::new(), |left| format!("  {} left", span(left)));
                format!("{}  {jobs}  {rate}{left}{notes}", bar(settled, total, BAR))
            }
            _ => format!("{jobs}  {rate}  {} so far{notes}", span(pace.elapsed())),
        }
    }

    /// `43 of 100 jobs`.
    fn count(&self) -> String {
        let total = self.total().map_or(String::new(), |total| format!(" of {}", grouped(total)));
        format!("{}{total} jobs", grouped(self.tally.settled()))
    }

    fn notes(&self, separator: &str) -> String {
        let mut notes = String::new();
        if let count @ 1.. = self.tally.unsuccessful() {
            notes = format!("{separator}{} without a result", grouped(count));
        }
        if self.intake.is_closed() {
            notes = notes + separator + "stopping";
        }
        notes
    }

    /// How many jobs there are, as far as is known by now.
    fn total(&self) -> Option<u64> {
        self.total.or_else(|| self.intake.has_ended().then(|| self.intake.pushed()))
    }

    /// A line for each slot, but no more than `most`.
    fn lanes(&self, snapshot: &Snapshot, most: usize, columns: usize) -> Vec<String> {
        let count = snapshot.lanes.len();
        let shown = if count <= most { count } else { most.saturating_sub(1) };
        let width = shown.saturating_sub(1).to_string().len();
        let shown_ones = snapshot.lanes.iter().take(shown);
        let mut lines: Vec<_> = shown_ones.map(|lane| self.lane(lane, width, columns)).collect();
        if shown < count && most > 0 {
            lines.push(format!("… and {} more workers", grouped((count - shown) as u64)));
        }
        lines
    }

    /// `slot 3  pid 4711  sleep 5  2.3 s`.
    fn lane(&self, lane: &Lane, width: usize, columns: usize) -> String {
        let slot = format!("slot {:<width$}", lane.slot.0);
        let Some(worker) = lane.worker else { return slot + "  starting" };
        let seat = format!("{slot}  pid {:<7}  ", worker.pid);
        let Some(running) = lane.running.first() else { return seat + "idle" };
        let mut time = span(running.elapsed);
        if let more @ 1.. = lane.running.len() - 1 {
            time = format!("{time}  and {more} more");
        }
        if let Some((done, total)) = running.progress {
            let percent = u128::from(done) * 100 / u128::from(total);
            time = format!("{percent:>3} %  {time}");
        }
        if running.waiting {
            time = format!("waits  {time}");
        }
        let room = columns.saturating_sub(seat.len() + time.len() + 3).min(JOB);
        let arguments = running.tag.and_then(|job| self.texts.short(job, room));
        // Of a job that a job submitted, the label is all that is known.
        let detail = arguments.as_deref().or(running.label.as_deref()).unwrap_or_default();
        let what = escape::short(&format!("{} {detail}", running.task), room);
        format!("{seat}{what:room$}  {time}")
    }
}

/// A line that fits the terminal; each of its characters is one column wide.
fn clip(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// How fast jobs are being settled.
struct Pace {
    began: Instant,
    updated: Instant,
    settled: u64,
    /// Jobs a second in the last few seconds, a moving mean that began at nothing.
    recent: f64,
    /// How much of that mean is not its beginning.
    weight: f64,
}

impl Pace {
    /// What is longer ago than this hardly counts.
    const MEMORY: f64 = 5.0;

    fn new(now: Instant) -> Self {
        Self { began: now, updated: now, settled: 0, recent: 0.0, weight: 0.0 }
    }

    fn update(&mut self, now: Instant, settled: u64) {
        let seconds = (now - self.updated).as_secs_f64().max(f64::EPSILON);
        let rate = lossy(settled.saturating_sub(self.settled)) / seconds;
        let fresh = 1.0 - (-seconds / Self::MEMORY).exp();
        self.recent += fresh * (rate - self.recent);
        self.weight += fresh * (1.0 - self.weight);
        (self.updated, self.settled) = (now, settled);
    }

    fn elapsed(&self) -> Duration {
        self.updated - self.began
    }

    /// `120/s`.
    fn rate(&self) -> String {
        let rate = self.recent / self.weight.max(f64::EPSILON);
        if rate < 10.0 { format!("{rate:.1}/s") } else { grouped(rounded(rate)) + "/s" }
    }

    /// How long the rest will take if it goes on as on average until now.
    fn left(&self, total: u64) -> Option<Duration> {
        let settled = Some(self.settled).filter(|settled| *settled > 0)?;
        let rest = lossy(total.saturating_sub(settled)) / lossy(settled);
        Duration::try_from_secs_f64(self.elapsed().as_secs_f64() * rest).ok()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody reads that many digits of a rate")]
fn lossy(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn rounded(rate: f64) -> u64 {
    rate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_tells_rate_and_rest() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        assert_eq!(pace.left(100), None);
        pace.update(began + Duration::from_secs(10), 20_000);
        assert_eq!(pace.rate(), "2,000/s");
        assert_eq!(pace.left(30_000), Some(Duration::from_secs(5)));
        assert_eq!(pace.left(0), Some(Duration::ZERO));
        pace.update(began + Duration::from_secs(70), 20_000);
        assert_eq!(pace.rate(), "0.0/s");
    }
}
