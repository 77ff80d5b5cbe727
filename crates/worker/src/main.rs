//! The worker program with the built-in tasks, for `supervisor --worker PATH`.
fn main() {}
