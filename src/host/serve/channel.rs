//! A body whose frames another task sends.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Frames that may wait; with the sockets' buffers enough to keep both sides busy.
const WAITING: usize = 2;

pub(super) struct Channel {
    frames: mpsc::Receiver<io::Result<Frame<Bytes>>>,
    left: Option<u64>,
}

pub(super) type Sender = mpsc::Sender<io::Result<Frame<Bytes>>>;

/// A body of `length` bytes, if that is known, and the sender of its frames. A sender that goes away without an error ends the body.
pub(super) fn channel(length: Option<u64>) -> (Sender, Channel) {
    let (sender, frames) = mpsc::channel(WAITING);
    (sender, Channel { frames, left: length })
}

impl Body for Channel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = std::task::ready!(self.frames.poll_recv(context));
        if let (Some(Ok(frame)), Some(left)) = (&next, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        Poll::Ready(next)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
