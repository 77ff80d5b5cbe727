//! What a pool can be told to be like: surroundings, niceness, initializers. The replacement of workers
//! is in [`recycling`](super::recycling).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use brigade_protocol::message::Exit;
use brigade_supervisor::{
    Builder, InitializerError, Job, ProcessPool, RestartIntensity, StartError,
};
use brigade_tests::gate::Gate;
use brigade_tests::process;
use brigade_tests::program::Program;
use brigade_tests::{DEADLINE, json};
use nix::libc;
use rustix::process::Signal;

use crate::FAULTY;
use crate::pools::{assert_staffed, builder, error, fork_server, pool, tell, value};

const HOST: &str = env!("CARGO_BIN_EXE_host");

/// As is promised of what dies with its supervisor.
const PROMISE: Duration = Duration::from_secs(1);

/// Where a worker is, how nice, and what these variables are there.
fn surroundings(pool: &ProcessPool, names: &[&str]) -> (PathBuf, i32, Vec<Option<String>>) {
    let found = value(pool.submit(Job::json("surroundings", format!("[{}]", json(names)))));
    serde_json::from_str(&found).unwrap()
}

fn loaded(pool: &ProcessPool) -> String {
    value(pool.submit(Job::json("loaded", "[]")))
}

fn refused(builder: Builder) -> StartError {
    builder.build().expect_err("it should not start")
}

/// What is wrong with the initializer of a pool that does not start.
#[track_caller]
fn refused_initializer(builder: Builder) -> (String, InitializerError) {
    let begun = Instant::now();
    let error = refused(builder);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {error}", begun.elapsed());
    match error {
        StartError::Initializer { task, source } => (task, source),
        other => panic!("{other}"),
    }
}

#[test]
fn workers_have_the_environment_that_was_asked_for() {
    let names = ["OPTIONS_A", "OPTIONS_B", "PATH", "BRIGADE_WORKER", "BRIGADE_FORK_SERVER"];
    let some = |text: &str| Some(text.to_owned());
    let pool = builder(1).env("OPTIONS_A", "1").env("OPTIONS_B", "2").env_remove("OPTIONS_A");
    let (_, _, found) = surroundings(&pool.build().unwrap(), &names);
    assert_eq!(found, [None, some("2"), std::env::var("PATH").ok(), some("0"), None]);

    let cleared = builder(1).env("OPTIONS_A", "1").env_clear().env("OPTIONS_B", "a=b \u{e4}");
    // Who sets Brigade's own variables harms nobody.
    let cleared = cleared.env("BRIGADE_FORK_SERVER", "/nowhere").env_remove("BRIGADE_NOFILE");
    let cleared = cleared.build().unwrap();
    let expected = [None, some("a=b \u{e4}"), None];
    assert_eq!(surroundings(&cleared, &names).2[..3], expected);
    process::kill(fork_server(&cleared));
    assert_eq!(surroundings(&cleared, &names).2[..3], expected, "a new fork server has it too");
}

#[test]
fn a_variable_that_cannot_be_one_is_named() {
    for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0")] {
        let error = refused(builder(1).env(name, value));
        assert!(matches!(&error, StartError::Variable { name: named } if named == name), "{error}");
    }
    assert!(matches!(refused(builder(1).env_remove("")), StartError::Variable { .. }));
}

#[test]
fn workers_run_in_the_directory_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let pool = builder(1).current_dir(&path).build().unwrap();
    assert_eq!(surroundings(&pool, &[]).0, path);
    process::kill(fork_server(&pool));
    assert_eq!(surroundings(&pool, &[]).0, path);

    // A relative path of the program begins where this process is.
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let program = up.join(FAULTY.strip_prefix('/').unwrap());
    assert!(program.is_relative() && program.exists(), "{}", program.display());
    // So deep that as many steps up from there lead elsewhere.
    let deep = path.join(vec!["deep"; here.components().count()].join("/"));
    std::fs::create_dir_all(&deep).unwrap();
    let pool = builder(1).program(&program).current_dir(&deep).build().unwrap();
    assert_eq!(surroundings(&pool, &[]).0, deep);
}

#[test]
fn a_directory_that_cannot_be_entered_is_named() {
    for directory in [Path::new("/no/such/directory"), Path::new(FAULTY)] {
        let error = refused(builder(1).current_dir(directory));
        assert!(matches!(error, StartError::Directory { .. }), "{error}");
        assert!(error.to_string().contains(directory.to_str().unwrap()), "{error}");
    }
}

#[test]
fn who_runs_jobs_takes_the_processor_from_nobody_unless_it_was_told_otherwise() {
    let policies = |pool: &ProcessPool| {
        let found = value(pool.submit(Job::json("policies", "[]")));
        let mut found: Vec<i32> = serde_json::from_str(&found).unwrap();
        found.sort_unstable();
        found
    };
    let (other, batch, idle) = (libc::SCHED_OTHER, libc::SCHED_BATCH, libc::SCHED_IDLE);
    let found = policies(&builder(1).threads_per_worker(2).build().unwrap());
    assert_eq!(found, [other, batch, batch], "the timekeeper runs no jobs");
    let of_idle_pool = thread::spawn(move || {
        process::become_idle();
        policies(&pool(1))
    });
    assert_eq!(of_idle_pool.join().unwrap(), [idle, idle]);
}

