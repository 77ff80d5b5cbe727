//! The scoreboard, read from pages that are written here by hand.

use brigade_protocol::board::{
    DONE, FINISHED, LANE, LANES, Lane, PAGE, SINCE, STARTED, TOTAL, read,
};
use brigade_protocol::id::Seq;
use proptest::prelude::*;

/// A page on which lane `lane` says this.
fn write(page: &mut [u8], lane: usize, started: u64, since: u64, finished: u64) {
    for (offset, word) in [(STARTED, started), (SINCE, since), (FINISHED, finished)] {
        write_word(page, lane * LANE + offset, word);
    }
}

fn write_word(page: &mut [u8], at: usize, word: u64) {
    page[at..at + 8].copy_from_slice(&word.to_ne_bytes());
}

fn lane(started: u64, since: u64, finished: u64) -> Lane {
    Lane { started: Seq(started), since, finished: Seq(finished), progress: None }
}

#[test]
fn the_layout_is_as_documented() {
    assert_eq!((PAGE, LANE, LANES), (4096, 64, 64));
    assert_eq!((STARTED, SINCE, FINISHED, DONE, TOTAL), (0, 8, 16, 24, 32));
}

#[test]
fn progress_is_told_if_there_is_a_total() {
    let mut page = [0; PAGE];
    write(&mut page, 0, 5, 1000, 4);
    write_word(&mut page, DONE, 3);
    assert_eq!(read(&page)[0].progress, None);
    write_word(&mut page, TOTAL, 7);
    assert_eq!(read(&page)[0].progress, Some((3, 7)));
    write_word(&mut page, DONE, u64::MAX);
    assert_eq!(read(&page)[0].progress, Some((u64::MAX, 7)), "nobody says that it is less");
    write(&mut page, 1, 6, 1000, 6);
    assert_eq!(read(&page)[1].progress, None, "each lane has its own");
}

#[test]
fn unused_lanes_are_left_out() {
    let mut page = [0; PAGE];
    assert_eq!(read(&page), []);
    write(&mut page, 0, 5, 1000, 4);
    write(&mut page, 3, 6, 2000, 6);
    write(&mut page, LANES - 1, u64::MAX, u64::MAX, 0);
    assert_eq!(read(&page), [lane(5, 1000, 4), lane(6, 2000, 6), lane(u64::MAX, u64::MAX, 0)]);
}

/// `since` is written before `started`: a lane between the two has not started anything yet.
#[test]
fn a_lane_that_has_only_a_time_is_unused() {
    let mut page = [0; PAGE];
    write(&mut page, 0, 0, 1000, 0);
    assert_eq!(read(&page), []);
}

#[test]
fn a_lane_runs_what_it_started_and_has_not_finished() {
    assert_eq!(lane(5, 1, 4).running(), Some(Seq(5)));
    assert_eq!(lane(5, 1, 0).running(), Some(Seq(5)));
    assert_eq!(lane(5, 1, 5).running(), None);
    assert_eq!(lane(5, 1, 6).running(), None, "`finished` was read a call later than `started`");
    assert_eq!(Lane::default().running(), None);
}

#[test]
fn a_short_page_gives_fewer_lanes() {
    let mut page = [0; PAGE];
    for number in 0..LANES {
        write(&mut page, number, number as u64 + 1, 7, 0);
    }
    for length in 0..=PAGE {
        let lanes = read(&page[..length]);
        assert_eq!(lanes.len(), length / LANE);
        assert_eq!(lanes.last().map_or(0, |lane| lane.started.0), (length / LANE) as u64);
    }
}

proptest! {
    /// Workers may write anything there.
    #[test]
    fn any_page_can_be_read(page in proptest::collection::vec(any::<u8>(), 0..=PAGE)) {
        let lanes = read(&page);
        prop_assert!(lanes.len() <= LANES);
        prop_assert!(lanes.iter().all(|lane| lane.started != Seq(0)));
    }
}
