//! A call with an argument of another type.

#[brigade::task]
fn double(x: u64) -> u64 {
    2 * x
}

fn main() {
    let _ = double("21");
}
