//! Bytes as text that is valid UTF-8, harmless in a terminal, and can be read back.
//!
//! Valid UTF-8 stays. A byte that belongs to none, or to a control or invisible formatting character, becomes `\xHH`. A
//! backslash stays too, but before an `x` it becomes `\x5c`: so every `\xHH` in the result stands for one byte.

/// Which C0 control characters stay, because the format has its own way to write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controls {
    /// All: JSON escapes them.
    Keep,
    /// Newline, carriage return and tab: sections of many lines.
    Lines,
    /// None: one line.
    None,
}

/// A text and whether it is less than the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) cut: bool,
}

/// Writes bytes as text of at most `most` bytes.
pub(super) fn show(bytes: &[u8], controls: Controls, most: usize) -> Shown {
    let mut out = String::with_capacity(bytes.len().min(most));
    let mut rest = bytes;
    while !rest.is_empty() && out.len() < most {
        let (valid, invalid) = match std::str::from_utf8(rest) {
            Ok(all) => (all, 0),
            Err(error) => {
                let valid = rest.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
                (valid.unwrap_or_default(), error.error_len().unwrap_or(rest.len() - error.valid_up_to()))
            }
        };
        let shown = show_valid(valid, controls, most, &mut out);
        if shown < valid.len() {
            return Shown { text: out, cut: true };
        }
        let broken = rest.get(valid.len()..valid.len() + invalid).unwrap_or_default();
        for byte in broken {
            if out.len() + 4 > most {
                return Shown { text: out, cut: true };
            }
            escape(*byte, &mut out);
        }
        rest = rest.get(valid.len() + invalid..).unwrap_or_default();
    }
    Shown { text: out, cut: !rest.is_empty() }
}

/// Appends valid text; answers how much of it fitted.
fn show_valid(text: &str, controls: Controls, most: usize, out: &mut String) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let escaped = match character {
            '\\' => characters.peek().is_some_and(|(_, next)| *next == 'x'),
            '\0'..='\x1f' => match controls {
                Controls::Keep => false,
                Controls::Lines => !matches!(character, '\n' | '\r' | '\t'),
                Controls::None => true,
            },
            other => is_invisible(other),
        };
        let length = if escaped { 4 * character.len_utf8() } else { character.len_utf8() };
        if out.len() + length > most {
            return at;
        }
        if escaped {
            let mut utf8 = [0; 4];
            character.encode_utf8(&mut utf8).bytes().for_each(|byte| escape(byte, out));
        } else {
            out.push(character);
        }
    }
    text.len()
}

/// Control characters past C0, separators that end lines, and what changes the direction of text.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    for digit in [byte >> 4, byte & 15] {
        out.push(HEX.get(usize::from(digit)).copied().map_or('0', char::from));
    }
}

/// The bytes that a text of a [`MatchRecord`](crate::engine::MatchRecord) stands for: the reverse of how they are written there.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let (byte, length) = match after {
            [b'x', high, low, ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 3),
                _ => (b'\\', 0),
            },
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'"', ..] => (b'"', 1),
            [b'\\', ..] => (b'\\', 1),
            _ => (b'\\', 0),
        };
        out.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    out
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(bytes: &[u8]) -> String {
        show(bytes, Controls::None, 1000).text
    }

    #[test]
    fn what_stays_and_what_does_not() {
        assert_eq!(line("Größe \"1\" C:\\dir".as_bytes()), "Größe \"1\" C:\\dir");
        assert_eq!(line(b"a\r\n\x1b[31m\xff\x00\\x41"), r"a\x0d\x0a\x1b[31m\xff\x00\x5cx41");
        assert_eq!(line("\u{9b}2J\u{202e}".as_bytes()), r"\xc2\x9b2J\xe2\x80\xae");
        assert_eq!(show(b"a\n\x1b", Controls::Lines, 9).text, "a\n\\x1b");
        assert_eq!(show("aä".as_bytes(), Controls::None, 2), Shown { text: "a".into(), cut: true });
        assert_eq!(show(b"a\xff", Controls::None, 4), Shown { text: "a".into(), cut: true });
    }

    #[test]
    fn texts_of_records_are_read_back() {
        assert_eq!(unescaped(r#"a\"b\\x41\x41\n\q"#), b"a\"b\\x41A\n\\q");
    }

    proptest! {
        #[test]
        fn every_escape_stands_for_one_byte(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = line(&bytes);
            prop_assert!(!text.bytes().any(|byte| byte < b' '));
            let mut back = Vec::new();
            let mut rest = text.as_str();
            while let Some(at) = rest.find("\\x") {
                back.extend_from_slice(&rest.as_bytes()[..at]);
                back.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
                rest = &rest[at + 4..];
            }
            back.extend_from_slice(rest.as_bytes());
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn no_text_is_longer_than_it_may_be(bytes in prop::collection::vec(any::<u8>(), 0..60), most in 0usize..50) {
            let shown = show(&bytes, Controls::Keep, most);
            prop_assert!(shown.text.len() <= most);
            prop_assert!(shown.cut || shown.text == show(&bytes, Controls::Keep, 1000).text);
        }
    }
}
