//! Single decisions, as sentences.

use brigade_protocol::message::TaskErrorKind;

use super::super::*;
use super::pool::{MS, Pool, W0, W1, dispatch, first, lane, settled, spec, tickets, timeout};
use super::prelude::*;

#[test]
fn the_next_job_starts_the_moment_a_worker_is_free() {
    let mut pool = Pool::new(3);
    let actions = pool.submit(1..=5, Limits::default());
    let started: Vec<Action> = (0..3).map(|n| dispatch(WorkerId(n), 1, [n + 1])).collect();
    assert_eq!(actions, started, "two jobs for three workers are not handed out ahead of time");
    pool.now = 3000 * MS;
    let actions = pool.reply(WorkerId(2), 3, Time::ZERO);
    assert_eq!(actions[1..], [dispatch(WorkerId(2), 2, [4])]);
}

#[test]
fn one_long_job_waits_behind_the_running_one_while_there_are_many() {
    let mut pool = Pool::new(2);
    let actions = pool.submit(1..=10, Limits::default());
    let expected =
        [dispatch(W0, 1, [1]), dispatch(W1, 1, [2]), dispatch(W0, 2, [3]), dispatch(W1, 2, [4])];
    assert_eq!(actions, expected);
}

#[test]
fn frames_of_short_jobs_double() {
    let mut pool = Pool::new(1);
    let mut actions = pool.submit(1..=10_000, Limits::default());
    let mut sizes = Vec::new();
    for _ in 0..12 {
        let frame = actions.iter().find_map(|action| match action {
            Action::Dispatch(_, _, runs) => Some(tickets(runs)),
            _ => None,
        });
        let frame = frame.expect("each reply brings a frame");
        sizes.push(frame.len());
        let ran = (pool.now, pool.now);
        let reply = |ticket: Ticket| {
            Event::Replied(W0, Reply { run: ticket.into(), ran, result: Ok(vec![]) })
        };
        actions = pool.tell(frame.into_iter().map(reply));
    }
    assert_eq!(sizes[..6], [1, 2, 4, 8, 16, 32]);
    assert_eq!(sizes[11], 1194, "which fills a message");
}

#[test]
fn strictly_one_at_a_time_if_nothing_may_be_prefetched() {
    let mut pool = Pool::with(1, Prefetch::AtMost(0));
    assert_eq!(pool.submit(1..=100, Limits::default()), [dispatch(W0, 1, [1])]);
    assert_eq!(pool.reply(W0, 1, Time::ZERO)[1..], [dispatch(W0, 2, [2])]);
}

#[test]
fn only_the_running_job_is_charged_with_a_death() {
    let mut pool = Pool::with(1, Prefetch::AtMost(2));
    let limits = Limits { crash_retries: 1, ..Limits::default() };
    assert_eq!(pool.submit(1..=3, limits).len(), 2);
    // Job 1 was finished, but its reply never came; job 2 ran; job 3 was not started.
    let actions = pool.exit(W0, vec![lane(2, Time::ZERO, 1)]);
    assert_eq!(actions, [Action::Spawn(W1, SlotId(0))]);
    let actions = pool.ready(W1);
    let again = |job| Ticket { job: JobId(job), attempt: 2 };
    let expected = [
        Action::Dispatch(W1, Seq(1), vec![again(1).into()]),
        Action::Dispatch(W1, Seq(2), vec![first(3).into()]),
    ];
    assert_eq!(actions, expected, "free of charge to the front; the charged one to the back");
    let actions = pool.exit(W1, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [], "job 1 was charged for the first time");
}

#[test]
fn a_job_that_takes_down_three_workers_is_quarantined() {
    let mut pool = Pool::new(1);
    let mut actions = pool.submit([1], Limits::default());
    for worker in (0..3).map(WorkerId) {
        assert!(matches!(actions.last(), Some(Action::Dispatch(..))), "{actions:?}");
        actions = pool.exit(worker, vec![lane(1, Time::ZERO, 0)]);
        if worker.0 < 2 {
            actions = pool.ready(WorkerId(worker.0 + 1));
        }
    }
    let exits = vec![Exit::Signal(11); 3];
    assert_eq!(settled(&actions), [(1, &Err(Failure::Quarantined(exits)), 3)]);
}

