//! Documents inside values: JSON in form fields, parts and JSON strings, GraphQL in members named `query`.
//!
//! An application that gets `data={"q":"<script>"}` decodes `data`, parses it, and works with `q`; rules that know only the outer
//! value miss what its escapes hide. So the leaves of such documents become arguments too, beside the value itself, which stays
//! as it is. A value is read
//!
//! - as GraphQL, named `NAME.graphql.PATH`, if the last piece of its name is `query`, `mutation` or `subscription` and it begins like an
//!   operation: with `{` and no string after it, or with one of the words `query`, `mutation`, `subscription`, `fragment`;
//! - else as JSON, named `NAME.json.PATH`, if without white space around it begins with `{` and ends with `}` or begins with `[` and ends
//!   with `]`, or if it is the content of a part with a JSON media type.
//!
//! What these documents hold is looked at again, level by level, to a bounded depth. A value never grows by being read, so each
//! level costs at most what reading the body once does. Documents that are broken are no errors of the body: the value may be
//! meant as text. But a limit that ends the reading of one is flagged.

use super::body::{BLOCK, START};
use super::graphql::Document;
use super::json::Json;
use super::{Bytes, Field, Fields, Kind, ParseLimits, Progress, Report};
use super::{graphql, json};
use crate::meter::{Exhausted, Meter, Price};

/// Fuel for looking at a field.
const PER_FIELD: u64 = 4;
/// Fuel for copying, for each 16 bytes.
const PER_16_BYTES: u64 = 1;

/// What one level of nesting costs at most, on all values together.
///
/// ```
/// assert!(fusewall::http::nested::price().of(1 << 20) < 250_000_000);
/// ```
pub const fn price() -> Price {
    // The shortest document takes two bytes.
    let opening = Price::per_byte(PER_FIELD + START, 2 * PER_16_BYTES + PER_FIELD + START / 2);
    graphql::PRICE.plus(json::PRICE).plus(opening)
}

/// Which values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NestedLimits {
    /// Levels of documents inside values of documents.
    pub depth: usize,
    /// Only members named `query` and the like, as GraphQL, one level deep: what a GraphQL body needs.
    pub only_graphql: bool,
}

#[derive(Debug)]
enum Reader {
    Json(Box<Json>),
    GraphQl(Box<Document>),
}

/// A value that is being read.
#[derive(Debug)]
struct Open {
    reader: Reader,
    /// A copy of the value: the arena grows meanwhile.
    source: Vec<u8>,
    at: usize,
    report: Report,
}

/// Goes through the fields that a request has given.
///
/// ```
/// use fusewall::http::{Fields, Kind, ParseLimits, Progress, Report};
/// use fusewall::http::nested::{Nested, NestedLimits};
/// use fusewall::meter::Meter;
/// let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 20), Report::default(), Meter::unlimited());
/// fields.push(Kind::ArgPost, b"data", br#"{"q":"\u003cscript>"}"#).unwrap();
/// let mut nested = Nested::new(&NestedLimits { depth: 2, only_graphql: false }, &ParseLimits::default());
/// assert_eq!(nested.step(usize::MAX, &mut fields, &mut report, &mut meter), Ok(Progress::Done));
/// let leaf = fields.items()[1];
/// assert_eq!((fields.bytes(leaf.name), fields.bytes(leaf.value)), (&b"data.json.q"[..], &b"<script>"[..]));
/// ```
#[derive(Debug)]
pub struct Nested {
    limits: ParseLimits,
    only_graphql: bool,
    /// Levels that are still to be read.
    levels: usize,
    /// The next field, and where this level's fields end.
    next: usize,
    end: usize,
    /// The name of the part whose content is JSON by its header.
    json_part: Option<Bytes>,
    open: Option<Open>,
}

impl Nested {
    /// A reader for the values that are there when it first runs.
    pub fn new(nested: &NestedLimits, limits: &ParseLimits) -> Nested {
        let levels = if nested.only_graphql { nested.depth.max(1) } else { nested.depth };
        Nested {
            limits: *limits,
            only_graphql: nested.only_graphql && nested.depth == 0,
            levels,
            next: 0,
            end: 0,
            json_part: None,
            open: None,
        }
    }

