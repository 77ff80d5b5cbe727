//! Blobs: whole wherever they travel, and not copied where they need not be.

use brigade::{Blob, Context, Executor, Job, ThreadPool, task};
use brigade_tests::DEADLINE;
use brigade_tests::process::{self, until};
use serde::{Deserialize, Serialize};

use crate::support::{assert_intact, builder, error, pool, value};

const MIB: usize = 1 << 20;

/// Around the size from which a blob travels by itself, and from which it is copied directly.
const SIZES: [usize; 9] = [
    0,
    1,
    56 * 1024 - 1,
    56 * 1024,
    56 * 1024 + 1,
    256 * 1024 - 1,
    256 * 1024,
    256 * 1024 + 1,
    5 * MIB + 7,
];

/// Gives it back.
#[task]
fn bring(blob: Blob) -> Blob {
    blob
}

/// Gives so many bytes, each of which is X.
#[task]
fn make(bytes: usize, x: u8) -> Blob {
    vec![x; bytes].into()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Album {
    title: String,
    pictures: Vec<Blob>,
    cover: Option<Blob>,
    #[serde(with = "serde_bytes")]
    sleeve: Vec<u8>,
}

/// The album with its pictures the other way round, and how many bytes they have.
#[task]
fn reverse(mut album: Album) -> (usize, Album) {
    let bytes = album.pictures.iter().map(|picture| picture.len()).sum();
    album.pictures.reverse();
    (bytes, album)
}

/// Makes bytes of it that may be changed, and tells whether they are where they were.
fn has_for_itself(blob: Blob) -> bool {
    let address = blob.as_ptr();
    let bytes = Vec::from(blob);
    bytes.as_ptr() == address
}

/// Whether a job has its blob for itself; behind which comes what is too large for a message as well.
#[task]
fn has_it_for_itself(blob: Blob, _behind: String) -> bool {
    has_for_itself(blob)
}

/// Has another job bring it.
#[task]
fn delegate(context: &Context, blob: Blob) -> brigade::Result<Blob> {
    let brought = context.submit(bring(blob.clone()));
    let brought = context.wait(brought)?;
    assert_eq!(brought, blob);
    Ok(brought)
}

/// Crashes the first two times.
#[task]
fn crash_twice(context: &Context, blob: Blob) -> Blob {
    if context.attempt() < 3 {
        std::process::abort();
    }
    blob
}

/// Fails the first time.
#[task]
fn fail_once(context: &Context, blob: Blob) -> Result<Blob, String> {
    if context.attempt() == 1 { Err("once".to_owned()) } else { Ok(blob) }
}

/// Bytes that tell where they are.
fn noise(bytes: usize) -> Blob {
    let mut state = bytes as u64 | 1;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(byte).collect::<Vec<u8>>().into()
}

fn album() -> Album {
    Album {
        title: "summer".to_owned(),
        pictures: SIZES.map(noise).into(),
        cover: Some(noise(MIB)),
        sleeve: noise(300_000).into(),
    }
}

fn check_all(pool: &impl Executor) {
    for size in SIZES {
        let blob = noise(size);
        assert_eq!(value(pool.submit(bring(blob.clone()))), blob, "{size} bytes");
    }
    let (bytes, turned) = value(pool.submit(reverse(album())));
    assert_eq!(bytes, SIZES.iter().sum::<usize>());
    let pictures = album().pictures.into_iter().rev().collect();
    assert_eq!(turned, Album { pictures, ..album() });
    assert_eq!(value(pool.submit(delegate(noise(3 * MIB)))), noise(3 * MIB));
    assert_eq!(value(pool.submit(fail_once(noise(MIB)).retries(1))), noise(MIB));
    let call: Job<Blob> = Job::call("bring", (noise(MIB),));
    assert_eq!(value(pool.submit(call)), noise(MIB), "encoded beforehand");
}

#[test]
fn blobs_arrive_whole_by_either_road_in_any_place() {
    for direct in [true, false] {
        let pool = builder(2).direct(direct).build().unwrap();
        check_all(&pool);
        let again = value(pool.submit(crash_twice(noise(2 * MIB))));
        assert_eq!(again, noise(2 * MIB), "it is sent again to each worker");
        assert_intact(&pool, 2);
    }
    check_all(&ThreadPool::builder().workers(2).build().unwrap());
    assert_eq!(bring(noise(MIB)).run().unwrap(), noise(MIB));
    assert_eq!(delegate(noise(MIB)).run().unwrap(), noise(MIB));
}

#[test]
fn maps_over_blobs_and_to_blobs() {
    let pool = pool(2);
    let brought = pool.map((0..20).map(|n| bring(noise(n * 40_000))));
    for (n, blob) in brought.enumerate() {
        assert_eq!(blob.unwrap(), noise(n * 40_000));
    }
    // Plain calls, which travel together.
    let made = pool.map((0..200).map(|n| make(usize::from(n) * 5_000, n)));
    for (n, blob) in made.enumerate() {
        let blob = blob.unwrap();
        assert_eq!(blob.len(), n * 5_000);
        assert!(blob.iter().all(|byte| usize::from(*byte) == n));
    }
}

#[test]
fn who_gets_a_blob_has_it_for_himself_and_changes_it_without_a_copy() {
    for direct in [true, false] {
        let pool = builder(1).direct(direct).build().unwrap();
        let behind = "x".repeat(300_000);
        assert!(value(pool.submit(has_it_for_itself(noise(MIB), behind))), "{direct}: a job");
        for result in pool.map((0..3).map(|n| make(MIB, n))) {
            assert!(has_for_itself(result.unwrap()), "{direct}: the client");
        }
    }
}

#[test]
fn within_this_process_a_blob_is_the_same_memory_for_all() {
    let blob = noise(MIB);
    let own = blob.as_ptr();
    assert_eq!(bring(blob.clone()).run().unwrap().as_ptr(), own);
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    assert_eq!(value(pool.submit(bring(blob.clone()))).as_ptr(), own);
    assert_eq!(value(pool.submit(delegate(blob.clone()))).as_ptr(), own);
    drop(pool);
    let bytes = Vec::from(blob);
    assert_eq!(bytes.as_ptr(), own, "nobody shares it any more");
}

/// It keeps the room for a while, in case there is more to come.
#[test]
fn a_worker_that_is_left_in_peace_gives_the_room_for_blobs_back() {
    let pool = builder(1).max_output(128 * MIB as u64).build().unwrap();
    let pid = *assert_intact(&pool, 1).iter().next().unwrap();
    let size = || process::size_kib(pid, "VmRSS").expect("it is alive");
    let before = size();
    assert_eq!(value(pool.submit(bring(vec![1; 100 * MIB].into()))).len(), 100 * MIB);
    until("the worker to be small again", DEADLINE, || (size() < before + 16 * 1024).then_some(()));
}

#[test]
fn blobs_count_for_the_limit_of_outputs() {
    let pool = builder(1).max_output(MIB as u64).build().unwrap();
    assert_eq!(value(pool.submit(make(MIB - 100, 1))).len(), MIB - 100);
    let end = error(pool.submit(make(MIB, 1)));
    assert!(end.is_undecodable(), "{end}");
    assert!(end.to_string().contains("is larger than the limit of 1048576 bytes"), "{end}");
    assert_intact(&pool, 1);
}

#[test]
fn in_json_a_blob_is_bytes() {
    let pool = pool(1);
    assert_eq!(value(pool.submit(Job::json("bring", "[[1, 2, 255]]"))), "[1,2,255]");
    assert_eq!(value(pool.submit(Job::word("bring", "hi"))), "[104,105]");
    let zeros = value(pool.submit(Job::json("make", "[100000, 0]")));
    assert_eq!(zeros.len(), 200_001, "large ones, too");
    assert_eq!(format!("{:?}", noise(MIB)), "Blob(1048576 bytes)");
}
