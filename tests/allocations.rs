//! What a request asks of the allocator once its memory has come from the pool: nothing, where the traffic is ordinary. A process
//! of its own: the allocator that counts is the whole program's.
//!
//! `FUSEWALL_ALLOCATION_SITES=1` prints where each allocation that is left comes from.
// An allocator cannot be written without: `GlobalAlloc` is an unsafe trait. This one only counts and hands on to the system's.
#![allow(unsafe_code)]

mod traffic;

use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use traffic::{Request, recorded, say, setup};

/// Counts the allocations of each thread that wants its own counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { allocations: 0, reallocations: 0 }) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static SITES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    allocations: usize,
    reallocations: usize,
}

impl Count {
    fn sum(self) -> usize {
        self.allocations + self.reallocations
    }
}

fn note(allocations: usize, reallocations: usize) {
    // A thread that ends has no locals any more.
    let _ = WATCHED.try_with(|watched| {
        if !watched.replace(false) {
            return;
        }
        COUNT.with(|place| {
            let count = place.get();
            place.set(Count {
                allocations: count.allocations + allocations,
                reallocations: count.reallocations + reallocations,
            });
        });
        SITES.with(|sites| {
            if let Ok(mut sites) = sites.try_borrow_mut()
                && let Some(sites) = sites.as_mut()
            {
                sites.push(place_of(&Backtrace::force_capture()));
            }
        });
        watched.set(true);
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(0, 1);
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

/// The lines of the package that have led to an allocation, innermost first.
fn place_of(backtrace: &Backtrace) -> String {
    let text = backtrace.to_string();
    let lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("at "));
    let own = lines.filter(|line| line.contains("/src/") && !line.contains("/rustc/") && !line.contains("/registry/"));
    let ends: Vec<_> = own.take(4).filter_map(|line| line.split("/src/").last()).collect();
    ends.join(" < ")
}

/// What one request allocates, from the begin of its transaction to the verdict and its memory's return.
fn count(waf: &Waf, request: &Request) -> Count {
    COUNT.set(Count::default());
    WATCHED.set(true);
    let transaction = request.evaluate(waf);
    let passed = transaction.interruption().is_none() && transaction.verdict().is_some();
    drop(transaction);
    WATCHED.set(false);
    assert!(passed, "{} is refused", request.id);
    COUNT.get()
}

/// Counts for each request after two rounds that warm up; says the sum, and asserts that no request allocates more than `most`.
fn measure(name: &str, waf: &Waf, requests: &[Request], most: usize) {
    let passes = |request: &&Request| request.evaluate(waf).interruption().is_none();
    let benign: Vec<_> = requests.iter().filter(passes).cloned().collect();
    assert!(benign.len() * 10 >= requests.len() * 9, "{name}: {} of {} pass", benign.len(), requests.len());
    for request in &benign {
        count(waf, request);
    }
    let counts: Vec<_> = benign.iter().map(|request| count(waf, request)).collect();
    let (allocations, reallocations) =
        counts.iter().fold((0, 0), |sum, count| (sum.0 + count.allocations, sum.1 + count.reallocations));
    let worst = counts.iter().map(|count| count.sum()).max().unwrap_or_default();
    let with = counts.iter().filter(|count| count.sum() > 0).count();
    say(&format!(
        "{name}: {} requests, {allocations} allocations and {reallocations} reallocations, in {with} of them; {worst} in the worst",
        benign.len(),
    ));
    if std::env::var_os("FUSEWALL_ALLOCATION_SITES").is_some() {
        sites(waf, &benign);
    }
    assert!(worst <= most, "{name}: {worst} allocations in one request; FUSEWALL_ALLOCATION_SITES=1 says where");
}

/// Says where allocations come from.
fn sites(waf: &Waf, requests: &[Request]) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        SITES.set(Some(Vec::with_capacity(1 << 16)));
        count(waf, request);
        for site in SITES.take().unwrap_or_default() {
            *found.entry(site).or_default() += 1;
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (site, count) in found.iter().take(60) {
        say(&format!("{count:8}  {site}"));
    }
}

/// Allocations of a JSON document: its reader, the names and containers on the way to a leaf; and tables of long bodies, whose
/// memory the pool does not keep.
const JSON: usize = 16;
/// Those of a multipart body: its boundary, the search for it, and for each part what its header lines say.
const MULTIPART: usize = 6;
const PART: usize = 4;

/// Requests of every kind that the built-in rules let pass, and what each may allocate.
fn ordinary() -> Vec<(Request, usize)> {
    let form = "application/x-www-form-urlencoded";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nSummer\r\n--b\r\n\
                 Content-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n";
    vec![
        (Request::get("/"), 0),
        (Request::get("/products/blue-shoes?size=42&page=2").header("Cookie", "session=1f3a; theme=dark"), 0),
        (Request::get("/s%C3%BCd/index.html?q=a+b%20c").header("Accept-Language", "de, en;q=0.7"), 0),
        (Request::post("/login", form, "user=anna&password=correct+horse&remember=on"), 0),
        (Request::post("/api/orders", "application/json", r#"{"items":[{"id":17,"count":2}],"note":"ring"}"#), JSON),
        (Request::post("/photos", "multipart/form-data; boundary=b", parts), MULTIPART + 2 * PART),
    ]
}

#[test]
fn ordinary_requests_under_the_built_in_rules() {
    let waf = Waf::builder().rules_builtin().build().unwrap_or_else(|report| panic!("{report}"));
    for (request, most) in ordinary() {
        measure(&format!("built-in rules, {}", request.id), &waf, &[request], most);
    }
}

#[test]
fn what_the_governor_does_takes_no_memory_but_for_first_clients() {
    let config = GovernorConfig { share: Some(0.5), ..GovernorConfig::default() };
    let governor = Governor::new(&config);
    let tenant = governor.tenant("only", 1);
    let waf = Waf::builder().rules_builtin().tenant(Arc::clone(&tenant)).build().expect("the rules load");
    for (request, most) in ordinary() {
        measure(&format!("with a tenant, {}", request.id), &waf, &[request], most);
    }
    let client = |number: u32| Some(std::net::Ipv4Addr::from(number << 8).into());
    let counted = |work: &mut dyn FnMut()| {
        COUNT.set(Count::default());
        WATCHED.set(true);
        work();
        WATCHED.set(false);
        COUNT.get()
    };
    // However many come: the table, and a block for each of its sets.
    let first = counted(&mut || (0..20_000).for_each(|number| tenant.account(client(number)).settle(1)));
    assert!((1..=257).contains(&first.allocations) && first.reallocations == 0, "{first:?}");
    let mut shed = 0;
    let later = counted(&mut || {
        for number in 0..20_000 {
            match tenant.admit(client(number)) {
                Ok(ticket) => ticket.settle(3_000_000),
                Err(_) => shed += 1,
            }
        }
    });
    assert!(shed > 0);
    assert_eq!(later, Count::default());
}

#[test]
fn recorded_requests_under_crs() {
    let Some(path) = setup("crs-pl1") else { return };
    if cfg!(debug_assertions) {
        say("left out: CRS (needs a release build)");
        return;
    }
    let waf = traffic::waf(&path);
    let classes =
        [("benign-small", 0), ("benign-form", 0), ("benign-multipart", MULTIPART + 8 * PART), ("benign-json", JSON)];
    for (class, most) in classes {
        if let Some(requests) = recorded(&format!("bench/{class}")) {
            measure(class, &waf, &requests, most);
        }
    }
}
