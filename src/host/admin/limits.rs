//! What one caller, or all of them, may take: sizes are known before anything is read, and nothing waits for ever.

use super::problem::Problem;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::BodyExt;
use std::time::Duration;

/// Request line and header fields; the signature of a bundle, about 500 bytes, is one of them. More: 431, by hyper.
pub(super) const HEAD_BYTES: usize = 16 << 10;
/// Header fields.
pub(super) const HEAD_FIELDS: usize = 64;
/// A body that is no upload. The largest that makes sense is the plan of a rollout with its probes.
pub(super) const JSON_BYTES: usize = 256 << 10;
/// Open connections of a listener; more wait in the kernel's queue. Each carries one request.
pub(super) const CONNECTIONS: usize = 32;
/// Open connections of local processes that may do nothing; more are closed.
pub(super) const STRANGERS: usize = 4;
/// For the TLS handshake, and for the head of a request.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// For a whole body.
pub(super) const BODY_TIME: Duration = Duration::from_secs(120);
/// For a connection, compiling included: whoever does not read the answer does not keep the place.
pub(super) const CONNECTION_TIME: Duration = Duration::from_secs(600);

/// Reads a body of at most `most` bytes; what announces more is refused before its first byte is read.
pub(super) async fn body<B>(head: &HeaderMap, body: B, most: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = head.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    match tokio::time::timeout(BODY_TIME, collect(body, most)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(408, "late", format!("the body took longer than {} s", BODY_TIME.as_secs()))),
    }
}

async fn collect<B>(mut body: B, most: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(400, "cut-short", "the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > most {
            return Err(too_large(most));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

fn too_large(most: usize) -> Problem {
    match most {
        0 => Problem::new(413, "too-large", "this route takes no body"),
        _ => Problem::new(413, "too-large", format!("the body may have {most} bytes at most")),
    }
}
