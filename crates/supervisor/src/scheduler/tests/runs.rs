//! Jobs that travel, and end, together; until something happens to one of them.

use std::time::Duration;

use rustc_hash::FxHashSet;

use super::super::*;
use super::pool::{MS, Pool, W0, W1, config, dispatch, first, lane, settled, spec, timeout};
use super::prelude::*;

/// A pool whose jobs have been short so far, with so many of them submitted and sent: to the first worker
/// the first eight.
fn pool_with(slots: u32, jobs: u64, limits: Limits) -> (Pool, Vec<Action>) {
    let mut pool = Pool::new(slots);
    for _ in 0..3 {
        pool.scheduler.batches.learn(TaskId(0), Duration::from_micros(1), Some(usize::MAX));
    }
    let _ = pool.tell([Event::InputOpened]);
    let actions = pool.submit(1..=jobs, limits);
    (pool, actions)
}

fn run(job: u64, count: u32) -> Run {
    Run { first: first(job), count }
}

fn reply(pool: &Pool, run: Run) -> Event {
    Event::Replied(W0, Reply { run, ran: (Time::ZERO, pool.now), result: Ok(vec![]) })
}

/// Of each settlement the first job, and how many end with it.
fn ends(actions: &[Action]) -> Vec<(u64, u32)> {
    let ends = actions.iter().filter_map(|action| match action {
        Action::Settle(job, settled) => Some((job.0, settled.count)),
        _ => None,
    });
    ends.collect()
}

#[test]
fn jobs_that_follow_on_each_other_travel_and_end_together() {
    let (mut pool, actions) = pool_with(1, 8, Limits::default());
    assert_eq!(actions, [dispatch(W0, 1, 1..=8)]);
    let actions = pool.tell([reply(&pool, run(1, 5)), reply(&pool, run(6, 3))]);
    assert_eq!(ends(&actions), [(1, 5), (6, 3)]);
    assert_eq!(pool.scheduler.statistics().succeeded, 8);
}

#[test]
fn an_open_input_leaves_something_for_each_worker() {
    // As much as is read ahead for many workers, and what a small buffer holds for some.
    for (slots, took, count) in [(64, 1, 65_536), (8, 1000, 20)] {
        let mut pool = Pool::new(slots);
        for _ in 0..20 {
            let took = Duration::from_micros(took);
            pool.scheduler.batches.learn(TaskId(0), took, Some(usize::MAX));
        }
        let _ = pool.tell([Event::InputOpened]);
        let run = JobSpec { count, plain: Some(Form::Bincode), ..spec(1) };
        let actions = pool.tell([Event::Submitted(run)]);
        let workers = actions.iter().filter_map(|action| match action {
            Action::Dispatch(worker, ..) => Some(*worker),
            _ => None,
        });
        let busy: FxHashSet<WorkerId> = workers.collect();
        assert_eq!(busy.len(), slots as usize, "{count} jobs");
    }
}

#[test]
fn jobs_too_short_to_wait_for_anything_are_divided_among_processors() {
    // How many of 160 jobs travel first, if each takes so many microseconds.
    let first_frame = |took, inputs: Option<Event>| {
        let mut pool = Pool::of(Config { processors: 2, ..config(16) });
        for _ in 0..20 {
            let took = Duration::from_micros(took);
            pool.scheduler.batches.learn(TaskId(0), took, Some(usize::MAX));
        }
        let _ = pool.tell(inputs);
        let actions = pool.submit(1..=160, Limits::default());
        match &actions[0] {
            Action::Dispatch(_, _, runs) => runs[0].count,
            action => panic!("{action:?} is not expected"),
        }
    };
    assert_eq!(first_frame(9, Some(Event::InputOpened)), 160 / 2);
    assert_eq!(first_frame(9, None), 160 / (2 * 2));
    assert_eq!(first_frame(12, Some(Event::InputOpened)), 160 / 16);
}

