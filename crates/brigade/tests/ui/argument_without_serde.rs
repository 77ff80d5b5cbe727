//! An argument that cannot travel.

struct Point {
    x: f64,
}

#[brigade::task]
fn stretch(point: Point, factor: f64) -> f64 {
    point.x * factor
}

fn main() {}
