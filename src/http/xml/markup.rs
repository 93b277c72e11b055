//! The parts of an XML document that are not elements: references, comments, CDATA sections, instructions, declarations.

use super::Out;
use crate::http::Kind as FieldKind;
use crate::meter::Exhausted;

/// Longest reference that is read, in bytes: `#x10FFFF` and a good many leading zeros.
const MAX_REFERENCE: usize = 32;
/// Bytes of an XML declaration that are looked at for its encoding.
const MAX_DECLARATION: usize = 256;

/// A reference after its `&`.
#[derive(Debug, Default)]
pub(super) struct Reference {
    name: [u8; MAX_REFERENCE],
    len: usize,
}

impl Reference {
    /// Takes the next byte; answers whether it belongs to the reference.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        let belongs = byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b'-' | b'.' | b':' | 0x80..);
        match self.name.get_mut(self.len) {
            Some(slot) if belongs => {
                *slot = byte;
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        self.name.get(..self.len).unwrap_or_default()
    }

    /// The character it stands for, if it is a character reference or a predefined entity (XML 1.0, sections 4.1 and 4.6).
    pub(super) fn character(&self) -> Option<char> {
        let code = match self.name() {
            b"lt" => return Some('<'),
            b"gt" => return Some('>'),
            b"amp" => return Some('&'),
            b"apos" => return Some('\''),
            b"quot" => return Some('"'),
            [b'#', b'x', digits @ ..] => number(digits, 16)?,
            [b'#', digits @ ..] => number(digits, 10)?,
            _ => return None,
        };
        char::from_u32(code).filter(|character| *character >= ' ' || matches!(character, '\t' | '\n' | '\r'))
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

/// Markup that is not an element, after `<!` or `<?`.
#[derive(Debug)]
pub(super) struct Skipped {
    kind: Kind,
    /// The last two bytes, with which an end may begin.
    tail: [u8; 2],
    /// The first bytes, until they tell what it is; an instruction's whole text.
    start: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `<!` and not enough to tell.
    Unknown,
    Comment,
    CharacterData,
    Instruction,
    /// `<!DOCTYPE`: how many brackets are open, and in which quotes we are.
    DocumentType {
        bracket: bool,
        quote: Option<u8>,
    },
}

impl Skipped {
    /// What begins with `<` and `mark`.
    pub(super) fn begin(mark: u8) -> Self {
        let kind = if mark == b'?' { Kind::Instruction } else { Kind::Unknown };
        Skipped { kind, tail: [0; 2], start: Vec::new() }
    }

    /// Reads on; answers what follows and whether the end was there. The content of a CDATA section is appended to `text`.
    pub(super) fn read<'b>(
        &mut self,
        block: &'b [u8],
        text: &mut Vec<u8>,
        out: &mut Out<'_>,
    ) -> Result<(&'b [u8], bool), Exhausted> {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            match self.kind {
                Kind::Unknown => {
                    rest = after;
                    if self.classify(byte, out) {
                        return Ok((rest, true));
                    }
                }
                Kind::DocumentType { bracket, quote } => {
                    rest = after;
                    if self.declaration(byte, bracket, quote, out) {
                        return Ok((rest, true));
                    }
                }
                Kind::Comment | Kind::CharacterData | Kind::Instruction => {
                    let len = memchr::memchr(b'>', rest).map_or(rest.len(), |at| at + 1);
                    let (piece, next) = rest.split_at(len);
                    rest = next;
                    if self.piece(piece, text, out)? {
                        return Ok((rest, true));
                    }
                }
            }
        }
        Ok((rest, false))
    }

    /// Reads up to and with a `>`, at which a comment, section or instruction may end; answers whether it does.
    fn piece(&mut self, piece: &[u8], text: &mut Vec<u8>, out: &mut Out<'_>) -> Result<bool, Exhausted> {
        match self.kind {
            Kind::CharacterData => text.extend_from_slice(piece),
            Kind::Instruction => self.start.extend_from_slice(piece),
            _ => {}
        }
        let mark = last_two(self.tail, piece.strip_suffix(b">").unwrap_or(piece));
        self.tail = last_two(self.tail, piece);
        if !piece.ends_with(b">") {
            return Ok(false);
        }
        Ok(match self.kind {
            Kind::Comment => mark == *b"--",
            Kind::CharacterData if mark == *b"]]" => {
                text.truncate(text.len().saturating_sub(3));
                true
            }
            Kind::Instruction if mark[1] == b'?' => {
                self.instruction(out)?;
                true
            }
            _ => false,
        })
    }

