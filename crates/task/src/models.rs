//! What is built of locks here, in every order in which its threads can come to them. Run by `.ci/models`.
//!
//! Loom fails a test whose threads all wait for ever, so each that ends has shown that no wake-up is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use brigade_protocol::id::JobId;
use loom::{model, thread};

use crate::bound::Bound;
use crate::cell::{Arrivals, Cell, Settlement, park_until};
use crate::ends::{Ends, Outputs};
use crate::executor::Executor;
use crate::host::Host;
use crate::outside::Blobs;
use crate::pack::{Circumstances, Claim, Pack};
use crate::tests::fake::{Order, Pool};

/// An end that can be told from others by its job.
fn end(number: u64) -> Settlement {
    Settlement::bare(JobId(number), Ok(Vec::new()))
}

fn spawn_filler(cell: &Arc<Cell>, number: u64) -> thread::JoinHandle<()> {
    let cell = Arc::clone(cell);
    thread::spawn(move || cell.fill(end(number)))
}

/// Counts how often something was told. Not loom's: it takes no part.
#[derive(Default)]
struct Told(AtomicUsize);

impl Told {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Three want the one place. Each gets it, and none while another has it.
#[test]
fn a_place_is_never_given_twice_and_nobody_waits_for_a_free_one() {
    model(|| {
        let (bound, inside) = (Bound::new(1), Arc::new(AtomicUsize::new(0)));
        let go_in = |bound: &Arc<Bound>, inside: &AtomicUsize| {
            let permit = bound.enter();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have the one place");
            thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(permit);
        };
        let others = [(); 2].map(|()| {
            let (bound, inside) = (Arc::clone(&bound), Arc::clone(&inside));
            thread::spawn(move || go_in(&bound, &inside))
        });
        go_in(&bound, &inside);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(bound.try_enter().is_some(), "the place has come back");
    });
}

/// Two places that are freed one after the other let two in, although each wakes only one.
#[test]
fn each_freed_place_lets_one_in() {
    model(|| {
        let bound = Bound::new(2);
        let held = [bound.enter(), bound.enter()];
        assert!(bound.try_enter().is_none(), "there is no third");
        let waiters = [(); 2].map(|()| {
            let bound = Arc::clone(&bound);
            thread::spawn(move || std::mem::forget(bound.enter()))
        });
        held.into_iter().for_each(drop);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert!(bound.try_enter().is_none(), "both places are taken");
    });
}

/// Two threads wait for a cell, each in the way in which a thread does.
#[test]
fn everybody_who_parks_for_an_end_gets_it() {
    model(|| {
        let cell = Arc::<Cell>::default();
        let wait = |cell: &Cell| {
            assert!(park_until(None, || cell.watch_by_thread()));
            assert_eq!(cell.peek(|end| end.job), Some(JobId(1)));
        };
        let other = Arc::clone(&cell);
        let other = thread::spawn(move || wait(&other));
        let filler = spawn_filler(&cell, 1);
        wait(&cell);
        other.join().unwrap();
        filler.join().unwrap();
    });
}

/// Two settle one job while somebody looks: the first end stands.
#[test]
fn the_first_end_stands() {
    model(|| {
        let (cell, told) = (Arc::<Cell>::default(), Arc::<Told>::default());
        let callback = Arc::clone(&told);
        cell.call_back(move || callback.wake());
        let fillers = [1, 2].map(|number| spawn_filler(&cell, number));
        let seen = cell.peek(|end| end.job);
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
        let last = cell.peek(|end| end.job);
        assert!(last.is_some());
        assert!(seen.is_none() || seen == last, "{last:?} came after {seen:?}");
        assert_eq!(told.count(), 1);
    });
}

/// A callback and a waker that come while the end does are told of it once; unless the latter was told at
/// once that the end is there.
#[test]
fn callbacks_and_wakers_are_told_once() {
    model(|| {
        let (cell, called, woken) =
            (Arc::<Cell>::default(), Arc::<Told>::default(), Arc::<Told>::default());
        let filler = spawn_filler(&cell, 1);
        let callback = Arc::clone(&called);
        cell.call_back(move || callback.wake());
        let was_there = cell.watch_by_task(&Waker::from(Arc::clone(&woken)), None);
        filler.join().unwrap();
        assert_eq!(called.count(), 1);
        assert_eq!(woken.count(), usize::from(!was_there));
    });
}

/// The loop of [`Gathering::wait`](crate::gather::Gathering): listen, park, take.
#[test]
fn every_arrival_is_taken_once() {
    model(|| {
        let (arrivals, cells) =
            (Arc::<Arrivals>::default(), [(); 2].map(|()| Arc::<Cell>::default()));
        let fillers = [0, 1].map(|at| spawn_filler(&cells[at], at as u64));
        for (number, cell) in cells.iter().enumerate() {
            cell.watch_by_arrivals(&arrivals, number);
        }
        let mut taken = [0; 2];
        for _ in 0..2 {
            if !arrivals.listen() {
                park_until(None, || !arrivals.is_empty());
            }
            taken[arrivals.pop().expect("one has come")] += 1;
        }
        assert_eq!(taken, [1, 1]);
        assert_eq!(arrivals.pop(), None);
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
    });
}

/// The ends of a run come in pieces from two threads, and one takes them in order, as a map does.
#[test]
fn the_ends_of_a_run_are_taken_in_order_by_who_waits_for_them() {
    model(|| {
        let ends = Arc::new(Ends::default());
        let fillers = [(1, 1), (0, 1)].map(|(number, count)| {
            let ends = Arc::clone(&ends);
            thread::spawn(move || {
                let mut outputs = Vec::new();
                brigade_protocol::codec::push_output(0, &[7], &mut outputs);
                ends.fill(number, count, Ok(Outputs::Run(outputs)), Blobs::default());
            })
        });
        for number in 0..2 {
            if !ends.watch(number) {
                assert!(park_until(None, || ends.is_there(number)));
            }
            let mut piece = ends.take(number).expect("it is there");
            let output = piece.next_of_several().expect("there is one");
            assert_eq!(output, [7]);
            assert!(!piece.has_more());
        }
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
    });
}

/// Of whom nothing is asked.
fn host() -> Arc<dyn Host> {
    Arc::clone(Pool::new(Order::None).host())
}

/// One waits for the end of a call in a pack, as a future does, while the ends of all come. Not the thread that
/// joins the others: loom has it that nobody is unparked late there.
#[test]
fn who_waits_for_a_place_of_a_pack_is_told() {
    model(|| {
        let pack = Arc::new(Pack::new(JobId(1), "task".into(), host()));
        let fill = |pack: &Pack, place| {
            let outputs = Ok(Outputs::One(vec![7]));
            pack.fill((place, 1), outputs, Blobs::default(), Circumstances::default());
        };
        let [idle, waiter] = [0, 1].map(|place| Claim::first(&pack, place));
        let waiter = thread::spawn(move || {
            if !waiter.has_ended() && !waiter.cell().watch_by_thread() {
                assert!(park_until(None, || waiter.has_ended()));
            }
            assert_eq!(waiter.peek(|result, _| result.is_ok()), Some(true));
        });
        let other = Arc::clone(&pack);
        let other = thread::spawn(move || fill(&other, 0));
        fill(&pack, 1);
        other.join().unwrap();
        waiter.join().unwrap();
        assert!(idle.has_ended());
    });
}

/// A claim is cloned and both are let go of, while the end comes. They have it, and nothing is left.
#[test]
fn an_end_is_kept_as_long_as_there_are_claims_to_it() {
    model(|| {
        let pack = Arc::new(Pack::new(JobId(1), "task".into(), host()));
        let claim = Claim::first(&pack, 0);
        let holder = thread::spawn(move || {
            let ended = claim.has_ended();
            let twin = claim.clone();
            drop(claim);
            assert!(!ended || twin.has_ended());
        });
        let outputs = Ok(Outputs::One(vec![7]));
        pack.fill((0, 1), outputs, Blobs::default(), Circumstances::default());
        holder.join().unwrap();
        assert_eq!(pack.pieces(), 0);
    });
}
