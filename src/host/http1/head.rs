//! The head of a request: request line and header fields.

use super::authority;
use super::framing::{self, Framing, Refusal};
use super::request_line::{self, TOKEN, trim_blanks};
use super::search::{Found, Search};
use crate::Limits;

/// Header fields: name and value as received, in order.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What ends a head that is too large.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of the whole head, line ends and the empty line counted. More: 431.
    pub bytes: usize,
    /// Bytes of the request line. More: 414.
    pub request_line: usize,
    /// Header lines. More: 431.
    pub headers: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits::from(&Limits::default())
    }
}

impl From<&Limits> for HeadLimits {
    fn from(limits: &Limits) -> Self {
        HeadLimits { bytes: limits.header_bytes, request_line: limits.header_bytes, headers: limits.headers }
    }
}

/// The head of a request, every byte as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The request line without its line end.
    pub request_line: Vec<u8>,
    /// The method. A token, in any case, known or not.
    pub method: Vec<u8>,
    /// The request target in whatever form it came; no `#`, no controls, no space.
    pub target: Vec<u8>,
    /// `HTTP/` digit `.` digit, from HTTP/1.0 on. The front end speaks HTTP/1; that it lets `HTTP/2.0` or `HTTP/4.0` through
    /// serves the rules, and a host answers those with 505 ([`Head::is_http1`]). A refused request without a version has
    /// `HTTP/0.9` here.
    pub version: Vec<u8>,
    /// Names and values in order; values without the blanks around them.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the client means to send another request on the connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// Whether the client asks to leave HTTP (`Connection: upgrade` and an `Upgrade` field).
    pub upgrade: bool,
}

impl Head {
    /// Whether the version is one of HTTP/1.
    pub fn is_http1(&self) -> bool {
        matches!(self.version.as_slice(), [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'])
    }

    /// Whether the request line named no version: a request of HTTP/0.9, whose answer has no head either.
    pub fn is_simple(&self) -> bool {
        self.version == request_line::SIMPLE && !self.request_line.ends_with(request_line::SIMPLE)
    }

    /// The value of the first field of a name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.as_slice())
    }
}

/// What a buffer holds so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The head has not ended.
    Partial,
    /// A whole head; the body starts at offset `consumed` of the buffer.
    Complete {
        /// The head.
        head: Head,
        /// Bytes of the buffer that belong to it.
        consumed: usize,
    },
}

/// A request that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status to answer with: 400, 408, 414, 431 or 501. The connection is closed after it.
    pub status: u16,
    /// Why, for the log.
    pub reason: &'static str,
    /// What could be read: enough for a transaction. Its headers end at the first malformed line. Empty when a body is refused,
    /// because its head came before.
    pub head: Box<Head>,
}

impl Refused {
    pub(super) fn body(reason: &'static str) -> Self {
        Refused { status: 400, reason, head: Box::default() }
    }
}

/// Reads a head from the start of a buffer.
///
/// # Errors
/// [`Refused`] as soon as no further byte could make it a good request, or when the head ends and is not one.
pub fn parse_head(buffer: &[u8], limits: &HeadLimits) -> Result<Parsed, Refused> {
    HeadReader::new(limits.clone()).read(buffer)
}

/// What to make of a head whose end never came, because the client stopped sending or took too long: 408, with what it sent.
pub fn cut_short(buffer: &[u8], limits: &HeadLimits) -> Refused {
    match Search::default().advance(buffer, limits) {
        Found::Refusal { status, reason, start, upto } => salvage(buffer, start, upto, (status, reason)),
        Found::More | Found::End { .. } => {
            let start = buffer.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(buffer.len());
            salvage(buffer, start, buffer.len(), (408, "the head of the request never ended"))
        }
    }
}

/// Reads a head that arrives in pieces: [`parse_head`] that remembers how far it has looked, so that a client that sends single
/// bytes costs no more than one that does not.
///
/// ```
/// use fusewall::host::http1::{HeadLimits, HeadReader, Parsed};
/// let mut reader = HeadReader::new(HeadLimits::default());
/// assert_eq!(reader.read(b"GET / HTTP/1.0\r\n"), Ok(Parsed::Partial));
/// assert!(matches!(reader.read(b"GET / HTTP/1.0\r\n\r\n"), Ok(Parsed::Complete { consumed: 18, .. })));
/// ```
#[derive(Debug, Clone)]
pub struct HeadReader {
    limits: HeadLimits,
    search: Search,
}

