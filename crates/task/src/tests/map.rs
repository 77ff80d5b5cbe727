//! Maps.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use brigade_protocol::id::JobId;

use super::fake::{BAD, Order, Pool, STUCK, double, outputs};
use crate::blob::outside::Blobs;
use crate::bulk::Bulk;
use crate::ends::Outputs;
use crate::executor::Executor;
use crate::host::Host;

fn values<E: std::fmt::Debug>(results: impl Iterator<Item = Result<u64, E>>) -> Vec<u64> {
    results.map(|result| result.unwrap()).collect()
}

#[test]
fn results_come_in_the_order_of_the_input_whatever_ends_first() {
    for order in [Order::First, Order::Last] {
        let pool = Pool::new(order);
        assert_eq!(values(pool.map((0..10).map(double))), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
        assert_eq!(pool.state().inputs, [true, false]);
        assert!(pool.state().cancelled.is_empty());
    }
}

#[test]
fn the_unordered_one_gives_them_as_they_end() {
    let pool = Pool::with(Order::Last, 3, None);
    let results: Vec<_> = pool.map_unordered((0..4).map(double)).collect();
    assert_eq!(results, [(2, Ok(4)), (3, Ok(6)), (1, Ok(2)), (0, Ok(0))]);
    assert_eq!(pool.state().inputs, [true, false]);
}

#[test]
fn nothing_in_is_nothing_out() {
    let pool = Pool::new(Order::First);
    let mut map = pool.map(std::iter::empty::<crate::Job<u64>>());
    assert!(map.next().is_none() && map.next().is_none());
    assert!(pool.map_unordered((0..0).map(double)).next().is_none());
}

#[test]
fn nothing_is_pulled_before_it_is_begun() {
    let pool = Pool::new(Order::First);
    drop(pool.map((0..9).map(|_| -> crate::Job<u64> { panic!("it was pulled") })));
    assert!(pool.state().inputs.is_empty(), "it was never begun");
    let map = pool.map((0..9).map(double)).start();
    assert_eq!(pool.state().queued.len(), 4, "as many as the pool can make use of");
    assert_eq!(values(map).len(), 9);
}

#[test]
fn the_input_is_pulled_no_further_than_the_buffer() {
    for buffer in [1, 2, 7] {
        let (pool, pulled) = (Pool::new(Order::First), Cell::new(0));
        let endless = (0..).map(|x| {
            pulled.set(pulled.get() + 1);
            double(x)
        });
        let mut map = pool.map(endless).buffer(buffer).start();
        assert_eq!(pulled.get(), buffer, "exactly so many");
        for taken in 1..100 {
            map.next().unwrap().unwrap();
            assert!(pulled.get() <= taken + buffer, "{} after {taken}", pulled.get());
        }
        assert!(pool.state().most <= buffer);
    }
    let pool = Pool::new(Order::First);
    assert_eq!(values(pool.map((0..).map(double)).buffer(0).take(3)), [0, 2, 4], "0 is 1");
}

#[test]
fn an_endless_input_ends_with_those_who_take() {
    let pool = Pool::new(Order::First);
    assert_eq!(values(pool.map((0..).map(double)).take(1000)).len(), 1000);
    assert_eq!(pool.map_unordered((0..).map(double)).take(1000).count(), 1000);
    assert_eq!(pool.state().inputs, [true, false, true, false]);
    assert!(pool.state().queued.is_empty(), "what was pulled ahead was cancelled");
}

#[test]
fn large_arguments_are_read_ahead_by_bytes() {
    let pool = Pool::with(Order::None, 100, None);
    let large = (0..).map(|_| crate::Job::<u64>::call("measure", (vec![0_u8; 3 << 20],)));
    let map = pool.map(large).start();
    assert_eq!(pool.state().queued.len(), 3, "the third is the first beyond 8 MiB");
    drop(map);
    let too_large = (0..).map(|_| crate::Job::<u64>::call("measure", (vec![0_u8; 9 << 20],)));
    let _map = pool.map(too_large).start();
    assert_eq!(pool.state().queued.len(), 1, "one goes in any case");
}

#[test]
fn jobs_are_handed_over_in_batches() {
    let pool = Pool::with(Order::First, 1000, None);
    assert_eq!(values(pool.map((0..10_000).map(double))).len(), 10_000);
    let batches = pool.state().batches.len();
    assert!(batches < 100, "{batches}");
}

#[test]
fn jobs_of_an_input_that_is_not_fast_do_not_wait_for_a_whole_batch() {
    let pool = Pool::with(Order::First, 1000, None);
    let input = (0..100).map(|x| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(60) {}
        double(x)
    });
    assert_eq!(values(pool.map(input)).len(), 100);
    let longest = pool.state().batches.iter().copied().max();
    assert!(longest.is_some_and(|longest| longest <= 5), "{longest:?}");
}

