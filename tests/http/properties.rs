//! What holds for every body: no panic, the price is an upper bound, the way a body arrives changes nothing; and for JSON, that
//! we agree with an independent parser.

use crate::read;
use fusewall::http::args::parse_query;
use fusewall::http::body::price;
use fusewall::http::cookies::{self, parse_cookies};
use fusewall::http::{BodyParser, Fields, Kind, ParseLimits, Processor, Progress, Report, uri};
use fusewall::meter::{Exhausted, Meter};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const CONTENT_TYPE: &str = "multipart/form-data; boundary=B";

/// A parser can go on on another thread.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<BodyParser>();
};

/// Pieces of which bodies are made that are nearly what the processor expects.
fn tokens(processor: Processor) -> Vec<&'static [u8]> {
    let tokens: &[&[u8]] = match processor {
        Processor::UrlEncoded => {
            &[b"a", b"=", b"&", b"&", b"+", b"%", b"%4", b"%41", b"%zz", b"\0", b"name=value&", b"\xff"]
        }
        Processor::Multipart => &[
            b"--B\r\n",
            b"--B\n",
            b"--B--",
            b"--B",
            b"--",
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
            b"Content-Disposition: form-data; name=b; filename=\"c\"\r\n",
            b"Content-Disposition:",
            b"; filename*=utf-8''%41",
            b"X: y\r\n",
            b":",
            b"text",
            b"\"",
            b"\\",
            b"\0",
        ],
        Processor::Protobuf | Processor::Grpc => &[
            b"\0\0\0\0\x04",
            b"\x01\0\0\0\x0c",
            b"\x80\0\0\0\x02",
            b"\x78\x9c\x4b\x04\0\0\x62\0\x62",
            b"\x08\x01",
            b"\x12\x03abc",
            b"\x0a\x08",
            b"\x0a\xff\x01",
            b"\x0b",
            b"\x0c",
            b"\x0d",
            b"\x11",
            b"text",
            b"0000",
            b"\xc3",
            b"\xa9",
            b"\xff",
            b"\0",
            b"\x07",
        ],
        Processor::GraphQl => &[
            b"{",
            b"}",
            b"(",
            b")",
            b"[",
            b"]",
            b":",
            b"a",
            b"query ",
            b"...",
            b" on ",
            b"@b",
            b"$v",
            b"1.5",
            b"\"",
            b"\"\"\"",
            b"\\",
            b"\\u{3c}",
            b"\\ud83d",
            b"\\ude00",
            b"text",
            b"#",
            b"\n",
            b" ",
            b"\xc3\xa9",
            b"a(b:",
            b"c{",
        ],
        Processor::Json | Processor::Ndjson => &[
            b"\x1e",
            b"{\"a\":1}\n",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"\"",
            b"\"",
            b"\\",
            b"\\u00",
            b"41",
            b"\\ud83d",
            b"\\ude00",
            b"true",
            b"null",
            b"1",
            b"0",
            b"-",
            b".",
            b"e",
            b" ",
            b"\"a\":",
            b"\"a\":[",
            b"\"b\",",
            b"\xc3\xa9",
            b"\xff",
            b"\n",
            b"\0",
        ],
        Processor::Xml => &[
            b"<",
            b">",
            b"/",
            b"<a>",
            b"</a>",
            b"<b c='d'>",
            b"</b>",
            b"=",
            b"'",
            b"\"",
            b"&",
            b"&lt;",
            b"&#65;",
            b"&x;",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"]]>",
            b"<?xml encoding='utf-8'?>",
            b"<!DOCTYPE a [",
            b" ",
            b"text",
            b"xmlns:p",
        ],
    };
    tokens.to_vec()
}

/// Bodies of such pieces, mixed or with one run of pieces repeated, so that many are longer than a block.
fn bodies(processor: Processor) -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(select(tokens(processor)), 0..60);
    (pieces.clone(), pieces, 0..300usize).prop_map(|(start, repeated, times)| {
        let mut body = start.concat();
        body.extend(repeated.concat().repeat(times));
        body
    })
}

