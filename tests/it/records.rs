//! Records: what `--output jsonl` tells of each job, and what it proves about the order of things.

use brigade_tests::DEADLINE;
use brigade_tests::gate::Gate;
use brigade_tests::process::{self, until};
use serde_json::{Value, json};

use crate::program::supervisor;

/// The records of a run, by job.
pub(crate) fn by_job(mut records: Vec<Value>) -> Vec<Value> {
    records.sort_by_key(|record| record["job"].as_u64());
    records
}

fn seconds(record: &Value, field: &str) -> f64 {
    record[field].as_f64().unwrap_or_else(|| panic!("no {field} in {record}"))
}

#[test]
fn a_record_tells_everything_about_a_job() {
    let run = supervisor("--task double --output jsonl 21").run().expect_code(0);
    let records = run.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    let first = record["job"].as_u64().unwrap();
    assert!(first <= 1, "jobs are counted in the order of the input: {record}");
    assert_eq!(record["task"], "double");
    assert_eq!(record["args"], 21);
    assert_eq!(record["status"], "succeeded");
    assert_eq!(record["output"], 42);
    assert_eq!(record["attempts"], 1);
    assert_eq!(record["worker"].as_u64().map(|slot| slot < 64), Some(true));
    assert!(record["pid"].as_u64().unwrap() > 1);
    let (submitted, started, ended) =
        (seconds(record, "submitted"), seconds(record, "started"), seconds(record, "ended"));
    assert!(0.0 <= submitted && submitted <= started && started <= ended, "{record}");
}

#[test]
fn each_record_names_the_worker_that_ran_the_job() {
    // Of a worker that has only just been forked as well: hence several runs, with several workers.
    for _ in 0..5 {
        let program = supervisor("--workers 8 --task double --output jsonl --jobs -");
        let run = program.input("1\n".repeat(50)).run().expect_code(0);
        for record in run.records() {
            assert!(record["worker"].as_u64().is_some_and(|slot| slot < 8), "{record}");
            assert!(record["pid"].as_u64().is_some_and(|pid| pid > 1), "{record}");
        }
    }
}

#[test]
fn records_tell_every_kind_of_end() {
    let gate = Gate::open();
    for (task, job, status, error) in [
        ("fail", json!(["no butter"]), "failed", json!({"message": "no butter"})),
        ("panic", json!(["plain"]), "panicked", json!({"message": "as it was asked to"})),
        ("exit", json!([7]), "quarantined", json!({"exit_code": 7})),
        ("raise", json!([11]), "quarantined", json!({"signal": "SIGSEGV"})),
        ("say", json!([["alas"], "exit"]), "quarantined", json!({"last_words": ["alas"]})),
        ("hang", json!([gate.path()]), "timed-out", json!({"timeout": 0.2})),
        ("fail", json!([1, 2, 3]), "undecodable", json!({})),
    ] {
        // The others may take their time: a panic's first backtrace is slow on a busy machine.
        let timeout = if status == "timed-out" { "--timeout 200ms" } else { "" };
        let arguments = format!("--workers 2 {timeout} --task {task} --output jsonl --jobs -");
        let input = format!("{job}\n");
        let run = supervisor(&arguments).input(input).run().expect_code(1);
        let records = run.records();
        let [record] = &records[..] else { panic!("{records:?}") };
        assert_eq!(record["status"], status, "{record}");
        assert_eq!(record["args"], job, "{record}");
        assert!(record["error"]["message"].is_string(), "{record}");
        for (name, value) in error.as_object().unwrap() {
            assert_eq!(record["error"][name], *value, "{record}");
        }
        let attempts = if status == "quarantined" { 3 } else { 1 };
        assert_eq!(record["attempts"], attempts, "{record}");
        assert!(record.get("output").is_none(), "{record}");
    }
}

#[test]
fn a_panic_tells_its_place() {
    let run = supervisor("--task panic --output jsonl plain").run().expect_code(1);
    let place = run.records()[0]["error"]["panic_location"].clone();
    assert!(place.as_str().unwrap().contains("endings.rs:"), "{place}");
}

#[test]
fn bare_words_and_json_are_told_as_given() {
    let run =
        supervisor("--task echo --output jsonl").arg("word").arg("[[1,2]]").run().expect_code(0);
    let records = by_job(run.records());
    assert_eq!(records[0]["args"], "word");
    assert_eq!(records[1]["args"], json!([[1, 2]]));
    assert_eq!(records[1]["output"], json!([1, 2]));
}

