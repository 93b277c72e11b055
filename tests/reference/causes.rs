//! Why a rule is logged by one engine and not by the other. `docs/reference-comparison.md` argues each cause.

use crate::corpus::{Logged, Request};
use fusewall::http::{self, BodyParser, Fields, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;
use fusewall::transform::{Changed, Context, Transformation};

/// A rule that only one of the engines logged.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    pub id: u64,
    /// Logged by us, not by libmodsecurity; otherwise the other way round.
    pub extra: bool,
}

/// A cause: a name, and what it explains.
pub struct Cause {
    pub name: &'static str,
    explains: fn(&Facts, Difference) -> bool,
}

/// The causes, in the order in which they are asked.
pub const CAUSES: [Cause; 12] = [
    Cause { name: "REQUEST_BODY of structured bodies", explains: request_body },
    Cause { name: "target decoded as a whole", explains: target },
    Cause { name: "multi-line anchors", explains: multi_line },
    Cause { name: "chain head logged with multiMatch", explains: chain_head },
    Cause { name: "MATCHED_VARS of earlier rules", explains: matched_vars },
    Cause { name: "cssDecode ends at NUL", explains: css_nul },
    Cause { name: "entity references in XML", explains: xml_entity },
    Cause { name: "bodies that break their format", explains: broken_body },
    Cause { name: "line feeds in multipart values", explains: multipart_lines },
    Cause { name: "phrases behind the start of others", explains: phrase },
    Cause { name: "runs of backslashes in normalizePathWin", explains: backslashes },
    Cause { name: "Base64 with foreign characters", explains: base64 },
];

/// The first cause that explains a difference, by its place in [`CAUSES`].
pub fn cause(facts: &Facts, difference: Difference) -> Option<usize> {
    CAUSES.iter().position(|cause| (cause.explains)(facts, difference))
}

/// What the predicates ask of a request.
pub struct Facts {
    target: Vec<u8>,
    path: Vec<u8>,
    body: Vec<u8>,
    processor: Option<Processor>,
    body_error: bool,
    /// Names and values of arguments, texts, files and headers, as rules see them, and after each of the usual decodings.
    values: Vec<Vec<u8>>,
}

impl Facts {
    pub fn new(request: &Request, logged: &Logged) -> Facts {
        let target = request.bytes(&request.uri);
        let uri = http::uri::split(&target);
        let content_type = request.content_type();
        let processor = processor(&content_type);
        let body = request.body();
        let limits = ParseLimits::default();
        let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 26), Report::default(), Meter::unlimited());
        http::args::parse_query(uri.query, &limits, &mut fields, &mut report, &mut meter).expect("no budget");
        if let Some(processor) = processor {
            let mut parser = BodyParser::new(processor, &content_type, &limits);
            let step = parser.step(&body, true, usize::MAX, &mut fields, &mut report, &mut meter).expect("no budget");
            assert_eq!(step, Progress::Done);
        }
        let mut values: Vec<_> = request.headers.iter().map(|(_, value)| request.bytes(value)).collect();
        for field in fields.items() {
            values.push(fields.bytes(field.name).to_vec());
            values.push(fields.bytes(field.value).to_vec());
        }
        let path = uri.path.to_vec();
        let mut file_name = Vec::new();
        http::uri::decode_path(&path, &mut file_name);
        values.push(file_name);
        let values = values.into_iter().flat_map(decodings).collect();
        Facts { target, path, body, processor, body_error: logged.body_error, values }
    }

    fn any_value(&self, test: impl Fn(&[u8]) -> bool) -> bool {
        self.values.iter().any(|value| test(value))
    }

    fn is_structured(&self) -> bool {
        matches!(self.processor, Some(Processor::Multipart | Processor::Json | Processor::Xml))
    }
}

/// Who reads a body of that type under the recommended configuration.
fn processor(content_type: &[u8]) -> Option<Processor> {
    let text = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    let xml = ["application/xml", "text/xml", "application/soap+xml"];
    if text.starts_with("application/x-www-form-urlencoded") {
        Some(Processor::UrlEncoded)
    } else if text.starts_with("multipart/form-data") {
        Some(Processor::Multipart)
    } else if text.starts_with("application/json") {
        Some(Processor::Json)
    } else {
        xml.iter().any(|xml| text.starts_with(xml)).then_some(Processor::Xml)
    }
}

/// A value and what the decodings of the cross-site scripting rules make of it, one after the other.
fn decodings(value: Vec<u8>) -> Vec<Vec<u8>> {
    let mut all = vec![value];
    for step in ["utf8toUnicode", "urlDecodeUni", "htmlEntityDecode", "jsDecode", "cssDecode"] {
        all.extend(all.last().and_then(|value| transformed(step, value)));
    }
    all
}

