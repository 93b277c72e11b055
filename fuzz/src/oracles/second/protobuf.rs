//! Messages of Protobuf that nothing describes.

use super::Pair;

/// The leaves of a body, and whether it is a message to its end. What is none is a leaf of its own, the last one.
pub fn body(bytes: &[u8]) -> (Vec<Pair>, bool) {
    let mut found = Vec::new();
    match message(bytes, "protobuf", Around::Nothing, &mut found) {
        Ok(complete) => (found, complete),
        Err(rest) => {
            found.push((b"protobuf".to_vec(), rest.to_vec()));
            (found, false)
        }
    }
}

/// What a message lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// It is the body.
    Nothing,
    /// A field that may be no message.
    Field,
}

/// Reads a message; answers whether it is complete, or from where on it is none.
fn message<'a>(bytes: &'a [u8], path: &str, around: Around, found: &mut Vec<Pair>) -> Result<bool, &'a [u8]> {
    let mut path = path.to_owned();
    let mut groups = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, value) = varint(rest).ok_or(rest)?;
        let number = tag >> 3;
        if !(1..1 << 29).contains(&number) {
            return Err(rest);
        }
        let name = format!("{path}.{number}");
        rest = match tag & 7 {
            0 => {
                let (number, after) = varint(value).ok_or(value)?;
                found.push((name.into(), number.to_string().into()));
                after
            }
            kind @ (1 | 5) => {
                let (number, after) = value.split_at_checked(if kind == 1 { 8 } else { 4 }).ok_or(value)?;
                let digits = number.iter().rev().fold(0u64, |sum, byte| sum * 256 + u64::from(*byte));
                found.push((name.into(), digits.to_string().into()));
                after
            }
            2 => {
                let (len, after) = varint(value).ok_or(value)?;
                let end = (bytes.len() - after.len()) as u64;
                end.checked_add(len).ok_or(value)?;
                match after.split_at_checked(len as usize) {
                    Some((field, after)) => {
                        length_delimited(field, &name, around, found);
                        after
                    }
                    // The body breaks off: the rest of it is what there is of the field.
                    None if around == Around::Nothing => {
                        found.push((name.into(), after.to_vec()));
                        return Ok(false);
                    }
                    None => return Err(value),
                }
            }
            3 => {
                groups.push((number, std::mem::replace(&mut path, name)));
                value
            }
            4 => match groups.pop() {
                Some((opened, outer)) if opened == number => {
                    path = outer;
                    value
                }
                _ => return Err(rest),
            },
            _ => return Err(rest),
        };
    }
    Ok(groups.is_empty())
}

/// A field that may be text or a message: both, if both can be. Bytes that are a message and no text are shown by the outermost field.
fn length_delimited(field: &[u8], name: &str, around: Around, found: &mut Vec<Pair>) {
    let mut inner = Vec::new();
    let is_message = !field.is_empty() && message(field, name, Around::Field, &mut inner) == Ok(true);
    if is_message {
        found.extend(inner);
    }
    if !is_message || std::str::from_utf8(field).is_ok() || around == Around::Nothing {
        found.push((name.into(), field.to_vec()));
    }
}

/// A number of at most ten bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = bytes.iter().take(10).position(|byte| *byte < 0x80)? + 1;
    let bits = bytes[..len].iter().rev().fold(0u128, |sum, byte| sum << 7 | u128::from(byte & 0x7f));
    Some((bits as u64, &bytes[len..]))
}
