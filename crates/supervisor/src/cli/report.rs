//! Takes settlements and reports them: results on standard output, failures on standard error.
//!
//! Results are buffered only while more settlements are there to be taken, so the first result
//! appears at once and a flood is written in large pieces.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::sync::Arc;

use brigade_worker::builtin::Text;

use super::args::Output;
use super::escape;
use super::feeder::Intake;
use super::jobs::Written;
use super::record;
use super::screen::Screen;
use super::tally::Tally;
use super::texts::{Given, Texts};
use crate::{Failure, JobError, Settlement, Settlements};

/// Results are written at the latest when there are so many bytes.
const BUFFER: usize = 64 * 1024;

/// The stream gets its room back at the latest after so many jobs.
const BATCH: usize = 64;

/// Arguments longer than this are cut in messages.
const LONGEST_ARGUMENTS: usize = 200;

/// How the jobs of a run are reported.
pub(super) struct Report {
    pub(super) task: &'static str,
    pub(super) output: Output,
    pub(super) keep_order: bool,
    /// The outputs are summed instead of printed.
    pub(super) sum: Option<Sum>,
    /// The outputs are printed as they are, without a line end of ours.
    pub(super) raw: bool,
    /// How the arguments are written.
    pub(super) written: Written,
    pub(super) texts: Arc<Texts>,
    pub(super) tally: Arc<Tally>,
    pub(super) intake: Arc<Intake>,
    pub(super) screen: Arc<Screen>,
}

/// What became of all jobs together.
pub(super) struct Reported {
    /// The sum, if the outputs were summed.
    pub(super) sum: Option<Sum>,
    /// Why the pool gave up, if it did.
    pub(super) gave_up: Option<String>,
}

/// The sum of the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) total: u128,
    /// An output was no number.
    pub(super) spoiled: bool,
}

impl Report {
    /// Reports every settlement until the stream ends.
    ///
    /// # Errors
    ///
    /// Results cannot be written.
    pub(super) fn run(self, settlements: &Settlements) -> io::Result<Reported> {
        let mut desk = Desk {
            results: Vec::with_capacity(2 * BUFFER),
            order: self.keep_order.then(Order::default),
            done: Done::default(),
            gave_up: None,
            report: self,
        };
        while let Some(settlement) = desk.next(settlements)? {
            desk.take(settlement);
            desk.flush_if(settlements, false)?;
        }
        desk.flush_if(settlements, true)?;
        Ok(Reported { sum: desk.report.sum, gave_up: desk.gave_up })
    }
}

/// A [`Report`] at work.
struct Desk {
    report: Report,
    results: Vec<u8>,
    order: Option<Order>,
    done: Done,
    gave_up: Option<String>,
}

/// What has been dealt with and not yet told to the stream.
#[derive(Default)]
struct Done {
    jobs: usize,
    bytes: usize,
}

impl Desk {
    fn next(&mut self, settlements: &Settlements) -> io::Result<Option<Settlement>> {
        if let Some(settlement) = settlements.try_next() {
            return Ok(Some(settlement));
        }
        self.flush_if(settlements, true)?;
        Ok(settlements.wait_next())
    }

    /// Writes results and makes room in the stream, if it must be now or is worth it.
    fn flush_if(&mut self, settlements: &Settlements, now: bool) -> io::Result<()> {
        if !self.results.is_empty() && (now || self.results.len() >= BUFFER) {
            self.report.screen.write_results(&self.results)?;
            self.results.clear();
            self.results.shrink_to(2 * BUFFER);
        }
        if self.done.jobs > 0 && (now || self.done.jobs >= BATCH) {
            let done = mem::take(&mut self.done);
            settlements.dealt_with(done.jobs, done.bytes);
        }
        Ok(())
    }

    fn take(&mut self, settlement: Settlement) {
        let Some(order) = &mut self.order else {
            return self.report_one(settlement);
        };
        order.put(settlement);
        while let Some(settlement) = self.order.as_mut().and_then(Order::next) {
            self.report_one(settlement);
        }
    }

    fn report_one(&mut self, mut settlement: Settlement) {
        let report = &mut self.report;
        if let Err(error) = &mut settlement.result
            && error.is_refused()
        {
            // The task exists, so the pool takes no more jobs. This one fares as those before it.
            report.intake.close();
            error.certificate_mut().failure = Failure::Cancelled;
        }
        let settlement = &settlement;
        report.tally.count(settlement);
        let Given { text: arguments, bytes } = report.texts.take(settlement.tag);
        self.done.jobs += 1;
        self.done.bytes += bytes;
        if let Err(error) = &settlement.result
            && let Failure::PoolGaveUp(reason) = error.failure()
        {
            // Nothing that is read from now on could be run.
            report.intake.close();
            self.gave_up.get_or_insert_with(|| reason.clone());
        }
        match (report.output, &settlement.result) {
            (Output::Jsonl, _) => {
                let (task, written) = (report.task, report.written);
                record::write(&mut self.results, task, &arguments, written, settlement);
            }
            (Output::Plain, Ok(output)) => match &mut report.sum {
                Some(sum) => {
                    if !sum.add(output) {
                        report.screen.error(&not_summed(settlement.tag, output));
                    }
                }
                None if report.raw => print_raw(&mut self.results, output),
                None => print(&mut self.results, output),
            },
            (Output::Plain, Err(error)) => {
                if is_news(error) {
                    report.screen.error(&message(error, &arguments));
                }
            }
        }
    }
}

