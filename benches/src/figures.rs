//! Medians, spreads, and the tables that they are printed in.

#![expect(clippy::print_stdout, reason = "printing figures is what a benchmark is for")]

use std::fmt;
use std::time::Duration;

/// What several rounds of one measurement gave.
#[derive(Clone, Debug)]
pub struct Figures {
    sorted: Vec<f64>,
}

impl Figures {
    /// Of these values.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        assert!(!sorted.is_empty(), "nothing was measured");
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// Of these durations, in milliseconds.
    pub fn millis(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e3))
    }

    /// The value below which this share of all lies: of several, the nearest.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index of a few thousand, rounded"
    )]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len() - 1;
        self.sorted[((last as f64 * share).round() as usize).min(last)]
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// The median, and in brackets the smallest and the largest; `{:.2}` gives the digits.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let (median, least, most) = (self.median(), self.quantile(0.0), self.quantile(1.0));
        write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

/// A table with a title and a head, printed when it is complete.
#[derive(Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self { title: title.into(), rows: vec![head.iter().map(|&cell| cell.into()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it: the first column to the left, the others to the right.
    pub fn print(&self) {
        println!("\n{}\n", self.title);
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let line: Vec<String> = cells
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            println!("  {}", line.join("  ").trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_least_and_most() {
        let figures = Figures::new([5.0, 1.0, 2.0]);
        assert_eq!(figures.to_string(), "2.0 (1.0–5.0)");
        assert_eq!(format!("{figures:.0}"), "2 (1–5)");
        assert_eq!(Figures::millis([Duration::from_micros(1500)]).to_string(), "1.5 (1.5–1.5)");
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let figures = Figures::new((0..=100).map(f64::from));
        assert!((figures.quantile(0.99) - 99.0).abs() < 1e-9);
        assert!((figures.quantile(1.0) - 100.0).abs() < 1e-9);
    }
}
