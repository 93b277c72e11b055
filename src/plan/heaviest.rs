//! Which part of a pattern makes its automaton large: the repeat or the alternation that most of its characters come from, once
//! counted repeats are written out.
//!
//! A light reading of a text that [`pcre`](crate::lang::pcre) has accepted. It counts; what it says is a hint, not a price.

use std::cmp::Reverse;
use std::ops::Range;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something with a counted repeat behind it.
    Repeat,
    /// A group of branches.
    Alternation,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// Where it stands in the pattern, in bytes.
    pub(super) place: Range<usize>,
    /// Characters that it comes to, all repeats around it written out.
    weight: u64,
    /// How often the item of a repeat comes.
    times: u64,
}

/// Something that a quantifier may follow.
#[derive(Clone, Copy)]
struct Item {
    from: usize,
    weight: u64,
}

/// A group whose end has not been read yet.
struct Group {
    from: usize,
    weight: u64,
    branches: u32,
    last: Option<Item>,
}

impl Group {
    fn at(from: usize) -> Group {
        Group { from, weight: 0, branches: 1, last: None }
    }
}

/// The part that at least half of a pattern comes from: of such repeats, which stand in each other, the one that multiplies most,
/// else the smallest alternation.
pub(super) fn heaviest(pattern: &[u8]) -> Option<Part> {
    let mut reading = Reading { pattern, at: 0, parts: Vec::new(), group: Group::at(0), outer: Vec::new() };
    reading.run();
    let Reading { parts, group, .. } = reading;
    let heavy = parts.into_iter().filter(|part| part.weight.saturating_mul(2) >= group.weight && part.weight > 1);
    heavy.min_by_key(|part| (Reverse(part.times), part.place.len(), part.place.start))
}

struct Reading<'a> {
    pattern: &'a [u8],
    at: usize,
    /// In the order of their ends.
    parts: Vec<Part>,
    group: Group,
    outer: Vec<Group>,
}

