//! Deaths that no task asked for: workers and fork servers that are killed from outside.

use std::time::Duration;

use brigade_protocol::message::Exit;
use brigade_supervisor::{Failure, Job, Prefetch, RestartIntensity};
use brigade_tests::DEADLINE;
use brigade_tests::gate::{Gate, Visitor};
use brigade_tests::process::{self, Watched, until};
use rustix::process::Signal;

use crate::pools::{
    assert_staffed, builder, error, fork_server, hold, occupy, pool, tell, told, value,
};

#[test]
fn a_job_whose_worker_is_killed_runs_again_in_another() {
    let (pool, gate) = (pool(2), Gate::open());
    let job = pool.submit(hold(&gate));
    let mut first = gate.wait();
    let watched = Watched::new(first.pid);
    process::send(first.pid, Signal::KILL);
    let second = gate.wait();
    assert!(watched.is_dead(), "no two attempts of a job are alive at once");
    first.await_end(Duration::ZERO);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(first.job, second.job);
    assert_ne!(first.pid, second.pid);
    let pid = second.pid;
    second.release();
    assert_eq!(told(job), (2, pid, "released".to_owned()));
}

#[test]
fn only_the_running_job_is_charged() {
    let pool = builder(1).prefetch(Prefetch::AtMost(8)).build().unwrap();
    let gate = Gate::open();
    let running = pool.submit(hold(&gate));
    let first = gate.wait();
    // With at-most-once a job that was charged would not run any more.
    let waiting: Vec<_> =
        (0..20).map(|n| pool.submit(tell(&n.to_string()).crash_retries(0))).collect();
    process::kill(first.pid);
    gate.wait().release();
    assert_eq!(told(running).0, 2);
    for (n, job) in waiting.into_iter().enumerate() {
        let (attempt, _, value) = told(job);
        assert_eq!((attempt, value), (1, n.to_string()));
    }
}

#[test]
fn an_idle_worker_that_is_killed_is_replaced() {
    let pool = pool(3);
    let before = assert_staffed(&pool, 3);
    let victim = *before.iter().next().unwrap();
    process::kill(victim);
    let after = assert_staffed(&pool, 3);
    assert!(!after.contains(&victim));
    assert_eq!(before.intersection(&after).count(), 2, "the others stay");
}

#[test]
fn all_workers_killed_at_once_are_replaced() {
    let (pool, gate) = (pool(4), Gate::open());
    let (jobs, visitors) = occupy(&pool, &gate, 4);
    for visitor in &visitors {
        process::send(visitor.pid, Signal::KILL);
    }
    for visitor in gate.wait_for_all(4) {
        assert_eq!(visitor.attempt, 2);
        assert!(visitors.iter().all(|dead| dead.pid != visitor.pid));
        visitor.release();
    }
    for job in jobs {
        assert_eq!(told(job).0, 2);
    }
    assert_staffed(&pool, 4);
}

#[test]
fn the_fork_server_is_replaced_and_nobody_is_charged() {
    let (pool, gate) = (builder(3).prefetch(Prefetch::AtMost(0)).build().unwrap(), Gate::open());
    let jobs: Vec<_> = (0..3).map(|_| pool.submit(hold(&gate).crash_retries(1))).collect();
    let queued = pool.submit(tell("queued"));
    let mut servers = Vec::new();
    let mut visitors = gate.wait_for_all(3);
    for kill in 1..=3 {
        let server = process::parent(visitors[0].pid).unwrap();
        process::kill(server);
        for mut visitor in visitors {
            visitor.await_end(Duration::from_secs(1));
        }
        visitors = gate.wait_for_all(3);
        assert!(visitors.iter().all(|visitor| visitor.attempt == kill + 1));
        servers.push(server);
    }
    servers.push(process::parent(visitors[0].pid).unwrap());
    visitors.into_iter().for_each(Visitor::release);
    for job in jobs {
        assert_eq!(told(job).0, 4);
    }
    assert_eq!(told(queued).0, 1);
    servers.sort_unstable();
    servers.dedup();
    assert_eq!(servers.len(), 4, "each time there is another fork server");
}

