//! What persistent collections take of the machine's memory, whatever comes. A process of its own, so that nothing else counts.
#![cfg(target_os = "linux")]

use fusewall::Limits;
use fusewall::engine::persist::{Change, Collections, Committed, RecordId, Update, What};
use fusewall::rule::Variable;
use fusewall::store::MemoryCollections;

/// Bytes of memory that the process has, as Linux counts them.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
}

#[test]
fn a_million_keys_take_no_more_memory_than_allowed() {
    let limits = Limits::default();
    let store = MemoryCollections::new(&limits);
    let before = resident();
    let mut displaced = 0;
    for key in 0..1_000_000u32 {
        let key = format!("2001:db8::{key:08x}");
        let id = RecordId { collection: Variable::Ip, scope: b"", key: key.as_bytes() };
        let changes = [
            Change { name: (*b"requests").into(), what: What::Add { by: 1, until: None } },
            Change { name: (*b"requests").into(), what: What::ExpireAt(60) },
        ];
        let update = Update { changes: &changes, created: 0, timeout: 3600, counts: true };
        displaced += usize::from(store.commit(&id, &update, 0) == Ok(Committed::Displaced));
    }
    let grown = resident().saturating_sub(before);
    println!("{} records, {} bytes counted, {grown} bytes grown", store.records(), store.bytes());
    assert!(store.records() <= limits.collection_records && store.records() > limits.collection_records / 2);
    assert!(store.bytes() <= limits.collection_bytes);
    assert!(grown <= limits.collection_bytes * 9 / 8, "{grown} bytes for {} counted", store.bytes());
    assert_eq!(displaced, 1_000_000 - store.records(), "whoever needed room was told");
}
