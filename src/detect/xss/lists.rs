//! Names that make a tag or an attribute dangerous, and the schemes that make a URL so.

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

/// Starts of URLs that run something: `data:`, `view-source:`, `java:`, `javascript:`, `vbscript:`.
const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];
const SCHEME_MAX: usize = 11;

/// The longest of the names below.
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

/// Whether a tag of this name runs or loads something, or changes what the rest of the page means. All of SVG and XSL can.
pub(super) fn is_dangerous_tag(raw: &[u8]) -> bool {
    raw.len() >= 3 && (starts_with(raw, b"SVG") || starts_with(raw, b"XSL") || is_listed_tag(Name::of(raw).as_bytes()))
}

fn is_listed_tag(name: &[u8]) -> bool {
    matches!(
        name,
        b"APPLET"
            | b"BASE"
            // Internet Explorer hides its content.
            | b"COMMENT"
            | b"EMBED"
            | b"FRAME"
            | b"FRAMESET"
            // SVG in Opera: a script.
            | b"HANDLER"
            | b"IFRAME"
            | b"IMPORT"
            | b"ISINDEX"
            | b"LINK"
            | b"LISTENER"
            | b"META"
            | b"NOSCRIPT"
            | b"OBJECT"
            | b"SCRIPT"
            | b"STYLE"
            | b"VMLFRAME"
            | b"XML"
            | b"XSS"
    )
}

/// How dangerous an attribute of this name is: `on..` handlers, name spaces, and those of the list.
pub(super) fn attribute(raw: &[u8]) -> Attribute {
    if raw.len() < 2 {
        return Attribute::Harmless;
    }
    if raw.len() >= 5 && (starts_with(raw, b"ON") || starts_with(raw, b"XMLNS") || starts_with(raw, b"XLINK")) {
        return Attribute::Banned;
    }
    match Name::of(raw).as_bytes() {
        b"DATAFORMATAS" | b"DATASRC" | b"FILTER" | b"STYLE" => Attribute::Banned,
        b"ATTRIBUTENAME" => Attribute::Indirect,
        // Of HTML, in use or not.
        b"ACTION" | b"BACKGROUND" | b"DYNSRC" | b"FOLDER" | b"FORMACTION" | b"HREF" | b"LOWSRC" | b"POSTER"
        | b"SRC" => Attribute::Url,
        // Of SVG.
        b"BY" | b"FROM" | b"HANDLER" | b"TO" | b"VALUES" | b"XLINK:HREF" => Attribute::Url,
        _ => Attribute::Harmless,
    }
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
    fn the_longest_names_are_told_from_longer_ones() {
        assert_eq!(b"ATTRIBUTENAME".len(), NAME_MAX);
        assert_eq!(SCHEMES.map(<[u8]>::len).into_iter().max(), Some(SCHEME_MAX));
        assert_eq!(Name::of(b"attributenames").as_bytes(), b"ATTRIBUTENAMES");
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
