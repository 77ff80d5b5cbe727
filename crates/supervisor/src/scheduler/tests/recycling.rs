//! The replacement of worn workers, as sentences.

use super::super::*;
use super::pool::{MS, Pool, W0, W1, config, dispatch, first, lane, settled, tickets};
use super::prelude::*;

fn pool(slots: u32, max_jobs: u64) -> Pool {
    Pool::of(Config { max_jobs: Some(max_jobs), ..config(slots) })
}

/// What is left of the actions without the settlements.
fn other(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| !matches!(action, Action::Settle(..))).collect()
}

fn gone(pool: &mut Pool, worker: WorkerId) -> Vec<Action> {
    let (exit, epitaph, lanes) = (Exit::Code(0), String::new(), vec![]);
    pool.tell([Event::WorkerExited { worker, exit, with_server: false, lanes, epitaph }])
}

#[test]
fn a_worker_is_asked_to_go_after_its_jobs_and_its_slot_is_filled_again() {
    let mut pool = pool(1, 2);
    let sent = pool.submit(1..=5, Limits::default());
    assert_eq!(sent, [dispatch(W0, 1, [1]), dispatch(W0, 2, [2])], "the second one waits there");
    pool.now += MS;
    assert_eq!(other(pool.reply(W0, 1, Time::ZERO)), [], "it has been given all it may have");
    assert_eq!(other(pool.reply(W0, 2, Time::ZERO)), [Action::Stop(W0)]);
    assert_eq!(gone(&mut pool, W0), [Action::Spawn(W1, SlotId(0))]);
    let expected = [dispatch(W1, 1, [3]), dispatch(W1, 2, [4])];
    assert_eq!(pool.ready(W1), expected, "the count begins anew");
}

#[test]
fn an_idle_worker_that_is_worn_is_replaced_although_nothing_is_to_be_done() {
    let mut pool = pool(1, 1);
    let _ = pool.submit([1], Limits::default());
    assert_eq!(other(pool.reply(W0, 1, pool.now)), [Action::Stop(W0)]);
    assert_eq!(gone(&mut pool, W0), [Action::Spawn(W1, SlotId(0))]);
}

#[test]
fn frames_never_hold_more_than_a_worker_may_be_given() {
    let mut pool = pool(1, 100);
    let mut actions = pool.submit(1..=1000, Limits::default());
    let (mut given, mut stopped) = (0, false);
    while !stopped {
        let mut replies = Vec::new();
        for action in actions {
            if let Action::Dispatch(_, _, runs) = action {
                let tickets = tickets(&runs);
                given += tickets.len();
                let ran = (pool.now, pool.now);
                let reply = |ticket: Ticket| {
                    Event::Replied(W0, Reply { run: ticket.into(), ran, result: Ok(vec![]) })
                };
                replies.extend(tickets.into_iter().map(reply));
            } else {
                stopped |= action == Action::Stop(W0);
            }
        }
        assert!(stopped || !replies.is_empty(), "it holds nothing and does not go");
        actions = pool.tell(replies);
    }
    assert_eq!(given, 100);
}

#[test]
fn several_run_threads_are_given_no_more_than_one_would_be() {
    let mut pool = Pool::of(Config { threads: 4, max_jobs: Some(3), ..config(1) });
    assert_eq!(pool.submit(1..=10, Limits::default()), [dispatch(W0, 1, [1, 2, 3])]);
    for job in [2, 1] {
        assert_eq!(other(pool.reply(W0, job, pool.now)), [], "job 3 still runs");
    }
    assert_eq!(other(pool.reply(W0, 3, pool.now)), [Action::Stop(W0)]);
}

#[test]
fn a_worker_that_is_expected_to_go_is_not_counted_as_a_death() {
    let restarts = RestartIntensity { max: 0, within: 4000 * MS };
    let mut pool = Pool::of(Config { max_jobs: Some(1), restarts, ..config(1) });
    for n in 0..20 {
        let worker = WorkerId(n);
        assert_eq!(pool.submit([n], Limits::default()), [dispatch(worker, 1, [n])]);
        assert_eq!(other(pool.reply(worker, n, pool.now)), [Action::Stop(worker)]);
        // In whatever way it goes.
        let spawn = [Action::Spawn(WorkerId(n + 1), SlotId(0))];
        assert_eq!(pool.exit(worker, vec![lane(1, Time::ZERO, 1)]), spawn);
        let _ = pool.ready(WorkerId(n + 1));
    }
    assert_eq!(pool.scheduler.gave_up(), None);
}

#[test]
fn a_worker_that_does_not_go_when_it_is_asked_is_killed() {
    let mut pool = pool(1, 1);
    let _ = pool.submit([1], Limits::default());
    let _ = pool.reply(W0, 1, pool.now);
    assert_eq!(pool.pass(), [Action::Kill(W0, Why::Recycled)]);
    assert_eq!(pool.now, 2000 * MS);
    assert_eq!(pool.exit(W0, vec![]), [Action::Spawn(W1, SlotId(0))]);
}

