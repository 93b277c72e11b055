//! The machine that reads one message.

use super::descriptor::{Described, Shape, TypeId};
use super::text::Text;
use super::wire::{Varint, varint};
use super::{COPIES_PER_BYTE, COPY_PER_FUEL, PER_FIELD};
use crate::http::fields::Mark;
use crate::http::out::{Full, Leaves, Out};
use crate::http::{Kind, ParseLimits};
use crate::meter::Exhausted;

/// Bytes of names that each argument may have for nothing where names come from descriptors.
const NAMES_PER_LEAF: usize = 64;

/// A field that may be a message.
#[derive(Debug)]
struct Frame {
    /// Where its bytes begin and end in the body.
    start: usize,
    end: usize,
    /// Groups that are open in it; a group ends with its message.
    groups: Vec<Group>,
    /// The type that it is described by, and whether each of its fields so far is one of that type.
    described: Option<TypeId>,
    fits: bool,
    /// It lies in a field that may be no message either.
    inside: bool,
    /// Length of the path of what it is in, and of its own.
    base: usize,
    name: usize,
    /// Messages and groups that it is in, itself counted.
    depth: usize,
    /// What was there before it was entered.
    before: Mark,
    /// A limit was reached in it: unless it is text, that is an error.
    limit: Option<Limit>,
}

/// An open group.
#[derive(Debug)]
struct Group {
    number: u32,
    /// Length of the path of what it is in.
    base: usize,
    described: Option<TypeId>,
}

/// Why reading cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Leaves(Full),
    Depth,
    Copies,
}

/// What is read next.
#[derive(Debug, Clone, Copy)]
enum State {
    /// The tag of a field.
    Tag,
    /// The value of the field with this number and wire type.
    Value(u32, Wire),
    /// Bytes of a field that is no message: up to here.
    Skip(usize),
    /// All that is left is no message.
    Junk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint,
    Fixed(usize),
    Bytes,
}

/// The machine: reads one message.
#[derive(Debug)]
pub(in crate::http) struct Message {
    state: State,
    path: Vec<u8>,
    frames: Vec<Frame>,
    /// How much is read.
    at: usize,
    /// Bytes given out beside the numbers.
    copies: usize,
    constant: usize,
    text: Text,
    leaves: Leaves,
    depth_limit: usize,
    described: Option<Described>,
}

/// What came of reading a token.
enum Read {
    On,
    NeedInput,
    Bad,
}

impl Message {
    /// A reader of a message whose leaves' names begin with `root`; `constant` bytes of names and of copies are free.
    pub(in crate::http) fn new(
        root: &[u8],
        constant: usize,
        limits: &ParseLimits,
        described: Option<&Described>,
    ) -> Self {
        // Names that the body does not pay for are those of the descriptors.
        let names = described.map_or(0, |_| limits.arguments.saturating_mul(NAMES_PER_LEAF));
        let whole = Frame {
            start: 0,
            end: usize::MAX,
            groups: Vec::new(),
            described: described.map(Described::message),
            fits: true,
            inside: false,
            base: root.len(),
            name: root.len(),
            depth: 1,
            before: Mark::default(),
            limit: None,
        };
        Message {
            state: State::Tag,
            path: root.to_vec(),
            frames: vec![whole],
            at: 0,
            copies: 0,
            constant,
            text: Text::default(),
            leaves: Leaves::new(limits.arguments, constant.saturating_add(names)),
            depth_limit: limits.protobuf_depth,
            described: described.cloned(),
        }
    }