    /// Reads on for about `quantum` bytes.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent; what was read stays.
    pub fn step(
        &mut self,
        quantum: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<Progress, Exhausted> {
        let mut left = quantum.max(1);
        loop {
            if let Some(open) = &mut self.open {
                let (read, ended) = open.step(fields, meter)?;
                if ended {
                    open.judge(&self.limits, report);
                    self.open = None;
                }
                left = left.saturating_sub(read);
            } else if self.next < self.end {
                self.look(fields, meter)?;
                left = left.saturating_sub(1);
            } else if self.levels > 0 && self.end < fields.items().len() {
                // What the level before has given is the next level.
                self.levels -= 1;
                self.end = fields.items().len();
            } else {
                return Ok(Progress::Done);
            }
            if left == 0 {
                return Ok(Progress::More);
            }
        }
    }

    /// Looks at the next field, and opens it if it is a document.
    fn look(&mut self, fields: &mut Fields, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.charge(PER_FIELD)?;
        let field = fields.items().get(self.next).copied();
        self.next += 1;
        let Some(field) = field else { return Ok(()) };
        let value = fields.bytes(field.value);
        if field.kind == Kind::PartHeader {
            if is_json_type(value) {
                self.json_part = Some(field.name);
            }
            return Ok(());
        }
        if !matches!(field.kind, Kind::ArgGet | Kind::ArgPost | Kind::FileContent) {
            return Ok(());
        }
        let typed = self.json_part.take_if(|name| fields.bytes(*name) == fields.bytes(field.name)).is_some();
        meter.charge(PER_16_BYTES * (value.len() / 16) as u64)?;
        let text = value.trim_ascii();
        let kind = if field.kind == Kind::ArgGet { Kind::ArgGet } else { Kind::ArgPost };
        let is_argument = field.kind != Kind::FileContent;
        let reader = if is_argument && is_query(fields.bytes(field.name)) && looks_like_graphql(text) {
            Some(Reader::GraphQl(Box::new(Document::nested(&root(fields, field, b".graphql"), kind, &self.limits))))
        } else if !self.only_graphql && (typed || is_argument && looks_like_json(text)) {
            Some(Reader::Json(Box::new(Json::nested(&root(fields, field, b".json"), kind, &self.limits))))
        } else {
            None
        };
        if let Some(reader) = reader {
            meter.charge(START + PER_16_BYTES * (value.len() / 16) as u64)?;
            self.open = Some(Open { reader, source: value.to_vec(), at: 0, report: Report::default() });
        }
        Ok(())
    }
}

impl Open {
    /// Reads a block; answers how long it was and whether it was the last.
    fn step(&mut self, fields: &mut Fields, meter: &mut Meter) -> Result<(usize, bool), Exhausted> {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let block = rest.get(..rest.len().min(BLOCK)).unwrap_or_default();
        let (at, report, len) = (self.at, &mut self.report, self.source.len());
        let go_on = match &mut self.reader {
            Reader::Json(json) => {
                meter.charge(json::PER_BYTE * block.len() as u64)?;
                json.feed(block, at, fields, report, meter)?
            }
            Reader::GraphQl(document) => {
                meter.charge(graphql::PER_BYTE * block.len() as u64)?;
                document.feed(block, at, fields, report, meter)?
            }
        };
        self.at += block.len();
        if go_on && self.at >= len {
            match &mut self.reader {
                Reader::Json(json) => json.finish(len, fields, report, meter)?,
                Reader::GraphQl(document) => document.finish(len, fields, report, meter)?,
            }
        }
        Ok((block.len(), !go_on || self.at >= len))
    }

