//! An axis: what it shows, whether in decades, and where its marks are.

use std::ops::Range;

/// An axis of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    pub(super) label: String,
    /// How a value is written at its mark.
    pub(super) mark: fn(f64) -> String,
    is_log: bool,
    from: Option<f64>,
    to: Option<f64>,
    at: Vec<f64>,
}

impl Axis {
    /// One in equal steps.
    pub fn linear(label: &str, mark: fn(f64) -> String) -> Self {
        Self { label: label.into(), mark, is_log: false, from: None, to: None, at: Vec::new() }
    }

    /// One in decades; all values must be above zero.
    pub fn log(label: &str, mark: fn(f64) -> String) -> Self {
        Self { is_log: true, ..Self::linear(label, mark) }
    }

    /// Lets it begin here instead of with the least value.
    #[must_use]
    pub fn from(self, from: f64) -> Self {
        Self { from: Some(from), ..self }
    }

    /// Lets it end here instead of with the largest value.
    #[must_use]
    pub fn to(self, to: f64) -> Self {
        Self { to: Some(to), ..self }
    }

    /// Sets its marks, where others are rounder than decades.
    #[must_use]
    pub fn marks_at(self, values: impl IntoIterator<Item = f64>) -> Self {
        Self { at: values.into_iter().collect(), ..self }
    }

    /// Where a value lies on it.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    /// What is written at a place.
    pub(super) fn text(&self, place: f64) -> String {
        (self.mark)(if self.is_log { 10_f64.powf(place) } else { place })
    }

    /// From where to where it goes, so that all these values have room.
    pub(super) fn range(&self, values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
        let least = self.from.unwrap_or_else(|| values.clone().fold(f64::INFINITY, f64::min));
        let most = self.to.unwrap_or_else(|| values.fold(f64::NEG_INFINITY, f64::max));
        let (least, most) = (self.place(least), self.place(most));
        let room = if most > least { (most - least) * 0.03 } else { 0.5 };
        let begin = if self.from.is_some() { least } else { least - room };
        begin..if self.to.is_some() { most } else { most + room }
    }

    /// The places of its marks within a range: decades, with what lies between if there are few.
    pub(super) fn marks(&self, range: &Range<f64>) -> Vec<f64> {
        let span = range.end - range.start;
        let mut marks: Vec<f64> = self.at.iter().map(|value| self.place(*value)).collect();
        if !marks.is_empty() {
            // They are set.
        } else if self.is_log {
            let steps: &[f64] = match span {
                span if span < 1.5 => &[1.0, 2.0, 5.0],
                span if span < 2.5 => &[1.0, 3.0],
                _ => &[1.0],
            };
            // A label for each decade does not fit if there are many.
            let stride = if span > 9.0 { 2.0 } else { 1.0 };
            let mut decade = range.start.floor();
            while decade <= range.end {
                marks.extend(steps.iter().map(|step| decade + step.log10()));
                decade += stride;
            }
        } else {
            let rough = span / 5.0;
            let decade = 10_f64.powf(rough.log10().floor());
            let fits = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * decade);
            let step = fits.into_iter().find(|step| *step >= rough).unwrap_or(rough);
            let mut mark = (range.start / step).ceil() * step;
            while mark <= range.end + step * 1e-9 {
                marks.push(mark);
                mark += step;
            }
        }
        marks.retain(|mark| (range.start - 1e-9..=range.end + 1e-9).contains(mark));
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::short;

    fn texts(axis: &Axis, least: f64, most: f64) -> Vec<String> {
        let range = axis.range([least, most].into_iter());
        axis.marks(&range).into_iter().map(|mark| axis.text(mark)).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(texts(&Axis::log("", short), 0.9, 12_000.0), ["1", "10", "100", "1k", "10k"]);
        assert_eq!(texts(&Axis::log("", short), 1.0, 11.0), ["1", "2", "5", "10"]);
        let shares = Axis::linear("", short).from(0.0).to(100.0);
        let set = Axis::log("", short).marks_at([64.0, 1024.0, 4096.0]);
        assert_eq!(texts(&set, 64.0, 2000.0), ["64", "1.024k"]);
        assert_eq!(texts(&shares, 7.0, 50.0), ["0", "20", "40", "60", "80", "100"]);
    }
}
