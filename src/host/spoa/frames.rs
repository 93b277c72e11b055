//! Frames of the protocol between HAProxy and its agents (SPOP 2.0), read without trust.
//!
//! Everything here is total: any bytes are read or refused, nothing is allocated by a length that a peer has only announced, and what is
//! read borrows from the frame. Text stays bytes, since paths and header fields of clients are no UTF-8.
//!
//! The source is section 3 of HAProxy's `doc/SPOE.txt`.

use super::status::Status;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bytes before each frame that say how long it is, in network byte order.
pub const PREFIX_BYTES: usize = 4;
/// This frame ends its payload.
pub const FIN: u32 = 1;
/// The payload that this frame belongs to is given up.
pub const ABORT: u32 = 2;

/// What a frame of HAProxy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// More of a payload that came in several frames.
    More,
    /// HAPROXY-HELLO: the first frame of a connection.
    Hello,
    /// HAPROXY-DISCONNECT: the last one.
    Disconnect,
    /// NOTIFY: messages about a stream.
    Notify,
    /// One that HAProxy does not send today; it may be passed over.
    Other(u8),
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    /// What it is about.
    pub kind: Kind,
    /// [`FIN`], [`ABORT`], and bits without a meaning yet.
    pub flags: u32,
    /// The stream of HAProxy.
    pub stream: u64,
    /// The exchange within the stream.
    pub frame: u64,
    /// What comes behind its head.
    pub payload: &'b [u8],
}

