//! Requirements as bytes and back.

use super::{Need, PLACES, Place, Requirement, Window};
use crate::byteset::ByteSet;
use crate::wire::{Damaged, Reader, Writer};

/// Byte sets of one requirement, more than any bounds keep.
const MAX_SETS: usize = 64;
/// Cuts of one requirement, and windows of a cut: more than any bounds keep.
const MAX_CUTS: usize = 16;
const MAX_WINDOWS: usize = 64;
/// Conditions inside each other. Patterns are bounded too, and each level of one makes at most two here.
const MAX_DEPTH: usize = 1024;

impl Requirement {
    /// Writes it.
    pub fn store(&self, writer: &mut Writer) {
        writer.number(self.min_len);
        writer.maybe(self.max_len);
        writer.byte(u8::from(self.whole));
        writer.raw(&self.alphabet.to_bits());
        writer.number(self.any_of.len());
        self.any_of.iter().for_each(|set| writer.raw(&set.to_bits()));
        store_need(&self.literals, writer);
        writer.number(self.windows.len());
        for cut in &self.windows {
            writer.number(cut.len());
            cut.iter().flat_map(|window| &window.0).for_each(|place| {
                writer.byte(u8::from(place.end));
                writer.raw(&place.bytes.to_bits());
            });
        }
    }

    /// Reads what [`Requirement::store`] has written. Whether it is what a pattern requires cannot be seen from it.
    ///
    /// # Errors
    /// Bytes that are no requirement.
    pub fn restore(reader: &mut Reader<'_>) -> Result<Requirement, Damaged> {
        let min_len = reader.number(usize::MAX)?;
        let max_len = reader.maybe(usize::MAX)?;
        let whole = reader.number(1)? == 1;
        let alphabet = restore_set(reader)?;
        let sets = reader.count(32, MAX_SETS)?;
        let any_of = (0..sets).map(|_| restore_set(reader)).collect::<Result<_, _>>()?;
        let literals = restore_need(reader, 0)?;
        let cuts = reader.count(1, MAX_CUTS)?;
        let windows = (0..cuts).map(|_| restore_cut(reader)).collect::<Result<_, _>>()?;
        Ok(Requirement { min_len, max_len, whole, alphabet, any_of, literals, windows })
    }
}

fn restore_set(reader: &mut Reader<'_>) -> Result<ByteSet, Damaged> {
    let bits = reader.raw(32)?.first_chunk().ok_or(Damaged("a set of bytes is missing"))?;
    Ok(ByteSet::from_bits(bits))
}

fn restore_cut(reader: &mut Reader<'_>) -> Result<Vec<Window>, Damaged> {
    let count = reader.count(PLACES * 33, MAX_WINDOWS)?;
    let mut windows = Vec::with_capacity(count);
    for _ in 0..count {
        let mut places = [Place::ANY; PLACES];
        for place in &mut places {
            *place = Place { end: reader.number(1)? == 1, bytes: restore_set(reader)? };
        }
        windows.push(Window(places));
    }
    Ok(windows)
}

fn store_need(need: &Need, writer: &mut Writer) {
    match need {
        Need::Always => writer.byte(0),
        Need::Never => writer.byte(1),
        Need::Literal(literal) => {
            writer.byte(2);
            writer.bytes(literal);
        }
        Need::All(needs) | Need::Any(needs) => {
            writer.byte(if matches!(need, Need::All(_)) { 3 } else { 4 });
            writer.number(needs.len());
            needs.iter().for_each(|need| store_need(need, writer));
        }
    }
}

fn restore_need(reader: &mut Reader<'_>, depth: usize) -> Result<Need, Damaged> {
    if depth > MAX_DEPTH {
        return Err(Damaged("conditions stand too deep inside each other"));
    }
    let kind = reader.byte()?;
    Ok(match kind {
        0 => Need::Always,
        1 => Need::Never,
        2 => {
            let literal = reader.bytes(usize::MAX)?;
            if literal.iter().any(u8::is_ascii_uppercase) {
                return Err(Damaged("a required literal is not lower case"));
            }
            Need::Literal(literal.into())
        }
        3 | 4 => {
            let count = reader.count(1, usize::MAX)?;
            let needs = (0..count).map(|_| restore_need(reader, depth + 1)).collect::<Result<_, _>>()?;
            if kind == 3 { Need::All(needs) } else { Need::Any(needs) }
        }
        _ => return Err(Damaged("a condition of an unknown kind")),
    })
}
