//! A record, and what changes do to it. The copy of a request and the record in the store are changed by the same function.

use crate::limits::Limits;
use crate::ops::numeric;

/// Bytes that an entry takes besides its name and value.
const ENTRY_BYTES: usize = 96;
/// Bytes that a record takes besides its entries.
const RECORD_BYTES: usize = 256;

/// One record of a collection. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was made: CREATE_TIME.
    pub created: u64,
    /// The last commit: LAST_UPDATE_TIME.
    pub updated: u64,
    /// How many requests have changed it: UPDATE_COUNTER.
    pub updates: u64,
    /// Seconds that it lives after a change: TIMEOUT.
    pub timeout: u64,
    /// When it ends.
    pub expires: u64,
    /// Its entries in order of their making; names in lower case, each once.
    pub entries: Vec<Entry>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, lower case.
    pub name: Box<[u8]>,
    /// Its value; `None` while only `expirevar` has named it.
    pub value: Option<Vec<u8>>,
    /// When it ends, if not with the record.
    pub expires: Option<u64>,
    /// From when on `deprecatevar` counts: when it was set, later the end of the last whole period.
    pub since: u64,
}

/// A change to one entry (or, with an empty name, to the record).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The entry's name, lower case.
    pub name: Box<[u8]>,
    /// What happens to it.
    pub what: What,
}

/// What happens to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A new value.
    Set {
        /// The value.
        value: Vec<u8>,
        /// When the entry that the request has seen ends. An entry that is no longer there is made anew with that end, so that
        /// what belongs to a past period does not outlive it.
        until: Option<u64>,
    },
    /// Adds to the leading integer of the value, 0 if there is none.
    Add {
        /// What is added.
        by: i64,
        /// As for [`What::Set`].
        until: Option<u64>,
    },
    /// The entry goes, and its expiry with it.
    Unset,
    /// The entry ends then, whatever its value is or becomes.
    ExpireAt(u64),
    /// Takes `by` off for each whole period since the entry was set or last deprecated; never below 0.
    Deprecate {
        /// What is taken off each time; above 0.
        by: i64,
        /// Seconds; above 0.
        period: u64,
        /// The time up to which periods are counted.
        now: u64,
    },
    /// The record lives so many seconds after a change. The name is empty.
    Timeout(u64),
}

/// Changes that are applied in one step.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// In order.
    pub changes: &'a [Change],
    /// When the request initialised the collection: CREATE_TIME of a record that is made now.
    pub created: u64,
    /// `SecCollectionTimeout`: TIMEOUT of a record that is made now.
    pub timeout: u64,
    /// The request's first update of this record: it counts in UPDATE_COUNTER.
    pub counts: bool,
}

/// How large a record may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLimits {
    /// Entries.
    pub entries: usize,
    /// Bytes of one value; longer ones are cut.
    pub value_bytes: usize,
    /// Bytes of the record, names and bookkeeping included.
    pub record_bytes: usize,
}

impl From<&Limits> for RecordLimits {
    fn from(limits: &Limits) -> Self {
        RecordLimits {
            entries: limits.collection_entries,
            value_bytes: limits.collection_value_bytes,
            record_bytes: limits.collection_record_bytes,
        }
    }
}

impl Record {
    /// A record without entries that nothing has updated yet.
    pub fn new(created: u64, timeout: u64) -> Record {
        let expires = created.saturating_add(timeout);
        Record { created, updated: created, updates: 0, timeout, expires, entries: Vec::new() }
    }

