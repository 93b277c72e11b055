//! The collections that one request has initialised: a copy of each record, what the request has written, and which of it is
//! still to be committed.

use super::record::{Change, Entry, Record, RecordLimits, Update, What};
use super::{Collections, Committed, RecordId};
use crate::engine::missing;
use crate::rule::Variable;

/// Changes that are collected before they are committed, phase over or not.
const CHANGES: usize = 64;

/// The entries that every record has, in the order in which rules see them.
const KEY: &str = "KEY";
const TIMEOUT: &str = "TIMEOUT";
const READ_ONLY: [&str; 6] = ["CREATE_TIME", "IS_NEW", KEY, "LAST_UPDATE_TIME", "UPDATE_COUNTER", "UPDATE_RATE"];

/// The collections of one request.
#[derive(Debug, Default)]
pub(in crate::engine) struct Opened {
    all: Vec<Open>,
    /// What went wrong, for the verdict and for rules.
    notes: Vec<&'static str>,
}

/// An initialised collection.
#[derive(Debug)]
struct Open {
    collection: Variable,
    scope: Box<[u8]>,
    key: Box<[u8]>,
    /// The record as it was, and what the request has written.
    record: Record,
    /// The entries that every record has. All but TIMEOUT stay as they were.
    facts: Vec<(&'static str, Vec<u8>)>,
    opened: u64,
    timeout: u64,
    changes: Vec<Change>,
    /// An update of this request counts in UPDATE_COUNTER already.
    counted: bool,
}

impl Opened {
    pub(in crate::engine) fn clear(&mut self) {
        self.all.clear();
        self.notes.clear();
    }

    pub(in crate::engine) fn note(&mut self, what: &'static str) {
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// The store does not answer.
    fn miss(&mut self) {
        // Drill D11.
        if !cfg!(fusewall_without = "missing") {
            self.note(missing::STORE);
        }
    }

    pub(in crate::engine) fn notes(&self) -> &[&'static str] {
        &self.notes
    }

    pub(in crate::engine) fn is_open(&self, collection: Variable) -> bool {
        self.all.iter().any(|open| open.collection == collection)
    }

    /// Whether a write to the collection would be the first since the last commit.
    pub(in crate::engine) fn is_unchanged(&self, collection: Variable) -> bool {
        self.all.iter().any(|open| open.collection == collection && open.changes.is_empty())
    }

    pub(in crate::engine) fn is_changed(&self) -> bool {
        self.all.iter().any(|open| !open.changes.is_empty())
    }

    /// Initialises a collection; answers the bytes that were copied. A store that does not answer gives a new record.
    pub(in crate::engine) fn open(
        &mut self,
        id: &RecordId<'_>,
        timeout: u64,
        store: &dyn Collections,
        now: u64,
    ) -> usize {
        let loaded = store.load(id, now).unwrap_or_else(|_| {
            self.miss();
            None
        });
        let copied = loaded.as_ref().map_or(0, Record::bytes);
        let is_new = loaded.is_none();
        let record = loaded.unwrap_or_else(|| Record::new(now, timeout));
        let number = |number: u64| number.to_string().into_bytes();
        let mut facts = vec![
            ("CREATE_TIME", number(record.created)),
            ("IS_NEW", number(u64::from(is_new))),
            (KEY, id.key.to_vec()),
        ];
        if !is_new {
            facts.push(("LAST_UPDATE_TIME", number(record.updated)));
        }
        facts.push((TIMEOUT, number(record.timeout)));
        facts.push(("UPDATE_COUNTER", number(record.updates)));
        facts.push(("UPDATE_RATE", number(record.update_rate(now))));
        self.all.push(Open {
            collection: id.collection,
            scope: id.scope.into(),
            key: id.key.into(),
            record,
            facts,
            opened: now,
            timeout,
            changes: Vec::new(),
            counted: false,
        });
        copied
    }

    /// The entries of a collection that have a value; none if it is not initialised.
    pub(in crate::engine) fn entries(&self, collection: Variable) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.all.iter().filter(move |open| open.collection == collection).flat_map(Open::entries)
    }