#[test]
fn what_is_given_back_was_not_had() {
    let mut pool = pool(1, 2);
    let _ = pool.tell([Event::InputOpened]);
    let _ = pool.submit(1..=3, Limits::default());
    assert_eq!(
        pool.tell([Event::CancelRequested { job: JobId(2), kill: false }]),
        [Action::Recall(W0)]
    );
    let actions = pool.tell([Event::Returned(W0, vec![first(2)])]);
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)]);
    assert_eq!(other(actions), [dispatch(W0, 3, [3])], "it may have one instead");
    let _ = pool.reply(W0, 1, pool.now);
    assert_eq!(other(pool.reply(W0, 3, pool.now)), [Action::Stop(W0)]);
}

#[test]
fn retries_count_as_jobs_and_go_to_the_next_worker() {
    let mut pool = pool(1, 1);
    let _ = pool.submit([1], Limits { retries: 1, ..Limits::default() });
    let error = TaskError::new(brigade_protocol::message::TaskErrorKind::Failed, "no");
    let reply = Reply { run: first(1).into(), ran: (pool.now, pool.now), result: Err(error) };
    assert_eq!(pool.tell([Event::Replied(W0, reply)]), [Action::Stop(W0)]);
    let _ = pool.tell([Event::EndRequested(Ending::Drain)]);
    assert_eq!(gone(&mut pool, W0), [Action::Spawn(W1, SlotId(0))], "draining finishes it");
    let again = Ticket { job: JobId(1), attempt: 2 };
    assert_eq!(pool.ready(W1), [Action::Dispatch(W1, Seq(1), vec![again.into()])]);
}

#[test]
fn one_that_has_grown_gives_back_what_it_has_not_started() {
    let mut pool = Pool::new(1);
    let _ = pool.submit(1..=3, Limits::default());
    assert_eq!(pool.tell([Event::Grown(W0)]), [Action::Recall(W0)]);
    assert_eq!(pool.tell([Event::Returned(W0, vec![first(2)])]), [], "it runs job 1");
    pool.now += MS;
    assert_eq!(other(pool.reply(W0, 1, Time::ZERO)), [Action::Stop(W0)]);
    assert_eq!(gone(&mut pool, W0), [Action::Spawn(W1, SlotId(0))]);
    assert_eq!(pool.ready(W1)[0], dispatch(W1, 1, [2]), "in the order of their submission");
}

#[test]
fn one_that_has_grown_while_idle_goes_at_once() {
    let mut pool = Pool::new(2);
    assert_eq!(pool.tell([Event::Grown(W0)]), [Action::Stop(W0)]);
    assert_eq!(pool.tell([Event::Grown(W0)]), [], "once");
    assert_eq!(pool.submit([1], Limits::default()), [dispatch(W1, 1, [1])]);
}

#[test]
fn nothing_is_called_back_for_the_sake_of_a_worn_worker() {
    let mut pool = Pool::of(Config { threads: 2, max_jobs: Some(3), ..config(2) });
    // Each is given three at most, of which it runs two.
    let _ = pool.tell([Event::InputOpened]);
    let _ = pool.submit(1..=6, Limits::default());
    let held = |pool: &Pool, worker| {
        (1..=6).filter(|job| pool.scheduler.held(worker, Seq(*job)).is_some()).count()
    };
    assert_eq!((held(&pool, W0), held(&pool, W1)), (3, 3));
    // Worker 1 has a run thread free, but has had its jobs.
    let jobs: Vec<JobId> = (1..=3).filter_map(|seq| pool.scheduler.held(W1, Seq(seq))).collect();
    for job in &jobs[..2] {
        assert_eq!(other(pool.reply(W1, job.0, pool.now)), []);
    }
    pool.now = 1000 * MS;
    assert_eq!(pool.tell([Event::TimePassed]), []);
    assert_eq!(pool.scheduler.next_deadline(), None);
}

#[test]
fn stopping_while_a_worker_is_replaced_waits_for_it_and_starts_none() {
    let mut pool = pool(1, 1);
    let _ = pool.submit(1..=2, Limits::default());
    assert_eq!(other(pool.reply(W0, 1, pool.now)), [Action::Stop(W0)]);
    let actions = pool.tell([Event::EndRequested(Ending::Stop(5000 * MS))]);
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)]);
    assert_eq!(other(actions), [], "it is going already");
    assert!(!pool.scheduler.is_finished());
    assert_eq!(gone(&mut pool, W0), []);
    assert!(pool.scheduler.is_finished());
}

#[test]
fn aborting_kills_one_that_is_going() {
    let mut pool = pool(1, 1);
    let _ = pool.submit([1], Limits::default());
    assert_eq!(other(pool.reply(W0, 1, pool.now)), [Action::Stop(W0)]);
    let actions = pool.tell([Event::EndRequested(Ending::Abort)]);
    assert_eq!(actions, [Action::Kill(W0, Why::Ended)]);
}