    /// Gives out a processing instruction; that at the beginning of the document tells the encoding instead.
    fn instruction(&self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let whole = self.start.strip_suffix(b"?>").unwrap_or(&self.start);
        let (target, data) = whole.split_at(whole.iter().position(u8::is_ascii_whitespace).unwrap_or(whole.len()));
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" \t\n._-='\"".contains(byte);
        if target == b"xml" && data.len() <= MAX_DECLARATION && data.iter().all(plain) {
            check_declaration(data, out);
            return Ok(());
        }
        out.meter.charge(super::PER_TAG)?;
        out.fields.push(FieldKind::XmlAttribute, target, data.trim_ascii())
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.start.len()
    }

    /// Reads a byte of a document type declaration; answers whether it ends it.
    fn declaration(&mut self, byte: u8, mut bracket: bool, mut quote: Option<u8>, out: &mut Out<'_>) -> bool {
        match (quote, byte) {
            (Some(open), _) => quote = quote.filter(|_| open != byte),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => {
                out.error("the document type declaration has declarations, which are not read");
                bracket = true;
            }
            (None, b']') => bracket = false,
            (None, b'>') if !bracket => return true,
            (None, _) => {}
        }
        self.kind = Kind::DocumentType { bracket, quote };
        false
    }

    /// Finds out what `<!` begins; answers whether it has ended already.
    fn classify(&mut self, byte: u8, out: &mut Out<'_>) -> bool {
        self.start.push(byte);
        let kind = match self.start.as_slice() {
            b"--" => Kind::Comment,
            b"[CDATA[" => Kind::CharacterData,
            b"DOCTYPE" => {
                out.report.xml_doctype = true;
                Kind::DocumentType { bracket: false, quote: None }
            }
            start if [&b"--"[..], b"[CDATA[", b"DOCTYPE"].iter().any(|word| word.starts_with(start)) => return false,
            _ => {
                out.error("a declaration is unknown");
                if byte == b'>' {
                    return true;
                }
                Kind::DocumentType { bracket: false, quote: None }
            }
        };
        self.kind = kind;
        // An end does not share bytes with the beginning: `<!-->` is no comment.
        self.tail = [0; 2];
        false
    }
}

/// The last two bytes of what was read, when `piece` follows something that ended with `before`.
fn last_two(before: [u8; 2], piece: &[u8]) -> [u8; 2] {
    match *piece {
        [.., first, second] => [first, second],
        [only] => [before[1], only],
        [] => before,
    }
}

/// Refuses the encodings that this reader would misread (XML 1.0, section 4.3.3).
fn check_declaration(declaration: &[u8], out: &mut Out<'_>) {
    let declaration = declaration.to_ascii_lowercase();
    let Some(at) = declaration.windows(8).position(|word| word == b"encoding") else { return };
    let value = declaration.get(at + 8..).unwrap_or_default().trim_ascii_start();
    let value = value.strip_prefix(b"=").unwrap_or_default().trim_ascii_start().get(1..).unwrap_or_default();
    match value.split(|byte| matches!(byte, b'"' | b'\'')).next().unwrap_or_default() {
        b"utf-8" | b"us-ascii" | b"ascii" => {}
        b"iso-8859-1" | b"iso-8859-15" | b"windows-1252" => out.single_bytes = true,
        _ => out.error("the encoding is not one that is read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_characters_or_nothing() {
        for (name, character) in [
            ("lt", Some('<')),
            ("#65", Some('A')),
            ("#x41", Some('A')),
            ("#x00000041", Some('A')),
            ("#x10FFFF", Some('\u{10FFFF}')),
            ("#xD800", None),
            ("#x110000", None),
            ("#0", None),
            ("#+65", None),
            ("#x", None),
            ("#X41", None),
            ("LT", None),
            ("nbsp", None),
            ("", None),
        ] {
            let mut reference = Reference::default();
            assert!(name.bytes().all(|byte| reference.push(byte) || byte == b'+'));
            if !name.contains('+') {
                assert_eq!(reference.character(), character, "{name}");
            }
        }
    }
}
