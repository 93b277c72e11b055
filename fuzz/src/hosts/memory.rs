//! An allocator that can be asked: how much memory something took at most, and whether a piece came from Rust or from C.
//!
//! It is the allocator of the whole program: each fuzz target of a host, and each test that replays one, has it.

// An allocator cannot be written without: `GlobalAlloc` is an unsafe trait. This one only counts and hands on to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Asked;

/// Bytes in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
/// The most that were in use since somebody began to look.
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Pieces of one call that are remembered; no call leaves so many behind.
const REMEMBERED: usize = 256;

thread_local! {
    /// What this thread has allocated and not given back since [`left_behind`] has begun.
    static LEFT: [Cell<usize>; REMEMBERED] = const { [const { Cell::new(0) }; REMEMBERED] };
    static NEXT: Cell<usize> = const { Cell::new(0) };
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// What `run` has taken at most beyond what was in use before, bytes: by all threads of the process.
pub fn most_taken<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let answer = run();
    (answer, MOST.load(Ordering::Relaxed).saturating_sub(before))
}

/// The places of what `call` has allocated on this thread with Rust's allocator, and left behind.
pub fn left_behind<T>(call: impl FnOnce() -> T) -> (T, Vec<usize>) {
    LEFT.with(|left| left.iter().for_each(|place| place.set(0)));
    LOOKING.set(true);
    let answer = call();
    LOOKING.set(false);
    (answer, LEFT.with(|left| left.iter().map(Cell::get).filter(|place| *place != 0).collect()))
}

fn took(place: *mut u8, bytes: usize) -> *mut u8 {
    let in_use = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(in_use, Ordering::Relaxed);
    // A thread that ends has no locals any more.
    if LOOKING.try_with(Cell::get).unwrap_or(false) {
        let next = NEXT.replace((NEXT.get() + 1) % REMEMBERED);
        LEFT.with(|left| left[next].set(place.addr()));
    }
    place
}

fn gave_back(place: *mut u8, bytes: usize) {
    IN_USE.fetch_sub(bytes, Ordering::Relaxed);
    if LOOKING.try_with(Cell::get).unwrap_or(false) {
        LEFT.with(|left| left.iter().filter(|own| own.get() == place.addr()).for_each(|own| own.set(0)));
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Asked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        took(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        took(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave_back(place, layout.size());
        // SAFETY: as the caller promises.
        took(unsafe { System.realloc(place, layout, size) }, size)
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        gave_back(place, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}
