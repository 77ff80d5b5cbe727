//! The table of `tests/conformance.md`: complete, and true.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// All 129 tests of CPython's `Lib/test/test_concurrent_futures/`, by file, each with its code.
const TESTS: &[(&str, &str)] = &[
    (
        "executor.py",
        "\
         test_submit:K test_submit_keyword:X/K test_map:K test_map_exception:K \
         test_map_timeout:K test_map_timeout_from_callable:K test_map_close:K \
         test_map_buffersize_type_validation:B test_map_buffersize_value_validation:B \
         test_map_buffersize:K test_map_buffersize_on_multiple_iterables:K \
         test_map_buffersize_on_infinite_iterable:K \
         test_map_buffersize_on_multiple_infinite_iterables:K \
         test_map_buffersize_on_empty_iterable:K test_map_buffersize_without_iterable:K \
         test_map_buffersize_when_buffer_is_full:K test_shutdown_race_issue12456:K \
         test_no_stale_references:X test_free_reference:X test_max_workers_negative:B \
         test_swallows_falsey_exceptions:K",
    ),
    (
        "test_process_pool.py",
        "\
         test_max_workers_too_large:B test_sysconf_permission_error:K test_killed_child:I \
         test_broken_process_pool_traceback:I test_map_chunksize:K/B test_traceback:K \
         test_traceback_when_child_process_terminates_abruptly:K \
         test_ressources_gced_in_workers:X/K test_saturation:K test_idle_process_reuse_one:K \
         test_idle_process_reuse_multiple:K test_max_tasks_per_child:K \
         test_max_tasks_per_child_defaults_to_spawn_context:X \
         test_max_tasks_per_child_pending_tasks_gh115634:K test_max_tasks_early_shutdown:K \
         test_shutdown_no_wait_max_tasks_gh119592:K \
         test_gc_during_max_tasks_worker_exit_gh152967:K \
         test_force_shutdown_during_max_tasks_worker_exit:K \
         test_failed_worker_replacement_breaks_pool:K test_python_finalization_error:K \
         test_terminate_workers:K test_kill_workers:K \
         test_force_shutdown_workers_invalid_op:B test_force_shutdown_workers:K \
         test_force_shutdown_workers_dead_workers:K \
         test_force_shutdown_workers_not_started_yet:K \
         test_force_shutdown_workers_stops_pool:K",
    ),
    (
        "test_deadlock.py",
        "\
         test_error_at_task_pickle:K test_exit_at_task_unpickle:I \
         test_error_at_task_unpickle:I test_crash_at_task_unpickle:I \
         test_crash_during_func_exec_on_worker:I test_exit_during_func_exec_on_worker:I \
         test_error_during_func_exec_on_worker:K test_crash_during_result_pickle_on_worker:I \
         test_exit_during_result_pickle_on_worker:I \
         test_error_during_result_pickle_on_worker:K \
         test_error_during_result_unpickle_in_result_handler:I \
         test_exit_during_result_unpickle_in_result_handler:I test_shutdown_deadlock:I \
         test_shutdown_deadlock_pickle:K test_crash_big_data:I \
         test_gh105829_should_not_deadlock_if_wakeup_pipe_full:K",
    ),
    (
        "test_shutdown.py",
        "\
         test_run_after_shutdown:K test_interpreter_shutdown:K \
         test_submit_after_interpreter_shutdown:K/X test_hang_issue12364:K \
         test_cancel_futures:K test_hang_gh83386:K test_hang_gh94440:K \
         ProcessPoolShutdownTest.test_processes_terminate:K \
         ProcessPoolShutdownTest.test_context_manager_shutdown:K \
         ProcessPoolShutdownTest.test_del_shutdown:K \
         ProcessPoolShutdownTest.test_shutdown_no_wait:K test_shutdown_gh_132969_case_1:K \
         test_shutdown_gh_132969_case_2:K ThreadPoolShutdownTest.test_threads_terminate:X \
         ThreadPoolShutdownTest.test_context_manager_shutdown:X \
         ThreadPoolShutdownTest.test_del_shutdown:X \
         ThreadPoolShutdownTest.test_shutdown_no_wait:X \
         ThreadPoolShutdownTest.test_thread_names_assigned:X \
         ThreadPoolShutdownTest.test_thread_names_default:X \
         ThreadPoolShutdownTest.test_cancel_futures_wait_false:X",
    ),
    (
        "test_wait.py",
        "\
         test_20369:K test_first_completed:K test_first_completed_some_already_completed:K \
         test_first_exception:K test_first_exception_some_already_complete:K \
         test_first_exception_one_already_failed:K test_all_completed:K test_timeout:K \
         test_pending_calls_race:X",
    ),
    (
        "test_as_completed.py",
        "\
         test_no_timeout:K test_future_times_out:K test_duplicate_futures:K \
         test_free_reference_yielded_future:X test_correct_timeout_exception_msg:K",
    ),
    (
        "test_future.py",
        "\
         test_done_callback_with_result:K test_done_callback_with_exception:K \
         test_done_callback_with_cancel:K test_done_callback_raises:K \
         test_done_callback_already_successful:K test_done_callback_already_failed:K \
         test_done_callback_already_cancelled:K test_done_callback_raises_already_succeeded:K \
         test_repr:K test_cancel:K test_cancelled:K test_done:K test_running:K \
         test_result_with_timeout:K test_result_with_success:K test_result_with_cancel:K \
         test_exception_with_timeout:K test_exception_with_success:K \
         test_multiple_set_result:K test_multiple_set_exception:K",
    ),
    (
        "test_init.py",
        "\
         InitializerMixin.test_initializer:K FailingInitializerMixin.test_initializer:K \
         FailingInitializerResourcesTest.test_spawn:K \
         FailingInitializerResourcesTest.test_forkserver:K",
    ),
    (
        "test_thread_pool.py",
        "\
         test_map_submits_without_iteration:K test_default_workers:K test_saturation:X \
         test_idle_thread_reuse:X test_hang_global_shutdown_lock:K \
         test_executor_map_current_future_cancel:K",
    ),
    (
        "test_pool.py",
        "\
         test_map_buffersize:K",
    ),
];