    /// Reads on in `seen`, the message so far, all of it if `last`. A limit sets `out.stop`.
    pub(in crate::http) fn read(&mut self, seen: &[u8], last: bool, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if last && let Some(whole) = self.frames.first_mut() {
            whole.end = seen.len();
        }
        while !out.stop {
            out.at = self.at;
            let Some(frame) = self.frames.last() else { return Ok(()) };
            match self.state {
                State::Skip(end) => {
                    let to = end.min(seen.len());
                    self.advance(to, seen);
                    if to < end && !last {
                        return Ok(());
                    }
                    self.state = State::Tag;
                    self.leave(false, seen, out)?;
                }
                State::Junk if last => {
                    let (start, end) = (self.at, seen.len());
                    self.at = end;
                    self.frames.clear();
                    self.bytes(start, end, seen, out)?;
                }
                State::Junk => return Ok(()),
                State::Tag if self.at >= frame.end => {
                    let complete = frame.groups.is_empty();
                    if self.frames.len() == 1 {
                        if !complete {
                            out.error("a group is not closed");
                        }
                        return Ok(());
                    }
                    if complete { self.leave(true, seen, out)? } else { self.give_up(out) }
                }
                State::Tag | State::Value(..) => {
                    // What a field says about its length must fit into what it is in.
                    let rest = seen.get(self.at..frame.end.min(seen.len())).unwrap_or_default();
                    let partial = if frame.end <= seen.len() { Read::Bad } else { Read::NeedInput };
                    match self.token(rest, partial, seen, out)? {
                        Read::On => {}
                        Read::NeedInput if !last => return Ok(()),
                        Read::NeedInput | Read::Bad => self.give_up(out),
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a tag or a value at the beginning of `rest`; answers `partial` if it is not all there.
    fn token(&mut self, rest: &[u8], partial: Read, seen: &[u8], out: &mut Out<'_>) -> Result<Read, Exhausted> {
        if let State::Value(number, Wire::Fixed(len)) = self.state {
            let Some(bytes) = rest.get(..len) else { return Ok(partial) };
            let value = bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
            self.number(number, value, len, seen, out)?;
            return Ok(Read::On);
        }
        let (value, len) = match varint(rest) {
            Varint::Partial => return Ok(partial),
            Varint::Bad => return Ok(Read::Bad),
            Varint::Is(value, len) => (value, len),
        };
        match self.state {
            State::Value(number, Wire::Varint) => self.number(number, value, len, seen, out)?,
            State::Value(number, _) => return self.enter(number, value, len, seen, out),
            _ => {
                out.meter.charge(PER_FIELD)?;
                let number = u32::try_from(value >> 3).ok().filter(|number| (1..1 << 29).contains(number));
                let Some(number) = number else { return Ok(Read::Bad) };
                self.state = match value & 7 {
                    0 => State::Value(number, Wire::Varint),
                    1 => State::Value(number, Wire::Fixed(8)),
                    2 => State::Value(number, Wire::Bytes),
                    5 => State::Value(number, Wire::Fixed(4)),
                    3 if self.depth() >= self.depth_limit => {
                        self.over(Limit::Depth, out);
                        return Ok(Read::On);
                    }
                    kind @ (3 | 4) if self.group(number, kind == 3) => State::Tag,
                    _ => return Ok(Read::Bad),
                };
                self.advance(self.at + len, seen);
            }
        }
        Ok(Read::On)
    }

    /// Begins or ends a group; answers whether that fits.
    fn group(&mut self, number: u32, begins: bool) -> bool {
        if begins {
            let base = self.path.len();
            let described = match self.push_field(number, None) {
                Some(Shape::Group(described)) => described,
                _ => None,
            };
            if let Some(frame) = self.frames.last_mut() {
                frame.groups.push(Group { number, base, described });
            }
            return true;
        }
        match self.frames.last_mut().and_then(|frame| frame.groups.pop()) {
            Some(group) if group.number == number => {
                self.path.truncate(group.base);
                true
            }
            _ => false,
        }
    }

    /// Makes the path longer by a field: by its name, if it is described and the wire has what it holds; answers that. By its number
    /// otherwise. `wire` is `None` for a group.
    fn push_field(&mut self, number: u32, wire: Option<Wire>) -> Option<Shape> {
        self.path.push(b'.');
        let frame = self.frames.last_mut();
        let of = frame.as_ref().and_then(|frame| match frame.groups.last() {
            Some(group) => group.described,
            None => frame.described,
        });
        let field = self.described.as_ref().zip(of).and_then(|(described, of)| described.field(of, number));
        let fits = field.filter(|(_, shape)| match (shape, wire) {
            (Shape::Varint, Some(Wire::Varint)) | (Shape::Group(_), None) => true,
            (Shape::Fixed(len), Some(Wire::Fixed(own))) => *len == own,
            // Repeated numbers may be packed.
            (Shape::Varint | Shape::Fixed(_), Some(Wire::Bytes)) => true,
            (Shape::String | Shape::Bytes | Shape::Message(_), Some(Wire::Bytes)) => true,
            _ => false,
        });
        match fits {
            Some((name, shape)) => {
                self.path.extend_from_slice(name);
                Some(shape)
            }
            None => {
                if let Some(frame) = frame {
                    frame.fits = false;
                }
                self.path.extend_from_slice(number.to_string().as_bytes());
                None
            }
        }
    }

    /// A number.
    fn number(&mut self, number: u32, value: u64, len: usize, seen: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let base = self.path.len();
        let wire = match self.state {
            State::Value(_, wire) => wire,
            _ => Wire::Varint,
        };
        self.push_field(number, Some(wire));
        if let Some(full) = self.leaves.full(&self.path, out) {
            self.path.truncate(base);
            self.over(Limit::Leaves(full), out);
            return Ok(());
        }
        if let Some(name) = self.leaves.name(&self.path, out)? {
            let value = out.fields.store(value.to_string().as_bytes())?;
            out.fields.push_stored(Kind::ArgPost, name, value);
        }
        self.path.truncate(base);
        self.state = State::Tag;
        self.advance(self.at + len, seen);
        Ok(())
    }

    /// A length-delimited field: reads it as a message first.
    fn enter(&mut self, number: u32, len: u64, head: usize, seen: &[u8], out: &mut Out<'_>) -> Result<Read, Exhausted> {
        let start = self.at + head;
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
        let around = self.frames.last().map_or(0, |frame| frame.end);
        let Some(end) = end.filter(|&end| end <= around) else { return Ok(Read::Bad) };
        if self.depth() >= self.depth_limit {
            self.over(Limit::Depth, out);
            return Ok(Read::On);
        }
        self.advance(start, seen);
        let (base, depth) = (self.path.len(), self.depth() + 1);
        let shape = self.push_field(number, Some(Wire::Bytes));
        let certain = self.described.as_ref().is_some_and(Described::certain);
        let described = match shape {
            Some(Shape::Message(described)) => described,
            _ => None,
        };
        let (name, before) = (self.path.len(), out.fields.mark());
        let inside = self.frames.last().is_some_and(|frame| frame.inside || frame.depth > 1 && !self.certain(frame));
        let groups = Vec::new();
        let (fits, limit) = (true, None);
        self.frames.push(Frame { start, end, groups, described, fits, inside, base, name, depth, before, limit });
        self.state = match shape {
            Some(Shape::String) if certain => State::Skip(end),
            Some(Shape::Message(Some(_))) if certain => State::Tag,
            // An empty field is an empty string; as a message it gives nothing.
            _ if len == 0 => State::Skip(end),
            _ => State::Tag,
        };
        Ok(Read::On)
    }

    /// The innermost field is no message: skips to its end.
    fn give_up(&mut self, out: &mut Out<'_>) {
        if self.frames.len() > 1 {
            self.take_back(self.frames.len() - 1, None, out);
        } else {
            out.error("this is no message");
            let root = self.frames.first().map_or(0, |frame| frame.base);
            self.path.truncate(root);
            self.state = State::Junk;
        }
    }

    /// Goes back to a field as it was entered, and skips to its end.
    fn take_back(&mut self, index: usize, limit: Option<Limit>, out: &mut Out<'_>) {
        self.frames.truncate(index + 1);
        let Some(frame) = self.frames.last_mut() else { return };
        out.fields.rewind(frame.before);
        self.path.truncate(frame.name);
        frame.groups.clear();
        frame.limit = limit;
        self.state = State::Skip(frame.end);
    }

    /// A limit is reached. In a field that is printable so far it may be no message at all.
    fn over(&mut self, limit: Limit, out: &mut Out<'_>) {
        let text = &self.text;
        match self.frames.iter().skip(1).position(|frame| text.is_printable_from(frame.start)) {
            Some(before) => self.take_back(before + 1, Some(limit), out),
            None => fail(limit, &self.leaves, out),
        }
    }

    /// Leaves the innermost field at its end.
    fn leave(&mut self, is_message: bool, seen: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let is_text = self.text.is_utf8(frame.start, seen.get(frame.start).copied());
        if self.at < frame.end {
            out.error("the message breaks off");
        }
        // Bytes that only happen to form a message are shown as they are, too. What is no text is shown by the outermost such field: so
        // each byte once, however deep messages nest.
        if !is_message || !self.certain(&frame) && (is_text || !frame.inside) {
            self.bytes(frame.start, frame.end, seen, out)?;
        }
        if let Some(limit) = frame.limit.filter(|_| !is_text || !self.text.is_printable_from(frame.start)) {
            fail(limit, &self.leaves, out);
        }
        self.path.truncate(frame.base);
        Ok(())
    }

    /// Whether a field, so far, is what its recipient reads as a message, with no field that it would not know.
    fn certain(&self, frame: &Frame) -> bool {
        frame.described.is_some() && frame.fits && self.described.as_ref().is_some_and(Described::certain)
    }

    /// Gives out bytes of the message as they are.
    fn bytes(&mut self, start: usize, end: usize, seen: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.at = self.at;
        let bytes = seen.get(start..end.min(seen.len())).unwrap_or_default();
        self.copies = self.copies.saturating_add(bytes.len());
        if self.copies > self.at.saturating_mul(COPIES_PER_BYTE).saturating_add(self.constant) {
            fail(Limit::Copies, &self.leaves, out);
            return Ok(());
        }
        if let Some(name) = self.leaves.name(&self.path, out)? {
            out.meter.charge((bytes.len() / COPY_PER_FUEL) as u64)?;
            let value = out.fields.store(bytes)?;
            out.fields.push_stored(Kind::ArgPost, name, value);
        }
        Ok(())
    }

    /// Messages and groups that are open inside the whole.
    fn depth(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.depth + frame.groups.len())
    }

    fn advance(&mut self, to: usize, seen: &[u8]) {
        self.text.read(seen.get(self.at..to).unwrap_or_default());
        self.at = to;
    }
}

/// Ends the reading with an error.
fn fail(limit: Limit, leaves: &Leaves, out: &mut Out<'_>) {
    match limit {
        Limit::Leaves(full) => return leaves.refuse(full, out),
        Limit::Depth => out.error("the message nests too deeply"),
        Limit::Copies => out.error("too many fields are text inside text"),
    }
    out.report.depth_exceeded = true;
    out.stop = true;
}
