//! The side of HAProxy, written by hand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

pub const FIN: u32 = 1;
pub const ABORT: u32 = 2;

/// A value on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Null,
    Number(u64),
    Address(Ipv4Addr),
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

pub fn text(bytes: impl AsRef<[u8]>) -> Typed {
    Typed::Text(bytes.as_ref().to_vec())
}

pub fn binary(bytes: impl AsRef<[u8]>) -> Typed {
    Typed::Binary(bytes.as_ref().to_vec())
}

/// The variables that an answer sets.
pub type Variables = BTreeMap<String, Typed>;

#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub kind: u8,
    pub stream: u64,
    pub frame: u64,
    pub payload: Vec<u8>,
}

impl Received {
    /// The variables of an ACK.
    pub fn variables(&self) -> Variables {
        assert_eq!(self.kind, 103, "{self:?}");
        let mut rest = &self.payload[..];
        let mut variables = Variables::new();
        while !rest.is_empty() {
            assert_eq!(rest[..3], [1, 3, 2], "set-var with three arguments, in the scope of the transaction");
            rest = &rest[3..];
            let name = String::from_utf8(take(&mut rest)).unwrap();
            variables.insert(name, value(&mut rest));
        }
        variables
    }

    /// The items of AGENT-HELLO or AGENT-DISCONNECT.
    pub fn items(&self) -> Variables {
        let mut rest = &self.payload[..];
        let mut items = Variables::new();
        while !rest.is_empty() {
            items.insert(String::from_utf8(take(&mut rest)).unwrap(), value(&mut rest));
        }
        items
    }
}

/// A connection to an agent.
pub struct Peer {
    stream: TcpStream,
    next: u64,
}

impl Peer {
    /// Without a word yet.
    pub fn silent(address: SocketAddr) -> Peer {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(super::agent::PATIENCE)).unwrap();
        Peer { stream, next: 1 }
    }

    /// After both have said hello.
    pub fn connect(address: SocketAddr) -> Peer {
        let mut peer = Peer::silent(address);
        peer.write(&hello(16_380, false));
        assert_eq!(peer.read().unwrap().kind, 101);
        peer
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Writes as long as the other side reads.
    pub fn try_write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame; `None` at the end of the connection.
    pub fn read(&mut self) -> Option<Received> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes[1..5], FIN.to_be_bytes(), "HAProxy takes answers in one frame only");
        let mut rest = &bytes[5..];
        let (stream, frame) = (number(&mut rest), number(&mut rest));
        Some(Received { kind: bytes[0], stream, frame, payload: rest.to_vec() })
    }

    /// The status of AGENT-DISCONNECT, and nothing behind it.
    pub fn disconnected(&mut self) -> u64 {
        let received = self.read().expect("a last frame");
        assert_eq!(received.kind, 102, "{received:?}");
        let Some(Typed::Number(status)) = received.items().remove("status-code") else { panic!("{received:?}") };
        assert_eq!(self.stream.read(&mut [0]).expect("an end, no reset"), 0);
        status
    }

    /// Sends messages and waits for the answer.
    pub fn ask(&mut self, payload: &[u8]) -> Variables {
        self.next += 1;
        self.write(&notify(7, self.next, FIN, payload));
        let answer = self.read().expect("an answer");
        assert_eq!((answer.stream, answer.frame), (7, self.next));
        answer.variables()
    }
}

pub fn frame(kind: u8, flags: u32, stream: u64, frame: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(flags.to_be_bytes());
    varint(&mut bytes, stream);
    varint(&mut bytes, frame);
    bytes.extend(payload);
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

pub fn hello(max_frame_size: u32, healthcheck: bool) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in [
        ("supported-versions", text("2.0")),
        ("max-frame-size", Typed::Number(max_frame_size.into())),
        ("capabilities", text("pipelining,async")),
        ("engine-id", text("an engine")),
    ] {
        put(&mut payload, name, &value);
    }
    if healthcheck {
        payload.extend(b"\x0bhealthcheck\x11");
    }
    frame(1, FIN, 0, 0, &payload)
}

pub fn notify(stream: u64, number: u64, flags: u32, payload: &[u8]) -> Vec<u8> {
    frame(3, flags, stream, number, payload)
}

pub fn message(name: &str, arguments: &[(&str, Typed)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, name.len() as u64);
    bytes.extend(name.as_bytes());
    bytes.push(arguments.len() as u8);
    arguments.iter().for_each(|(name, value)| put(&mut bytes, name, value));
    bytes
}

/// The arguments of a request as HAProxy sends them for coraza-spoa's own configuration, in the order there.
pub fn request(path: &str, query: Typed, headers: &str, body: &[u8]) -> Vec<(&'static str, Typed)> {
    vec![
        ("app", text("sample_app")),
        ("id", text("an-id")),
        ("src-ip", Typed::Address(Ipv4Addr::new(192, 0, 2, 1))),
        ("src-port", Typed::Number(5000)),
        ("dst-ip", Typed::Address(Ipv4Addr::new(192, 0, 2, 2))),
        ("dst-port", Typed::Number(80)),
        ("method", text(if body.is_empty() { "GET" } else { "POST" })),
        ("path", text(path)),
        ("query", query),
        ("version", text("1.1")),
        ("headers", text(format!("host: www.example\r\n{headers}\r\n"))),
        ("body", binary(body)),
    ]
}

pub fn get(query: &str) -> Vec<u8> {
    message("coraza-req", &request("/", text(query), "", b""))
}

fn put(bytes: &mut Vec<u8>, name: &str, value: &Typed) {
    varint(bytes, name.len() as u64);
    bytes.extend(name.as_bytes());
    match value {
        Typed::Null => bytes.push(0),
        Typed::Number(number) => {
            bytes.push(4);
            varint(bytes, *number);
        }
        Typed::Address(address) => {
            bytes.push(6);
            bytes.extend(address.octets());
        }
        Typed::Text(text) => {
            bytes.push(8);
            varint(bytes, text.len() as u64);
            bytes.extend(text);
        }
        Typed::Binary(binary) => {
            bytes.push(9);
            varint(bytes, binary.len() as u64);
            bytes.extend(binary);
        }
    }
}

pub fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    if number < 240 {
        return bytes.push(number as u8);
    }
    bytes.push(number as u8 | 240);
    number = (number - 240) >> 4;
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number = (number - 128) >> 7;
    }
    bytes.push(number as u8);
}

fn number(rest: &mut &[u8]) -> u64 {
    let mut byte = || {
        let (first, tail) = rest.split_first().expect("a number");
        *rest = tail;
        u64::from(*first)
    };
    let mut number = byte();
    let mut shift = 4;
    if number >= 240 {
        loop {
            let next = byte();
            number += next << shift;
            shift += 7;
            if next < 128 {
                break;
            }
        }
    }
    number
}

fn take(rest: &mut &[u8]) -> Vec<u8> {
    let count = number(rest) as usize;
    let (taken, tail) = rest.split_at(count);
    *rest = tail;
    taken.to_vec()
}

fn value(rest: &mut &[u8]) -> Typed {
    let kind = rest[0];
    *rest = &rest[1..];
    match kind {
        3 | 4 => Typed::Number(number(rest)),
        8 => Typed::Text(take(rest)),
        other => panic!("an agent sends no value of type {other}"),
    }
}
