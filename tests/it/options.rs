//! What a pool can be told to be like: surroundings, niceness, initializers, the replacement of workers;
//! and what failed attempts used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brigade_protocol::message::Exit;
use brigade_supervisor::{
    Builder, Failure, Future, InitializerError, Job, JobError, Prefetch, ProcessPool,
    RestartIntensity, Shutdown, StartError,
};
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process;
use brigade_tests::program::Program;
use brigade_tests::{DEADLINE, json};
use rustix::process::Signal;

use crate::FAULTY;
use crate::pools::{
    assert_staffed, builder, error, fork_server, hold, outcome, pool, tell, told, value,
};

const HOST: &str = env!("CARGO_BIN_EXE_host");

/// As is promised of what dies with its supervisor.
const PROMISE: Duration = Duration::from_secs(1);

const MIB: u64 = 1024 * 1024;

/// No death may go uncounted for.
const NO_DEATH: RestartIntensity = RestartIntensity { max: 0, within: DEADLINE };

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
    std::thread::scope(|scope| {
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

/// How many jobs each process ran.
fn count(jobs: Vec<Future<String>>) -> HashMap<u32, usize> {
    let mut counts = HashMap::new();
    for job in jobs {
        let (attempt, pid, _) = told(job);
        assert_eq!(attempt, 1, "nobody is charged with a death");
        *counts.entry(pid).or_default() += 1;
    }
    counts
}

#[test]
fn a_worker_runs_no_more_jobs_than_it_may() {
    for (workers, threads, prefetch, most) in [
        (1, 1, Prefetch::Auto, 1),
        (2, 1, Prefetch::AtMost(0), 3),
        (2, 1, Prefetch::Auto, 50),
        (2, 4, Prefetch::AtMost(7), 5),
        (1, 3, Prefetch::Auto, 100),
    ] {
        let pool = builder(workers).threads_per_worker(threads).prefetch(prefetch);
        let pool = pool.restart_intensity(NO_DEATH).max_jobs_per_worker(most).build().unwrap();
        let total = usize::try_from(most).unwrap() * 6;
        let jobs = (0..total).map(|n| pool.submit(tell(&n.to_string()))).collect();
        let counts = count(jobs);
        assert!(counts.values().all(|count| *count as u64 <= most), "{counts:?}");
        assert!(counts.len() >= 6, "{counts:?}");
        assert_eq!(pool.gave_up(), None);
    }
}

#[test]
fn a_worker_that_is_replaced_has_finished_what_it_ran() {
    let gate = Gate::open();
    let pool = builder(1).threads_per_worker(2).max_jobs_per_worker(2).build().unwrap();
    let slow = pool.submit(hold(&gate));
    let visitor = gate.wait();
    let (_, first, _) = told(pool.submit(tell("beside it")));
    let next = pool.submit(tell("elsewhere"));
    assert_eq!(visitor.pid, first);
    assert!(!next.done(), "its worker has had two, and one of them runs");
    visitor.release();
    assert_eq!(told(slow), (1, first, "released".to_owned()));
    assert_ne!(told(next).1, first);
}

#[test]
fn retries_and_drains_go_on_while_workers_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let pool = builder(2).max_jobs_per_worker(1).restart_intensity(NO_DEATH).build().unwrap();
    let jobs: Vec<Future<String>> = (0..5)
        .map(|n| {
            let counter = json(&directory.path().join(n.to_string()));
            let job = Job::json("fail-until", format!("[{counter}, 3, \"error\"]"));
            pool.submit(job.retries(2))
        })
        .collect();
    let told: Vec<_> = (0..5).map(|_| pool.submit(tell("beside"))).collect();
    drop(pool); // which drains it
    for job in jobs {
        assert_eq!(value(job), "3");
    }
    assert_eq!(count(told).len(), 5);
}

#[test]
fn a_pool_ends_in_every_way_while_workers_are_replaced() {
    let ways = [Shutdown::Drain, Shutdown::Stop { grace: Duration::from_secs(1) }, Shutdown::Abort];
    for (round, how) in ways.into_iter().cycle().take(15).enumerate() {
        let pool = builder(2).max_jobs_per_worker(1).build().unwrap();
        let jobs: Vec<_> = (0..10).map(|n| pool.submit(tell(&n.to_string()))).collect();
        // At some moment of it.
        for job in &jobs[..round % 7] {
            while !job.done() {
                std::thread::yield_now();
            }
        }
        let begun = Instant::now();
        pool.shutdown(how);
        assert!(begun.elapsed() < DEADLINE, "{how:?}: {:?}", begun.elapsed());
        for job in jobs {
            let settled = outcome(job);
            let cancelled = settled.as_ref().is_err_and(JobError::is_cancelled);
            assert!(settled.is_ok() || (cancelled && how != Shutdown::Drain), "{settled:?}");
        }
    }
}

#[test]
fn a_worker_that_has_grown_is_replaced() {
    let limit = 150 * MIB;
    let pool = builder(1).max_rss_per_worker(limit).restart_intensity(NO_DEATH).build().unwrap();
    let eat = |bytes: u64| -> u32 {
        value(pool.submit(Job::json("eat", format!("[{bytes}, \"\"]")))).parse().unwrap()
    };
    let small = eat(MIB);
    assert_eq!(eat(MIB), small, "a small one stays");
    let grown = eat(200 * MIB);
    assert_eq!(grown, small);
    assert_ne!(eat(MIB), grown);
    assert_eq!(pool.gave_up(), None);

    // What waits there goes elsewhere, and nothing is lost.
    let pool = builder(2).prefetch(Prefetch::AtMost(8)).max_rss_per_worker(limit);
    let pool = pool.restart_intensity(NO_DEATH).build().unwrap();
    let jobs: Vec<_> = (0..40)
        .map(|n| {
            let bytes = if n % 10 == 0 { 200 * MIB } else { 1 };
            pool.submit(Job::json("eat", format!("[{bytes}, \"\"]")))
        })
        .collect();
    let pids: Vec<String> = jobs.into_iter().map(value).collect();
    assert_ne!(pids[0], pids[39]);
}

#[test]
fn who_says_that_it_has_grown_more_often_than_it_may_is_killed() {
    let claim = |times: u32| Job::json("claim-growth", times.to_string());
    for (pool, times) in [(builder(1), 1), (builder(1).max_rss_per_worker(1 << 40), 2)] {
        let pool = pool.build().unwrap();
        let error = error(pool.submit(claim(times).crash_retries(0)));
        assert!(error.is_crashed(), "{error}");
        assert!(error.to_string().contains("broke the protocol"), "{error}");
    }
}

#[test]
fn numbers_of_replacement_are_not_zero() {
    for builder in [builder(1).max_jobs_per_worker(0), builder(1).max_rss_per_worker(0)] {
        let error = refused(builder);
        assert!(matches!(error, StartError::OutOfRange { value: 0, .. }), "{error}");
    }
}

#[test]
fn an_error_says_what_its_attempt_used() {
    let pool = pool(1);
    let burn = |milliseconds: u32, then: &str| {
        pool.submit(Job::json("burn", format!("[{milliseconds}, \"{then}\"]")))
    };
    let burnt = error(burn(60, "fail"));
    let (cpu, peak) = (burnt.cpu_time().unwrap(), burnt.peak_memory().unwrap());
    assert!(cpu >= Duration::from_millis(59) && cpu <= burnt.elapsed().unwrap(), "{cpu:?}");
    assert!((MIB..150 * MIB).contains(&peak), "{peak}");
    value(burn(60, "return"));
    let idle = error(burn(0, "fail"));
    assert!(idle.cpu_time().unwrap() < Duration::from_millis(30), "{:?}", idle.cpu_time());

    let eaten = error(pool.submit(Job::json("eat", "[200000000, \"exit\"]")));
    assert!(matches!(eaten.failure(), Failure::Quarantined(_)), "{eaten}");
    assert!(eaten.peak_memory().unwrap() > 190 * MIB, "{:?}", eaten.peak_memory());

    let overrun = Job::json("burn", "[60, \"hang\"]").timeout(Duration::from_secs(1));
    let overrun = error(pool.submit(overrun));
    assert!(overrun.is_timed_out(), "{overrun}");
    assert!(overrun.cpu_time().unwrap() >= Duration::from_millis(59), "{:?}", overrun.cpu_time());

    let refused = error(pool.submit(Job::json("no-such-task", "[]")));
    assert_eq!((refused.cpu_time(), refused.peak_memory()), (None, None));
}

#[test]
fn what_nobody_measured_is_not_told() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(hold(&gate).crash_retries(0));
    let visitor: Visitor = gate.wait();
    process::kill(process::parent(visitor.pid).unwrap());
    let lost = error(job);
    assert!(lost.is_crashed(), "{lost}");
    assert_eq!((lost.cpu_time(), lost.peak_memory()), (None, None));
}
