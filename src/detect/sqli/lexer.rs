//! SQL as many dialects as possible read it: bytes to tokens.
//!
//! There is no syntax error. Whatever the bytes are, they become tokens, each at least one byte long; white space is dropped.

use super::Reading;
use super::tokens::{Kind, TEXT_MAX, Token};
use super::words::{Hash, lookup, lookup_hashed};
use super::{BLOCK_FUEL, Dialect, TOKEN_FUEL};
use crate::byteset::ByteSet;
use crate::detect::input::Input;
use crate::meter::{Exhausted, Meter};

/// Bytes that end a word.
const WORD_END: ByteSet = ByteSet::of(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0");
/// The others.
const WORD: ByteSet = WORD_END.complement();
/// Bytes of a variable's name. Backquotes end it, brackets and the no-break space do not.
const VARIABLE: ByteSet = ByteSet::of(b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r'`\"\0").complement();

const DIGITS: ByteSet = ByteSet::range(b'0', b'9');
// The sets below hold NUL too: the algorithm skips it in these places.
const BINARY: ByteSet = ByteSet::of(b"01\0");
const HEX: ByteSet = ByteSet::range(b'0', b'9').union(ByteSet::of(b"ABCDEFabcdef\0"));
const MONEY: ByteSet = ByteSet::range(b'0', b'9').union(ByteSet::of(b".,\0"));
const TAG: ByteSet = ByteSet::range(b'a', b'z').union(ByteSet::range(b'A', b'Z')).with(0);

/// Blanks as databases see them: Oracle takes NUL for one, and in Latin-1 A0 is the no-break space.
const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0xa0 | 0)
}

/// What the lexer saw on its way, for the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Tokens produced.
    pub(super) tokens: usize,
    /// A comment `--` without a blank after it, or a `#`: MySQL reads these differently.
    pub(super) mysql_differs: bool,
}

/// The tokens of one reading of the input.
pub(super) struct Lexer<'i, 'm> {
    input: Input<'i, 'm>,
    pos: usize,
    reading: Reading,
    seen: Seen,
}

impl<'i, 'm> Lexer<'i, 'm> {
    /// A lexer at the start of `bytes`.
    pub(super) fn new(bytes: &'i [u8], reading: Reading, meter: &'m mut Meter) -> Self {
        Lexer { input: Input::new(bytes, BLOCK_FUEL, meter), pos: 0, reading, seen: Seen::default() }
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// The next token, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'i>>, Exhausted> {
        if self.pos == 0
            && let Some(quote) = self.reading.quote.byte()
            && self.input.len() > 0
        {
            self.start_token()?;
            return self.string(0, quote, None).map(Some);
        }
        while let Some(byte) = self.input.at(self.pos) {
            self.input.pay(self.pos)?;
            if matches!(byte, 0..=b' ' | 0x7f | 0xa0) {
                self.pos += 1;
                continue;
            }
            self.start_token()?;
            return self.token(byte).map(Some);
        }
        Ok(None)
    }

    fn start_token(&mut self) -> Result<(), Exhausted> {
        self.seen.tokens += 1;
        self.input.charge(TOKEN_FUEL)
    }

