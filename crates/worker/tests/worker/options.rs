//! What a fork server and its workers can be told to be like, and what they tell of what was used.

use std::io::Read;

use brigade_protocol::message::{
    Configuration, ConfigurationError, Exit, Report, TaskErrorKind, ToWorker,
};

use crate::driver::{Said, Server};

const MILLISECOND: u64 = 1_000_000;
const MIB: u64 = 1024 * 1024;

/// Waits until the fork server is gone; its exit code and its last words.
fn end_of(server: Server) -> (Option<i32>, String) {
    let (mut child, mut stderr) = server.die();
    let mut words = String::new();
    stderr.read_to_string(&mut words).unwrap();
    (child.wait().unwrap().code(), words)
}

pub(crate) fn a_configuration_holds_for_all_workers() {
    let mut server = Server::start();
    let before = Server::start().spawn().run("niceness", "[]").unwrap().parse::<i32>().unwrap();
    let configuration = Configuration {
        nice: 3,
        initializer: Some(server.initializer("load", r#"["in the fork server"]"#)),
        worker_initializer: Some(server.initializer("load", r#"["in the worker"]"#)),
        ..Configuration::default()
    };
    assert_eq!(server.configure(configuration), Report::Configured);
    for _ in 0..2 {
        let mut worker = server.spawn();
        let loaded = worker.run("loaded", "[]").unwrap();
        assert_eq!(loaded, r#"[["in the fork server",false],["in the worker",true]]"#);
        assert_eq!(worker.run("niceness", "[]").unwrap(), (before + 3).min(19).to_string());
        let error = worker.run("panics", "[false]").unwrap_err();
        assert!(error.location.is_some() && error.backtrace.is_some(), "{error:?}");
        worker.say(&ToWorker::Stop);
        assert_eq!(server.reap(worker), (Exit::Code(0), String::new()), "nothing is printed");
    }
}

pub(crate) fn an_initializer_that_leaves_threads_is_refused() {
    let server = Server::start();
    let initializer = Some(server.initializer("thread-behind", "[2]"));
    let report = server.configure(Configuration { initializer, ..Configuration::default() });
    assert_eq!(report, Report::NotConfigured(ConfigurationError::Threads(2)));
    assert_eq!(end_of(server), (Some(70), String::new()));
}

pub(crate) fn an_initializer_that_fails_is_told() {
    for (task, arguments, kind, message) in [
        ("load", r#"[""]"#, TaskErrorKind::Failed, "nothing to load"),
        ("panics", "[false]", TaskErrorKind::Panicked, "as it was asked to"),
        ("load", "[1]", TaskErrorKind::BadArguments, "argument \"text\""),
    ] {
        let server = Server::start();
        let initializer = Some(server.initializer(task, arguments));
        let report = server.configure(Configuration { initializer, ..Configuration::default() });
        let Report::NotConfigured(ConfigurationError::Failed(error)) = report else {
            panic!("{report:?}")
        };
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(message), "{error}");
        assert_eq!(error.location.is_some(), kind == TaskErrorKind::Panicked);
        assert_eq!(end_of(server), (Some(70), String::new()));
    }
}

pub(crate) fn a_configuration_that_comes_late_ends_the_fork_server() {
    let mut server = Server::start();
    let _worker = server.spawn();
    server.request(Configuration::default());
    let (code, words) = end_of(server);
    assert_eq!(code, Some(70));
    assert!(words.contains("a second configuration, or a late one, came"), "{words}");

    let server = Server::start();
    assert_eq!(server.configure(Configuration::default()), Report::Configured);
    server.request(Configuration::default());
    assert_eq!(end_of(server).0, Some(70));
}

pub(crate) fn a_worker_whose_initializer_fails_says_so_and_is_never_ready() {
    for (task, arguments, words) in [
        ("load", r#"[""]"#, "its initializer load failed: nothing to load"),
        ("panics", "[false]", ": as it was asked to"),
    ] {
        let mut server = Server::start();
        let worker_initializer = Some(server.initializer(task, arguments));
        let configuration = Configuration { worker_initializer, ..Configuration::default() };
        assert_eq!(server.configure(configuration), Report::Configured);
        let mut worker = server.fork(1, 1000);
        let said = worker.last_words();
        assert!(worker.ends.replies.try_recv().is_err(), "it never was ready");
        assert_eq!(server.request_reap(worker.id), Exit::Code(70));
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
}

pub(crate) fn a_worker_that_has_grown_says_so_once_and_before_its_reply() {
    let mut server = Server::start();
    let max_rss = Some(100 * MIB);
    let configuration = Configuration { max_rss, ..Configuration::default() };
    assert_eq!(server.configure(configuration), Report::Configured);
    let mut worker = server.spawn();
    worker.send("eat", &["[1000]"]);
    assert!(matches!(worker.hear(), Said::Replies(_)), "it is small");
    // Longer than the pause between two looks.
    let _ = worker.run("burn", "[20, true]");
    worker.send("eat", &["[200000000]"]);
    assert_eq!(worker.hear(), Said::Grown);
    assert!(matches!(worker.hear(), Said::Replies(_)));
    worker.send("burn", &["[20, true]"]);
    assert!(matches!(worker.hear(), Said::Replies(_)), "once is enough");
}

pub(crate) fn without_a_bound_no_worker_says_that_it_has_grown() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    worker.send("eat", &["[200000000]"]);
    assert!(matches!(worker.hear(), Said::Replies(_)));
}

pub(crate) fn what_a_failed_attempt_used_is_told() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let burnt = worker.run("burn", "[50, false]").unwrap_err().usage.unwrap();
    assert!((49 * MILLISECOND..500 * MILLISECOND).contains(&burnt.cpu), "{burnt:?}");
    assert!((MIB..100 * MIB).contains(&burnt.peak_memory), "{burnt:?}");
    worker.run("eat", "[200000000]").unwrap();
    worker.run("burn", "[100, true]").unwrap();
    let idle = worker.run("doze", "[200]").unwrap_err().usage.unwrap();
    assert!(idle.cpu < 50 * MILLISECOND, "what was burnt before is taken off: {idle:?}");
    assert!(idle.peak_memory > 190 * MIB, "{idle:?}");
    let panicked = worker.run("panics", "[false]").unwrap_err();
    assert!(panicked.usage.is_some());
}

pub(crate) fn what_a_dead_worker_used_is_told() {
    let mut server = Server::start();
    let mut worker = server.spawn();
    let _ = worker.run("burn", "[50, false]");
    worker.run("eat", "[200000000]").unwrap();
    worker.send("exit", &["[7]"]);
    let (exit, _, usage) = server.reap_with_usage(worker);
    let usage = usage.unwrap();
    assert_eq!(exit, Exit::Code(7));
    assert!(usage.cpu >= 49 * MILLISECOND, "{usage:?}");
    assert!(usage.peak_memory > 190 * MIB, "{usage:?}");
}
