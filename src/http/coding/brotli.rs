//! br.

use super::{Broken, Call, PIECE};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use std::fmt;

/// The decoder. Its window is as large as the stream says, at most 16 MB (RFC 7932, section 9.1; the "large window" extension is
/// off), and grows with what is decoded.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Brotli { state: BrotliState::new_strict(alloc(), alloc(), alloc()), ended: false }
    }

    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Call, Broken> {
        if self.ended {
            return if input.is_empty() { Ok(Call::skipped(0)) } else { Err(Broken) };
        }
        let start = out.len();
        out.resize(start + PIECE, 0);
        let (mut left, mut read, mut room, mut written, mut total) = (input.len(), 0, PIECE, 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            out.get_mut(start..).unwrap_or_default(),
            &mut total,
            &mut self.state,
        );
        out.truncate(start + written);
        let idle = read.saturating_sub(written);
        match result {
            BrotliResult::ResultSuccess => {
                self.ended = true;
                Ok(Call { read, full: false, idle })
            }
            BrotliResult::NeedsMoreInput => Ok(Call { read, full: false, idle }),
            BrotliResult::NeedsMoreOutput => Ok(Call { read, full: true, idle }),
            BrotliResult::ResultFailure => Err(Broken),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brotli").field("ended", &self.ended).finish_non_exhaustive()
    }
}
