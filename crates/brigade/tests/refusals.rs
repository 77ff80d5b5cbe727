//! What the compiler says to those who give `#[task]` what it does not take.
//!
//! Such a text is in the `.stderr` beside its case; `TRYBUILD=overwrite` writes them anew.

use std::process::Command;

/// The compiler that wrote the texts. Another one may word its part of them differently.
const WRITTEN_BY: &str = "rustc 1.95.";

/// Refused by `#[task]`, in words of its own alone.
const BY_TASK: [&str; 4] = ["generic", "async_function", "borrowed_argument", "mutable_argument"];

/// Refused by the compiler, because of what `#[task]` wrote.
const BY_COMPILER: [&str; 4] =
    ["argument_without_serde", "result_without_serde", "error_without_display", "wrong_argument"];

#[test]
fn the_compiler_says_what_is_wrong_and_where() {
    let cases = trybuild::TestCases::new();
    let texts_hold = compiler().starts_with(WRITTEN_BY);
    let by_compiler = BY_COMPILER.iter().filter(|_| texts_hold);
    for name in BY_TASK.iter().chain(by_compiler) {
        cases.compile_fail(format!("tests/ui/{name}.rs"));
    }
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("there is a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
