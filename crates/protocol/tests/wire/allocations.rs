//! An allocator that knows how much the present thread holds, and the most it held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread: tests run side by side.
pub(crate) struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what is asked for, granted or not: a request for 2^60 bytes is just what is looked for.
fn take(bytes: usize) {
    let held = HELD.get().saturating_add(bytes);
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

fn give_back(bytes: usize) {
    // What another thread allocated may be freed in this one.
    HELD.set(HELD.get().saturating_sub(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it is. Counting allocates nothing:
// the cells are constants at first and have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may exist side by side for a moment.
        take(size);
        give_back(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Runs `work` and tells how much more memory it held at its worst than before it began.
pub(crate) fn peak<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, PEAK.get().saturating_sub(before))
}

#[test]
fn the_peak_is_what_was_held_at_once() {
    let ((), peak) = peak(|| {
        drop(Vec::<u8>::with_capacity(3000));
        drop((Vec::<u8>::with_capacity(1000), Vec::<u8>::with_capacity(4000)));
    });
    assert_eq!(peak, 5000);
}

#[test]
fn what_is_refused_is_counted() {
    let (refused, peak) = peak(|| Vec::<u8>::new().try_reserve_exact(1 << 60).is_err());
    assert!(refused);
    assert_eq!(peak, 1 << 60);
}
