//! gzip and deflate.

use super::{Broken, Call, PIECE};
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Runs the inflater for one piece of output; answers what it did and whether its stream is at its end.
fn inflate(inflater: &mut Decompress, input: &[u8], out: &mut Vec<u8>) -> Result<(Call, bool), Broken> {
    let start = out.len();
    let (read, written) = (inflater.total_in(), inflater.total_out());
    out.resize(start + PIECE, 0);
    let status = inflater.decompress(input, out.get_mut(start..).unwrap_or_default(), FlushDecompress::None);
    let written = usize::try_from(inflater.total_out() - written).unwrap_or(PIECE);
    out.truncate(start + written);
    let read = usize::try_from(inflater.total_in() - read).unwrap_or(input.len());
    match status {
        Ok(Status::StreamEnd) => Ok((Call { read, full: false, idle: read.saturating_sub(written) }, true)),
        Ok(_) => Ok((Call { read, full: written == PIECE, idle: read.saturating_sub(written) }, false)),
        Err(_) => Err(Broken),
    }
}

/// `deflate`: zlib, or raw deflate if the stream does not begin like zlib.
#[derive(Debug)]
pub(super) struct Deflate {
    /// Known once the first two bytes are.
    inflater: Option<Decompress>,
    first: Option<u8>,
    ended: bool,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Deflate { inflater: None, first: None, ended: false }
    }

    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Call, Broken> {
        if self.ended {
            return if input.is_empty() { Ok(Call::skipped(0)) } else { Err(Broken) };
        }
        if let Some(inflater) = &mut self.inflater {
            let (call, ended) = inflate(inflater, input, out)?;
            self.ended = ended;
            return Ok(call);
        }
        let Some((&byte, _)) = input.split_first() else { return Ok(Call::skipped(0)) };
        match self.first {
            None => self.first = Some(byte),
            Some(first) => {
                let is_zlib = first & 0x0F == 8 && u16::from_be_bytes([first, byte]).is_multiple_of(31);
                let inflater = self.inflater.insert(Decompress::new(is_zlib));
                // A raw stream of two bytes may have ended, and written nothing.
                let (_, ended) = inflate(inflater, &[first, byte], out)?;
                self.ended = ended;
            }
        }
        Ok(Call::skipped(1))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }
}

/// Where in a gzip member the reader is (RFC 1952, section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The ten bytes that every header has: how many were read.
    Head(u8),
    /// The length of the extra field, its bytes.
    ExtraLen(u8),
    Extra(u16),
    /// File name and comment, each up to a NUL; the checksum of the header.
    Name,
    Comment,
    HeadCrc(u8),
    Data,
    /// Checksum and length: how many of the eight bytes were read.
    Tail(u8),
}

const FLAG_HEAD_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

/// `gzip`: members, one after the other.
#[derive(Debug)]
pub(super) struct Gzip {
    part: Part,
    flags: u8,
    extra: u16,
    tail: [u8; 8],
    inflater: Decompress,
    crc: Crc,
    /// A member is complete.
    seen: bool,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Gzip {
            part: Part::Head(0),
            flags: 0,
            extra: 0,
            tail: [0; 8],
            inflater: Decompress::new(false),
            crc: Crc::new(),
            seen: false,
        }
    }

    pub(super) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Call, Broken> {
        let mut rest = input;
        let read = |rest: &[u8]| input.len() - rest.len();
        loop {
            if self.part == Part::Data {
                let start = out.len();
                let (call, ended) = inflate(&mut self.inflater, rest, out)?;
                self.crc.update(out.get(start..).unwrap_or_default());
                if ended {
                    self.part = Part::Tail(0);
                }
                return Ok(Call { read: read(rest) + call.read, idle: read(rest) + call.idle, ..call });
            }
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(Call::skipped(read(rest)));
            };
            rest = after;
            self.frame(byte)?;
        }
    }

    /// Reads a byte of header or tail.
    fn frame(&mut self, byte: u8) -> Result<(), Broken> {
        self.part = match self.part {
            Part::Head(at) => {
                match (at, byte) {
                    (0, 0x1F) | (1, 0x8B) | (2, 8) | (4..=9, _) => {}
                    // The three upper flags are reserved.
                    (3, flags @ 0..=0x1F) => self.flags = flags,
                    _ => return Err(Broken),
                }
                if at == 9 { self.after_head(0) } else { Part::Head(at + 1) }
            }
            Part::ExtraLen(0) => {
                self.extra = u16::from(byte);
                Part::ExtraLen(1)
            }
            Part::ExtraLen(_) => {
                self.extra |= u16::from(byte) << 8;
                if self.extra == 0 { self.after_head(FLAG_EXTRA) } else { Part::Extra(self.extra) }
            }
            Part::Extra(1) => self.after_head(FLAG_EXTRA),
            Part::Extra(left) => Part::Extra(left.saturating_sub(1)),
            Part::Name if byte == 0 => self.after_head(FLAG_NAME),
            Part::Comment if byte == 0 => self.after_head(FLAG_COMMENT),
            Part::Name | Part::Comment | Part::Data => self.part,
            Part::HeadCrc(0) => Part::HeadCrc(1),
            Part::HeadCrc(_) => self.begin_data(),
            Part::Tail(at) => {
                if let Some(place) = self.tail.get_mut(usize::from(at)) {
                    *place = byte;
                }
                if at == 7 { self.end_member()? } else { Part::Tail(at + 1) }
            }
        };
        Ok(())
    }

    /// What comes after a part of the header, which come in this order.
    fn after_head(&mut self, flag: u8) -> Part {
        let has = |next: u8| self.flags & next != 0;
        match flag {
            0 if has(FLAG_EXTRA) => Part::ExtraLen(0),
            0 | FLAG_EXTRA if has(FLAG_NAME) => Part::Name,
            0 | FLAG_EXTRA | FLAG_NAME if has(FLAG_COMMENT) => Part::Comment,
            _ if has(FLAG_HEAD_CRC) => Part::HeadCrc(0),
            _ => self.begin_data(),
        }
    }

    fn begin_data(&mut self) -> Part {
        self.inflater.reset(false);
        self.crc.reset();
        Part::Data
    }

    fn end_member(&mut self) -> Result<Part, Broken> {
        let [a, b, c, d, e, f, g, h] = self.tail;
        let (sum, len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if sum != self.crc.sum() || len != self.crc.amount() {
            return Err(Broken);
        }
        self.seen = true;
        Ok(Part::Head(0))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.seen && self.part == Part::Head(0)
    }
}
