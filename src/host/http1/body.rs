//! Taking a body out of its framing, in pieces as they arrive (RFC 9112, section 7.1).

use super::framing::Framing;
use super::head::{Fields, Refused};

/// Hexadecimal digits of a chunk size: 15 of them stay below 2^60, so that no size overflows here or in a server behind us.
const SIZE_DIGITS: u8 = 15;
/// Bytes of all chunk extensions of a body. Nobody uses them; a stream of them is work without a body.
const EXTENSION_BYTES: usize = 16 << 10;
/// Bytes of the trailer section.
const TRAILER_BYTES: usize = 16 << 10;
/// Fields of the trailer section.
const TRAILER_FIELDS: usize = 64;
/// Fields that decide about framing, routing or authentication must not come behind the body (RFC 9110, section 6.5.1).
const FORBIDDEN_TRAILERS: [&[u8]; 8] = [
    b"transfer-encoding",
    b"content-length",
    b"content-encoding",
    b"content-type",
    b"host",
    b"trailer",
    b"authorization",
    b"cookie",
];

/// Decodes one body. The result does not depend on how the input is cut.
///
/// ```
/// use fusewall::host::http1::{BodyDecoder, Framing};
/// let mut decoder = BodyDecoder::new(Framing::Length(3));
/// let mut out = Vec::new();
/// assert_eq!(decoder.decode(b"ab", &mut out), Ok((2, false)));
/// assert_eq!(decoder.decode(b"cGET /", &mut out), Ok((1, true)));
/// assert_eq!(out, b"abc");
/// ```
#[derive(Debug, Clone)]
pub struct BodyDecoder {
    state: State,
    extension_bytes: usize,
    block: Vec<u8>,
    trailers: Fields,
}

/// What the next byte belongs to.
#[derive(Debug, Clone)]
enum State {
    Size { value: u64, digits: u8 },
    SizeEnd { value: u64 },
    Extended { value: u64 },
    Data { left: u64 },
    DataReturn,
    DataEnd,
    Trailers,
    Counted { left: u64 },
    Done,
    Refused(&'static str),
}

impl BodyDecoder {
    /// A decoder for a body in this framing.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(left) => State::counted(left),
            Framing::Chunked => State::START,
        };
        BodyDecoder { state, extension_bytes: 0, block: Vec::new(), trailers: Vec::new() }
    }

    /// Takes input, appends what belongs to the body to `out`, and says how many bytes it took and whether the body is
    /// complete. Bytes behind the body are left alone.
    ///
    /// # Errors
    /// [`Refused`] when chunks or trailers are malformed; every later call says the same.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, bool), Refused> {
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Done | State::Refused(_) => break,
                State::Data { ref mut left } | State::Counted { ref mut left } => {
                    let take = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    let (data, after) = rest.split_at_checked(take).unwrap_or((rest, b""));
                    out.extend_from_slice(data);
                    *left -= take as u64;
                    rest = after;
                    if *left == 0 {
                        self.state =
                            if matches!(self.state, State::Counted { .. }) { State::Done } else { State::DataReturn };
                    }
                }
                _ => {
                    self.step(byte);
                    rest = after;
                }
            }
        }
        match self.state {
            State::Refused(reason) => Err(Refused::body(reason)),
            _ => Ok((input.len() - rest.len(), self.is_done())),
        }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The fields that came behind the last chunk.
    pub fn trailers(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.trailers
    }

    /// One byte of the framing itself.
    fn step(&mut self, byte: u8) {
        self.state = match (&self.state, byte) {
            (&State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => match digits {
                SIZE_DIGITS => State::Refused("a chunk size is too large"),
                _ => State::Size { value: value << 4 | hex(byte), digits: digits + 1 },
            },
            (State::Size { digits: 0, .. }, _) => State::Refused("a chunk has no size"),
            (&State::Size { value, .. }, b'\r') => State::SizeEnd { value },
            (&State::Size { value, .. }, b';') => State::Extended { value },
            (&State::Extended { value }, b'\r') => State::SizeEnd { value },
            (&State::Extended { value }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extension_bytes += 1;
                match self.extension_bytes > EXTENSION_BYTES {
                    true => State::Refused("chunk extensions are too long"),
                    false => State::Extended { value },
                }
            }
            (State::SizeEnd { value: 0 }, b'\n') => State::Trailers,
            (&State::SizeEnd { value }, b'\n') => State::Data { left: value },
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::START,
            (State::DataReturn | State::DataEnd, _) => State::Refused("a chunk is longer than its size"),
            (State::Trailers, _) => {
                self.block.push(byte);
                self.trailer_section()
            }
            _ => State::Refused("a chunk size is malformed"),
        };
    }

    /// The state after one more byte of the trailer section.
    fn trailer_section(&mut self) -> State {
        match self.block.as_slice() {
            [.., before, b'\n'] if *before != b'\r' => State::Refused("a trailer line ends without a carriage return"),
            [b'\n'] => State::Refused("a trailer line ends without a carriage return"),
            b"\r\n" => State::Done,
            [.., b'\r', b'\n', b'\r', b'\n'] => match trailers(&self.block) {
                Ok(fields) => {
                    self.trailers = fields;
                    State::Done
                }
                Err(reason) => State::Refused(reason),
            },
            block if block.len() >= TRAILER_BYTES => State::Refused("the trailers are too long"),
            _ => State::Trailers,
        }
    }
}

impl State {
    const START: State = State::Size { value: 0, digits: 0 };

    const fn counted(left: u64) -> Self {
        if left == 0 { State::Done } else { State::Counted { left } }
    }
}

fn hex(digit: u8) -> u64 {
    u64::from(match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a') + 10,
    })
}

/// The fields of a complete trailer section.
fn trailers(block: &[u8]) -> Result<Fields, &'static str> {
    let mut slots = [httparse::EMPTY_HEADER; TRAILER_FIELDS];
    let fields = match httparse::parse_headers(block, &mut slots) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Err(httparse::Error::TooManyHeaders) => return Err("too many trailers"),
        _ => return Err("a trailer is malformed"),
    };
    if fields.iter().any(|field| FORBIDDEN_TRAILERS.iter().any(|name| field.name.as_bytes().eq_ignore_ascii_case(name)))
    {
        return Err("a trailer that must be a header");
    }
    Ok(fields.iter().map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec())).collect())
}
