//! Curves over an axis, their names beside them in the order in which they stand there.

use std::error::Error;
use std::ops::Range;

use plotters::element::{DashedPathElement, PathElement};
use plotters::prelude::{Circle, IntoDrawingArea, RGBColor, Rectangle, SVGBackend, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, FontTransform};

use super::{Area, Axis, FAINT, GRID, INK, colours, ground, text};
use crate::contest::{Entrant, Who};

const SIZE: (u32, u32) = (960, 540);
/// Where the curves are, and where the names begin.
const LEFT: i32 = 92;
const RIGHT: i32 = 636;
const TOP: i32 = 84;
const BOTTOM: i32 = 472;
const NAMES: i32 = 664;

/// Values over an axis.
#[derive(Debug)]
pub struct Curves {
    /// What it shows.
    pub title: String,
    /// How it was measured.
    pub subtitle: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// In the order of their names.
    pub lines: Vec<Line>,
    /// A level that means something, and what.
    pub guide: Option<(f64, String)>,
}

/// One of the curves.
#[derive(Debug)]
pub struct Line {
    /// Whose figures these are, with the version.
    pub name: String,
    /// How it is drawn.
    pub who: Who,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Where a point of both axes lies on the picture: at its edge, if it is beyond.
struct Frame<'a> {
    curves: &'a Curves,
    x: Range<f64>,
    y: Range<f64>,
}

impl Frame<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "a place on a picture")]
    fn across(&self, place: f64) -> i32 {
        let share = ((place - self.x.start) / (self.x.end - self.x.start)).clamp(0.0, 1.0);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    }

    #[expect(clippy::cast_possible_truncation, reason = "a place on a picture")]
    fn up(&self, place: f64) -> i32 {
        let share = ((place - self.y.start) / (self.y.end - self.y.start)).clamp(0.0, 1.0);
        BOTTOM - (share * f64::from(BOTTOM - TOP)).round() as i32
    }

    fn place(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.across(self.curves.x.place(x)), self.up(self.curves.y.place(y)))
    }
}

impl Curves {
    pub(super) fn svg(&self) -> Result<String, Box<dyn Error>> {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        let guide = self.guide.iter().map(|(level, _)| *level);
        let frame = Frame {
            curves: self,
            x: self.x.range(points().map(|(x, _)| x)),
            y: self.y.range(points().map(|(_, y)| y).chain(guide)),
        };
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            ground(&root, &self.title, &self.subtitle)?;
            let colours = colours(self.lines.iter().map(|line| line.who));
            self.draw_axes(&root, &frame)?;
            // Ours last, so that they lie above.
            let mut order: Vec<_> = self.lines.iter().zip(&colours).collect();
            order.sort_by_key(|(line, _)| line.who == Who::Ours);
            for (line, colour) in order {
                line.draw(&root, &frame, *colour)?;
            }
            self.draw_names(&root, &colours)?;
            root.present()?;
        }
        Ok(svg)
    }

    fn draw_axes(&self, root: &Area, frame: &Frame) -> Result<(), Box<dyn Error>> {
        for mark in self.x.marks(&frame.x) {
            let (x, label) = (frame.across(mark), self.x.text(mark));
            root.draw(&PathElement::new([(x, TOP), (x, BOTTOM)], GRID.stroke_width(1)))?;
            root.draw(&Text::new(label, (x, BOTTOM + 16), text(12, INK, HPos::Center)))?;
        }
        for mark in self.y.marks(&frame.y) {
            let (y, label) = (frame.up(mark), self.y.text(mark));
            root.draw(&PathElement::new([(LEFT, y), (RIGHT, y)], GRID.stroke_width(1)))?;
            root.draw(&Text::new(label, (LEFT - 8, y), text(12, INK, HPos::Right)))?;
        }
        root.draw(&Rectangle::new([(LEFT, TOP), (RIGHT, BOTTOM)], FAINT.stroke_width(1)))?;
        let (middle, centre) = (i32::midpoint(LEFT, RIGHT), i32::midpoint(TOP, BOTTOM));
        let label = text(12, FAINT, HPos::Center);
        root.draw(&Text::new(self.x.label.clone(), (middle, BOTTOM + 42), label.clone()))?;
        let upwards = label.transform(FontTransform::Rotate270);
        root.draw(&Text::new(self.y.label.clone(), (24, centre), upwards))?;
        if let Some((level, what)) = &self.guide {
            let y = frame.up(self.y.place(*level));
            let ends = [(LEFT, y), (RIGHT, y)];
            root.draw(&DashedPathElement::new(ends, 3, 4, FAINT.stroke_width(1)))?;
            let beside = (LEFT + 8, y - 9);
            root.draw(&Text::new(what.clone(), beside, text(11, FAINT, HPos::Left)))?;
        }
        Ok(())
    }

    fn draw_names(&self, root: &Area, colours: &[RGBColor]) -> Result<(), Box<dyn Error>> {
        let mut y = TOP + 8;
        for (line, colour) in self.lines.iter().zip(colours) {
            line.stroke(root, vec![(NAMES, y), (NAMES + 21, y)], *colour)?;
            root.draw(&Text::new(line.name.clone(), (NAMES + 29, y), text(12, INK, HPos::Left)))?;
            y += 23;
        }
        Ok(())
    }
}

impl Line {
    /// Adds a point to the entrant's line, which is a new one if it has none.
    pub fn add<T>(lines: &mut Vec<Self>, entrant: &Entrant<T>, point: (f64, f64)) {
        if let Some(line) = lines.iter_mut().find(|line| line.name == entrant.name) {
            line.points.push(point);
        } else {
            let (name, who) = (entrant.name.clone(), entrant.who);
            lines.push(Self { name, who, points: vec![point] });
        }
    }

    fn draw(&self, root: &Area, frame: &Frame, colour: RGBColor) -> Result<(), Box<dyn Error>> {
        let places: Vec<_> = self.points.iter().map(|point| frame.place(*point)).collect();
        // More points than that are a curve without them.
        let radius = match self.who {
            Who::Ours if places.len() < 40 => 4,
            Who::Peer if places.len() < 40 => 2,
            _ => 0,
        };
        for place in places.iter().filter(|_| radius > 0) {
            root.draw(&Circle::new(*place, radius, colour.filled()))?;
        }
        self.stroke(root, places, colour)
    }

    fn stroke(
        &self,
        root: &Area,
        places: Vec<(i32, i32)>,
        colour: RGBColor,
    ) -> Result<(), Box<dyn Error>> {
        match self.who {
            Who::Ours => root.draw(&PathElement::new(places, colour.stroke_width(3)))?,
            Who::Peer => root.draw(&PathElement::new(places, colour.stroke_width(2)))?,
            Who::Limit => {
                root.draw(&DashedPathElement::new(places, 5, 4, colour.stroke_width(2)))?;
            }
        }
        Ok(())
    }
}
