//! A record as bytes: what stands in the file. What is read is not trusted: it is checked field by field, and a checksum over id
//! and record tells a row that was damaged or belongs elsewhere.

use crate::engine::persist::{Entry, Record, RecordLimits};

/// The first byte of each row: the version of this format.
const VERSION: u8 = 1;
const HAS_VALUE: u8 = 1;
const HAS_EXPIRY: u8 = 2;

/// The row of a record. Numbers are little endian.
pub(super) fn encode(id: &[u8], record: &Record) -> Vec<u8> {
    let mut out = vec![VERSION];
    for number in [record.created, record.updated, record.updates, record.timeout, record.expires] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&length(record.entries.len()));
    for entry in &record.entries {
        let has_value = if entry.value.is_some() { HAS_VALUE } else { 0 };
        out.push(has_value | if entry.expires.is_some() { HAS_EXPIRY } else { 0 });
        out.extend_from_slice(&length(entry.name.len()));
        out.extend_from_slice(&entry.name);
        if let Some(value) = &entry.value {
            out.extend_from_slice(&length(value.len()));
            out.extend_from_slice(value);
        }
        if let Some(expires) = entry.expires {
            out.extend_from_slice(&expires.to_le_bytes());
        }
        out.extend_from_slice(&entry.since.to_le_bytes());
    }
    let sum = checksum(id, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Lengths are below 2^32: the limits of records are.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// The record of a row, if the row is what [`encode`] writes and the record within the limits.
pub(super) fn decode(id: &[u8], row: &[u8], limits: &RecordLimits) -> Option<Record> {
    let (body, sum) = row.split_last_chunk::<8>()?;
    if checksum(id, body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let mut from = Reader(body);
    if from.byte()? != VERSION {
        return None;
    }
    let mut record = Record::new(0, 0);
    record.created = from.number()?;
    record.updated = from.number()?;
    record.updates = from.number()?;
    record.timeout = from.number()?;
    record.expires = from.number()?;
    let count = from.length()?;
    if count > limits.entries {
        return None;
    }
    for _ in 0..count {
        let flags = from.byte()?;
        let length = from.length()?;
        let name: Box<[u8]> = from.bytes(length)?.into();
        let value = match flags & HAS_VALUE {
            0 => None,
            _ => {
                let length = from.length()?;
                Some(from.bytes(length)?.to_vec())
            }
        };
        let expires = if flags & HAS_EXPIRY == 0 { None } else { Some(from.number()?) };
        let entry = Entry { name, value, expires, since: from.number()? };
        let usual = flags <= HAS_VALUE | HAS_EXPIRY
            && entry.value.as_ref().is_none_or(|value| value.len() <= limits.value_bytes)
            && !entry.name.iter().any(u8::is_ascii_uppercase)
            && record.entry(&entry.name).is_none();
        if !usual {
            return None;
        }
        record.entries.push(entry);
    }
    (from.0.is_empty() && record.bytes() <= limits.record_bytes).then_some(record)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }

    fn length(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*first)).ok()
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }
}

/// FNV-1a, 64 bits: against accidents, not against forgers, who could write the file anew.
fn checksum(id: &[u8], row: &[u8]) -> u64 {
    id.iter().chain(row).fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: RecordLimits = RecordLimits { entries: 4, value_bytes: 20, record_bytes: 4096 };

    fn record() -> impl Strategy<Value = Record> {
        let entry = (any::<Option<[u8; 3]>>(), any::<Option<u64>>(), any::<u64>());
        (prop::collection::vec(entry, 0..4), any::<[u64; 5]>()).prop_map(|(entries, numbers)| {
            let [created, updated, updates, timeout, expires] = numbers;
            let entries = entries.into_iter().enumerate().map(|(at, (value, expires, since))| Entry {
                name: [b'a' + at as u8].into(),
                value: value.map(Vec::from),
                expires,
                since,
            });
            Record { created, updated, updates, timeout, expires, entries: entries.collect() }
        })
    }

    proptest! {
        #[test]
        fn rows_and_records_correspond(record in record()) {
            let row = encode(b"id", &record);
            prop_assert_eq!(decode(b"id", &row, &LIMITS), Some(record));
            prop_assert_eq!(decode(b"other", &row, &LIMITS), None);
        }

        #[test]
        fn a_damaged_row_is_no_record(record in record(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
            let mut row = encode(b"id", &record);
            let at = at.index(row.len());
            row[at] ^= 1u8 << bit;
            prop_assert_eq!(decode(b"id", &row, &LIMITS), None);
            prop_assert_eq!(decode(b"id", &row[..at], &LIMITS), None);
        }

        #[test]
        fn anything_can_be_read(row in prop::collection::vec(any::<u8>(), 0..200)) {
            // With a checksum that is right the fields decide.
            let sum = checksum(b"id", &row);
            let row = [row, sum.to_le_bytes().to_vec()].concat();
            let _ = decode(b"id", &row, &LIMITS);
        }
    }
}
