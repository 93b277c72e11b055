//! GraphQL documents (specification of October 2021): every value that a client chooses becomes an argument.
//!
//! | in the document | name | value |
//! |---|---|---|
//! | `query Search { ... }` | `graphql` | `query`, then `Search`: each word outside of braces |
//! | a field `user`, or `me: user` | `graphql.user` | empty, or its alias `me` |
//! | a field inside it | `graphql.user.name` | the same |
//! | an argument `user(id: "1")` | `graphql.user.id` | `1`: the string without its quotes, escapes decoded |
//! | lists and objects `f: {in: [1, 2]}` | `graphql.user.f.in.0`, `.1` | `1`, `2` |
//! | a variable's type and default `$v: Int = 3` | `graphql.$v` | `Int`, `3` |
//! | a directive `@include(if: $v)` | `graphql.user.@include`, `graphql.user.@include.if` | empty, `$v` |
//! | `...F`, `... on T` | the name of what they stand in | `F`; `on`, `T` |
//!
//! It is a reader of tokens and brackets, not of the grammar: whatever a server's parser makes of a document, its words and strings
//! are those. Comments are skipped. A bracket that does not fit, a string that is not closed and bytes that no token begins with are
//! errors of the report; reading goes on.
//!
//! A body that begins with `[` or `{"` is no document but the JSON around one; see [`Body`].

mod body;
mod string;

use super::out::{LEAF_PER_BYTE, LEAF_PER_CALL, Leaves, NAMES_CONSTANT, Out};
use super::{Bytes, Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
pub(super) use body::Body;
use string::Quoted;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 5;
/// Fuel for one bracket.
const PER_BRACKET: u64 = 8;
/// Fuel for one escape in a string.
const PER_ESCAPE: u64 = 6;

/// A leaf takes a byte or more; brackets and escapes are other bytes, and cost less.
pub(super) const PRICE: Price = Price::per_byte(2 * LEAF_PER_CALL, PER_BYTE + LEAF_PER_BYTE);
const _: () = assert!(PER_BRACKET <= LEAF_PER_BYTE && PER_ESCAPE <= LEAF_PER_BYTE);

/// What a bracket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// `{` of fields.
    Selection,
    /// `(`.
    Arguments,
    /// `{` of a value.
    Object,
    /// `[`.
    List,
}

/// An open bracket.
#[derive(Debug)]
struct Frame {
    bracket: Bracket,
    /// Length of the path of what it belongs to.
    base: usize,
    /// Elements of a list so far.
    elements: u64,
}

/// The token that is read.
#[derive(Debug)]
enum Token {
    /// None.
    Between,
    Word,
    Dots(u8),
    Quoted(Quoted),
    Comment,
}

/// What the next word after `...` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    No,
    /// The name of a fragment, or `on`.
    Name,
    /// The type after `on`.
    Type,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Document {
    token: Token,
    path: Vec<u8>,
    frames: Vec<Frame>,
    /// Length of the name of the whole document.
    root: usize,
    /// Length of the path of the field that was read last.
    field: usize,
    /// The last word: what it is, only the next token tells.
    word: Option<Bytes>,
    alias: Bytes,
    spread: Spread,
    leaves: Leaves,
    kind: Kind,
    depth_limit: usize,
}

impl Document {
    /// A reader of a body.
    pub(super) fn new(limits: &ParseLimits) -> Self {
        Document::named(b"graphql", Kind::ArgPost, NAMES_CONSTANT, limits)
    }

    /// A reader of a document inside the value of an argument.
    pub(super) fn nested(root: &[u8], kind: Kind, limits: &ParseLimits) -> Self {
        Document::named(root, kind, 64 + 4 * root.len(), limits)
    }

    fn named(root: &[u8], kind: Kind, constant: usize, limits: &ParseLimits) -> Self {
        Document {
            token: Token::Between,
            path: root.to_vec(),
            frames: Vec::new(),
            root: root.len(),
            field: root.len(),
            word: None,
            alias: Bytes::default(),
            spread: Spread::No,
            leaves: Leaves::new(limits.arguments, constant),
            kind,
            depth_limit: limits.graphql_depth,
        }
    }