    /// The value of an entry, name without case.
    pub(in crate::engine) fn get(&self, collection: Variable, name: &[u8]) -> Option<&[u8]> {
        self.entries(collection).find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// How many entries a collection has: what finding one costs.
    pub(in crate::engine) fn len(&self, collection: Variable) -> usize {
        let open = self.all.iter().find(|open| open.collection == collection);
        open.map_or(0, |open| open.facts.len() + open.record.entries.len())
    }

    /// Writes to an initialised collection: to the request's copy, and to what is committed at the end of the phase. The name
    /// is lower case. What every record has is read-only, but for TIMEOUT.
    pub(in crate::engine) fn write(
        &mut self,
        collection: Variable,
        name: &[u8],
        what: What,
        limits: &RecordLimits,
        store: &dyn Collections,
        now: u64,
    ) {
        let Some(open) = self.all.iter_mut().find(|open| open.collection == collection) else { return };
        if is_read_only(name) {
            return;
        }
        let change = match what {
            // The end of a record is a matter of its timeout alone.
            What::ExpireAt(_) | What::Deprecate { .. } if is_timeout(name) => return,
            _ if is_timeout(name) => Change { name: Box::default(), what: open.set_timeout(&what) },
            what => Change { name: name.into(), what },
        };
        let kept = open.write(change, limits, now);
        let full = open.changes.len() >= CHANGES;
        if !kept {
            self.note("record limit");
        }
        if full {
            self.commit(store, now);
        }
    }

    /// Commits what was changed since the last commit.
    pub(in crate::engine) fn commit(&mut self, store: &dyn Collections, now: u64) {
        let (mut noted, mut unavailable) = (None, false);
        for open in self.all.iter_mut().filter(|open| !open.changes.is_empty()) {
            let id = RecordId { collection: open.collection, scope: &open.scope, key: &open.key };
            let update =
                Update { changes: &open.changes, created: open.opened, timeout: open.timeout, counts: !open.counted };
            match store.commit(&id, &update, now) {
                Ok(Committed::Whole) => {}
                Ok(Committed::Displaced) => noted = Some("store full"),
                Ok(Committed::Cut) => noted = Some("record limit"),
                Err(_) => unavailable = true,
            }
            open.counted = true;
            open.changes.clear();
        }
        noted.into_iter().for_each(|what| self.note(what));
        if unavailable {
            self.miss();
        }
    }
}

impl Open {
    fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let facts = self.facts.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        facts.chain(self.record.entries.iter().filter_map(|entry| Some((&*entry.name, entry.value.as_deref()?))))
    }

    fn write(&mut self, mut change: Change, limits: &RecordLimits, now: u64) -> bool {
        let name = change.name.clone();
        if let What::Set { until, .. } | What::Add { until, .. } = &mut change.what {
            *until = self.record.entry(&name).and_then(|entry| entry.expires);
        }
        if let What::Deprecate { period, .. } = change.what {
            // Without a whole period nothing happens here, nor in the store: others can only have moved its start on.
            let due = |entry: &&Entry| entry.value.is_some() && entry.periods(period, now) > 0;
            if self.record.entry(&name).filter(due).is_none() {
                return true;
            }
        }
        let kept = self.record.apply(&change, now, limits);
        let later = |other: &Change| other.name == name;
        match (&change.what, self.changes.iter_mut().rfind(|other| later(other))) {
            (What::Add { by, until }, Some(Change { what: What::Add { by: sum, until: end }, .. })) => {
                *sum = sum.saturating_add(*by);
                *end = *until;
                return kept;
            }
            (What::Set { .. }, Some(_)) => {
                self.changes.retain(|other| !later(other) || matches!(other.what, What::ExpireAt(_)));
            }
            (What::Unset | What::Timeout(_), Some(_)) => self.changes.retain(|other| !later(other)),
            (What::ExpireAt(_), Some(_)) => {
                self.changes.retain(|other| !later(other) || !matches!(other.what, What::ExpireAt(_)));
            }
            _ => {}
        }
        self.changes.push(change);
        kept
    }

    /// `setvar:ip.timeout=...`: seconds from 0 on; `!` puts it back to what the settings say.
    fn set_timeout(&mut self, what: &What) -> What {
        let before = i64::try_from(self.record.timeout).unwrap_or(i64::MAX);
        let seconds = match what {
            What::Set { value, .. } => crate::ops::numeric::integer(value),
            What::Add { by, .. } => before.saturating_add(*by),
            What::Unset => i64::try_from(self.timeout).unwrap_or(i64::MAX),
            _ => before,
        };
        let seconds = u64::try_from(seconds).unwrap_or(0);
        if let Some((_, text)) = self.facts.iter_mut().find(|(name, _)| *name == TIMEOUT) {
            *text = seconds.to_string().into_bytes();
        }
        What::Timeout(seconds)
    }
}

fn is_read_only(name: &[u8]) -> bool {
    READ_ONLY.iter().any(|fact| fact.as_bytes().eq_ignore_ascii_case(name))
}

fn is_timeout(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(TIMEOUT.as_bytes())
}
