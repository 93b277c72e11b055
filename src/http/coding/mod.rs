//! Content codings of bodies (RFC 9110, section 8.4): gzip, deflate, br, zstd, and several of them one over the other.
//!
//! A coded body is opaque to every parser, so it is decoded before it is read, and a decoder is the one reader whose output can be
//! a thousand times its input. Three limits hold at every stage of the chain, not only at its end: the decoded bytes may not
//! outgrow the limit of the body, nor the received bytes by more than a ratio (beyond a floor under which no ratio matters), and
//! the number of codings is bounded. Between two stages lies one piece of output, never a whole body.
//!
//! Recipients differ in what they make of broken streams, so all that is not exactly a coded body is an [`End`] other than
//! [`Complete`](End::Complete): a stream that breaks off, bytes after its end, a checksum that does not fit. What was decoded until
//! then is kept. (Checksums of zstd frames are not compared: the decoder does not compute them.)

mod brotli;
mod inflate;
mod zstd;

use super::body::BLOCK;
use crate::meter::{Exhausted, Meter, Price};
use brotli::Brotli;
use inflate::{Deflate, Gzip};
use std::fmt;
use zstd::Zstd;

/// Fuel for one byte that a decoder reads: its share of the code tables that precede the data.
const PER_BYTE_IN: u64 = 300;
/// Fuel for one byte more that a decoder reads than it writes at a time. Such input defines code tables and hardly uses them: ten
/// bits of a deflate stream are a block without content, for which two tables are built.
const PER_BYTE_IDLE: u64 = 1500;
/// Fuel for one byte that a decoder writes.
const PER_BYTE_OUT: u64 = 3;
/// Bytes that a decoder writes at once; one of zstd writes a block of that format.
const PIECE: usize = 16 << 10;
/// Bytes that a decoder may write in one call: the largest block of zstd (RFC 8878, section 3.1.1.2.3).
const LARGEST_PIECE: usize = 128 << 10;

/// What reading `n` bytes costs a stage at most, whatever they are; most cost a sixth of it.
///
/// ```
/// use fusewall::http::coding;
/// assert!(coding::price_in().of(1 << 10) < 2_000_000);
/// assert!(coding::price_out().of(1 << 20) < 10_000_000);
/// ```
pub const fn price_in() -> Price {
    Price::per_byte(0, PER_BYTE_IN + PER_BYTE_IDLE)
}

/// What having written `n` bytes costs a stage.
pub const fn price_out() -> Price {
    Price::per_byte(0, PER_BYTE_OUT)
}

/// A coding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, `x-gzip` (RFC 1952); several members are one body.
    Gzip,
    /// `deflate`: zlib (RFC 1950) as the standard says, or raw deflate (RFC 1951) as some clients send it.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878); several frames are one body.
    Zstd,
}

/// Why a body is not decoded at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Undecodable {
    /// A coding is not one that is known.
    Unknown,
    /// There are more codings than the limit.
    TooMany,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undecodable::Unknown => "the content coding is not known",
            Undecodable::TooMany => "there are too many content codings",
        })
    }
}

/// The codings that the values of all `Content-Encoding` fields name, in the order in which they were applied. `identity` is none.
///
/// ```
/// use fusewall::http::coding::{Coding, Undecodable, codings};
/// let values = [&b"identity, X-GZip"[..], b"br"];
/// assert_eq!(codings(values, 3), Ok(vec![Coding::Gzip, Coding::Brotli]));
/// assert_eq!(codings(values, 1), Err(Undecodable::TooMany));
/// assert_eq!(codings([&b"compress"[..]], 3), Err(Undecodable::Unknown));
/// ```
///
/// # Errors
/// [`Undecodable`] when a coding is unknown or there are more than `most`.
pub fn codings<'a>(values: impl IntoIterator<Item = &'a [u8]>, most: usize) -> Result<Vec<Coding>, Undecodable> {
    let mut codings = Vec::new();
    let names = values.into_iter().flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    for name in names {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let coding = match name {
            _ if name.is_empty() || is(b"identity") => continue,
            _ if is(b"gzip") || is(b"x-gzip") => Coding::Gzip,
            _ if is(b"deflate") => Coding::Deflate,
            _ if is(b"br") => Coding::Brotli,
            _ if is(b"zstd") => Coding::Zstd,
            _ => return Err(Undecodable::Unknown),
        };
        if codings.len() == most {
            return Err(Undecodable::TooMany);
        }
        codings.push(coding);
    }
    Ok(codings)
}

