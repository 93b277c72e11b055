//! A ruleset that makes the engine fail: told at once, contained, and undone while it is new.

use crate::{is_refused, request, text};
use fusewall::engine::persist::{Collections, Committed, Forgetful, Record, RecordId, Unavailable, Update};
use fusewall::engine::{Env, Reason};
use fusewall::store::{Origin, RuleSource};
use fusewall::{FallBack, Health, Tenants, Waf};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};

/// A store that fails for one key.
struct Fails;

impl Collections for Fails {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        assert!(id.key != b"faulty", "injected by a test");
        Forgetful.load(id, now)
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        Forgetful.commit(id, update, now)
    }
}

/// A clock that the test moves.
#[derive(Clone, Default)]
struct Moved(Arc<AtomicU64>);

impl Env for Moved {
    fn epoch_micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn tenants(config: Option<FallBack>) -> (Tenants, Moved) {
    let clock = Moved::default();
    let env = clock.clone();
    let built = Tenants::builder("/srv/tenants")
        .base(crate::base())
        .fall_back_on_fault(config)
        .adjust(move |_, waf| waf.collections(Fails).env(env.clone()))
        .build();
    (built.expect("a thread"), clock)
}

/// Refuses `evil`; rule 9 fails for requests with `fault`.
fn faulty(more: &str) -> RuleSource {
    let rules = "SecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\nSecRule ARGS \"@contains fault\" \"id:9,phase:1,pass,nolog,initcol:global=faulty\"\n";
    text("site.conf", &format!("{rules}{more}"))
}

fn good() -> RuleSource {
    text("site.conf", "SecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\n")
}

fn fails(waf: &Waf) -> bool {
    request(waf, "/?q=fault").1.is_some_and(|ended| ended.reason == Reason::InternalError && ended.status == 500)
}

fn reload(tenants: &Tenants, source: RuleSource) {
    assert!(tenants.reload("a", source).expect("room").wait().is_in_service());
}

#[test]
fn a_new_generation_that_fails_gives_way_within_one_request() {
    let (tenants, _) = tenants(Some(FallBack::default()));
    let (a, b) = (tenants.add("a", &good()).expect("it loads"), tenants.add("b", &good()).expect("it loads"));
    reload(&tenants, faulty(""));
    assert!(!Arc::ptr_eq(&a.loaded(), &b.loaded()));
    let told = Told::default();
    assert!(tracing::subscriber::with_default(told.clone(), || fails(&a)));
    let told = told.0.lock().unwrap().join("\n");
    for field in ["tenant=\"a\"", "rule=9", "generation=2", "in_service=3"] {
        assert!(told.contains(field), "{field}: {told}");
    }
    assert_eq!(a.generation().origin, Origin::RolledBack(1));
    assert!(Arc::ptr_eq(&a.loaded(), &b.loaded()), "the very rules that it had, and shares");
    assert!(!fails(&a) && is_refused(&a, "/?q=evil") && !fails(&b));
    match a.health() {
        Health::Degraded { why, generation } => {
            assert!(why.contains("generation 2 has failed in rule 9"), "{why}");
            assert_eq!(generation.number, 3);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(b.health(), Health::Healthy);
    // Good rules end it.
    reload(&tenants, text("site.conf", "SecAction \"id:3,phase:1,pass\""));
    assert_eq!(a.health(), Health::Healthy);
}

#[test]
fn what_has_proven_itself_is_not_undone_by_a_request() {
    let (tenants, clock) = tenants(Some(FallBack::default().within_millis(1000)));
    let a = tenants.add("a", &good()).expect("it loads");
    reload(&tenants, faulty(""));
    clock.0.store(1_000_001, Ordering::Relaxed);
    assert!(fails(&a) && fails(&a));
    assert_eq!(a.generation().number, 2);
}

#[test]
fn a_fault_that_the_rules_before_have_too_does_not_bring_them_back() {
    let (tenants, _) = tenants(Some(FallBack::default()));
    let a = tenants.add("a", &faulty("")).expect("it loads");
    // A patch behind the rule that somebody knows how to bring to fail.
    reload(&tenants, faulty("SecRule ARGS \"@contains hole\" \"id:10,phase:1,deny\"\n"));
    assert!(fails(&a));
    assert!(is_refused(&a, "/?q=hole"), "the patch is in service");
    assert_eq!(a.generation().number, 2);
    // The same patch, and the rule changed with it: then the rule before is the better one.
    let changed = "SecRule ARGS \"@contains hole\" \"id:10,phase:1,deny\"\nSecRule ARGS \"@contains fault\" \"id:9,phase:1,pass,log,initcol:global=faulty\"\n";
    reload(&tenants, text("site.conf", changed));
    assert!(fails(&a));
    assert_eq!(a.generation().origin, Origin::RolledBack(2));
}

#[test]
fn it_happens_once_and_nothing_comes_back_by_itself() {
    let (tenants, _) = tenants(Some(FallBack::default()));
    let a = tenants.add("a", &faulty("")).expect("it loads");
    let other = "SecRule ARGS \"@contains fault\" \"id:8,phase:1,pass,nolog,initcol:global=faulty\"\n";
    reload(&tenants, text("site.conf", other));
    assert!(fails(&a), "rule 8");
    assert_eq!(a.generation().origin, Origin::RolledBack(1));
    for _ in 0..50 {
        assert!(fails(&a), "rule 9");
        assert_eq!(a.generation().number, 3);
    }
}

#[test]
fn many_requests_that_fail_at_once_undo_one_generation() {
    let (tenants, _) = tenants(Some(FallBack::default()));
    let a = tenants.add("a", &good()).expect("it loads");
    reload(&tenants, faulty(""));
    let exchanges: Vec<_> = (0..8).map(|_| a.transaction()).collect();
    let failed = std::thread::scope(|scope| {
        let threads: Vec<_> = exchanges
            .into_iter()
            .map(|mut exchange| {
                scope.spawn(move || {
                    exchange.process_request_line(b"GET", b"/?q=fault", b"HTTP/1.1");
                    exchange.process_request_headers().is_some_and(|ended| ended.status == 500)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(|failed| *failed).count()
    });
    assert_eq!((failed, a.generation().number), (8, 3));
}

#[test]
fn who_does_not_want_it_keeps_what_fails() {
    let (tenants, _) = tenants(None);
    let a = tenants.add("a", &good()).expect("it loads");
    reload(&tenants, faulty(""));
    assert!(fails(&a) && fails(&a));
    assert_eq!(a.generation().number, 2);
    // The first ruleset has none before it.
    let b = tenants.add("b", &faulty("")).expect("it loads");
    assert!(fails(&b) && fails(&b));
    assert_eq!((b.generation().number, b.health()), (1, Health::Healthy));
}

/// Errors that were told, with their fields.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        *self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Line(&mut line));
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
