//! What the parsers read from an exchange. Filled phase by phase: what is not there yet is empty.

use super::compare::stored_name;
use super::exchange::Exchange;
use fusewall::Limits;
use fusewall::http::coding::{self, DecodeLimits, Decoded, Decoding, End};
use fusewall::http::cookies::parse_cookies;
use fusewall::http::nested::{Nested, NestedLimits};
use fusewall::http::uri::{basename, decode_path, split};
use fusewall::http::{BodyParser, Fields, Kind, ParseLimits, Report, args::parse_query, content};
use fusewall::meter::Meter;
use fusewall::rule::{BodyProcessor, Settings, XmlIntoArgs};

/// A named value.
pub type Named = (Vec<u8>, Vec<u8>);

/// Everything that rules can see of the request line, the query, the cookies and the body.
#[derive(Debug, Default)]
pub struct Request {
    pub uri: Vec<u8>,
    pub filename: Vec<u8>,
    pub basename: Vec<u8>,
    pub query: Option<Vec<u8>>,
    /// Fields of query, cookies and body.
    fields: Vec<(Kind, Named)>,
    pub report: Report,
    /// What rules cannot see as the recipient may, in the words of FUSEWALL_UNINSPECTED.
    pub unseen: Vec<&'static str>,
    arguments: usize,
}

impl Request {
    /// Reads request line and cookies.
    pub fn new(exchange: &Exchange, settings: &Settings) -> Request {
        let uri = split(&exchange.target);
        let mut filename = Vec::new();
        decode_path(uri.path, &mut filename);
        let mut request = Request {
            uri: uri.uri.to_vec(),
            basename: basename(&filename).to_vec(),
            filename,
            query: uri.has_query.then(|| uri.query.to_vec()),
            ..Request::default()
        };
        let mut fields = Fields::with_limit(usize::MAX);
        let mut meter = Meter::unlimited();
        if exchange.target.contains(&b'#') {
            request.unseen.push("fragment of the request target");
        }
        parse_query(uri.query, &limits(settings), &mut fields, &mut request.report, &mut meter).expect("no budget");
        for (name, value) in &exchange.headers {
            if name.eq_ignore_ascii_case(b"cookie") {
                let (format, separator) = (settings.cookie_format, settings.cookie_separator);
                if !parse_cookies(value, format, separator, &mut fields, &mut meter).expect("no budget") {
                    request.note("cookie without a name");
                }
            }
        }
        request.note_limits();
        request.take(&fields, 0);
        request
    }

    /// Undoes the codings of a body; answers what rules see of it and whether they see all that its sender may have meant.
    pub fn decode(&mut self, exchange: &Exchange, limit: u64) -> (Vec<u8>, bool) {
        let (body, end) = decoded(&exchange.headers, &exchange.body, limit);
        match end {
            Some(End::Complete) => (body, true),
            Some(End::Limit) | None => (body, false),
            Some(end) => {
                self.report.fail_coding(end);
                (body, false)
            }
        }
    }

    /// Reads the body.
    pub fn read_body(
        &mut self,
        exchange: &Exchange,
        body: &[u8],
        processor: BodyProcessor,
        xml: XmlIntoArgs,
        settings: &Settings,
    ) {
        let content_type = header(&exchange.headers, b"content-type").unwrap_or_default();
        let mut fields = Fields::with_limit(usize::MAX);
        // The limit of arguments is one of query and body together.
        for _ in 0..self.arguments {
            fields.push(Kind::ArgGet, b"", b"").expect("no budget");
        }
        let limits = ParseLimits {
            xml_into_args: xml != XmlIntoArgs::Off,
            xml_text: xml != XmlIntoArgs::OnlyArgs,
            ..limits(settings)
        };
        let mut parser = BodyParser::new(processor.parser(), content_type, &limits);
        parser.step(body, true, usize::MAX, &mut fields, &mut self.report, &mut Meter::unlimited()).expect("no budget");
        self.take(&fields, self.arguments);
        let stored = self.of(&[Kind::FileContent]).filter(|(_, content)| !content.is_empty());
        let name = |(field, content): &Named| (field.clone(), stored_name(content.len()).into_bytes());
        let names: Vec<_> = stored.take(settings.uploads.files).map(name).collect();
        self.fields.extend(names.into_iter().map(|named| (Kind::FileTmpName, named)));
    }