    /// Whether the whole record has ended.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires <= now
    }

    /// Removes the entries that have ended.
    pub fn expire(&mut self, now: u64) {
        self.entries.retain(|entry| entry.expires.is_none_or(|end| end > now));
    }

    /// The entry of that (lower-case) name.
    pub fn entry(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| *entry.name == *name)
    }

    /// Average updates a minute since it was made, whole number: UPDATE_RATE. 0 while no time has passed.
    pub fn update_rate(&self, now: u64) -> u64 {
        self.updates.saturating_mul(60).checked_div(now.saturating_sub(self.created)).unwrap_or(0)
    }

    /// What it takes in memory, about: an upper bound of its own bytes, allocations and bookkeeping.
    pub fn bytes(&self) -> usize {
        self.entries.iter().fold(RECORD_BYTES, |sum, entry| sum.saturating_add(entry.bytes()))
    }

    /// Applies a committed update. `false`: something was left out, because the record would exceed its limits.
    pub fn update(&mut self, update: &Update<'_>, now: u64, limits: &RecordLimits) -> bool {
        self.expire(now);
        let mut whole = true;
        for change in update.changes {
            whole &= self.apply(change, now, limits);
        }
        if update.counts {
            self.updates = self.updates.saturating_add(1);
        }
        self.updated = now;
        self.expires = now.saturating_add(self.timeout);
        whole
    }

    /// Applies one change. `false`: it was left out or cut.
    pub fn apply(&mut self, change: &Change, now: u64, limits: &RecordLimits) -> bool {
        match &change.what {
            What::Set { value, until } => {
                let kept = value.get(..limits.value_bytes.min(value.len())).unwrap_or_default();
                let whole = kept.len() == value.len();
                let kept = kept.to_vec();
                self.change(&change.name, Some(kept.len()), *until, now, limits, |entry| {
                    entry.value = Some(kept);
                    entry.since = now;
                }) && whole
            }
            What::Add { by, until } => self.change(&change.name, Some(NUMBER_BYTES), *until, now, limits, |entry| {
                let sum = entry.number().saturating_add(*by);
                entry.value = Some(sum.to_string().into_bytes());
            }),
            What::Unset => {
                self.entries.retain(|entry| entry.name != change.name);
                true
            }
            What::ExpireAt(end) => {
                self.change(&change.name, None, None, now, limits, |entry| entry.expires = Some(*end))
            }
            What::Deprecate { by, period, now } => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| entry.name == change.name) {
                    entry.deprecate(*by, *period, *now);
                }
                true
            }
            What::Timeout(seconds) => {
                self.timeout = *seconds;
                true
            }
        }
    }

    /// Changes an entry, or makes it, if a value of `size` bytes fits. (`None`: the value stays. A number always fits in the
    /// place of another value: each entry is counted with room for one.)
    fn change(
        &mut self,
        name: &[u8],
        size: Option<usize>,
        until: Option<u64>,
        now: u64,
        limits: &RecordLimits,
        with: impl FnOnce(&mut Entry),
    ) -> bool {
        let bytes = self.bytes();
        let room = room(size.unwrap_or(0));
        if let Some(entry) = self.entries.iter_mut().find(|entry| *entry.name == *name) {
            let grown = (bytes - entry.room()).saturating_add(room);
            if size.is_some() && room > entry.room() && grown > limits.record_bytes {
                return false;
            }
            with(entry);
            return true;
        }
        let mut entry = Entry { name: name.into(), value: None, expires: until, since: now };
        let grown = bytes.saturating_add(entry.bytes() - entry.room()).saturating_add(room);
        if self.entries.len() >= limits.entries || grown > limits.record_bytes {
            return false;
        }
        with(&mut entry);
        self.entries.push(entry);
        true
    }
}

/// What a value of that size is counted with: at least what a number takes.
fn room(size: usize) -> usize {
    size.max(NUMBER_BYTES)
}

/// The longest number as text.
const NUMBER_BYTES: usize = 20;

impl Entry {
    /// The leading integer of the value; 0 without one.
    pub fn number(&self) -> i64 {
        self.value.as_deref().map_or(0, numeric::integer)
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.name.len() + self.room()
    }

    fn room(&self) -> usize {
        room(self.value.as_ref().map_or(0, Vec::len))
    }

    /// Whole periods that have passed by `now`.
    pub fn periods(&self, period: u64, now: u64) -> u64 {
        now.saturating_sub(self.since).checked_div(period).unwrap_or(0)
    }

