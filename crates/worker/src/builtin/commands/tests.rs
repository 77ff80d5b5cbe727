//! What a program gives and how it ends, without a pool.

use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::Form;

use super::*;

fn call(words: &[&str]) -> Result<Text, CommandError> {
    let context = Context::new(Ticket::from(JobId(1)));
    command::call(&context, words.iter().copied().map(Text::from).collect())
}

/// Runs a script of the shell, whose first parameter is `$1`.
fn shell(script: &str, parameter: &str) -> Result<Text, CommandError> {
    call(&["/bin/sh", "-c", script, "sh", parameter])
}

#[track_caller]
fn complaint(result: Result<Text, CommandError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn standard_output_is_the_result() {
    assert_eq!(call(&["printf", "a\\nb"]).unwrap().as_bytes(), b"a\nb");
    assert_eq!(call(&["true"]).unwrap().as_bytes(), b"");
    assert_eq!(call(&["printf", "\\377\\000"]).unwrap().as_bytes(), [0xff, 0]);
}

#[test]
fn words_reach_the_program_as_they_are() {
    for word in ["", " a  b ", "*", "$HOME", "\"x", "'", "0123", "a\nb", "-n", "\u{e4}"] {
        assert_eq!(call(&["printf", "%s", word]).unwrap().to_string_lossy(), word);
    }
    let context = Context::new(Ticket::from(JobId(1)));
    let words = vec!["printf".into(), "%s".into(), Text::from(vec![0xff, b'a'])];
    assert_eq!(command::call(&context, words).unwrap().as_bytes(), [0xff, b'a']);
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(call(&["cat"]).unwrap().as_bytes(), b"");
}

#[test]
fn a_failure_tells_its_code_and_the_last_words() {
    assert_eq!(complaint(call(&["false"])), "false exited with code 1");
    assert_eq!(
        complaint(shell("echo no butter >&2; echo result; exit 3", "")),
        "/bin/sh exited with code 3; its last words:\n  | no butter"
    );
    assert_eq!(
        complaint(shell("echo on the other stream; exit 3", "")),
        "/bin/sh exited with code 3; its last words:\n  | on the other stream"
    );
}

#[test]
fn a_signal_is_named() {
    assert_eq!(complaint(shell("kill -SEGV $$", "")), "/bin/sh was killed by SIGSEGV");
    assert_eq!(complaint(shell("kill -9 $$", "")), "/bin/sh was killed by SIGKILL");
}

#[test]
fn what_cannot_be_started_is_named_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = [
        ("no-such-program".to_owned(), "no directory of PATH has it"),
        ("/no/such/program".to_owned(), "there is no such file"),
        ("/".to_owned(), "it is a directory"),
        (file("plain", "text", 0o600), "chmod +x"),
        (file("bare", "echo hi\n", 0o700), "#!/bin/sh"),
        (file("odd", "#!/no/such/shell\n", 0o700), "interpreter"),
    ];
    for (program, advice) in cases {
        let text = complaint(call(&[&program]));
        assert!(text.starts_with(&format!("cannot start {program}: ")), "{text}");
        assert!(text.contains(advice), "{text}");
    }
    assert!(complaint(call(&["echo", &"x".repeat(200_000)])).contains("128 KiB"));
    assert!(complaint(call(&["echo", "a\0b"])).contains("NUL"));
    assert!(complaint(call(&[])).contains("no program"));
}

#[test]
fn a_process_that_is_left_behind_is_not_waited_for() {
    // It holds both streams; its number is all that is printed.
    let left = shell("sleep 1000 & echo $!", "").unwrap().to_string_lossy().trim().to_owned();
    let pid = nix::unistd::Pid::from_raw(left.parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it lives on");
}

#[test]
fn who_goes_on_writing_is_not_waited_for() {
    let script = "(trap '' PIPE; while :; do echo x || exit; done) & exit 0";
    assert!(shell(script, "").is_ok());
}

#[test]
fn too_much_output_ends_the_program() {
    let words = ["yes"].map(Text::from);
    let reason = run(&words[0], &[], 100_000).unwrap_err();
    assert!(matches!(reason, Reason::TooMuch { most: 100_000 }), "{reason:?}");
    let exact = run(&"head".into(), &["-c".into(), "1000".into(), "/dev/zero".into()], 1000);
    assert_eq!(exact.unwrap().len(), 1000);
    let more = run(&"head".into(), &["-c".into(), "1001".into(), "/dev/zero".into()], 1000);
    assert!(matches!(more, Err(Reason::TooMuch { .. })));
}

#[test]
fn a_broken_pipe_is_deadly_and_nothing_is_blocked() {
    let mask = |name: &str| {
        let status = call(&["grep", name, "/proc/self/status"]).unwrap();
        let digits = status.to_string_lossy().trim().rsplit('\t').next().unwrap().to_owned();
        u64::from_str_radix(&digits, 16).unwrap()
    };
    assert_eq!(mask("SigBlk"), 0);
    // SIGPIPE is 13. What else whoever started us ignores stays ignored, as under a shell.
    assert_eq!(mask("SigIgn") >> 12 & 1, 0);
}

#[test]
fn in_json_words_are_strings() {
    let mut output = Vec::new();
    let context = Context::new(Ticket::from(JobId(1)));
    let entry = command::TASK.entry;
    entry(&context, Form::Json, br#"[["printf", "%s", "\"x"]]"#, &mut output).unwrap();
    assert_eq!(output, br#""\"x""#);
}
