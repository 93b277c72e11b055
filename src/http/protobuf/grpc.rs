//! gRPC bodies: messages with a length before each of them, plain or compressed; gRPC-Web, whose text form is Base64 around all.

use super::{Described, Message};
use crate::http::coding::{Coding, Decoded, Decoding, End};
use crate::http::out::Out;
use crate::http::{Bytes, Kind, ParseLimits};
use crate::meter::Exhausted;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Fuel for one frame.
const PER_FRAME: u64 = 200;
/// Bytes of the head of a frame: flags and length.
const HEAD: usize = 5;
/// Bytes of names and copies that a message may give beside those it pays for.
const CONSTANT: usize = 1024;

/// What a frame holds.
#[derive(Debug)]
enum Content {
    Plain(Box<Message>),
    /// A compressed message: its coding is told by its first bytes.
    Compressed {
        message: Box<Message>,
        decoding: Option<Box<Decoding>>,
        plain: Vec<u8>,
    },
    /// The trailers of gRPC-Web.
    Trailers,
}

/// The frame that is read.
#[derive(Debug)]
struct Frame {
    start: usize,
    end: usize,
    content: Content,
}

/// The machine. The messages are named `grpc.0`, `grpc.1`.
#[derive(Debug)]
pub(in crate::http) struct Grpc {
    limits: ParseLimits,
    described: Option<Described>,
    /// The text form: what is decoded of it, and how much was read.
    text: Option<(Vec<u8>, usize)>,
    at: usize,
    number: u64,
    frame: Option<Frame>,
}

impl Grpc {
    pub(in crate::http) fn new(content_type: &[u8], limits: &ParseLimits, described: Option<Described>) -> Self {
        let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let name = b"application/grpc-web-text";
        let is_text = media_type.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        Grpc { limits: *limits, described, text: is_text.then(|| (Vec::new(), 0)), at: 0, number: 0, frame: None }
    }

    /// Reads on in `seen`, the body so far, all of it if `last`.
    pub(in crate::http) fn read(&mut self, seen: &[u8], last: bool, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let Some((mut text, mut read)) = self.text.take() else { return self.frames(seen, last, out) };
        let whole = seen.get(read..).unwrap_or_default();
        let len = if last { whole.len() } else { whole.len() / 4 * 4 };
        for group in whole.get(..len).unwrap_or_default().chunks(4) {
            // Messages are encoded one by one: padding may stand inside.
            let Ok(bytes) = STANDARD.decode(group) else {
                out.error("the body is not Base64");
                let name = out.fields.store(b"grpc")?;
                let rest = out.fields.store(seen.get(read..).unwrap_or_default())?;
                out.fields.push_stored(Kind::ArgPost, name, rest);
                out.stop = true;
                break;
            };
            text.extend_from_slice(&bytes);
            read += group.len();
        }
        let stop = std::mem::take(&mut out.stop);
        let result = self.frames(&text, last || stop, out);
        out.stop |= stop;
        self.text = Some((text, read));
        result
    }

    fn frames(&mut self, seen: &[u8], last: bool, out: &mut Out<'_>) -> Result<(), Exhausted> {
        while !out.stop {
            out.at = self.at;
            let Some(frame) = &mut self.frame else {
                let rest = seen.get(self.at..).unwrap_or_default();
                let &[flags, a, b, c, d, ..] = rest else {
                    if last && !rest.is_empty() {
                        out.error("a frame breaks off");
                        self.leaf(rest, out)?;
                    }
                    return Ok(());
                };
                self.begin(flags, u32::from_be_bytes([a, b, c, d]) as usize, out)?;
                continue;
            };
            let bytes = seen.get(frame.start..frame.end.min(seen.len())).unwrap_or_default();
            let complete = seen.len() >= frame.end;
            if !complete && last {
                out.error("a frame breaks off");
            }
            let is_all = complete || last;
            match &mut frame.content {
                Content::Plain(message) => message.read(bytes, is_all, out)?,
                Content::Compressed { message, decoding, plain } => {
                    let end = match decoding {
                        None if bytes.len() < 4 && !is_all => return Ok(()),
                        decoding => decoding.get_or_insert_with(|| Box::new(decoder(bytes, &self.limits))).step(
                            bytes,
                            is_all,
                            usize::MAX,
                            plain,
                            out.meter,
                        )?,
                    };
                    match end {
                        Decoded::Done(End::Complete) => message.read(plain, true, out)?,
                        Decoded::Done(end) => {
                            out.report.fail_coding(end);
                            message.read(plain, true, out)?;
                            let bytes = bytes.to_vec();
                            self.leaf(&bytes, out)?;
                            out.stop = true;
                            return Ok(());
                        }
                        _ => message.read(plain, false, out)?,
                    }
                }
                Content::Trailers if is_all => {
                    let bytes = bytes.to_vec();
                    self.leaf(&bytes, out)?;
                }
                Content::Trailers => {}
            }
            if !is_all || out.stop {
                return Ok(());
            }
            if let Some(frame) = self.frame.take() {
                self.at = frame.end.min(seen.len());
                self.number += 1;
            }
        }
        Ok(())
    }

    fn begin(&mut self, flags: u8, len: usize, out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.meter.charge(PER_FRAME)?;
        let root = format!("grpc.{}", self.number);
        let message = || Box::new(Message::new(root.as_bytes(), CONSTANT, &self.limits, self.described.as_ref()));
        let content = match flags {
            0 => Content::Plain(message()),
            1 => Content::Compressed { message: message(), decoding: None, plain: Vec::new() },
            0x80 => Content::Trailers,
            _ => {
                out.error("a frame has unknown flags");
                Content::Trailers
            }
        };
        let start = self.at + HEAD;
        self.frame = Some(Frame { start, end: start.saturating_add(len), content });
        Ok(())
    }

    /// Bytes that are no message.
    fn leaf(&self, bytes: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        if out.fields.arguments() >= self.limits.arguments {
            out.report.too_many_arguments(self.limits.arguments, out.at);
            out.stop = true;
            return Ok(());
        }
        let name: Bytes = out.fields.store(format!("grpc.{}", self.number).as_bytes())?;
        let value = out.fields.store(bytes)?;
        out.fields.push_stored(Kind::ArgPost, name, value);
        Ok(())
    }
}

/// The decoder for a compressed message.
fn decoder(start: &[u8], limits: &ParseLimits) -> Decoding {
    let coding = match start {
        [0x1F, 0x8B, ..] => Coding::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Coding::Zstd,
        _ => Coding::Deflate,
    };
    Decoding::new(&[coding], &limits.message)
}
