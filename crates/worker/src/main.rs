//! The worker program with the built-in tasks, for `supervisor --worker PATH`.

use std::process::ExitCode;

use brigade_worker::{builtin, serve_with};

fn main() -> ExitCode {
    serve_with(&builtin::registry())
}
