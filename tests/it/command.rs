//! Commands: `--task command [INPUT]... -- PROGRAM [ARG]...`.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use brigade_supervisor::Job;
use brigade_tests::DEADLINE;
use brigade_tests::process::{Watched, until};
use brigade_tests::program::{Finished, Program};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rustix::process::Signal;
use serde_json::json;

use crate::pools::{builder, error, tell, told, value};
use crate::program::supervisor;
use crate::records::by_job;

/// What may be in a name, and is something else in JSON or for a shell.
const NAMES: [&str; 9] =
    ["0123", "1e3", "true", "null", "\"x", " a  b ", "{}", "$HOME", "-n\u{e4}"];

/// A program that runs this script of the shell for each input, which is its `$1`.
fn shell(options: &str, inputs: &[&str], script: &str) -> Program {
    let mut program = supervisor(&format!("{options} --task command"));
    for input in inputs {
        program = program.arg(input);
    }
    ["--", "sh", "-c", script, "sh", "{}"].into_iter().fold(program, Program::arg)
}

fn in_brackets(names: &[&str]) -> String {
    format!("[{}]", names.join("]["))
}

#[test]
fn inputs_reach_the_program_unchanged_from_everywhere() {
    let expected = in_brackets(&NAMES);
    let printing =
        |program: Program| ["--", "printf", "[%s]"].into_iter().fold(program, Program::arg);

    // Among the words of the command line, what begins with a dash is an option.
    let names: Vec<&str> = NAMES.into_iter().filter(|name| !name.starts_with('-')).collect();
    let words = names.iter().fold(supervisor("--keep-order --task command"), Program::arg);
    assert_eq!(printing(words).run().success(), in_brackets(&names), "as words");

    let lines = NAMES.join("\n");
    let piped = supervisor("--keep-order --task command").input(format!("{lines}\n\n"));
    assert_eq!(printing(piped).run().success(), expected, "on standard input");

    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, lines).unwrap();
    let file = supervisor("--keep-order --task command --jobs").arg(&list);
    assert_eq!(printing(file).run().success(), expected, "in a file");

    let json = folder.path().join("list.jsonl");
    let lines: Vec<String> = NAMES.iter().map(|name| json!(name).to_string()).collect();
    fs::write(&json, lines.join("\n") + "\n1.50\n").unwrap();
    let file = supervisor("--keep-order --task command --jobs").arg(&json);
    assert_eq!(printing(file).run().success(), expected + "[1.50]", "as JSON");
}

#[test]
fn names_with_line_ends_come_with_null() {
    let piped =
        supervisor("--keep-order --null --task command -- printf [%s]").input("a\nb\0c\n\0\0d");
    assert_eq!(piped.run().success(), "[a\nb][c\n][d]");
}

#[test]
fn names_that_are_not_utf_8_reach_the_program_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    let name = OsStr::from_bytes(b"a\xff");
    let run = |program: Program| {
        let program = ["--", "printf", "[%s]"].into_iter().fold(program, Program::arg);
        program.output_to(&output).run().expect_code(0);
        fs::read(&output).unwrap()
    };
    assert_eq!(run(supervisor("--task command").arg(name)), b"[a\xff]");
    assert_eq!(run(supervisor("--task command").input(b"a\xff\n")), b"[a\xff]");
    let records = shell("--output jsonl", &["x"], "printf '\\377'").run().expect_code(0).records();
    assert_eq!(records[0]["output"], json!([255]));
}

#[test]
fn the_input_stands_wherever_its_place_is() {
    let run = |line: &str| supervisor(&format!("--task command x -- {line}")).run().success();
    assert_eq!(run("echo {} {}{} --name={}"), "x xx --name=x\n");
    assert_eq!(run("echo first"), "first x\n");
    let program = supervisor("--keep-order --task command echo printf -- {} hi");
    assert_eq!(program.run().success(), "hi\nhi");
}

