//! JSON bodies (RFC 8259): every leaf becomes an argument named by its path, `json.user.roles.0`.
//!
//! The reader is stricter in judgement than in reading: whatever RFC 8259 does not allow (a missing or doubled comma, bare words,
//! a second document, control characters in strings, invalid UTF-8, lone surrogates) is an error of the report, and reading goes
//! on with the most likely meaning, so that no byte of a broken document escapes inspection. A duplicate key gives both values.
//! Numbers keep their text, `true` and `false` are text, `null` is empty. An empty object or array is an empty value, so that its
//! key is inspected; a member that is an array gives one more argument, its name without index and the number of elements, as
//! in Coraza.
//!
//! The names repeat the path at each leaf, which is quadratic in a hostile document. [`Leaves`] bounds them: beyond its budget the
//! reading ends with an error.
//!
//! A sequence of documents (NDJSON; RFC 7464) is read like an array of them without brackets: `json.0.name`, `json.1.name`.

mod path;
mod text;

use super::out::{LEAF_PER_BYTE, LEAF_PER_CALL, Leaves, NAMES_CONSTANT, Out};
use super::{Bytes, Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
use path::{Container, Path};
use text::Quoted;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 3;
/// Fuel for one object or array.
const PER_CONTAINER: u64 = 8;
/// Fuel for one escape in a string.
const PER_ESCAPE: u64 = 6;
/// A leaf takes a byte or more, its name's copy is rounded up by less than one fuel; the bytes that open containers and those of
/// escapes are others, and cost less.
pub(super) const PRICE: Price = Price::per_byte(LEAF_PER_CALL, PER_BYTE + LEAF_PER_BYTE);

/// What begins a document of a sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1E;

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
    leaves: Leaves,
    kind: Kind,
    name: Bytes,
    value: Bytes,
    /// Containers that are open before and after a document: one for a sequence of them.
    floor: usize,
    /// A line feed or record separator stands between the document before and what comes.
    separated: bool,
    depth_limit: usize,
}

impl Json {
    /// A reader of one document.
    pub(super) fn new(limits: &ParseLimits) -> Self {
        Json::named(b"json", Kind::ArgPost, NAMES_CONSTANT, limits)
    }

    /// A reader of one document inside the value of an argument: its leaves are of that kind, and their names begin with `root`.
    pub(super) fn nested(root: &[u8], kind: Kind, limits: &ParseLimits) -> Self {
        // The name of the argument has paid for itself, but not for many leaves.
        Json::named(root, kind, 64 + 4 * root.len(), limits)
    }

    /// A reader of documents, one after the other.
    pub(super) fn sequence(limits: &ParseLimits) -> Self {
        let mut json = Json::new(limits);
        json.path.enter(Container::Array);
        (json.floor, json.depth_limit) = (1, limits.json_depth.saturating_add(1));
        json
    }

    fn named(root: &[u8], kind: Kind, constant: usize, limits: &ParseLimits) -> Self {
        Json {
            state: State::Value,
            path: Path::new(root),
            leaves: Leaves::new(limits.arguments, constant),
            kind,
            name: Bytes::default(),
            value: Bytes::default(),
            floor: 0,
            separated: true,
            depth_limit: limits.json_depth,
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
        let mut out = Out::new("JSON", offset, fields, report, meter);
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
                _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => {
                    self.separated |= byte == b'\n';
                    after
                }
                _ if byte == RECORD_SEPARATOR && self.floor > 0 => {
                    self.begin_record(&mut out)?;
                    after
                }
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
        let mut out = Out::new("JSON", len, fields, report, meter);
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
        self.end_document(&mut out)?;
        fields.hold(0)
    }

    /// Ends what a document leaves open.
    fn end_document(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        match self.state {
            State::Colon => self.empty_leaf(out)?,
            State::Value if self.path.innermost() == Some(Container::Object) => self.empty_leaf(out)?,
            _ => {}
        }
        if self.path.depth() > self.floor {
            out.error("the document is not complete");
        }
        Ok(())
    }

    /// A record separator (RFC 7464): whatever is open ends here.
    fn begin_record(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.end_document(out)?;
        while self.path.depth() > self.floor {
            self.path.leave();
        }
        (self.state, self.separated) = (State::Value, true);
        Ok(())
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
            (State::After, _)
                if self.floor > 0 && self.path.depth() == self.floor && !matches!(byte, b',' | b']' | b'}') =>
            {
                if !std::mem::take(&mut self.separated) {
                    out.error("no line feed stands between two documents");
                }
                self.state = State::Value;
                return Ok(false);
            }
            (State::After, b',') => {
                if self.path.depth() == self.floor {
                    out.error("a comma follows the document");
                }
                self.state = self.next_member();
            }
            (State::After, _) => {
                out.error(if self.path.depth() == self.floor {
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
        self.leaf_ended();
        let expected = if byte == b']' { Container::Array } else { Container::Object };
        let left = if self.path.depth() > self.floor { self.path.leave() } else { None };
        match left {
            None => out.error("nothing is open that could be closed"),
            Some(left) => {
                if left.container != expected {
                    out.error("an object is closed as an array or the other way round");
                }
                if left.empty && self.path.depth() > 0 {
                    self.push_leaf(Bytes::default(), out)?;
                } else if left.container == Container::Array && self.path.innermost() == Some(Container::Object) {
                    // Rules look for keys at the end of names, where an index would hide that of an array.
                    let count = out.fields.store_with(|arena| path::write_number(left.elements, arena))?;
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
                out.fields.push_stored(self.kind, self.name, self.value);
                self.leaf_ended();
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
            out.fields.push_stored(self.kind, self.name, value);
        }
        Ok(())
    }

    /// After a value.
    fn leaf_ended(&mut self) {
        self.state = State::After;
        self.separated = false;
    }

    /// Stores the path as the name of a leaf, if the limits allow one more.
    fn store_name(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if let Some(name) = self.leaves.name(self.path.text(), out)? {
            self.name = name;
        }
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
