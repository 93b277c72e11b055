//! The validators: `@validateByteRange`, `@validateUrlEncoding`, `@validateUtf8Encoding`. They match on what is *invalid*.

use crate::meter::Price;
use memchr::memchr;

/// What [`outside_byte_range`] costs for the bytes of its value.
pub const BYTE_RANGE_PRICE: Price = Price::per_byte(10, 1);

/// What [`invalid_url_encoding`] costs for the bytes of its value.
pub const URL_ENCODING_PRICE: Price = Price::per_byte(10, 2);

/// What [`invalid_utf8`] costs for the bytes of its value.
pub const UTF8_PRICE: Price = Price::per_byte(10, 1);

/// `@validateByteRange`: the place of the first byte that is not allowed. `allowed` comes from [`super::byte_range::parse`].
pub fn outside_byte_range(value: &[u8], allowed: &[bool; 256]) -> Option<usize> {
    value.iter().position(|&byte| !allowed.get(usize::from(byte)).copied().unwrap_or(false))
}

/// `@validateUrlEncoding`: whether a `%` occurs that two hexadecimal digits do not follow. `%u0041` is invalid, a `+` is not.
///
/// ```
/// use fusewall::ops::validate::invalid_url_encoding;
/// assert!(!invalid_url_encoding(b"a%20b+c"));
/// assert!(invalid_url_encoding(b"100%"));
/// ```
pub fn invalid_url_encoding(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(found) = memchr(b'%', rest) {
        match rest.get(found..) {
            Some([_, high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = tail,
            _ => return true,
        }
    }
    false
}

/// `@validateUtf8Encoding`: whether `value` is not UTF-8 as RFC 3629 defines it. Invalid are stray and missing continuation
/// bytes, overlong forms, surrogates (U+D800 to U+DFFF) and anything above U+10FFFF; NUL is valid.
///
/// ```
/// use fusewall::ops::validate::invalid_utf8;
/// assert!(!invalid_utf8("Käse".as_bytes()));
/// assert!(invalid_utf8(b"\xc0\xaf")); // overlong slash
/// ```
pub fn invalid_utf8(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_of_rfc_3629() {
        for bad in [&b"\x80"[..], b"\xe2\x82", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80"] {
            assert!(invalid_utf8(bad), "{bad:x?}");
        }
        for bad in [&b"\xf4\x90\x80\x80"[..], b"\xf5\x80\x80\x80", b"\xff", b"a\xe4"] {
            assert!(invalid_utf8(bad), "{bad:x?}");
        }
        assert!(!invalid_utf8(b"\0\xf4\x8f\xbf\xbf\xef\xbf\xbf"));
    }

    #[test]
    fn url_encoding_needs_two_digits() {
        for bad in [&b"%"[..], b"%2", b"a%zz", b"%20%", b"%u0041", b"%%20"] {
            assert!(invalid_url_encoding(bad), "{bad:x?}");
        }
        assert!(!invalid_url_encoding(b"%0a%Ff+"));
    }
}
