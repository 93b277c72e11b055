//! What many tenants take of memory: those with the same rules little more than one. A process of its own, whose allocator counts.

// An allocator cannot be written without: `GlobalAlloc` is an unsafe trait. This one only counts and hands on to the system's.
#![allow(unsafe_code)]

use fusewall::engine::FixedEnv;
use fusewall::governor::{Governor, GovernorConfig, QuarantineConfig};
use fusewall::store::RuleSource;
use fusewall::{Tenants, Transaction, Waf};
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

/// What the tenants of a measurement are like.
#[derive(Clone, Copy)]
enum Kind {
    /// A ruleset and nothing else; each has evaluated a request.
    Plain,
    /// With a part of a CPU share and circuit breakers; nobody has asked for anything.
    Watched,
    /// The same, and each has evaluated a request.
    WatchedAndAsked,
}

/// Bytes that so many tenants take, of which so many have different rules.
fn taken(base: &RuleSource, tenants: usize, different: usize, kind: Kind) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    let watched = matches!(kind, Kind::Watched | Kind::WatchedAndAsked);
    let mut builder = Tenants::builder("/srv/tenants").base(base.clone()).adjust(move |_, waf| {
        let waf = waf.env(FixedEnv::default());
        if watched { waf.quarantine(QuarantineConfig::default()) } else { waf }
    });
    if watched {
        builder = builder.governor(Governor::new(&GovernorConfig { share: Some(0.7), ..GovernorConfig::default() }));
    }
    let domain = builder.build().expect("a thread");
    for number in 0..tenants {
        let text = format!("SecAction \"id:{},phase:1,pass,nolog\"\n", 1 + number % different);
        let source = RuleSource::Text { name: "site.conf".into(), text };
        let waf = domain.add(&format!("tenant-{number}"), &source).unwrap_or_else(|problem| panic!("{problem}"));
        match kind {
            Kind::Plain => evaluate(waf.transaction()),
            Kind::Watched => {}
            Kind::WatchedAndAsked => evaluate(admitted(&waf)),
        }
    }
    assert_eq!(domain.releases().in_use, different);
    let taken = IN_USE.load(Ordering::Relaxed) - before;
    drop(domain);
    let left = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(left <= taken / 50, "{left} of {taken} bytes are left when they are gone");
    taken
}

/// A tenant may be turned away where the machine is slow: it is asked for its requests all the same.
fn admitted(waf: &Waf) -> Transaction {
    waf.admit([203, 0, 113, 7].into()).unwrap_or_else(|_| waf.transaction())
}

fn evaluate(mut exchange: Transaction) {
    exchange.process_connection([203, 0, 113, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
    exchange.process_request_line(b"GET", b"/?a=b", b"HTTP/1.1");
    exchange.add_request_header(b"Host", b"www.example");
    exchange.process_request_headers();
    exchange.process_request_body();
    exchange.process_logging();
}

/// What was measured.
struct Figures {
    what: String,
    /// Bytes of one tenant.
    one: usize,
    same: usize,
    different: usize,
    /// Bytes of those with the same rules, and of those with different ones, together.
    all_same: usize,
    all_different: usize,
}

impl Figures {
    fn measure(what: &str, base: &RuleSource, same: usize, different: usize) -> Figures {
        let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = |tenants, different| taken(base, tenants, different, Kind::Plain);
        // What is made once in a process.
        taken(1, 1);
        let one = taken(1, 1);
        let (all_same, all_different) = (taken(same, 1), taken(different, different));
        let figures = Figures { what: what.to_owned(), one, same, different, all_same, all_different };
        println!("{what}: one tenant takes {one} bytes");
        let (ratio, more) = (figures.ratio(all_same), figures.each_more());
        println!("{what}: {same} with the same rules take {ratio:.2} of that, {more} bytes for each more");
        println!("{what}: {different} with different rules take {:.2} of that", figures.ratio(all_different));
        figures
    }

    fn ratio(&self, bytes: usize) -> f64 {
        bytes as f64 / self.one as f64
    }

    /// Bytes that each tenant takes that has the rules of the first.
    fn each_more(&self) -> usize {
        (self.all_same - self.one) / (self.same - 1)
    }

    /// Those with the same rules take little more than one, those with different ones as much as that many.
    fn hold(&self, each_more: usize) {
        let Figures { what, same, different, .. } = self;
        let (more, all) = (self.each_more(), self.ratio(self.all_same));
        assert!(more <= each_more, "{what}: each more takes {more} bytes, at most {each_more} are right");
        assert!(all <= 1.2, "{what}: {same} with the same rules take {all:.2} of one");
        let (expected, others) = (*different as f64, self.ratio(self.all_different));
        assert!(
            (0.8 * expected..=1.2 * expected).contains(&others),
            "{what}: {different} others take {others:.2} of one"
        );
    }
}

#[test]
fn tenants_with_the_same_rules_take_little_more_than_one() {
    Figures::measure("built-in rules", &RuleSource::Builtin, 200, 3).hold(1792);
}

/// Breakers and places for clients come with the requests that need them.
#[test]
fn who_is_not_asked_takes_no_memory_for_breakers_and_clients() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let each_more = |kind| {
        let taken = |tenants| taken(&RuleSource::Builtin, tenants, 1, kind);
        taken(1);
        (taken(101) - taken(1)) / 100
    };
    let (idle, asked) = (each_more(Kind::Watched), each_more(Kind::WatchedAndAsked));
    println!(
        "built-in rules, with breakers and a part of the share: {idle} bytes for each more, {asked} when it is asked"
    );
    assert!(idle <= 2560, "{idle} bytes for a tenant that nobody asks");
    assert!(asked <= 7168, "{asked} bytes for a tenant with a request");
}

/// With the Core Rule Set, where it is at hand (`FUSEWALL_CONFORMANCE_DIR`): takes a while in an unoptimised build.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_tenants_with_the_core_rule_set_take_little_more_than_one() {
    let folder = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map_or("../shared/conformance".into(), PathBuf::from);
    let measured = ["crs-pl1", "crs-pl4"].map(|setup| {
        let path = folder.join(format!("setup/{setup}.conf"));
        assert!(path.is_file(), "{} is not there", path.display());
        Figures::measure(setup, &RuleSource::Paths(vec![path]), 1000, 10)
    });
    // All figures are told before the first of them fails.
    measured.iter().for_each(|figures| figures.hold(2048));
}
