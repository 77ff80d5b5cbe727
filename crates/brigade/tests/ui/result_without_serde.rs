//! A result that cannot travel.

struct Point {
    _x: f64,
}

#[brigade::task]
fn locate(_x: f64) -> Result<Point, String> {
    Ok(Point { _x })
}

fn main() {}
