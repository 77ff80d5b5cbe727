//! An error that says nothing.

struct Silent;

#[brigade::task]
fn fail() -> Result<(), Silent> {
    Err(Silent)
}

fn main() {}
