//! Folding: a stream of tokens becomes the at most five that characterise it.
//!
//! Arithmetic, lists, unary operators, doubled parentheses and the like are reduced while the tokens arrive (`1+2+3` is `1`),
//! neighbouring words are merged (`GROUP` `BY`), and a few words get another kind from what follows them. Comments vanish,
//! but for one at the end.

use super::lexer::Lexer;
use super::tokens::{Kind, Token};
use super::words;
use crate::meter::Exhausted;

/// Tokens in a fingerprint.
pub(super) const MAX: usize = 5;

/// Words that are a function where a parenthesis follows and a name or variable elsewhere.
const FUNCTIONS_BEFORE_PAREN: [&[u8]; 11] = [
    b"USER_ID",
    b"USER_NAME",
    b"DATABASE",
    b"PASSWORD",
    b"USER",
    b"CURRENT_USER",
    b"CURRENT_DATE",
    b"CURRENT_TIME",
    b"CURRENT_TIMESTAMP",
    b"LOCALTIME",
    b"LOCALTIMESTAMP",
];

/// The tokens that are left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded<'i> {
    tokens: [Option<Token<'i>>; MAX + 1],
    len: usize,
}

impl<'i> Folded<'i> {
    /// The tokens, at most [`MAX`].
    pub(super) fn iter(&self) -> impl Iterator<Item = &Token<'i>> {
        self.tokens.iter().take(self.len).flatten()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The last one.
    pub(super) fn last_mut(&mut self) -> Option<&mut Token<'i>> {
        self.tokens.get_mut(self.len.checked_sub(1)?)?.as_mut()
    }

    /// The token at a place.
    pub(super) fn get(&self, at: usize) -> Option<&Token<'i>> {
        self.tokens.iter().take(self.len).nth(at)?.as_ref()
    }
}

/// What a rule did.
enum Outcome {
    /// Tokens changed: begin again from `left`.
    Again,
    /// No rule applies here.
    Pass,
    /// The verdict is clear.
    Stop,
}

/// Tokens on their way: those before `left` are done with for now, those up to `len` are read.
struct Window<'i> {
    /// One more than a fingerprint has: the sixth may decide what the fifth is.
    tokens: [Option<Token<'i>>; MAX + 1],
    len: usize,
    left: usize,
    last_comment: Option<Token<'i>>,
    more: bool,
}

/// Reads and folds the tokens of `lexer`.
pub(super) fn fold<'i>(lexer: &mut Lexer<'i, '_>) -> Result<Folded<'i>, Exhausted> {
    // Comments, left parentheses, types and unary operators at the beginning say nothing.
    let first = loop {
        match lexer.next()? {
            Some(token)
                if matches!(token.kind, Kind::Comment | Kind::LeftParen | Kind::SqlType) || token.is_unary() => {}
            other => break other,
        }
    };
    let mut window = Window { tokens: [None; MAX + 1], len: 0, left: 0, last_comment: None, more: first.is_some() };
    if let Some(token) = first {
        window.put(0, token);
        window.len = 1;
        window.run(lexer)?;
    }
    Ok(Folded { tokens: window.tokens, len: window.left.min(MAX) })
}

impl<'i> Window<'i> {
    fn run(&mut self, lexer: &mut Lexer<'i, '_>) -> Result<(), Exhausted> {
        loop {
            if self.len >= MAX {
                self.drop_parenthesised();
            }
            if !self.more || self.left >= MAX {
                self.left = self.len;
                break;
            }
            self.read(lexer, 2)?;
            if self.len < self.left + 2 {
                self.left = self.len;
                continue;
            }
            match self.fold_two() {
                Outcome::Again => continue,
                Outcome::Stop => return Ok(()),
                Outcome::Pass => {}
            }
            self.read(lexer, 3)?;
            if self.len < self.left + 3 {
                self.left = self.len;
                continue;
            }
            if let Outcome::Again = self.fold_three() {
                continue;
            }
            self.left += 1;
        }
        if self.left < MAX
            && let Some(comment) = self.last_comment
        {
            self.put(self.left, comment);
            self.left += 1;
        }
        Ok(())
    }

