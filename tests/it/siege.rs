//! What attacks have found: each of these once broke a promise.

use std::time::Duration;

use brigade_supervisor::{Job, JobError, Limits};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::{self, Watched, until};
use rustix::process::Signal;

use crate::pools::{
    assert_staffed, builder, error, fork_server, occupy, outcome, pool, tell, told, value,
};
use crate::program::supervisor;

/// Prints nothing, and returns or exits.
fn say(then: &str) -> Job<String> {
    Job::json("say", format!("[[], \"{then}\"]"))
}

#[test]
fn short_jobs_that_share_frames_with_killers_are_not_charged() {
    for crash_retries in [0, 1] {
        let pool = builder(2).crash_retries(crash_retries).build().unwrap();
        let kills = |n: usize| n % 50 == 49;
        let jobs: Vec<_> =
            (0..3000).map(|n| pool.submit(say(if kills(n) { "exit" } else { "return" }))).collect();
        let ends: Vec<_> = jobs.into_iter().map(outcome).collect();
        for (n, end) in ends.iter().enumerate() {
            assert_eq!(end.as_ref().is_err_and(JobError::is_crashed), kills(n), "job {n}: {end:?}");
        }
    }
    assert_eq!(Limits::default().crash_retries, 2, "two more would only take longer");
}

#[test]
fn a_stopped_fork_server_is_replaced_when_it_is_needed() {
    let pool = pool(1);
    let server = fork_server(&pool);
    let gate = Gate::open();
    let (jobs, visitors) = occupy(&pool, &gate, 1);
    process::send(server, Signal::STOP);
    until("the fork server's stop", DEADLINE, || {
        (process::state(server) == Some('T')).then_some(())
    });
    process::kill(visitors[0].pid);
    drop(visitors);
    // Its death can be witnessed by nobody; the next fork server's worker runs the job again.
    let again = gate.wait();
    assert_eq!(again.attempt, 2);
    again.release();
    for job in jobs {
        value(job);
    }
    assert_ne!(fork_server(&pool), server);
}

#[test]
fn a_stopped_fork_server_ends_when_its_supervisor_is_killed() {
    let gate = Gate::open();
    let input = format!("[{}]\n", gate.json());
    let started = supervisor("--workers 1 --quiet --task hang --jobs -").input(input).start();
    let mut visitor = gate.wait();
    visitor.nod();
    let [server] = process::children(started.pid())[..] else { panic!("one child") };
    process::send(server, Signal::STOP);
    until("the fork server's stop", DEADLINE, || {
        (process::state(server) == Some('T')).then_some(())
    });
    started.signal(Signal::KILL);
    visitor.await_end(Duration::from_secs(1));
    Watched::new(server).await_death(DEADLINE);
}

#[test]
fn all_idle_workers_may_be_killed_at_once() {
    let pool = pool(16);
    for _ in 0..2 {
        let workers = assert_staffed(&pool, 16);
        workers.into_iter().for_each(process::kill);
    }
    assert_staffed(&pool, 16);
    assert_eq!(pool.gave_up(), None);
}

#[test]
fn a_handler_of_output_that_panics_is_not_called_again() {
    let pool = builder(1).on_output(|_| panic!("the handler's own fault")).build().unwrap();
    let printed = pool.submit(Job::json("say", "[[\"one\", \"two\"], \"return\"]"));
    value(printed);
    // Deaths are still seen.
    assert!(error(pool.submit(say("exit"))).is_crashed());
    assert_eq!(told(pool.submit(tell("well"))).0, 1);
}

#[test]
fn a_worker_that_starts_while_the_pool_is_paused_is_stopped_too() {
    let pool = pool(2);
    let control = pool.control();
    let gate = Gate::open();
    let (jobs, mut visitors) = occupy(&pool, &gate, 2);
    control.pause();
    let killed = visitors.remove(0).pid;
    process::kill(killed);
    let survivor = visitors[0].pid;
    let newcomer = until("a new worker", DEADLINE, || {
        let lanes = control.snapshot()?.lanes;
        let pids = lanes.iter().filter_map(|lane| Some(lane.worker?.pid));
        pids.into_iter().find(|pid| *pid != survivor && *pid != killed)
    });
    until("its stop", DEADLINE, || (process::state(newcomer) == Some('T')).then_some(()));
    control.resume();
    visitors.into_iter().for_each(Visitor::release);
    gate.wait().release();
    for job in jobs {
        value(job);
    }
}

#[test]
fn an_endless_patience_is_no_panic() {
    let pool = builder(1).start_timeout(Duration::MAX).build().unwrap();
    assert_eq!(told(pool.submit(tell("well").timeout(Duration::MAX))).0, 1);
}

#[test]
fn a_directory_in_which_no_socket_can_be_made_is_told() {
    let refused = supervisor("--task double 1").env("TMPDIR", "/proc").run().expect_code(3);
    assert!(
        refused.stderr.contains("set TMPDIR to a short, writable directory"),
        "{}",
        refused.stderr
    );
}

/// What no honest worker says about other jobs costs its worker, and nobody else anything.
#[test]
fn a_worker_that_meddles_with_jobs_is_killed() {
    for what in [
        "submit for another job",
        "submit for another attempt",
        "submit an outsider",
        "submit a job of another worker",
        "submit twice",
        "submit parts that never came",
        "submit a long label",
        "submit many handles",
        "submit many shares",
        "reserve twice",
        "reserve for another job",
        "abandon an outsider",
        "wait for nothing",
        "wait for too many",
        "wait for another job",
        "wait twice",
        "ask and ask",
    ] {
        let (pool, gate) = (pool(2), Gate::open());
        // So no worker is left that could run what is submitted.
        let (neighbours, visitors) = occupy(&pool, &gate, 1);
        let job: Job<String> = Job::json("meddle", format!("[\"{what}\"]"));
        let error = error(pool.submit(job.crash_retries(0)));
        assert!(error.is_crashed(), "{what}: {error}");
        let cause = "broke the protocol, so the supervisor killed it";
        assert!(error.to_string().contains(cause), "{what}: {error}");
        assert_eq!(told(pool.submit(tell("well"))).0, 1, "{what}");
        visitors.into_iter().for_each(Visitor::release);
        for job in neighbours {
            assert_eq!(told(job).0, 1, "{what}");
        }
    }
}

#[test]
fn what_is_odd_but_allowed_does_no_harm() {
    for what in [
        "submit an unknown task",
        "submit at the limits",
        "cancel a seat and use it",
        "abandon a seat and use it",
        "abandon what is no seat",
        "cancel anything",
        "stop waiting for nothing",
    ] {
        let pool = pool(1);
        // Often: what happens depends on what the supervisor hears in one go.
        for _ in 0..20 {
            let job: Job<String> = Job::json("mumble", format!("[\"{what}\"]"));
            assert_eq!(value(pool.submit(job.crash_retries(0))), "null", "{what}");
            assert_eq!(told(pool.submit(tell("well"))).0, 1, "{what}");
        }
        assert_eq!(pool.gave_up(), None, "{what}");
    }
}
