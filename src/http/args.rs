//! Query strings and urlencoded bodies: `name=value` pairs.
//!
//! Pairs are split before they are decoded: at the separator, then at the first `=`. `+` is a space, `%XX` a byte; a `%` that is
//! no escape stays and is flagged. A pair with an empty name is kept, a piece without any byte (`a&&b`) is none, as in
//! ModSecurity v2. The machine takes its input in blocks of any size.

use super::body::BLOCK;
use super::percent::hex_pair;
use super::{Bytes, Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 2;
/// Fuel for one pair: the entry in the list of fields.
const PER_PAIR: u64 = 14;
/// Fuel for a `%` that begins no escape: it is put back on its own.
const PER_BROKEN: u64 = 2;
/// A pair takes two bytes or more, but for the last; one of the two may be a `%` that begins no escape, and more of them take less than
/// their part of a pair.
pub(super) const PRICE: Price = Price::per_byte(PER_PAIR, PER_BYTE + (PER_PAIR + PER_BROKEN) / 2);

/// Reads a query string into arguments.
///
/// ```
/// use fusewall::http::{args::parse_query, Fields, ParseLimits, Report};
/// use fusewall::meter::Meter;
/// let (mut fields, mut report) = (Fields::with_limit(1 << 20), Report::default());
/// parse_query(b"q=a+b%21&=x", &ParseLimits::default(), &mut fields, &mut report, &mut Meter::unlimited()).unwrap();
/// let read: Vec<_> = fields.items().iter().map(|f| (fields.bytes(f.name), fields.bytes(f.value))).collect();
/// assert_eq!(read, [(&b"q"[..], &b"a b!"[..]), (b"", b"x")]);
/// ```
///
/// # Errors
/// [`Exhausted`] when a budget is spent; at most [`price`](super::body::price)`(Processor::UrlEncoded)` is charged.
pub fn parse_query(
    query: &[u8],
    limits: &ParseLimits,
    fields: &mut Fields,
    report: &mut Report,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let mut pairs = Pairs::new(Kind::ArgGet, limits);
    for (number, block) in query.chunks(BLOCK).enumerate() {
        meter.charge(PER_BYTE * block.len() as u64)?;
        if !pairs.feed(block, number * BLOCK, fields, report, meter)? {
            return Ok(());
        }
    }
    pairs.finish(fields, report, meter)
}

/// Where in a pair the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Before its first byte.
    Empty,
    Name,
    Value,
}

/// How much of a `%XX` was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Percent,
    Digit(u8),
}

/// The machine.
#[derive(Debug)]
pub(super) struct Pairs {
    kind: Kind,
    separator: u8,
    limit: usize,
    piece: Piece,
    escape: Escape,
    name: Bytes,
    value: Bytes,
}

impl Pairs {
    pub(super) fn new(kind: Kind, limits: &ParseLimits) -> Self {
        Pairs {
            kind,
            separator: limits.argument_separator,
            limit: limits.arguments,
            piece: Piece::Empty,
            escape: Escape::None,
            name: Bytes::default(),
            value: Bytes::default(),
        }
    }

    /// Reads the next block, which starts at byte `offset`; answers whether to go on.
    pub(super) fn feed(
        &mut self,
        block: &[u8],
        offset: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            if byte == self.separator {
                self.end_pair(fields, report, meter)?;
                rest = after;
                continue;
            }
            if self.piece == Piece::Empty {
                if fields.arguments() >= self.limit {
                    report.too_many_arguments(self.limit, offset + block.len() - rest.len());
                    return Ok(false);
                }
                self.piece = Piece::Name;
            }
            match self.escape {
                Escape::Percent if byte.is_ascii_hexdigit() => {
                    self.escape = Escape::Digit(byte);
                    rest = after;
                    continue;
                }
                Escape::Digit(high) => {
                    if let Some(decoded) = hex_pair(high, byte) {
                        self.escape = Escape::None;
                        self.put(&[decoded], fields)?;
                        rest = after;
                        continue;
                    }
                    self.broken_escape(fields, report, meter)?;
                }
                Escape::Percent => self.broken_escape(fields, report, meter)?,
                Escape::None => {}
            }
            match byte {
                b'%' => self.escape = Escape::Percent,
                b'=' if self.piece == Piece::Name => self.piece = Piece::Value,
                _ => {
                    let equals = if self.piece == Piece::Name { b'=' } else { b'%' };
                    let (run, next) = rest.split_at(1 + until([b'%', equals, self.separator], after));
                    self.put(run, fields)?;
                    fields.spaces_for_plus(run.len());
                    rest = next;
                    continue;
                }
            }
            rest = after;
        }
        Ok(true)
    }

    /// Ends the last pair.
    pub(super) fn finish(
        &mut self,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        self.end_pair(fields, report, meter)
    }

    fn end_pair(&mut self, fields: &mut Fields, report: &mut Report, meter: &mut Meter) -> Result<(), Exhausted> {
        self.broken_escape(fields, report, meter)?;
        if self.piece != Piece::Empty {
            meter.charge(PER_PAIR)?;
            fields.push_stored(self.kind, std::mem::take(&mut self.name), std::mem::take(&mut self.value));
            self.piece = Piece::Empty;
        }
        Ok(())
    }

    /// Puts back what turned out not to be an escape.
    fn broken_escape(&mut self, fields: &mut Fields, report: &mut Report, meter: &mut Meter) -> Result<(), Exhausted> {
        if self.escape == Escape::None {
            return Ok(());
        }
        meter.charge(PER_BROKEN)?;
        match std::mem::replace(&mut self.escape, Escape::None) {
            Escape::None => {}
            Escape::Percent => self.put(b"%", fields)?,
            Escape::Digit(digit) => self.put(&[b'%', digit], fields)?,
        }
        report.urlencoded_error = true;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8], fields: &mut Fields) -> Result<(), Exhausted> {
        let open = if self.piece == Piece::Value { &mut self.value } else { &mut self.name };
        fields.append(open, bytes)
    }
}

