//! What stands in brackets.

use super::Error;
use super::escape::{DIGIT, Escaped, SPACE, WORD};
use super::parser::Parser;
use crate::byteset::ByteSet;
use crate::scan::backtrack::{Look, Tree};

/// A class as far as it has been read.
#[derive(Default)]
struct Class {
    set: ByteSet,
    /// Within `\Q...\E`.
    quoted: bool,
}

impl Class {
    fn add(&mut self, set: ByteSet) {
        self.set = self.set.union(set);
    }

    /// Bytes written singly or as a range; those alone are folded.
    fn add_range(&mut self, first: u8, last: u8, fold: bool) {
        let range = ByteSet::range(first, last);
        self.add(range);
        if fold {
            let letters = range.iter().filter(u8::is_ascii_alphabetic);
            self.add(letters.fold(ByteSet::EMPTY, |set, byte| set.with(byte ^ 0x20)));
        }
    }
}

impl Parser<'_> {
    /// Reads a class.
    pub fn class(&mut self) -> Result<(), Error> {
        let start = self.at;
        for (text, look) in [(b"[[:<:]]", Look::WordStart), (b"[[:>:]]", Look::WordEnd)] {
            if self.take(text) {
                // PCRE2 reads these as `\b` and a look-around of one byte, and a quantifier takes only the second.
                self.look(Look::Word, 0)?;
                return self.push(Tree::Look(look));
            }
        }
        if self.posix_end().is_some() {
            return Err(
                Error::new(start, 2, "a POSIX class is possible only within a class").help("write `[[:alpha:]]`")
            );
        }
        self.at += 1;
        let negated = self.take(b"^");
        let mut class = Class::default();
        let mut first = true;
        loop {
            self.skip_unread_in_class(&mut class);
            let Some(byte) = self.peek() else {
                return Err(Error::new(start, 1, "this class is never closed")
                    .help("a `]` that comes first stands for itself; write `\\[` for the character"));
            };
            if byte == b']' && !class.quoted && !first {
                self.at += 1;
                break;
            }
            first = false;
            let item_at = self.at;
            match self.class_item(&class)? {
                Escaped::Set(set) => class.add(set),
                Escaped::Byte(low) => {
                    let high = self.range_end(&mut class)?;
                    if high.is_some_and(|high| high < low) {
                        return Err(self.error(item_at, "the ends of this range are in the wrong order"));
                    }
                    class.add_range(low, high.unwrap_or(low), self.flags.fold);
                }
            }
        }
        self.push(Tree::Set(if negated { class.set.complement() } else { class.set }))
    }

    /// Skips `\E`, enters `\Q`, and in `(?xx)` skips spaces and tabs.
    fn skip_unread_in_class(&mut self, class: &mut Class) {
        loop {
            if self.take(b"\\E") {
                class.quoted = false;
            } else if class.quoted {
                return;
            } else if self.take(b"\\Q") {
                class.quoted = true;
            } else if !self.flags.extended_class || !(self.take(b" ") || self.take(b"\t")) {
                return;
            }
        }
    }

    /// If a hyphen and a single byte follow: that byte, the end of a range. Otherwise nothing is read, and the hyphen will
    /// stand for itself.
    fn range_end(&mut self, class: &mut Class) -> Result<Option<u8>, Error> {
        let (before, quoted) = (self.at, class.quoted);
        self.skip_unread_in_class(class);
        if !class.quoted && self.take(b"-") {
            self.skip_unread_in_class(class);
            let closed = self.peek().is_none_or(|byte| byte == b']' && !class.quoted);
            if !closed && let Escaped::Byte(high) = self.class_item(class)? {
                return Ok(Some(high));
            }
        }
        (self.at, class.quoted) = (before, quoted);
        Ok(None)
    }

    /// One member: a byte, an escape or a POSIX class.
    fn class_item(&mut self, class: &Class) -> Result<Escaped, Error> {
        let start = self.at;
        let next = self.pattern.get(start + 1).copied();
        match self.peek() {
            Some(b'\\') if !class.quoted => match next {
                Some(b'b') => {
                    self.at += 2;
                    Ok(Escaped::Byte(0x08))
                }
                Some(letter @ (b'A' | b'B' | b'C' | b'G' | b'K' | b'N' | b'R' | b'X' | b'Z' | b'z' | b'g' | b'k')) => {
                    Err(Error::new(start, 2, format!("`\\{}` has no meaning in a class", char::from(letter))))
                }
                _ => self.escaped_bytes(),
            },
            Some(b'[') if !class.quoted => match self.posix_end() {
                Some(end) => self.posix(end).map(Escaped::Set),
                None => {
                    self.at += 1;
                    Ok(Escaped::Byte(b'['))
                }
            },
            Some(byte) => {
                self.at += 1;
                Ok(Escaped::Byte(byte))
            }
            None => Err(self.error(start, "this class is never closed")),
        }
    }

    /// Where the `:]` of a POSIX class that begins here stands; the same for `[. .]` and `[= =]`.
    fn posix_end(&self) -> Option<usize> {
        let rest = self.pattern.get(self.at..)?;
        let &[b'[', mark @ (b':' | b'.' | b'='), ..] = rest else { return None };
        let mut at = self.at + 2;
        loop {
            match self.pattern.get(at..)? {
                [byte, b']', ..] if *byte == mark => return Some(at),
                [b']', ..] | [] => return None,
                [b'[', byte, ..] if *byte == mark => return None,
                [b'\\', b'\\' | b']', ..] => at += 2,
                _ => at += 1,
            }
        }
    }

    /// `[:name:]`, `[:^name:]`, whose `:]` stands at `end`.
    fn posix(&mut self, end: usize) -> Result<ByteSet, Error> {
        let start = self.at;
        self.at = end + 2;
        let text = self.pattern.get(start + 1..end).unwrap_or_default();
        let Some(name) = text.strip_prefix(b":") else {
            return Err(self.error(start, "POSIX collating elements are not supported"));
        };
        let positive = name.strip_prefix(b"^").unwrap_or(name);
        match posix_set(positive, self.flags.fold) {
            Some(set) if positive.len() == name.len() => Ok(set),
            Some(set) => Ok(set.complement()),
            None => Err(self.error(start, format!("`{}` is no POSIX class", positive.escape_ascii()))),
        }
    }
}

