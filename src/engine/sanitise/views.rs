//! Readings of a text: what decoders may see in it, each byte with its place in the text.
//!
//! A secret is looked for in every reading, so that it is found however it is written. Readings fold what decoders do not agree
//! about: letters are lower case and a plus is a space.

use std::ops::Range;

/// A reading of a text.
#[derive(Debug, Clone)]
pub(super) struct View {
    bytes: Vec<u8>,
    /// Where each byte stands in the text; `None`: at its own index.
    places: Option<Vec<(u32, u32)>>,
}

/// Folds what readings do not distinguish.
pub(super) fn folded(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte.to_ascii_lowercase() }
}

impl View {
    /// The text as it stands.
    fn plain(text: &[u8]) -> View {
        View { bytes: text.iter().map(|byte| folded(*byte)).collect(), places: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a range of the reading stands in the text.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        let Some(places) = &self.places else { return range };
        let start = places.get(range.start).map_or(0, |place| place.0 as usize);
        let end = range.end.checked_sub(1).and_then(|last| places.get(last)).map_or(start, |place| place.1 as usize);
        start..end
    }

    fn at(&self, index: usize) -> (u32, u32) {
        match &self.places {
            Some(places) => places.get(index).copied().unwrap_or_default(),
            None => (index as u32, index as u32 + 1),
        }
    }

    /// Decodes once more; `None` if that changes nothing.
    fn decoded(&self, decode: Decode) -> Option<View> {
        if !self.bytes.contains(&decode.lead()) {
            return None;
        }
        let (mut bytes, mut places) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len()));
        let mut at = 0;
        let mut changed = false;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let place = self.at(at).0;
            let Some((character, length)) = decode.read(rest) else {
                bytes.extend(rest.first());
                places.push(self.at(at));
                at += 1;
                continue;
            };
            changed = true;
            at += length;
            let end = self.at(at - 1).1;
            let mut utf8 = [0; 4];
            let decoded = match character {
                Decoded::Byte(byte) => {
                    utf8 = [byte, 0, 0, 0];
                    utf8.get(..1)
                }
                Decoded::Char(character) => {
                    let length = character.encode_utf8(&mut utf8).len();
                    utf8.get(..length)
                }
            };
            for byte in decoded.unwrap_or_default() {
                bytes.push(folded(*byte));
                places.push((place, end));
            }
        }
        changed.then_some(View { bytes, places: Some(places) })
    }
}

/// All readings of a text: plain; URL-decoded up to three times; with backslash escapes (JSON, log lines), and then URL-decoded;
/// with character references.
pub(super) fn views(text: &[u8]) -> Vec<View> {
    let mut all = vec![View::plain(text)];
    for decode in [Decode::Percent, Decode::Backslash, Decode::Reference] {
        let mut next = all.first().and_then(|plain| plain.decoded(decode));
        for _ in 0..3 {
            let Some(view) = next else { break };
            next = view.decoded(Decode::Percent);
            all.push(view);
        }
    }
    all
}

#[derive(Debug, Clone, Copy)]
enum Decode {
    Percent,
    Backslash,
    Reference,
}

enum Decoded {
    Byte(u8),
    Char(char),
}

impl Decode {
    const fn lead(self) -> u8 {
        match self {
            Decode::Percent => b'%',
            Decode::Backslash => b'\\',
            Decode::Reference => b'&',
        }
    }

    /// Reads an escape at the beginning of `rest`, which is folded; and how long it is.
    fn read(self, rest: &[u8]) -> Option<(Decoded, usize)> {
        match (self, rest) {
            (Decode::Percent, [b'%', b'u', ..]) => Some((Decoded::Char(char::from_u32(hex(rest.get(2..6)?)?)?), 6)),
            (Decode::Percent, [b'%', ..]) => Some((Decoded::Byte(hex(rest.get(1..3)?)? as u8), 3)),
            (Decode::Backslash, [b'\\', b'u', ..]) => {
                let high = hex(rest.get(2..6)?)?;
                if let Some(character) = char::from_u32(high) {
                    return Some((Decoded::Char(character), 6));
                }
                let low = rest.get(6..8).filter(|start| *start == b"\\u").and_then(|_| hex(rest.get(8..12)?))?;
                let pair = [high as u16, low as u16];
                let character = char::decode_utf16(pair).next()?.ok()?;
                Some((Decoded::Char(character), 12))
            }
            (Decode::Backslash, [b'\\', b'x', ..]) => Some((Decoded::Byte(hex(rest.get(2..4)?)? as u8), 4)),
            (Decode::Backslash, [b'\\', escaped, ..]) => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'f' => 12,
                    other => *other,
                };
                Some((Decoded::Byte(byte), 2))
            }
            (Decode::Reference, [b'&', ..]) => reference(rest),
            _ => None,
        }
    }
}

fn reference(rest: &[u8]) -> Option<(Decoded, usize)> {
    for (name, byte) in [(&b"&lt;"[..], b'<'), (b"&gt;", b'>'), (b"&amp;", b'&'), (b"&quot;", b'"'), (b"&apos;", b'\'')]
    {
        if rest.starts_with(name) {
            return Some((Decoded::Byte(byte), name.len()));
        }
    }
    let digits = rest.strip_prefix(b"&#")?;
    let (digits, radix, before) = match digits.strip_prefix(b"x") {
        Some(digits) => (digits, 16, 3),
        None => (digits, 10, 2),
    };
    let end = digits.iter().take(16).position(|byte| *byte == b';')?;
    let number = u32::from_str_radix(std::str::from_utf8(digits.get(..end)?).ok()?, radix).ok()?;
    Some((Decoded::Char(char::from_u32(number)?), before + end + 1))
}

fn hex(digits: &[u8]) -> Option<u32> {
    // Unlike from_str_radix, no sign: a folded plus is a space, but a minus is not.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        views(text.as_bytes()).iter().map(|view| String::from_utf8_lossy(view.bytes()).into_owned()).collect()
    }

    #[test]
    fn each_escape_has_a_reading() {
        assert_eq!(read("A+b"), ["a b"]);
        assert_eq!(read("%2541%u0062%zz"), ["%2541%u0062%zz", "%41b%zz", "ab%zz"]);
        assert_eq!(read(r#"\u0041\"\ud83d\ude00\x62"#)[1], "a\"😀b");
        assert_eq!(read("&#65;&#x42;&amp;&;")[1], "ab&&;");
    }

    #[test]
    fn places_lead_back_to_the_text() {
        let all = views(b"x%2541y");
        let last = all.last().unwrap();
        assert_eq!(last.bytes(), b"xay");
        assert_eq!((last.place(1..2), last.place(0..3)), (1..6, 0..7));
    }
}