fn processors() -> impl Strategy<Value = Processor> {
    select(vec![
        Processor::UrlEncoded,
        Processor::Multipart,
        Processor::Json,
        Processor::Xml,
        Processor::Ndjson,
        Processor::GraphQl,
        Processor::Protobuf,
        Processor::Grpc,
    ])
}

fn limits() -> impl Strategy<Value = ParseLimits> {
    let unlimited = ParseLimits {
        arguments: usize::MAX,
        json_depth: usize::MAX,
        xml_depth: usize::MAX,
        graphql_depth: usize::MAX,
        protobuf_depth: usize::MAX,
        multipart_parts: usize::MAX,
        multipart_header: usize::MAX,
        upload_files: usize::MAX,
        xml_into_args: true,
        ..ParseLimits::default()
    };
    let tight = ParseLimits {
        arguments: 5,
        json_depth: 3,
        xml_depth: 3,
        graphql_depth: 3,
        protobuf_depth: 3,
        multipart_parts: 4,
        multipart_header: 60,
        upload_files: 1,
        xml_into_args: true,
        ..ParseLimits::default()
    };
    select(vec![unlimited, tight, ParseLimits::default()])
}

/// All that reading a body leaves behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    result: Result<(), Exhausted>,
    fields: Vec<(Kind, Vec<u8>, Vec<u8>)>,
    report: Report,
    fuel: u64,
}

impl Outcome {
    fn new(result: Result<(), Exhausted>, fields: &Fields, report: Report, meter: &Meter) -> Self {
        let owned = |span| fields.bytes(span).to_vec();
        let fields = fields.items().iter().map(|f| (f.kind, owned(f.name), owned(f.value))).collect();
        Outcome { result, fields, report, fuel: meter.spent() }
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(_, name, value)| (&**name, &**value))
    }
}