#[test]
fn no_more_jobs_travel_together_than_the_user_lets() {
    for (batch, frames) in [(1, vec![1, 1]), (3, vec![3, 3]), (5, vec![5, 3]), (100, vec![8])] {
        let mut pool = Pool::of(Config { batch, ..config(1) });
        for _ in 0..20 {
            pool.scheduler.batches.learn(TaskId(0), Duration::from_nanos(100), Some(usize::MAX));
        }
        let actions = pool.submit(1..=8, Limits::default());
        let sent = actions.iter().map(|action| match action {
            Action::Dispatch(_, _, runs) => runs.iter().map(|run| run.count).sum::<u32>(),
            _ => panic!("{action:?} is not expected"),
        });
        assert_eq!(sent.collect::<Vec<_>>(), frames, "at most {batch}");
    }
}

#[test]
fn plain_calls_take_little_more_of_a_message_than_their_arguments() {
    let frames = |plain, size| {
        let mut pool = Pool::new(1);
        for _ in 0..20 {
            pool.scheduler.batches.learn(TaskId(0), Duration::from_nanos(100), Some(usize::MAX));
        }
        let _ = pool.tell([Event::InputOpened]);
        let run = |(job, count)| Event::Submitted(JobSpec { count, size, plain, ..spec(job) });
        let actions = pool.tell([(1, 4096), (10_000, 4096)].map(run));
        let sent = actions.iter().filter_map(|action| match action {
            Action::Dispatch(_, _, runs) => Some(runs.iter().map(|run| run.count).collect()),
            _ => None,
        });
        sent.collect::<Vec<Vec<u32>>>()
    };
    let plain = Some(Form::Bincode);
    assert_eq!(frames(plain, 8), [[4096], [4096]]);
    assert_eq!(frames(None, 8), [[1194], [1194]], "each with 40 bytes beside its arguments");
    assert_eq!(frames(plain, 51), [[1024], [1024]]);
}

#[test]
fn what_is_less_work_than_to_send_it_is_not_divided() {
    let micros = Duration::from_micros;
    for (took, frames) in [(micros(1), vec![8]), (micros(50), vec![2, 2, 2, 2])] {
        let mut pool = Pool::new(4);
        for _ in 0..3 {
            pool.scheduler.batches.learn(TaskId(0), took, Some(usize::MAX));
        }
        let actions = pool.submit(1..=8, Limits::default());
        let sent = actions.iter().map(|action| match action {
            Action::Dispatch(_, _, runs) => runs.iter().map(|run| run.count).sum::<u32>(),
            _ => panic!("{action:?} is not expected"),
        });
        assert_eq!(sent.collect::<Vec<_>>(), frames, "jobs of {took:?}");
    }
}

#[test]
fn jobs_that_are_to_be_run_differently_do_not_travel_as_one() {
    let (mut pool, _) = pool_with(1, 1, Limits::default());
    // Two frames are with the worker.
    assert_eq!(pool.submit([2], Limits::default()).len(), 1);
    let _ = pool.submit([3, 4], Limits::default());
    let _ = pool.submit([5], Limits { retries: 1, ..Limits::default() });
    let actions = pool.tell([reply(&pool, run(1, 1))]);
    assert_eq!(actions[1..], [Action::Dispatch(W0, Seq(3), vec![run(3, 2), run(5, 1)])]);
}

#[test]
fn an_error_ends_one_job_of_a_run() {
    let (mut pool, _) = pool_with(1, 8, Limits::default());
    let error = TaskError::new(brigade_protocol::message::TaskErrorKind::Failed, "no");
    let failed = Reply { run: run(4, 1), ran: (Time::ZERO, pool.now), result: Err(error.clone()) };
    let actions =
        pool.tell([reply(&pool, run(1, 3)), Event::Replied(W0, failed), reply(&pool, run(5, 4))]);
    assert_eq!(ends(&actions), [(1, 3), (4, 1), (5, 4)]);
    assert_eq!(settled(&actions)[1].1, &Err(Failure::Failed(error)));
}

#[test]
fn a_death_is_charged_to_the_job_of_a_run_that_was_running() {
    let (mut pool, _) = pool_with(1, 8, Limits { crash_retries: 1, ..Limits::default() });
    let _ = pool.tell([reply(&pool, run(1, 2))]);
    let actions = pool.exit(W0, vec![lane(5, Time::ZERO, 4)]);
    assert_eq!(settled(&actions), [], "it is tried again");
    let rows = [3, 4, 5, 6, 7, 8].map(|job| {
        let row = pool.scheduler.jobs.row(JobId(job)).expect("it is not settled");
        (row.begun, row.crashes.len())
    });
    assert_eq!(rows, [(1, 0), (1, 0), (1, 1), (0, 0), (0, 0), (0, 0)]);
}

