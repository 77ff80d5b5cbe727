//! One value for each name, on one axis: a point for the median, a bar from the least to the most.
//!
//! Points and not columns, because the axis is often one of decades, on which a column has no foot.

use std::error::Error;

use plotters::element::{PathElement, Rectangle};
use plotters::prelude::{Circle, IntoDrawingArea, RGBColor, SVGBackend, Text};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::{Area, Axis, FAINT, GRID, INK, colours, ground, text};
use crate::amount::amount;
use crate::contest::{Rounds, Who};
use crate::figures::Figures;

const WIDTH: u32 = 1000;
const ROW: i32 = 27;
/// Where the axis begins and ends, and where the first row stands.
const LEFT: i32 = 400;
const RIGHT: i32 = 900;
const TOP: i32 = 96;

/// One value for each name.
#[derive(Debug)]
pub struct Points {
    title: String,
    subtitle: String,
    axis: Axis,
    rows: Vec<(String, Who, Figures)>,
}

impl Points {
    /// Of all entrants, in their order.
    pub fn of(title: &str, subtitle: &str, axis: Axis, rounds: &Rounds<f64>) -> Self {
        let row = |entrant: &crate::contest::Entrant<f64>| {
            (entrant.name.clone(), entrant.who, entrant.figures())
        };
        let rows = rounds.0.iter().map(row).collect();
        Self { title: title.into(), subtitle: subtitle.into(), axis, rows }
    }

    /// The same, those who are better first.
    #[must_use]
    pub fn sorted(mut self, largest_first: bool) -> Self {
        self.rows.sort_by(|(.., a), (.., b)| a.median().total_cmp(&b.median()));
        if largest_first {
            self.rows.reverse();
        }
        self
    }

    pub(super) fn svg(&self) -> Result<String, Box<dyn Error>> {
        let rows = i32::try_from(self.rows.len())?;
        let bottom = TOP + rows * ROW;
        let mut svg = String::new();
        {
            let size = (WIDTH, u32::try_from(bottom + 62)?);
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            ground(&root, &self.title, &self.subtitle)?;
            let ends =
                |(.., figures): &(_, _, Figures)| [0.0, 1.0].map(|end| figures.quantile(end));
            let values: Vec<f64> = self.rows.iter().flat_map(ends).collect();
            let range = self.axis.range(values.iter().copied());
            let scale = f64::from(RIGHT - LEFT) / (range.end - range.start);
            #[expect(clippy::cast_possible_truncation, reason = "a place on a picture")]
            let across = |place: f64| LEFT + ((place - range.start) * scale).round() as i32;
            for mark in self.axis.marks(&range) {
                let (x, label) = (across(mark), self.axis.text(mark));
                root.draw(&PathElement::new([(x, TOP - 14), (x, bottom)], GRID.stroke_width(1)))?;
                root.draw(&Text::new(label, (x, bottom + 14), text(12, INK, HPos::Center)))?;
            }
            let middle = i32::midpoint(LEFT, RIGHT);
            let label = self.axis.label.clone();
            root.draw(&Text::new(label, (middle, bottom + 40), text(12, INK, HPos::Center)))?;
            let colours = colours(self.rows.iter().map(|(_, who, _)| *who));
            let mut y = TOP;
            for ((name, who, figures), colour) in self.rows.iter().zip(colours) {
                let places =
                    [0.0, 0.5, 1.0].map(|share| across(self.axis.place(figures.quantile(share))));
                draw_row(&root, y, (name, *who), figures.median(), places, colour)?;
                y += ROW;
            }
            root.present()?;
        }
        Ok(svg)
    }
}

/// The name, a thin line to the point, the spread, the point, and its value in words.
fn draw_row(
    root: &Area,
    y: i32,
    (name, who): (&str, Who),
    median: f64,
    [least, middle, most]: [i32; 3],
    colour: RGBColor,
) -> Result<(), Box<dyn Error>> {
    let name_colour = if who == Who::Ours { colour } else { INK };
    root.draw(&Text::new(name.to_owned(), (LEFT - 14, y), text(12, name_colour, HPos::Right)))?;
    root.draw(&PathElement::new([(LEFT, y), (middle, y)], colour.mix(0.35).stroke_width(1)))?;
    let spread = [(least, y - 3), (most, y + 3)];
    root.draw(&Rectangle::new(spread, colour.mix(0.3).filled()))?;
    let radius = if who == Who::Ours { 6 } else { 4 };
    root.draw(&Circle::new((middle, y), radius, colour.filled()))?;
    let beside = (most.max(middle) + 12, y);
    root.draw(&Text::new(amount(median), beside, text(12, FAINT, HPos::Left)))?;
    Ok(())
}
