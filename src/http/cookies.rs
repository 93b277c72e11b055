//! The Cookie header.
//!
//! Format 0 is what browsers send and applications read: pairs between semicolons, nothing decoded. Format 1 is that of RFC 2109:
//! commas separate too, values may be quoted strings. As in ModSecurity, a pair without a name is no cookie; its bytes are still
//! those of the header, which rules inspect as REQUEST_HEADERS.

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
/// # Errors
/// [`Exhausted`] when a budget is spent.
pub fn parse_cookies(
    header: &[u8],
    format: u8,
    separator: u8,
    fields: &mut Fields,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    meter.charge(PRICE.of(header.len()))?;
    if format == 1 { version_1(header, fields) } else { version_0(header, separator, fields) }
}

fn version_0(header: &[u8], separator: u8, fields: &mut Fields) -> Result<(), Exhausted> {
    for pair in header.trim_ascii_end().split(|&byte| byte == separator) {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (name, value.get(1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        };
        let name = name.trim_ascii_start();
        if !name.is_empty() {
            fields.push(Kind::Cookie, name, value)?;
        }
    }
    Ok(())
}

fn version_1(header: &[u8], fields: &mut Fields) -> Result<(), Exhausted> {
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
        if !name.is_empty() {
            let name = fields.store(name)?;
            fields.push_stored(Kind::Cookie, name, value);
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(())
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
    fn version_1_reads_quoted_strings() {
        assert_eq!(
            cookies(r#"$Version="1"; a="x;\"y,z"; $Path="/p" , b = plain ;c="open"#, 1),
            [("$Version", "1"), ("a", "x;\"y,z"), ("$Path", "/p"), ("b", "plain"), ("c", "open")]
                .map(|(n, v)| (n.to_string(), v.to_string()))
        );
        assert_eq!(cookies(r#"a="x"tail;=y;;,b"#, 1).len(), 2);
    }
}
