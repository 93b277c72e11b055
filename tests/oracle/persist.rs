//! Persistent collections, one exchange after the other: a record is taken out, changed, and put back as it is.

use super::request::Named;
use fusewall::ops::numeric::integer;
use fusewall::rule::Variable;
use std::collections::HashMap;

/// Which record: collection, application, key.
pub type Id = (Variable, Vec<u8>, Vec<u8>);

/// The records between exchanges, and the time.
#[derive(Debug, Default)]
pub struct Store {
    records: HashMap<Id, Record>,
    /// Seconds.
    pub now: u64,
}

/// A record. Times are seconds.
#[derive(Debug, Clone)]
pub struct Record {
    created: u64,
    /// `None` until the first exchange that changes it is over.
    updated: Option<u64>,
    updates: i64,
    timeout: i64,
    expires: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Vec<u8>,
    /// `None` while nothing but an expiry is known.
    value: Option<Vec<u8>>,
    expires: Option<u64>,
    /// When the period of `deprecatevar` under way began.
    since: u64,
}

/// A record that rules have initialised.
#[derive(Debug, Clone)]
pub struct Opened {
    pub id: Id,
    record: Record,
    now: u64,
    default_timeout: i64,
    /// UPDATE_COUNTER, UPDATE_RATE and their like as they were.
    start: Record,
    pub changed: bool,
}

impl Store {
    /// What an exchange begins with.
    pub fn open(&self, id: Id, default_timeout: u64) -> Opened {
        let now = self.now;
        let default_timeout = default_timeout as i64;
        let alive = self.records.get(&id).filter(|record| record.expires > now).cloned();
        let mut record = alive.unwrap_or(Record {
            created: now,
            updated: None,
            updates: 0,
            timeout: default_timeout,
            expires: 0,
            entries: Vec::new(),
        });
        record.entries.retain(|entry| entry.expires.is_none_or(|end| end > now));
        Opened { id, start: record.clone(), record, now, default_timeout, changed: false }
    }

    /// Keeps what an exchange has changed.
    pub fn close(&mut self, opened: Opened) {
        if opened.changed {
            let mut record = opened.record;
            record.updated = Some(self.now);
            record.updates += 1;
            record.expires = self.now + record.timeout.max(0) as u64;
            self.records.insert(opened.id, record);
        }
    }
}

impl Opened {
    /// Every entry that has a value, the built-in ones first.
    pub fn all(&self) -> Vec<Named> {
        let Record { created, updated, updates, .. } = self.start;
        let elapsed = (self.now - created) as i64;
        let rate = if elapsed == 0 { 0 } else { 60 * updates / elapsed };
        let number = |name: &str, number: i64| Some((name.into(), number.to_string().into_bytes()));
        let facts = [
            number("CREATE_TIME", created as i64),
            number("IS_NEW", i64::from(updated.is_none())),
            Some((b"KEY".to_vec(), self.id.2.clone())),
            updated.and_then(|time| number("LAST_UPDATE_TIME", time as i64)),
            number("TIMEOUT", self.record.timeout.max(0)),
            number("UPDATE_COUNTER", updates),
            number("UPDATE_RATE", rate),
        ];
        let own = self.record.entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
        facts.into_iter().flatten().chain(own).collect()
    }

    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.all().into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// `setvar`; without a value the entry goes.
    pub fn set(&mut self, name: &[u8], value: Option<Vec<u8>>, keeps_period: bool) {
        if is_fact(name) {
            return;
        }
        self.changed = true;
        if name.eq_ignore_ascii_case(b"timeout") {
            self.record.timeout = value.map_or(self.default_timeout, |value| integer(&value)).max(0);
            return;
        }
        let name = name.to_ascii_lowercase();
        let Some(value) = value else { return self.record.entries.retain(|entry| entry.name != name) };
        let now = self.now;
        let entry = self.entry(name);
        entry.value = Some(value);
        if !keeps_period {
            entry.since = now;
        }
    }

    /// `expirevar`.
    pub fn expire(&mut self, name: &[u8], seconds: i64) {
        if !is_fact(name) && !name.eq_ignore_ascii_case(b"timeout") {
            self.changed = true;
            let end = self.now + seconds.max(0) as u64;
            self.entry(name.to_ascii_lowercase()).expires = Some(end);
        }
    }

    /// `deprecatevar`.
    pub fn deprecate(&mut self, name: &[u8], amount: i64, seconds: i64) {
        let now = self.now;
        let Some(entry) = self.record.entries.iter_mut().find(|entry| entry.name.eq_ignore_ascii_case(name)) else {
            return;
        };
        let Some(value) = entry.value.as_mut().filter(|_| amount > 0 && seconds > 0) else { return };
        let periods = (now - entry.since) as i64 / seconds;
        if periods > 0 {
            let left = (integer(value) - amount * periods).max(0);
            if left != integer(value) {
                *value = left.to_string().into_bytes();
            }
            entry.since += (periods * seconds) as u64;
            self.changed = true;
        }
    }

    fn entry(&mut self, name: Vec<u8>) -> &mut Entry {
        let entries = &mut self.record.entries;
        let at = entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
            entries.push(Entry { name, value: None, expires: None, since: self.now });
            entries.len() - 1
        });
        &mut entries[at]
    }
}

fn is_fact(name: &[u8]) -> bool {
    let facts = ["create_time", "is_new", "key", "last_update_time", "update_counter", "update_rate"];
    facts.iter().any(|fact| fact.as_bytes().eq_ignore_ascii_case(name))
}
