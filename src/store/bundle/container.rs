//! The bytes of a bundle.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 4 | [`FORMAT`], little-endian |
//! | 32 | SHA-256 of all that follows: against damage, not against anybody |
//! | rest | version of the engine, [`Identity`], where reading begins, the files, the artefacts |

use super::carried::{Carried, Hashes};
use crate::limits::Limits;
use crate::plan::{Artefact, Artefacts, Options};
use crate::rule::Pattern;
use crate::store::{RulePiece, RuleSource};
use crate::wire::{Damaged, Reader, Writer};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

/// What a bundle begins with: no text does, and a transfer that changes line ends damages it.
pub(super) const MAGIC: &[u8; 8] = b"\x89FWB\r\n\x1a\n";

/// The version of the form.
pub(super) const FORMAT: u32 = 1;

/// Bytes before those that the checksum is of.
const HEAD: usize = 44;

/// Texts of the head: names, versions.
const NAME_BYTES: usize = 64 << 10;

/// Whether a file that begins so is a bundle.
pub fn is_bundle(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// What artefacts belong to: the version of the engine, the limits that shape automata, and the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Identity([u8; 32]);

impl Identity {
    /// Of these rules.
    pub(in crate::store) fn new(source: &RuleSource, hashes: &Hashes, limits: &Limits, options: Options) -> Identity {
        let mut writer = Writer::default();
        writer.bytes(super::ENGINE.as_bytes());
        let Limits {
            pattern_bytes,
            pattern_depth,
            nfa_bytes,
            dense_dfa_bytes,
            hybrid_head_bytes,
            lazy_dfa_bytes,
            determinize_bytes,
            backtrack_bytes,
            fuel_rule,
            ..
        } = limits;
        let automata = [nfa_bytes, dense_dfa_bytes, hybrid_head_bytes, lazy_dfa_bytes, determinize_bytes];
        let sizes = [pattern_bytes].into_iter().chain(automata).chain([backtrack_bytes]);
        sizes.for_each(|size| writer.number(*size));
        writer.raw(&pattern_depth.to_le_bytes());
        writer.raw(&fuel_rule.to_le_bytes());
        writer.byte(u8::from(options.spans));
        store_source(source, &mut writer);
        for (name, hash) in hashes {
            writer.bytes(name.as_bytes());
            writer.raw(hash);
        }
        Identity(Sha256::digest(writer.into_bytes()).into())
    }

    /// As a name for a file.
    pub(in crate::store) fn name(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A ruleset in one.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Bundle {
    /// The version of the engine that has made it.
    pub(in crate::store) engine: String,
    /// What the artefacts belong to.
    pub(in crate::store) identity: Identity,
    /// Where reading begins.
    pub(in crate::store) source: RuleSource,
    /// The files; none in a cache.
    pub(in crate::store) carried: Carried,
    /// What took long to make.
    pub(in crate::store) artefacts: Artefacts,
}

impl Bundle {
    /// Its bytes.
    pub(in crate::store) fn to_bytes(&self) -> Vec<u8> {
        let artefacts: usize = self.artefacts.values().map(Artefact::packed_len).sum();
        let mut writer = Writer::with_capacity(artefacts + self.carried.size().1 + (64 << 10));
        writer.raw(MAGIC);
        writer.raw(&FORMAT.to_le_bytes());
        writer.raw(&[0; 32]);
        writer.bytes(self.engine.as_bytes());
        writer.raw(&self.identity.0);
        store_source(&self.source, &mut writer);
        self.carried.store(&mut writer);
        writer.number(self.artefacts.len());
        for (pattern, artefact) in &self.artefacts {
            writer.bytes(&pattern.text);
            writer.byte(u8::from(pattern.fold_case));
            artefact.store(&mut writer);
        }
        let mut bytes = writer.into_bytes();
        if let Some((head, body)) = bytes.split_at_mut_checked(HEAD) {
            let (_, sum) = head.split_at_mut(HEAD - 32);
            sum.copy_from_slice(&Sha256::digest(body));
        }
        bytes
    }

    /// Reads what [`Bundle::to_bytes`] has written. Nobody need look at the checksum of what is `signed`.
    pub(in crate::store) fn read(bytes: Vec<u8>, signed: bool, limits: &Limits) -> Result<Bundle, Damaged> {
        let bytes = Arc::new(bytes);
        let mut reader = Reader::new(&bytes);
        if reader.raw(MAGIC.len())? != MAGIC {
            return Err(Damaged("it is no bundle"));
        }
        if reader.raw(4)? != FORMAT.to_le_bytes() {
            return Err(Damaged("it has the form of another version of the engine"));
        }
        let sum = reader.raw(32)?;
        if !signed && *sum != *Sha256::digest(reader.clone().raw(reader.left())?) {
            return Err(Damaged("it is not complete, or damaged"));
        }
        let engine = reader.text(NAME_BYTES)?.to_owned();
        let identity = Identity(reader.raw(32)?.try_into().map_err(|_| Damaged("it has no identity"))?);
        let source = restore_source(&mut reader, limits)?;
        let carried = Carried::restore(&mut reader, limits.bundle_bytes)?;
        let mut artefacts = Artefacts::new();
        for _ in 0..reader.count(4, usize::MAX)? {
            let text = reader.bytes(limits.pattern_bytes)?.into();
            let fold_case = reader.number(1)? == 1;
            artefacts.insert(Pattern { text, fold_case }, Artefact::restore(&mut reader, &bytes)?);
        }
        reader.end()?;
        Ok(Bundle { engine, identity, source, carried, artefacts })
    }
}

fn store_source(source: &RuleSource, writer: &mut Writer) {
    match source {
        RuleSource::Paths(paths) => {
            writer.byte(0);
            writer.number(paths.len());
            paths.iter().for_each(|path| writer.bytes(path.to_string_lossy().as_bytes()));
        }
        RuleSource::Text { name, text } => {
            writer.byte(1);
            writer.bytes(name.as_bytes());
            writer.bytes(text.as_bytes());
        }
        RuleSource::Builtin => writer.byte(2),
        RuleSource::Layers(layers) => {
            writer.byte(3);
            writer.number(layers.len());
            for layer in layers {
                writer.number(layer.len());
                layer.iter().for_each(|piece| store_piece(piece, writer));
            }
        }
    }
}

fn store_piece(piece: &RulePiece, writer: &mut Writer) {
    match piece {
        RulePiece::Path(path) => {
            writer.byte(0);
            writer.bytes(path.to_string_lossy().as_bytes());
        }
        RulePiece::Text { name, text } => {
            writer.byte(1);
            writer.bytes(name.as_bytes());
            writer.bytes(text.as_bytes());
        }
    }
}

fn restore_source(reader: &mut Reader<'_>, limits: &Limits) -> Result<RuleSource, Damaged> {
    Ok(match reader.byte()? {
        0 => {
            let count = reader.count(1, limits.rule_files)?;
            let path = |_| reader.text(NAME_BYTES).map(PathBuf::from);
            RuleSource::Paths((0..count).map(path).collect::<Result<_, _>>()?)
        }
        1 => RuleSource::Text {
            name: reader.text(NAME_BYTES)?.to_owned(),
            text: reader.text(limits.rule_file_bytes)?.to_owned(),
        },
        3 => {
            let count = reader.count(1, limits.rule_files)?;
            let layer = |_| {
                let count = reader.count(2, limits.rule_files)?;
                (0..count).map(|_| restore_piece(reader, limits)).collect()
            };
            RuleSource::Layers((0..count).map(layer).collect::<Result<_, _>>()?)
        }
        _ => return Err(UNKNOWN_PLACE),
    })
}

fn restore_piece(reader: &mut Reader<'_>, limits: &Limits) -> Result<RulePiece, Damaged> {
    Ok(match reader.byte()? {
        0 => RulePiece::Path(reader.text(NAME_BYTES)?.into()),
        1 => RulePiece::Text {
            name: reader.text(NAME_BYTES)?.to_owned(),
            text: reader.text(limits.rule_file_bytes)?.to_owned(),
        },
        _ => return Err(UNKNOWN_PLACE),
    })
}

const UNKNOWN_PLACE: Damaged = Damaged("its rules come from an unknown place");
