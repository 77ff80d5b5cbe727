//! The thread that shows how the run is getting on, and prints what tasks print.
//!
//! On a terminal there is a display at the bottom, redrawn ten times a second: a lane for each slot
//! as far as the terminal is high enough, and a bar below them. Elsewhere a line every ten seconds.
//!
//! ```text
//!  slot 0  pid 4711  prime-count [0,10000000]         0.1 s
//!  slot 1  pid 4712  idle
//!  ████████████░░░░░░░░░░░░░░  43 of 100 jobs  12/s  5 s left
//! ```

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::captured::{Captured, Next};
use super::escape;
use super::feeder::Intake;
use super::screen::Screen;
use super::tally::{Tally, span};
use super::texts::Texts;
use crate::{Control, Lane, Snapshot};

/// How often the display is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// How often there is a line if there is no display.
const PLAIN_TICK: Duration = Duration::from_secs(10);

/// What the thread looks at.
pub(super) struct Progress {
    pub(super) task: &'static str,
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
        let on_terminal = self.screen.is_terminal();
        let period = if on_terminal { TICK } else { PLAIN_TICK };
        let mut next = Instant::now() + period;
        let mut settled_before = 0;
        loop {
            match self.captured.next(next) {
                Next::Lines(text) => self.screen.tell(&text),
                Next::TimeOver => {}
                Next::End => break,
            }
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + period;
            if self.screen.is_quiet() {
                continue;
            }
            let Some(snapshot) = self.control.snapshot() else { continue };
            if on_terminal {
                self.draw(&snapshot);
            } else {
                let settled = self.tally.settled();
                self.screen.tell(&self.plain_line(&snapshot, settled, settled - settled_before));
                settled_before = settled;
            }
        }
        self.screen.take_down();
    }

    /// How many jobs there are, as far as is known by now.
    fn total(&self) -> Option<u64> {
        self.total.or_else(|| self.intake.has_ended().then(|| self.intake.pushed()))
    }

    /// `progress: 1,234 of 10,000 jobs, 120/s, 8 running`.
    fn plain_line(&self, snapshot: &Snapshot, settled: u64, recent: u64) -> String {
        let total =
            self.total().map_or(String::new(), |total| format!(" of {}", HumanCount(total)));
        let running: usize = snapshot.lanes.iter().map(|lane| lane.running.len()).sum();
        let rate = HumanCount(recent / PLAIN_TICK.as_secs());
        let unsuccessful = match self.tally.unsuccessful() {
            0 => String::new(),
            count => format!(", {} without a result", HumanCount(count)),
        };
        let settled = HumanCount(settled);
        format!("progress: {settled}{total} jobs, {rate}/s, {running} running{unsuccessful}")
    }

    fn draw(&self, snapshot: &Snapshot) {
        let (rows, columns) = terminal_size();
        let lanes = self.lanes(snapshot, rows.saturating_sub(2), columns);
        let total = self.total();
        let unsuccessful = match self.tally.unsuccessful() {
            0 => String::new(),
            count => format!("  {} without a result", HumanCount(count)),
        };
        self.screen.draw(
            || {
                let target = ProgressDrawTarget::stderr();
                ProgressBar::with_draw_target(None, target).with_style(style(false))
            },
            |bar| {
                if let Some(total) = total
                    && bar.length() != Some(total)
                {
                    bar.set_style(style(true));
                    bar.set_length(total);
                }
                bar.set_prefix(unsuccessful);
                bar.set_position(self.tally.settled());
                bar.set_message(lanes);
                bar.tick();
            },
        );
    }

    /// A line for each slot, but no more than `most`, each ending in a line break.
    fn lanes(&self, snapshot: &Snapshot, most: usize, columns: usize) -> String {
        let count = snapshot.lanes.len();
        let shown = if count <= most { count } else { most.saturating_sub(1) };
        let mut text = String::new();
        for lane in snapshot.lanes.iter().take(shown) {
            text.push_str(&self.lane(lane, columns.saturating_sub(1)));
            text.push('\n');
        }
        if shown < count && most > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "… and {} more workers", HumanCount((count - shown) as u64));
        }
        text
    }

    fn lane(&self, lane: &Lane, columns: usize) -> String {
        let Some(worker) = lane.worker else { return format!("slot {}  starting", lane.slot) };
        let seat = format!("slot {}  pid {}  ", lane.slot, worker.pid);
        let Some(running) = lane.running.first() else { return seat + "idle" };
        let mut time = span(running.elapsed);
        if let more @ 1.. = lane.running.len() - 1 {
            let _ = write!(time, "  and {more} more");
        }
        let room = columns.saturating_sub(seat.len() + time.len() + 2).min(60);
        let arguments = running.tag.and_then(|job| self.texts.short(job, room)).unwrap_or_default();
        let what = escape::short(&format!("{} {arguments}", self.task), room);
        format!("{seat}{what:room$}  {time}")
    }
}

/// A bar if the total is known, otherwise a spinner.
fn style(total_known: bool) -> ProgressStyle {
    let template = if total_known {
        "{msg}{bar:30} {human_pos} of {human_len} jobs  {rate}  {left} left{prefix}"
    } else {
        "{msg}{spinner} {human_pos} jobs  {rate}{prefix}"
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|error| unreachable!("the templates are well-formed: {error}"));
    style
        .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{:.0}/s", state.per_sec());
        })
        .with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{}", span(state.eta()));
        })
        .progress_chars("█▌░")
}

/// Rows and columns of the terminal.
fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.ok()
        .filter(|size| size.ws_row > 0 && size.ws_col > 0)
        .map_or((24, 80), |size| (usize::from(size.ws_row), usize::from(size.ws_col)))
}
