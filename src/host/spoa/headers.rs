//! Header fields as HAProxy hands them over: `req.hdrs` is text, `req.hdrs_bin` is names and values with their lengths.

use super::frames::{Reader, Value};

/// More fields than HAProxy can be told to take (`tune.http.maxhdr`).
const MOST_FIELDS: usize = 32_767;

/// Header fields in their order.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads the fields. `None`: the argument holds none that could be told apart from others.
pub(super) fn read(value: Value<'_>) -> Option<Fields> {
    match value {
        Value::Text(text) => lines(text),
        Value::Binary(bytes) => pairs(bytes),
        // A sample that could not be fetched.
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// `name: value` in lines. No value holds the end of a line: HAProxy refuses such a request.
fn lines(text: &[u8]) -> Option<Fields> {
    let mut fields = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':').filter(|_| fields.len() < MOST_FIELDS)?;
        let (name, value) = line.split_at_checked(colon)?;
        fields.push((name.to_vec(), value.get(1..)?.trim_ascii().to_vec()));
    }
    Some(fields)
}

/// Names and values with their lengths; an empty name and an empty value are the end.
fn pairs(bytes: &[u8]) -> Option<Fields> {
    let mut reader = Reader::new(bytes);
    let mut fields = Vec::new();
    while !reader.is_empty() {
        let (name, value) = (reader.bytes().ok()?, reader.bytes().ok()?);
        if name.is_empty() {
            break;
        }
        if fields.len() == MOST_FIELDS {
            return None;
        }
        fields.push((name.to_vec(), value.to_vec()));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Option<Fields> {
        Some(pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect())
    }

    #[test]
    fn both_forms_say_the_same() {
        let expected = fields(&[("host", "a:1"), ("x", ""), ("x", "b c")]);
        assert_eq!(read(Value::Text(b"host: a:1\r\nx:\r\nx: b c\r\n\r\n")), expected);
        assert_eq!(read(Value::Binary(b"\x04host\x03a:1\x01x\x00\x01x\x03b c\x00\x00")), expected);
        assert_eq!(read(Value::Null), fields(&[]));
    }

    #[test]
    fn what_is_no_field_is_not_left_out() {
        assert_eq!(read(Value::Text(b"host: a\r\nnonsense\r\n")), None);
        assert_eq!(read(Value::Binary(b"\x04hos")), None);
        assert_eq!(read(Value::Integer(1)), None);
        assert_eq!(read(Value::Text(&b"a:\n".repeat(MOST_FIELDS + 1))), None);
        assert_eq!(read(Value::Binary(&b"\x01a\x00".repeat(MOST_FIELDS + 1))), None);
    }
}
