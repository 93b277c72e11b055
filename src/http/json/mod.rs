//! JSON bodies (RFC 8259): every leaf becomes an argument named by its path, `json.user.roles.0`.
//!
//! The reader is stricter in judgement than in reading: whatever RFC 8259 does not allow (a missing or doubled comma, bare words,
//! a second document, control characters in strings, invalid UTF-8, lone surrogates) is an error of the report, and reading goes
//! on with the most likely meaning, so that no byte of a broken document escapes inspection. A duplicate key gives both values.
//! Numbers keep their text, `true` and `false` are text, `null` is empty. An empty object or array is an empty value, so that its
//! key is inspected; a member that is an array gives one more argument, its name without index and the number of elements, as
//! in Coraza.
//!
//! The names repeat the path at each leaf, which is quadratic in a hostile document. [`names_budget`] bounds them: beyond it the
//! reading ends with an error.

mod path;
mod text;

use super::{Bytes, Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
use path::{Container, Path};
use text::Quoted;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 2;
/// Fuel for one leaf; copying its name costs one fuel for each [`NAME_BYTES_PER_FUEL`] bytes more.
const PER_LEAF: u64 = 12;
const NAME_BYTES_PER_FUEL: usize = 4;
/// Fuel for one object or array.
const PER_CONTAINER: u64 = 8;
/// Fuel for one escape in a string.
const PER_ESCAPE: u64 = 6;
/// Names may have this many bytes for each byte read. Arrays of small numbers below a path of 30 bytes are what needs the most.
const NAMES_PER_BYTE: usize = 16;
/// Names may have this many bytes whatever the length of the body.
const NAMES_CONSTANT: usize = 64 << 10;

/// A leaf takes a byte or more, its name's copy is rounded up by less than one fuel; the bytes that open containers and those of
/// escapes are others, and cost less.
pub(super) const PRICE: Price = Price::per_byte(
    PER_LEAF + 1 + (NAMES_CONSTANT / NAME_BYTES_PER_FUEL) as u64,
    PER_BYTE + PER_LEAF + 1 + (NAMES_PER_BYTE / NAME_BYTES_PER_FUEL) as u64,
);

/// How many bytes the names of all leaves may have once `read` bytes of the body are read.
const fn names_budget(read: usize) -> usize {
    read.saturating_mul(NAMES_PER_BYTE).saturating_add(NAMES_CONSTANT)
}

/// Whether the string or word that is read is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

/// What comes next.
#[derive(Debug)]
enum State {
    /// A value.
    Value,
    /// A value, or the end of the array just begun.
    FirstElement,
    /// A key, or the end of the object just begun.
    FirstKey,
    /// A key.
    Key,
    /// The colon after a key.
    Colon,
    /// A comma or the end of a container; at the top the end of the body.
    After,
    /// The rest of a string.
    Quoted(Role, Quoted),
    /// The rest of a number, literal or other bare word.
    Word(Role),
}

/// The machine.
#[derive(Debug)]
pub(super) struct Json {
    state: State,
    path: Path,
    names: usize,
    name: Bytes,
    value: Bytes,
    depth_limit: usize,
    argument_limit: usize,
}

/// What a step writes to.
struct Out<'a> {
    fields: &'a mut Fields,
    report: &'a mut Report,
    meter: &'a mut Meter,
    /// Offset of the byte being read.
    at: usize,
    /// A limit was reached: the reading ends.
    stop: bool,
}

impl Out<'_> {
    fn error(&mut self, what: &str) {
        self.report.fail_at(format_args!("JSON parsing error: {what}"), self.at);
    }
}

