//! Decisions about workers that cannot be killed.

use super::super::*;
use super::pool::{MS, Pool, W0, dispatch, first, lane, settled, spec, timeout};
use super::prelude::*;

#[test]
fn a_thread_that_overran_is_replaced_and_its_job_is_not_tried_again() {
    let mut pool = Pool::of_threads(1);
    let limits = Limits { retries: 5, ..timeout(1000 * MS) };
    assert_eq!(pool.submit([1], limits), [dispatch(W0, 1, [1])]);
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    let actions = pool.tell([Event::Observed(W0, vec![lane(1, Time::ZERO, 0)])]);
    assert_eq!(actions, [Action::Kill(W0, Why::JobTimedOut(first(1)))]);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::TimedOut(1000 * MS)), 1)]);
    let Action::Settle(_, end) = &actions[0] else { panic!("{actions:?}") };
    assert_eq!(end.allowed, 1, "it had no other attempt");
    assert_eq!(actions[1..], [Action::Spawn(WorkerId(1), SlotId(0))]);
    assert_eq!(pool.scheduler.queued(), 0);
}

#[test]
fn a_process_that_overran_is_dead_and_its_job_is_tried_again() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], Limits { retries: 5, ..timeout(1000 * MS) });
    let _ = pool.pass();
    let _ = pool.tell([Event::Observed(W0, vec![lane(1, Time::ZERO, 0)])]);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), []);
    assert_eq!(pool.scheduler.queued(), 1);
}

#[test]
fn an_error_on_a_thread_is_tried_again() {
    let mut pool = Pool::of_threads(1);
    let _ = pool.submit([1], Limits { retries: 1, ..timeout(1000 * MS) });
    let error = TaskError::new(brigade_protocol::message::TaskErrorKind::Failed, "no");
    let reply = Reply { run: first(1).into(), ran: (Time::ZERO, Time::ZERO), result: Err(error) };
    let again = Ticket { job: JobId(1), attempt: 2 };
    let actions = pool.tell([Event::Replied(W0, reply)]);
    assert_eq!(actions, [Action::Dispatch(W0, Seq(2), vec![again.into()])]);
}

#[test]
fn to_kill_what_runs_on_a_thread_is_to_ask_it() {
    let mut pool = Pool::of_threads(1);
    let _ = pool.submit([1], Limits::default());
    let kill = Event::CancelRequested { job: JobId(1), kill: true };
    assert_eq!(pool.tell([kill]), [Action::Recall(W0)]);
    let actions = pool.tell([Event::Returned(W0, vec![])]);
    assert_eq!(actions, [Action::RefuseCancel(JobId(1)), Action::PleaseStop(W0, first(1))]);
}

#[test]
fn jobs_of_a_task_that_waits_travel_alone_and_are_not_handed_out_ahead_of_time() {
    let mut pool = Pool::new(1);
    let submitted =
        |job, task, parent| Event::Submitted(JobSpec { task: TaskId(task), parent, ..spec(job) });
    let _ = pool.tell((1..=100).map(|job| submitted(job, 1, None)));
    for job in 1..=20 {
        let _ = pool.reply(W0, job, pool.now);
    }
    let mut pool = Pool::new(1);
    assert_eq!(pool.tell([submitted(1, 1, None)]), [dispatch(W0, 1, [1])]);
    let _ = pool.tell((2..=9).map(|job| submitted(job, 1, Some(first(1)))));
    let waits = Event::WaitBegan { worker: W0, waiter: first(1), jobs: vec![JobId(9)] };
    let actions = pool.tell([waits]);
    assert_eq!(actions[0], Action::Recall(W0), "what was prefetched before that was known");
    let _ = pool.tell([Event::Returned(W0, vec![first(9)])]);
    assert_eq!(pool.ready(WorkerId(1)), [dispatch(WorkerId(1), 1, [9])]);
    let actions = pool.reply(WorkerId(1), 9, pool.now);
    assert_eq!(actions[1..], [Action::EndWait(W0, first(1), Ok(JobId(9)))]);
}

#[test]
fn what_was_left_to_itself_is_told_when_it_waits() {
    let mut pool = Pool::of_threads(1);
    let _ = pool.submit([1], timeout(1000 * MS));
    let _ = pool.pass();
    let _ = pool.tell([Event::Observed(W0, vec![lane(1, Time::ZERO, 0)])]);
    let _ = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    let jobs = vec![JobId(2)];
    let actions = pool.tell([Event::WaitBegan { worker: W0, waiter: first(1), jobs }]);
    assert_eq!(actions, [Action::EndWait(W0, first(1), Err(Failure::Cancelled))]);
}
