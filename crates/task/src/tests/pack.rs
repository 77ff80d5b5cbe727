//! The ends of jobs that share one place for them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brigade_protocol::codec;
use brigade_protocol::error::{Failure, JobError};
use brigade_protocol::id::JobId;

use crate::blob::outside::Blobs;
use crate::cell::Arrivals;
use crate::ends::Outputs;
use crate::executor::Executor;
use crate::future::Future;
use crate::host::Host;
use crate::pack::{Circumstances, Claim, Pack};

use super::fake::{Order, Pool};

const FIRST: JobId = JobId(40);

fn host() -> Arc<dyn Host> {
    Arc::clone(Pool::new(Order::None).host())
}

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

/// A pack of so many jobs, and the claims to their ends.
fn pack<const JOBS: u32>() -> (Arc<Pack>, Vec<Claim>) {
    let pack = Arc::new(Pack::new(FIRST, "task".into(), host()));
    let claims = (0..JOBS).map(|place| Claim::first(&pack, place)).collect();
    (pack, claims)
}

fn output(claim: &Claim) -> Option<Vec<u8>> {
    claim.peek(|result, _| result.expect("it succeeded").to_vec())
}

#[test]
fn each_end_is_found_in_whatever_order_and_pieces_it_came() {
    let (pack, claims) = pack::<6>();
    pack.fill((3, 2), Ok(run(&[(3, 0), (4, 0)])), Blobs::default(), circumstances(None));
    pack.fill((1, 1), Ok(Outputs::One(vec![1])), Blobs::default(), circumstances(None));
    let found = [5, 4, 0, 3, 1, 2].map(|place: usize| output(&claims[place]));
    assert_eq!(found, [None, Some(vec![4]), None, Some(vec![3]), Some(vec![1]), None]);
}

#[test]
fn who_asks_for_a_cell_has_all_that_is_known_of_the_end_however_early() {
    let ((pack, claims), told) = (pack::<3>(), Arc::new(Mutex::new(Vec::new())));
    let watch = |place: usize| {
        let (cell, told) = (claims[place].cell(), Arc::clone(&told));
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
    assert!(!claims[2].has_ended());
}

#[test]
fn an_error_is_that_of_one_job() {
    let (pack, claims) = pack::<3>();
    let error = JobError::unstarted(JobId(41), "noop".to_owned(), None, Failure::Cancelled);
    pack.fill((1, 1), Err(error.clone()), Blobs::default(), circumstances(None));
    assert_eq!(
        claims[1].peek(|result, _| result.map(<[u8]>::to_vec).map_err(Clone::clone)),
        Some(Err(error))
    );
    assert!(!claims[0].has_ended() && !claims[2].has_ended());
    pack.fill((0, 1), Ok(Outputs::One(vec![9])), Blobs::default(), circumstances(None));
    assert_eq!(output(&claims[0]), Some(vec![9]));
}

#[test]
fn ends_are_noted_where_they_are_watched_for() {
    let ((pack, claims), arrivals) = (pack::<3>(), Arc::<Arrivals>::default());
    for (claim, number) in claims.iter().zip(10..) {
        claim.watch_by_arrivals(&arrivals, number);
    }
    claims[1].watch_by_arrivals(&Arc::default(), 13);
    pack.fill((1, 2), Ok(run(&[(1, 0), (2, 0)])), Blobs::default(), circumstances(None));
    claims[2].watch_by_arrivals(&arrivals, 14);
    let noted: Vec<_> = std::iter::from_fn(|| arrivals.pop()).collect();
    assert_eq!(noted, [11, 12, 14]);
}

/// Or else a thousand large outputs would be there until the last of them has been looked at.
#[test]
fn what_nobody_has_a_claim_to_is_not_kept() {
    let (pack, mut claims) = pack::<5>();
    let twin = claims[4].clone();
    let fill = |place, count, outputs| {
        pack.fill((place, count), Ok(outputs), Blobs::default(), circumstances(None));
    };
    fill(0, 1, Outputs::One(vec![0]));
    fill(1, 2, run(&[(1, 0), (2, 0)]));
    assert_eq!(pack.pieces(), 2);
    drop(claims.drain(..2));
    assert_eq!(pack.pieces(), 1, "a neighbour is still wanted");
    assert_eq!(output(&claims[0]), Some(vec![2]));
    // Before they come, too.
    let cell = claims[1].cell();
    claims.clear();
    assert_eq!(pack.pieces(), 0);
    fill(3, 1, Outputs::One(vec![3]));
    assert_eq!(pack.pieces(), 0);
    assert_eq!(cell.peek(|end| end.result.clone()), Some(Ok(vec![3])));
    fill(4, 1, Outputs::One(vec![4]));
    assert_eq!(output(&twin), Some(vec![4]));
    drop(twin);
    assert_eq!(pack.pieces(), 0);
}

/// A million of them are held at once, in memory that is new: each byte takes time.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_future_is_small() {
    assert_eq!(size_of::<Future<String>>(), 40);
}
