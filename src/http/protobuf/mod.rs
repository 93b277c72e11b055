//! Protobuf messages without their description: the wire format is walked, and what may be text becomes an argument.
//!
//! A field is named by the numbers of the fields it is in, `protobuf.1.3`. Numbers give their value as decimal text (a varint as an
//! unsigned number, a fixed one as an unsigned little-endian number). The wire does not tell strings from messages, so a
//! length-delimited field is read as both:
//!
//! - if its bytes are a message to the last of them, the leaves of that message are given out;
//! - if they are not, or if they are UTF-8 all the same, the bytes are given out as they are.
//!
//! So no byte of a string is hidden by a reading as a message, and bytes that are neither are one leaf. Long runs of printable
//! characters may be messages of many numbers by chance: when a limit is reached in a field whose bytes so far are printable, what it
//! gave is taken back, and if the rest of it is printable too, it is text and no error.
//!
//! A byte is read once, at the depth where it stands: fields are entered before it is known whether they are messages, and left, with
//! what they gave taken back, if they turn out not to be. What is given out twice has a budget.

mod grpc;
mod text;

use super::out::{Full, LEAF_PER_BYTE, LEAF_PER_CALL, Leaves, NAMES_CONSTANT, Out};
use super::{Kind, ParseLimits, coding};
use crate::http::fields::Mark;
use crate::meter::{Exhausted, Price};
pub(super) use grpc::Grpc;
use text::Text;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 4;
/// Fuel for one field.
const PER_FIELD: u64 = 8;
/// Bytes of fields given out as they are, for each byte read.
const COPIES_PER_BYTE: usize = 8;
/// Bytes that copying takes for one fuel.
const COPY_PER_FUEL: usize = 8;

/// A field takes two bytes or more. A leaf may be taken back and read again as a part of the field around it.
pub(super) const PRICE: Price = Price::per_byte(
    2 * LEAF_PER_CALL + (NAMES_CONSTANT / COPY_PER_FUEL) as u64 + PER_FIELD,
    PER_BYTE + 2 * LEAF_PER_BYTE + PER_FIELD + (COPIES_PER_BYTE / COPY_PER_FUEL) as u64 + 1,
);

/// Of a gRPC body a few bytes may be a message of as many bytes as the ratio of codings allows.
pub(super) const GRPC_PRICE: Price =
    Price::per_byte(PRICE.per_call + 200, 200 * (PRICE.per_kib / 1024)).plus(coding::price_in());

/// A field that may be a message.
#[derive(Debug)]
struct Frame {
    /// Where its bytes begin and end in the body.
    start: usize,
    end: usize,
    /// Groups that are open in it; a group ends with its message.
    groups: Vec<(u32, usize)>,
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
pub(super) struct Message {
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
}

/// What came of reading a token.
enum Read {
    On,
    NeedInput,
    Bad,
}

/// A number of the wire, if it is all there.
enum Varint {
    Partial,
    Bad,
    Is(u64, usize),
}

impl Message {
    /// A reader of a message whose leaves' names begin with `root`; `constant` bytes of names and of copies are free.
    pub(super) fn new(root: &[u8], constant: usize, limits: &ParseLimits) -> Self {
        let whole = Frame {
            start: 0,
            end: usize::MAX,
            groups: Vec::new(),
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
            leaves: Leaves::new(limits.arguments, constant),
            depth_limit: limits.protobuf_depth,
        }
    }

    /// Reads on in `seen`, the message so far, all of it if `last`. A limit sets `out.stop`.
    pub(super) fn read(&mut self, seen: &[u8], last: bool, out: &mut Out<'_>) -> Result<(), Exhausted> {
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
        let Some(frame) = self.frames.last_mut() else { return false };
        if begins {
            frame.groups.push((number, self.path.len()));
            push_number(&mut self.path, number);
            return true;
        }
        match frame.groups.pop() {
            Some((open, base)) if open == number => {
                self.path.truncate(base);
                true
            }
            _ => false,
        }
    }

    /// A number.
    fn number(&mut self, number: u32, value: u64, len: usize, seen: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let base = self.path.len();
        push_number(&mut self.path, number);
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
        push_number(&mut self.path, number);
        let (name, before) = (self.path.len(), out.fields.mark());
        self.frames.push(Frame { start, end, groups: Vec::new(), base, name, depth, before, limit: None });
        // An empty field is an empty string; as a message it gives nothing.
        self.state = if len == 0 { State::Skip(end) } else { State::Tag };
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
        if !is_message || is_text {
            self.bytes(frame.start, frame.end, seen, out)?;
        }
        if let Some(limit) = frame.limit.filter(|_| !is_text || !self.text.is_printable_from(frame.start)) {
            fail(limit, &self.leaves, out);
        }
        self.path.truncate(frame.base);
        Ok(())
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

/// Makes a path longer by the number of a field.
fn push_number(path: &mut Vec<u8>, number: u32) {
    path.push(b'.');
    path.extend_from_slice(number.to_string().as_bytes());
}

/// Reads a number of at most ten bytes, seven bits in each.
fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F).checked_shl(7 * at as u32).unwrap_or(0);
        if byte < 0x80 {
            return Varint::Is(value, at + 1);
        }
    }
    if bytes.len() < 10 { Varint::Partial } else { Varint::Bad }
}