#[test]
fn a_job_that_takes_down_three_workers_is_quarantined() {
    let pool = pool(2);
    let good: Vec<_> = (0..20).map(|_| pool.submit(tell("good"))).collect();
    let poison = pool.submit(Job::json("exit", "[9]"));
    let more: Vec<_> = (0..20).map(|_| pool.submit(tell("good"))).collect();
    let error = error(poison);
    assert_eq!(*error.failure(), Failure::Quarantined(vec![Exit::Code(9); 3]));
    assert_eq!(error.attempts(), 3);
    for job in good.into_iter().chain(more) {
        assert_eq!(told(job).0, 1, "jobs beside a poisonous one are not charged");
    }
}

#[test]
fn at_most_once_means_no_second_start() {
    let (pool, gate) = (pool(1), Gate::open());
    let job = pool.submit(hold(&gate).crash_retries(0));
    process::kill(gate.wait().pid);
    let killed = error(job);
    assert_eq!(*killed.failure(), Failure::Crashed(Exit::Signal(9)));
    assert_eq!(killed.attempts(), 1);

    let job = pool.submit(hold(&gate).crash_retries(0));
    process::kill(process::parent(gate.wait().pid).unwrap());
    let lost = error(job);
    assert!(lost.is_crashed(), "{lost}");
    assert_eq!(lost.attempts(), 1);

    assert_staffed(&pool, 1);
    assert!(gate.wait_for(Duration::ZERO).is_none(), "neither was started again");
}

#[test]
fn a_time_out_is_tried_again_only_if_asked() {
    let (pool, gate) = (pool(1), Gate::open());
    let hang =
        || Job::json("hang", format!("[{}]", gate.json())).timeout(Duration::from_millis(100));
    let job = pool.submit(hang().retries(2));
    let mut last: Option<Watched> = None;
    for attempt in 1..=3 {
        let visitor = gate.wait();
        assert_eq!(visitor.attempt, attempt);
        assert!(last.is_none_or(|last| last.is_dead()), "no two attempts are alive at once");
        last = Some(Watched::new(visitor.pid));
    }
    let error = error(job);
    assert_eq!(*error.failure(), Failure::TimedOut(Duration::from_millis(100)));
    assert_eq!(error.attempts(), 3);
    assert_staffed(&pool, 1);
}

#[test]
fn a_worker_that_was_stopped_before_its_job_came_is_found_out() {
    let pool = pool(1);
    let worker = *assert_staffed(&pool, 1).iter().next().unwrap();
    process::send(worker, Signal::STOP);
    let job = pool.submit(tell("never told").timeout(Duration::from_millis(200)));
    let error = error(job);
    assert!(error.is_timed_out(), "{error}");
    let after = assert_staffed(&pool, 1);
    assert!(!after.contains(&worker), "a stopped worker is killed as well");
}

#[test]
fn failures_are_tried_again_as_often_as_asked() {
    let pool = pool(2);
    let directory = tempfile::tempdir().unwrap();
    for (how, crash_retries, retries) in [("error", 0, 2), ("panic", 0, 2), ("exit", 2, 0)] {
        let job = |file: &str, crash_retries, retries| {
            let counter = brigade_tests::json(&directory.path().join(format!("{file} {how}")));
            let job: Job<String> = Job::json("fail-until", format!("[{counter}, 3, \"{how}\"]"));
            pool.submit(job.crash_retries(crash_retries).retries(retries))
        };
        assert_eq!(value(job("enough", crash_retries, retries)), "3", "{how}");
        let short = error(job("too few", crash_retries / 2, retries / 2));
        assert_eq!(short.attempts(), 2, "{how}: {short}");
    }
}

#[test]
fn a_pool_gives_up_when_workers_die_for_no_jobs_fault() {
    let intensity = RestartIntensity { max: 3, within: DEADLINE };
    let pool = builder(1).restart_intensity(intensity).build().unwrap();
    let server = fork_server(&pool);
    for _ in 0..=intensity.max {
        let worker = until("a worker", DEADLINE, || process::children(server).first().copied());
        let watched = Watched::new(worker);
        process::send(worker, Signal::KILL);
        watched.await_burial();
    }
    let error = error(pool.submit(tell("never told")));
    assert!(error.is_pool_gave_up(), "{error}");
    let reason = "4 workers died within 30s without a job to blame";
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_job_whose_reply_is_always_lost_is_settled_too() {
    let pool = pool(2);
    let job = pool.submit(Job::json("close", r#"["return"]"#));
    // Replies of other workers prove that the worker program works, and so keep the pool going.
    until("the end of the job", Duration::from_secs(10), || {
        assert_eq!(told(pool.submit(tell("beside"))).0, 1);
        job.done().then_some(())
    });
    assert!(error(job).is_crashed());
}
