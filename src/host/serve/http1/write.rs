//! An answer as HTTP/1 bytes.

use super::super::proxy::{Answer, AnswerBody};
use super::wire::Wire;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Data up to this size is sent in one write with the bytes around it.
const SMALL: usize = 4 << 10;

/// How long a head waits for the first data, to leave in one packet with it.
const PATIENCE: Duration = Duration::from_millis(2);

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    KeepAlive,
    Close,
}

/// Writes an answer that is no tunnel. `chunked`: the client understands chunks. An error means that the connection is useless, or that
/// the response was cut on purpose and must look so.
pub(super) async fn answer<S>(
    wire: &mut Wire<S>,
    answer: Answer,
    keep_alive: bool,
    chunked: bool,
    time: Duration,
) -> io::Result<Wrote>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let Answer { status, headers, body } = answer;
    let mut start = BytesMut::new();
    put_status(&mut start, status);
    put_headers(&mut start, &headers);
    // A body of unknown length for a client that knows no chunks ends with the connection.
    let until_close = matches!(body, AnswerBody::Stream { length: None, .. }) && !chunked;
    let keep_alive = keep_alive && !until_close;
    match &body {
        AnswerBody::None { length } => put_length(&mut start, *length),
        AnswerBody::Page(page) => put_length(&mut start, Some(page.len() as u64)),
        AnswerBody::Stream { length: None, .. } if chunked => {
            put(&mut start, &[TRANSFER_ENCODING.as_str().as_bytes(), b": chunked\r\n"]);
        }
        AnswerBody::Stream { length, .. } => put_length(&mut start, *length),
        AnswerBody::Tunnel(_) => {}
    }
    match (keep_alive, chunked) {
        (false, _) => put(&mut start, &[b"connection: close\r\n"]),
        // HTTP/1.0 closes unless told otherwise.
        (true, false) => put(&mut start, &[b"connection: keep-alive\r\n"]),
        (true, true) => {}
    }
    put(&mut start, &[b"\r\n"]);

    match body {
        AnswerBody::None { .. } | AnswerBody::Tunnel(_) => wire.write(&[&start], time).await?,
        AnswerBody::Page(page) => {
            start.extend_from_slice(&page);
            wire.write(&[&start], time).await?;
        }
        AnswerBody::Stream { mut body, length } => {
            let mut left = length;
            let frames = length.is_none() && chunked;
            // The head leaves with the first data if that is there already, and at once if not: an event stream may be silent
            // for long, and its reader wants to know that it is open.
            loop {
                let next = {
                    // Never dropped before it is ready: a verdict may be under way in it.
                    let mut next = pin!(body.next());
                    tokio::select! {
                        biased;
                        next = &mut next => next,
                        () = tokio::time::sleep(PATIENCE), if !start.is_empty() => {
                            wire.write(&[&start], time).await?;
                            start.clear();
                            next.await
                        }
                    }
                };
                let frame = match next {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(_) => return Err(io::ErrorKind::ConnectionAborted.into()),
                };
                if let Ok(data) = frame.into_data() {
                    // A body longer than announced would be read as the next response.
                    if let Some(left) = &mut left {
                        *left = left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
                    }
                    write_data(wire, &mut start, data, frames, time).await?;
                }
            }
            if left.is_some_and(|left| left > 0) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if frames {
                put(&mut start, &[b"0\r\n\r\n"]);
            }
            wire.write(&[&start], time).await?;
        }
    }
    Ok(if keep_alive { Wrote::KeepAlive } else { Wrote::Close })
}

/// Writes a head alone: that of a tunnel.
pub(super) async fn head<S>(
    wire: &mut Wire<S>,
    status: StatusCode,
    headers: &HeaderMap,
    time: Duration,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut start = BytesMut::new();
    put_status(&mut start, status);
    put_headers(&mut start, headers);
    put(&mut start, &[b"\r\n"]);
    wire.write(&[&start], time).await
}

/// Writes what is in `start` and then one piece of a body.
async fn write_data<S>(
    wire: &mut Wire<S>,
    start: &mut BytesMut,
    data: Bytes,
    frames: bool,
    time: Duration,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    // An empty chunk would be the last one.
    if data.is_empty() {
        return Ok(());
    }
    if frames {
        start.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    }
    let end: &[u8] = if frames { b"\r\n" } else { b"" };
    if data.len() <= SMALL {
        put(start, &[&data, end]);
        wire.write(&[start], time).await?;
    } else {
        wire.write(&[start, &data, end], time).await?;
    }
    start.clear();
    Ok(())
}

fn put(out: &mut BytesMut, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn put_status(out: &mut BytesMut, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or_default();
    put(out, &[b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", reason.as_bytes(), b"\r\n"]);
}

fn put_headers(out: &mut BytesMut, headers: &HeaderMap) {
    for (name, value) in headers {
        put(out, &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
}

fn put_length(out: &mut BytesMut, length: Option<u64>) {
    if let Some(length) = length {
        put(out, &[CONTENT_LENGTH.as_str().as_bytes(), b": ", length.to_string().as_bytes(), b"\r\n"]);
    }
}