    /// Reads until `count` tokens stand from `left` on, or no more come.
    fn read(&mut self, lexer: &mut Lexer<'i, '_>, count: usize) -> Result<(), Exhausted> {
        while self.more && self.len <= MAX && self.len < self.left + count {
            match lexer.next()? {
                None => self.more = false,
                Some(token) if token.kind == Kind::Comment => self.last_comment = Some(token),
                Some(token) => {
                    self.last_comment = None;
                    self.put(self.len, token);
                    self.len += 1;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, at: usize, token: Token<'i>) {
        if let Some(place) = self.tokens.get_mut(at) {
            *place = Some(token);
        }
    }

    fn get(&self, at: usize) -> Option<&Token<'i>> {
        self.tokens.get(at)?.as_ref()
    }

    fn set_kind(&mut self, at: usize, kind: Kind) {
        if let Some(Some(token)) = self.tokens.get_mut(at) {
            token.kind = kind;
        }
    }

    /// Forgets the last `dropped` tokens and looks again from the beginning.
    fn restart(&mut self, dropped: usize) -> Outcome {
        self.len = self.len.saturating_sub(dropped);
        self.left = 0;
        Outcome::Again
    }

    /// Forgets the last token and looks again from one place before.
    fn step_back(&mut self) -> Outcome {
        self.len = self.len.saturating_sub(1);
        self.left = self.left.saturating_sub(1);
        Outcome::Again
    }

    /// Five tokens that are one value: `1+(1)`, `1),(1`, `a=(b)`, `a)=(b`.
    fn drop_parenthesised(&mut self) {
        use Kind::{Bareword, Comma, LeftParen, Number, Operator, RightParen};
        let [Some(a), Some(b), Some(c), Some(d), Some(e), sixth] = self.tokens else { return };
        let is_value = matches!(
            [a.kind, b.kind, c.kind, d.kind, e.kind],
            [Number, Operator | Comma, LeftParen, Number, RightParen]
                | [Bareword, Operator, LeftParen, Bareword | Number, RightParen]
                | [Number, RightParen, Comma, LeftParen, Number]
                | [Bareword, RightParen, Operator, LeftParen, Bareword]
        );
        if is_value {
            self.left = 0;
            self.len = match sixth {
                Some(token) if self.len > MAX => {
                    self.put(1, token);
                    2
                }
                _ => 1,
            };
        }
    }

    /// The rules for two tokens.
    fn fold_two(&mut self) -> Outcome {
        use Kind::{
            Backslash, Bareword, Collate, Function, Keyword, LeftBrace, LeftParen, Logic, Number, Operator, RightBrace,
            RightParen, Semicolon, SqlType, String, Tsql, Variable,
        };
        let left = self.left;
        let (Some(&a), Some(&b)) = (self.get(left), self.get(left + 1)) else { return Outcome::Pass };
        match (a.kind, b.kind) {
            // Adjacent strings are one; so are repeated semicolons.
            (String, String) | (Semicolon, Semicolon) => {
                self.len -= 1;
                Outcome::Again
            }
            (Operator | Logic, _) if b.is_unary() || b.kind == SqlType => self.restart(1),
            (LeftParen, _) if b.is_unary() => self.step_back(),
            _ if self.merge(left, &a, &b) => self.step_back(),
            // IF is a function everywhere but after a semicolon, where Transact-SQL takes it for a statement.
            (Semicolon, Function) if b.text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"IF")) => {
                self.set_kind(left + 1, Tsql);
                Outcome::Again
            }
            (Bareword | Variable, LeftParen) if FUNCTIONS_BEFORE_PAREN.iter().any(|name| a.is(name)) => {
                self.set_kind(left, Function);
                Outcome::Again
            }
            (Keyword, _) if a.is(b"IN") || a.is(b"NOT IN") => {
                self.set_kind(left, if b.kind == LeftParen { Operator } else { Bareword });
                Outcome::Again
            }
            (Operator, _) if a.is(b"LIKE") || a.is(b"NOT LIKE") => {
                if b.kind == LeftParen {
                    self.set_kind(left, Function);
                }
                Outcome::Pass
            }
            (SqlType, Bareword | Number | SqlType | LeftParen | Function | Variable | String) => {
                self.put(left, b);
                self.restart(1)
            }
            // There are too many collations to list them; all have an underscore, and no NUL before it.
            (Collate, Bareword) => {
                if b.text.iter().take_while(|&&byte| byte != 0).any(|&byte| byte == b'_') {
                    self.set_kind(left + 1, SqlType);
                    self.left = 0;
                }
                Outcome::Pass
            }
            // Transact-SQL reads `\%1` as `0 % 1` and `\1` as `1`.
            (Backslash, _) if b.is_arithmetic() => {
                self.set_kind(left, Number);
                self.restart(0)
            }
            (Backslash, _) => {
                self.put(left, b);
                self.restart(1)
            }
            (LeftParen, LeftParen) | (RightParen, RightParen) => self.restart(1),
            // MySQL's `{``.``.id}`: so rare that it is an attack.
            (LeftBrace, Bareword) if b.text.is_empty() => {
                self.set_kind(0, Kind::Evil);
                self.left = 1;
                Outcome::Stop
            }
            // `{name expression}` of ODBC and MySQL is the expression.
            (LeftBrace, Bareword) => self.restart(2),
            (_, RightBrace) => self.restart(1),
            _ => Outcome::Pass,
        }
    }

