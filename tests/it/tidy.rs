//! The rules of the house, as far as a program can see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace")
}

/// All files of Rust below a folder of the workspace.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be listed").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a file that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Panics if code below this folder mentions one of these words.
fn assert_absent(folder: &str, words: &[&str], spared: &[&str]) {
    for path in sources(folder) {
        let spared = spared.iter().any(|spared| path.ends_with(spared));
        for (number, line) in code(&text(&path)).filter(|_| !spared) {
            for word in words {
                assert!(!line.contains(word), "{}:{number} mentions {word}", path.display());
            }
        }
    }
}

#[test]
fn the_scheduler_touches_nothing() {
    let words = [
        "std::process",
        "std::thread",
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "ipc_channel",
        "crossbeam_channel",
        "nix::",
        "rustix::",
        "Instant",
        "SystemTime",
        "unsafe",
        "println!",
    ];
    assert_absent("crates/supervisor/src/scheduler", &words, &[]);
}

#[test]
fn worker_and_supervisor_do_not_know_each_other() {
    assert_absent("crates/worker/src", &["brigade_supervisor"], &[]);
    assert_absent("crates/protocol/src", &["brigade_supervisor", "brigade_worker"], &[]);
    assert_absent("crates/task/src", &["use brigade_supervisor", "use brigade_worker"], &[]);
    for path in sources("crates/supervisor/src") {
        // The program links both, because it starts itself as its worker program.
        let folder = path.strip_prefix(root().join("crates/supervisor/src")).expect("it is below");
        if folder.starts_with("cli") || folder == Path::new("main.rs") {
            continue;
        }
        for (number, line) in code(&text(&path)) {
            // A message may name it to a reader.
            let used = line.contains("use brigade_worker") || line.contains("= brigade_worker");
            assert!(!used, "{}:{number} uses the worker crate", path.display());
        }
    }
}

#[test]
fn each_module_says_what_it_is_for() {
    for folder in ["crates", "tests", "benches"] {
        for path in sources(folder).into_iter().filter(|path| !is_generated(path)) {
            let text = text(&path);
            assert!(text.starts_with("//!"), "{} does not begin with //!", path.display());
        }
    }
}

fn is_generated(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "target")
}

#[test]
fn files_are_short_enough_to_be_read() {
    for path in sources("crates") {
        // Without what is told about it, examples included: of that there is never too much.
        let lines = code(&text(&path)).count();
        // A file over 400 lines needs a reason; nothing has a reason to be a quarter as long again.
        assert!(lines <= 500, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn unsafe_code_is_where_it_is_expected() {
    for path in sources("crates") {
        // The macros have texts of programs in their tests.
        let of = |folder| path.components().any(|part| part.as_os_str() == folder);
        let allowed = of("tests")
            || of("macros")
            || path.ends_with("worker/src/os.rs")
            || path.ends_with("task/src/os.rs");
        for (number, line) in code(&text(&path)).filter(|_| !allowed) {
            let is_unsafe = line.contains("unsafe {") || line.contains("unsafe fn");
            assert!(!is_unsafe, "{}:{number} is unsafe", path.display());
        }
    }
}

#[test]
fn the_changelog_names_this_version() {
    let changelog = text(&root().join("CHANGELOG.md"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(version), "CHANGELOG.md does not mention {version}");
}

#[test]
fn library_users_do_not_pay_for_the_program() {
    let arguments = ["tree", "--offline", "-p", "brigade", "-e", "normal", "--prefix", "none"];
    let tree = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output();
    let tree = tree.expect("cargo can be run");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let tree = String::from_utf8(tree.stdout).expect("names are text");
    assert!(tree.contains("brigade-supervisor "), "{tree}");
    for name in ["clap", "indicatif", "signal-hook", "humantime", "console"] {
        let found = tree.lines().any(|line| line.split(' ').next() == Some(name));
        assert!(!found, "brigade depends on {name}:\n{tree}");
    }
}
