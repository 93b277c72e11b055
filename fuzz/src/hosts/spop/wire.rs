//! The protocol between HAProxy and its agents, read and written once more: slowly, and from the description alone (`doc/SPOE.txt`).

use std::net::IpAddr;

/// This frame ends its payload.
pub const FIN: u32 = 1;
/// The payload is given up.
pub const ABORT: u32 = 2;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Null,
    Bool(bool),
    Number(u64),
    Address(IpAddr),
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

/// A message: its name and its arguments.
pub type Message = (Vec<u8>, Vec<(Vec<u8>, Typed)>);

/// A frame, without the bytes that say how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u32,
    pub stream: u64,
    pub number: u64,
    pub payload: Vec<u8>,
}

/// Takes so many bytes off the front.
fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

/// A number: below 240 its byte; above, that is 240 and what is missing in units of 16, 2048 (16 times 128) and so on.
pub fn number(rest: &mut &[u8]) -> Option<u64> {
    let first = u128::from(take(rest, 1)?[0]);
    let (mut sum, mut unit) = (first, 16u128);
    let mut more = first >= 240;
    let mut bytes = 1;
    while more {
        let byte = u128::from(take(rest, 1)?[0]);
        sum += byte * unit;
        unit *= 128;
        more = byte >= 128;
        bytes += 1;
        if bytes == 10 && more {
            return None;
        }
    }
    u64::try_from(sum).ok()
}

fn bytes(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let count = usize::try_from(number(rest)?).ok()?;
    take(rest, count).map(<[u8]>::to_vec)
}

pub fn value(rest: &mut &[u8]) -> Option<Typed> {
    let kind = take(rest, 1)?[0];
    Some(match kind % 16 {
        0 => Typed::Null,
        1 => Typed::Bool(kind / 16 % 2 == 1),
        2..=5 => Typed::Number(number(rest)?),
        6 => Typed::Address(IpAddr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?)),
        7 => Typed::Address(IpAddr::from(<[u8; 16]>::try_from(take(rest, 16)?).ok()?).to_canonical()),
        8 => Typed::Text(bytes(rest)?),
        9 => Typed::Binary(bytes(rest)?),
        _ => return None,
    })
}

pub fn pair(rest: &mut &[u8]) -> Option<(Vec<u8>, Typed)> {
    Some((bytes(rest)?, value(rest)?))
}

/// The names and values of a payload that has nothing else.
pub fn pairs(mut payload: &[u8]) -> Option<Vec<(Vec<u8>, Typed)>> {
    let mut pairs = Vec::new();
    while !payload.is_empty() {
        pairs.push(pair(&mut payload)?);
    }
    Some(pairs)
}

/// The messages of a payload.
pub fn messages(mut payload: &[u8]) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    while !payload.is_empty() {
        let name = bytes(&mut payload)?;
        let count = take(&mut payload, 1)?[0];
        let arguments = (0..count).map(|_| pair(&mut payload)).collect::<Option<_>>()?;
        messages.push((name, arguments));
    }
    Some(messages)
}

/// The variables that an ACK sets, all of them those of the transaction.
pub fn variables(mut payload: &[u8]) -> Option<Vec<(Vec<u8>, Typed)>> {
    let mut variables = Vec::new();
    while !payload.is_empty() {
        take(&mut payload, 3).filter(|action| *action == [1, 3, 2])?;
        variables.push(pair(&mut payload)?);
    }
    Some(variables)
}

impl Frame {
    pub fn read(mut rest: &[u8]) -> Option<Frame> {
        let kind = take(&mut rest, 1)?[0];
        let flags = take(&mut rest, 4)?.iter().fold(0, |flags, byte| flags << 8 | u32::from(*byte));
        let (stream, number) = (number(&mut rest)?, number(&mut rest)?);
        Some(Frame { kind, flags, stream, number, payload: rest.to_vec() })
    }

    /// The frame, without the bytes that say how long it is.
    pub fn written(&self) -> Vec<u8> {
        let mut out = vec![self.kind];
        out.extend(self.flags.to_be_bytes());
        put_number(&mut out, self.stream);
        put_number(&mut out, self.number);
        out.extend_from_slice(&self.payload);
        out
    }
}

/// What is on the wire of a frame.
pub fn on_the_wire(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}

pub fn put_number(out: &mut Vec<u8>, number: u64) {
    if number < 240 {
        return out.push(number as u8);
    }
    out.push(240 | (number % 16) as u8);
    let mut left = (number - 240) / 16;
    while left >= 128 {
        out.push(128 | (left % 128) as u8);
        left = (left - 128) / 128;
    }
    out.push(left as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub fn put_pair(out: &mut Vec<u8>, name: &[u8], value: &Typed) {
    put_bytes(out, name);
    match value {
        Typed::Null => out.push(0),
        Typed::Bool(bit) => out.push(1 + 16 * u8::from(*bit)),
        Typed::Number(number) => {
            out.push(5);
            put_number(out, *number);
        }
        Typed::Address(IpAddr::V4(address)) => {
            out.push(6);
            out.extend(address.octets());
        }
        Typed::Address(IpAddr::V6(address)) => {
            out.push(7);
            out.extend(address.octets());
        }
        Typed::Text(text) => {
            out.push(8);
            put_bytes(out, text);
        }
        Typed::Binary(binary) => {
            out.push(9);
            put_bytes(out, binary);
        }
    }
}

pub fn put_message(out: &mut Vec<u8>, (name, arguments): &Message) {
    put_bytes(out, name);
    out.push(arguments.len() as u8);
    arguments.iter().for_each(|(name, value)| put_pair(out, name, value));
}
