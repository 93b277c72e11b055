//! What becomes of the pieces of a body on their way through a stream.

use super::messages::BodySendMode;
use crate::host::inspect::Share;
use bytes::{Bytes, BytesMut};

/// Bytes of one answer when a body that was held goes on: what Envoy's documentation recommends at most.
const PIECE: usize = 64 << 10;

/// Which half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// How far one half of an exchange is.
#[derive(Debug)]
pub(super) enum Flow {
    /// Its head has not come yet.
    Expected,
    /// Its body is shown to the engine, and goes on after the verdict.
    Held(Hold),
    /// Its body is shown to the engine, piece by piece, and each goes on at once.
    Watched,
    /// Its body goes on as it comes.
    Passing,
    /// Nothing of it goes on any more.
    Withheld,
    /// It has ended.
    Over,
}

/// A body that waits for its verdict.
#[derive(Debug)]
pub(super) struct Hold {
    /// What came before the last piece. Copied into one buffer: small pieces would each keep the whole message in memory that they came in.
    bytes: BytesMut,
    share: Share,
}

impl Hold {
    pub(super) fn new(share: Share) -> Hold {
        Hold { bytes: BytesMut::new(), share }
    }

    /// Takes memory for a piece; false if there is no more.
    pub(super) fn admit(&mut self, piece: &Bytes) -> bool {
        self.share.grow(piece.len())
    }

    /// Keeps a piece.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        self.bytes.extend_from_slice(piece);
    }

    /// How much is kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The body so far: what was kept, and the last piece.
    pub(super) fn release(self, last: Bytes) -> Bytes {
        if self.bytes.is_empty() {
            return last;
        }
        let mut bytes = self.bytes;
        bytes.extend_from_slice(&last);
        bytes.freeze()
    }
}

/// A body in pieces that fit into an answer each; one that is empty is one piece.
pub(super) fn pieces(mut bytes: Bytes) -> impl Iterator<Item = (Bytes, bool)> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let piece = bytes.split_to(bytes.len().min(PIECE));
        ended = bytes.is_empty();
        Some((piece, ended))
    })
}

/// How bodies come, as the first message of a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modes {
    pub(super) request: BodySendMode,
    pub(super) response: BodySendMode,
}

impl Modes {
    /// `None`: one of them is not spoken here.
    pub(super) fn of(request: i32, response: i32) -> Option<Modes> {
        let known = |mode: i32| BodySendMode::try_from(mode).ok().filter(|&mode| mode != BodySendMode::Grpc);
        Some(Modes { request: known(request)?, response: known(response)? })
    }

    pub(super) fn at(&self, side: Side) -> BodySendMode {
        match side {
            Side::Request => self.request,
            Side::Response => self.response,
        }
    }
}

/// Whether a body comes in one message.
pub(super) fn whole(mode: BodySendMode) -> bool {
    matches!(mode, BodySendMode::Buffered | BodySendMode::BufferedPartial)
}

/// Whether what goes on is what the answers hold.
pub(super) fn duplex(mode: BodySendMode) -> bool {
    mode == BodySendMode::FullDuplexStreamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_on_in_pieces_and_is_the_same() {
        for len in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let bytes = Bytes::from(vec![7; len]);
            let parts: Vec<(Bytes, bool)> = pieces(bytes.clone()).collect();
            assert_eq!(parts.iter().flat_map(|(piece, _)| piece.to_vec()).collect::<Vec<_>>(), bytes);
            assert!(parts.iter().all(|(piece, _)| piece.len() <= PIECE), "{len}");
            assert_eq!(parts.iter().map(|&(_, last)| last).filter(|&last| last).count(), 1, "{len}");
            assert!(parts.last().is_some_and(|&(_, last)| last), "{len}");
        }
    }
}