    fn deprecate(&mut self, by: i64, period: u64, now: u64) {
        let periods = self.periods(period, now);
        if periods == 0 || self.value.is_none() {
            return;
        }
        let off = by.saturating_mul(i64::try_from(periods).unwrap_or(i64::MAX));
        let number = self.number();
        let left = number.saturating_sub(off).max(0);
        if left != number {
            self.value = Some(left.to_string().into_bytes());
        }
        self.since = self.since.saturating_add(periods.saturating_mul(period));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RecordLimits = RecordLimits { entries: 3, value_bytes: 10, record_bytes: 1000 };

    fn change(name: &str, what: What) -> Change {
        Change { name: name.as_bytes().into(), what }
    }

    fn set(name: &str, value: &str) -> Change {
        change(name, What::Set { value: value.into(), until: None })
    }

    fn value(record: &Record, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(record.entry(name.as_bytes())?.value.as_ref()?).into_owned())
    }

    #[test]
    fn deprecation_counts_whole_periods_however_often_it_is_asked() {
        // Value, rate, the times at which it runs, value at the end.
        let table: &[(&str, (i64, u64), &[u64], &str)] = &[
            ("100", (60, 300), &[299], "100"),
            ("100", (60, 300), &[300], "40"),
            ("100", (60, 300), &[599], "40"),
            ("100", (60, 300), &[600], "0"),
            ("100", (1, 10), &[5, 9, 12, 19, 25], "98"),
            ("100", (1, 10), &[25], "98"),
            ("5", (10, 1), &[1], "0"),
            ("-5", (1, 1), &[1], "0"),
            ("abc", (1, 1), &[1], "abc"),
            ("7 apples", (2, 1), &[1], "5"),
        ];
        for (start, (by, period), times, end) in table {
            let mut record = Record::new(0, 3600);
            record.apply(&set("n", start), 0, &LIMITS);
            for now in *times {
                let what = What::Deprecate { by: *by, period: *period, now: *now };
                record.apply(&change("n", what), *now, &LIMITS);
            }
            assert_eq!(value(&record, "n").as_deref(), Some(*end), "{start} {by}/{period} at {times:?}");
        }
    }

    #[test]
    fn an_increment_of_an_expired_counter_ends_with_it() {
        let mut record = Record::new(0, 3600);
        let add = change("n", What::Add { by: 1, until: Some(60) });
        let update = Update { changes: &[add], created: 0, timeout: 3600, counts: true };
        assert!(record.update(&update, 61, &LIMITS));
        record.expire(61);
        assert_eq!(value(&record, "n"), None);
        // With a new expiry in the same update it starts a new period.
        let changes = [change("n", What::Add { by: 1, until: Some(60) }), change("n", What::ExpireAt(121))];
        record.update(&Update { changes: &changes, ..update }, 61, &LIMITS);
        record.expire(61);
        assert_eq!(value(&record, "n").as_deref(), Some("1"));
    }

    #[test]
    fn an_expiry_stays_whatever_the_value_becomes_and_goes_with_the_entry() {
        let mut record = Record::new(0, 3600);
        for one in [change("n", What::ExpireAt(10)), set("n", "1"), set("n", "2")] {
            assert!(record.apply(&one, 0, &LIMITS));
        }
        assert_eq!(record.entry(b"n").and_then(|entry| entry.expires), Some(10));
        record.apply(&change("n", What::Unset), 0, &LIMITS);
        record.apply(&set("n", "3"), 0, &LIMITS);
        assert_eq!(record.entry(b"n").and_then(|entry| entry.expires), None);
    }

    #[test]
    fn a_record_does_not_outgrow_its_limits() {
        let mut record = Record::new(0, 3600);
        assert!(record.apply(&set("a", "1"), 0, &LIMITS));
        assert!(!record.apply(&set("b", "0123456789+"), 0, &LIMITS), "cut");
        assert_eq!(value(&record, "b").as_deref(), Some("0123456789"));
        assert!(record.apply(&set("c", "1"), 0, &LIMITS));
        assert!(!record.apply(&set("d", "1"), 0, &LIMITS), "a fourth entry");
        assert!(record.apply(&set("a", "2"), 0, &LIMITS), "one that exists");
        let mut record = Record::new(0, 3600);
        let long = "x".repeat(800);
        assert!(!record.apply(&set(&long, "1"), 0, &LIMITS), "a name that does not fit");
        assert!(record.apply(&set("a", "1"), 0, &LIMITS) && record.bytes() <= LIMITS.record_bytes);
    }
}
