//! Names that make a tag or an attribute dangerous, and the schemes that make a URL so.

use std::cmp::Ordering;

/// Tags that run or load something, or change what the rest of the page means. Sorted.
const TAGS: [&[u8]; 20] = [
    b"APPLET",
    b"BASE",
    b"COMMENT", // Internet Explorer hides its content
    b"EMBED",
    b"FRAME",
    b"FRAMESET",
    b"HANDLER", // SVG in Opera: a script
    b"IFRAME",
    b"IMPORT",
    b"ISINDEX",
    b"LINK",
    b"LISTENER",
    b"META",
    b"NOSCRIPT",
    b"OBJECT",
    b"SCRIPT",
    b"STYLE",
    b"VMLFRAME",
    b"XML",
    b"XSS",
];

/// How dangerous an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Not at all.
    Harmless,
    /// Whatever its value is.
    Banned,
    /// If its value is a URL that runs something.
    Url,
    /// If its value is the name of a dangerous attribute (SVG animations).
    Indirect,
}

/// Attributes by name. Sorted.
const ATTRIBUTES: [(&[u8], Attribute); 20] = [
    (b"ACTION", Attribute::Url),
    (b"ATTRIBUTENAME", Attribute::Indirect),
    (b"BACKGROUND", Attribute::Url),
    (b"BY", Attribute::Url),
    (b"DATAFORMATAS", Attribute::Banned),
    (b"DATASRC", Attribute::Banned),
    (b"DYNSRC", Attribute::Url),
    (b"FILTER", Attribute::Banned),
    (b"FOLDER", Attribute::Url),
    (b"FORMACTION", Attribute::Url),
    (b"FROM", Attribute::Url),
    (b"HANDLER", Attribute::Url),
    (b"HREF", Attribute::Url),
    (b"LOWSRC", Attribute::Url),
    (b"POSTER", Attribute::Url),
    (b"SRC", Attribute::Url),
    (b"STYLE", Attribute::Banned),
    (b"TO", Attribute::Url),
    (b"VALUES", Attribute::Url),
    (b"XLINK:HREF", Attribute::Url),
];

/// Starts of URLs that run something: `data:`, `view-source:`, `java:`, `javascript:`, `vbscript:`.
const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];
const SCHEME_MAX: usize = 11;

/// The longest name in the lists.
const NAME_MAX: usize = 13;

/// A name in upper case without its NUL bytes, as far as the lists can tell it from others.
struct Name {
    bytes: [u8; NAME_MAX + 1],
    len: usize,
}

impl Name {
    fn of(raw: &[u8]) -> Self {
        let mut name = Name { bytes: [0; NAME_MAX + 1], len: 0 };
        let known = raw.iter().filter(|&&byte| byte != 0);
        for (to, byte) in name.bytes.iter_mut().zip(known) {
            *to = byte.to_ascii_uppercase();
            name.len += 1;
        }
        name
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn starts_with(raw: &[u8], start: &[u8]) -> bool {
    raw.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start))
}

/// Whether a tag of this name is dangerous: those of the list, and any SVG or XSL one.
pub(super) fn is_dangerous_tag(raw: &[u8]) -> bool {
    raw.len() >= 3
        && (starts_with(raw, b"SVG")
            || starts_with(raw, b"XSL")
            || TAGS.binary_search(&Name::of(raw).as_bytes()).is_ok())
}

/// How dangerous an attribute of this name is: `on..` handlers, name spaces, and those of the list.
pub(super) fn attribute(raw: &[u8]) -> Attribute {
    if raw.len() < 2 {
        return Attribute::Harmless;
    }
    if raw.len() >= 5 && [b"ON".as_slice(), b"XMLNS", b"XLINK"].iter().any(|start| starts_with(raw, start)) {
        return Attribute::Banned;
    }
    let name = Name::of(raw);
    let place = ATTRIBUTES.binary_search_by(|(listed, _)| -> Ordering { (*listed).cmp(name.as_bytes()) });
    place.ok().and_then(|at| ATTRIBUTES.get(at)).map_or(Attribute::Harmless, |&(_, attribute)| attribute)
}