#[test]
fn the_next_job_starts_the_moment_one_ends() {
    let seconds_of = ["0.5", "0.4", "0.3", "0.3", "0.3"];
    let arguments = format!("--workers 3 --task sleep {}", seconds_of.join(" "));
    let run = supervisor(&format!("{arguments} --output jsonl")).run().expect_code(0);
    let order: Vec<String> =
        run.records().iter().map(|record| record["args"].to_string()).collect();
    assert_eq!(order[..3], ["0.3", "0.4", "0.5"], "in the order of their ends");
    let records = by_job(run.records());
    let started = |job: usize| seconds(&records[job], "started");
    let ended = |job: usize| seconds(&records[job], "ended");
    let firsts = (0..3).map(ended).fold(f64::INFINITY, f64::min);
    assert!((0..3).all(|job| started(job) < firsts), "three start at once");
    // The fourth in the seat that the third leaves, the fifth in the second's.
    for (next, previous) in [(3, 2), (4, 1)] {
        assert_eq!(records[next]["worker"], records[previous]["worker"]);
        let gap = started(next) - ended(previous);
        assert!((0.0..0.1).contains(&gap), "job {next} started {gap} s after job {previous}");
    }
}

#[test]
fn with_a_worker_for_each_all_sleep_at_once() {
    let run = supervisor("--workers 5 --task sleep --output jsonl 0.5 0.4 0.3 0.3 0.3").run();
    let records = run.expect_code(0).records();
    let last_start = records.iter().map(|record| seconds(record, "started")).fold(0.0, f64::max);
    let first_end = records.iter().map(|record| seconds(record, "ended")).fold(9.0, f64::min);
    assert!(last_start < first_end, "{last_start} {first_end}");
}

#[test]
fn results_come_in_order_of_completion() {
    let results = supervisor("--workers 3 --task sleep 0.5 0.3 0.1").run().success();
    assert_eq!(results, "Result: 0.1\nResult: 0.3\nResult: 0.5\n");
}

#[test]
fn a_killed_worker_costs_one_attempt_and_no_result() {
    let gate = Gate::open();
    let input = format!("[{}]\n", gate.json()).repeat(4);
    let program = supervisor("--workers 2 --task hold --output jsonl --jobs -").input(input);
    let started = program.start();
    let first = gate.wait();
    process::kill(first.pid);
    // Its own second attempt, and the other three jobs.
    for _ in 0..4 {
        gate.wait().release();
    }
    let records = by_job(started.finish().expect_code(0).records());
    let attempts: Vec<u64> =
        records.iter().map(|record| record["attempts"].as_u64().unwrap()).collect();
    assert_eq!(attempts.iter().sum::<u64>(), 4 + 1, "{attempts:?}");
    assert_eq!(attempts.iter().max(), Some(&2));
}

/// Runs the main job and kills `whom` of it, five times, each time after some more results.
fn count_primes_while_killing(whom: impl Fn(u32) -> Option<u32>) {
    let arguments = "--workers 2 --task prime-count --limit 1e9 --segment 1e7 --output jsonl";
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("records");
    let started = supervisor(arguments).arg("--crash-retries=1000").output_to(&output).start();
    let text = || std::fs::read_to_string(&output).unwrap();
    for kill in 1..=5 {
        let victim = until("more results, and somebody to kill", DEADLINE, || {
            (text().lines().count() >= 10 * kill).then(|| whom(started.pid())).flatten()
        });
        process::kill(victim);
    }
    started.finish().expect_code(0);
    let records: Vec<Value> =
        text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 100);
    let sum: u64 = records.iter().map(|record| record["output"].as_u64().unwrap()).sum();
    assert_eq!(sum, 50_847_534);
    let attempts = records.iter().map(|record| record["attempts"].as_u64().unwrap());
    assert!(attempts.max() >= Some(2), "some of the victims were at work");
}

/// A worker that is computing at this moment.
fn at_work(program: u32) -> Option<u32> {
    let computes = |worker: &u32| process::state(*worker) == Some('R');
    process::workers_of(program).into_iter().find(computes)
}

#[test]
fn the_count_is_right_although_workers_are_killed() {
    count_primes_while_killing(at_work);
}

#[test]
fn the_count_is_right_although_fork_servers_are_killed() {
    count_primes_while_killing(|program| process::parent(at_work(program)?));
}