    /// Passes on what the reading of a document says about the request.
    fn judge(&self, limits: &ParseLimits, report: &mut Report) {
        if self.report.arguments_exceeded {
            report.too_many_arguments(limits.arguments, self.at);
        }
        report.nested_exceeded |=
            self.report.json_depth_exceeded || self.report.json_names_exceeded || self.report.depth_exceeded;
    }
}

/// The name of a document's leaves.
fn root(fields: &Fields, field: Field, suffix: &[u8]) -> Vec<u8> {
    [fields.bytes(field.name), suffix].concat()
}

/// Whether a part header says that the content is JSON.
fn is_json_type(header: &[u8]) -> bool {
    let mut parts = header.splitn(2, |&byte| byte == b':');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let ends = |end: &[u8]| {
        let start = media_type.len().saturating_sub(end.len());
        media_type.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    name.trim_ascii().eq_ignore_ascii_case(b"content-type") && (ends(b"/json") || ends(b"+json"))
}

fn looks_like_json(text: &[u8]) -> bool {
    matches!(text, [b'{', .., b'}'] | [b'[', .., b']'])
}

/// Whether the last piece of a name is one under which GraphQL documents are sent.
fn is_query(name: &[u8]) -> bool {
    let last = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    [&b"query"[..], b"mutation", b"subscription"].iter().any(|known| last.eq_ignore_ascii_case(known))
}

fn looks_like_graphql(text: &[u8]) -> bool {
    if let Some(after) = text.strip_prefix(b"{") {
        return !after.trim_ascii_start().starts_with(b"\"");
    }
    [&b"query"[..], b"mutation", b"subscription", b"fragment"].iter().any(|word| {
        text.strip_prefix(*word).is_some_and(|rest| rest.first().is_some_and(|byte| !byte.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(depth: usize, given: &[(Kind, &str, &str)]) -> (Vec<(String, String)>, Report) {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 20), Report::default(), Meter::unlimited());
        for (kind, name, value) in given {
            fields.push(*kind, name.as_bytes(), value.as_bytes()).unwrap();
        }
        let limits = ParseLimits { json_depth: 4, arguments: 30, ..ParseLimits::default() };
        let mut nested = Nested::new(&NestedLimits { depth, only_graphql: false }, &limits);
        while nested.step(3, &mut fields, &mut report, &mut meter).unwrap() == Progress::More {}
        let text = |span| String::from_utf8_lossy(fields.bytes(span)).into_owned();
        let new = fields.items().iter().skip(given.len());
        (new.map(|field| (text(field.name), text(field.value))).collect(), report)
    }

    #[test]
    fn json_in_values_is_read_to_a_depth() {
        let twice = r#" {"a":"[\"x\",{\"b\":1}]"} "#;
        let at_depth = |depth| read(depth, &[(Kind::ArgPost, "f", twice)]).0;
        assert_eq!(at_depth(0), []);
        let first = ("f.json.a".to_owned(), r#"["x",{"b":1}]"#.to_owned());
        assert_eq!(at_depth(1), std::slice::from_ref(&first));
        let names: Vec<_> = at_depth(2).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names[1..], ["f.json.a.json.0=x", "f.json.a.json.1.b=1"]);
    }

    #[test]
    fn text_is_no_document() {
        for value in ["", "{", "}", "a{}", "{}x", "query", "queryx{a}", "12"] {
            assert_eq!(read(3, &[(Kind::ArgGet, "q", value)]).0, [], "{value}");
        }
        assert_eq!(read(3, &[(Kind::Cookie, "c", "{\"a\":1}")]).0, []);
    }

    #[test]
    fn graphql_is_read_under_its_names() {
        let given = [
            (Kind::ArgPost, "json.0.query", "{a(x:\"1\")}"),
            (Kind::ArgGet, "query", " query{b}"),
            (Kind::ArgGet, "q", "query {a}"),
            (Kind::ArgPost, "json.query", "{ \"c\": 1}"),
        ];
        let names: Vec<_> = read(1, &given).0.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            names,
            [
                "json.0.query.graphql.a=",
                "json.0.query.graphql.a.x=1",
                "query.graphql=query",
                "query.graphql.b=",
                "json.query.json.c=1",
            ]
        );
    }

    #[test]
    fn limits_are_flagged_and_broken_documents_are_not() {
        let (_, report) = read(1, &[(Kind::ArgPost, "f", "{nonsense]]}")]);
        assert!(!report.error && !report.nested_exceeded);
        assert!(read(1, &[(Kind::ArgPost, "f", "[[[[[1]]]]]")]).1.nested_exceeded);
        let many = format!("[{}1]", "1,".repeat(40));
        let (_, report) = read(1, &[(Kind::ArgPost, "f", &many)]);
        assert!(report.error && report.arguments_exceeded);
    }
}
