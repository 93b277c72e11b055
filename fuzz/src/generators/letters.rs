//! Patterns and values of the same few letters.

use super::spelled_in;

/// What patterns are made of, few enough to make sense together.
const LETTERS: &[&str] = &[
    "a", "b", "ab", "union", "Sel", "(", "(?:", "(?i:", ")", "|", "*", "+", "?", "{2}", "{1,3}", "[ab]", "[^a]",
    "[0-9]", ".", "^", "$", r"\b", r"\s", r"\d", r"\W", r"\x00", "-", "x", "\u{e4}", "(?i)", "*?", "+?",
];

/// What they find, between bars.
const FOUND: &[u8] = b"a|b|ab|union|Sel|UNION|sEL|A|0|9| |\n|\0|-|x|\xc3\xa4|_|\xe4";

/// What a letter of a pattern stands behind.
#[derive(Clone, Copy)]
enum Before {
    /// What cannot be repeated.
    Nothing,
    Item,
    /// A quantifier, which another sign makes lazy or possessive.
    Repeat,
}

/// A pattern: a letter for each byte, but for those that would make it none.
pub fn lettered(bytes: &[u8]) -> String {
    let (mut text, mut open, mut before) = (String::new(), 0, Before::Nothing);
    for letter in bytes.iter().map(|&byte| LETTERS[usize::from(byte) % LETTERS.len()]) {
        before = match (letter, before) {
            ("*" | "+" | "?" | "{2}" | "{1,3}", Before::Item) => Before::Repeat,
            ("*?" | "+?", Before::Item) | ("+" | "?", Before::Repeat) => Before::Nothing,
            ("*" | "+" | "?" | "{2}" | "{1,3}" | "*?" | "+?", _) => continue,
            (")", _) if open == 0 => continue,
            (")", _) => {
                open -= 1;
                Before::Item
            }
            ("(" | "(?:" | "(?i:", _) => {
                open += 1;
                Before::Nothing
            }
            ("|" | "^" | "$" | r"\b" | "(?i)", _) => Before::Nothing,
            _ => Before::Item,
        };
        text.push_str(letter);
    }
    text + &")".repeat(open)
}

/// A value of what such patterns find.
pub fn found(bytes: &[u8]) -> Vec<u8> {
    spelled_in(FOUND, bytes)
}