/// How far it is to the first of three bytes.
fn until([a, b, c]: [u8; 3], text: &[u8]) -> usize {
    /// What is nearer than this is found before a search of whole words has begun.
    const NEAR: usize = 8;
    if let Some(near) = text.iter().take(NEAR).position(|&byte| byte == a || byte == b || byte == c) {
        return near;
    }
    let far = text.get(NEAR..).unwrap_or_default();
    let found = memchr::memchr3(a, b, c, far);
    found.map_or(text.len(), |found| NEAR + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(input: &str, arguments: usize) -> (Vec<(String, String)>, Report) {
        let limits = ParseLimits { arguments, ..ParseLimits::default() };
        let (mut fields, mut report) = (Fields::with_limit(1 << 20), Report::default());
        parse_query(input.as_bytes(), &limits, &mut fields, &mut report, &mut Meter::unlimited()).unwrap();
        let text = |span| String::from_utf8_lossy(fields.bytes(span)).into_owned();
        (fields.items().iter().map(|f| (text(f.name), text(f.value))).collect(), report)
    }

    #[test]
    fn splits_before_it_decodes() {
        for (input, expected) in [
            ("", &[][..]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("a&&b", &[("a", ""), ("b", "")]),
            ("=", &[("", "")]),
            ("=x&y=", &[("", "x"), ("y", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=%26b%3Dc&d%3de=f", &[("a", "&b=c"), ("d=e", "f")]),
            ("a+b=c+d", &[("a b", "c d")]),
            ("a=%2B++%2b+", &[("a", "+  + ")]),
            ("a=%2541", &[("a", "%41")]),
            ("a;b=1", &[("a;b", "1")]),
            ("x=%u0041%00z", &[("x", "%u0041\0z")]),
        ] {
            let (read, report) = query(input, 100);
            assert_eq!(
                read,
                expected.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>(),
                "{input}"
            );
            assert!(!report.error, "{input}");
        }
    }

    #[test]
    fn keeps_and_flags_a_lone_percent() {
        for (input, value) in [
            ("a=%", "%"),
            ("a=%2", "%2"),
            ("a=%zz", "%zz"),
            ("a=%%41", "%A"),
            ("a=%2%41", "%2A"),
            ("a=%=%4=", "%=%4="),
            ("a=%+", "% "),
        ] {
            let (read, report) = query(input, 100);
            assert_eq!(read, [("a".to_string(), value.to_string())], "{input}");
            assert!(report.urlencoded_error, "{input}");
        }
        assert_eq!(query("%&b", 100).0, [("%".into(), "".into()), ("b".into(), "".into())]);
        assert!(!query("a=%41", 100).1.urlencoded_error);
    }

    #[test]
    fn the_argument_limit_is_an_error_never_silence() {
        let (read, report) = query("a=1&b=2&", 2);
        assert_eq!((read.len(), report.error), (2, false));
        let (read, report) = query("a=1&b=2&c=3", 2);
        assert_eq!(read.len(), 2);
        assert!(report.error && report.arguments_exceeded);
        assert_eq!(report.error_message, "Skipping request argument, over limit (2) at byte 8");
    }
}
