//! A client that speaks HTTP/1.1.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing here takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

/// `GET`, on a connection of its own.
pub fn get(to: SocketAddr, target: &str) -> Answer {
    ask(to, "GET", target, "", b"").expect("an answer")
}

/// `POST`, on a connection of its own.
pub fn post(to: SocketAddr, target: &str, kind: &str, body: &[u8]) -> Answer {
    ask(to, "POST", target, &format!("Content-Type: {kind}\r\n"), body).expect("an answer")
}

/// Sends a request and reads the answer to its end. An answer that breaks off before its status is an error.
pub fn ask(to: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(LONG))?;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a test\r\nAccept: */*\r\nConnection: close\r\n{headers}{length}\r\n"
    );
    // Who is refused early may find the connection closed before everything is written.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    match (status, read) {
        (Some(status), _) => Ok(Answer { status, text }),
        (None, Err(problem)) => Err(problem),
        (None, Ok(_)) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
