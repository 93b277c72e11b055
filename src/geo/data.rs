//! The values of the data section: maps, arrays, text and numbers, read in place without recursion.

use crate::meter::{Exhausted, Meter};

/// Fuel for one value.
pub(super) const PER_VALUE: u64 = 6;

/// Why reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something leads out of the section, or is of a type that does not belong there.
    Malformed,
    /// More values than may be read.
    TooMany,
    Exhausted(Exhausted),
}

/// What a control byte announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Double,
    Float,
    /// uint16, uint32, uint64, uint128; int32, whose negative values are nothing that is asked for.
    Number,
    Map,
    Array,
    /// Bytes.
    Other,
    Boolean,
}

/// The head of a value.
struct Head {
    kind: Type,
    /// Bytes of a scalar, entries of a map or array.
    size: usize,
    /// Where what follows the head begins.
    body: usize,
}

/// A reader over the section.
pub(super) struct Data<'d, 'm> {
    bytes: &'d [u8],
    left: u32,
    values: u32,
    meter: Option<&'m mut Meter>,
}

impl<'d, 'm> Data<'d, 'm> {
    /// A reader that may read `values` values, each charged to the meter, if there is one.
    pub(super) fn new(bytes: &'d [u8], values: u32, meter: Option<&'m mut Meter>) -> Self {
        Data { bytes, left: values, values, meter }
    }

    /// Values read so far.
    pub(super) fn read(&self) -> u32 {
        self.values - self.left
    }

    fn byte(&self, at: usize) -> Result<u8, Stop> {
        self.bytes.get(at).copied().ok_or(Stop::Malformed)
    }

    /// The unsigned number in `count` bytes.
    fn big_endian(&self, at: usize, count: usize) -> Result<usize, Stop> {
        let bytes = self.bytes.get(at..at + count).ok_or(Stop::Malformed)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// Reads the head of the value at `at`; a pointer's is read where it points. Answers also where the value after a pointer begins.
    fn head(&mut self, at: usize) -> Result<(Head, Option<usize>), Stop> {
        self.left = self.left.checked_sub(1).ok_or(Stop::TooMany)?;
        if let Some(meter) = &mut self.meter {
            meter.charge_rule(PER_VALUE).map_err(Stop::Exhausted)?;
        }
        let control = self.byte(at)?;
        if control >> 5 != 1 {
            return Ok((self.plain_head(at, control)?, None));
        }
        let count = usize::from(control >> 3 & 3) + 1;
        let high = if count == 4 { 0 } else { usize::from(control & 7) << (8 * count) };
        let base = [0, 2048, 526_336, 0].get(count - 1).copied().unwrap_or(0);
        let target = high + self.big_endian(at + 1, count)? + base;
        let pointed = self.byte(target)?;
        // A pointer to a pointer is forbidden by the format.
        if pointed >> 5 == 1 {
            return Err(Stop::Malformed);
        }
        Ok((self.plain_head(target, pointed)?, Some(at + 1 + count)))
    }

    fn plain_head(&self, at: usize, control: u8) -> Result<Head, Stop> {
        let (number, at) = match control >> 5 {
            0 => (usize::from(self.byte(at + 1)?) + 7, at + 2),
            number => (usize::from(number), at + 1),
        };
        let kind = match number {
            2 => Type::Text,
            3 => Type::Double,
            4 => Type::Other,
            5 | 6 | 8 | 9 | 10 => Type::Number,
            7 => Type::Map,
            11 => Type::Array,
            14 => Type::Boolean,
            15 => Type::Float,
            _ => return Err(Stop::Malformed),
        };
        let (size, body) = match control & 31 {
            29 => (29 + self.big_endian(at, 1)?, at + 1),
            30 => (285 + self.big_endian(at, 2)?, at + 2),
            31 => (65_821 + self.big_endian(at, 3)?, at + 3),
            size => (usize::from(size), at),
        };
        let body_len = if matches!(kind, Type::Map | Type::Array | Type::Boolean) { 0 } else { size };
        if self.bytes.len() < body + body_len {
            return Err(Stop::Malformed);
        }
        Ok(Head { kind, size, body })
    }

    /// Where the value after the one at `at` begins.
    fn skip(&mut self, at: usize) -> Result<usize, Stop> {
        let mut at = at;
        let mut pending = 1usize;
        while pending > 0 {
            pending -= 1;
            let (head, after_pointer) = self.head(at)?;
            at = match (after_pointer, head.kind) {
                (Some(after), _) => after,
                (None, Type::Map) => {
                    pending += 2 * head.size;
                    head.body
                }
                (None, Type::Array) => {
                    pending += head.size;
                    head.body
                }
                (None, Type::Boolean) => head.body,
                (None, _) => head.body + head.size,
            };
        }
        Ok(at)
    }

    /// Where the values of these keys of the map at `at` begin. Something that is not a map has no keys.
    pub(super) fn fields<const N: usize>(&mut self, at: usize, names: [&[u8]; N]) -> Result<[Option<usize>; N], Stop> {
        let mut found = [None; N];
        let (head, _) = self.head(at)?;
        if head.kind != Type::Map {
            return Ok(found);
        }
        let mut at = head.body;
        for _ in 0..head.size {
            let (key, after_pointer) = self.head(at)?;
            if key.kind != Type::Text {
                return Err(Stop::Malformed);
            }
            let value = after_pointer.unwrap_or(key.body + key.size);
            let name = self.bytes.get(key.body..key.body + key.size).unwrap_or_default();
            if let Some(place) = names.iter().position(|wanted| *wanted == name).and_then(|at| found.get_mut(at)) {
                *place = Some(value);
            }
            at = self.skip(value)?;
        }
        Ok(found)
    }

    /// Where the first element of the array at `at` begins.
    pub(super) fn first(&mut self, at: usize) -> Result<Option<usize>, Stop> {
        let (head, _) = self.head(at)?;
        Ok((head.kind == Type::Array && head.size > 0).then_some(head.body))
    }

    /// The text at `at`.
    pub(super) fn text(&mut self, at: usize) -> Result<Option<&'d [u8]>, Stop> {
        let (head, _) = self.head(at)?;
        Ok(self.bytes.get(head.body..head.body + head.size).filter(|_| head.kind == Type::Text))
    }

    /// The unsigned number at `at`.
    pub(super) fn number(&mut self, at: usize) -> Result<Option<u64>, Stop> {
        let (head, _) = self.head(at)?;
        if head.kind != Type::Number || head.size > 8 {
            return Ok(None);
        }
        self.big_endian(head.body, head.size).map(|number| Some(number as u64))
    }

    /// The value at `at` as rules see it: text as it stands, numbers in decimal, fractions with six places.
    pub(super) fn shown(&mut self, at: usize) -> Result<Option<Vec<u8>>, Stop> {
        let (head, _) = self.head(at)?;
        let body = self.bytes.get(head.body..head.body + head.size);
        Ok(match (head.kind, body) {
            (Type::Text, Some(text)) => Some(text.to_vec()),
            (Type::Double, Some(body)) => body.try_into().ok().map(|bytes| fraction(f64::from_be_bytes(bytes))),
            (Type::Float, Some(body)) => {
                body.try_into().ok().map(|bytes| fraction(f64::from(f32::from_be_bytes(bytes))))
            }
            (Type::Number, Some(_)) if head.size <= 8 => {
                Some(self.big_endian(head.body, head.size)?.to_string().into_bytes())
            }
            _ => None,
        })
    }
}

fn fraction(number: f64) -> Vec<u8> {
    format!("{number:.6}").into_bytes()
}