    /// Reads the next block, which starts at byte `offset`; answers whether to go on.
    pub(super) fn feed(
        &mut self,
        block: &[u8],
        offset: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let mut out = Out::new("GraphQL", offset, fields, report, meter);
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            out.at = offset + block.len() - rest.len();
            rest = match &mut self.token {
                Token::Between => {
                    if self.begin(byte, &mut out)? {
                        after
                    } else {
                        rest
                    }
                }
                Token::Word => self.read_word(rest, &mut out)?,
                Token::Dots(count) if byte == b'.' && *count < 3 => {
                    *count += 1;
                    after
                }
                Token::Dots(count) => {
                    if *count < 3 {
                        out.error("a point stands alone");
                    }
                    self.spread = Spread::Name;
                    self.token = Token::Between;
                    rest
                }
                Token::Quoted(quoted) => {
                    let (next, ended) = quoted.read(rest, &mut out)?;
                    if ended {
                        let value = quoted.value();
                        self.token = Token::Between;
                        self.value(value, &mut out)?;
                    }
                    next
                }
                Token::Comment => {
                    if matches!(byte, b'\n' | b'\r') {
                        self.token = Token::Between;
                    }
                    after
                }
            };
            if out.stop {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends what is open when the body ends after `len` bytes. An empty body is no error.
    pub(super) fn finish(
        &mut self,
        len: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let mut out = Out::new("GraphQL", len, fields, report, meter);
        if let Token::Quoted(quoted) = &mut self.token {
            let closed = quoted.finish(&mut out)?;
            if !closed {
                out.error("a string is not closed");
            }
            let value = quoted.value();
            self.value(value, &mut out)?;
        }
        self.token = Token::Between;
        self.end_word(&mut out)?;
        if !self.frames.is_empty() {
            out.error("the document is not complete");
        }
        Ok(())
    }

    /// Reads a byte between tokens; answers whether it is used up.
    fn begin(&mut self, byte: u8, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match byte {
            // A byte order mark is ignored like a comma.
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => {}
            b'#' => self.token = Token::Comment,
            b':' => self.colon(out)?,
            b'"' => {
                self.end_word(out)?;
                self.token = Token::Quoted(Quoted::default());
            }
            b'.' => {
                self.end_word(out)?;
                self.token = Token::Dots(1);
            }
            b'{' | b'(' | b'[' => self.open(byte, out)?,
            b'}' | b')' | b']' => self.close(byte, out)?,
            b'!' | b'=' | b'|' | b'&' => self.end_word(out)?,
            _ => {
                if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$' | b'@')) {
                    out.error("no token begins with this byte");
                }
                self.end_word(out)?;
                self.word = Some(Bytes::default());
                self.token = Token::Word;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads on in a word: a name, number, variable or directive, or what is none of them.
    fn read_word<'b>(&mut self, rest: &'b [u8], out: &mut Out<'_>) -> Result<&'b [u8], Exhausted> {
        let Some(word) = &mut self.word else {
            self.token = Token::Between;
            return Ok(rest);
        };
        let start = out.fields.bytes(*word).first().or(rest.first()).copied();
        let is_number = start.is_some_and(|byte| byte.is_ascii_digit() || byte == b'-');
        // The first byte belongs to the word, whatever it is.
        let first = usize::from(word.is_empty());
        let ends = |byte: u8| match byte {
            b'.' | b'+' | b'-' => !is_number,
            b'$' | b'@' => true,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'#' | b':' | b'"' | b'{' | b'}' | b'(' | b')' | b'[' | b']' => true,
            b'!' | b'=' | b'|' | b'&' => true,
            _ => false,
        };
        let len = rest.iter().skip(first).position(|&byte| ends(byte)).map_or(rest.len(), |len| len + first);
        let (run, next) = rest.split_at(len);
        out.fields.append(word, run)?;
        if !next.is_empty() {
            self.token = Token::Between;
        }
        Ok(next)
    }

    fn innermost(&self) -> Option<Bracket> {
        self.frames.last().map(|frame| frame.bracket)
    }

    /// Length of the path of what the innermost bracket belongs to.
    fn base(&self) -> usize {
        self.frames.last().map_or(self.root, |frame| frame.base)
    }

    /// A colon: the word before it is an alias or a key.
    fn colon(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        match (self.innermost(), self.word) {
            (Some(Bracket::Selection), Some(word)) => {
                self.alias = word;
                self.word = None;
            }
            (Some(Bracket::Arguments | Bracket::Object), Some(word)) => {
                self.path.truncate(self.base());
                self.path.push(b'.');
                self.path.extend_from_slice(out.fields.bytes(word));
                self.word = None;
            }
            _ => self.end_word(out)?,
        }
        Ok(())
    }

    /// Gives out the last word, now that it is known not to stand before a colon.
    fn end_word(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let Some(word) = self.word.take() else { return Ok(()) };
        let spread = std::mem::replace(&mut self.spread, Spread::No);
        let is_name_of_field = match self.innermost() {
            Some(Bracket::Arguments | Bracket::Object | Bracket::List) => return self.value(word, out),
            Some(Bracket::Selection) => spread == Spread::No,
            None => false,
        };
        let text = out.fields.bytes(word);
        let base = self.base();
        if text.first() == Some(&b'@') {
            self.path.truncate(self.field);
            self.path.push(b'.');
            self.path.extend_from_slice(text);
            return self.leaf(Bytes::default(), out);
        }
        if spread == Spread::Name && text == b"on" {
            self.spread = Spread::Type;
        }
        self.path.truncate(base);
        let mut value = word;
        if is_name_of_field {
            self.path.push(b'.');
            self.path.extend_from_slice(text);
            value = std::mem::take(&mut self.alias);
        }
        self.field = self.path.len();
        self.leaf(value, out)
    }

    /// A value: of the key before it, or the next of a list.
    fn value(&mut self, value: Bytes, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.begin_element();
        self.leaf(value, out)
    }

    /// Names the next element, if the innermost bracket is a list.
    fn begin_element(&mut self) {
        if let Some(frame @ Frame { bracket: Bracket::List, .. }) = self.frames.last_mut() {
            self.path.truncate(frame.base);
            self.path.push(b'.');
            self.path.extend_from_slice(frame.elements.to_string().as_bytes());
            frame.elements += 1;
        }
    }

    fn leaf(&mut self, value: Bytes, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if let Some(name) = self.leaves.name(&self.path, out)? {
            out.fields.push_stored(self.kind, name, value);
        }
        Ok(())
    }

    fn open(&mut self, byte: u8, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.end_word(out)?;
        out.meter.charge(PER_BRACKET)?;
        if self.frames.len() >= self.depth_limit {
            out.report.depth_exceeded = true;
            out.error("the document nests too deeply");
            out.stop = true;
            return Ok(());
        }
        self.spread = Spread::No;
        let bracket = match (byte, self.innermost()) {
            (b'(', _) => Bracket::Arguments,
            (b'[', _) => Bracket::List,
            (_, None | Some(Bracket::Selection)) => Bracket::Selection,
            _ => Bracket::Object,
        };
        if bracket == Bracket::Selection {
            self.path.truncate(self.field);
        } else {
            self.begin_element();
        }
        self.frames.push(Frame { bracket, base: self.path.len(), elements: 0 });
        Ok(())
    }

    fn close(&mut self, byte: u8, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.end_word(out)?;
        let Some(frame) = self.frames.pop() else {
            out.error("nothing is open that could be closed");
            return Ok(());
        };
        let fits = match frame.bracket {
            Bracket::Selection | Bracket::Object => b'}',
            Bracket::Arguments => b')',
            Bracket::List => b']',
        };
        if byte != fits {
            out.error("a bracket closes what another has opened");
        }
        self.path.truncate(frame.base);
        if frame.bracket == Bracket::Selection {
            self.field = frame.base;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, Report) {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 20), Report::default(), Meter::unlimited());
        let mut document = Document::new(&ParseLimits::default());
        assert!(document.feed(text.as_bytes(), 0, &mut fields, &mut report, &mut meter).unwrap());
        document.finish(text.len(), &mut fields, &mut report, &mut meter).unwrap();
        let text = |span| String::from_utf8_lossy(fields.bytes(span)).into_owned();
        (fields.items().iter().map(|field| (text(field.name), text(field.value))).collect(), report)
    }

    #[test]
    fn every_choice_of_the_client_is_an_argument() {
        for (document, expected) in [
            ("{ user }", &[("graphql.user", "")][..]),
            ("{me: user{name}}", &[("graphql.user", "me"), ("graphql.user.name", "")]),
            (
                "query Q($v: String! = \"d\") @a(b: 1) { user(id: $v, on: true) }",
                &[
                    ("graphql", "query"),
                    ("graphql", "Q"),
                    ("graphql.$v", "String"),
                    ("graphql.$v", "d"),
                    ("graphql.@a", ""),
                    ("graphql.@a.b", "1"),
                    ("graphql.user", ""),
                    ("graphql.user.id", "$v"),
                    ("graphql.user.on", "true"),
                ],
            ),
            (
                "{a(f:{in:[1,-2.5e+1,\"x\"],y:{z:NO}}) b}",
                &[
                    ("graphql.a", ""),
                    ("graphql.a.f.in.0", "1"),
                    ("graphql.a.f.in.1", "-2.5e+1"),
                    ("graphql.a.f.in.2", "x"),
                    ("graphql.a.f.y.z", "NO"),
                    ("graphql.b", ""),
                ],
            ),
            (
                "{a @skip(if:true) @x {...F b ... on T {c}} d}",
                &[
                    ("graphql.a", ""),
                    ("graphql.a.@skip", ""),
                    ("graphql.a.@skip.if", "true"),
                    ("graphql.a.@x", ""),
                    ("graphql.a", "F"),
                    ("graphql.a.b", ""),
                    ("graphql.a", "on"),
                    ("graphql.a", "T"),
                    ("graphql.a.c", ""),
                    ("graphql.d", ""),
                ],
            ),
            (
                r#"{a(x:"\u003cscript\u{3e}\n\"",y:"""b"c\""" d""",z:"")}# end"#,
                &[
                    ("graphql.a", ""),
                    ("graphql.a.x", "<script>\n\""),
                    ("graphql.a.y", "b\"c\"\"\" d"),
                    ("graphql.a.z", ""),
                ],
            ),
            (
                "fragment F on T{a}",
                &[("graphql", "fragment"), ("graphql", "F"), ("graphql", "on"), ("graphql", "T"), ("graphql.a", "")],
            ),
            ("", &[]),
        ] {
            let (fields, report) = read(document);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(fields, expected, "{document}");
            assert!(!report.error, "{document}: {}", report.error_message);
        }
    }

    #[test]
    fn what_is_no_document_is_an_error_and_read_all_the_same() {
        for (document, value, message) in [
            ("{a(x:\"<b", "<b", "a string is not closed"),
            ("{a(x:\"<b\n\")}", "<b\n", "a control character"),
            ("{a(x:\"\\q<b\")}", "\\q<b", "an unknown escape"),
            ("{a(x:\"\\uD800<b\")}", "\\uD800<b", "a lone surrogate"),
            ("{a(x:<b)}", "<b", "no token begins with this byte"),
            ("{a(x:1]}", "1", "a bracket closes what another has opened"),
            ("{a(x:1)", "1", "the document is not complete"),
            ("a}", "a", "nothing is open"),
            ("{a ..b}", "b", "a point stands alone"),
        ] {
            let (fields, report) = read(document);
            assert!(fields.iter().any(|field| field.1 == value), "{document}: {fields:?}");
            assert!(report.error_message.contains(message), "{document}: {}", report.error_message);
        }
    }
}
