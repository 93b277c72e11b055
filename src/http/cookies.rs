//! The Cookie header.
//!
//! Format 0 is what browsers send and applications read: pairs between semicolons, nothing decoded. Format 1 is that of RFC 2109:
//! commas separate too, values may be quoted strings. As in ModSecurity, a pair without a name is no cookie; its bytes are still
//! those of the header, which rules inspect as REQUEST_HEADERS, and the caller is told of it.
//!
//! Frameworks undo quoted strings even in format 0 (RFC 2109 and Python's octal escapes: `"\074script"`). A quoted string with a
//! backslash or a semicolon in it is therefore given a second time, as such a framework reads it.

use super::{Fields, Kind};
use crate::meter::{Exhausted, Meter, Price};

/// The price of one header: each byte is looked at twice and a cookie takes two bytes or more, separator included.
pub const PRICE: Price = Price::per_byte(16, 6);

/// Reads one Cookie header into cookies; `format` is that of `SecCookieFormat` (anything but 1 is 0), `separator` the byte between
/// cookies of format 0 (`SecCookieV0Separator`).
///
/// ```
/// use fusewall::http::{cookies::parse_cookies, Fields};
/// use fusewall::meter::Meter;
/// let mut fields = Fields::with_limit(1 << 20);
/// parse_cookies(b"a=1; b=x=%41", 0, b';', &mut fields, &mut Meter::unlimited()).unwrap();
/// assert_eq!(fields.bytes(fields.items()[1].value), b"x=%41");
/// ```
///
/// Answers whether every value has a name: some applications know cookies without one.
///
/// # Errors
/// [`Exhausted`] when a budget is spent.
pub fn parse_cookies(
    header: &[u8],
    format: u8,
    separator: u8,
    fields: &mut Fields,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    meter.charge(PRICE.of(header.len()))?;
    if format == 1 { version_1(header, fields) } else { version_0(header, separator, fields) }
}