/// The POSIX classes of the C locale, and `word`. Without regard to case, `upper` and `lower` are `alpha`.
fn posix_set(name: &[u8], fold: bool) -> Option<ByteSet> {
    const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
    const LOWER: ByteSet = ByteSet::range(b'a', b'z');
    const ALPHA: ByteSet = UPPER.union(LOWER);
    const PUNCT: ByteSet = ByteSet::range(b'!', b'/')
        .union(ByteSet::range(b':', b'@'))
        .union(ByteSet::range(b'[', b'`'))
        .union(ByteSet::range(b'{', b'~'));
    Some(match name {
        b"upper" | b"lower" if fold => ALPHA,
        b"upper" => UPPER,
        b"lower" => LOWER,
        b"alpha" => ALPHA,
        b"alnum" => ALPHA.union(DIGIT),
        b"ascii" => ByteSet::range(0, 0x7f),
        b"blank" => ByteSet::of(b"\t "),
        b"cntrl" => ByteSet::range(0, 0x1f).with(0x7f),
        b"digit" => DIGIT,
        b"graph" => ByteSet::range(b'!', b'~'),
        b"print" => ByteSet::range(b' ', b'~'),
        b"punct" => PUNCT,
        b"space" => SPACE,
        b"word" => WORD,
        b"xdigit" => DIGIT.union(ByteSet::range(b'A', b'F')).union(ByteSet::range(b'a', b'f')),
        _ => return None,
    })
}
