//! zstd: its frames and blocks are told apart here, so that the decoder is given one block at a time.

use super::{Broken, Call, PIECE};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fmt;
use std::io::Read;

/// Bytes of the window that a frame may ask for: what RFC 8878 (section 3.1.1.1.2) recommends decoders to support, and RFC 9659
/// makes the limit for HTTP.
const WINDOW: u64 = 8 << 20;
/// Bytes of the largest block with its header, and of the checksum after the last.
const LARGEST_BLOCK: usize = 3 + (128 << 10) + 4;
const MAGIC: u32 = 0xFD2F_B528;
const SKIPPABLE: u32 = 0x184D_2A50;

/// What is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The header of a frame.
    Frame,
    /// A block, or what of the output is still in the window.
    Block,
    /// Bytes of a skippable frame.
    Skip(u32),
}

/// The decoder. Its tables are small, and a block of three bytes costs next to nothing: no input of it counts as idle.
pub(super) struct Zstd {
    part: Part,
    decoder: FrameDecoder,
    /// The beginning of what is read next, if it is not all here.
    pending: Vec<u8>,
    checksum: bool,
    /// The last block of the frame is decoded.
    last_block: bool,
    seen: bool,
}

/// How long what begins here is, as far as can be told.
enum Length {
    /// At least so many bytes are needed to tell.
    AtLeast(usize),
    Exactly(usize),
}

impl Zstd {
    pub(super) fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Zstd { part: Part::Frame, decoder, pending: Vec::new(), checksum: false, last_block: false, seen: false }
    }

    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Call, Broken> {
        if self.part == Part::Block {
            if self.drain(out)? {
                return Ok(Call { read: 0, full: true, idle: 0 });
            }
            if self.last_block {
                self.part = Part::Frame;
                self.seen = true;
            }
        }
        if let Part::Skip(left) = self.part {
            let skipped = input.len().min(left as usize);
            let left = left - skipped as u32;
            self.part = if left == 0 { Part::Frame } else { Part::Skip(left) };
            return Ok(Call { read: skipped, full: false, idle: 0 });
        }
        let mut read = 0;
        loop {
            let needed = match self.length()? {
                Length::Exactly(len) if self.pending.len() >= len => break,
                Length::Exactly(len) | Length::AtLeast(len) => len,
            };
            let rest = input.get(read..).unwrap_or_default();
            let taken = rest.len().min(needed.saturating_sub(self.pending.len()));
            if taken == 0 {
                return Ok(Call { read, full: false, idle: 0 });
            }
            self.pending.extend_from_slice(rest.get(..taken).unwrap_or_default());
            read += taken;
        }
        let pending = std::mem::take(&mut self.pending);
        self.read_whole(&pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(Call { read, full: self.part == Part::Block, idle: 0 })
    }

    /// Writes a piece of what is decoded; answers whether there may be more.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        let start = out.len();
        out.resize(start + PIECE, 0);
        let written = self.decoder.read(out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.as_ref().map_or(0, |&written| written));
        written.map(|written| written == PIECE).map_err(|_| Broken)
    }

    /// Tells how long the frame header or block is that `pending` begins.
    fn length(&self) -> Result<Length, Broken> {
        let pending = &self.pending;
        if self.part == Part::Block {
            let &[a, b, c, ..] = pending.as_slice() else { return Ok(Length::AtLeast(3)) };
            let header = u32::from_le_bytes([a, b, c, 0]);
            let size = (header >> 3) as usize;
            let content = match header >> 1 & 3 {
                0 | 2 => size,
                1 => 1,
                _ => return Err(Broken),
            };
            let checksum = if header & 1 == 1 && self.checksum { 4 } else { 0 };
            let len = 3 + content + checksum;
            return if len > LARGEST_BLOCK || size > 128 << 10 { Err(Broken) } else { Ok(Length::Exactly(len)) };
        }
        let &[a, b, c, d, ..] = pending.as_slice() else { return Ok(Length::AtLeast(4)) };
        match u32::from_le_bytes([a, b, c, d]) {
            magic if magic & 0xFFFF_FFF0 == SKIPPABLE => Ok(Length::Exactly(8)),
            MAGIC => {
                let Some(&descriptor) = pending.get(4) else { return Ok(Length::AtLeast(5)) };
                let single = descriptor >> 5 & 1;
                let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
                let size = match descriptor >> 6 {
                    0 => usize::from(single),
                    1 => 2,
                    2 => 4,
                    _ => 8,
                };
                Ok(Length::Exactly(5 + usize::from(1 - single) + dictionary + size))
            }
            _ => Err(Broken),
        }
    }

    /// Reads a whole frame header or block.
    fn read_whole(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match (self.part, bytes) {
            (Part::Block, _) => {
                self.last_block = bytes.first().is_some_and(|first| first & 1 == 1);
                let mut source = bytes;
                self.decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1)).map_err(|_| Broken)?;
            }
            (_, &[a, b, c, d, e, f, g, h]) if u32::from_le_bytes([a, b, c, d]) != MAGIC => {
                let len = u32::from_le_bytes([e, f, g, h]);
                self.seen = true;
                self.part = if len == 0 { Part::Frame } else { Part::Skip(len) };
            }
            _ => {
                self.checksum = bytes.get(4).is_some_and(|descriptor| descriptor >> 2 & 1 == 1);
                self.last_block = false;
                self.decoder.reset(bytes).map_err(|_| Broken)?;
                self.part = Part::Block;
            }
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.seen && self.part == Part::Frame && self.pending.is_empty()
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").field("part", &self.part).finish_non_exhaustive()
    }
}
