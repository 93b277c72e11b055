//! Cookie headers.

use super::Pair;

/// Format 0: the cookies, and whether every value has a name.
pub fn version_0(header: &[u8], separator: u8) -> (Vec<Pair>, bool) {
    let header = header.trim_ascii_end();
    let (mut found, mut all_named, mut start) = (Vec::new(), true, 0);
    for pair in header.split(|&byte| byte == separator) {
        let end = start + pair.len();
        let equals = pair.iter().position(|&byte| byte == b'=');
        let name = pair[..equals.unwrap_or(pair.len())].trim_ascii_start();
        let value = equals.map_or(&[][..], |equals| &pair[equals + 1..]);
        if !name.is_empty() {
            found.push((name.to_vec(), value.to_vec()));
            let undone = quoted_strings(&header[end - value.len()..], value.len());
            found.extend(undone.into_iter().map(|value| (name.to_vec(), value)));
        } else if value.iter().any(|byte| *byte != b'=' && !byte.is_ascii_whitespace()) {
            all_named = false;
        }
        start = end + 1;
    }
    (found, all_named)
}

/// What frameworks make of the quoted strings that begin in the first `len` bytes, at the start or after a `=`, and have a backslash or
/// a semicolon in them. Where one is not closed, there is no other.
fn quoted_strings(text: &[u8], len: usize) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < len {
        let opens = matches!(text[..at].trim_ascii_end().last(), None | Some(b'='));
        if text[at] != b'"' || !opens {
            at += 1;
            continue;
        }
        let Some(inside) = closed(&text[at + 1..]) else { break };
        if inside.iter().any(|byte| b"\\;".contains(byte)) {
            found.push(undone(inside));
        }
        at += inside.len() + 2;
    }
    found
}

/// What stands before the closing quote.
fn closed(text: &[u8]) -> Option<&[u8]> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map(|end| &text[..end])
}

/// Octal escapes are bytes, any other escaped byte is itself.
fn undone(inside: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < inside.len() {
        let octal = inside.get(at + 1..at + 4).filter(|digits| {
            (b'0'..=b'3').contains(&digits[0]) && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        });
        match (inside[at], octal) {
            (b'\\', Some(digits)) => {
                out.push(digits.iter().fold(0, |value, digit| value * 8 + (digit - b'0')));
                at += 4;
            }
            (b'\\', None) => {
                out.extend(inside.get(at + 1));
                at += 2;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Where in a cookie of format 1 we are.
enum Place {
    Name,
    BeforeValue,
    Quoted,
    Escaped,
    Rest,
}

/// Format 1: the cookies, and whether every value has a name.
pub fn version_1(header: &[u8]) -> (Vec<Pair>, bool) {
    let (mut found, mut all_named) = (Vec::new(), true);
    let (mut name, mut quoted, mut rest, mut place) = (Vec::new(), Vec::new(), Vec::new(), Place::Name);
    for &byte in header.iter().chain(b";") {
        match (&place, byte) {
            (Place::Quoted, b'\\') => place = Place::Escaped,
            (Place::Quoted, b'"') => place = Place::Rest,
            (Place::Quoted, _) => quoted.push(byte),
            (Place::Escaped, _) => {
                quoted.push(byte);
                place = Place::Quoted;
            }
            (Place::Name, b'=') => place = Place::BeforeValue,
            (Place::BeforeValue, b'"') => place = Place::Quoted,
            (Place::BeforeValue, _) if byte.is_ascii_whitespace() => {}
            (_, b';' | b',') => {
                let value = [std::mem::take(&mut quoted), rest.trim_ascii_end().to_vec()].concat();
                let name = std::mem::take(&mut name).trim_ascii().to_vec();
                if name.is_empty() {
                    all_named &= value.is_empty();
                } else {
                    found.push((name, value));
                }
                rest.clear();
                place = Place::Name;
            }
            (Place::Name, _) => name.push(byte),
            (Place::BeforeValue | Place::Rest, _) => {
                rest.push(byte);
                place = Place::Rest;
            }
        }
    }
    // A string that is not closed has taken the last separator, which is none of the header's.
    if matches!(place, Place::Quoted) {
        quoted.pop();
        let name = name.trim_ascii().to_vec();
        if name.is_empty() {
            all_named &= quoted.is_empty();
        } else {
            found.push((name, quoted));
        }
    }
    (found, all_named)
}