    /// The token that starts with `byte` at the current place.
    fn token(&mut self, byte: u8) -> Result<Token<'i>, Exhausted> {
        match byte {
            b'"' | b'\'' => self.string(self.pos + 1, byte, Some(byte)),
            b'`' => self.backquoted(self.pos),
            b'0'..=b'9' | b'.' => self.number(),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'#' => self.hash(),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => Ok(self.long_operator(byte)),
            b'%' | b'+' | b'^' | b'~' => Ok(self.take(Kind::Operator, 1)),
            b'(' => Ok(self.take(Kind::LeftParen, 1)),
            b')' => Ok(self.take(Kind::RightParen, 1)),
            b'{' => Ok(self.take(Kind::LeftBrace, 1)),
            b'}' => Ok(self.take(Kind::RightBrace, 1)),
            b',' => Ok(self.take(Kind::Comma, 1)),
            b';' => Ok(self.take(Kind::Semicolon, 1)),
            b'?' | b']' => Ok(self.take(Kind::Unknown, 1)),
            b'$' => self.dollar(),
            b'@' => self.variable(),
            b'[' => self.bracketed(),
            b'\\' => Ok(self.backslash()),
            b'b' | b'B' => self.digits_string(&BINARY),
            b'x' | b'X' => self.digits_string(&HEX),
            b'e' | b'E' => self.escape_string(),
            b'n' | b'N' => self.national_string(),
            b'q' | b'Q' => self.oracle_string(self.pos),
            b'u' | b'U' => self.unicode_string(),
            _ => self.word(),
        }
    }

    /// The next `len` bytes as a token.
    fn take(&mut self, kind: Kind, len: usize) -> Token<'i> {
        self.take_to(kind, self.pos + len)
    }

    /// The bytes up to `end` as a token.
    fn take_to(&mut self, kind: Kind, end: usize) -> Token<'i> {
        let token = Token::new(kind, self.input.slice(self.pos, end));
        self.pos = end;
        token
    }

    /// The byte `ahead` of the current place.
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.input.at(self.pos + ahead)
    }

    /// A string whose text starts at `start` and ends at the first `quote` that neither a backslash escapes nor another quote
    /// doubles.
    fn string(&mut self, start: usize, quote: u8, open: Option<u8>) -> Result<Token<'i>, Exhausted> {
        let mut from = start;
        let close = loop {
            let Some(at) = self.input.find(quote, from)? else { break None };
            let backslashes = self.input.slice(start, at).iter().rev().take_while(|&&byte| byte == b'\\').count();
            if backslashes % 2 == 1 {
                from = at + 1;
            } else if self.input.at(at + 1) == Some(quote) {
                from = at + 2;
            } else {
                break Some(at);
            }
        };
        Ok(self.quoted(start, close, 1, (open, quote)))
    }

    /// A string from `start` to `end` or to the end of the input; its closing quote is `width` bytes long.
    fn quoted(&mut self, start: usize, end: Option<usize>, width: usize, quotes: (Option<u8>, u8)) -> Token<'i> {
        let (text_end, close) = match end {
            Some(end) => (end, Some(quotes.1)),
            None => (self.input.len(), None),
        };
        self.pos = end.map_or(text_end, |end| end + width);
        Token { open: quotes.0, close, ..Token::new(Kind::String, self.input.slice(start, text_end)) }
    }

    /// MySQL's `` `name` ``, from the backquote at `at`: a word, even where it would be a keyword, but a function's name stays
    /// one.
    fn backquoted(&mut self, at: usize) -> Result<Token<'i>, Exhausted> {
        let token = self.string(at + 1, b'`', Some(b'`'))?;
        let is_function = lookup(token.text) == Some(Kind::Function);
        Ok(token.with_kind(if is_function { Kind::Function } else { Kind::Bareword }))
    }

    /// `E'..'` of PostgreSQL, with backslash escapes; also `N'..'`, the national string.
    fn escape_string(&mut self) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) == Some(b'\'') && self.peek(2).is_some() {
            self.string(self.pos + 2, b'\'', Some(b'\''))
        } else {
            self.word()
        }
    }

    /// `N'..'`, or Oracle's `NQ'[..]'`.
    fn national_string(&mut self) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) == Some(b'\'') && self.peek(2).is_some() {
            self.escape_string()
        } else {
            self.oracle_string(self.pos + 1)
        }
    }

    /// `U&'..'` of the standard.
    fn unicode_string(&mut self) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) != Some(b'&') || self.peek(2) != Some(b'\'') {
            return self.word();
        }
        let mut token = self.string(self.pos + 3, b'\'', Some(b'u'))?;
        token.close = token.close.map(|_| b'u');
        Ok(token)
    }

    /// Oracle's `Q'[..]'` with the `Q` at `at`: any byte from `!` to `~` may be the delimiter.
    fn oracle_string(&mut self, at: usize) -> Result<Token<'i>, Exhausted> {
        let (Some(b'q' | b'Q'), Some(b'\''), Some(delimiter @ 33..=127)) =
            (self.input.at(at), self.input.at(at + 1), self.input.at(at + 2))
        else {
            return self.word();
        };
        let closing = match delimiter {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            other => other,
        };
        let end = self.input.find_pair(closing, b'\'', at + 3)?;
        Ok(self.quoted(at + 3, end, 2, (Some(b'q'), b'q')))
    }

    /// `B'0101'` or `X'1F'`: a number.
    fn digits_string(&mut self, digits: &ByteSet) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) == Some(b'\'') {
            let end = self.input.run_end(digits, self.pos + 2)?;
            if self.input.at(end) == Some(b'\'') {
                return Ok(self.take_to(Kind::Number, end + 1));
            }
        }
        self.word()
    }

    /// `[name]` of SQL Server.
    fn bracketed(&mut self) -> Result<Token<'i>, Exhausted> {
        let end = self.input.find(b']', self.pos)?.map_or(self.input.len(), |at| at + 1);
        Ok(self.take_to(Kind::Bareword, end))
    }

    /// `\N` is NULL for MySQL.
    fn backslash(&mut self) -> Token<'i> {
        if self.peek(1) == Some(b'N') { self.take(Kind::Number, 2) } else { self.take(Kind::Backslash, 1) }
    }

    /// An operator of up to three characters.
    fn long_operator(&mut self, byte: u8) -> Token<'i> {
        if self.input.slice(self.pos, self.pos + 3) == b"<=>" {
            return self.take(Kind::Operator, 3);
        }
        let pair = self.input.slice(self.pos, self.pos + 2);
        match (lookup(pair), byte) {
            (Some(kind), _) => self.take(kind, 2),
            (None, b':') if pair.len() == 2 => self.take(Kind::Colon, 1),
            _ => self.take(Kind::Operator, 1),
        }
    }

    /// A comment up to the end of the line.
    fn line_comment(&mut self) -> Result<Token<'i>, Exhausted> {
        let end = self.input.find(b'\n', self.pos)?.unwrap_or(self.input.len());
        let token = self.take_to(Kind::Comment, end);
        self.pos = self.input.len().min(end + 1);
        Ok(token)
    }

    /// `--` with a blank or the end after it is a comment; without, everywhere but in MySQL.
    fn dash(&mut self) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) != Some(b'-') {
            return Ok(self.take(Kind::Operator, 1));
        }
        if self.peek(2).is_none_or(is_white) {
            return self.line_comment();
        }
        if self.reading.dialect == Dialect::Ansi {
            self.seen.mysql_differs = true;
            return self.line_comment();
        }
        Ok(self.take(Kind::Operator, 1))
    }

    /// `#` is an operator of PostgreSQL and starts a comment of MySQL.
    fn hash(&mut self) -> Result<Token<'i>, Exhausted> {
        self.seen.mysql_differs = true;
        match self.reading.dialect {
            Dialect::Ansi => Ok(self.take(Kind::Operator, 1)),
            Dialect::MySql => self.line_comment(),
        }
    }

    /// `/* .. */`. PostgreSQL nests comments and MySQL runs what is in `/*! .. */`: neither is ever honest input.
    fn slash(&mut self) -> Result<Token<'i>, Exhausted> {
        if self.peek(1) != Some(b'*') {
            return Ok(self.take(Kind::Operator, 1));
        }
        let start = self.pos + 2;
        let close = self.input.find_pair(b'*', b'/', start)?;
        // A comment inside may share its asterisk with the end: `/*/*/`.
        let nested = close.is_some_and(|at| self.input.slice(start, at + 1).windows(2).any(|pair| pair == b"/*"));
        let kind = if nested || self.input.at(start) == Some(b'!') { Kind::Evil } else { Kind::Comment };
        Ok(self.take_to(kind, close.map_or(self.input.len(), |at| at + 2)))
    }

    /// A number, or a word or dot that starts like one.
    fn number(&mut self) -> Result<Token<'i>, Exhausted> {
        let radix_digits = match (self.peek(0), self.peek(1)) {
            (Some(b'0'), Some(b'x' | b'X')) => Some(&HEX),
            (Some(b'0'), Some(b'b' | b'B')) => Some(&BINARY),
            _ => None,
        };
        if let Some(digits) = radix_digits {
            let end = self.input.run_end(digits, self.pos + 2)?;
            let kind = if end == self.pos + 2 { Kind::Bareword } else { Kind::Number };
            return Ok(self.take_to(kind, end));
        }

        let mut end = self.input.run_end(&DIGITS, self.pos)?;
        if self.input.at(end) == Some(b'.') {
            end = self.input.run_end(&DIGITS, end + 1)?;
            if end - self.pos == 1 {
                return Ok(self.take(Kind::Dot, 1));
            }
        }
        let mut kind = Kind::Number;
        if let Some(b'e' | b'E') = self.input.at(end) {
            end += 1;
            if let Some(b'+' | b'-') = self.input.at(end) {
                end += 1;
            }
            let digits = end;
            end = self.input.run_end(&DIGITS, digits)?;
            // `1.e` without an exponent is a word.
            if end == digits {
                kind = Kind::Bareword;
            }
        }
        // Oracle's suffix for float or double, where nothing or a blank, `;` or (as in `1fUNION`) a U follows.
        if let Some(b'd' | b'D' | b'f' | b'F') = self.input.at(end)
            && self.input.at(end + 1).is_none_or(|next| is_white(next) || matches!(next, b';' | b'u' | b'U'))
        {
            end += 1;
        }
        Ok(self.take_to(kind, end))
    }

    /// `@name`, `@@name`, and with quotes.
    fn variable(&mut self) -> Result<Token<'i>, Exhausted> {
        let start = self.pos + if self.peek(1) == Some(b'@') { 2 } else { 1 };
        match self.input.at(start) {
            Some(b'`') => Ok(self.backquoted(start)?.with_kind(Kind::Variable)),
            Some(quote @ (b'\'' | b'"')) => Ok(self.string(start + 1, quote, Some(quote))?.with_kind(Kind::Variable)),
            _ => {
                let end = self.input.run_end(&VARIABLE, start)?;
                self.pos = start;
                Ok(self.take_to(Kind::Variable, end))
            }
        }
    }

    /// An amount of money `$1,000.00`, or PostgreSQL's string `$tag$..$tag$`.
    fn dollar(&mut self) -> Result<Token<'i>, Exhausted> {
        let start = self.pos + 1;
        let Some(next) = self.peek(1) else { return Ok(self.take(Kind::Bareword, 1)) };
        let end = self.input.run_end(&MONEY, start)?;
        if end == start + 1 && next == b'.' {
            return self.word();
        }
        if end > start {
            return Ok(self.take_to(Kind::Number, end));
        }
        let tag_end = self.input.run_end(&TAG, start)?;
        if self.input.at(tag_end) != Some(b'$') {
            return Ok(self.take(Kind::Bareword, 1));
        }
        let text = tag_end + 1;
        let close = self.find_tag(self.pos, text)?;
        Ok(self.quoted(text, close, text - self.pos, (Some(b'$'), b'$')))
    }

    /// Where the tag `$..$`, which goes from `start` to `end`, stands again. It holds no `$` but at its ends, so tags compared
    /// at two dollar signs share at most one byte, and the search stays linear.
    fn find_tag(&mut self, start: usize, end: usize) -> Result<Option<usize>, Exhausted> {
        let tag = self.input.slice(start, end);
        let mut from = end;
        while let Some(at) = self.input.find(b'$', from)? {
            let here = self.input.slice(at, self.input.len());
            if here.len() < tag.len() {
                return Ok(None);
            }
            if here.starts_with(tag) {
                return Ok(Some(at));
            }
            from = at + 1;
        }
        Ok(None)
    }

    /// A word; what stands before a `.` or a backquote alone, if SQL knows that (`SELECT.1`, ``SELECT`a` ``).
    fn word(&mut self) -> Result<Token<'i>, Exhausted> {
        // Only as far as a word of the list can reach: reading on to the end of the word here, to come back after a short
        // prefix, would take quadratic time on `union.union.union`.
        let start = self.pos;
        let mut hash = Hash::EMPTY;
        let mut end = start;
        while end - start < TEXT_MAX
            && let Some(byte) = self.input.at(end)
            && !WORD_END.contains(byte)
        {
            if matches!(byte, b'.' | b'`')
                && let Some(kind) = lookup_hashed(hash, self.input.slice(start, end))
                && kind != Kind::Bareword
            {
                return Ok(self.take_to(kind, end));
            }
            hash = hash.with(byte);
            end += 1;
        }
        let whole = self.input.run_end(&WORD, end)?;
        let kind = if whole == end { lookup_hashed(hash, self.input.slice(start, end)) } else { None };
        Ok(self.take_to(kind.unwrap_or(Kind::Bareword), whole))
    }
}