/// Whether a URL's scheme runs something, with HTML's character references decoded.
pub(super) fn is_dangerous_url(raw: &[u8]) -> bool {
    // Blanks, control characters and all that is not ASCII may stand before a scheme.
    let start = raw.iter().position(|byte| (b'!'..=b'~').contains(byte)).unwrap_or(raw.len());
    let mut scheme = [0; SCHEME_MAX];
    let mut len = 0;
    let mut rest = raw.get(start..).unwrap_or_default();
    while let Some((character, after)) = decode(rest)
        && let Some(place) = scheme.get_mut(len)
    {
        rest = after;
        // Anything up to a blank is skipped before the scheme, NUL and line feed in it.
        if (len == 0 && character <= 32) || matches!(character, 0 | 10) {
            continue;
        }
        // Of a character beyond Latin-1 the low byte counts, as some decoders have it.
        *place = if character < 128 { (character as u8).to_ascii_uppercase() } else { character as u8 };
        len += 1;
    }
    let scheme = scheme.get(..len).unwrap_or_default();
    SCHEMES.iter().any(|start| scheme.starts_with(start))
}

/// The largest code point that a reference decodes to.
const CODE_POINT_MAX: u32 = 0x10_00FF;

/// The first character of `html` and what follows it. Numeric references are decoded; what is no valid one is a plain `&`.
fn decode(html: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, after) = html.split_first()?;
    Some(reference(html).unwrap_or((u32::from(first), after)))
}

fn reference(html: &[u8]) -> Option<(u32, &[u8])> {
    let (radix, mut rest) = match html {
        [b'&', b'#', b'x' | b'X', rest @ ..] => (16, rest),
        [b'&', b'#', rest @ ..] => (10, rest),
        _ => return None,
    };
    let mut value = None;
    while let Some((&byte, after)) = rest.split_first() {
        match char::from(byte).to_digit(radix) {
            Some(digit) => {
                let next = value.unwrap_or(0) * radix + digit;
                if next > CODE_POINT_MAX {
                    return None;
                }
                value = Some(next);
                rest = after;
            }
            None => {
                if byte == b';' && value.is_some() {
                    rest = after;
                }
                break;
            }
        }
    }
    Some((value?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_short_enough() {
        assert!(TAGS.is_sorted());
        assert!(ATTRIBUTES.is_sorted_by_key(|(name, _)| *name));
        assert!(TAGS.iter().copied().chain(ATTRIBUTES.map(|(name, _)| name)).all(|name| name.len() <= NAME_MAX));
        assert_eq!(SCHEMES.iter().map(|scheme| scheme.len()).max(), Some(SCHEME_MAX));
    }

    #[test]
    fn names_are_compared_without_nul() {
        assert!(is_dangerous_tag(b"s\0cript\0"));
        assert!(!is_dangerous_tag(b"scripts"));
        assert!(!is_dangerous_tag(b"b"));
        assert_eq!(attribute(b"onx"), Attribute::Harmless);
        assert_eq!(attribute(b"onload"), Attribute::Banned);
        assert_eq!(attribute(b"attributename"), Attribute::Indirect);
        assert_eq!(attribute(b"attributenames"), Attribute::Harmless);
    }

    #[test]
    fn schemes_are_found_behind_references() {
        for url in ["javascript:x", " \u{a0}java:", "&#106ava:", "j&#x0a;&#x000000061;va", "data:,", "&#9;vbscript:"] {
            assert!(is_dangerous_url(url.as_bytes()), "{url}");
        }
        for url in ["", "jav", "/java", "&#;java", "&#x;", "j&#9;ava", "&#99999999999;java", "https://x"] {
            assert!(!is_dangerous_url(url.as_bytes()), "{url}");
        }
    }
}
