//! What one workload has to tell: tables, bars, notes, plots, and the rounds themselves.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::contest::Rounds;
use crate::figures::Figures;
use crate::peer::Peer;
use crate::plot::Chart;
use crate::quick;
use crate::table::Table;

/// A section of the report. A workload fills it, and it travels to the one who writes the report.
#[derive(Debug, Deserialize, Serialize)]
pub struct Section {
    /// The workload's name.
    pub name: String,
    /// What it measures, as a headline.
    pub title: String,
    /// In the order in which they are shown.
    pub tables: Vec<Table>,
    /// What is to be reached, and what was.
    pub bars: Vec<Bar>,
    /// Who was left out, and what else a reader must know.
    pub notes: Vec<String>,
    /// The file names of its plots.
    pub plots: Vec<String>,
    /// Every value that was measured.
    pub records: Vec<Record>,
    /// Where its plots go.
    folder: PathBuf,
}

/// All rounds of one figure.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    /// What was measured.
    pub what: String,
    /// Whose figure it is.
    pub who: String,
    /// In what.
    pub unit: String,
    /// Round by round.
    pub values: Vec<f64>,
}

/// Something that is to be reached. It is judged by the median, and in print only.
#[derive(Debug, Deserialize, Serialize)]
pub struct Bar {
    /// What is measured.
    pub what: String,
    /// How far it must or may go.
    pub limit: Limit,
    /// What it is counted in: `×`, `ms`, …
    pub unit: String,
    /// What was measured.
    pub measured: Figures,
}

/// Which side of a bar is the good one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum Limit {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Bar {
    /// Whether the median reaches it.
    pub fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtLeast(least) => self.measured.median() >= least,
            Limit::AtMost(most) => self.measured.median() <= most,
        }
    }
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Better {
    /// The larger one: it is a rate.
    More,
    /// The smaller one: it is a time or a size.
    Less,
}

impl Section {
    /// An empty one, whose plots go to this folder.
    pub fn new(name: &str, title: &str, folder: &Path) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            tables: Vec::new(),
            bars: Vec::new(),
            notes: Vec::new(),
            plots: Vec::new(),
            records: Vec::new(),
            folder: folder.into(),
        }
    }

    /// Tells something in a sentence.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A pool of another make, or a note that it was left out. The short form has one only, to see that it works.
    pub fn peer(&mut self, pool: &str, workers: usize) -> Option<Peer> {
        if quick() && pool != "executor" {
            return None;
        }
        let started = Peer::start(pool, workers);
        started.map_err(|missing| self.note(missing.to_string())).ok()
    }

    /// Several of them, each with what it was asked for by.
    pub fn peers(&mut self, pools: &[&'static str], workers: usize) -> Vec<(&'static str, Peer)> {
        pools.iter().filter_map(|pool| Some((*pool, self.peer(pool, workers)?))).collect()
    }

    /// Sets a bar, unless who is needed for it did not take part.
    pub fn bar(&mut self, what: &str, limit: Limit, unit: &str, measured: Option<Figures>) {
        match measured {
            Some(measured) => {
                self.bars.push(Bar { what: what.into(), limit, unit: unit.into(), measured });
            }
            None => {
                self.note(format!("not judged, because who it is measured by is missing: {what}"));
            }
        }
    }

    /// Keeps the rounds themselves, without those in which nothing was reached.
    pub fn record(&mut self, what: &str, unit: &str, rounds: &Rounds<f64>) {
        self.records.extend(rounds.0.iter().map(|entrant| Record {
            what: what.into(),
            who: entrant.name.clone(),
            unit: unit.into(),
            values: entrant.values.iter().copied().filter(|value| value.is_finite()).collect(),
        }));
    }

    /// A table of all entrants, with how much better ours are than each, round by round.
    pub fn compare(
        &mut self,
        title: &str,
        unit: &str,
        better: Better,
        ours: &[&str],
        rounds: &Rounds<f64>,
    ) {
        let unit_head = format!("{unit}: median (least–most)");
        let heads: Vec<String> = ours.iter().map(|name| format!("× by {name}")).collect();
        let mut head = vec!["", &unit_head];
        head.extend(heads.iter().map(String::as_str));
        let mut table = Table::new(title, &head);
        for entrant in &rounds.0 {
            let mut cells = vec![entrant.name.clone(), entrant.figures().to_string()];
            cells.extend(ours.iter().map(|&name| {
                let ratio = match better {
                    _ if entrant.name == name => None,
                    Better::More => rounds.ratio(name, &entrant.name),
                    Better::Less => rounds.ratio(&entrant.name, name),
                };
                ratio.map_or_else(|| "–".into(), |ratio| ratio.to_string())
            }));
            table.row(cells);
        }
        self.tables.push(table);
        self.record(title, unit, rounds);
    }

    /// Draws a plot.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn plot(&mut self, name: &str, chart: &Chart) {
        let file = format!("{name}.svg");
        let path = self.folder.join(&file);
        let written = chart.svg().map(|svg| fs::write(&path, svg));
        written.expect("a chart can be drawn").unwrap_or_else(|error| {
            panic!("cannot write {}: {error}", path.display());
        });
        self.plots.push(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::{Contest, Who};

    #[test]
    fn a_bar_is_met_by_the_median() {
        let bar = |limit, values: [f64; 3]| {
            Bar { what: String::new(), limit, unit: String::new(), measured: Figures::new(values) }
                .is_met()
        };
        assert!(bar(Limit::AtLeast(2.0), [1.0, 2.0, 3.0]));
        assert!(!bar(Limit::AtLeast(2.1), [1.0, 2.0, 3.0]));
        assert!(bar(Limit::AtMost(2.0), [1.0, 2.0, 9.0]));
        assert!(!bar(Limit::AtMost(1.9), [1.0, 2.0, 9.0]));
    }

    #[test]
    fn ours_is_better_by_how_much_it_is_faster() {
        let mut contest = Contest::default();
        contest.add("ours", Who::Ours, || 10.0);
        contest.add("peer", Who::Peer, || 2.0);
        let rounds = contest.run(1);
        let mut section = Section::new("name", "title", Path::new("/"));
        section.compare("Rates", "a second", Better::More, &["ours"], &rounds);
        section.compare("Times", "s", Better::Less, &["ours"], &rounds);
        let [rates, times] = section.tables.as_slice() else { panic!("two tables") };
        assert!(rates.plain().contains("  5.0\n"), "{}", rates.plain());
        assert!(times.plain().contains("  0.20\n"), "{}", times.plain());
        section.bar("a bar", Limit::AtLeast(1.0), "×", rounds.ratio("ours", "nobody"));
        assert!(section.bars.is_empty());
        assert!(section.notes[0].contains("a bar"));
    }
}
