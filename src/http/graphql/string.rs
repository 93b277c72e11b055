//! Strings of GraphQL, read in pieces: `"..."` with escapes, `"""..."""` without.

use super::PER_ESCAPE;
use crate::http::Bytes;
use crate::http::out::Out;
use crate::meter::Exhausted;

/// What is being read.
#[derive(Debug, Default)]
enum State {
    /// So many opening quotes, up to three.
    #[default]
    One,
    Two,
    /// The text of a short string.
    Text,
    /// An escape of a short string: its bytes so far.
    Escape(Vec<u8>),
    /// The text of a block string.
    Block,
    /// So many quotes in a block string.
    Quotes(u8),
    /// A backslash in a block string, and so many quotes.
    BlockEscape(u8),
}

/// The longest escape: `\u{0010FFFF}` without its backslash.
const LONGEST: usize = 11;

/// A string after its first quote.
#[derive(Debug, Default)]
pub(super) struct Quoted {
    state: State,
    value: Bytes,
    /// A high surrogate that waits for its low one, as written.
    high: Option<(u16, Vec<u8>)>,
}

impl Quoted {
    /// What was read.
    pub(super) fn value(&self) -> Bytes {
        self.value
    }

    /// Reads up to the closing quotes; answers what follows and whether they were there.
    pub(super) fn read<'b>(&mut self, block: &'b [u8], out: &mut Out<'_>) -> Result<(&'b [u8], bool), Exhausted> {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            match &mut self.state {
                State::One if byte == b'"' => self.state = State::Two,
                State::One => {
                    self.state = State::Text;
                    continue;
                }
                State::Two if byte == b'"' => self.state = State::Block,
                // The empty string.
                State::Two => return Ok((rest, true)),
                State::Text => {
                    let special = |&byte: &u8| matches!(byte, b'"' | b'\\' | 0..=8 | 10..=0x1F);
                    let len = rest.iter().position(special).unwrap_or(rest.len());
                    let (run, next) = rest.split_at(len);
                    if !run.is_empty() {
                        self.put(run, out)?;
                        rest = next;
                        continue;
                    }
                    match byte {
                        b'"' => {
                            self.lone_surrogate(out)?;
                            return Ok((after, true));
                        }
                        b'\\' => {
                            out.meter.charge(PER_ESCAPE)?;
                            self.state = State::Escape(Vec::new());
                        }
                        _ => {
                            out.error("a string has a control character");
                            self.put(&[byte], out)?;
                        }
                    }
                }
                State::Escape(escape) => {
                    escape.push(byte);
                    let escape = escape.clone();
                    match whole(&escape) {
                        Escape::Open if escape.len() < LONGEST => {}
                        Escape::Byte(plain) => {
                            self.state = State::Text;
                            self.put(&[plain], out)?;
                        }
                        Escape::Code(code) => {
                            self.state = State::Text;
                            self.code(code, &escape, out)?;
                        }
                        Escape::Open | Escape::Unknown => {
                            out.error("a string has an unknown escape");
                            self.state = State::Text;
                            self.put(b"\\", out)?;
                            let (_, kept) = escape.split_last().unwrap_or((&0, &[]));
                            self.put(kept, out)?;
                            // The last byte is read again as plain text, unless it ends the string.
                            continue;
                        }
                    }
                }
                State::Block => match byte {
                    b'"' => self.state = State::Quotes(1),
                    b'\\' => self.state = State::BlockEscape(0),
                    _ => {
                        let len = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
                        let (run, next) = rest.split_at(len);
                        out.fields.append(&mut self.value, run)?;
                        rest = next;
                        continue;
                    }
                },
                State::Quotes(2) if byte == b'"' => return Ok((after, true)),
                State::Quotes(count) if byte == b'"' => *count += 1,
                State::Quotes(count) => {
                    let quotes = usize::from(*count);
                    self.state = State::Block;
                    out.fields.append(&mut self.value, b"\"\"".get(..quotes).unwrap_or_default())?;
                    continue;
                }
                // Only three quotes can be escaped.
                State::BlockEscape(2) if byte == b'"' => {
                    self.state = State::Block;
                    out.fields.append(&mut self.value, b"\"\"\"")?;
                }
                State::BlockEscape(count) if byte == b'"' => *count += 1,
                State::BlockEscape(0) => {
                    self.state = State::Block;
                    out.fields.append(&mut self.value, b"\\")?;
                    if byte != b'\\' {
                        continue;
                    }
                    self.state = State::BlockEscape(0);
                }
                State::BlockEscape(count) => {
                    let quotes = *count;
                    out.fields.append(&mut self.value, b"\\")?;
                    self.state = State::Quotes(quotes);
                    continue;
                }
            }
            rest = after;
        }
        Ok((rest, false))
    }

    /// The body ends inside the string; answers whether the string is closed all the same.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match std::mem::replace(&mut self.state, State::Text) {
            State::Two => return Ok(true),
            State::Escape(escape) => {
                self.put(b"\\", out)?;
                self.put(&escape, out)?;
            }
            State::BlockEscape(_) => out.fields.append(&mut self.value, b"\\")?,
            _ => {}
        }
        self.lone_surrogate(out)?;
        Ok(false)
    }

    fn put(&mut self, bytes: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.lone_surrogate(out)?;
        out.fields.append(&mut self.value, bytes)
    }

    /// An escaped code unit or code point.
    fn code(&mut self, code: u32, escape: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let mut code = code;
        if let (Some((high, _)), 0xDC00..=0xDFFF) = (&self.high, code) {
            code = 0x10000 + ((u32::from(*high) - 0xD800) << 10) + (code - 0xDC00);
            self.high = None;
        }
        self.lone_surrogate(out)?;
        match (u16::try_from(code), char::from_u32(code)) {
            (Ok(high @ 0xD800..=0xDBFF), _) => self.high = Some((high, escape.to_vec())),
            (_, Some(char)) => self.put(char.encode_utf8(&mut [0; 4]).as_bytes(), out)?,
            (_, None) => {
                out.error("a string has a lone surrogate or no character");
                self.put(b"\\", out)?;
                self.put(escape, out)?;
            }
        }
        Ok(())
    }

    /// A high surrogate to which no low one came stays as it was written.
    fn lone_surrogate(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let Some((_, escape)) = self.high.take() else { return Ok(()) };
        out.error("a string has a lone surrogate or no character");
        out.fields.append(&mut self.value, b"\\")?;
        out.fields.append(&mut self.value, &escape)
    }
}

/// What the bytes after a backslash are.
enum Escape {
    /// More must come.
    Open,
    Byte(u8),
    Code(u32),
    Unknown,
}

fn whole(escape: &[u8]) -> Escape {
    let code = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, 16).ok().map(Escape::Code)
    };
    let are_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match escape {
        [plain @ (b'"' | b'\\' | b'/')] => Escape::Byte(*plain),
        b"b" => Escape::Byte(8),
        b"f" => Escape::Byte(12),
        b"n" => Escape::Byte(b'\n'),
        b"r" => Escape::Byte(b'\r'),
        b"t" => Escape::Byte(b'\t'),
        b"u" | b"u{" => Escape::Open,
        [b'u', b'{', digits @ .., b'}'] if are_hex(digits) => code(digits).unwrap_or(Escape::Unknown),
        [b'u', b'{', digits @ ..] if are_hex(digits) => Escape::Open,
        [b'u', digits @ ..] if are_hex(digits) && digits.len() < 4 => Escape::Open,
        [b'u', digits @ ..] if are_hex(digits) => code(digits).unwrap_or(Escape::Unknown),
        _ => Escape::Unknown,
    }
}
