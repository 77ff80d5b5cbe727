//! What several rounds of one measurement gave: the median, and how far they lie apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::amount::{amount, number, whole};

/// The values of several rounds, sorted. There is at least one.
#[derive(Clone, Debug, Deserialize, Serialize)]
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

    /// The value below which this share of all lies: of several, the nearest.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len() - 1;
        let index = usize::try_from(whole(number(last) * share)).unwrap_or(last);
        self.sorted[index.min(last)]
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// The median, and in brackets the least and the most, if there are several; `{:.2}` sets the digits.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.sorted.as_slice() {
            return f.write_str(&amount(*only));
        }
        let (median, least, most) = (self.median(), self.quantile(0.0), self.quantile(1.0));
        match f.precision() {
            Some(digits) => write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})"),
            None => write!(f, "{} ({}–{})", amount(median), amount(least), amount(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_least_and_most() {
        let figures = Figures::new([5.0, 1000.0, 2.0]);
        assert_eq!(figures.to_string(), "5.0 (2.0–1,000)");
        assert_eq!(format!("{figures:.0}"), "5 (2–1000)");
        assert_eq!(Figures::new([5.0]).to_string(), "5.0");
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let figures = Figures::new((0..=100).map(f64::from));
        assert!((figures.quantile(0.99) - 99.0).abs() < 1e-9);
        assert!((figures.quantile(1.0) - 100.0).abs() < 1e-9);
    }
}
