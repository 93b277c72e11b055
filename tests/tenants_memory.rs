//! What many tenants take of memory: those with the same rules little more than one. A process of its own, whose allocator counts.

// An allocator cannot be written without: `GlobalAlloc` is an unsafe trait. This one only counts and hands on to the system's.
#![allow(unsafe_code)]

use fusewall::engine::FixedEnv;
use fusewall::store::RuleSource;
use fusewall::{Tenants, Waf};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

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

/// Bytes that so many tenants take, of which so many have different rules; each has evaluated a request.
fn taken(base: &RuleSource, tenants: usize, different: usize) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    let domain = Tenants::builder("/srv/tenants")
        .base(base.clone())
        .adjust(|_, waf| waf.env(FixedEnv::default()))
        .build()
        .expect("a thread");
    for number in 0..tenants {
        let text = format!("SecAction \"id:{},phase:1,pass,nolog\"\n", 1 + number % different);
        let source = RuleSource::Text { name: "site.conf".into(), text };
        let waf = domain.add(&format!("tenant-{number}"), &source).unwrap_or_else(|problem| panic!("{problem}"));
        evaluate(&waf);
    }
    assert_eq!(domain.releases().in_use, different);
    let taken = IN_USE.load(Ordering::Relaxed) - before;
    drop(domain);
    let left = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(left <= taken / 50, "{left} of {taken} bytes are left when they are gone");
    taken
}

fn evaluate(waf: &Waf) {
    let mut exchange = waf.transaction();
    exchange.process_connection([203, 0, 113, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
    exchange.process_request_line(b"GET", b"/?a=b", b"HTTP/1.1");
    exchange.add_request_header(b"Host", b"www.example");
    exchange.process_request_headers();
    exchange.process_request_body();
    exchange.process_logging();
}

fn compare(base: &RuleSource, same: usize, different: usize) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // What is made once in a process.
    taken(base, 1, 1);
    let one = taken(base, 1, 1);
    let (all, others) = (taken(base, same, 1), taken(base, different, different));
    let ratio = |bytes: usize| bytes as f64 / one as f64;
    println!("one tenant takes {one} bytes");
    println!(
        "{same} with the same rules take {:.2} of that, {} bytes for each more",
        ratio(all),
        (all - one) / (same - 1)
    );
    println!("{different} with different rules take {:.2} of that", ratio(others));
    assert!(ratio(all) <= 1.2, "{same} with the same rules take {:.2} of one", ratio(all));
    let expected = different as f64;
    assert!((0.8 * expected..=1.2 * expected).contains(&ratio(others)), "{:.2}", ratio(others));
}

#[test]
fn tenants_with_the_same_rules_take_little_more_than_one() {
    compare(&RuleSource::Builtin, 200, 3);
}

/// With the Core Rule Set, where it is at hand (`FUSEWALL_CONFORMANCE_DIR`): takes a while in an unoptimised build.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_tenants_with_the_core_rule_set_take_little_more_than_one() {
    let folder = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map_or("../shared/conformance".into(), PathBuf::from);
    for setup in ["crs-pl1", "crs-pl4"] {
        let path = folder.join(format!("setup/{setup}.conf"));
        assert!(path.is_file(), "{} is not there", path.display());
        println!("{setup}");
        compare(&RuleSource::Paths(vec![path]), 1000, 10);
    }
}
