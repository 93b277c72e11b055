//! What a backslash begins, in a class and outside.

use super::Error;
use super::parser::Parser;
use crate::byteset::ByteSet;
use crate::scan::backtrack::{Look, Tree};

/// `\d`
pub(super) const DIGIT: ByteSet = ByteSet::range(b'0', b'9');
/// `\w`
pub(super) const WORD: ByteSet = DIGIT.union(ByteSet::range(b'a', b'z')).union(ByteSet::range(b'A', b'Z')).with(b'_');
/// `\s`, which takes the vertical tab
pub(super) const SPACE: ByteSet = ByteSet::of(b"\t\n\x0b\x0c\r ");
/// `\h`: tab, space and the no-break space of Latin-1
const HORIZONTAL: ByteSet = ByteSet::of(b"\t \xa0");
/// `\v`: all that ends a line
const VERTICAL: ByteSet = ByteSet::of(b"\n\x0b\x0c\r\x85");

/// What an escape that stands for bytes means.
pub(super) enum Escaped {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// Reads an escape outside a class.
    pub fn escape(&mut self) -> Result<(), Error> {
        let start = self.at;
        match self.pattern.get(start + 1) {
            Some(b'Q') => self.quote(),
            Some(b'A') => self.look(Look::Start, 2),
            Some(b'z') => self.look(Look::End, 2),
            Some(b'Z') => self.look(Look::EndOrNewline, 2),
            Some(b'b') => self.look(Look::Word, 2),
            Some(b'B') => self.look(Look::NotWord, 2),
            Some(b'R') => {
                self.at += 2;
                let pair = Tree::Concat(vec![Tree::Byte(b'\r'), Tree::Byte(b'\n')]);
                self.push(Tree::Atomic(Box::new(Tree::Alternate(vec![pair, Tree::Set(VERTICAL)]))))
            }
            Some(b'N') => {
                self.at += 2;
                // `\N{2}` is a quantifier, `\N{U+41}` and `\N{name}` name a character.
                if self.peek() == Some(b'{') && self.counts().is_none() {
                    return Err(self
                        .error(start, "characters by name are not supported")
                        .help("patterns match bytes: write `\\x` and two hexadecimal digits for each"));
                }
                self.push(Tree::Set(ByteSet::of(b"\n").complement()))
            }
            Some(b'C') => {
                self.at += 2;
                self.push(Tree::Set(ByteSet::FULL))
            }
            Some(b'1'..=b'9') if self.is_back_reference() => {
                self.at += 1;
                let number = self.decimal();
                self.reference(start, number)
            }
            Some(b'g') => {
                self.at += 2;
                self.g_reference(start)
            }
            Some(b'k') => {
                self.at += 2;
                let close = [(b"<", b">"), (b"'", b"'"), (b"{", b"}")].into_iter().find(|(open, _)| self.take(*open));
                match close {
                    Some((_, close)) => self.named_reference(start, close),
                    None => Err(self.error(start, "`\\k` needs the name of a group: `\\k<name>`")),
                }
            }
            Some(b'G') => Err(self.not_here(
                start,
                "`\\G` is not supported",
                "write `^`: a match always starts at the front of the value",
            )),
            Some(b'K') => {
                Err(self.not_here(start, "`\\K` is not supported", "put the part that is wanted in a capturing group"))
            }
            Some(b'X') => {
                Err(self.not_here(start, "`\\X` is not supported", "patterns match bytes, not characters: write `.`"))
            }
            _ => match self.escaped_bytes()? {
                Escaped::Byte(byte) => self.literal(byte),
                Escaped::Set(set) => self.push(Tree::Set(set)),
            },
        }
    }

    /// Reads an escape that stands for bytes; outside and inside a class they are the same.
    pub fn escaped_bytes(&mut self) -> Result<Escaped, Error> {
        let start = self.at;
        let Some(&letter) = self.pattern.get(start + 1) else {
            return Err(Error::new(start, 1, "the pattern ends in a backslash")
                .help("write two for the character; a backslash at the end of a line joins lines"));
        };
        self.at += 2;
        Ok(match letter {
            b'd' => Escaped::Set(DIGIT),
            b'D' => Escaped::Set(DIGIT.complement()),
            b'w' => Escaped::Set(WORD),
            b'W' => Escaped::Set(WORD.complement()),
            b's' => Escaped::Set(SPACE),
            b'S' => Escaped::Set(SPACE.complement()),
            b'h' => Escaped::Set(HORIZONTAL),
            b'H' => Escaped::Set(HORIZONTAL.complement()),
            b'v' => Escaped::Set(VERTICAL),
            b'V' => Escaped::Set(VERTICAL.complement()),
            b'a' => Escaped::Byte(0x07),
            b'e' => Escaped::Byte(0x1b),
            b'f' => Escaped::Byte(0x0c),
            b'n' => Escaped::Byte(b'\n'),
            b'r' => Escaped::Byte(b'\r'),
            b't' => Escaped::Byte(b'\t'),
            b'c' => Escaped::Byte(self.control(start)?),
            b'x' => Escaped::Byte(self.hexadecimal(start)?),
            b'o' => Escaped::Byte(self.braced_octal(start)?),
            b'0'..=b'7' => Escaped::Byte(self.octal(start)?),
            b'p' | b'P' => {
                return Err(self
                    .error(start, "Unicode properties are not supported")
                    .help("patterns match bytes: write a POSIX class such as `[[:alpha:]]`, or list the bytes"));
            }
            b'8' | b'9' => Escaped::Byte(letter),
            letter if letter.is_ascii_alphabetic() => {
                let letter = char::from(letter);
                return Err(self
                    .error(start, format!("`\\{letter}` has no meaning here"))
                    .help(format!("write `{letter}` for the letter, `\\\\{letter}` for a backslash before it")));
            }
            other => Escaped::Byte(other),
        })
    }

