//! Decisions about jobs that wait for jobs, priorities, kills and the number of workers, as sentences.

use super::super::*;
use super::pool::{MS, Pool, W0, W1, dispatch, first, lane, settled, spec};
use super::prelude::*;

const W2: WorkerId = WorkerId(2);

impl Pool {
    /// A job submits another.
    fn nest(&mut self, parent: u64, job: u64) -> Vec<Action> {
        let parent = Some(first(parent));
        self.tell([Event::Submitted(JobSpec { parent, ..spec(job) })])
    }

    fn wait(&mut self, worker: WorkerId, job: u64, on: &[u64]) -> Vec<Action> {
        let jobs = on.iter().copied().map(JobId).collect();
        self.tell([Event::WaitBegan { worker, waiter: first(job), jobs }])
    }

    fn reserve(&mut self, job: u64, holder: Option<u64>) -> Vec<Action> {
        self.tell([Event::Reserved { job: JobId(job), holder: holder.map(first) }])
    }
}

fn end_wait(worker: WorkerId, waiter: u64, job: u64) -> Action {
    Action::EndWait(worker, first(waiter), Ok(JobId(job)))
}

fn cycle(actions: &[Action]) -> Vec<(WorkerId, u64, Vec<u64>)> {
    let broken = actions.iter().filter_map(|action| match action {
        Action::EndWait(worker, waiter, Err(Failure::Deadlock(cycle))) => {
            let jobs = cycle.iter().map(|member| member.job.0).collect();
            Some((*worker, waiter.job.0, jobs))
        }
        _ => None,
    });
    broken.collect()
}

#[test]
fn one_slot_is_enough_for_a_job_that_waits() {
    let mut pool = Pool::new(1);
    assert_eq!(pool.submit([1], Limits::default()), [dispatch(W0, 1, [1])]);
    assert_eq!(pool.nest(1, 2), [], "its worker is busy");
    assert_eq!(pool.wait(W0, 1, &[2]), [Action::Spawn(W1, SlotId(1))]);
    assert_eq!(pool.ready(W1), [dispatch(W1, 1, [2])]);
    let actions = pool.reply(W1, 2, Time::ZERO);
    assert_eq!(actions[1..], [end_wait(W0, 1, 2)]);
    // One worker too many is given nothing, and serves the next wait.
    assert_eq!(pool.nest(1, 3), []);
    assert_eq!(pool.wait(W0, 1, &[3]), [dispatch(W1, 2, [3])]);
}

#[test]
fn a_worker_too_many_goes_after_a_while() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    pool.nest(1, 2);
    pool.wait(W0, 1, &[2]);
    pool.ready(W1);
    pool.reply(W1, 2, Time::ZERO);
    let actions = pool.pass();
    assert_eq!(actions, [Action::Stop(W1)]);
    assert_eq!(pool.now, 1000 * MS);
    assert_eq!(pool.exit(W1, vec![]), [], "and is not replaced");
}

#[test]
fn what_waits_behind_a_job_that_waits_is_run_elsewhere() {
    let mut pool = Pool::with(1, Prefetch::AtMost(2));
    let actions = pool.submit([1, 2, 3], Limits::default());
    assert_eq!(actions, [dispatch(W0, 1, [1]), dispatch(W0, 2, [2])]);
    assert_eq!(pool.wait(W0, 1, &[2]), [Action::Recall(W0), Action::Spawn(W1, SlotId(1))]);
    pool.tell([Event::Returned(W0, vec![first(2)])]);
    let actions = pool.ready(W1);
    assert_eq!(actions[0], dispatch(W1, 1, [2]), "what is waited for comes first: {actions:?}");
}

#[test]
fn jobs_of_jobs_are_started_last_in_first_out() {
    let mut pool = Pool::with(1, Prefetch::AtMost(0));
    pool.submit([1, 9], Limits::default());
    for job in [2, 3, 4] {
        pool.nest(1, job);
    }
    pool.wait(W0, 1, &[2]);
    assert_eq!(pool.ready(W1), [dispatch(W1, 1, [2])], "the one that is waited for");
    let actions = pool.reply(W1, 2, Time::ZERO);
    assert_eq!(actions[1..], [end_wait(W0, 1, 2)], "nothing beside the job that goes on");
    assert_eq!(pool.wait(W0, 1, &[3, 9]), [dispatch(W1, 2, [9])], "the last that is waited for");
    let actions = pool.reply(W1, 9, Time::ZERO);
    assert_eq!(actions[1..], [end_wait(W0, 1, 9)]);
    let actions = pool.reply(W0, 1, Time::ZERO);
    assert_eq!(actions[1..], [dispatch(W0, 2, [3])], "and then the one below");
}

