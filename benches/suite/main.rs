//! The benchmarks: ours and the peers' side by side, in turns, in one run.
//!
//! Each workload runs in a process of its own, so that none finds what another has left behind, and one that
//! hangs or dies costs only its own section of the report. That process is this program again, and
//! so is everything that it starts: workers, the program `supervisor`, the bare echo.

mod commands;
mod growth;
mod http;
mod latency;
mod memory;
mod metg;
mod mixed;
mod noops;
mod payload;
mod primes;
mod recovery;
mod report;
mod start;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use brigade_benches::section::Section;
use brigade_benches::{echo, peer, program};

/// What there is: its name, its headline, and what fills its section.
type Workload = (&'static str, &'static str, fn(&mut Section));

const WORKLOADS: [Workload; 12] = [
    ("metg", "How short a job may be", metg::run),
    ("noops", "No-ops a second", noops::run),
    ("latency", "One job at a time", latency::run),
    ("mixed", "Short and long jobs", mixed::run),
    ("start", "Start", start::run),
    ("memory", "Memory", memory::run),
    ("payload", "Large arguments and results", payload::run),
    ("recovery", "Recovery from a kill", recovery::run),
    ("commands", "Programs started", commands::run),
    ("http", "Jobs that wait for a server", http::run),
    ("growth", "How the cost grows", growth::run),
    ("primes", "Primes", primes::run),
];

/// Says that this process is to run one workload: its name, and the folder for what it finds.
const ONE: &str = "--one";
/// Copies the plots of this run into the repository.
const KEEP: &str = "--keep-plots";
/// How long a workload may take.
const PATIENCE: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    if let Some(end) = program::run() {
        return end;
    }
    if echo::serve() {
        return ExitCode::SUCCESS;
    }
    brigade::init();
    // Cargo says that this is a benchmark.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match arguments.as_slice() {
        [one, name, folder] if one == ONE => {
            run_here(name, Path::new(folder));
            ExitCode::SUCCESS
        }
        arguments => run_chosen(arguments),
    }
}

fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|(other, ..)| *other == name)
}

fn run_here(name: &str, folder: &Path) {
    let (name, title, fill) = find(name).expect("who starts this process knows the names");
    let mut section = Section::new(name, title, folder);
    fill(&mut section);
    let text = serde_json::to_vec(&section).expect("a section can be written as JSON");
    fs::write(path_of(name, folder), text).expect("the folder can be written to");
}

fn path_of(name: &str, folder: &Path) -> PathBuf {
    folder.join(name).with_extension("json")
}

fn run_chosen(arguments: &[String]) -> ExitCode {
    let (options, chosen): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|word| word.starts_with("--"));
    let unknown = options.iter().find(|option| **option != KEEP);
    let unknown = unknown.or_else(|| chosen.iter().find(|name| find(name).is_none()));
    if let Some(unknown) = unknown {
        let names: Vec<_> = WORKLOADS.iter().map(|(name, ..)| *name).collect();
        report::say(&format!("there is no {unknown}; there are {KEEP} and {}", names.join(", ")));
        return ExitCode::from(2);
    }
    let folder = peer::target().join("benches");
    fs::create_dir_all(&folder).expect("the target folder can be written to");
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|other| *other == name);
    let mut sections = Vec::new();
    for (name, ..) in WORKLOADS.into_iter().filter(|(name, ..)| is_chosen(name)) {
        let begin = Instant::now();
        let section = run_apart(name, &folder);
        report::print(&section, begin.elapsed());
        sections.push(section);
    }
    let all_ran = sections.iter().all(|section| !section.records.is_empty());
    report::finish(&sections, &folder, options.iter().any(|option| *option == KEEP));
    // A figure is never a failure; a workload that did not come to its end is.
    if all_ran { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a workload in a process of its own.
fn run_apart(name: &str, folder: &Path) -> Section {
    let path = path_of(name, folder);
    let _ = fs::remove_file(&path);
    let executable = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(executable)
        .args([ONE, name])
        .arg(folder)
        .spawn()
        .expect("this program can be started");
    let deadline = Instant::now() + PATIENCE;
    let end = loop {
        if let Some(status) = child.try_wait().expect("it is a child") {
            break status.to_string();
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            break format!("it was killed after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let section = File::open(&path).ok().and_then(|file| serde_json::from_reader(file).ok());
    section.unwrap_or_else(|| {
        let mut section = Section::new(name, "", folder);
        section.note(format!("this workload did not come to its end: {end}"));
        section
    })
}