/// As of a log that is read and then followed.
#[test]
fn an_input_that_becomes_slow_has_each_job_handed_over_before_it_is_asked_again() {
    let pool = Pool::with_runs(100_000);
    let input = (0..1010).map(|x| {
        if x > 1000 {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(12) {}
        }
        if x > 1001 {
            assert_eq!(pool.state().heard.len() as u64, x, "all before it");
        }
        double(x)
    });
    assert_eq!(values(pool.map(input)).len(), 1010);
}

/// To begin to read takes longer than to take a result.
#[test]
fn nothing_is_read_on_when_the_input_has_ended() {
    let pool = Pool::with_runs(1000);
    let mut results = pool.map((0..900).map(double));
    assert_eq!(results.next(), Some(Ok(0)));
    let asked = pool.state().asked;
    assert_eq!(values(results).len(), 899);
    assert_eq!(pool.state().asked, asked);
}

/// Plain calls travel in runs, the others do not; neither overtake the others.
#[test]
fn jobs_with_options_are_handed_over_in_batches_beside_runs() {
    let pool = Pool::with_runs(1000);
    let job = |x| if x % 100 < 50 { double(x) } else { double(x).retries(1) };
    let expected: Vec<u64> = (0..1000).map(|x| 2 * x).collect();
    assert_eq!(values(pool.map((0..1000).map(job))), expected);
    let state = pool.state();
    assert!(state.batches.len() < 50, "{:?}", state.batches);
    assert_eq!(state.heard, (1..=1000).map(JobId).collect::<Vec<_>>());
}

#[test]
fn the_ends_of_several_runs_may_come_together() {
    let pool = Pool::with_runs(4);
    pool.state().keeps = true;
    let mut bulk = Bulk::new();
    for (number, x) in [3, 4, 5, 6, 7, BAD].into_iter().enumerate() {
        let job = double(x);
        assert!(bulk.push(pool.host(), number as u64, &job.plain().unwrap(), &job));
        if number % 2 == 1 {
            bulk.flush(pool.host());
            // Others submit in between.
            pool.fake.new_id();
        }
    }
    let kept = std::mem::take(&mut pool.state().kept);
    let joined = [outputs(&kept[0]), outputs(&kept[1])].concat();
    bulk.ends.fill(0, 4, Ok(Outputs::Run(joined)), Blobs::default());
    bulk.ends.fill(4, 2, Ok(Outputs::Run(outputs(&kept[2]))), Blobs::default());
    let mut cursor = 0;
    for x in 3..8 {
        assert_eq!(bulk.deliver(&mut cursor), Some(Ok(2 * x)));
    }
    let error = bulk.deliver(&mut cursor).unwrap().unwrap_err();
    assert_eq!(error.job(), JobId(8), "{error}");
    assert_eq!(bulk.bytes(), kept[2].arguments.len());
}

#[test]
fn it_goes_on_after_a_failure() {
    let pool = Pool::new(Order::First);
    let results: Vec<_> = pool.map([1, BAD, 3].map(double)).collect();
    assert_eq!(results[0], Ok(2));
    assert!(results[1].as_ref().unwrap_err().is_failed());
    assert_eq!(results[2], Ok(6));
    assert_eq!(pool.map_unordered([1, BAD, 3].map(double)).filter(|(_, r)| r.is_err()).count(), 1);
}

#[test]
fn dropped_half_way_it_cancels_the_rest() {
    let pool = Pool::new(Order::First);
    let mut map = pool.map((0..).map(double));
    map.next().unwrap().unwrap();
    let queued: Vec<_> = pool.state().queued.iter().map(|submission| submission.job).collect();
    assert_eq!(queued.len(), 3);
    drop(map);
    assert_eq!(pool.state().cancelled, queued);
    assert_eq!(pool.state().inputs, [true, false]);
}

#[test]
fn an_input_that_panics_leaves_no_job_behind() {
    let pool = Pool::new(Order::First);
    let input = || (0..9).map(|x| if x == 2 { panic!("on purpose") } else { double(x) });
    catch_unwind(AssertUnwindSafe(|| pool.map(input()).count())).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| pool.map_unordered(input()).count())).unwrap_err();
    assert!(pool.state().queued.is_empty());
    assert_eq!(pool.state().inputs, [true, false, true, false]);

    let mut map = pool.map(input());
    catch_unwind(AssertUnwindSafe(|| map.next())).unwrap_err();
    let results = catch_unwind(AssertUnwindSafe(|| values(map))).unwrap();
    assert_eq!(results, [0, 2], "what was pulled before is delivered, and there it ends");

    // So many are undelivered that nothing would be read ahead.
    let input = || (0..9).map(|x| if x == 7 { panic!("on purpose") } else { double(x) });
    let mut map = pool.map(input()).buffer(8);
    catch_unwind(AssertUnwindSafe(|| map.next())).unwrap_err();
    assert_eq!(values(map).len(), 7);
    let mut map = pool.map_unordered(input()).buffer(8);
    catch_unwind(AssertUnwindSafe(|| map.next())).unwrap_err();
    assert_eq!(map.count(), 7);
}