#[test]
fn two_jobs_that_wait_for_each_other_both_hear_of_it() {
    let mut pool = Pool::new(2);
    pool.submit([1, 2], Limits::default());
    assert_eq!(pool.wait(W0, 1, &[2]), []);
    let actions = pool.wait(W1, 2, &[1]);
    let expected = [(W1, 2, vec![2, 1]), (W0, 1, vec![1, 2])];
    assert_eq!(cycle(&actions), expected, "each reads the cycle from its own place");
}

#[test]
fn a_job_that_waits_for_itself_is_told() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    assert_eq!(cycle(&pool.wait(W0, 1, &[1])), [(W0, 1, vec![1])]);
}

#[test]
fn only_the_jobs_of_the_cycle_are_told() {
    let mut pool = Pool::new(3);
    pool.submit([1, 2, 3], Limits::default());
    pool.wait(W0, 1, &[2]);
    pool.wait(W1, 2, &[3]);
    let actions = pool.wait(W2, 3, &[2]);
    let told: Vec<u64> = cycle(&actions).into_iter().map(|(_, job, _)| job).collect();
    assert_eq!(told, [3, 2], "job 1 waits on, for a job that goes on");
}

#[test]
fn who_waits_for_one_of_several_is_stuck_only_if_all_are() {
    let mut pool = Pool::new(3);
    pool.submit([1, 2, 3], Limits::default());
    assert_eq!(pool.wait(W0, 1, &[2, 3]), []);
    assert_eq!(cycle(&pool.wait(W1, 2, &[1])), [], "job 3 may still end");
    assert_eq!(cycle(&pool.wait(W2, 3, &[1])).len(), 2);
}

#[test]
fn a_job_that_waits_for_what_it_reserved_itself_is_told() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    pool.reserve(2, Some(1));
    assert_eq!(cycle(&pool.wait(W0, 1, &[2])), [(W0, 1, vec![1, 2])]);
}

#[test]
fn a_reserved_job_ends_with_the_job_that_reserved_it() {
    let mut pool = Pool::new(2);
    pool.submit([1, 2], Limits::default());
    pool.reserve(3, Some(1));
    assert_eq!(pool.wait(W1, 2, &[3]), []);
    let actions = pool.reply(W0, 1, Time::ZERO);
    assert!(matches!(settled(&actions)[..], [(3, Err(Failure::Refused(_)), 0), (1, Ok(_), 1)]));
    assert!(actions.contains(&end_wait(W1, 2, 3)), "{actions:?}");
}

#[test]
fn a_wait_for_what_has_ended_is_over_at_once() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    assert_eq!(pool.wait(W0, 1, &[77]), [end_wait(W0, 1, 77)]);
}

#[test]
fn nesting_is_bounded_with_an_error() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    let mut worker = W0;
    for depth in 0..16 {
        pool.nest(depth + 1, depth + 2);
        let actions = pool.wait(worker, depth + 1, &[depth + 2]);
        worker = WorkerId(depth + 1);
        let slot = SlotId(u32::try_from(depth).unwrap() + 1);
        assert_eq!(actions, [Action::Spawn(worker, slot)]);
        pool.ready(worker);
    }
    pool.nest(17, 18);
    let actions = pool.wait(worker, 17, &[18]);
    let [Action::EndWait(_, _, Err(Failure::Refused(reason)))] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(reason.contains("16 jobs wait") && reason.contains("max_waiting"), "{reason}");
}

#[test]
fn a_failed_job_takes_along_what_it_submitted_and_nobody_started() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    pool.nest(1, 2);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)]);
}

#[test]
fn what_a_failed_job_submitted_and_waits_with_a_worker_goes_along_too() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits { crash_retries: 0, ..Limits::default() });
    // Of another task: what is known to wait for others has nothing put behind it.
    let (task, parent) = (TaskId(1), Some(first(1)));
    let child = |job| Event::Submitted(JobSpec { task, parent, ..spec(job) });
    pool.tell((2..=5).map(child));
    pool.wait(W0, 1, &[2]);
    assert_eq!(pool.ready(W1), [dispatch(W1, 1, [2]), dispatch(W1, 2, [4])]);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert!(actions.contains(&Action::Recall(W1)), "{actions:?}");
    let actions = pool.tell([Event::Returned(W1, vec![first(4)])]);
    assert_eq!(settled(&actions), [(4, &Err(Failure::Cancelled), 0)], "{actions:?}");
    assert!(!actions.contains(&Action::RefuseCancel(JobId(2))), "nobody asked: {actions:?}");
    assert_eq!(settled(&pool.reply(W1, 2, Time::ZERO)).len(), 1, "what runs is let run");
}

