//! HTML as browsers, old ones too, read it: bytes to tags, attributes and comments.
//!
//! The states are those of the tokenizer in the HTML standard, section "Tokenization", with liberties: NUL counts as white
//! space or is skipped (Internet Explorer), `` ` `` quotes a value, `<% %>` is a comment.

use super::{BLOCK_FUEL, TOKEN_FUEL};
use crate::byteset::ByteSet;
use crate::detect::input::Input;
use crate::meter::{Exhausted, Meter};

const WHITE: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r\0");
/// Bytes of a tag's name, NUL among them.
const TAG_NAME: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r/>").complement();
const ATTRIBUTE_NAME: ByteSet = WHITE.union(ByteSet::of(b"/=>")).complement();
const UNQUOTED: ByteSet = WHITE.with(b'>').complement();

/// Where in a page the input is taken to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// In text.
    Text,
    /// In a tag, after an unquoted value.
    Tag,
    /// In a value quoted by this byte: `'`, `"` or `` ` ``.
    Value(u8),
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Doctype,
    TagOpen,
    TagEnd,
    CloseTag,
    AttributeName,
    AttributeValue,
    Comment,
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'i> {
    pub(super) kind: Kind,
    pub(super) text: &'i [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    TagEnd,
    BeforeAttributeName,
    AttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    QuotedValue(u8),
    UnquotedValue,
    AfterQuotedValue,
    SelfClosing,
    MarkupDeclaration,
    Doctype,
    Comment,
    BogusComment,
    PercentComment,
    Cdata,
    End,
}

/// What a state does: another state takes over at the same place, or a token is there.
enum Step<'i> {
    Goto(State),
    Token(Token<'i>),
}

/// The tokens of one reading of the input.
pub(super) struct Tokenizer<'i, 'm> {
    input: Input<'i, 'm>,
    pos: usize,
    state: State,
    is_close: bool,
}

impl<'i, 'm> Tokenizer<'i, 'm> {
    /// A tokenizer at the start of `bytes`.
    pub(super) fn new(bytes: &'i [u8], context: Context, meter: &'m mut Meter) -> Self {
        let state = match context {
            Context::Text => State::Data,
            Context::Tag => State::BeforeAttributeName,
            Context::Value(quote) => State::QuotedValue(quote),
        };
        Tokenizer { input: Input::new(bytes, BLOCK_FUEL, meter), pos: 0, state, is_close: false }
    }

    /// The next token, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'i>>, Exhausted> {
        self.input.charge(TOKEN_FUEL)?;
        while self.state != State::End {
            match self.step()? {
                Step::Goto(state) => self.state = state,
                Step::Token(token) => return Ok(Some(token)),
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Step<'i>, Exhausted> {
        Ok(match self.state {
            State::Data => return self.data(),
            State::TagOpen => self.tag_open(),
            State::EndTagOpen => self.end_tag_open(),
            State::TagName => return self.tag_name(),
            State::TagEnd => self.tag_end(),
            State::BeforeAttributeName => return self.before_attribute_name(),
            State::AttributeName => return self.attribute_name(),
            State::AfterAttributeName => return self.after_attribute_name(),
            State::BeforeAttributeValue => return self.before_attribute_value(),
            State::QuotedValue(quote) => return self.quoted_value(quote),
            State::UnquotedValue => return self.unquoted_value(),
            State::AfterQuotedValue => self.after_quoted_value(),
            State::SelfClosing => self.self_closing(),
            State::MarkupDeclaration => self.markup_declaration(),
            State::Doctype => return self.up_to(b">", Kind::Doctype),
            State::Comment => return self.comment(),
            State::BogusComment => return self.up_to(b">", Kind::Comment),
            State::PercentComment => return self.up_to(b"%>", Kind::Comment),
            State::Cdata => return self.up_to(b"]]>", Kind::Text),
            State::End => Step::Goto(State::End),
        })
    }

    fn here(&self) -> Option<u8> {
        self.input.at(self.pos)
    }

    /// The next byte that is not white space.
    fn skip_white(&mut self) -> Result<Option<u8>, Exhausted> {
        self.pos = self.input.run_end(&WHITE, self.pos)?;
        Ok(self.here())
    }

    /// A token up to `end`; the next state starts at `next`.
    fn token(&mut self, kind: Kind, end: usize, next: usize, state: State) -> Step<'i> {
        let text = self.input.slice(self.pos, end);
        self.pos = next;
        self.state = state;
        Step::Token(Token { kind, text })
    }