#[test]
fn a_job_whose_reply_is_always_lost_is_charged_in_the_end() {
    let mut pool = Pool::new(1);
    let mut actions = pool.submit([1], Limits { crash_retries: 1, ..Limits::default() });
    for worker in (0..3).map(WorkerId) {
        assert!(matches!(actions.last(), Some(Action::Dispatch(..))), "{actions:?}");
        actions = pool.exit(worker, vec![lane(1, Time::ZERO, 1)]);
        let _ = pool.ready(WorkerId(worker.0 + 1));
        if worker.0 < 2 {
            assert_eq!(settled(&actions), []);
            let attempt = u32::try_from(worker.0).expect("small") + 2;
            let ticket = Ticket { job: JobId(1), attempt };
            actions = vec![Action::Dispatch(worker, Seq(1), vec![ticket.into()])];
        }
    }
    let exits = vec![Exit::Signal(11); 2];
    assert_eq!(settled(&actions), [(1, &Err(Failure::Quarantined(exits)), 3)]);
}

#[test]
fn an_at_most_once_job_is_never_started_twice() {
    let limits = Limits { crash_retries: 0, ..Limits::default() };
    for lanes in [lane(1, Time::ZERO, 0), lane(1, Time::ZERO, 1)] {
        let mut pool = Pool::new(1);
        let _ = pool.submit([1], limits);
        let actions = pool.exit(W0, vec![lanes]);
        assert_eq!(settled(&actions), [(1, &Err(Failure::Crashed(Exit::Signal(11))), 1)]);
    }
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], limits);
    let actions = pool.exit(W0, vec![]);
    assert_eq!(settled(&actions), [], "it had not been started");
}

#[test]
fn a_time_out_counts_from_the_start_of_the_job() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit([1, 2], timeout(1000 * MS));
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    // Started half a second after it was sent: it has half a second left.
    let actions = pool.tell([Event::Observed(W0, vec![lane(1, 500 * MS, 0)])]);
    assert_eq!((actions, pool.scheduler.next_deadline()), (vec![], Some(1500 * MS)));
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    let actions = pool.tell([Event::Observed(W0, vec![lane(1, 500 * MS, 0)])]);
    assert_eq!(actions, [Action::Kill(W0, Why::JobTimedOut(first(1)))]);
    let actions = pool.exit(W0, vec![lane(1, 500 * MS, 0)]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::TimedOut(1000 * MS)), 1)]);
    assert_eq!(pool.scheduler.queued(), 1, "the other one was not touched");
}

/// The words of a lane are read one after the other, while they are written.
#[test]
fn a_lane_whose_end_was_read_later_than_its_start_runs_nothing() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit([1, 2], timeout(1000 * MS));
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    // The second had been finished, too, when the end was read.
    assert_eq!(pool.tell([Event::Observed(W0, vec![lane(1, Time::ZERO, 2)])]), []);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 2)]);
    assert_eq!(settled(&actions), [], "neither was running");
    assert_eq!(pool.scheduler.queued(), 2);
}

#[test]
fn a_job_that_finished_in_time_waits_for_its_reply() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], timeout(1000 * MS));
    assert_eq!(pool.pass(), [Action::Inspect(W0)]);
    assert_eq!(pool.tell([Event::Observed(W0, vec![lane(1, 10 * MS, 1)])]), []);
    let actions = pool.reply(W0, 1, 10 * MS);
    assert_eq!(settled(&actions), [(1, &Ok(vec![]), 1)]);
}

#[test]
fn a_stopped_worker_that_starts_nothing_times_out_all_the_same() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], timeout(1000 * MS));
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.extend(pool.pass());
        seen.extend(pool.tell([Event::Observed(W0, vec![])]));
    }
    assert_eq!(pool.now, 1100 * MS, "it counts as started after 100 ms");
    assert_eq!(
        seen,
        [Action::Inspect(W0), Action::Inspect(W0), Action::Kill(W0, Why::JobTimedOut(first(1)))]
    );
    let actions = pool.exit(W0, vec![]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::TimedOut(1000 * MS)), 1)]);
}

#[test]
fn what_waits_behind_a_long_job_is_called_back_for_an_idle_worker() {
    let mut pool = Pool::new(2);
    let _ = pool.submit(1..=6, Limits::default());
    // Worker 0 runs 1 and holds 3, worker 1 runs 2; it does everything else.
    pool.now = 1000 * MS;
    for job in [2, 4, 5, 6] {
        let _ = pool.reply(W1, job, pool.now);
    }
    assert_eq!(pool.tell([]), [], "asked for once");
    let actions = pool.tell([Event::Returned(W0, vec![first(3)])]);
    assert_eq!(actions, [dispatch(W1, 5, [3])]);
}

#[test]
fn a_queued_job_is_cancelled_and_a_running_one_is_not() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit(1..=3, Limits::default());
    let cancel = |job| [Event::CancelRequested { job: JobId(job), kill: false }];
    assert_eq!(settled(&pool.tell(cancel(3))), [(3, &Err(Failure::Cancelled), 0)]);
    // Job 2 waits with the worker, job 1 runs there.
    assert_eq!(pool.tell(cancel(2)), [Action::Recall(W0)]);
    assert_eq!(pool.tell(cancel(1)), [], "one answer will do for both");
    let actions = pool.tell([Event::Returned(W0, vec![first(2)])]);
    assert_eq!(actions[0], Action::RefuseCancel(JobId(1)));
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)]);
    assert_eq!(pool.tell(cancel(2)), [Action::RefuseCancel(JobId(2))], "it is settled already");
}