#[test]
fn workers_are_as_nice_as_they_were_told() {
    let base = surroundings(&pool(1), &[]).1;
    let nicer = builder(2).nice(4).build().unwrap();
    assert_eq!(surroundings(&nicer, &[]).1, (base + 4).min(19));
    process::kill(fork_server(&nicer));
    assert_eq!(surroundings(&nicer, &[]).1, (base + 4).min(19));
    assert_eq!(surroundings(&builder(1).nice(19).build().unwrap(), &[]).1, 19);
    for increment in [-1, 20, i32::MAX, i32::MIN] {
        let error = refused(builder(1).nice(increment));
        assert!(
            matches!(error, StartError::Niceness { increment: i } if i == increment),
            "{error}"
        );
    }
}

#[test]
fn what_the_initializer_loads_is_in_every_worker() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let initializer: Job<String> = Job::json("log", format!("[{}, 5, 0]", json(&log)));
    let pool = builder(2).initializer(initializer).build().unwrap();
    let workers = assert_staffed(&pool, 2);
    let starts = || std::fs::read_to_string(&log).unwrap();
    let server = process::parent(*workers.iter().next().unwrap()).unwrap();
    assert_eq!(starts(), format!("5 1 {server}\n"), "once, in the fork server");
    process::kill(server);
    assert_staffed(&pool, 2);
    assert_eq!(starts().lines().count(), 2, "once more in the new fork server");
    drop(pool);

    let pool = builder(2).initializer(Job::json("load", r#"["one"]"#).label("its name"));
    let pool = pool.worker_initializer(Job::json("load", r#"["each"]"#)).build().unwrap();
    assert_eq!(loaded(&pool), r#"[["one",false],["each",true]]"#);
    process::kill(fork_server(&pool));
    assert_eq!(loaded(&pool), r#"[["one",false],["each",true]]"#);
}

#[test]
fn an_initializer_that_leaves_threads_is_refused() {
    let (task, error) =
        refused_initializer(builder(2).initializer(Job::json("thread-behind", "3")));
    assert_eq!(task, "thread-behind");
    assert!(matches!(error, InitializerError::LeftThreads(3)), "{error}");
    let text = refused(builder(2).initializer(Job::json("thread-behind", "3"))).to_string();
    assert!(text.starts_with("initializer thread-behind: left 3 threads running"), "{text}");
    // In a worker that is no fault.
    let pool = builder(1).worker_initializer(Job::json("thread-behind", "3")).build().unwrap();
    assert_staffed(&pool, 1);
}

#[test]
fn an_initializer_that_ends_badly_is_told_as_it_was() {
    let initializer = |task: &'static str, arguments: &str| {
        refused_initializer(builder(1).initializer(Job::json(task, arguments))).1
    };
    match initializer("fail", r#"["no such table"]"#) {
        InitializerError::Failed(error) => assert_eq!(error.message, "no such table"),
        other => panic!("{other}"),
    }
    let panicked = initializer("panic", r#"["plain"]"#).to_string();
    assert!(
        panicked.starts_with("panicked at ") && panicked.contains("as it was asked"),
        "{panicked}"
    );
    match initializer("say", r#"[["the larder is empty"], "exit"]"#) {
        InitializerError::Died { exit: Exit::Code(7), last_words } => {
            assert_eq!(last_words, ["the larder is empty"]);
        }
        other => panic!("{other}"),
    }
    match initializer("segfault", "[]") {
        InitializerError::Died { exit: Exit::Signal(11), .. } => {}
        other => panic!("{other}"),
    }
    match initializer("tidy-up", "[]") {
        InitializerError::NotOffered { offered } => assert!(offered.contains("load"), "{offered}"),
        other => panic!("{other}"),
    }
    let both = || Job::json("load", json(&"x".repeat(30_000)));
    let (_, long) = refused_initializer(builder(1).initializer(both()).worker_initializer(both()));
    assert!(matches!(long, InitializerError::TooLong { length: 60_004, .. }), "{long}");
    let typed: Job<()> = Job::call("load", ("typed",));
    let (_, other_build) = refused_initializer(builder(1).worker_initializer(typed));
    assert!(matches!(other_build, InitializerError::OtherBuild { .. }), "{other_build}");
}

#[test]
fn an_initializer_has_its_time_and_no_more() {
    let gate = Gate::open();
    let patience = Duration::from_millis(400);
    let hang = Job::json("hang", format!("[{}]", gate.json()));
    let (_, error) = refused_initializer(builder(1).start_timeout(patience).initializer(hang));
    assert!(
        matches!(error, InitializerError::TooSlow { patience: p, .. } if p == patience),
        "{error}"
    );
    gate.wait().await_end(PROMISE);
}

#[test]
fn what_an_initializer_started_goes_with_it() {
    let gate = Gate::open();
    let leave = format!(r#"[{}, "child", "exit"]"#, gate.json());
    let builder = builder(1).initializer(Job::json("leave", leave));
    thread::scope(|scope| {
        let refused = scope.spawn(|| refused_initializer(builder).1);
        let mut visitor = gate.wait();
        visitor.nod();
        let error = refused.join().unwrap();
        assert!(matches!(error, InitializerError::Died { exit: Exit::Code(7), .. }), "{error}");
        visitor.await_end(PROMISE);
    });
}

#[test]
fn an_initializer_may_print_more_than_a_pipe_holds_and_reads_nothing() {
    let lines = Arc::new(Mutex::new(0));
    let count = Arc::clone(&lines);
    let pool = builder(1)
        .on_output(move |line| *count.lock().unwrap() += usize::from(line.worker.is_none()))
        .initializer(Job::json("flood", "[1000000]"));
    assert_staffed(&pool.build().unwrap(), 1);
    assert_eq!(*lines.lock().unwrap(), 10_000);
    let pool = builder(1).initializer(Job::json("flood", "[20000000]"));
    assert_staffed(&pool.build().unwrap(), 1);
    let pool = builder(1).initializer(Job::json("read-all", "[]"));
    assert_staffed(&pool.build().unwrap(), 1);
}

#[test]
fn what_an_initializer_muttered_is_not_said_again_by_each_worker() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&lines);
    let pool = builder(2)
        .on_output(move |line| {
            let text = String::from_utf8_lossy(line.text).into_owned();
            record.lock().unwrap().push((line.worker.is_some(), text));
        })
        .initializer(Job::json("mutter", r#"["half a line"]"#))
        .build()
        .unwrap();
    assert_staffed(&pool, 2);
    drop(pool);
    assert_eq!(*lines.lock().unwrap(), [(false, "half a line".to_owned())]);
}

#[test]
fn two_panics_at_once_are_both_told_after_an_initializer_too() {
    let load = || Job::json("load", r#"["x"]"#);
    let mut printed = Vec::new();
    for pool in [builder(1), builder(1).initializer(load()).worker_initializer(load())] {
        let words = Arc::new(Mutex::new(String::new()));
        let record = Arc::clone(&words);
        let pool = pool.on_output(move |line| {
            record.lock().unwrap().push_str(&String::from_utf8_lossy(line.text));
        });
        let pool = pool.build().unwrap();
        let crashed = error(pool.submit(Job::json("panic-twice", "[]").crash_retries(0)));
        assert_eq!(crashed.exit(), Some(Exit::Signal(6)));
        let words = words.lock().unwrap();
        assert!(words.contains("the first time") && words.contains("the second time"), "{words}");
        printed.push(words.matches("panicked at").count());
    }
    assert_eq!(printed[0], printed[1], "none is lost between two hooks");
}

#[test]
fn an_initializer_dies_with_its_supervisor() {
    let gate = Gate::open();
    let mut started = Program::new(HOST, "initializing").arg(gate.path()).start();
    let mut visitor = gate.wait();
    assert_eq!((visitor.job, visitor.attempt), (0, 1));
    assert_eq!(process::parent(visitor.pid), Some(started.pid()), "it is the fork server");
    started.signal(Signal::KILL);
    visitor.await_end(PROMISE);
    started.child.wait().unwrap();
}

#[test]
fn after_its_initializer_a_fork_server_sweeps_as_ever() {
    let gate = Gate::open();
    let mut started = Program::new(HOST, "initialized").arg(gate.path()).start();
    let mut visitor = gate.wait();
    visitor.nod();
    process::until("what the task leaves behind", DEADLINE, || {
        (started.alive().len() == 2 + 1 + 1).then_some(())
    });
    started.signal(Signal::KILL);
    // What is in a session of its own is killed by the fork server, or by nobody.
    visitor.await_end(PROMISE);
    started.child.wait().unwrap();
}

#[test]
fn a_pool_whose_initializer_fails_later_gives_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table");
    std::fs::write(&file, "").unwrap();
    let needs = || Job::json("need", format!("[{}]", json(&file)));
    let pool = builder(1).initializer(needs()).build().unwrap();
    let server = fork_server(&pool);
    std::fs::remove_file(&file).unwrap();
    process::kill(server);
    let error = error(pool.submit(tell("never told")));
    assert!(error.is_pool_gave_up(), "{error}");
    assert!(error.to_string().contains("initializer need: failed: "), "{error}");
}

#[test]
fn a_pool_whose_workers_cannot_be_initialized_gives_up_with_their_last_words() {
    let intensity = RestartIntensity { max: 2, within: DEADLINE };
    let needs = Job::json("need", r#"["/no/such/table"]"#);
    let pool = builder(1).restart_intensity(intensity).worker_initializer(needs).build().unwrap();
    let error = error(pool.submit(tell("never told")));
    assert!(error.is_pool_gave_up(), "{error}");
    for words in [
        "3 workers died within",
        "exited with code 70",
        "its initializer need failed: /no/such/table: No such file or directory",
    ] {
        assert!(error.to_string().contains(words), "{words:?} is not in {error}");
    }
}