#[test]
fn what_is_submitted_in_the_name_of_the_dead_is_cancelled() {
    let mut pool = Pool::new(2);
    pool.submit([1], Limits { crash_retries: 0, ..Limits::default() });
    // In one batch, as the loop may hear of it.
    let (exit, epitaph) = (Exit::Signal(9), String::new());
    let lanes = vec![lane(1, Time::ZERO, 0)];
    let parent = Some(first(1));
    let actions = pool.tell([
        Event::WorkerExited { worker: W0, exit, with_server: false, lanes, epitaph },
        Event::Submitted(JobSpec { parent, ..spec(2) }),
        Event::Reserved { job: JobId(3), holder: parent },
    ]);
    let ends = settled(&actions);
    assert!(
        matches!(ends[1..], [(2, Err(Failure::Cancelled), 0), (3, Err(Failure::Refused(_)), 0)]),
        "{ends:?}"
    );
    assert!(!actions.iter().any(|action| matches!(action, Action::Dispatch(..))), "{actions:?}");
}

#[test]
fn a_dead_worker_waits_for_nothing() {
    let mut pool = Pool::new(2);
    pool.submit([1, 2], Limits { crash_retries: 0, ..Limits::default() });
    pool.wait(W0, 1, &[2]);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert!(matches!(settled(&actions)[..], [(1, Err(Failure::Crashed(_)), 1)]));
    let actions = pool.reply(W1, 2, Time::ZERO);
    assert!(!actions.iter().any(|action| matches!(action, Action::EndWait(..))), "{actions:?}");
}

#[test]
fn what_high_jobs_wait_for_is_high() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits { priority: 5, ..Limits::default() });
    pool.submit([2], Limits { priority: -1, ..Limits::default() });
    pool.submit([3], Limits::default());
    pool.wait(W0, 1, &[2]);
    let actions = pool.ready(W1);
    assert_eq!(actions[0], dispatch(W1, 1, [2]));
}

#[test]
fn higher_priorities_come_first_and_equal_ones_in_order() {
    let mut pool = Pool::with(1, Prefetch::AtMost(0));
    pool.submit([1], Limits::default());
    for (job, priority) in [(2, 0), (3, 7), (4, -3), (5, 7), (6, 0)] {
        pool.submit([job], Limits { priority, ..Limits::default() });
    }
    let mut order = vec![1];
    while let Some(Action::Dispatch(_, _, runs)) =
        pool.reply(W0, *order.last().unwrap(), Time::ZERO).pop()
    {
        order.push(runs[0].first.job.0);
    }
    assert_eq!(order, [1, 3, 5, 2, 6, 4]);
}

#[test]
fn only_the_job_that_is_to_be_killed_ends() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    pool.submit([1, 2, 3], Limits::default());
    let kill = Event::CancelRequested { job: JobId(1), kill: true };
    assert_eq!(pool.tell([kill]), [Action::Recall(W0)], "perhaps it has not been started");
    let actions = pool.tell([Event::Returned(W0, vec![first(2)])]);
    assert_eq!(actions, [Action::Kill(W0, Why::JobKilled(first(1)))]);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::Cancelled), 1)]);
    assert_eq!(pool.ready(W1)[0], dispatch(W1, 1, [2]), "the other runs, as if nothing had been");
}

#[test]
fn a_running_job_that_is_cancelled_is_asked_to_stop() {
    let mut pool = Pool::new(1);
    pool.submit([1], Limits::default());
    pool.tell([Event::CancelRequested { job: JobId(1), kill: false }]);
    let actions = pool.tell([Event::Returned(W0, vec![])]);
    assert_eq!(actions, [Action::RefuseCancel(JobId(1)), Action::PleaseStop(W0, first(1))]);
}

#[test]
fn a_pool_grows_at_once_and_shrinks_when_workers_are_idle() {
    let mut pool = Pool::with(1, Prefetch::AtMost(0));
    pool.submit([1, 2, 3], Limits::default());
    let actions = pool.tell([Event::Resized(2)]);
    assert_eq!(actions, [Action::Spawn(W1, SlotId(1))]);
    assert_eq!(pool.ready(W1), [dispatch(W1, 1, [2])]);
    assert_eq!(pool.tell([Event::Resized(1)]), [], "what runs is finished");
    pool.reply(W1, 2, Time::ZERO);
    pool.reply(W0, 1, Time::ZERO);
    pool.reply(W0, 3, Time::ZERO);
    assert_eq!(pool.pass(), [Action::Stop(W1)]);
}
