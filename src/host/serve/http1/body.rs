//! A request body as it comes from a connection, out of its framing.

use super::wire::{ReadEnd, Wire};
use crate::host::http1::{BodyDecoder, Framing, Head};
use crate::host::inspect::{BodySource, Fault};
use bytes::{Buf, Bytes};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) struct ClientBody<'w, S> {
    wire: &'w mut Wire<S>,
    decoder: BodyDecoder,
    /// Bytes to come; `None` for a chunked body.
    left: Option<u64>,
    /// Whether the client waits for `100 Continue`.
    waits: bool,
    time: Duration,
}

impl<'w, S> ClientBody<'w, S> {
    /// The body of the request with this head; `time` is the longest pause in it.
    pub(super) fn new(wire: &'w mut Wire<S>, head: &Head, time: Duration) -> Self {
        let left = match head.framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        ClientBody { wire, decoder: BodyDecoder::new(head.framing), left, waits: head.expect_continue, time }
    }

    /// Whether the body was read to its end.
    pub(super) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> BodySource for ClientBody<'_, S> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if self.decoder.is_done() {
                return Ok(None);
            }
            if self.wire.buffer.is_empty() {
                // Nothing asks for the body before phase 1 has passed: this is the moment at which it is wanted.
                if std::mem::take(&mut self.waits) {
                    let go_on = self.wire.write(&[b"HTTP/1.1 100 Continue\r\n\r\n"], self.time).await;
                    go_on.map_err(|_| Fault::Gone)?;
                }
                self.wire.read(self.time).await.map_err(|end| match end {
                    ReadEnd::Late => Fault::Refuse(408, "The request body paused for too long."),
                    ReadEnd::Closed => Fault::Refuse(400, "The request body ended early."),
                    ReadEnd::Failed => Fault::Gone,
                })?;
            }
            let mut data = Vec::new();
            let (used, _) = self
                .decoder
                .decode(&self.wire.buffer, &mut data)
                .map_err(|refused| Fault::Refuse(refused.status, refused.reason))?;
            self.wire.buffer.advance(used);
            if !data.is_empty() {
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                return Ok(Some(Bytes::from(data)));
            }
        }
    }

    fn left(&self) -> Option<u64> {
        self.left
    }
}