/// What may come out of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes that a stage may write.
    pub decoded: usize,
    /// Bytes that a stage may write for each byte of the body...
    pub ratio: usize,
    /// ...once it has written more than this.
    pub ratio_from: usize,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// All of it is decoded.
    Complete,
    /// It breaks off; all that was there is decoded.
    Truncated,
    /// It is not what its coding says: from some byte on it could not be decoded.
    Broken,
    /// It expands by more than the ratio: the rest is not decoded.
    Ratio,
    /// It is longer than the limit: the rest is not decoded.
    Limit,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Complete => "the body is complete",
            End::Truncated => "the coded body breaks off",
            End::Broken => "the body is not what its coding says",
            End::Ratio => "the body expands too much",
            End::Limit => "the decoded body is over the limit",
        })
    }
}

/// How far a step got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decoded {
    /// The quantum is used up: call again.
    More,
    /// All blocks so far are decoded: call again with a longer body, or with `last`.
    NeedInput,
    /// Nothing more comes.
    Done(End),
}

/// The stream is not what its coding says.
struct Broken;

/// What a call of a decoder did.
struct Call {
    /// Bytes of the input it is done with.
    read: usize,
    /// There is output that did not fit: call again, even without input.
    full: bool,
    /// Bytes read for which no output came.
    idle: usize,
}

impl Call {
    /// Nothing but reading was done.
    const fn skipped(read: usize) -> Call {
        Call { read, full: false, idle: read }
    }
}

/// One decoder. Each call reads some input and writes a piece of output, or fails.
#[derive(Debug)]
enum Decoder {
    Gzip(Box<Gzip>),
    Deflate(Box<Deflate>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
}

impl Decoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Decoder::Gzip(Box::new(Gzip::new())),
            Coding::Deflate => Decoder::Deflate(Box::new(Deflate::new())),
            Coding::Brotli => Decoder::Brotli(Box::new(Brotli::new())),
            Coding::Zstd => Decoder::Zstd(Box::new(Zstd::new())),
        }
    }

    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Call, Broken> {
        match self {
            Decoder::Gzip(decoder) => decoder.decode(input, out),
            Decoder::Deflate(decoder) => decoder.decode(input, out),
            Decoder::Brotli(decoder) => decoder.decode(input, out),
            Decoder::Zstd(decoder) => decoder.decode(input, out),
        }
    }

    /// Whether a stream is complete that ends here.
    fn is_complete(&self) -> bool {
        match self {
            Decoder::Gzip(decoder) => decoder.is_complete(),
            Decoder::Deflate(decoder) => decoder.is_complete(),
            Decoder::Brotli(decoder) => decoder.is_complete(),
            Decoder::Zstd(decoder) => decoder.is_complete(),
        }
    }
}

/// A decoder and what it has to read.
#[derive(Debug)]
struct Stage {
    decoder: Decoder,
    /// What the stage before has written; of the first stage, a block of the body.
    input: Vec<u8>,
    read: usize,
    full: bool,
    written: usize,
}

/// Undoes the codings of one body.
///
/// ```
/// use fusewall::http::coding::{Coding, DecodeLimits, Decoded, Decoding, End};
/// use fusewall::meter::Meter;
/// let limits = DecodeLimits { decoded: 1 << 20, ratio: 100, ratio_from: 1 << 16 };
/// let mut decoding = Decoding::new(&[Coding::Deflate], &limits);
/// let stored = [0x01, 0x02, 0x00, 0xfd, 0xff, b'h', b'i'];
/// let mut out = Vec::new();
/// let end = decoding.step(&stored, true, usize::MAX, &mut out, &mut Meter::unlimited()).unwrap();
/// assert_eq!((end, &*out), (Decoded::Done(End::Complete), &b"hi"[..]));
/// ```
#[derive(Debug)]
pub struct Decoding {
    /// The coding that was applied last comes first.
    stages: Vec<Stage>,
    limits: DecodeLimits,
    /// Bytes of the body that the first stage was given.
    at: usize,
    end: Option<End>,
}

impl Decoding {
    /// A decoder for one body. `codings` are in the order in which they were applied.
    pub fn new(codings: &[Coding], limits: &DecodeLimits) -> Decoding {
        let stage =
            |&coding| Stage { decoder: Decoder::new(coding), input: Vec::new(), read: 0, full: false, written: 0 };
        Decoding { stages: codings.iter().rev().map(stage).collect(), limits: *limits, at: 0, end: None }
    }

