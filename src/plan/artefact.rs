//! What takes long to make for a pattern, in a form that can be stored: its automata and what it requires.
//!
//! An artefact belongs to the text of its pattern, to the limits, and to this version of the engine; whoever keeps artefacts sees
//! to the last two. Prices are not in it: they are worked out from the automata, wherever these come from.

use super::patterns::{Made, make};
use crate::lang::pcre;
use crate::limits::Limits;
use crate::parallel::in_parallel;
use crate::program::LEVELS;
use crate::rule::Pattern;
use crate::scan::StoredPattern;
use crate::scan::require::Requirement;
use crate::wire::{Damaged, Reader, Writer};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes of the requirements of one pattern. Those of the largest patterns of CRS have a few thousand.
const REQUIREMENT_BYTES: usize = 1 << 20;

/// The stored form of one compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Where the pattern has its first back-reference, and bytes of that: what the reader of rules has to know of it.
    pub back_reference: Option<(usize, usize)>,
    /// Bytes before compression.
    len: usize,
    /// LZ4.
    packed: Packed,
}

/// Compressed bytes, perhaps among others in a file that was read: they are not copied out of it.
#[derive(Clone)]
struct Packed {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl From<Vec<u8>> for Packed {
    fn from(bytes: Vec<u8>) -> Packed {
        Packed { range: 0..bytes.len(), whole: Arc::new(bytes) }
    }
}

impl Deref for Packed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Packed) -> bool {
        **self == **other
    }
}

impl Eq for Packed {}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// The artefacts of a ruleset, by their patterns.
pub type Artefacts = BTreeMap<Pattern, Artefact>;

/// Artefacts that have become automata again.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// Each with what it was made of.
    pub(super) made: BTreeMap<Pattern, (Made, Artefact)>,
    /// How many were of no use: damaged, or beyond the limits.
    pub refused: usize,
}

impl Artefact {
    pub(super) fn of(made: &Made) -> Artefact {
        // What stores it takes little more than the automata themselves.
        let mut writer = Writer::with_capacity(made.automaton.memory() + (4 << 10));
        made.automaton.store(made.want, &mut writer);
        for requirement in &made.requirements {
            writer.byte(u8::from(requirement.is_some()));
            requirement.iter().for_each(|requirement| requirement.store(&mut writer));
        }
        let bytes = writer.into_bytes();
        Artefact {
            back_reference: pcre::back_reference(&made.constructs),
            len: bytes.len(),
            packed: lz4_flex::block::compress(&bytes).into(),
        }
    }

    /// The automata and requirements that it holds.
    ///
    /// # Errors
    /// What cannot come from [`Artefact::of`] under these limits.
    pub(super) fn open(&self, pattern: &Pattern, limits: &Limits, scratch: &mut Vec<u8>) -> Result<Made, Damaged> {
        self.unpack(limits, scratch)?;
        let mut reader = Reader::new(scratch);
        let stored = StoredPattern::read(&mut reader, limits)?;
        let mut requirements = [const { None }; LEVELS];
        for requirement in &mut requirements {
            if reader.number(1)? == 1 {
                *requirement = Some(Requirement::restore(&mut reader)?);
            }
        }
        reader.end()?;
        let parsed = match stored.needs_tree() {
            false => None,
            true => Some(
                pcre::parse(&pattern.text, pattern.fold_case, limits)
                    .map_err(|_| Damaged("the pattern of an artefact is none"))?,
            ),
        };
        let want = stored.want();
        let automaton = stored.complete(parsed.as_ref().and_then(|parsed| parsed.exact.as_ref()), limits)?;
        let constructs = parsed.map(|parsed| parsed.constructs).unwrap_or_default();
        Ok(Made { want, automaton, requirements, constructs })
    }

    fn unpack(&self, limits: &Limits, bytes: &mut Vec<u8>) -> Result<(), Damaged> {
        const COMPRESSED: Damaged = Damaged("an artefact is compressed in a wrong way");
        if self.len > StoredPattern::max_bytes(limits).saturating_add(REQUIREMENT_BYTES) {
            return Err(Damaged("an artefact is larger than any automata within the limits"));
        }
        // LZ4 makes at most 255 bytes of one.
        if self.len / 255 > self.packed.len() {
            return Err(COMPRESSED);
        }
        bytes.resize(self.len, 0);
        match lz4_flex::block::decompress_into(&self.packed, bytes) {
            Ok(len) if len == bytes.len() => Ok(()),
            _ => Err(COMPRESSED),
        }
    }

    /// Compiles the pattern again and compares, byte by byte. False too if it does not compile.
    pub fn is_of(&self, pattern: &Pattern, limits: &Limits) -> bool {
        let (mut bytes, mut others) = (Vec::new(), Vec::new());
        if self.unpack(limits, &mut bytes).is_err() {
            return false;
        }
        let want = StoredPattern::read(&mut Reader::new(&bytes), limits).map(|stored| stored.want());
        let made = want.ok().and_then(|want| make(pattern, want, limits).ok());
        made.is_some_and(|made| {
            let again = Artefact::of(&made);
            again.back_reference == self.back_reference && again.unpack(limits, &mut others).is_ok() && others == bytes
        })
    }