#[test]
fn outputs_are_whole_and_nothing_is_added() {
    // More than a pipe holds, so each comes in many pieces.
    let inputs: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let script =
        "i=0; while [ $i -lt 3000 ]; do echo \"$1 with a line of some length\"; i=$((i+1)); done";
    let results = shell("--workers 4", &inputs, script).run().success();
    let lines: Vec<&str> = results.lines().collect();
    assert_eq!(lines.len(), 20 * 3000);
    assert!(lines.chunks(3000).all(|piece| piece.iter().all(|line| *line == piece[0])));

    let few = shell("--keep-order", &["a", "", "b\n", "c"], "printf %s \"$1\"").run();
    assert_eq!(few.success(), "ab\nc");
}

#[test]
fn much_on_both_streams_blocks_nothing() {
    let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
    assert_eq!(shell("--quiet", &["x"], script).run().success().len(), 600_000);
}

#[test]
fn no_inputs_are_no_commands() {
    let empty = supervisor("--task command -- no-input-no-run").input("");
    assert!(
        empty.run().expect_code(2).stderr.contains("no-input-no-run"),
        "it is looked for first"
    );
    let empty = supervisor("--task command -- false").input("\n\n").run();
    assert_eq!(empty.success(), "");
}

#[test]
fn what_cannot_be_run_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    for (program, reason) in [
        (Path::new("no-such-program"), "no directory of PATH has such a program"),
        (Path::new("/no/such/program"), "there is no such file"),
        (&plain, "chmod +x"),
    ] {
        let run = supervisor("--task command a b --").arg(program).run().expect_code(2);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
        assert!(run.stderr.contains(&*program.to_string_lossy()), "{}", run.stderr);
        assert!(!run.stderr.contains("job 1"), "{}", run.stderr);
    }
    let forgotten = supervisor("--task command a b").run().expect_code(2);
    assert!(forgotten.stderr.contains("behind --"), "{}", forgotten.stderr);
}

#[test]
fn each_program_that_cannot_be_started_is_a_failure_of_its_job() {
    let run = supervisor("--task command echo no-such-program -- {} hi").run().expect_code(1);
    assert_eq!(run.stdout, "hi\n");
    assert!(
        run.stderr.contains("cannot start no-such-program: no directory of PATH"),
        "{}",
        run.stderr
    );
}

#[test]
fn how_a_command_failed_is_told_with_its_last_words() {
    let script = "echo result; echo no butter >&2; eval \"$1\"";
    let run = shell("", &["exit 2", "kill -SEGV $$", "exit 0"], script).run().expect_code(1);
    assert_eq!(run.stdout, "result\n", "only that of the success");
    for part in [
        "worker 0 | no butter",
        "sh exited with code 2; its last words:\n  | no butter\n  arguments: exit 2",
        "sh was killed by SIGSEGV; its last words:\n  | no butter\n  arguments: kill -SEGV $$",
        " | result",
        "3 jobs: 1 succeeded, 2 failed",
    ] {
        assert!(run.stderr.contains(part), "{part} is not in {}", run.stderr);
    }
}

#[test]
fn records_tell_the_input_and_the_output() {
    let inputs = ["5", "\"x\"", "fail"];
    let run = shell("--output jsonl --retries 2", &inputs, "echo \"$1\"; [ \"$1\" != fail ]").run();
    let records = by_job(run.expect_code(1).records());
    for (record, input) in records.iter().zip(inputs) {
        assert_eq!((&record["args"], &record["task"]), (&json!(input), &json!("command")));
    }
    assert_eq!(records[0]["output"], "5\n");
    assert_eq!(records[1]["output"], "\"x\"\n");
    assert_eq!(records[2]["status"], "failed");
    assert_eq!(records[2]["attempts"], 3, "it was tried again twice");
    assert_eq!(records[2]["error"]["message"], "sh exited with code 1; its last words:\n  | fail");
}

