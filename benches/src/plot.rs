//! Plots: curves over an axis, and points on one. Ours are warm and thick, peers cool, limits grey.

mod axis;
mod curves;
mod points;

pub use axis::Axis;
pub use curves::{Curves, Line};
pub use points::Points;

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, RGBColor, SVGBackend, Text, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};

use crate::contest::Who;

/// What can be drawn.
#[derive(Debug)]
pub enum Chart {
    /// Values over an axis.
    Curves(Curves),
    /// One value for each name.
    Points(Points),
}

impl Chart {
    /// The picture, as SVG.
    ///
    /// # Errors
    ///
    /// If the library cannot draw it.
    pub fn svg(&self) -> Result<String, Box<dyn Error>> {
        match self {
            Self::Curves(curves) => curves.svg(),
            Self::Points(points) => points.svg(),
        }
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const FONT: &str = "DejaVu Sans, Verdana, Helvetica, sans-serif";
const INK: RGBColor = RGBColor(34, 34, 34);
const FAINT: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(226, 226, 226);

/// How a name is drawn: by whose it is, and the how manieth of those.
fn colour(who: Who, index: usize) -> RGBColor {
    const OURS: [RGBColor; 4] = [
        RGBColor(200, 16, 46),
        RGBColor(240, 125, 0),
        RGBColor(143, 29, 86),
        RGBColor(220, 170, 0),
    ];
    const PEERS: [RGBColor; 10] = [
        RGBColor(31, 119, 180),
        RGBColor(23, 160, 134),
        RGBColor(106, 90, 205),
        RGBColor(60, 140, 60),
        RGBColor(0, 160, 210),
        RGBColor(40, 60, 130),
        RGBColor(125, 160, 50),
        RGBColor(150, 120, 200),
        RGBColor(20, 100, 110),
        RGBColor(110, 150, 190),
    ];
    const LIMITS: [RGBColor; 4] = [
        RGBColor(60, 60, 60),
        RGBColor(130, 130, 130),
        RGBColor(95, 85, 75),
        RGBColor(165, 165, 165),
    ];
    let colours: &[RGBColor] = match who {
        Who::Ours => &OURS,
        Who::Peer => &PEERS,
        Who::Limit => &LIMITS,
    };
    colours[index % colours.len()]
}

/// The colours of these, in order.
fn colours(who: impl IntoIterator<Item = Who>) -> Vec<RGBColor> {
    let mut seen = Vec::new();
    who.into_iter()
        .map(|who| {
            let index = seen.iter().filter(|&&other| other == who).count();
            seen.push(who);
            colour(who, index)
        })
        .collect()
}

/// A style whose text is at the height of its place.
fn text(size: u32, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    TextStyle {
        font: (FONT, size).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(horizontal, VPos::Center),
    }
}

/// A white ground with a title and a line below it.
fn ground(area: &Area, title: &str, subtitle: &str) -> Result<(), Box<dyn Error>> {
    area.fill(&WHITE)?;
    let plain = text(20, INK, HPos::Left);
    let bold = TextStyle { font: plain.font.style(FontStyle::Bold), ..plain };
    area.draw(&Text::new(title.to_owned(), (24, 28), bold))?;
    area.draw(&Text::new(subtitle.to_owned(), (24, 54), text(13, FAINT, HPos::Left)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::short;
    use crate::contest::{Entrant, Rounds};

    #[test]
    fn a_chart_names_all_that_it_shows() {
        let line = |name: &str, who| Line {
            name: name.into(),
            who,
            points: vec![(1.0, 10.0), (1000.0, 20.0)],
        };
        let curves = Curves {
            title: "Curves".into(),
            subtitle: "what they are".into(),
            x: Axis::log("length", short),
            y: Axis::linear("share", short).from(0.0),
            lines: vec![line("ours", Who::Ours), line("peer 1.0", Who::Peer)],
            guide: Some((15.0, "a guide".into())),
        };
        let entrant = |name: &str, value| Entrant {
            name: name.into(),
            who: Who::Peer,
            values: vec![value, value * 1.1],
        };
        let rounds = Rounds(vec![entrant("ours", 100.0), entrant("peer 1.0", 3.0)]);
        let points = Points::of("Points", "what they are", Axis::log("length", short), &rounds);
        for chart in [Chart::Curves(curves), Chart::Points(points)] {
            let svg = chart.svg().unwrap();
            for name in ["ours", "peer 1.0", "what they are", "length"] {
                assert!(svg.contains(name), "{name} is not in {svg}");
            }
            assert!(!svg.contains("NaN"), "{svg}");
        }
    }
}
