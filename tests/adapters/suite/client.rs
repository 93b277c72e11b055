//! A connection that sends exactly what it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing here takes longer than this unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// An answer as far as it came.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// 0: nothing came but the end of the connection.
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether it came to the end that its head announces.
    pub whole: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Head and body, shortened for a message.
    pub fn excerpt(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let (short, end) = (body.chars().take(200).collect::<String>(), if self.whole { "" } else { " (broken off)" });
        format!("{:?} with {} bytes: {short:?}{end}", self.head, self.body.len())
    }
}

/// The first value of a field in a head.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// After so many bytes.
    After(usize),
    Chunked,
    /// With the connection.
    Closing,
}

pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
    /// The answer that has begun and not ended.
    open: Option<(Reply, End)>,
    closed: bool,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Client, String> {
        let stream =
            TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| format!("no connection: {error}"))?;
        Ok(Client::of(stream))
    }

    pub fn of(stream: TcpStream) -> Client {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(PATIENCE));
        Client { stream, read: Vec::new(), open: None, closed: false }
    }

    /// Sends as much as the other side takes: who refuses a request need not read it.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends, and says whether the other side took it.
    pub fn sends(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// No more will be sent.
    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads more; false at the end of the connection.
    fn more(&mut self, patience: Duration) -> Result<bool, String> {
        if self.closed {
            return Ok(false);
        }
        let _ = self.stream.set_read_timeout(Some(patience));
        let mut chunk = [0; 65536];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.closed = true,
            Ok(count) => self.read.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(format!("nothing more came in {patience:?}; had {:?}", lossy(&self.read)));
            }
            Err(_) => self.closed = true,
        }
        Ok(!self.closed)
    }

    /// Whether nothing comes for `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.read.is_empty() && self.more(time).is_err()
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Result<Vec<u8>, String> {
        while self.more(PATIENCE)? {}
        Ok(std::mem::take(&mut self.read))
    }

    /// The next `count` bytes; `None` if the connection ends before.
    pub fn take(&mut self, count: usize) -> Result<Option<Vec<u8>>, String> {
        while self.read.len() < count {
            if !self.more(PATIENCE)? {
                return Ok(None);
            }
        }
        Ok(Some(self.read.drain(..count).collect()))
    }

    /// The bytes up to and with `end`; `None` if the connection ends before.
    pub fn until(&mut self, end: &[u8]) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(at) = find(&self.read, end) {
                return Ok(Some(self.read.drain(..at + end.len()).collect()));
            }
            if !self.more(PATIENCE)? {
                return Ok(None);
            }
        }
    }

    /// The head of the next answer; its status is 0 if the connection ends before.
    pub fn reply_head(&mut self, method: &str) -> Result<Reply, String> {
        let Some(head) = self.until(b"\r\n\r\n")? else {
            let head = String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned();
            return Ok(Reply { head, ..Reply::default() });
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.get(..3)).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no answer begins with {head:?}"))?;
        let end = if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            End::After(0)
        } else if header(&head, "transfer-encoding").is_some() {
            End::Chunked
        } else {
            match header(&head, "content-length") {
                Some(length) => End::After(length.parse().map_err(|_| format!("a length that is none: {head:?}"))?),
                None => End::Closing,
            }
        };
        let reply = Reply { status, head, ..Reply::default() };
        self.open = Some((reply.clone(), end));
        Ok(reply)
    }

    /// The body of the answer that has begun up to the point where `until` says that it is enough, or to its end.
    pub fn reply_body(&mut self, until: impl Fn(&[u8]) -> bool) -> Result<Reply, String> {
        let Some((mut reply, mut end)) = self.open.take() else { return Err("no answer has begun".to_owned()) };
        loop {
            let more = match &mut end {
                End::After(0) => {
                    reply.whole = true;
                    return Ok(reply);
                }
                End::After(left) => {
                    let part = self.some(*left)?;
                    *left -= part.as_ref().map_or(0, Vec::len);
                    part
                }
                End::Closing => {
                    let part = self.some(usize::MAX)?;
                    reply.whole = part.is_none();
                    part
                }
                End::Chunked => match self.chunk()? {
                    Some(chunk) if chunk.is_empty() => {
                        reply.whole = true;
                        return Ok(reply);
                    }
                    chunk => chunk,
                },
            };
            let Some(more) = more else { return Ok(reply) };
            reply.body.extend_from_slice(&more);
            if until(&reply.body) {
                self.open = Some((reply.clone(), end));
                return Ok(reply);
            }
        }
    }

    /// The next answer to its end.
    pub fn reply(&mut self, method: &str) -> Result<Reply, String> {
        let reply = self.reply_head(method)?;
        if reply.status == 0 { Ok(reply) } else { self.reply_body(|_| false) }
    }

    /// At least one and at most `most` bytes; `None` at the end of the connection.
    fn some(&mut self, most: usize) -> Result<Option<Vec<u8>>, String> {
        if self.read.is_empty() && !self.more(PATIENCE)? {
            return Ok(None);
        }
        let count = self.read.len().min(most);
        Ok(Some(self.read.drain(..count).collect()))
    }

    /// The next chunk, empty for the last; `None` at the end of the connection.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let Some(line) = self.until(b"\r\n")? else { return Ok(None) };
        let size = lossy(&line).split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or_else(|| format!("a chunk begins with {:?}", lossy(&line)))?;
        if size == 0 {
            while let Some(line) = self.until(b"\r\n")? {
                if line == b"\r\n" {
                    return Ok(Some(Vec::new()));
                }
            }
            return Ok(None);
        }
        let Some(mut chunk) = self.take(size + 2)? else {
            return Ok(None);
        };
        chunk.truncate(size);
        Ok(Some(chunk))
    }
}

pub fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