#[cfg(test)]
mod tests {
    use super::super::{Fields, Report};
    use super::*;
    use crate::meter::Meter;

    fn read_within(limits: &ParseLimits, message: &[u8]) -> (Vec<(String, Vec<u8>)>, Report) {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 24), Report::default(), Meter::unlimited());
        let mut out = Out::new("Protobuf", 0, &mut fields, &mut report, &mut meter);
        Message::new(b"protobuf", NAMES_CONSTANT, limits).read(message, true, &mut out).unwrap();
        let named = |field: &super::super::Field| {
            (String::from_utf8_lossy(fields.bytes(field.name)).into_owned(), fields.bytes(field.value).to_vec())
        };
        (fields.items().iter().map(named).collect(), report)
    }

    fn read(message: &[u8]) -> (Vec<(String, Vec<u8>)>, Report) {
        read_within(&ParseLimits::default(), message)
    }

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut len = content.len();
        while len >= 0x80 {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn fields_are_named_by_their_numbers() {
        for (message, expected) in [
            (&b"\x08\x96\x01"[..], &[("protobuf.1", &b"150"[..])][..]),
            (b"\x12\x07testing", &[("protobuf.2", b"testing")]),
            (b"\x1a\x03\x08\x96\x01", &[("protobuf.3.1", b"150")]),
            (b"\x0d\x01\0\0\x80\x11\x02\0\0\0\0\0\0\0", &[("protobuf.1", b"2147483649"), ("protobuf.2", b"2")]),
            (b"\x0b\x10\x05\x0c\x12\x01x", &[("protobuf.1.2", b"5"), ("protobuf.2", b"x")]),
            (b"\x12\0", &[("protobuf.2", b"")]),
            (b"\x22\x03\x03\x8e\x02", &[("protobuf.4", b"\x03\x8e\x02")]),
            (b"", &[]),
        ] {
            let (fields, report) = read(message);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(fields, expected, "{message:?}");
            assert!(!report.error, "{message:?}: {}", report.error_message);
        }
    }

    #[test]
    fn what_may_be_text_or_a_message_is_both() {
        let text = b"\x12\x08<script \x12\x09>alert(1)";
        let (fields, report) = read(&field(1, text));
        let all = [
            ("protobuf.1.2".to_owned(), b"<script ".to_vec()),
            ("protobuf.1.2".to_owned(), b">alert(1)".to_vec()),
            ("protobuf.1".to_owned(), text.to_vec()),
        ];
        assert_eq!(fields, all);
        assert!(!report.error);
    }

    #[test]
    fn what_is_no_message_is_one_leaf_and_an_error() {
        for (message, leaf) in [
            (&b"\x08\x01' or 1=1"[..], &b"' or 1=1"[..]),
            (b"\x0f<b>", b"\x0f<b>"),
            (b"\x12\x20<b>", b"<b>"),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01<b>", b"<b>"),
            (b"\0<b>", b"\0<b>"),
        ] {
            let (fields, report) = read(message);
            assert!(fields.iter().any(|field| field.1.ends_with(leaf)), "{message:?}: {fields:?}");
            assert!(report.error, "{message:?}");
        }
    }

    #[test]
    fn long_runs_of_characters_are_text_and_long_messages_are_limited() {
        for text in ["0".repeat(5000), "hahaha".repeat(900), "A".repeat(90_000)] {
            let (fields, report) = read(&field(1, &field(2, text.as_bytes())));
            assert!(fields.iter().any(|field| field.1 == text.as_bytes()), "{fields:?}");
            assert!(!report.error, "{}", report.error_message);
        }
        let numbers = read(&field(1, &b"\x08\x01".repeat(2000))).1;
        assert!(numbers.error && numbers.arguments_exceeded);
        let mut hidden = b"00".repeat(2000);
        hidden.extend(b"\x08\x01");
        assert!(read(&field(1, &hidden)).1.arguments_exceeded);
    }

    #[test]
    fn depth_and_copies_are_limited() {
        let deep = (0..300).fold(b"\x08\x01".to_vec(), |inner, _| field(1, &inner));
        let (_, report) = read(&deep);
        assert!(report.error && report.depth_exceeded);
        let groups = [b"\x0b".repeat(300), b"\x0c".repeat(300)].concat();
        assert!(read(&groups).1.depth_exceeded);
        let text = (0..90).fold("x".repeat(50_000).into_bytes(), |inner, _| field(1, &inner));
        let (fields, _) = read_within(&ParseLimits { arguments: usize::MAX, ..ParseLimits::default() }, &text);
        assert!(fields.iter().map(|field| field.1.len()).sum::<usize>() <= 9 * text.len() + (128 << 10));
    }
}