#[test]
fn when_the_time_is_over_what_is_finished_is_delivered_and_then_one_error() {
    let pool = Pool::with(Order::First, 8, None);
    let input = [1, 2, STUCK, 4, 5].map(double);
    let mut map = pool.map(input).timeout(Duration::from_millis(5));
    assert_eq!(map.size_hint(), (0, Some(5)));
    assert_eq!(map.next(), Some(Ok(2)));
    assert_eq!(map.next(), Some(Ok(4)));
    let error = map.next().unwrap().unwrap_err();
    let text = error.to_string();
    assert!(error.is_refused(), "{text}");
    assert!(
        text.ends_with("(double): the map's time was over after 5ms, before this job was"),
        "{text}"
    );
    assert_eq!(map.next(), None);
    assert_eq!(map.next(), None, "it is fused");
    assert!(pool.state().queued.is_empty(), "the others are cancelled");

    let input = [1, STUCK, 2].map(double);
    let results: Vec<_> = pool.map_unordered(input).timeout(Duration::from_millis(5)).collect();
    let numbers: Vec<_> =
        results.iter().map(|(number, result)| (*number, result.is_ok())).collect();
    assert_eq!(numbers, [(0, true), (2, true), (1, false)]);
}

#[test]
fn no_time_at_all_is_enough_for_nothing_only() {
    let pool = Pool::new(Order::First);
    assert!(pool.map([].map(double)).timeout(Duration::ZERO).next().is_none());
    let results: Vec<_> = pool.map((0..9).map(double)).timeout(Duration::ZERO).collect();
    assert_eq!(results.len(), 1);
    assert!(results[0].as_ref().unwrap_err().is_refused());
    let results: Vec<_> = pool.map_unordered((0..9).map(double)).timeout(Duration::ZERO).collect();
    assert!(matches!(&results[..], [(0, Err(_))]), "{results:?}");
    assert!(pool.state().queued.is_empty());
}

#[test]
fn where_there_must_be_no_waiting_it_ends_with_an_error() {
    let pool = Pool::new(Order::First);
    pool.state().forbidden = true;
    let results: Vec<_> = pool.map((0..).map(double)).collect();
    assert!(matches!(&results[..], [Err(error)] if error.to_string().ends_with("not here")));
    let results: Vec<_> = pool.map_unordered((0..).map(double)).collect();
    assert!(matches!(&results[..], [(0, Err(_))]));
    assert!(pool.state().queued.is_empty());
}

#[test]
fn a_bounded_queue_is_not_waited_for_with_results_in_hand() {
    for bound in [1, 3] {
        let pool = Pool::with(Order::First, 8, Some(bound));
        assert_eq!(values(pool.map((0..20).map(double))).len(), 20);
        assert_eq!(pool.map_unordered((0..20).map(double)).count(), 20);
        assert_eq!(pool.state().most, bound);
    }
}

#[test]
fn a_job_for_which_there_was_no_place_is_one_that_the_time_was_over_for() {
    let pool = Pool::with(Order::First, 8, Some(1));
    let patience = Duration::from_secs(1);
    let mut map = pool.map([1, 2].map(double)).timeout(patience);
    assert_eq!(map.next(), Some(Ok(2)), "the other one was pulled meanwhile");
    // Until the time is over, of which nothing tells.
    std::thread::sleep(patience);
    assert!(map.next().unwrap().unwrap_err().is_refused());
    assert_eq!(map.next(), None);
}

#[test]
fn the_size_is_known_as_far_as_that_of_the_input_is() {
    let pool = Pool::new(Order::First);
    let mut map = pool.map((0..10).map(double));
    assert_eq!(map.size_hint(), (10, Some(10)));
    for left in (0..10).rev() {
        map.next().unwrap().unwrap();
        assert_eq!(map.size_hint(), (left, Some(left)));
    }
    assert_eq!(format!("{map:?}"), "Map(0 of 10 undelivered)");
    assert_eq!(pool.map((0_u64..).map(double)).size_hint().1, None);
}
