//! What a task changes in its arguments, nobody sees.

#[brigade::task]
fn sort(values: &mut Vec<u64>) {
    values.sort_unstable();
}

fn main() {}