#[test]
fn an_error_is_retried_only_if_asked() {
    let error = TaskError::new(TaskErrorKind::Failed, "no");
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], Limits { retries: 1, ..Limits::default() });
    for attempt in 1..=2 {
        let ticket = Ticket { job: JobId(1), attempt };
        let ran = (Time::ZERO, Time::ZERO);
        let reply = Reply { run: ticket.into(), ran, result: Err(error.clone()) };
        let actions = pool.tell([Event::Replied(W0, reply)]);
        let ends = settled(&actions);
        assert_eq!(ends.len(), usize::from(attempt == 2), "{ends:?}");
    }
}

#[test]
fn a_job_that_failed_while_it_was_to_be_cancelled_is_not_tried_again() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], Limits { retries: 1, ..Limits::default() });
    assert_eq!(
        pool.tell([Event::CancelRequested { job: JobId(1), kill: false }]),
        [Action::Recall(W0)]
    );
    let error = TaskError::new(TaskErrorKind::Failed, "no");
    let ran = (Time::ZERO, Time::ZERO);
    let reply = Reply { run: first(1).into(), ran, result: Err(error.clone()) };
    let actions = pool.tell([Event::Replied(W0, reply)]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::Failed(error)), 1)]);
}

#[test]
fn what_was_not_started_keeps_its_order() {
    let mut pool = Pool::new(1);
    let _ = pool.submit(1..=100, Limits::default());
    // So short that the next frame has two.
    for job in 1..=2 {
        let _ = pool.reply(W0, job, pool.now);
    }
    let actions = pool.exit(W0, vec![lane(2, Time::ZERO, 2)]);
    assert_eq!(actions, [Action::Spawn(W1, SlotId(0))]);
    let actions = pool.ready(W1);
    assert_eq!(actions[0], dispatch(W1, 1, [3, 4]), "as they were submitted");
}

#[test]
fn a_reply_proves_that_workers_work_and_their_deaths_are_forgotten() {
    let mut pool = Pool::new(1);
    for n in 0..100 {
        let worker = WorkerId(n);
        let actions = pool.submit([n], Limits::default());
        assert_eq!(actions, [dispatch(worker, 1, [n])]);
        assert_eq!(settled(&pool.reply(worker, n, pool.now)).len(), 1);
        let spawn = [Action::Spawn(WorkerId(n + 1), SlotId(0))];
        assert_eq!(pool.exit(worker, vec![lane(1, Time::ZERO, 1)]), spawn, "it died idle");
        let _ = pool.ready(WorkerId(n + 1));
    }
}

#[test]
fn stopping_gives_running_jobs_the_grace_and_a_second_stop_only_shortens_it() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit(1..=3, Limits::default());
    let actions = pool.tell([Event::EndRequested(Ending::Stop(5000 * MS))]);
    assert_eq!(settled(&actions), [(3, &Err(Failure::Cancelled), 0)]);
    assert_eq!(actions[1..], [Action::Recall(W0)]);
    let actions = pool.tell([Event::Returned(W0, vec![first(2)])]);
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)]);
    let _ = pool.tell([Event::EndRequested(Ending::Stop(9000 * MS))]);
    assert_eq!(pool.pass(), [Action::Kill(W0, Why::Ended)]);
    assert_eq!(pool.now, 5000 * MS);
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [(1, &Err(Failure::Cancelled), 1)]);
    assert!(pool.scheduler.is_finished());
}

#[test]
fn the_death_of_the_fork_server_charges_nobody() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], Limits::default());
    assert_eq!(pool.tell([Event::ServerLost("killed".into())]), []);
    let lanes = vec![lane(1, Time::ZERO, 0)];
    let (exit, epitaph) = (Exit::Unknown, String::new());
    let death = Event::WorkerExited { worker: W0, exit, with_server: true, lanes, epitaph };
    assert_eq!(pool.tell([death]), [Action::StartServer]);
    assert_eq!(pool.tell([Event::ServerStarted]), [Action::Spawn(W1, SlotId(0))]);
    let again = Ticket { job: JobId(1), attempt: 2 };
    let actions = pool.ready(W1);
    assert_eq!(actions, [Action::Dispatch(W1, Seq(1), vec![again.into()])]);
}

