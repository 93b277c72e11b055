//! The backend of the CRS tests ([`backend`]), over TCP: what a server under test passes its requests to.

use crate::cli::ftw::backend;
use crate::host::http1::{BodyDecoder, Head, HeadLimits, Parsed, parse_head};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Bytes of a request that are read.
const MOST: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers requests from now on, as long as the process lives; where it listens. One request a connection.
///
/// # Errors
/// The address cannot be listened on.
pub fn start(address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // Who has gone needs no answer.
                let _: io::Result<()> = answer(stream);
            });
        }
    };
    std::thread::Builder::new().name("ftw-backend".to_owned()).spawn(serve)?;
    Ok(address)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut piece = [0; 16 << 10];
    let (head, body) = loop {
        if let Some(complete) = complete(&request) {
            break complete;
        }
        let read = stream.read(&mut piece)?;
        request.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || request.len() > MOST {
            return Ok(());
        }
    };
    let response = backend::answer(&head, &body).to_bytes();
    // One request a connection: said, or proxies would send the next one.
    let status_line = response.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let (line, rest) = response.split_at(status_line);
    stream.write_all(&[line, b"Connection: close\r\n", rest].concat())
}

/// A request, once all of it is there. One that the strict front end refuses is answered like any other: that the server under test
/// has let it pass is for the log to show.
fn complete(request: &[u8]) -> Option<(Head, Vec<u8>)> {
    let (head, consumed) = match parse_head(request, &HeadLimits::default()) {
        Ok(Parsed::Complete { head, consumed }) => (head, consumed),
        Ok(Parsed::Partial) => return None,
        Err(refused) => return Some((*refused.head, Vec::new())),
    };
    let mut body = Vec::new();
    match BodyDecoder::new(head.framing).decode(request.get(consumed..)?, &mut body) {
        Ok((_, false)) => None,
        Ok((_, true)) | Err(_) => Some((head, body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_over_tcp() {
        let address = start(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let body = r#"{"status":503,"body":"down"}"#;
        let length = body.len();
        for (request, status, end) in [
            (format!("POST /reflect HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}"), "503", "down"),
            ("GET /x HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "200", "\r\n\r\n"),
            ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "200", "\r\n\r\n"),
        ] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\nConnection: close\r\n")), "{answer}");
            assert!(answer.ends_with(end), "{answer}");
        }
    }
}
