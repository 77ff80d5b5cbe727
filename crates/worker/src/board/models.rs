//! A lane of the scoreboard, read word by word while a run thread writes it. Run by `.ci/models`.

use std::sync::Arc;

use brigade_protocol::board::{LANE, read};
use loom::{model, thread};

use super::*;

/// Copies the words one after the other, from the lowest offset upwards.
fn copy(lane: &Lane) -> Vec<u8> {
    let words = [&lane.started, &lane.since, &lane.finished, &lane.done, &lane.total];
    let copied = words.into_iter().flat_map(|word| word.load(Ordering::Acquire).to_ne_bytes());
    let mut bytes: Vec<u8> = copied.collect();
    bytes.resize(LANE, 0);
    bytes
}

/// The second of two calls is read of while the first one ends and it runs itself.
#[test]
fn what_is_read_of_a_call_is_no_earlier_ones() {
    model(|| {
        let lane = Arc::new(Lane::default());
        let own = Arc::clone(&lane);
        let run_thread = thread::spawn(move || {
            own.start(Seq(1), 10);
            own.progress(3, 4);
            own.finish(Seq(1));
            own.start(Seq(2), 20);
            own.progress(1, 2);
            own.finish(Seq(2));
        });
        for seen in read(&copy(&lane)) {
            match seen.started {
                Seq(1) => assert!(seen.since == 10 || seen.since == 20),
                Seq(2) => {
                    assert_eq!(seen.since, 20);
                    assert!([None, Some((0, 2)), Some((1, 2))].contains(&seen.progress));
                }
                seq => panic!("{seq} never was"),
            }
            // It has been finished if another one was.
            assert!(seen.finished != Seq(2) || seen.running().is_none());
        }
        run_thread.join().unwrap();
    });
}

/// Somebody knows that the first of two calls has ended.
#[test]
fn a_call_that_has_ended_does_not_seem_to_run() {
    model(|| {
        let lane = Arc::new(Lane::default());
        let own = Arc::clone(&lane);
        lane.start(Seq(1), 10);
        lane.finish(Seq(1));
        let run_thread = thread::spawn(move || {
            own.start(Seq(2), 20);
            own.finish(Seq(2));
        });
        let running = read(&copy(&lane)).into_iter().find_map(|lane| lane.running());
        assert!(running.is_none_or(|seq| seq == Seq(2)));
        run_thread.join().unwrap();
        assert!(read(&copy(&lane)).iter().all(|lane| lane.running().is_none()));
    });
}