/// The value after a transformation, if that changes it.
fn transformed(name: &str, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let step = Transformation::from_name(name).expect("a transformation");
    (step.apply(value, &mut out, &Context::default()) == Changed::Yes).then_some(out)
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Rules that look at REQUEST_BODY, when the body is multipart, JSON or XML.
fn request_body(facts: &Facts, difference: Difference) -> bool {
    let looks_at_body = matches!(
        difference.id,
        920_260 | 920_272 | 920_273 | 921_110 | 931_110 | 934_210 | 934_220 | 944_100..=944_300
    );
    !difference.extra && looks_at_body && facts.is_structured() && !facts.body.is_empty()
}

/// Rules that look at REQUEST_URI, when there is something to decode in the target; anything, when its path holds an encoded
/// question mark or number sign.
fn target(facts: &Facts, difference: Difference) -> bool {
    let looks_at_uri = !difference.extra && matches!(difference.id, 920_260 | 920_460 | 920_540);
    looks_at_uri && facts.target.contains(&b'%') || holds(&facts.path, b"%3f") || holds(&facts.path, b"%23")
}

/// Rules whose pattern has `^` or `$`, when a value has lines: the pattern of a negated last link must match the whole value, the
/// others may match a line.
fn multi_line(facts: &Facts, difference: Difference) -> bool {
    let negated = matches!(difference.id, 942_200 | 942_440);
    let plain = matches!(difference.id, 932_340 | 932_350 | 934_170 | 942_330 | 942_360..=942_362 | 942_521 | 942_540);
    let lines = facts.any_value(|value| value.contains(&b'\n'));
    lines && if difference.extra { negated } else { plain }
}

/// Rule 942131, the only chain with `multiMatch`.
fn chain_head(_: &Facts, difference: Difference) -> bool {
    !difference.extra && difference.id == 942_131
}

/// Rules whose chain asks MATCHED_VARS.
fn matched_vars(_: &Facts, difference: Difference) -> bool {
    !difference.extra && matches!(difference.id, 932_200 | 932_240 | 942_200 | 942_440 | 944_120)
}

/// Cross-site scripting rules, when decoding produces a NUL.
fn css_nul(facts: &Facts, difference: Difference) -> bool {
    difference.extra && (941_100..942_000).contains(&difference.id) && facts.any_value(|value| value.contains(&0))
}

/// SQL injection rules, when a document has declarations of its own and refers to them.
fn xml_entity(facts: &Facts, difference: Difference) -> bool {
    facts.processor == Some(Processor::Xml)
        && (942_100..943_000).contains(&difference.id)
        && holds(&facts.body, b"<!DOCTYPE")
        && facts.body.contains(&b'&')
}

/// Anything, when a structured body breaks its format, or a multipart body has a part without content.
fn broken_body(facts: &Facts, _: Difference) -> bool {
    let empty_part = facts.processor == Some(Processor::Multipart) && holds(&facts.body, b"\r\n\r\n--");
    facts.is_structured() && (facts.body_error || empty_part)
}

/// Anything, when a line of a multipart body ends without carriage return.
fn multipart_lines(facts: &Facts, _: Difference) -> bool {
    let mut ends = memchr::memchr_iter(b'\n', &facts.body);
    facts.processor == Some(Processor::Multipart) && ends.any(|at| at == 0 || facts.body[at - 1] != b'\r')
}

/// File name rules, when a value holds the phrases `/php.ini` or `/tmp/` behind the start of another phrase.
fn phrase(facts: &Facts, difference: Difference) -> bool {
    let phrases = |value: &[u8]| holds(value, b"/php.ini") || holds(value, b"/tmp/");
    let found =
        |value: &[u8]| phrases(value) || transformed("normalizePathWin", value).is_some_and(|path| phrases(&path));
    difference.extra && matches!(difference.id, 930_120 | 930_121) && facts.any_value(found)
}

/// File name rules, when a value has several backslashes together.
fn backslashes(facts: &Facts, difference: Difference) -> bool {
    difference.extra
        && matches!(difference.id, 930_110 | 930_120)
        && facts.any_value(|value| holds(value, b"\\\\") || holds(value, b"\\/") || holds(value, b"/\\"))
}

/// The rules with `t:base64Decode`.
fn base64(_: &Facts, difference: Difference) -> bool {
    difference.extra && matches!(difference.id, 934_100 | 934_101)
}