    /// All that is left as the last token.
    fn rest(&mut self, kind: Kind) -> Step<'i> {
        let end = self.input.len();
        self.token(kind, end, end, State::End)
    }

    fn data(&mut self) -> Result<Step<'i>, Exhausted> {
        Ok(match self.input.find(b'<', self.pos)? {
            None if self.pos >= self.input.len() => Step::Goto(State::End),
            None => self.rest(Kind::Text),
            Some(at) if at == self.pos => {
                self.pos += 1;
                Step::Goto(State::TagOpen)
            }
            Some(at) => self.token(Kind::Text, at, at + 1, State::TagOpen),
        })
    }

    fn tag_open(&mut self) -> Step<'i> {
        let state = match self.here() {
            None => State::End,
            Some(b'!') => State::MarkupDeclaration,
            Some(b'/') => {
                self.is_close = true;
                State::EndTagOpen
            }
            Some(b'?') => State::BogusComment,
            Some(b'%') => State::PercentComment,
            Some(b'a'..=b'z' | b'A'..=b'Z' | 0) => return Step::Goto(State::TagName),
            // The `<` was text.
            Some(_) => return Step::Goto(State::Data),
        };
        self.pos += 1;
        Step::Goto(state)
    }

    fn end_tag_open(&mut self) -> Step<'i> {
        Step::Goto(match self.here() {
            None => State::End,
            Some(b'>') => State::Data,
            Some(b'a'..=b'z' | b'A'..=b'Z') => State::TagName,
            Some(_) => {
                self.is_close = false;
                State::BogusComment
            }
        })
    }

    fn tag_name(&mut self) -> Result<Step<'i>, Exhausted> {
        let end = self.input.run_end(&TAG_NAME, self.pos)?;
        Ok(match self.input.at(end) {
            None => self.rest(Kind::TagOpen),
            Some(b'/') => self.token(Kind::TagOpen, end, end + 1, State::SelfClosing),
            Some(b'>') if self.is_close => {
                self.is_close = false;
                self.token(Kind::CloseTag, end, end + 1, State::Data)
            }
            Some(b'>') => self.token(Kind::TagOpen, end, end, State::TagEnd),
            Some(_) => self.token(Kind::TagOpen, end, end + 1, State::BeforeAttributeName),
        })
    }

    fn tag_end(&mut self) -> Step<'i> {
        self.is_close = false;
        let end = self.pos + 1;
        self.token(Kind::TagEnd, end, end, State::Data)
    }

    fn before_attribute_name(&mut self) -> Result<Step<'i>, Exhausted> {
        Ok(match self.skip_white()? {
            None => Step::Goto(State::End),
            Some(b'/') => {
                self.pos += 1;
                Step::Goto(State::SelfClosing)
            }
            Some(b'>') => self.token(Kind::TagEnd, self.pos + 1, self.pos + 1, State::Data),
            Some(_) => Step::Goto(State::AttributeName),
        })
    }

    fn attribute_name(&mut self) -> Result<Step<'i>, Exhausted> {
        // The first byte belongs to the name whatever it is.
        let end = self.input.run_end(&ATTRIBUTE_NAME, self.pos + 1)?;
        Ok(match self.input.at(end) {
            None => self.rest(Kind::AttributeName),
            Some(b'/') => self.token(Kind::AttributeName, end, end + 1, State::SelfClosing),
            Some(b'=') => self.token(Kind::AttributeName, end, end + 1, State::BeforeAttributeValue),
            Some(b'>') => self.token(Kind::AttributeName, end, end, State::TagEnd),
            Some(_) => self.token(Kind::AttributeName, end, end + 1, State::AfterAttributeName),
        })
    }

    fn after_attribute_name(&mut self) -> Result<Step<'i>, Exhausted> {
        let state = match self.skip_white()? {
            None => State::End,
            Some(b'/') => State::SelfClosing,
            Some(b'=') => State::BeforeAttributeValue,
            Some(b'>') => return Ok(Step::Goto(State::TagEnd)),
            Some(_) => return Ok(Step::Goto(State::AttributeName)),
        };
        self.pos += 1;
        Ok(Step::Goto(state))
    }

    fn before_attribute_value(&mut self) -> Result<Step<'i>, Exhausted> {
        Ok(Step::Goto(match self.skip_white()? {
            None => State::End,
            Some(quote @ (b'"' | b'\'' | b'`')) => State::QuotedValue(quote),
            Some(_) => State::UnquotedValue,
        }))
    }

    fn quoted_value(&mut self, quote: u8) -> Result<Step<'i>, Exhausted> {
        // At the start of the input the quote stands before it.
        if self.pos > 0 {
            self.pos += 1;
        }
        Ok(match self.input.find(quote, self.pos)? {
            None => self.rest(Kind::AttributeValue),
            Some(end) => self.token(Kind::AttributeValue, end, end + 1, State::AfterQuotedValue),
        })
    }

    fn unquoted_value(&mut self) -> Result<Step<'i>, Exhausted> {
        let end = self.input.run_end(&UNQUOTED, self.pos)?;
        Ok(match self.input.at(end) {
            None => self.rest(Kind::AttributeValue),
            Some(b'>') => self.token(Kind::AttributeValue, end, end, State::TagEnd),
            Some(_) => self.token(Kind::AttributeValue, end, end + 1, State::BeforeAttributeName),
        })
    }

    fn after_quoted_value(&mut self) -> Step<'i> {
        match self.here() {
            None => Step::Goto(State::End),
            Some(b'/') => {
                self.pos += 1;
                Step::Goto(State::SelfClosing)
            }
            Some(_) => Step::Goto(State::BeforeAttributeName),
        }
    }

    fn self_closing(&mut self) -> Step<'i> {
        match self.here() {
            None => Step::Goto(State::End),
            Some(b'>') => self.token(Kind::TagEnd, self.pos + 1, self.pos + 1, State::Data),
            Some(_) => Step::Goto(State::BeforeAttributeName),
        }
    }

    fn markup_declaration(&mut self) -> Step<'i> {
        let seven = self.input.slice(self.pos, self.pos + 7);
        let (skip, state) = if seven.eq_ignore_ascii_case(b"DOCTYPE") {
            (0, State::Doctype)
        } else if seven == b"[CDATA[" {
            (7, State::Cdata)
        } else if self.input.slice(self.pos, self.pos + 2) == b"--" {
            (2, State::Comment)
        } else {
            (0, State::BogusComment)
        };
        self.pos += skip;
        Step::Goto(state)
    }

    /// A token that `end` ends, or the end of the input.
    fn up_to(&mut self, end: &[u8], kind: Kind) -> Result<Step<'i>, Exhausted> {
        let Some(&first) = end.first() else { return Ok(self.rest(kind)) };
        let mut from = self.pos;
        while let Some(at) = self.input.find(first, from)? {
            if self.input.slice(at, at + end.len()) == end {
                return Ok(self.token(kind, at, at + end.len(), State::Data));
            }
            from = at + 1;
        }
        Ok(self.rest(kind))
    }

    /// A comment, ended by `-->` or `-!>`, with any number of NUL after the first dash.
    fn comment(&mut self) -> Result<Step<'i>, Exhausted> {
        let mut from = self.pos;
        while let Some(at) = self.input.find(b'-', from)? {
            from = at + 1;
            let after = self.input.run_end(&ByteSet::of(b"\0"), from)?;
            if let (Some(b'-' | b'!'), Some(b'>')) = (self.input.at(after), self.input.at(after + 1)) {
                return Ok(self.token(Kind::Comment, at, after + 2, State::Data));
            }
        }
        Ok(self.rest(Kind::Comment))
    }
}