#[test]
fn a_file_of_whole_commands_needs_no_template() {
    let jobs = "[[\"printf\", \"%s\", \"a\"]]\n{\"words\": [\"echo\", \"b\"]}\n";
    let run = supervisor("--keep-order --task command --jobs -").input(jobs).run();
    assert_eq!(run.success(), "ab\n");
}

#[test]
fn a_command_finds_no_descriptors_but_its_streams() {
    let run = shell("--threads-per-worker 4", &["x"; 20], "ls /proc/self/fd | tr '\\n' ' '").run();
    // The last one is the folder that is being listed.
    assert_eq!(run.success(), "0 1 2 3 ".repeat(20));
}

#[test]
fn a_broken_pipe_ends_a_command_as_under_a_shell() {
    assert_eq!(shell("", &["x"], "yes | head -n 1").run().success(), "y\n");
}

/// Waits until a script has written its number there.
fn pid_in(file: &Path) -> u32 {
    until("a command to tell its number", DEADLINE, || {
        fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()
    })
}

#[test]
fn a_time_out_ends_the_command_and_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = "sleep 1000 & echo $! > \"$1\"; wait";
    let program = supervisor("--timeout 1 --task command").open_input();
    let program = ["--", "sh", "-c", script, "sh", "{}"].into_iter().fold(program, Program::arg);
    let mut started = program.start();
    let mut stdin = started.child.stdin.take().unwrap();
    writeln!(stdin, "{}", file.display()).unwrap();
    let child = Watched::new(pid_in(&file));
    assert!(!child.is_dead());
    started.await_stderr("still running after 1s");
    child.await_death(DEADLINE);
    assert!(!started.has_ended(), "it was not its end that ended the child");
    drop(stdin);
    started.finish().expect_code(1);
}

#[test]
fn a_process_left_behind_holds_up_nothing_and_ends_with_the_run() {
    // It holds standard output and standard error.
    let run = shell("--workers 1", &["x", "y"], "sleep 1000 & echo \"$1\"").run();
    assert_eq!(run.success(), "x\ny\n");
}

/// A pipe with a name in the folder, and whoever reads it.
fn pipe_in(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    path
}

/// Waits until somebody reads the pipe.
fn open_for_writing(pipe: &Path) -> File {
    OpenOptions::new().write(true).open(pipe).unwrap()
}

#[test]
fn an_interrupt_lets_a_command_finish_and_a_second_one_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe_in(folder.path());
    let start = || {
        let program = supervisor("--workers 1 --grace 1000 --task command").arg(&pipe).arg("/none");
        let started = program.arg("--").arg("cat").start();
        let writer = open_for_writing(&pipe);
        started.signal(Signal::INT);
        started.await_stderr("interrupted");
        (started, writer)
    };
    let (started, mut writer) = start();
    writer.write_all(b"dinner").unwrap();
    drop(writer);
    let ended: Finished = started.finish().expect_code(130);
    assert_eq!(ended.stdout, "dinner");
    assert!(!ended.stderr.contains("/none: No such"), "nothing more was started: {}", ended.stderr);

    let (started, writer) = start();
    started.signal(Signal::INT);
    started.finish().expect_code(130);
    drop(writer);
}

#[test]
fn more_output_than_a_job_may_give_is_an_error_and_does_not_fill_the_memory() {
    let pool = builder(1).max_output(1024 * 1024).build().unwrap();
    let error = error(pool.submit(Job::json("command", "[[\"yes\"]]")));
    assert!(error.is_failed(), "{error}");
    assert!(error.to_string().contains("yes wrote more than 1048576 bytes"), "{error}");
    assert_eq!(value(pool.submit(Job::json("command", "[[\"echo\", \"hi\"]]"))), "\"hi\\n\"");
    assert_eq!(told(pool.submit(tell("the same worker goes on"))).0, 1);
}