impl HeadReader {
    /// A reader for one head.
    pub fn new(limits: HeadLimits) -> Self {
        HeadReader { limits, search: Search::default() }
    }

    /// Goes on with a buffer that starts with the bytes of the last call and may have more behind them.
    ///
    /// # Errors
    /// As [`parse_head`].
    pub fn read(&mut self, buffer: &[u8]) -> Result<Parsed, Refused> {
        match self.search.advance(buffer, &self.limits) {
            Found::More => Ok(Parsed::Partial),
            Found::End { start, end, headers } => complete(buffer, start, end, headers),
            Found::Refusal { status, reason, start, upto } => Err(salvage(buffer, start, upto, (status, reason))),
        }
    }
}

/// Decides about a head that has ended.
fn complete(buffer: &[u8], start: usize, end: usize, headers: usize) -> Result<Parsed, Refused> {
    let (line, block) = split_line(buffer.get(start..end).unwrap_or_default());
    let judged = match request_line::read(line).refusal {
        Some(reason) => Err((400, reason)),
        None => fields(block, headers).and_then(|headers| {
            let mut head = Head { headers, ..Head::of_line(line) };
            head.settle().map(|()| head)
        }),
    };
    match judged {
        Ok(head) => Ok(Parsed::Complete { head, consumed: end }),
        Err(refusal) => Err(salvage(buffer, start, end, refusal)),
    }
}

/// The fields of a header section that ends with its empty line. Folded lines, blanks before a colon, empty names and controls
/// in values are refused.
fn fields(block: &[u8], lines: usize) -> Result<Fields, Refusal> {
    let mut slots = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(block, &mut slots) {
        Ok(httparse::Status::Complete((_, fields))) => {
            Ok(fields.iter().map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec())).collect())
        }
        Ok(httparse::Status::Partial) | Err(httparse::Error::HeaderName) => Err((400, "a header name is malformed")),
        Err(_) => Err((400, "a header value has a control character")),
    }
}

/// Reads what can be read of a head that is refused.
fn salvage(buffer: &[u8], start: usize, upto: usize, (status, reason): Refusal) -> Refused {
    let upto = upto.min(buffer.len());
    let (line, mut rest) = split_line(buffer.get(start..upto).unwrap_or_default());
    let mut head = Head::of_line(line);
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        let Some((name, value)) = field(line) else { break };
        head.headers.push((name.to_vec(), value.to_vec()));
        rest = after;
    }
    Refused { status, reason, head: Box::new(head) }
}

/// The first line without its line end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, b""));
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}

/// Name and value of a well-formed header line.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let value = trim_blanks(value.get(1..)?);
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    (!name.is_empty() && name.iter().all(|&byte| TOKEN.contains(byte)) && value.iter().all(is_text))
        .then_some((name, value))
}

impl Head {
    /// A head that has a request line and no fields yet.
    fn of_line(line: &[u8]) -> Self {
        let parts = request_line::read(line);
        Head {
            request_line: line.to_vec(),
            method: parts.method.to_vec(),
            target: parts.target.to_vec(),
            version: parts.version.to_vec(),
            ..Head::default()
        }
    }

    /// Checks what request line and fields say together, and draws the conclusions.
    fn settle(&mut self) -> Result<(), Refusal> {
        let is_http_1_1 = framing::is_http_1_1(&self.version);
        let mut hosts = framing::values(&self.headers, b"host");
        match (hosts.next(), hosts.next()) {
            (_, Some(_)) => return Err((400, "more than one Host")),
            (None, _) if is_http_1_1 => return Err((400, "HTTP/1.1 without a Host")),
            // Only HTTP/1.0 may leave the host empty: a proxy could not say where the request goes.
            (Some(b""), _) if !is_http_1_1 => {}
            (Some(host), _) if !authority::is_valid(host) => return Err((400, "Host is not a host")),
            _ => {}
        }
        self.framing = framing::of(&self.version, &self.headers)?;
        let says = |name: &[u8], member: &[u8]| {
            framing::members(&self.headers, name).any(|have| have.eq_ignore_ascii_case(member))
        };
        let closes = says(b"connection", b"close");
        let expect_continue = is_http_1_1 && says(b"expect", b"100-continue");
        let upgrade = is_http_1_1 && says(b"connection", b"upgrade") && self.header("upgrade").is_some();
        self.keep_alive = !closes && (is_http_1_1 || says(b"connection", b"keep-alive"));
        self.expect_continue = expect_continue;
        self.upgrade = upgrade;
        Ok(())
    }
}