/// Reads a body that arrives in pieces which end at `cuts`.
fn read_in_pieces(
    processor: Processor,
    limits: &ParseLimits,
    body: &[u8],
    cuts: &[usize],
    quantum: usize,
    fuel: u64,
) -> Outcome {
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 30), Report::default(), Meter::new(fuel));
    let mut parser = BodyParser::new(processor, CONTENT_TYPE.as_bytes(), limits);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([body.len()]).collect();
    ends.sort_unstable();
    let mut arrivals = ends.iter().map(|&end| (end, false)).chain([(body.len(), true)]);
    let (mut end, mut last) = arrivals.next().unwrap();
    let result = loop {
        match parser.step(&body[..end], last, quantum, &mut fields, &mut report, &mut meter) {
            Ok(Progress::More) => {}
            Ok(Progress::Done) => break Ok(()),
            Ok(Progress::NeedInput) => (end, last) = arrivals.next().expect("all of the body is there"),
            Err(exhausted) => break Err(exhausted),
        }
    };
    Outcome::new(result, &fields, report, &meter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn how_a_body_arrives_changes_nothing(
        (processor, body) in processors().prop_flat_map(|processor| (Just(processor), bodies(processor))),
        limits in limits(),
        cuts in vec(any::<usize>(), 0..6),
        quantum in 1..20_000usize,
        fuel in prop_oneof![Just(u64::MAX), 0..400_000u64],
    ) {
        let whole = read_in_pieces(processor, &limits, &body, &[], usize::MAX, fuel);
        let pieces = read_in_pieces(processor, &limits, &body, &cuts, quantum, fuel);
        prop_assert_eq!(&whole, &pieces);
    }

    #[test]
    fn the_price_is_an_upper_bound(
        (processor, body) in processors().prop_flat_map(|processor| (Just(processor), bodies(processor))),
        limits in limits(),
    ) {
        let read = read(processor, CONTENT_TYPE, &body, limits);
        prop_assert!(read.fuel <= price(processor).of(body.len()), "{} > {}", read.fuel, price(processor).of(body.len()));
    }

    #[test]
    fn arbitrary_bytes_are_read(
        processor in processors(),
        body in vec(any::<u8>(), 0..6000),
        content_type in vec(any::<u8>(), 0..60),
        format in 0..3u8,
    ) {
        let content_type = [b"multipart/form-data; boundary=".as_slice(), &content_type].concat();
        read(processor, &String::from_utf8_lossy(&content_type), &body, ParseLimits::default());
        let mut fields = Fields::with_limit(1 << 30);
        let mut meter = Meter::unlimited();
        parse_cookies(&body, format, b';', &mut fields, &mut meter).unwrap();
        prop_assert!(meter.spent() <= cookies::PRICE.of(body.len()));
        prop_assert!(fields.items().len() <= body.len());
        let split = uri::split(&body);
        prop_assert!(split.path.len() + split.query.len() + split.fragment.len() <= body.len());
        let mut decoded = Vec::new();
        uri::decode_path(split.path, &mut decoded);
        prop_assert!(decoded.len() <= split.path.len());
    }

    #[test]
    fn a_query_is_read_like_the_same_body(body in bodies(Processor::UrlEncoded), limits in limits()) {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 30), Report::default(), Meter::unlimited());
        let result = parse_query(&body, &limits, &mut fields, &mut report, &mut meter);
        let as_query = Outcome::new(result, &fields, report, &meter);
        let as_body = read_in_pieces(Processor::UrlEncoded, &limits, &body, &[], usize::MAX, u64::MAX);
        prop_assert!(as_query.pairs().eq(as_body.pairs()));
        // Beginning to read a body has a price of its own.
        let begun = read_in_pieces(Processor::UrlEncoded, &limits, b"", &[], usize::MAX, u64::MAX).fuel;
        prop_assert_eq!((as_query.report, as_query.fuel + begun), (as_body.report, as_body.fuel));
    }

    #[test]
    fn urlencoding_round_trips(pairs in vec((vec(any::<u8>(), 0..8), vec(any::<u8>(), 0..8)), 0..8)) {
        let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let read =
            read_in_pieces(Processor::UrlEncoded, &ParseLimits::default(), body.join("&").as_bytes(), &[], usize::MAX, u64::MAX);
        prop_assert!(read.pairs().eq(pairs.iter().map(|(name, value)| (&**name, &**value))));
        prop_assert_eq!(read.report, Report::default());
    }

    #[test]
    fn json_leaves_are_those_of_serde_json(document in documents(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let limits = ParseLimits { arguments: usize::MAX, ..ParseLimits::default() };
        let read = read(Processor::Json, "", &text, limits);
        let mut expected = Vec::new();
        leaves("json".into(), &document, &mut expected);
        prop_assert!(!read.report.error, "{}: {}", text, read.message());
        prop_assert!(read.values(Kind::ArgPost).into_iter().eq(expected.iter().map(|(name, value)| (&**name, &**value))));
    }

    #[test]
    fn json_is_judged_like_by_serde_json(body in vec(select(tokens(Processor::Json)), 0..12)) {
        let body = body.concat();
        let verdict = serde_json::from_slice::<serde_json::Value>(&body);
        // Numbers beyond f64 are JSON; a body of white space alone is empty to us.
        let out_of_range = matches!(&verdict, Err(error) if error.to_string().contains("out of range"));
        if !out_of_range && !body.trim_ascii().is_empty() {
            let read = read(Processor::Json, "", &body, ParseLimits::default());
            prop_assert_eq!(read.report.error, verdict.is_err(), "{:?}: {:?}", String::from_utf8_lossy(&body), verdict);
        }
    }
}

fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn leaves(name: String, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
    use serde_json::Value;
    match value {
        Value::Null => out.push((name, String::new())),
        Value::String(text) => out.push((name, text.clone())),
        Value::Bool(_) | Value::Number(_) => out.push((name, value.to_string())),
        Value::Array(elements) if elements.is_empty() && name != "json" => out.push((name, String::new())),
        Value::Object(members) if members.is_empty() && name != "json" => out.push((name, String::new())),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(index, element)| leaves(format!("{name}.{index}"), element, out));
        }
        Value::Object(members) => {
            for (key, member) in members {
                let name = format!("{name}.{key}");
                leaves(name.clone(), member, out);
                // A member that is an array is also an argument of its own.
                if let Some(elements) = member.as_array().filter(|elements| !elements.is_empty()) {
                    out.push((name, elements.len().to_string()));
                }
            }
        }
    }
}