    /// Decodes on in `body` until about `quantum` bytes were read and written, and appends to `out`.
    ///
    /// `body` is the whole body received so far, always from its start. `last` says that no more will come. Output, end and fuel do
    /// not depend on how the body arrives: it is read in blocks at absolute offsets.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent; the decoder must not be used again.
    pub fn step(
        &mut self,
        body: &[u8],
        last: bool,
        quantum: usize,
        out: &mut Vec<u8>,
        meter: &mut Meter,
    ) -> Result<Decoded, Exhausted> {
        let mut done: usize = 0;
        loop {
            if let Some(end) = self.end {
                return Ok(Decoded::Done(end));
            }
            if done >= quantum.max(1) {
                return Ok(Decoded::More);
            }
            // The stage nearest to the end goes first: what lies between the stages never piles up.
            let next = self.stages.iter().rposition(|stage| stage.full || stage.read < stage.input.len());
            match next {
                Some(index) => done = done.saturating_add(self.run(index, out, meter)?),
                None => {
                    let left = body.len().saturating_sub(self.at);
                    if left < BLOCK && !last {
                        return Ok(Decoded::NeedInput);
                    }
                    let block = body.get(self.at..self.at + left.min(BLOCK)).unwrap_or_default();
                    if block.is_empty() {
                        let complete = self.stages.iter().all(|stage| stage.decoder.is_complete());
                        self.end = Some(if complete { End::Complete } else { End::Truncated });
                        continue;
                    }
                    self.at += block.len();
                    match self.stages.first_mut() {
                        Some(stage) => stage.take(block, meter)?,
                        None => {
                            out.extend_from_slice(block);
                            done = done.saturating_add(block.len());
                        }
                    }
                }
            }
        }
    }

    /// Runs a stage for one piece of output; answers how many bytes it has read and written.
    fn run(&mut self, index: usize, out: &mut Vec<u8>, meter: &mut Meter) -> Result<usize, Exhausted> {
        let (now, after) = self.stages.split_at_mut(index + 1);
        let Some(stage) = now.last_mut() else { return Ok(0) };
        let mut piece = Vec::new();
        let is_last = after.is_empty();
        let start = out.len();
        let target = if is_last { &mut *out } else { &mut piece };
        let call = stage.decoder.decode(stage.input.get(stage.read..).unwrap_or_default(), target);
        let written = target.len() - if is_last { start } else { 0 };
        meter.charge(PER_BYTE_OUT * written as u64)?;
        stage.written += written;
        let over = stage.written.saturating_sub(self.limits.decoded);
        if over > 0 {
            self.end = Some(End::Limit);
            target.truncate(target.len().saturating_sub(over));
        } else if stage.written > self.limits.ratio_from && stage.written > self.at.saturating_mul(self.limits.ratio) {
            self.end = Some(End::Ratio);
        }
        let mut done = written;
        match call {
            Ok(call) => {
                stage.read += call.read;
                stage.full = call.full;
                done += call.read;
                meter.charge(PER_BYTE_IDLE * call.idle as u64)?;
                if call.read == 0 && written == 0 && !call.full && stage.read < stage.input.len() {
                    // Nothing comes of the rest of this input; no decoder does that, and none shall make us wait.
                    self.end.get_or_insert(End::Broken);
                }
            }
            Err(Broken) => {
                self.end.get_or_insert(End::Broken);
            }
        }
        if let Some(next) = after.first_mut() {
            next.take(&piece, meter)?;
        }
        Ok(done.max(1))
    }
}

impl Stage {
    /// Gives the stage its next input; the last is read.
    fn take(&mut self, input: &[u8], meter: &mut Meter) -> Result<(), Exhausted> {
        meter.charge(PER_BYTE_IN * input.len() as u64)?;
        self.input.clear();
        self.read = 0;
        self.input.extend_from_slice(input);
        Ok(())
    }
}

const _: () = assert!(PIECE <= LARGEST_PIECE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_named_without_case_and_in_order() {
        assert_eq!(codings([&b""[..]], 3), Ok(vec![]));
        assert_eq!(codings([&b"Identity ,, identity"[..]], 0), Ok(vec![]));
        assert_eq!(
            codings([&b" GZIP\t, deflate"[..], b"ZSTD"], 3),
            Ok(vec![Coding::Gzip, Coding::Deflate, Coding::Zstd])
        );
        assert_eq!(codings([&b"gzip;q=1"[..]], 3), Err(Undecodable::Unknown));
        assert_eq!(codings([&b"gzip gzip"[..]], 3), Err(Undecodable::Unknown));
    }

    #[test]
    fn no_coding_is_a_copy() {
        let limits = DecodeLimits { decoded: usize::MAX, ratio: 1, ratio_from: 0 };
        let mut out = Vec::new();
        let mut decoding = Decoding::new(&[], &limits);
        let end = decoding.step(b"plain", true, usize::MAX, &mut out, &mut Meter::unlimited()).unwrap();
        assert_eq!((end, &*out), (Decoded::Done(End::Complete), &b"plain"[..]));
    }
}
