//! What the lexer produces: a token's kind, its text and its quotes.

/// The kind of a token. The discriminant is the letter that stands for it in a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A word of SQL's grammar without a kind of its own (`FROM`, `INTO`).
    Keyword = b'k',
    /// `UNION`, `EXCEPT`, `INTERSECT`: joins two queries.
    Union = b'U',
    /// `GROUP BY`, `ORDER BY`, `LIMIT`, `HAVING`.
    Group = b'B',
    /// A word that starts a statement (`SELECT`, `INSERT`).
    Expression = b'E',
    /// The name of a type (`INT`, `VARCHAR`).
    SqlType = b't',
    /// The name of a function.
    Function = b'f',
    /// Any other word.
    Bareword = b'n',
    /// A number, also `NULL` and the like.
    Number = b'1',
    /// `@name`, `@@name`, `CURRENT_USER`.
    Variable = b'v',
    /// A quoted string.
    String = b's',
    /// An operator, whether of one or more characters or a word (`LIKE`).
    Operator = b'o',
    /// `AND`, `OR`, `&&`, `||`, `XOR`.
    Logic = b'&',
    /// A comment.
    Comment = b'c',
    /// `COLLATE`.
    Collate = b'A',
    /// `(`
    LeftParen = b'(',
    /// `)`
    RightParen = b')',
    /// `{`
    LeftBrace = b'{',
    /// `}`
    RightBrace = b'}',
    /// `.` without digits.
    Dot = b'.',
    /// `,`
    Comma = b',',
    /// `:`
    Colon = b':',
    /// `;`
    Semicolon = b';',
    /// A statement of Transact-SQL (`WAITFOR`, `DECLARE`).
    Tsql = b'T',
    /// A byte that means nothing in SQL.
    Unknown = b'?',
    /// What no honest input has: a nested or a conditional comment.
    Evil = b'X',
    /// A backslash outside of a string.
    Backslash = b'\\',
}

impl Kind {
    /// The kind that a line of the word list names, if words can have it.
    pub(super) const fn of_word(letter: u8) -> Option<Kind> {
        Some(match letter {
            b'k' => Kind::Keyword,
            b'U' => Kind::Union,
            b'B' => Kind::Group,
            b'E' => Kind::Expression,
            b't' => Kind::SqlType,
            b'f' => Kind::Function,
            b'n' => Kind::Bareword,
            b'1' => Kind::Number,
            b'v' => Kind::Variable,
            b'o' => Kind::Operator,
            b'&' => Kind::Logic,
            b'A' => Kind::Collate,
            b'T' => Kind::Tsql,
            _ => return None,
        })
    }

    /// The letter in a fingerprint.
    pub(super) const fn letter(self) -> u8 {
        self as u8
    }
}

/// How many bytes of a token's text are kept. No word of the list is longer.
pub(super) const TEXT_MAX: usize = 31;

/// The first [`TEXT_MAX`] bytes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    bytes: [u8; TEXT_MAX],
    len: u8,
}

impl Text {
    /// No text.
    pub(super) const EMPTY: Text = Text { bytes: [0; TEXT_MAX], len: 0 };

    /// The first bytes of `source`.
    pub(super) fn of(source: &[u8]) -> Self {
        let mut text = Text::EMPTY;
        text.push(source);
        text
    }

    /// `self`, a blank and `other`, if that fits.
    pub(super) fn joined(&self, other: &Text) -> Option<Text> {
        if usize::from(self.len) + 1 + usize::from(other.len) > TEXT_MAX {
            return None;
        }
        let mut text = *self;
        text.push(b" ");
        text.push(other.as_bytes());
        Some(text)
    }

    fn push(&mut self, source: &[u8]) {
        let free = self.bytes.iter_mut().skip(usize::from(self.len));
        let added = free.zip(source).map(|(to, &from)| *to = from).count();
        self.len += added as u8;
    }

    /// The bytes kept.
    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The first byte, or NUL.
    pub(super) fn first(&self) -> u8 {
        self.as_bytes().first().copied().unwrap_or(0)
    }

    /// Whether it is `word`, in any case of letters.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.as_bytes().eq_ignore_ascii_case(word)
    }
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Its text; of a string, what is between the quotes.
    pub(super) text: Text,
    /// The quote that opens a string or a quoted word; `None` where the quote is only assumed before the input.
    pub(super) open: Option<u8>,
    /// The quote that closes it; `None` where the input ends first.
    pub(super) close: Option<u8>,
}

impl Token {
    /// A token without quotes.
    pub(super) fn new(kind: Kind, text: &[u8]) -> Self {
        Token { kind, text: Text::of(text), open: None, close: None }
    }

    /// The same with another kind.
    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether it is an operator that may stand before a value: `+ - ! ~ !! NOT`.
    pub(super) fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && (matches!(self.text.as_bytes(), b"+" | b"-" | b"!" | b"~" | b"!!") || self.text.is(b"NOT"))
    }

    /// Whether it is one of `* / - + %`.
    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text.as_bytes(), b"*" | b"/" | b"-" | b"+" | b"%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_not_joined() {
        let long = Text::of(&[b'x'; 40]);
        assert_eq!(long.as_bytes().len(), TEXT_MAX);
        assert_eq!(long.joined(&Text::EMPTY), None);
        let pair = Text::of(b"group").joined(&Text::of(b"by"));
        assert_eq!(pair.map(|text| text.is(b"GROUP BY")), Some(true));
    }
}