#[test]
fn a_fork_server_that_makes_no_workers_is_killed() {
    let mut pool = Pool::new(1);
    assert_eq!(pool.exit(W0, vec![]), [Action::Spawn(W1, SlotId(0))]);
    assert_eq!(pool.pass(), [Action::Kill(W1, Why::StartTimedOut), Action::KillServer]);
    assert_eq!(pool.now, 4000 * MS);
}

#[test]
fn a_worker_that_lies_is_killed() {
    let mut pool = Pool::new(1);
    let _ = pool.submit([1], Limits::default());
    let ticket = Ticket { job: JobId(1), attempt: 2 };
    let reply = Reply { run: ticket.into(), ran: (Time::ZERO, Time::ZERO), result: Ok(vec![]) };
    assert_eq!(pool.tell([Event::Replied(W0, reply)]), [Action::Kill(W0, Why::Violated)]);
    let unasked = Event::Returned(W0, vec![first(1)]);
    assert_eq!(pool.tell([unasked]), [], "it is killed only once");
}

#[test]
fn a_worker_that_does_not_answer_a_recall_is_killed() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit(1..=3, Limits::default());
    let _ = pool.tell([Event::CancelRequested { job: JobId(2), kill: false }]);
    assert_eq!(pool.pass(), [Action::Kill(W0, Why::Silent)]);
    assert_eq!(pool.now, 10_000 * MS);
}

#[test]
fn large_arguments_and_jobs_that_must_not_be_lost_have_a_frame_for_themselves() {
    let mut pool = Pool::new(1);
    let submitted = |job, size| Event::Submitted(JobSpec { size, ..spec(job) });
    let actions = pool.tell([submitted(1, 10_000_000), submitted(2, 8), submitted(3, 8)]);
    assert_eq!(actions, [dispatch(W0, 1, [1]), dispatch(W0, 2, [2])]);
    for crash_retries in [0, 1] {
        let mut pool = Pool::new(1);
        let mut frames = pool.submit(1..=100, Limits { crash_retries, ..Limits::default() });
        for job in 1..=6 {
            frames.extend(pool.reply(W0, job, pool.now));
        }
        let sizes = frames.iter().filter_map(|action| match action {
            Action::Dispatch(_, _, runs) => Some(tickets(runs).len()),
            _ => None,
        });
        assert_eq!(sizes.max(), Some(if crash_retries == 0 { 1 } else { 4 }));
    }
}

#[test]
fn large_arguments_do_not_keep_run_threads_idle() {
    let mut scheduler = Scheduler::new(Config {
        most_waiting: 16,
        can_kill: true,
        slots: 1,
        threads: 4,
        prefetch: Prefetch::AtMost(0),
        start_timeout: 4000 * MS,
        restarts: RestartIntensity::of(1),
        server_restarts: RestartIntensity::of_server(),
        processors: 2,
        batch: usize::MAX,
        max_jobs: None,
    });
    let mut tell = |events: Vec<Event>| scheduler.handle(Time::ZERO, events);
    let _ = tell(vec![]);
    let _ = tell(vec![Event::Spawned(W0), Event::WorkerReady(W0)]);
    let large = |job| Event::Submitted(JobSpec { size: 10_000_000, ..spec(job) });
    let actions = tell((1..=5).map(large).collect());
    assert_eq!(actions, (1..=4).map(|job| dispatch(W0, job, [job])).collect::<Vec<_>>());
}

#[test]
fn jobs_that_share_a_frame_with_killers_are_not_charged() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit(1..=100, Limits { crash_retries: 1, ..Limits::default() });
    let mut worker = W0;
    for _ in 0..40 {
        // The first of two is finished, the second kills.
        let actions = pool.exit(worker, vec![lane(2, Time::ZERO, 1)]);
        let innocent = settled(&actions).iter().all(|(job, _, _)| *job != 1);
        assert!(innocent, "{actions:?}");
        worker = WorkerId(worker.0 + 1);
        let actions = pool.ready(worker);
        assert!(
            matches!(&actions[0], Action::Dispatch(_, _, runs) if runs[0].first.job == JobId(1))
        );
    }
}

#[test]
fn a_give_back_that_is_partly_a_lie_is_a_violation_and_loses_nothing() {
    let mut pool = Pool::with(1, Prefetch::AtMost(1));
    let _ = pool.submit(1..=3, Limits::default());
    let _ = pool.tell([Event::CancelRequested { job: JobId(2), kill: false }]);
    for lie in [[first(2), first(2)], [first(2), first(7)]] {
        let _ = pool.tell([Event::Returned(W0, lie.to_vec())]);
    }
    let actions = pool.exit(W0, vec![lane(1, Time::ZERO, 0)]);
    assert_eq!(settled(&actions), [(2, &Err(Failure::Cancelled), 0)], "it was never started");
    assert_eq!(pool.scheduler.queued(), 2, "and the others are still there");
}