fn version_0(header: &[u8], separator: u8, fields: &mut Fields) -> Result<bool, Exhausted> {
    let mut named = true;
    let header = header.trim_ascii_end();
    let mut start = 0;
    for pair in header.split(|&byte| byte == separator) {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (name, value.get(1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        };
        let end = start + pair.len();
        let name = name.trim_ascii_start();
        if name.is_empty() {
            named &= value.iter().all(|&byte| byte == b'=' || byte.is_ascii_whitespace());
        } else {
            fields.push(Kind::Cookie, name, value)?;
            quoted_strings(name, header.get(end - value.len()..).unwrap_or_default(), value.len(), fields)?;
        }
        start = end + 1;
    }
    Ok(named)
}

/// Gives the quoted strings of a value once more, as they are when they are undone: one at its start, and those after a `=` in it,
/// which is where a recipient that splits at commas sees values. `rest` is the value, `len` bytes long, and all that follows it.
fn quoted_strings(name: &[u8], rest: &[u8], len: usize, fields: &mut Fields) -> Result<(), Exhausted> {
    let mut opens = true;
    let mut at = 0;
    while at < len {
        let Some(&byte) = rest.get(at) else { break };
        at += 1;
        if byte != b'"' || !opens {
            opens = byte == b'=' || opens && byte.is_ascii_whitespace();
            continue;
        }
        let quoted = rest.get(at..).unwrap_or_default();
        let Some(length) = quoted_length(quoted) else { break };
        let text = quoted.get(..length).unwrap_or_default();
        if text.iter().any(|byte| matches!(byte, b'\\' | b';')) {
            let name = fields.store(name)?;
            let mut value = super::Bytes::default();
            unescape(text, &mut value, fields)?;
            fields.push_stored(Kind::Cookie, name, value);
        }
        at += length;
        opens = false;
    }
    Ok(())
}

/// Bytes of a quoted string before its closing quote, if it has one. Quotes that open a value close the string of an earlier one,
/// so that all of them together are read once or twice.
fn quoted_length(quoted: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += quoted.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if quoted.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Appends the text of a quoted string: `\ooo` is a byte by its octal digits, `\x` is x.
fn unescape(text: &[u8], value: &mut super::Bytes, fields: &mut Fields) -> Result<(), Exhausted> {
    let mut rest = text;
    loop {
        let (plain, after) = until(rest, |byte| byte == b'\\');
        fields.append(value, plain)?;
        rest = match after {
            [_, a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                fields.append(value, &[(a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')])?;
                after
            }
            [_, escaped, after @ ..] => {
                fields.append(value, &[*escaped])?;
                after
            }
            [_] | [] => return Ok(()),
        };
    }
}

fn version_1(header: &[u8], fields: &mut Fields) -> Result<bool, Exhausted> {
    let mut named = true;
    let mut rest = header;
    while !rest.is_empty() {
        rest = rest.trim_ascii_start();
        let (name, after) = until(rest, |byte| matches!(byte, b'=' | b';' | b','));
        let name = name.trim_ascii_end();
        rest = after;
        let mut value = super::Bytes::default();
        if let Some((b'=', after)) = rest.split_first() {
            rest = after.trim_ascii_start();
            if let Some((b'"', quoted)) = rest.split_first() {
                rest = unquote(quoted, &mut value, fields)?;
                // What follows the quoted string up to the separator belongs to no grammar; it is kept.
            }
            let (plain, after) = until(rest, |byte| matches!(byte, b';' | b','));
            fields.append(&mut value, plain.trim_ascii_end())?;
            rest = after;
        }
        if name.is_empty() {
            named &= value.is_empty();
        } else {
            let name = fields.store(name)?;
            fields.push_stored(Kind::Cookie, name, value);
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(named)
}

/// Appends the content of a quoted string, `\x` being x; answers what follows the closing quote.
fn unquote<'a>(quoted: &'a [u8], value: &mut super::Bytes, fields: &mut Fields) -> Result<&'a [u8], Exhausted> {
    let mut rest = quoted;
    loop {
        let (plain, after) = until(rest, |byte| matches!(byte, b'"' | b'\\'));
        fields.append(value, plain)?;
        match after {
            [b'\\', escaped, after @ ..] => {
                fields.append(value, &[*escaped])?;
                rest = after;
            }
            [_, after @ ..] => return Ok(after),
            [] => return Ok(after),
        }
    }
}

/// Splits before the first byte that `stops`.
fn until(bytes: &[u8], stops: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|&byte| stops(byte)).unwrap_or(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(header: &str, format: u8) -> Vec<(String, String)> {
        let mut fields = Fields::with_limit(1 << 20);
        parse_cookies(header.as_bytes(), format, b';', &mut fields, &mut Meter::unlimited()).unwrap();
        let text = |span| String::from_utf8_lossy(fields.bytes(span)).into_owned();
        fields.items().iter().map(|f| (text(f.name), text(f.value))).collect()
    }

    #[test]
    fn version_0_splits_at_semicolons_and_decodes_nothing() {
        for (header, expected) in [
            ("", &[][..]),
            ("USER_TOKEN=Yes; a=z; t=b", &[("USER_TOKEN", "Yes"), ("a", "z"), ("t", "b")]),
            ("t=b;  foo= bar; = ; = = ; baz=v=1", &[("t", "b"), ("foo", " bar"), ("baz", "v=1")]),
            ("aaa=bbb;abc=def  ", &[("aaa", "bbb"), ("abc", "def")]),
            ("flag;;a=%41+\"q\"", &[("flag", ""), ("a", "%41+\"q\"")]),
            ("a=1,b=2; \t\x0b c=3", &[("a", "1,b=2"), ("\x0b c", "3")]),
        ] {
            assert_eq!(
                cookies(header, 0),
                expected.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn quoted_strings_are_given_as_frameworks_read_them_too() {
        for (header, expected) in [
            (r#"a="x""#, &["\"x\""][..]),
            (r#"a="\074b\x\"c"; d=e"#, &[r#""\074b\x\"c""#, "<bx\"c", "e"]),
            (r#"a="x;b=y"; c=z"#, &["\"x", "x;b=y", "y\"", "z"]),
            (r#"a="x\"#, &[r#""x\"#]),
            (r#"a="\777\12""#, &[r#""\777\12""#, "77712"]),
            (r#"a=x"\074""#, &[r#"x"\074""#]),
            (r#"a=b, c="\074", d= "\x""#, &[r#"b, c="\074", d= "\x""#, "<", "x"]),
        ] {
            let values: Vec<_> = cookies(header, 0).into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, expected, "{header}");
        }
    }

    #[test]
    fn a_value_without_a_name_is_told() {
        let named = |header: &[u8], format| {
            parse_cookies(header, format, b';', &mut Fields::with_limit(1 << 20), &mut Meter::unlimited()).unwrap()
        };
        assert!(named(b"a=b; = ; = = ;; c", 0) && named(b"a=b;=;,c", 1));
        assert!(!named(b"a=b; =x", 0) && !named(b"a=b, =x", 1));
    }

    #[test]
    fn version_1_reads_quoted_strings() {
        assert_eq!(
            cookies(r#"$Version="1"; a="x;\"y,z"; $Path="/p" , b = plain ;c="open"#, 1),
            [("$Version", "1"), ("a", "x;\"y,z"), ("$Path", "/p"), ("b", "plain"), ("c", "open")]
                .map(|(n, v)| (n.to_string(), v.to_string()))
        );
        assert_eq!(cookies(r#"a="x"tail;=y;;,b"#, 1).len(), 2);
    }
}
