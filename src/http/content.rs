//! What Content-Type says about bytes: whether rules can look at them as they are.
//!
//! Rules look for ASCII text in the bytes of a body. A character set in which ASCII characters are other bytes (UTF-16, UTF-7,
//! EBCDIC) hides all of it from them, while a recipient may well decode it.

/// Whether a Content-Type value, or a part's header line, names a character set that may hide ASCII text. Every mention counts:
/// recipients differ in which of two they take. A set that is not known counts as one that hides.
///
/// ```
/// use fusewall::http::content::hides_text;
/// assert!(!hides_text(b"text/xml; charset=\"UTF-8\"") && !hides_text(b"application/json"));
/// assert!(hides_text(b"text/xml; charset=utf-8; charset = IBM037"));
/// ```
pub fn hides_text(content_type: &[u8]) -> bool {
    const WORD: &[u8] = b"charset";
    let mut rest = content_type;
    while let Some(at) = rest.windows(WORD.len()).position(|word| word.eq_ignore_ascii_case(WORD)) {
        rest = rest.get(at + WORD.len()..).unwrap_or_default();
        let after = rest.trim_ascii_start();
        if after.starts_with(b"*") {
            return true;
        }
        if let Some(value) = after.strip_prefix(b"=")
            && !shows_ascii(name(value))
        {
            return true;
        }
    }
    false
}

/// Whether ASCII characters are ASCII bytes in a character set.
pub fn shows_ascii(charset: &[u8]) -> bool {
    const KNOWN: &[&[u8]] = &[
        b"",
        b"utf-8",
        b"utf8",
        b"us-ascii",
        b"ascii",
        b"latin1",
        b"latin-1",
        b"gb2312",
        b"gbk",
        b"gb18030",
        b"big5",
        b"shift_jis",
        b"shift-jis",
        b"sjis",
        b"euc-jp",
        b"euc-kr",
        b"euc-tw",
        b"koi8-r",
        b"koi8-u",
        b"tis-620",
        b"macintosh",
    ];
    const FAMILIES: &[&[u8]] = &[b"iso-8859-", b"iso8859-", b"iso_8859-", b"windows-", b"cp125"];
    let is_family = |family: &&[u8]| {
        charset.split_at_checked(family.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(family) && rest.len() <= 4 && rest.iter().all(u8::is_ascii_digit)
        })
    };
    KNOWN.iter().any(|known| charset.eq_ignore_ascii_case(known)) || FAMILIES.iter().any(is_family)
}

/// A parameter's value, without quotes and what follows it.
fn name(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let end = value.iter().position(|byte| matches!(byte, b';' | b',' | b'"' | b'\'') || byte.is_ascii_whitespace());
    value.get(..end.unwrap_or(value.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_keep_ascii_are_told_from_those_that_hide_it() {
        for charset in ["utf-8", "UTF8", "iso-8859-15", "windows-1252", "GBK", "\"utf-8\"", "'utf-8'", "", " utf-8 "] {
            assert!(!hides_text(format!("text/plain; charset={charset}").as_bytes()), "{charset}");
        }
        for charset in
            ["utf-7", "utf-16", "UTF-16LE", "utf-32", "ucs-2", "ibm037", "cp500", "hz-gb-2312", "x", "utf-8x"]
        {
            assert!(hides_text(format!("text/plain;CHARSET = {charset}").as_bytes()), "{charset}");
        }
        assert!(hides_text(b"text/plain; charset*=utf-8''utf-7"));
        assert!(hides_text(b"text/plain; charset=utf-8, charset=utf-7"));
        assert!(!hides_text(b"charset"));
    }
}
