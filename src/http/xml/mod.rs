//! XML bodies: all text as one value (`XML:/*`), each attribute value (`XML://@*`).
//!
//! With `SecParseXmlIntoArgs` the text of each element is an argument, too (`arguments`).
//!
//! A reader of its own, not a general XML parser: it resolves nothing, keeps going after errors and never recurses. Text is that of
//! elements and CDATA sections, with line ends, character references and the five predefined entities replaced as XML 1.0 says
//! (sections 2.11, 4.1 and 4.6); white space in attribute values becomes blanks (section 3.3.3). Comments are not text. As in
//! XPath, namespace declarations are not attributes, unless what they hold is no address. A processing instruction is given out
//! like an attribute, with its target for a name: `<?xml-stylesheet href="..."?>` makes recipients fetch things. A document type
//! declaration is skipped and flagged; one with declarations of its own, and a reference to an entity that is not predefined, are
//! errors, because a recipient may read text there that is not inspected.

mod arguments;
mod markup;

use super::out::Out;
use super::utf8::Utf8;
use super::{Bytes, Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
use arguments::Arguments;
use markup::{Reference, Skipped};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 4;
/// Fuel for one tag or other markup.
const PER_TAG: u64 = 8;
/// Fuel for one reference.
const PER_REFERENCE: u64 = 8;
/// Fuel for one attribute.
const PER_ATTRIBUTE: u64 = 12;

/// A tag takes a byte or more (its `<`), a reference others (its `&`), an attribute two others (`a=`): no byte is charged for more
/// than the dearest of them. One attribute may be cut short by the end of the body. A tag, and the end, may give an argument; its
/// name's copy is rounded up by less than one fuel.
pub(super) const PRICE: Price = Price::per_byte(
    PER_ATTRIBUTE + arguments::PER_ARGUMENT + 1 + (arguments::NAMES_CONSTANT / arguments::NAME_BYTES_PER_FUEL) as u64,
    PER_BYTE
        + PER_TAG
        + arguments::PER_ARGUMENT
        + 1
        + (arguments::NAMES_PER_BYTE / arguments::NAME_BYTES_PER_FUEL) as u64,
);
const _: () = assert!(PER_REFERENCE <= PER_TAG && PER_ATTRIBUTE <= 2 * PER_TAG);

/// Where in the document the machine is.
#[derive(Debug)]
enum State {
    /// Outside of markup.
    Text,
    /// After `<`.
    Markup,
    /// In the name of a start tag.
    Name,
    /// In a start tag, before an attribute or the end.
    Tag,
    /// After the `/` of an empty-element tag.
    Slash,
    /// In the name of an attribute.
    AttributeName,
    /// After the name of an attribute.
    Equals,
    /// Before the value of an attribute.
    BeforeValue,
    /// In the value of an attribute: its quote, or none.
    Value(Option<u8>),
    /// In the name of an end tag; then behind it.
    EndName,
    EndTag,
    /// In a comment, CDATA section, processing instruction or declaration.
    Skipped(Skipped),
}

/// The machine.
#[derive(Debug)]
pub(super) struct Xml {
    state: State,
    text: Vec<u8>,
    /// A reference that is read, in text or in an attribute value.
    reference: Option<Reference>,
    /// The names of the open elements, one after the other, and where each begins.
    names: Vec<u8>,
    open: Vec<usize>,
    /// The name of an attribute or an end tag while it is read; the name and value of an attribute in the arena.
    word: Vec<u8>,
    name: Bytes,
    value: Bytes,
    /// Hashes of the names of a start tag's attributes: a name may stand there once.
    attributes: Vec<u64>,
    /// The last byte read was a CR, which is a line end with or without a LF behind it.
    after_cr: bool,
    utf8: Utf8,
    /// The document says that it is not UTF-8 but a set in which each byte is a character.
    single_bytes: bool,
    depth_limit: usize,
    seen_element: bool,
    /// The text is one value.
    whole: bool,
    /// The text of elements is arguments.
    arguments: Option<Arguments>,
}

impl Xml {
    pub(super) fn new(content_type: &[u8], limits: &ParseLimits) -> Self {
        Xml {
            state: State::Text,
            text: Vec::new(),
            reference: None,
            names: Vec::new(),
            open: Vec::new(),
            word: Vec::new(),
            name: Bytes::default(),
            value: Bytes::default(),
            attributes: Vec::new(),
            after_cr: false,
            utf8: Utf8::default(),
            single_bytes: names_single_bytes(content_type),
            depth_limit: limits.xml_depth,
            seen_element: false,
            whole: limits.xml_text,
            arguments: limits.xml_into_args.then(|| Arguments::new(limits)),
        }
    }

    /// Reads the next block, which starts at byte `offset`; answers whether to go on.
    pub(super) fn feed(
        &mut self,
        block: &[u8],
        offset: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let mut out = Out::new("XML", offset, fields, report, meter);
        let mut rest = block;
        if offset == 0 {
            rest = after_byte_order_mark(rest, &mut out);
        }
        // Line ends first (XML 1.0, section 2.11): CR LF and CR are LF, wherever they stand.
        while !rest.is_empty() && !out.stop {
            let at = offset + block.len() - rest.len();
            if std::mem::take(&mut self.after_cr) && !rest.starts_with(b"\n") {
                self.read_all(b"\n", at, &mut out)?;
            }
            let (line, after) = rest.split_at(memchr::memchr(b'\r', rest).unwrap_or(rest.len()));
            self.read_all(line, at, &mut out)?;
            self.after_cr = !after.is_empty();
            rest = after.get(1..).unwrap_or_default();
        }
        self.single_bytes |= out.single_bytes;
        out.at = offset;
        if block.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0C | 0x0E..=0x1F)) {
            out.error("a character is not allowed");
        }
        if !self.single_bytes && !self.utf8.accepts(block) {
            out.error("the text is not UTF-8");
        }
        if out.stop {
            self.push_text(&mut out)?;
            return Ok(false);
        }
        fields.hold(self.memory())?;
        Ok(true)
    }

    fn read_all(&mut self, bytes: &[u8], at: usize, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let mut rest = bytes;
        while !rest.is_empty() && !out.stop {
            out.at = at + bytes.len() - rest.len();
            rest = self.read(rest, out)?;
        }
        Ok(())
    }

    /// Bytes held beside the arena.
    fn memory(&self) -> usize {
        let skipped = if let State::Skipped(skipped) = &self.state { skipped.memory() } else { 0 };
        let lists = (self.open.len() + self.attributes.len()) * size_of::<u64>();
        self.text.len() + self.names.len() + self.word.len() + lists + skipped
    }

    /// Ends what is open when the body ends after `len` bytes. An empty body is no error.
    pub(super) fn finish(
        &mut self,
        len: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        if len == 0 {
            return Ok(());
        }
        let mut out = Out::new("XML", len, fields, report, meter);
        if std::mem::take(&mut self.after_cr) {
            self.read_all(b"\n", len, &mut out)?;
        }
        self.end_reference(false, &mut out)?;
        match self.state {
            State::AttributeName => {
                self.name = out.fields.store(&self.word)?;
                self.end_attribute(&mut out)?;
            }
            State::Equals | State::BeforeValue | State::Value(_) => self.end_attribute(&mut out)?,
            _ => {}
        }
        if !matches!(self.state, State::Text) || !self.open.is_empty() || !self.seen_element {
            out.error("the document is not complete");
        }
        if !self.single_bytes && !self.utf8.is_complete() {
            out.error("the text is not UTF-8");
        }
        self.push_text(&mut out)
    }

    fn push_text(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if let Some(arguments) = &mut self.arguments {
            arguments.finish(&self.text, out)?;
        }
        if self.whole {
            out.fields.push(Kind::XmlText, b"", &self.text)?;
        }
        out.fields.hold(0)
    }

    /// Reads a byte or a run of them; answers what follows.
    fn read<'b>(&mut self, rest: &'b [u8], out: &mut Out<'_>) -> Result<&'b [u8], Exhausted> {
        let Some((&byte, after)) = rest.split_first() else { return Ok(rest) };
        if let Some(reference) = &mut self.reference {
            if reference.push(byte) {
                return Ok(after);
            }
            self.end_reference(byte == b';', out)?;
            return Ok(if byte == b';' { after } else { rest });
        }
        match &mut self.state {
            State::Text => {
                let (run, next) = until(rest, |byte| matches!(byte, b'<' | b'&'));
                if self.open.is_empty() && !run.trim_ascii().is_empty() {
                    out.error("text stands outside of the root element");
                }
                self.text.extend_from_slice(run);
                match next.split_first() {
                    Some((b'<', next)) => {
                        self.state = State::Markup;
                        return Ok(next);
                    }
                    Some((_, next)) => {
                        out.meter.charge(PER_REFERENCE)?;
                        self.reference = Some(Reference::default());
                        return Ok(next);
                    }
                    None => return Ok(next),
                }
            }
            State::Skipped(skipped) => {
                let before = self.text.len();
                let (next, ended) = skipped.read(rest, &mut self.text, out)?;
                if self.open.is_empty() && self.text.len() > before {
                    out.error("text stands outside of the root element");
                }
                if ended {
                    self.state = State::Text;
                }
                return Ok(next);
            }
            State::Markup => return self.markup(byte, rest, after, out),
            State::Name => {
                let (run, next) = until(rest, ends_name);
                check_name(run, out);
                self.names.extend_from_slice(run);
                if let Some(arguments) = &mut self.arguments {
                    arguments.name(run);
                }
                if !next.is_empty() {
                    self.state = State::Tag;
                }
                return Ok(next);
            }
            State::EndName => {
                let (run, next) = until(rest, ends_name);
                self.word.extend_from_slice(run);
                if !next.is_empty() {
                    self.end_element(out)?;
                    self.state = State::EndTag;
                }
                return Ok(next);
            }
            State::EndTag => match byte {
                b'>' => self.state = State::Text,
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    out.error("an end tag has attributes");
                    self.state = State::Tag;
                    return Ok(rest);
                }
            },
            State::Tag | State::Slash => return self.tag(byte, rest, after, out),
            State::AttributeName => {
                let (run, next) = until(rest, |byte| byte == b'=' || ends_name(byte));
                check_name(run, out);
                self.word.extend_from_slice(run);
                if !next.is_empty() {
                    self.name = out.fields.store(&self.word)?;
                    self.state = State::Equals;
                }
                return Ok(next);
            }
            State::Equals => match byte {
                b'=' => self.state = State::BeforeValue,
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    out.error("an attribute has no value");
                    self.end_attribute(out)?;
                    return Ok(rest);
                }
            },
            State::BeforeValue => match byte {
                b'"' | b'\'' => self.state = State::Value(Some(byte)),
                b'>' => {
                    out.error("an attribute has no value");
                    self.end_attribute(out)?;
                    return Ok(rest);
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    out.error("an attribute value is not quoted");
                    self.state = State::Value(None);
                    return Ok(rest);
                }
            },
            State::Value(quote) => {
                let quote = *quote;
                let ends = |byte: u8| match quote {
                    Some(quote) => byte == quote,
                    None => byte == b'>' || byte.is_ascii_whitespace(),
                };
                let (run, next) = until(rest, |byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n') || ends(byte));
                out.fields.append(&mut self.value, run)?;
                match next.split_first() {
                    Some((b'&', next)) => {
                        out.meter.charge(PER_REFERENCE)?;
                        self.reference = Some(Reference::default());
                        return Ok(next);
                    }
                    Some((b'\t' | b'\n', next)) if quote.is_some() => {
                        out.fields.append(&mut self.value, b" ")?;
                        return Ok(next);
                    }
                    Some((b'<', next)) => {
                        out.error("an attribute value has a '<'");
                        out.fields.append(&mut self.value, b"<")?;
                        return Ok(next);
                    }
                    Some((_, after)) => {
                        self.end_attribute(out)?;
                        return Ok(if quote.is_some() { after } else { next });
                    }
                    None => return Ok(next),
                }
            }
        }
        Ok(after)
    }

    /// Reads the byte after `<`.
    fn markup<'b>(
        &mut self,
        byte: u8,
        rest: &'b [u8],
        after: &'b [u8],
        out: &mut Out<'_>,
    ) -> Result<&'b [u8], Exhausted> {
        out.meter.charge(PER_TAG)?;
        match byte {
            b'/' => {
                self.word.clear();
                self.state = State::EndName;
            }
            b'!' | b'?' => self.state = State::Skipped(Skipped::begin(byte)),
            _ if ends_name(byte) || byte == b'<' => {
                out.error("a '<' begins no markup");
                self.text.push(b'<');
                self.state = State::Text;
                return Ok(rest);
            }
            _ => {
                if self.open.is_empty() && self.seen_element {
                    out.error("there is more than one root element");
                }
                if self.open.len() >= self.depth_limit {
                    out.report.xml_depth_exceeded = true;
                    out.error("the document nests too deeply");
                    out.stop = true;
                }
                self.seen_element = true;
                self.open.push(self.names.len());
                if let Some(arguments) = &mut self.arguments {
                    arguments.begin(&self.text, out)?;
                }
                self.attributes.clear();
                self.state = State::Name;
                return Ok(rest);
            }
        }
        Ok(after)
    }

    /// Reads a byte of a start tag outside of attributes.
    fn tag<'b>(&mut self, byte: u8, rest: &'b [u8], after: &'b [u8], out: &mut Out<'_>) -> Result<&'b [u8], Exhausted> {
        let slash = matches!(self.state, State::Slash);
        match byte {
            b'>' => {
                self.attributes.sort_unstable();
                if self.attributes.windows(2).any(|pair| matches!(pair, [one, two] if one == two)) {
                    out.error("an attribute stands twice in a tag");
                }
                self.attributes.clear();
                if slash && let Some(start) = self.open.pop() {
                    self.names.truncate(start);
                    if let Some(arguments) = &mut self.arguments {
                        arguments.end(&self.text, out)?;
                    }
                }
                self.state = State::Text;
            }
            _ if slash => {
                out.error("a '/' stands in a tag");
                self.state = State::Tag;
                return Ok(rest);
            }
            b'/' => self.state = State::Slash,
            _ if byte.is_ascii_whitespace() => {}
            b'<' => {
                out.error("a tag is not closed");
                self.state = State::Text;
                return Ok(rest);
            }
            _ => {
                out.meter.charge(PER_ATTRIBUTE)?;
                self.word.clear();
                self.value = Bytes::default();
                self.name = Bytes::default();
                self.state = State::AttributeName;
                return Ok(rest);
            }
        }
        Ok(after)
    }

    /// Ends an element whose end tag has the name in `word`.
    fn end_element(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        match self.open.pop() {
            Some(start) => {
                if self.names.get(start..) != Some(&self.word) {
                    out.error("an end tag has another name than its start tag");
                }
                self.names.truncate(start);
            }
            None => out.error("an end tag has no start tag"),
        }
        match &mut self.arguments {
            Some(arguments) => arguments.end(&self.text, out),
            None => Ok(()),
        }
    }

    /// Gives out an attribute, unless it declares a namespace.
    fn end_attribute(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let mut hasher = DefaultHasher::new();
        self.word.hash(&mut hasher);
        self.attributes.push(hasher.finish());
        let namespace = self.word == b"xmlns" || self.word.starts_with(b"xmlns:");
        if !namespace || !out.fields.bytes(self.value).iter().all(is_address) {
            out.fields.push_stored(Kind::XmlAttribute, self.name, self.value);
        }
        self.state = State::Tag;
        Ok(())
    }

    /// Ends a reference, in text or in an attribute value.
    fn end_reference(&mut self, closed: bool, out: &mut Out<'_>) -> Result<(), Exhausted> {
        let Some(reference) = self.reference.take() else { return Ok(()) };
        if self.open.is_empty() && !matches!(self.state, State::Value(_)) {
            out.error("text stands outside of the root element");
        }
        let mut buffer = [0; 4];
        match reference.character().filter(|_| closed) {
            Some(character) => self.put(character.encode_utf8(&mut buffer).as_bytes(), out),
            None => {
                out.error("a reference is to nothing predefined");
                self.put(b"&", out)?;
                self.put(reference.name(), out)?;
                self.put(if closed { b";" } else { b"" }, out)
            }
        }
    }

    fn put(&mut self, bytes: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        if let State::Value(_) = self.state {
            out.fields.append(&mut self.value, bytes)
        } else {
            self.text.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// Skips a UTF-8 byte order mark, and tells of an encoding that is not read.
fn after_byte_order_mark<'a>(start: &'a [u8], out: &mut Out<'_>) -> &'a [u8] {
    match start {
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, _, ..] | [_, 0, ..] => {
            out.error("the body is UTF-16 or UTF-32, which is not read");
            start
        }
        _ => start,
    }
}

/// Whether a byte ends the name of an element.
fn ends_name(byte: u8) -> bool {
    matches!(byte, b'>' | b'/' | b'<') || byte.is_ascii_whitespace()
}

/// Notes what no name has (XML 1.0, section 2.3; what is above ASCII counts as letters). A quote above all: who takes it for the begin
/// of a value sees the tag end elsewhere, and attributes where this reader sees text.
fn check_name(bytes: &[u8], out: &mut Out<'_>) {
    let fits = |&byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b":_-.".contains(&byte);
    if !bytes.iter().all(fits) {
        out.error("a name has a character that names do not have");
    }
}

/// The characters of addresses (RFC 3986, section 2): what the name of a namespace is made of.
fn is_address(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(byte)
}

/// Whether a Content-Type names a character set in which each byte is a character.
fn names_single_bytes(content_type: &[u8]) -> bool {
    let lower = content_type.to_ascii_lowercase();
    [&b"iso-8859-"[..], b"windows-125", b"latin1"].iter().any(|name| memchr::memmem::find(&lower, name).is_some())
}

/// Splits before the first byte that `stops`.
fn until(bytes: &[u8], stops: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|&byte| stops(byte)).unwrap_or(bytes.len()))
}