    /// Reads the documents inside values.
    pub fn read_nested(&mut self, nested: &NestedLimits, settings: &Settings) {
        let mut fields = Fields::with_limit(usize::MAX);
        for (kind, (name, value)) in &self.fields {
            fields.push(*kind, name, value).expect("no budget");
        }
        let known = self.fields.len();
        let mut reader = Nested::new(nested, &limits(settings));
        reader.step(usize::MAX, &mut fields, &mut self.report, &mut Meter::unlimited()).expect("no budget");
        self.take(&fields, known);
    }

    /// What headers and parser say about a body that is not empty.
    pub fn judge_body(&mut self, exchange: &Exchange) {
        let types = exchange.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type")).count();
        if types > 1 && !self.report.error {
            self.report.error = true;
            self.report.error_message = "The request has more than one Content-Type".into();
        }
        for (name, value) in &exchange.headers {
            if name.eq_ignore_ascii_case(b"content-type") && content::hides_text(value) {
                self.note("request body charset");
            }
        }
        let hidden = |(name, value): &Named| name == b"_charset_" && !content::shows_ascii(value);
        if self.of(&[Kind::ArgPost]).any(hidden) {
            self.note("request body charset");
        }
        let (coded, charset, doctype) = (self.report.part_coded, self.report.part_charset, self.report.xml_doctype);
        for (on, what) in [(coded, "part-coded"), (charset, "part charset"), (doctype, "document type declaration")] {
            if on {
                self.note(what);
            }
        }
    }

    /// Notes what was not read because there was too much of it.
    pub fn note_limits(&mut self) {
        if self.report.nested_exceeded {
            self.note("nested values");
        }
        if self.report.arguments_exceeded {
            self.note("arguments over the limit");
        }
    }

    pub fn note(&mut self, what: &'static str) {
        if !self.unseen.contains(&what) {
            self.unseen.push(what);
        }
    }

    fn take(&mut self, fields: &Fields, skip: usize) {
        let owned = |span| fields.bytes(span).to_vec();
        let items = fields.items().iter().skip(skip);
        self.fields.extend(items.map(|field| (field.kind, (owned(field.name), owned(field.value)))));
        self.arguments = fields.arguments();
    }

    /// The fields of some kinds, in order of arrival.
    pub fn of<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = &'a Named> {
        self.fields.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, named)| named)
    }
}

/// A body without its codings, and how the decoding ended. `None`: it is not decoded, but should be.
pub fn decoded(headers: &[Named], body: &[u8], limit: u64) -> (Vec<u8>, Option<End>) {
    let defaults = Limits::default();
    let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-encoding"));
    let codings = coding::codings(values.map(|(_, value)| value.as_slice()), defaults.content_codings);
    let codings = match codings {
        Ok(codings) if codings.is_empty() || body.is_empty() => return (body.to_vec(), Some(End::Complete)),
        Ok(codings) => codings,
        Err(_) => return (body.to_vec(), body.is_empty().then_some(End::Complete)),
    };
    let limits =
        DecodeLimits { decoded: limit as usize, ratio: defaults.coding_ratio, ratio_from: defaults.coding_ratio_from };
    let mut out = Vec::new();
    let progress = Decoding::new(&codings, &limits).step(body, true, usize::MAX, &mut out, &mut Meter::unlimited());
    let Ok(Decoded::Done(end)) = progress else { panic!("no budget, all at once") };
    if out.is_empty() && end != End::Complete { (body.to_vec(), Some(end)) } else { (out, Some(end)) }
}

/// The first header of that name.
pub fn header<'a>(headers: &'a [Named], name: &[u8]) -> Option<&'a [u8]> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

fn limits(settings: &Settings) -> ParseLimits {
    ParseLimits {
        arguments: settings.arguments_limit,
        json_depth: settings.json_depth_limit,
        argument_separator: settings.argument_separator,
        upload_files: settings.uploads.files,
        ..ParseLimits::default()
    }
}