impl<'b> Frame<'b> {
    /// Reads a frame, without the bytes that say how long it is.
    ///
    /// # Errors
    /// [`Status::Invalid`]: it ends before its head does.
    ///
    /// ```
    /// use fusewall::host::spoa::frames::{FIN, Frame, Kind};
    /// let notify = [3, 0, 0, 0, 1, 7, 240, 1, b'p'];
    /// let frame = Frame::read(&notify).unwrap();
    /// assert_eq!((frame.kind, frame.flags, frame.stream, frame.frame, frame.payload), (Kind::Notify, FIN, 7, 256, &b"p"[..]));
    /// ```
    pub fn read(bytes: &'b [u8]) -> Result<Frame<'b>, Status> {
        let mut reader = Reader::new(bytes);
        let kind = match reader.byte()? {
            0 => Kind::More,
            1 => Kind::Hello,
            2 => Kind::Disconnect,
            3 => Kind::Notify,
            other => Kind::Other(other),
        };
        let flags = u32::from_be_bytes(reader.array()?);
        Ok(Frame { kind, flags, stream: reader.varint()?, frame: reader.varint()?, payload: reader.rest })
    }
}

/// A typed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'b> {
    /// What a sample is that HAProxy could not fetch.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of 32 or 64 bits, signed or not: the bits of a negative one are those of its complement.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// Text, of any bytes.
    Text(&'b [u8]),
    /// Bytes that were never text.
    Binary(&'b [u8]),
}

impl<'b> Value<'b> {
    /// The bytes of text, or of what is no text.
    pub fn bytes(self) -> Option<&'b [u8]> {
        match self {
            Value::Text(bytes) | Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An integer.
    pub fn integer(self) -> Option<u64> {
        match self {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

/// A message: what a `spoe-message` section of HAProxy's configuration describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'b> {
    /// Its name.
    pub name: &'b [u8],
    /// Its arguments, in their order; one without a name has an empty one. At most 255.
    pub arguments: Vec<(&'b [u8], Value<'b>)>,
}

impl<'b> Message<'b> {
    /// The first argument of this name.
    pub fn argument(&self, name: &str) -> Option<Value<'b>> {
        self.arguments.iter().find(|(own, _)| *own == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// Reads a payload from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// At the beginning.
    pub fn new(bytes: &'b [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Whether there is no more.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Status::Invalid`], here and below: the payload ends too early, or holds what is not defined.
    pub fn byte(&mut self) -> Result<u8, Status> {
        self.array().map(|[byte]| byte)
    }

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Status> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Status::Invalid)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A number of variable length: one byte below 240; above it four bits of the first byte, then seven of each.
    pub fn varint(&mut self) -> Result<u64, Status> {
        let first = self.byte()?;
        if first < 240 {
            return Ok(first.into());
        }
        // Wide enough for all that ten bytes can say, so that nothing wraps.
        let mut number = u128::from(first);
        for shift in (4..=60).step_by(7) {
            let byte = self.byte()?;
            number += u128::from(byte) << shift;
            if byte < 128 {
                return u64::try_from(number).map_err(|_| Status::Invalid);
            }
        }
        Err(Status::Invalid)
    }

    /// Bytes, behind the number that says how many.
    pub fn bytes(&mut self) -> Result<&'b [u8], Status> {
        let count = usize::try_from(self.varint()?).map_err(|_| Status::Invalid)?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Status::Invalid)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A value, behind the byte that says of which type.
    pub fn value(&mut self) -> Result<Value<'b>, Status> {
        let kind = self.byte()?;
        Ok(match kind & 0x0f {
            0 => Value::Null,
            1 => Value::Bool(kind & 0x10 != 0),
            2..=5 => Value::Integer(self.varint()?),
            6 => Value::Address(Ipv4Addr::from(self.array::<4>()?).into()),
            7 => Value::Address(Ipv6Addr::from(self.array::<16>()?).to_canonical()),
            8 => Value::Text(self.bytes()?),
            9 => Value::Binary(self.bytes()?),
            _ => return Err(Status::Invalid),
        })
    }

    /// A value and its name.
    pub fn pair(&mut self) -> Result<(&'b [u8], Value<'b>), Status> {
        Ok((self.bytes()?, self.value()?))
    }

    /// A message.
    pub fn message(&mut self) -> Result<Message<'b>, Status> {
        let name = self.bytes()?;
        let count = self.byte()?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(self.pair()?);
        }
        Ok(Message { name, arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::varint;
    use super::*;
    use proptest::prelude::*;

    fn written(number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        varint(&mut bytes, number);
        bytes
    }

    #[test]
    fn numbers_are_as_long_as_the_table_of_the_protocol_says() {
        // The bounds of `doc/SPOE.txt`, section 3.1.
        for (number, length) in [
            (0, 1),
            (239, 1),
            (240, 2),
            (2287, 2),
            (2288, 3),
            (264_431, 3),
            (264_432, 4),
            (33_818_863, 4),
            (33_818_864, 5),
            (4_328_786_159, 5),
            (u64::MAX, 10),
        ] {
            let bytes = written(number);
            assert_eq!((Reader::new(&bytes).varint(), bytes.len()), (Ok(number), length));
        }
        assert_eq!(written(2288), [240, 128, 0]);
    }

    #[test]
    fn numbers_that_no_64_bits_hold_are_refused() {
        for bytes in [&[255; 11][..], &[255, 255, 255, 255, 255, 255, 255, 255, 255, 127], &[240], &[240, 128], &[]] {
            assert_eq!(Reader::new(bytes).varint(), Err(Status::Invalid), "{bytes:?}");
        }
    }

    #[test]
    fn a_message_is_read_with_all_its_types() {
        let payload = [
            &b"\x03req\x08\x01a\x00\x01b\x11\x01c\x01\x01d\x02\x05\x01e\x06\xc0\x00\x02\x01"[..],
            b"\x01f\x07\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x02\x01g\x08\x02\xff\xfe\0\x09\0",
        ]
        .concat();
        let mut reader = Reader::new(&payload);
        let message = reader.message().unwrap();
        assert!(reader.is_empty());
        let address = |text: &str| Value::Address(text.parse().unwrap());
        let expected: Vec<(&[u8], Value<'_>)> = vec![
            (b"a", Value::Null),
            (b"b", Value::Bool(true)),
            (b"c", Value::Bool(false)),
            (b"d", Value::Integer(5)),
            (b"e", address("192.0.2.1")),
            (b"f", address("192.0.2.2")),
            (b"g", Value::Text(b"\xff\xfe")),
            (b"", Value::Binary(b"")),
        ];
        assert_eq!((message.name, &message.arguments), (&b"req"[..], &expected));
        assert_eq!(message.argument("d"), Some(Value::Integer(5)));
        for end in 0..payload.len() {
            assert_eq!(Reader::new(&payload[..end]).message(), Err(Status::Invalid), "cut at {end}");
        }
        assert_eq!(Reader::new(b"\x00\x01\x00\x0a").message(), Err(Status::Invalid), "a type that is not defined");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(number: u64) {
            let bytes = written(number);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(number));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(frame) = Frame::read(&bytes) {
                let mut reader = Reader::new(frame.payload);
                while !reader.is_empty() {
                    let before = reader.rest.len();
                    match reader.message() {
                        Ok(message) => prop_assert!(reader.rest.len() < before && message.arguments.len() <= 255),
                        Err(problem) => {
                            prop_assert_eq!(problem, Status::Invalid);
                            break;
                        }
                    }
                }
            }
        }
    }
}