/// Jobs that never began because everything was stopped are counted, not told one by one.
fn is_news(error: &JobError) -> bool {
    match error.failure() {
        Failure::Cancelled => error.attempts() > 0,
        Failure::PoolGaveUp(_) => false,
        _ => true,
    }
}

fn message(error: &JobError, arguments: &str) -> String {
    let arguments = escape::short(arguments, LONGEST_ARGUMENTS);
    format!("{}\n  arguments: {arguments}", escape::lines(&error.to_string()))
}

/// Appends an output as a line: a string as it is, another value as JSON.
fn print(results: &mut Vec<u8>, output: &[u8]) {
    if output.first() == Some(&b'"')
        && let Ok(text) = serde_json::from_slice::<String>(output)
    {
        results.extend_from_slice(text.as_bytes());
    } else {
        results.extend_from_slice(output);
    }
    results.push(b'\n');
}

/// Appends an output that is text of any kind as it is; what is no text, as a line.
fn print_raw(results: &mut Vec<u8>, output: &[u8]) {
    match serde_json::from_slice::<Text>(output) {
        Ok(text) => results.extend_from_slice(text.as_bytes()),
        Err(_) => print(results, output),
    }
}

impl Sum {
    /// Adds an output, and tells whether that was possible.
    fn add(&mut self, output: &[u8]) -> bool {
        let number = str::from_utf8(output).ok().and_then(|text| text.parse::<u64>().ok());
        let total = number.and_then(|number| self.total.checked_add(u128::from(number)));
        match total {
            Some(total) => self.total = total,
            None => self.spoiled = true,
        }
        total.is_some()
    }
}

fn not_summed(job: u64, output: &[u8]) -> String {
    let output = escape::short(&String::from_utf8_lossy(output), LONGEST_ARGUMENTS);
    format!("job {job}: cannot add its output, which is not a number: {output}")
}

/// Settlements that wait for those before them (`--keep-order`). The window of the stream bounds it,
/// because a job leaves the window only when it has been printed.
struct Order {
    next: u64,
    waiting: HashMap<u64, Settlement>,
}

impl Default for Order {
    fn default() -> Self {
        Self { next: 1, waiting: HashMap::new() }
    }
}

impl Order {
    fn put(&mut self, settlement: Settlement) {
        self.waiting.insert(settlement.tag, settlement);
    }

    fn next(&mut self) -> Option<Settlement> {
        let settlement = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(settlement)
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;

    use super::*;

    fn settled(tag: u64) -> Settlement {
        Settlement { tag, attempts: 1, ..Settlement::bare(JobId(tag), Ok(Vec::new())) }
    }

    #[test]
    fn settlements_wait_for_those_before_them() {
        let mut order = Order::default();
        let mut printed = Vec::new();
        for (tag, so_far) in [(2, 0), (4, 0), (1, 2), (5, 2), (3, 5)] {
            order.put(settled(tag));
            printed.extend(std::iter::from_fn(|| order.next()).map(|settlement| settlement.tag));
            assert_eq!(printed.len(), so_far);
        }
        assert_eq!(printed, [1, 2, 3, 4, 5]);
        assert!(order.waiting.is_empty());
    }

    #[test]
    fn strings_are_printed_raw_and_other_values_as_json() {
        let cases = [
            ("\"a \\\"b\\\" \\u00e4\"", "a \"b\" ä\n"),
            ("[1,\"x\"]", "[1,\"x\"]\n"),
            ("null", "null\n"),
            ("\"broken", "\"broken\n"),
            ("", "\n"),
        ];
        for (output, printed) in cases {
            let mut results = Vec::new();
            print(&mut results, output.as_bytes());
            assert_eq!(String::from_utf8(results).unwrap(), printed);
        }
    }

    #[test]
    fn text_is_printed_as_it_is() {
        let cases: [(&str, &[u8]); 4] =
            [("\"\"", b""), ("\"a\\n\"", b"a\n"), ("[255,10]", b"\xff\n"), ("{}", b"{}\n")];
        for (output, printed) in cases {
            let mut results = Vec::new();
            print_raw(&mut results, output.as_bytes());
            assert_eq!(results, printed);
        }
    }

    #[test]
    fn a_sum_takes_whole_numbers_only() {
        let mut sum = Sum::default();
        assert!(sum.add(b"18446744073709551615") && sum.add(b"1"));
        assert_eq!(sum, Sum { total: 1 << 64, spoiled: false });
        assert!(!sum.add(b"\"2\""));
        assert!(sum.spoiled);
    }
}
