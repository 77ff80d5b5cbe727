//! The ends of jobs that share one place for them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::JobId;

use crate::blob::outside::Blobs;
use crate::cell::Arrivals;
use crate::ends::Outputs;
use crate::origin::Origin;
use crate::pack::{Circumstances, Pack};

const FIRST: JobId = JobId(40);

fn second() -> Duration {
    Duration::from_secs(1)
}

fn circumstances(ran: Option<(Duration, Duration)>) -> Circumstances {
    Circumstances { attempts: 1, worker: None, submitted: second(), ran }
}

/// The outputs of jobs, each its number, that took so many nanoseconds.
fn run(jobs: &[(u8, u64)]) -> Outputs {
    let mut outputs = Vec::new();
    for (number, elapsed) in jobs {
        codec::push_output(*elapsed, &[*number], &mut outputs);
    }
    Outputs::Run(outputs)
}

fn output(pack: &Pack, place: u32) -> Option<Vec<u8>> {
    pack.peek(place, |result, _| result.expect("it succeeded").to_vec())
}

#[test]
fn each_end_is_found_in_whatever_order_and_pieces_it_came() {
    let pack = Pack::new(FIRST);
    pack.fill((3, 2), Ok(run(&[(3, 0), (4, 0)])), Blobs::default(), circumstances(None));
    pack.fill((1, 1), Ok(Outputs::One(vec![1])), Blobs::default(), circumstances(None));
    let found = [5, 4, 0, 3, 1, 2].map(|place| output(&pack, place));
    assert_eq!(found, [None, Some(vec![4]), None, Some(vec![3]), Some(vec![1]), None]);
}

#[test]
fn who_asks_for_a_cell_has_all_that_is_known_of_the_end_however_early() {
    let (pack, told) = (Arc::new(Pack::new(FIRST)), Arc::new(Mutex::new(Vec::new())));
    let watch = |place| {
        let (cell, told) = (Origin::Pack(Arc::clone(&pack), place).cell(), Arc::clone(&told));
        let filled = Arc::clone(&cell);
        cell.call_back(move || {
            let end = filled.peek(Clone::clone).expect("it is called back at the end");
            told.lock().unwrap().push((end.job, end.result, end.submitted, end.ran));
        });
    };
    [0, 1, 2].into_iter().for_each(watch);
    let ran = Some((second(), 2 * second()));
    pack.fill((0, 2), Ok(run(&[(7, 5), (8, 6)])), Blobs::default(), circumstances(ran));
    [1].into_iter().for_each(watch);

    let after = |nanos| second() + Duration::from_nanos(nanos);
    let first = (JobId(40), Ok(vec![7]), second(), Some((after(0), after(5))));
    let next = (JobId(41), Ok(vec![8]), second(), Some((after(5), after(11))));
    assert_eq!(*told.lock().unwrap(), [first, next.clone(), next]);
    assert!(!pack.has(2), "the third has not ended");
}

#[test]
fn an_error_is_that_of_one_job() {
    let pack = Pack::new(FIRST);
    let error = JobError::unstarted(JobId(41), "noop".to_owned(), None, Failure::Cancelled);
    pack.fill((1, 1), Err(error.clone()), Blobs::default(), circumstances(None));
    assert_eq!(
        pack.peek(1, |result, _| result.map(<[u8]>::to_vec).map_err(Clone::clone)),
        Some(Err(error))
    );
    assert!(!pack.has(0) && !pack.has(2));
    pack.fill((0, 1), Ok(Outputs::One(vec![9])), Blobs::default(), circumstances(None));
    assert_eq!(output(&pack, 0), Some(vec![9]));
}

#[test]
fn ends_are_noted_where_they_are_watched_for() {
    let (pack, arrivals) = (Pack::new(FIRST), Arc::<Arrivals>::default());
    for (place, number) in [(0, 10), (1, 11), (2, 12)] {
        pack.watch_by_arrivals(place, &arrivals, number);
    }
    pack.watch_by_arrivals(1, &Arc::default(), 13);
    pack.fill((1, 2), Ok(run(&[(1, 0), (2, 0)])), Blobs::default(), circumstances(None));
    pack.watch_by_arrivals(2, &arrivals, 14);
    let noted: Vec<_> = std::iter::from_fn(|| arrivals.pop()).collect();
    assert_eq!(noted, [11, 12, 14]);
}