#[test]
fn one_job_of_a_run_is_cancelled_and_the_others_are_not() {
    let (mut pool, _) = pool_with(1, 8, Limits::default());
    let actions = pool.tell([Event::CancelRequested { job: JobId(5), kill: false }]);
    assert_eq!(actions, [Action::Recall(W0)]);
    let actions = pool.tell([Event::Returned(W0, run(2, 7).tickets().collect())]);
    assert_eq!(settled(&actions), [(5, &Err(Failure::Cancelled), 0)]);
    let again = Action::Dispatch(W0, Seq(9), vec![run(2, 3), run(6, 3)]);
    assert_eq!(actions[1..], [again]);
}

#[test]
fn a_queued_job_is_cancelled_out_of_its_run() {
    let (mut pool, _) = pool_with(1, 20, Limits::default());
    let actions = pool.tell([Event::CancelRequested { job: JobId(18), kill: false }]);
    assert_eq!(settled(&actions), [(18, &Err(Failure::Cancelled), 0)]);
    let actions = pool.tell([reply(&pool, run(1, 8))]);
    let next = Action::Dispatch(W0, Seq(17), vec![run(17, 1), run(19, 2)]);
    assert_eq!(actions[1..], [next], "the others keep their order");
}

#[test]
fn one_job_of_a_run_times_out() {
    let (mut pool, _) = pool_with(1, 8, timeout(1000 * MS));
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    // Two are done, the third has been running all the time.
    let actions = pool.tell([Event::Observed(W0, vec![lane(3, Time::ZERO, 2)])]);
    assert_eq!(actions, [Action::Kill(W0, Why::JobTimedOut(first(3)))]);
    let actions = pool.exit(W0, vec![lane(3, Time::ZERO, 2)]);
    assert_eq!(settled(&actions), [(3, &Err(Failure::TimedOut(1000 * MS)), 1)]);
    assert_eq!(pool.scheduler.queued(), 7, "the others run again, or for the first time");
}

/// With nothing running, what was finished last is suspect: that one of the run alone.
#[test]
fn the_last_job_of_a_run_that_was_finished_is_suspect() {
    let (mut pool, _) = pool_with(1, 4, Limits { crash_retries: 1, ..Limits::default() });
    let actions = pool.exit(W0, vec![lane(3, Time::ZERO, 3)]);
    assert_eq!(settled(&actions), [], "its loss is forgiven once");
    let losses = |job| pool.scheduler.jobs.row(JobId(job)).map_or(9, |row| row.losses);
    assert_eq!([1, 2, 3, 4].map(losses), [0, 0, 1, 0]);
}

#[test]
fn a_job_that_is_waited_for_leaves_its_run_when_it_comes_back() {
    let (mut pool, _) = pool_with(1, 8, Limits::default());
    let wait = Event::WaitBegan { worker: W0, waiter: first(1), jobs: vec![JobId(6)] };
    let actions = pool.tell([wait]);
    assert_eq!(actions, [Action::Recall(W0)]);
    let actions = pool.tell([Event::Returned(W0, run(2, 7).tickets().collect())]);
    assert_eq!(actions, [Action::Spawn(W1, SlotId(1))]);
    let actions = pool.ready(W1);
    let Some(Action::Dispatch(W1, _, runs)) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(runs[0].first, first(6));
}

#[test]
fn what_is_not_a_part_of_one_run_is_a_violation() {
    for lie in [run(0, 2), run(7, 3), run(3, 0), run(20, 1)] {
        let (mut pool, _) = pool_with(1, 8, Limits::default());
        let actions = pool.tell([reply(&pool, lie)]);
        assert_eq!(actions, [Action::Kill(W0, Why::Violated)], "{lie:?}");
        assert_eq!(pool.tell([reply(&pool, run(1, 8))]).len(), 1, "what it did is believed");
    }
}
