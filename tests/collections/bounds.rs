//! Floods: memory stays bounded, and used counters stay.

use crate::site::{Site, seen};
use fusewall::Limits;
use fusewall::engine::persist::{Change, Collections, Committed, RecordId, Update, What};
use fusewall::rule::Variable;
use fusewall::store::MemoryCollections;

/// Adds 1 to `n` of a client's record, as a request of its own.
fn count(store: &MemoryCollections, key: &[u8], now: u64) -> Committed {
    let id = RecordId { collection: Variable::Ip, scope: b"", key };
    let changes = [Change { name: (*b"n").into(), what: What::Add { by: 1, until: None } }];
    store.commit(&id, &Update { changes: &changes, created: now, timeout: 3600, counts: true }, now).unwrap()
}

fn value(store: &MemoryCollections, key: &[u8], now: u64) -> Option<i64> {
    let id = RecordId { collection: Variable::Ip, scope: b"", key };
    Some(store.load(&id, now).unwrap()?.entry(b"n")?.number())
}

#[test]
fn bytes_are_bounded_as_well_as_records() {
    let mut limits = Limits::default();
    (limits.collection_bytes, limits.collection_record_bytes) = (1 << 20, 8 << 10);
    let store = MemoryCollections::new(&limits);
    for key in 0..5_000u32 {
        let id = RecordId { collection: Variable::User, scope: b"", key: &key.to_le_bytes() };
        let value = What::Set { value: vec![b'x'; 4000], until: None };
        let changes = [Change { name: (*b"text").into(), what: value }];
        store.commit(&id, &Update { changes: &changes, created: 0, timeout: 60, counts: true }, 0).unwrap();
        assert!(store.bytes() <= limits.collection_bytes);
    }
    assert!(store.records() > 100, "{}", store.records());
}

#[test]
fn a_flood_of_keys_does_not_reset_a_counter_that_is_used() {
    let mut limits = Limits::default();
    limits.collection_records = 1_000;
    let store = MemoryCollections::new(&limits);
    for _ in 0..20 {
        count(&store, b"victim", 0);
    }
    for key in 0..200_000u32 {
        count(&store, &key.to_le_bytes(), 1);
    }
    assert_eq!(value(&store, b"victim", 2), Some(20), "addresses that come once push out each other");
    for key in 0..50_000u32 {
        for _ in 0..3 {
            count(&store, &key.to_le_bytes(), 3);
        }
    }
    assert_eq!(value(&store, b"victim", 4), Some(20), "so do those that come three times");
    // Newcomers keep a part of the room for themselves, so that they can become known.
    for _ in 0..20 {
        count(&store, b"newcomer", 5);
    }
    assert_eq!(value(&store, b"newcomer", 5), Some(20));
    // It takes as many requests per record as the counter has, for all of the room.
    let mut requests = 0u32;
    let mut key = 0u32;
    while value(&store, b"victim", 6).is_some() {
        key += 1;
        for _ in 0..32 {
            count(&store, &key.to_le_bytes(), 6);
            requests += 1;
        }
    }
    assert!(requests > 10_000, "{requests} requests were enough");
}

#[test]
fn what_has_expired_makes_room_before_what_is_alive() {
    let mut limits = Limits::default();
    limits.collection_records = 1_000;
    let store = MemoryCollections::new(&limits);
    for key in 0..900u32 {
        count(&store, &key.to_le_bytes(), 0);
    }
    let mut displaced = 0;
    for key in 1_000..1_400u32 {
        displaced += usize::from(count(&store, &key.to_le_bytes(), 3600) == Committed::Displaced);
    }
    assert_eq!(displaced, 0);
    assert!((1_000..1_400u32).all(|key| value(&store, &key.to_le_bytes(), 3601).is_some()));
}

#[test]
fn no_step_costs_more_than_its_price() {
    let (key, name, value) = ("k".repeat(1024), "n".repeat(1024), "v".repeat(4096));
    let long =
        |from: usize, to: usize| (from..to).map(|at| format!("setvar:ip.{at}={value}")).collect::<Vec<_>>().join(",");
    let fill: String = (0..70).map(|at| format!(",setvar:ip.e{at}=1")).collect();
    let site = Site::new(&format!(
        r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip={key}"
        SecAction "id:2,phase:1,pass,nolog,setvar:ip.{name}={value}"
        SecAction "id:3,phase:1,pass,nolog,expirevar:ip.{name}=60"
        SecAction "id:4,phase:1,pass,nolog,deprecatevar:ip.{name}=60/60"
        SecAction "id:5,phase:1,pass,nolog,setvar:ip.{name}=+1"
        SecAction "id:6,phase:1,pass,nolog,{}{fill}"
        "#,
        long(0, 3)
    ));
    let loaded = site.waf.loaded();
    for second in [0, 100] {
        let exchange = site.get(second, 1, "/");
        for (id, spent) in exchange.dearest_rules(10) {
            let at = loaded.program().ruleset.rules.iter().position(|rule| rule.id == id).unwrap();
            let price = loaded.program().rules[at].price.per_call;
            println!("rule {id} at {second} s: {spent} of {price}");
            assert!(spent <= price, "rule {id} at {second} s: {spent} spent, {price} certified");
        }
    }
}

#[test]
fn rules_and_the_verdict_see_that_a_limit_is_reached() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{ARGS.key},setvar:'ip.%{ARGS.name}=%{ARGS.value}'"
        SecRule FUSEWALL_COLLECTION_LIMIT "!@streq ''" "id:2,phase:2,pass,nolog,setvar:tx.seen=%{MATCHED_VAR}"
    "#;
    let mut limits = Limits::default();
    limits.collection_records = 2;
    limits.collection_entries = 2;
    limits.collection_key_bytes = 10;
    limits.collection_value_bytes = 5;
    let site = Site::with(&rules.replace("!@streq ''", "@rx ."), limits, |builder| builder);
    let table = [
        ("key=a&name=x&value=12345", ""),
        ("key=a&name=y&value=1", ""),
        ("key=a&name=z&value=1", "record limit"),
        ("key=a&name=x&value=123456", "record limit"),
        ("key=a&name=averylongname&value=1", "key too long"),
        ("key=averylongkey&name=x&value=1", "key too long"),
        ("key=b&name=x&value=1", ""),
        ("key=c&name=x&value=1", "store full"),
    ];
    for (query, expected) in table {
        let exchange = site.get(0, 1, &format!("/?{query}"));
        assert_eq!(seen(&exchange), expected, "{query}");
        let noted = exchange.verdict().unwrap().collections;
        assert_eq!(noted.first().copied().unwrap_or_default(), expected, "{query}");
    }
}
