//! The manifest: which rulesets there are, in which order they came into service, and what else must outlive the process.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 32 | SHA-256 of all that follows |
//! | rest | sequence, last number, pinned serial, entries |
//!
//! There are two, written in turn: the valid one of the higher sequence counts. Whatever happens to the one that is being written,
//! the other one is whole.

use crate::store::release::ContentHash;
use crate::store::slot::{Generation, Origin};
use crate::wire::{Damaged, Reader, Writer};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"\x89FWH\r\n\x1a\n";

/// Bytes of a manifest: thousands of entries.
pub(super) const BYTES: usize = 1 << 20;

/// Their names.
pub(super) const NAMES: [&str; 2] = ["manifest.0", "manifest.1"];

/// A ruleset that was in service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What is known about its deployment.
    pub generation: Generation,
    /// Whether it stays whatever comes later.
    pub pinned: bool,
    /// SHA-256 of its bytes.
    pub(super) object: [u8; 32],
}

impl Entry {
    /// The file that holds it.
    pub(super) fn file(&self) -> String {
        object_file(&self.object)
    }
}

/// The file that holds what has this hash.
pub(super) fn object_file(hash: &[u8; 32]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("object-{hex}.fwb")
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) sequence: u64,
    /// The highest number that a generation has had.
    pub(super) last: u64,
    /// The lowest serial that may be in service.
    pub(super) minimum: Option<u64>,
    /// The latest last.
    pub(super) entries: Vec<Entry>,
}

impl Manifest {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        long(&mut writer, self.sequence);
        long(&mut writer, self.last);
        maybe_long(&mut writer, self.minimum);
        writer.number(self.entries.len());
        for Entry { generation, pinned, object } in &self.entries {
            let Generation { number, content, serial, at, origin } = generation;
            writer.raw(object);
            writer.raw(&content.0);
            long(&mut writer, *number);
            long(&mut writer, *at);
            maybe_long(&mut writer, *serial);
            let (kind, of) = match origin {
                Origin::Started => (0, 0),
                Origin::Restored => (1, 0),
                Origin::Builtin => (2, 0),
                Origin::Promoted => (3, 0),
                Origin::RolledBack(of) => (4, *of),
                Origin::Recompiled(of) => (5, *of),
            };
            writer.byte(kind);
            long(&mut writer, of);
            writer.byte(u8::from(*pinned));
        }
        sealed(&writer.into_bytes())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Manifest, Damaged> {
        let mut reader = Reader::new(opened(bytes)?);
        let (sequence, last, minimum) = (read_long(&mut reader)?, read_long(&mut reader)?, read_maybe(&mut reader)?);
        let count = reader.count(80, BYTES)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let (object, content) = (hash(&mut reader)?, ContentHash(hash(&mut reader)?));
            let (number, at, serial) = (read_long(&mut reader)?, read_long(&mut reader)?, read_maybe(&mut reader)?);
            let origin = match (reader.byte()?, read_long(&mut reader)?) {
                (0, _) => Origin::Started,
                (1, _) => Origin::Restored,
                (2, _) => Origin::Builtin,
                (3, _) => Origin::Promoted,
                (4, of) => Origin::RolledBack(of),
                (5, of) => Origin::Recompiled(of),
                _ => return Err(Damaged("an entry came in an unknown way")),
            };
            let pinned = reader.byte()? == 1;
            entries.push(Entry { generation: Generation { number, content, serial, at, origin }, pinned, object });
        }
        reader.end()?;
        Ok(Manifest { sequence, last, minimum, entries })
    }
}

/// With a head that shows damage.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &Sha256::digest(body), body].concat()
}

/// What stands behind the head, if it is not damaged.
pub(super) fn opened(bytes: &[u8]) -> Result<&[u8], Damaged> {
    let mut reader = Reader::new(bytes);
    if reader.raw(MAGIC.len())? != MAGIC {
        return Err(Damaged("it is of another kind"));
    }
    let sum = reader.raw(32)?;
    let body = reader.raw(reader.left())?;
    if *sum == *Sha256::digest(body) { Ok(body) } else { Err(Damaged("it is not complete, or damaged")) }
}

pub(super) fn hash(reader: &mut Reader<'_>) -> Result<[u8; 32], Damaged> {
    reader.raw(32)?.try_into().map_err(|_| Damaged("a hash is too short"))
}

fn long(writer: &mut Writer, number: u64) {
    writer.raw(&number.to_le_bytes());
}

fn maybe_long(writer: &mut Writer, number: Option<u64>) {
    writer.byte(u8::from(number.is_some()));
    long(writer, number.unwrap_or(0));
}

fn read_long(reader: &mut Reader<'_>) -> Result<u64, Damaged> {
    let bytes = reader.raw(8)?.try_into().map_err(|_| Damaged("a number is too short"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_maybe(reader: &mut Reader<'_>) -> Result<Option<u64>, Damaged> {
    let (is_there, number) = (reader.byte()? == 1, read_long(reader)?);
    Ok(is_there.then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let origin = prop_oneof![
            Just(Origin::Started),
            Just(Origin::Restored),
            Just(Origin::Builtin),
            Just(Origin::Promoted),
            any::<u64>().prop_map(Origin::RolledBack),
            any::<u64>().prop_map(Origin::Recompiled)
        ];
        let numbers = any::<(u64, u64, Option<u64>, bool)>();
        (origin, numbers, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(
            |(origin, (number, at, serial, pinned), content, object)| Entry {
                generation: Generation { number, content: ContentHash(content), serial, at, origin },
                pinned,
                object,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in any::<(u64, u64, Option<u64>)>(), entries in prop::collection::vec(entry(), 0..5)) {
            let (sequence, last, minimum) = numbers;
            let manifest = Manifest { sequence, last, minimum, entries };
            let bytes = manifest.to_bytes();
            prop_assert_eq!(Manifest::read(&bytes), Ok(manifest));
            for cut in 0..bytes.len() {
                prop_assert!(Manifest::read(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn damage_is_seen(at in any::<prop::sample::Index>(), bits in 1u8.., entries in prop::collection::vec(entry(), 0..3)) {
            let mut bytes = Manifest { entries, ..Manifest::default() }.to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            prop_assert!(Manifest::read(&bytes).is_err());
        }

        #[test]
        fn anything_can_be_read(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Manifest::read(&sealed(&body));
        }
    }
}