    /// Bytes before compression.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes after compression.
    pub fn packed_len(&self) -> usize {
        self.packed.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes it.
    pub fn store(&self, writer: &mut Writer) {
        let (offset, bytes) = self.back_reference.unzip();
        writer.maybe(offset);
        writer.maybe(bytes);
        writer.number(self.len);
        writer.bytes(&self.packed);
    }

    /// Reads what [`Artefact::store`] has written; `reader` reads to the end of `whole`, in which it leaves the automata. What is in
    /// it is looked at when it is unpacked.
    ///
    /// # Errors
    /// Bytes that are no artefact.
    pub fn restore(reader: &mut Reader<'_>, whole: &Arc<Vec<u8>>) -> Result<Artefact, Damaged> {
        let (offset, bytes) = (reader.maybe(usize::MAX)?, reader.maybe(usize::MAX)?);
        let len = reader.number(usize::MAX)?;
        let packed = reader.bytes(usize::MAX)?.len();
        let end = whole.len().saturating_sub(reader.left());
        let packed = Packed { whole: whole.clone(), range: end.saturating_sub(packed)..end };
        Ok(Artefact { back_reference: offset.zip(bytes), len, packed })
    }
}

/// Makes automata of artefacts, on `threads` threads. What is damaged is left out.
pub fn unpack(artefacts: &Artefacts, limits: &Limits, threads: usize) -> Unpacked {
    let list: Vec<_> = artefacts.iter().collect();
    let opened = in_parallel(&list, threads, |(pattern, artefact), scratch| artefact.open(pattern, limits, scratch));
    let mut unpacked = Unpacked::default();
    for ((pattern, artefact), opened) in list.into_iter().zip(opened) {
        match opened {
            Some(Ok(made)) => {
                unpacked.made.insert(pattern.clone(), (made, artefact.clone()));
            }
            _ => unpacked.refused += 1,
        }
    }
    unpacked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Meter;
    use crate::scan::{Cache, Cursor, Groups, Want};
    use proptest::prelude::*;

    /// Small automata of every kind: the library's, our own, hybrids, captures, back-references, assertions.
    const PATTERNS: &[(&str, Want, usize)] = &[
        ("(?i)un(ion)\\s+select", Want::Groups, 1 << 20),
        ("\\bon[a-z]{3,9}\\s*=", Want::Span, 1 << 14),
        ("[ab]x.{9}y|^z", Want::Match, 1 << 8),
        ("^(a+)=\\1$", Want::Groups, 1 << 16),
        ("\\b[no]x?.{9}(y)|z$", Want::Groups, 1 << 8),
    ];

    fn limits(dense_dfa_bytes: usize) -> Limits {
        Limits { dense_dfa_bytes, ..Limits::default() }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern { text: text.as_bytes().into(), fold_case: false }
    }

    fn made(which: usize) -> (Pattern, Made, Limits) {
        let (text, want, bytes) = PATTERNS[which];
        let limits = limits(bytes);
        let made = make(&pattern(text), want, &limits).unwrap_or_else(|_| panic!("{text}"));
        (pattern(text), made, limits)
    }

    /// All that a scan says: what it finds and what it costs.
    fn scan(made: &Made, haystack: &[u8]) -> (bool, Groups, u64) {
        let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
        let mut meter = Meter::new(1 << 24);
        let outcome = made.automaton.scan(&mut cache, haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
        (outcome.is_ok_and(|outcome| outcome == crate::scan::Outcome::Hit), groups, meter.spent())
    }

    #[test]
    fn what_is_kept_is_what_was_made() {
        let haystacks: [&[u8]; 5] = [b"1 UNION  select", b"x onload =", b"axabcdefghiy", b"aa=aa", b"z"];
        for which in 0..PATTERNS.len() {
            let (pattern, made, limits) = made(which);
            let artefact = Artefact::of(&made);
            let opened = artefact.open(&pattern, &limits, &mut Vec::new()).unwrap();
            assert_eq!(opened.automaton.price(), made.automaton.price());
            assert_eq!(opened.requirements, made.requirements);
            assert_eq!(opened.constructs, made.constructs);
            assert!(haystacks.iter().all(|haystack| scan(&opened, haystack) == scan(&made, haystack)), "{which}");
            assert!(artefact.is_of(&pattern, &limits));
            let other = Pattern { text: (*b"other").into(), fold_case: false };
            assert!(!artefact.is_of(&other, &limits));
            let mut writer = Writer::default();
            artefact.store(&mut writer);
            let bytes = Arc::new(writer.into_bytes());
            assert_eq!(Artefact::restore(&mut Reader::new(&bytes), &bytes).as_ref(), Ok(&artefact));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_byte_of_an_artefact_may_be_wrong(
            which in 0..PATTERNS.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            haystack in prop::collection::vec(prop::sample::select(b"aonxyz=_ \n\xff".to_vec()), 0..200),
        ) {
            let (pattern, made, limits) = made(which);
            let mut bytes = Vec::new();
            Artefact::of(&made).unpack(&limits, &mut bytes).unwrap();
            // What stands at the start steers what follows: it is hit more often than chance would have it.
            for (place, byte) in &changes {
                let len = if byte % 2 == 0 { bytes.len() } else { bytes.len().min(400) };
                bytes[place.index(len)] = *byte;
            }
            let packed = lz4_flex::block::compress(&bytes).into();
            let forged = Artefact { back_reference: None, len: bytes.len(), packed };
            if let Ok(opened) = forged.open(&pattern, &limits, &mut Vec::new()) {
                scan(&opened, &haystack);
            }
        }
    }
}