impl Reading<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.pattern.get(self.at) {
            let from = self.at;
            self.at += 1;
            match byte {
                b'\\' => {
                    let weight = self.escape();
                    self.item(from, weight);
                }
                b'[' => {
                    self.class();
                    self.item(from, 1);
                }
                b'(' => self.open(from),
                b')' => self.close(),
                b'|' => {
                    self.group.branches += 1;
                    self.group.last = None;
                }
                b'*' | b'+' => self.repeat(1),
                b'?' => {}
                b'{' => match self.counts() {
                    Some(times) => self.repeat(times),
                    None => self.item(from, 1),
                },
                _ => self.item(from, 1),
            }
        }
    }

    fn item(&mut self, from: usize, weight: u64) {
        self.group.weight = self.group.weight.saturating_add(weight);
        self.group.last = Some(Item { from, weight });
    }

    /// The item before a quantifier comes `times` times.
    fn repeat(&mut self, times: u64) {
        let Some(Item { from, weight }) = self.group.last.take().filter(|_| times > 1) else { return };
        let whole = weight.saturating_mul(times);
        self.group.weight = self.group.weight.saturating_sub(weight).saturating_add(whole);
        let inside = self.parts.iter_mut().rev().take_while(|part| part.place.start >= from);
        inside.for_each(|part| part.weight = part.weight.saturating_mul(times));
        self.parts.push(Part { kind: Kind::Repeat, place: from..self.at, weight: whole, times });
    }

    fn open(&mut self, from: usize) {
        if self.rest().starts_with(b"?#") {
            return self.skip_behind(b')');
        }
        self.outer.push(std::mem::replace(&mut self.group, Group::at(from)));
        let head = self.rest();
        let named = [b"?<".as_slice(), b"?P<", b"?'"].into_iter().find(|start| head.starts_with(start));
        let look = head.starts_with(b"?<=") || head.starts_with(b"?<!");
        match named.filter(|_| !look) {
            Some(start) => {
                self.at += start.len();
                self.skip_behind(if start.ends_with(b"'") { b'\'' } else { b'>' });
            }
            None if head.starts_with(b"?") => {
                let end = head.iter().position(|byte| b":=!>|)".contains(byte)).unwrap_or(head.len());
                // The closing parenthesis of `(?i)` is still to be read.
                self.at += end + usize::from(head.get(end) != Some(&b')'));
            }
            None => {}
        }
    }

    fn close(&mut self) {
        let Some(outer) = self.outer.pop() else { return };
        let Group { from, weight, branches, .. } = std::mem::replace(&mut self.group, outer);
        if branches > 1 {
            self.parts.push(Part { kind: Kind::Alternation, place: from..self.at, weight, times: 1 });
        }
        self.item(from, weight);
    }

    fn rest(&self) -> &[u8] {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    fn skip_behind(&mut self, end: u8) {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| *byte == end).map_or(rest.len(), |at| at + 1);
    }

    /// Goes behind an escape whose backslash is read; answers how many characters it stands for.
    fn escape(&mut self) -> u64 {
        let Some(&letter) = self.rest().first() else { return 1 };
        self.at += 1;
        match (letter, self.rest().first()) {
            (b'Q', _) => {
                let rest = self.rest();
                let end = rest.windows(2).position(|two| two == b"\\E").unwrap_or(rest.len());
                self.at = (self.at + end + 2).min(self.pattern.len());
                end as u64
            }
            (b'x' | b'o' | b'p' | b'P' | b'g' | b'k' | b'N', Some(b'{')) => {
                self.skip_behind(b'}');
                1
            }
            (b'x', _) => {
                let digits = self.rest().iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                self.at += digits;
                1
            }
            _ => 1,
        }
    }

    /// Goes behind a class whose bracket is read.
    fn class(&mut self) {
        self.at += usize::from(self.rest().first() == Some(&b'^'));
        self.at += usize::from(self.rest().first() == Some(&b']'));
        while let Some(&byte) = self.pattern.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'[' if self.rest().first() == Some(&b':') => {
                    let name = self.rest().windows(2).position(|two| two == b":]");
                    self.at += name.map_or(0, |at| at + 2);
                }
                b']' => return,
                _ => {}
            }
        }
    }

    /// The larger count of `{n}`, `{n,}`, `{n,m}`, whose brace is read; goes behind it if it is one.
    fn counts(&mut self) -> Option<u64> {
        let rest = self.rest();
        let text = std::str::from_utf8(rest.get(..rest.iter().position(|byte| *byte == b'}')?)?).ok()?;
        let (min, max) = text.split_once(',').unwrap_or((text, text));
        let min: u64 = min.parse().ok()?;
        let times = if max.is_empty() { min } else { max.parse().ok()? };
        self.at += text.len() + 1;
        Some(times.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str) -> Option<(Kind, &str)> {
        heaviest(pattern.as_bytes()).map(|part| (part.kind, &pattern[part.place]))
    }

    #[test]
    fn the_part_that_most_comes_from_is_found() {
        use Kind::*;
        assert_eq!(shown("abc"), None);
        assert_eq!(shown("a+b*"), None);
        assert_eq!(shown("id=[0-9]{1,500}x"), Some((Repeat, "[0-9]{1,500}")));
        assert_eq!(shown("(?:(?:a{100}b){100}c){3}d{20}"), Some((Repeat, "a{100}")));
        assert_eq!(shown("(?:ab{2}){500}"), Some((Repeat, "(?:ab{2}){500}")));
        assert_eq!(shown("(?:abcdefghi){500}x{50}"), Some((Repeat, "(?:abcdefghi){500}")));
        assert_eq!(shown("^x(?:select|union|insert)y"), Some((Alternation, "(?:select|union|insert)")));
        assert_eq!(shown("(?i)(?<name>select|union)"), Some((Alternation, "(?<name>select|union)")));
    }

    #[test]
    fn escapes_and_classes_are_no_syntax() {
        assert_eq!(shown(r"[]{9}(|)]{40}a{2}"), Some((Kind::Repeat, "[]{9}(|)]{40}")));
        assert_eq!(shown(r"\(a\|b\)\{3}"), None);
        assert_eq!(shown(r"\Q(a|b){9}\Ex{90}"), Some((Kind::Repeat, "x{90}")));
        assert_eq!(shown(r"\x{41}{30}[[:alpha:]|]"), Some((Kind::Repeat, r"\x{41}{30}")));
        assert_eq!(shown("a{,5}{}{x}"), None);
        assert_eq!(shown("(?#{9}|)a{7}"), Some((Kind::Repeat, "a{7}")));
    }

    #[test]
    fn no_text_stops_it() {
        for text in
            ["(", ")", "[", "\\", "{", "(?", "(?<", "[^", "[[:", "\\Q", "a{9999999999999999999999}", "(?#", "|", "\\x"]
        {
            heaviest(text.as_bytes());
        }
        heaviest(&b"(((a{9}){9}){9}){9}".repeat(2000));
    }
}
