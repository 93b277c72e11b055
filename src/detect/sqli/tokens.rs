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

/// How many bytes of a token's text count. No word of the list is longer.
pub(super) const TEXT_MAX: usize = 31;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'i> {
    /// What it is.
    pub(super) kind: Kind,
    /// Its first [`TEXT_MAX`] bytes; of a string, of what is between the quotes; of merged words, their entry in the word list.
    pub(super) text: &'i [u8],
    /// The quote that opens a string or a quoted word; `None` where the quote is only assumed before the input.
    pub(super) open: Option<u8>,
    /// The quote that closes it; `None` where the input ends first.
    pub(super) close: Option<u8>,
}

impl<'i> Token<'i> {
    /// A token without quotes.
    pub(super) fn new(kind: Kind, text: &'i [u8]) -> Self {
        Token { kind, text: text.get(..TEXT_MAX).unwrap_or(text), open: None, close: None }
    }

    /// The same with another kind.
    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether its text is `word`, in any case of letters.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// The first byte of its text, or NUL.
    pub(super) fn first(&self) -> u8 {
        self.text.first().copied().unwrap_or(0)
    }

    /// Whether it is an operator that may stand before a value: `+ - ! ~ !! NOT`.
    pub(super) fn is_unary(&self) -> bool {
        self.kind == Kind::Operator && (matches!(self.text, b"+" | b"-" | b"!" | b"~" | b"!!") || self.is(b"NOT"))
    }

    /// Whether it is one of `* / - + %`.
    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, b"*" | b"/" | b"-" | b"+" | b"%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_cut() {
        assert_eq!(Token::new(Kind::Bareword, &[b'x'; 40]).text.len(), TEXT_MAX);
        assert!(Token::new(Kind::Operator, b"Not").is_unary());
        assert!(!Token::new(Kind::Function, b"Not").is_unary());
    }
}