impl Json {
    pub(super) fn new(limits: &ParseLimits) -> Self {
        Json {
            state: State::Value,
            path: Path::new(),
            names: 0,
            name: Bytes::default(),
            value: Bytes::default(),
            depth_limit: limits.json_depth,
            argument_limit: limits.arguments,
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
        let mut out = Out { fields, report, meter, at: offset, stop: false };
        let mut rest = block;
        if offset == 0 {
            rest = without_byte_order_mark(rest, &mut out);
        }
        while let Some((&byte, after)) = rest.split_first() {
            out.at = offset + block.len() - rest.len();
            rest = match &mut self.state {
                State::Quoted(role, quoted) => {
                    let role = *role;
                    let mut sink = text::sink(role == Role::Key, &mut self.path, &mut self.value);
                    let (next, ended) = quoted.read(rest, &mut sink, &mut out)?;
                    if ended {
                        self.end_text(role, &mut out);
                    }
                    next
                }
                State::Word(role) => {
                    let role = *role;
                    let mut sink = text::sink(role == Role::Key, &mut self.path, &mut self.value);
                    let next = text::read_word(rest, &mut sink, &mut out)?;
                    if !next.is_empty() {
                        self.end_word(role, &mut out);
                    }
                    next
                }
                _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => after,
                _ => {
                    if self.structural(byte, &mut out)? {
                        after
                    } else {
                        rest
                    }
                }
            };
            if out.stop {
                return Ok(false);
            }
        }
        fields.hold(self.path.memory())?;
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
        let mut out = Out { fields, report, meter, at: len, stop: false };
        match &mut self.state {
            State::Quoted(role, quoted) => {
                let role = *role;
                let mut sink = text::sink(role == Role::Key, &mut self.path, &mut self.value);
                quoted.finish(&mut sink, &mut out)?;
                out.error("a string is not closed");
                self.end_text(role, &mut out);
            }
            State::Word(role) => {
                let role = *role;
                self.end_word(role, &mut out);
            }
            _ => {}
        }
        match self.state {
            State::Colon => self.empty_leaf(&mut out)?,
            State::Value if self.path.innermost() == Some(Container::Object) => self.empty_leaf(&mut out)?,
            _ => {}
        }
        if self.path.depth() > 0 {
            out.error("the document is not complete");
        }
        fields.hold(0)
    }

    /// Reads a byte outside of strings and words; answers whether it is used up. If not, the state has changed.
    fn structural(&mut self, byte: u8, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match (&self.state, byte) {
            (State::FirstElement, b']') | (State::FirstKey, b'}') => self.close(byte, out)?,
            (State::Value | State::FirstElement, _) => return self.value(byte, out),
            (State::FirstKey | State::Key, _) => return self.key(byte, out),
            (State::Colon, b':') => self.state = State::Value,
            (State::Colon, b',' | b'}' | b']') => {
                out.error("a key has no value");
                self.empty_leaf(out)?;
                self.state = State::After;
                return Ok(false);
            }
            (State::Colon, _) => {
                out.error("a colon is missing");
                self.state = State::Value;
                return Ok(false);
            }
            (State::After, b'}' | b']') => self.close(byte, out)?,
            (State::After, b',') => {
                if self.path.depth() == 0 {
                    out.error("a comma follows the document");
                }
                self.state = self.next_member();
            }
            (State::After, _) => {
                out.error(if self.path.depth() == 0 {
                    "the body goes on after the document"
                } else {
                    "a comma is missing"
                });
                self.state = self.next_member();
                return Ok(false);
            }
            (State::Quoted(..) | State::Word(_), _) => {}
        }
        Ok(true)
    }

    /// Reads the first byte of a value.
    fn value(&mut self, byte: u8, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match byte {
            b'{' => self.open(Container::Object, out)?,
            b'[' => self.open(Container::Array, out)?,
            b'"' => {
                self.begin_leaf(out)?;
                self.state = State::Quoted(Role::Value, Quoted::default());
            }
            b']' | b'}' | b',' => {
                out.error("a value is missing");
                if self.path.innermost() == Some(Container::Object) {
                    self.empty_leaf(out)?;
                }
                self.state = State::After;
                return Ok(false);
            }
            b':' => out.error("a value is missing"),
            _ => {
                self.begin_leaf(out)?;
                self.state = State::Word(Role::Value);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the first byte of a key.
    fn key(&mut self, byte: u8, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match byte {
            b'"' => {
                self.path.begin_key();
                self.state = State::Quoted(Role::Key, Quoted::default());
                return Ok(true);
            }
            b',' => out.error("a member is missing"),
            b'}' | b']' => {
                out.error("a member is missing");
                self.state = State::After;
                return Ok(false);
            }
            b':' => {
                out.error("a key is missing");
                self.path.begin_key();
                self.state = State::Value;
            }
            b'{' | b'[' => {
                out.error("a key is missing");
                self.path.begin_key();
                self.state = State::Value;
                return Ok(false);
            }
            _ => {
                out.error("a key is not a string");
                self.path.begin_key();
                self.state = State::Word(Role::Key);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn open(&mut self, container: Container, out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.meter.charge(PER_CONTAINER)?;
        if self.path.depth() >= self.depth_limit {
            out.report.json_depth_exceeded = true;
            out.error("the document nests too deeply");
            out.stop = true;
            return Ok(());
        }
        self.path.begin_element();
        self.path.enter(container);
        self.state = if container == Container::Array { State::FirstElement } else { State::FirstKey };
        Ok(())
    }

    /// Ends the innermost container, whichever of `]` and `}` the byte is.
    fn close(&mut self, byte: u8, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.state = State::After;
        let expected = if byte == b']' { Container::Array } else { Container::Object };
        match self.path.leave() {
            None => out.error("nothing is open that could be closed"),
            Some(left) => {
                if left.container != expected {
                    out.error("an object is closed as an array or the other way round");
                }
                if left.empty && self.path.depth() > 0 {
                    self.push_leaf(Bytes::default(), out)?;
                } else if left.container == Container::Array && self.path.innermost() == Some(Container::Object) {
                    // Rules look for keys at the end of names, where an index would hide that of an array.
                    let count = out.fields.store(left.elements.to_string().as_bytes())?;
                    self.push_leaf(count, out)?;
                }
            }
        }
        Ok(())
    }

    /// Ends a string.
    fn end_text(&mut self, role: Role, out: &mut Out<'_>) {
        match role {
            Role::Key => self.state = State::Colon,
            Role::Value => {
                out.fields.push_stored(Kind::ArgPost, self.name, self.value);
                self.state = State::After;
            }
        }
    }

    /// Ends a bare word and judges it.
    fn end_word(&mut self, role: Role, out: &mut Out<'_>) {
        if role == Role::Value {
            match out.fields.bytes(self.value) {
                b"null" => self.value = Bytes::default(),
                b"true" | b"false" => {}
                word if text::is_number(word) => {}
                _ => out.error("a bare word is no value"),
            }
        }
        self.end_text(role, out);
    }

    /// What comes after a comma.
    fn next_member(&self) -> State {
        if self.path.innermost() == Some(Container::Object) { State::Key } else { State::Value }
    }

    /// Names the leaf that begins.
    fn begin_leaf(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.path.begin_element();
        self.value = Bytes::default();
        self.store_name(out)
    }

    /// A leaf with an empty value, where a value is missing.
    fn empty_leaf(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.path.begin_element();
        self.push_leaf(Bytes::default(), out)
    }

    fn push_leaf(&mut self, value: Bytes, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.store_name(out)?;
        if !out.stop {
            out.fields.push_stored(Kind::ArgPost, self.name, value);
        }
        Ok(())
    }

    /// Stores the path as the name of a leaf, if the limits allow one more.
    fn store_name(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let path = self.path.text();
        if out.fields.arguments() >= self.argument_limit {
            out.report.too_many_arguments(self.argument_limit, out.at);
            out.stop = true;
            return Ok(());
        }
        self.names = self.names.saturating_add(path.len());
        if self.names > names_budget(out.at) {
            out.report.json_names_exceeded = true;
            out.error("the names of the values repeat too long a path");
            out.stop = true;
            return Ok(());
        }
        out.meter.charge(PER_LEAF + path.len().div_ceil(NAME_BYTES_PER_FUEL) as u64)?;
        self.name = out.fields.store(path)?;
        Ok(())
    }
}

/// Skips a byte order mark, which RFC 8259 (section 8.1) forbids, and tells of an encoding other than UTF-8.
fn without_byte_order_mark<'a>(start: &'a [u8], out: &mut Out<'_>) -> &'a [u8] {
    match start {
        [0xEF, 0xBB, 0xBF, rest @ ..] => {
            out.error("the body begins with a byte order mark");
            rest
        }
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, _, ..] | [_, 0, ..] => {
            out.error("the body is not UTF-8 but UTF-16 or UTF-32");
            start
        }
        _ => start,
    }
}
