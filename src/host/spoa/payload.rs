//! Payloads that come in several frames, put together.

use super::frames::{ABORT, FIN, Frame, Kind};
use super::status::Status;
use crate::host::inspect::Share;
use bytes::{Bytes, BytesMut};

/// Messages of HAProxy, and where their answer belongs.
pub(super) struct Payload {
    pub(super) stream: u64,
    pub(super) frame: u64,
    pub(super) bytes: Bytes,
    /// The memory that it takes of what all share.
    pub(super) _share: Share,
}

/// What has come so far of a payload. HAProxy sends the pieces of one after the other, and nothing in between.
pub(super) struct Assembly {
    open: Option<Open>,
    most: usize,
}

struct Open {
    stream: u64,
    frame: u64,
    bytes: BytesMut,
    share: Share,
}

impl Assembly {
    /// For payloads of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Assembly { open: None, most }
    }

    /// Takes a NOTIFY frame, or one that goes on with it; answers a payload that is whole.
    ///
    /// # Errors
    /// A piece of something else in between, or more than the limit.
    pub(super) fn take(&mut self, frame: &Frame<'_>, bytes: &Bytes, share: Share) -> Result<Option<Payload>, Status> {
        let (whole, aborted) = (frame.flags & FIN != 0, frame.flags & ABORT != 0);
        match (frame.kind, self.open.take()) {
            (Kind::Notify, None) if aborted => Ok(None),
            (Kind::Notify, None) if whole => Ok(Some(Payload {
                stream: frame.stream,
                frame: frame.frame,
                bytes: bytes.slice_ref(frame.payload),
                _share: share,
            })),
            (Kind::Notify, None) => {
                let bytes = BytesMut::from(frame.payload);
                self.open = Some(Open { stream: frame.stream, frame: frame.frame, bytes, share });
                Ok(None)
            }
            (Kind::More, Some(mut open)) if (open.stream, open.frame) == (frame.stream, frame.frame) => {
                if aborted {
                    return Ok(None);
                }
                if open.bytes.len() + frame.payload.len() > self.most {
                    return Err(Status::TooBig);
                }
                open.bytes.extend_from_slice(frame.payload);
                open.share.add(share);
                if !whole {
                    self.open = Some(open);
                    return Ok(None);
                }
                let Open { stream, frame, bytes, share } = open;
                Ok(Some(Payload { stream, frame, bytes: bytes.freeze(), _share: share }))
            }
            _ => Err(Status::Interlaced),
        }
    }
}