    /// `\Q...\E`: each byte for itself.
    fn quote(&mut self) -> Result<(), Error> {
        self.at += 2;
        while let Some(byte) = self.peek() {
            if self.take(b"\\E") {
                break;
            }
            self.at += 1;
            self.literal(byte)?;
        }
        Ok(())
    }

    /// `\1` to `\9`, `\8x`, `\9x`, and larger numbers of groups that exist; the rest is octal.
    fn is_back_reference(&self) -> bool {
        let rest = self.pattern.get(self.at + 1..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let number =
            digits.fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        number < 10 || matches!(rest, [b'8' | b'9', ..]) || number <= self.captures
    }

    /// Decimal digits, as far as they go.
    fn decimal(&mut self) -> u32 {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        digits
            .iter()
            .fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0'))))
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn g_reference(&mut self, start: usize) -> Result<(), Error> {
        if self.looking_at(b"<") || self.looking_at(b"'") {
            let error = self.error(start, "recursion is not supported");
            return Err(error.help("write the pattern out to the depth that is needed"));
        }
        let braced = self.take(b"{");
        let sign = [b"-", b"+"].into_iter().find(|sign| self.take(*sign));
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return if braced && sign.is_none() {
                self.named_reference(start, b"}")
            } else {
                Err(self.error(start, "`\\g` needs the number or the name of a group"))
            };
        }
        let number = self.decimal();
        if braced && !self.take(b"}") {
            return Err(self.error(start, "there must be a number or a name and nothing else in the braces"));
        }
        let number = match sign {
            Some(b"-") => (self.captures + 1).saturating_sub(number),
            Some(_) => self.captures.saturating_add(number),
            None => number,
        };
        self.reference(start, number)
    }

    /// A reference by name, up to `close`.
    pub fn named_reference(&mut self, start: usize, close: &[u8]) -> Result<(), Error> {
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !self.take(close) {
            return Err(self.error(start, "the name of a group is missing, or what ends it"));
        }
        match self.names.get(name).map(Vec::as_slice) {
            Some(&[group]) => self.reference(start, group),
            Some(_) => Err(self
                .error(start, "two groups have this name")
                .help("refer to one of them by its number, for example `\\1`")),
            None => Err(self
                .error(start, "no group before this has that name")
                .help("a group that follows can be referred to by its number, for example `\\2`")),
        }
    }

    fn reference(&mut self, start: usize, group: u32) -> Result<(), Error> {
        if group == 0 {
            return Err(self.error(start, "there is no such group before this one"));
        }
        let construct = self.note(start, super::BACK_REFERENCE);
        if self.largest.is_none_or(|(largest, _)| largest < group) {
            self.largest = Some((group, construct));
        }
        self.push(Tree::Reference { group, fold: self.flags.fold })
    }

    fn not_here(&mut self, start: usize, message: &str, help: &str) -> Error {
        self.at = start + 2;
        self.error(start, message).help(help)
    }

    /// `\cA`: a printable character with one bit turned.
    fn control(&mut self, start: usize) -> Result<u8, Error> {
        match self.peek() {
            Some(byte @ b' '..=b'~') => {
                self.at += 1;
                Ok(byte.to_ascii_uppercase() ^ 0x40)
            }
            _ => Err(self.error(start, "`\\c` needs a printable ASCII character")),
        }
    }

    /// `\x`, `\xh`, `\xhh`, `\x{h...}`
    fn hexadecimal(&mut self, start: usize) -> Result<u8, Error> {
        if self.take(b"{") {
            let digits = self.take_while(|byte| byte.is_ascii_hexdigit());
            return self.braced(start, digits, 16);
        }
        let mut value = 0;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else { break };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }

    /// `\o{...}`
    fn braced_octal(&mut self, start: usize) -> Result<u8, Error> {
        if !self.take(b"{") {
            return Err(self.error(start, "`\\o` needs digits in braces"));
        }
        let digits = self.take_while(|byte| matches!(byte, b'0'..=b'7'));
        self.braced(start, digits, 8)
    }

    /// The digits of a number in braces, up to the closing one.
    fn braced(&mut self, start: usize, digits: &[u8], radix: u32) -> Result<u8, Error> {
        if !self.take(b"}") || digits.is_empty() {
            return Err(self.error(start, "there must be digits and nothing else in the braces"));
        }
        let value = digits.iter().fold(0u32, |value, &digit| {
            value.saturating_mul(radix).saturating_add(char::from(digit).to_digit(radix).unwrap_or(0))
        });
        u8::try_from(value).map_err(|_| {
            self.error(start, "this number is no byte")
                .help("patterns match bytes: write the UTF-8 bytes of the character one by one")
        })
    }

    /// `\0`, `\01`, `\012` and what is no back-reference: up to three octal digits, of which the first has been read.
    fn octal(&mut self, start: usize) -> Result<u8, Error> {
        self.at = start + 1;
        let mut value = 0u32;
        for _ in 0..3 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(8)) else { break };
            value = value * 8 + digit;
            self.at += 1;
        }
        u8::try_from(value).map_err(|_| self.error(start, "this octal number is no byte"))
    }
}