/// Where the tests are whose files the table gives by their bare names.
const FOLDER: &str = "crates/brigade/tests/conformance";

struct Row<'a> {
    file: &'a str,
    test: &'a str,
    code: &'a str,
    ours: &'a str,
}

impl Row<'_> {
    fn name(&self) -> String {
        format!("{}::{}", self.file, self.test)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in the workspace")
}

fn expected() -> BTreeMap<String, &'static str> {
    let tests = TESTS.iter().flat_map(|(file, tests)| {
        let tests = tests.split_whitespace().map(|test| test.split_once(':').expect("a code"));
        tests.map(move |(test, code)| (format!("{file}::{test}"), code))
    });
    tests.collect()
}

/// The rows below the headings that name a file of CPython's.
fn rows(table: &str) -> Vec<Row<'_>> {
    let (mut file, mut rows) = (None, Vec::new());
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            file = heading.strip_prefix("# `").and_then(|heading| heading.strip_suffix('`'));
        }
        let (Some(file), Some(row)) = (file, line.strip_prefix('|')) else { continue };
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [test, code, ours] = cells[..] else { panic!("three columns: {line}") };
        if test != "CPython test" && !test.starts_with("---") {
            rows.push(Row { file, test: test.trim_matches('`'), code, ours });
        }
    }
    rows
}

/// What is wrong with the place of a test of ours, if anything is.
fn find(place: &str) -> Result<(), String> {
    let (file, function) = place
        .strip_prefix('`')
        .and_then(|place| place.strip_suffix('`')?.split_once("::"))
        .ok_or_else(|| format!("{place:?} is not `file::function`"))?;
    let path = if file.contains('/') { root().join(file) } else { root().join(FOLDER).join(file) };
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut above = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.strip_prefix("fn ").is_some_and(|rest| is_name(rest, function)) {
            return if above.contains(&"#[test]") {
                Ok(())
            } else {
                Err(format!("{function} in {file} is no #[test]"))
            };
        }
        if line.starts_with("#[") || line.starts_with("//") {
            above.push(line);
        } else {
            above.clear();
        }
    }
    Err(format!("there is no {function} in {file}"))
}

/// Whether what follows `fn` has this name, and not a longer one.
fn is_name(rest: &str, function: &str) -> bool {
    rest.strip_prefix(function).is_some_and(|rest| rest.starts_with('('))
}

/// All that is wrong with a table.
fn faults(table: &str) -> Vec<String> {
    let (expected, rows) = (expected(), rows(table));
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for row in &rows {
        let name = row.name();
        match expected.get(&name) {
            None => faults.push(format!("{name} is no test of CPython's")),
            Some(code) if *code != row.code => {
                faults.push(format!("{name} has the code {}, not {code}", row.code));
            }
            Some(_) => {}
        }
        if row.code.split('/').any(|code| matches!(code, "K" | "I")) {
            let found = row.ours.split(", ").map(find);
            faults.extend(found.filter_map(Result::err).map(|fault| format!("{name}: {fault}")));
        } else if row.ours.split_whitespace().count() < 3 {
            faults.push(format!("{name} has no reason"));
        }
        if !seen.insert(name.clone()) {
            faults.push(format!("{name} has two rows"));
        }
    }
    let missing = expected.keys().filter(|name| !seen.contains(*name));
    faults.extend(missing.map(|name| format!("{name} has no row")));
    faults
}

fn table() -> String {
    fs::read_to_string(root().join("tests/conformance.md")).expect("the table is there")
}

#[test]
fn every_test_of_cpython_has_one_that_is_there_or_a_reason() {
    assert_eq!(expected().len(), 129);
    let faults = faults(&table());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// One lie for each rule.
#[test]
fn a_table_that_lies_is_found_out() {
    let table = table();
    let submit = table.lines().find(|line| line.starts_with("| `test_submit` ")).unwrap();
    let reason = table.lines().find(|line| line.starts_with("| `test_free_reference` ")).unwrap();
    for (honest, lie, fault) in [
        (submit, String::new(), "executor.py::test_submit has no row"),
        (submit, format!("{submit}\n{submit}"), "executor.py::test_submit has two rows"),
        (submit, submit.replace("test_submit`", "test_emit`"), "test_emit is no test of CPython's"),
        (submit, submit.replace("| K |", "| I |"), "test_submit has the code I, not K"),
        (submit, submit.replace("harness.rs", "garnish.rs"), "garnish.rs: No such file"),
        (submit, submit.replace("::a_call", "::the_call"), "there is no the_call_of_a_task"),
        (submit, submit.replace("_for_a_worker", ""), "there is no a_call_of_a_task_is_a_job in"),
        (submit, submit.replace("a_call_of_a_task_is_a_job_for_a_worker", "fib"), "is no #[test]"),
        (submit, "| `test_submit` | K | it is the same |".to_owned(), "is not `file::function`"),
        (reason, "| `test_free_reference` | X | no reason |".to_owned(), "has no reason"),
    ] {
        let faults = faults(&table.replace(honest, &lie));
        assert_eq!(faults.len(), if fault.contains("no test") { 2 } else { 1 }, "{faults:?}");
        assert!(faults.iter().any(|found| found.contains(fault)), "{fault:?}: {faults:?}");
    }
}
