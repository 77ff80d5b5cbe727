//! Every promise of the scheduler, against any fate.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::prelude::*;
use super::world::{Fate, World};

fn limits() -> impl Strategy<Value = Limits> {
    let timeout = prop_oneof![Just(None), (1u64..2000).prop_map(Some)];
    (timeout, 0u32..3, 0u32..3, -1i8..2).prop_map(|(timeout, retries, crash_retries, priority)| {
        Limits { timeout: timeout.map(Duration::from_millis), retries, crash_retries, priority }
    })
}

fn fate() -> impl Strategy<Value = Fate> {
    let n = 0usize..16;
    prop_oneof![
        12 => (limits(), prop_oneof![2 => Just(1u32), 1 => 2u32..50], any::<bool>())
            .prop_map(|(limits, count, together)| Fate::Submit(limits, count, together)),
        2 => n.clone().prop_map(Fate::Cancel),
        8 => n.clone().prop_map(Fate::Ready),
        14 => n.clone().prop_map(Fate::Start),
        12 => (n.clone(), prop::bool::weighted(0.8)).prop_map(|(n, well)| Fate::Finish(n, well)),
        6 => (n.clone(), 1usize..12).prop_map(|(n, count)| Fate::Hurry(n, count)),
        12 => (n.clone(), 1usize..12).prop_map(|(n, most)| Fate::Report(n, most)),
        4 => n.clone().prop_map(Fate::GiveBack),
        1 => n.clone().prop_map(Fate::Lie),
        1 => n.clone().prop_map(Fate::LieInReturn),
        2 => n.clone().prop_map(Fate::Grow),
        3 => n.clone().prop_map(Fate::Die),
        1 => Just(Fate::ServerDies),
        2 => prop::bool::weighted(0.8).prop_map(Fate::ServerStarts),
        2 => any::<bool>().prop_map(Fate::Input),
        6 => (n.clone(), limits()).prop_map(|(n, limits)| Fate::Nest(n, limits)),
        2 => (n.clone(), any::<bool>()).prop_map(|(n, client)| Fate::Reserve(n, client)),
        2 => (n.clone(), limits()).prop_map(|(n, limits)| Fate::SubmitReserved(n, limits)),
        1 => n.clone().prop_map(Fate::Abandon),
        8 => (n.clone(), [0usize..32, 0usize..32]).prop_map(|(n, jobs)| Fate::Wait(n, jobs)),
        1 => n.clone().prop_map(Fate::WaitOver),
        1 => n.clone().prop_map(Fate::Kill),
        1 => (1u32..6).prop_map(Fate::Resize),
        6 => prop_oneof![1u64..5, 1u64..3000].prop_map(Fate::Sleep),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let prefetch = prop_oneof![Just(Prefetch::Auto), (0u32..4).prop_map(Prefetch::AtMost)];
    let max_jobs = prop_oneof![Just(None), (1u64..6).prop_map(Some)];
    let batch = prop_oneof![Just(usize::MAX), 1usize..5];
    (1u32..5, 1u16..4, prefetch, batch, 0usize..8, max_jobs).prop_map(
        |(slots, threads, prefetch, batch, max, max_jobs)| Config {
            slots,
            threads,
            most_waiting: 3,
            can_kill: true,
            prefetch,
            start_timeout: Duration::from_secs(5),
            restarts: RestartIntensity { max, within: Duration::from_secs(3) },
            server_restarts: RestartIntensity::of_server(),
            processors: 2,
            batch,
            max_jobs,
        },
    )
}

fn ending() -> impl Strategy<Value = Option<Ending>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Ending::Drain)),
        1 => (0u64..3000).prop_map(|grace| Some(Ending::Stop(Duration::from_millis(grace)))),
        1 => Just(Some(Ending::Abort)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Settled exactly once, never two attempts at once, charged only what ran, every wait ends: the
    /// world checks each action, and the end.
    #[test]
    fn every_job_is_settled_exactly_once(
        config in config(),
        frames in 0u32..5,
        before in prop::collection::vec(fate(), 0..150),
        ending in ending(),
        after in prop::collection::vec(fate(), 0..40),
    ) {
        let mut world = World::new(config);
        world.teach(frames);
        for fate in before.into_iter().chain(ending.map(Fate::End)).chain(after) {
            world.apply(fate);
        }
        world.finish();
    }

    #[test]
    fn equal_events_give_equal_actions(
        config in config(),
        fates in prop::collection::vec(fate(), 0..80),
    ) {
        let run = || {
            let mut world = World::new(config.clone());
            for fate in fates.clone() {
                world.apply(fate);
            }
            world.log
        };
        prop_assert_eq!(run(), run());
    }

    /// A worker program that cannot start must not be started for ever.
    #[test]
    fn a_pool_that_cannot_start_gives_up(slots in 1u32..5, max in 0usize..8, wait in any::<bool>()) {
        let mut world = World::new(Config {
            slots,
            threads: 1,
            most_waiting: 8,
            can_kill: true,
            prefetch: Prefetch::Auto,
            start_timeout: Duration::from_secs(4),
            restarts: RestartIntensity { max, within: Duration::from_hours(1) },
            server_restarts: RestartIntensity::of_server(),
            processors: 2,
            batch: usize::MAX,
            max_jobs: None,
        });
        world.apply(Fate::Submit(Limits::default(), 1, false));
        for _ in 0..100 {
            if !wait && world.alive() > 0 {
                world.apply(Fate::Die(0));
            } else if let Some(deadline) = world.scheduler.next_deadline() {
                world.now = world.now.max(deadline);
                world.tell(Event::TimePassed);
                // Hung at its start, and the fork server with it.
                world.apply(Fate::ServerDies);
                world.apply(Fate::ServerStarts(true));
            }
        }
        let settled = world.settled.get(&JobId(0)).map(|settled| &settled.result);
        prop_assert!(matches!(settled, Some(Err(Failure::PoolGaveUp(_)))), "{settled:?}");
        let spawns = world.log.iter().filter(|action| matches!(action, Action::Spawn(..))).count();
        prop_assert!(spawns <= (max + 12) * slots as usize, "{spawns} starts");
    }
}