    /// Two words that are one in the word list.
    fn merge(&mut self, left: usize, a: &Token<'i>, b: &Token<'i>) -> bool {
        use Kind::{Bareword, Expression, Function, Keyword, Logic, Operator, SqlType, Tsql, Union};
        let merges =
            |kind| matches!(kind, Keyword | Bareword | Operator | Union | Function | Expression | Tsql | SqlType);
        if !merges(a.kind) || !(merges(b.kind) || b.kind == Logic) {
            return false;
        }
        let Some((kind, text)) = words::lookup_pair(a.text, b.text) else { return false };
        self.put(left, Token { kind, text, ..*a });
        true
    }

    /// The rules for three tokens.
    fn fold_three(&mut self) -> Outcome {
        use Kind::{
            Bareword, Comma, Dot, Expression, Function, Group, Keyword, LeftParen, Logic, Number, Operator, RightParen,
            SqlType, String, Variable,
        };
        let left = self.left;
        let (Some(&a), Some(&b), Some(&c)) = (self.get(left), self.get(left + 1), self.get(left + 2)) else {
            return Outcome::Pass;
        };
        match (a.kind, b.kind, c.kind) {
            // Arithmetic and comparison of plain values.
            (Number | Bareword | Variable, Operator, Number | Bareword)
            | (Variable, Operator, Variable)
            // A chain of operators.
            | (Logic, _, Logic) => self.restart(2),
            (Operator, middle, Operator) if middle != LeftParen => self.restart(2),
            (Bareword | Number | Variable | String, Operator, SqlType) if b.text == b"::" => self.restart(2),
            (Bareword | Number | String | Variable, Comma, Number | Bareword | String | Variable) => self.restart(2),
            // A unary operator before a parenthesis or a value.
            (Expression | Group | Comma, _, LeftParen) if b.is_unary() => self.drop_second(c, 1),
            (Keyword | Expression | Group, _, Number | Bareword | Variable | String | Function) if b.is_unary() => {
                self.drop_second(c, 1)
            }
            // `,-1` is `,1`; and with what stands before it, perhaps nothing at all.
            (Comma, _, Number | Bareword | Variable | String) if b.is_unary() => self.drop_second(c, 3),
            (Comma, _, Function) if b.is_unary() => self.drop_second(c, 1),
            // `database.table`
            (Bareword, Dot, Bareword) => self.restart(2),
            (Expression, Dot, Bareword) => self.drop_second(c, 1),
            // USER() has no arguments: with any, it is somebody's own.
            (Function, LeftParen, kind) if kind != RightParen => {
                if a.is(b"USER") {
                    self.set_kind(left, Bareword);
                }
                Outcome::Pass
            }
            _ => Outcome::Pass,
        }
    }

    /// Puts the third token in the place of the second.
    fn drop_second(&mut self, third: Token<'i>, dropped: usize) -> Outcome {
        self.put(self.left + 1, third);
        self.restart(dropped)
    }
}
