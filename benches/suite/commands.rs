//! `true`, many times, two at once: by the program, by its rivals in the shell, and by a bare loop.
//!
//! All start `/bin/true` itself, without a shell in between, with one argument and the same environment: with
//! the argument it looks whether it is `--help`, for which it loads the locale that the environment names, and
//! takes half as long again. The rivals are asked for fewer, because they take long, and what they take to start
//! themselves is a small part even so.

use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use brigade_benches::amount::{number, short};
use brigade_benches::contest::{Contest, Who};
use brigade_benches::peer::installed;
use brigade_benches::plot::{Axis, Chart, Points};
use brigade_benches::section::{Better, Limit, Section};
use brigade_benches::{os, program, whole_or_quick};

const TRUE: &str = "/bin/true";
const OURS: &str = "supervisor --task command";
const LIMIT: &str = "bare loop: vfork, execve, wait";

pub(crate) fn run(section: &mut Section) {
    let times = whole_or_quick(10_000, 100);
    let mut contest = Contest::default();
    contest.add(LIMIT, Who::Limit, move || {
        let begin = Instant::now();
        os::spawn_and_wait(TRUE, "1", times, 2);
        number(times) / begin.elapsed().as_secs_f64()
    });
    if program::offers("command") {
        contest.add(OURS, Who::Ours, move || {
            let mut command = program::supervisor();
            rate(
                command.args(["--quiet", "--workers", "2", "--task", "command", "--", TRUE]),
                times,
            )
        });
    } else {
        section.note("left out: this version of the program has no task `command`");
    }
    for (name, arguments, times) in [
        ("xargs", &["-P2", "-n1", TRUE][..], times / 2),
        ("parallel", &["-j2", TRUE][..], times / 10),
    ] {
        match installed(name) {
            Ok(path) => {
                let name = version(&path.to_string_lossy()).unwrap_or_else(|| name.into());
                let name = format!("{name} {}", arguments[0]);
                contest
                    .add(name, Who::Peer, move || rate(Command::new(&path).args(arguments), times));
            }
            Err(missing) => section.note(missing.to_string()),
        }
    }
    let rounds = contest.run(whole_or_quick(3, 1));
    section.compare("`true`, two at once", "a second", Better::More, &[OURS], &rounds);
    let ratio = rounds.ratio(OURS, LIMIT);
    section.bar("`true` / bare loop", Limit::AtLeast(0.9), "×", ratio);
    let axis = Axis::log("programs a second", short);
    let points = Points::of(
        "/bin/true, two at once",
        "an input for each, no shell in between",
        axis,
        &rounds,
    );
    section.plot("commands", &Chart::Points(points.sorted(true)));
}

/// The first line of what a program says of its version, without what nobody asked for.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?;
    Some(line.replace(['(', ')'], "").replace("GNU findutils ", ""))
}

/// Runs a command that gets so many lines, and tells how many of them it dealt with in a second.
fn rate(command: &mut Command, times: u64) -> f64 {
    let begin = Instant::now();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("it is installed");
    let input = child.stdin.take().expect("it was piped");
    let lines = thread::spawn(move || {
        let mut input = BufWriter::new(input);
        (1..=times).try_for_each(|n| writeln!(input, "{n}")).expect("it reads all of them");
    });
    assert!(child.wait().expect("it is a child").success());
    let took = begin.elapsed();
    lines.join().expect("it reads all of them");
    number(times) / took.as_secs_f64()
}
