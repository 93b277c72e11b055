//! What a reload leaves behind: nothing, whatever the allocator keeps for later. A process of its own, whose allocator counts.

// An allocator cannot be written without: `GlobalAlloc` is an unsafe trait. This one only counts and hands on to the system's.
#![allow(unsafe_code)]

use fusewall::Waf;
use fusewall::engine::FixedEnv;
use fusewall::store::RuleSource;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[test]
fn reloads_and_rollbacks_give_everything_back() {
    let start = IN_USE.load(Ordering::Relaxed);
    let waf = Waf::builder().env(FixedEnv::default()).build().expect("the built-in rules load");
    let rounds = if cfg!(debug_assertions) { 6 } else { 30 };
    let mut in_use = Vec::with_capacity(rounds);
    for round in 0..rounds {
        waf.replace(&RuleSource::Builtin).expect("they load again");
        if round % 3 == 2 {
            waf.roll_back().expect("one is kept");
            waf.replace(&RuleSource::Builtin).expect("they load again");
        }
        let mut request = waf.transaction();
        request.process_request_line(b"GET", b"/?a=b", b"HTTP/1.1");
        request.process_request_headers();
        drop(request);
        in_use.push(IN_USE.load(Ordering::Relaxed) - start);
    }
    let (early, late) = (in_use[1], in_use[rounds - 1]);
    println!("after 2 reloads {early} bytes are in use, after {rounds} {late}");
    assert!(late <= early + early / 100, "{in_use:?}");
    drop(waf);
    let left = IN_USE.load(Ordering::Relaxed).saturating_sub(start);
    println!("{left} bytes are left when it is gone");
    assert!(left <= early / 50, "{left} of {early}");
}
