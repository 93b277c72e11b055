//! Hostile shapes: twice the input costs twice the fuel and memory, and nothing gets past a limit unseen.

use crate::{Read, read};
use fusewall::http::body::price;
use fusewall::http::coding::DecodeLimits;
use fusewall::http::{Kind, ParseLimits, Processor};

const UNLIMITED: ParseLimits = ParseLimits {
    arguments: usize::MAX,
    json_depth: usize::MAX,
    graphql_depth: usize::MAX,
    protobuf_depth: usize::MAX,
    xml_depth: usize::MAX,
    multipart_parts: usize::MAX,
    multipart_header: usize::MAX,
    argument_separator: b'&',
    upload_files: usize::MAX,
    xml_into_args: true,
    xml_text: true,
    message: DecodeLimits { decoded: usize::MAX, ratio: usize::MAX, ratio_from: usize::MAX },
};

/// A body of about `size` bytes.
type Shape = fn(usize) -> String;

const SHAPES: &[(&str, Processor, Shape)] = &[
    ("many arguments", Processor::UrlEncoded, |size| "a&".repeat(size / 2)),
    ("many documents", Processor::Ndjson, |size| "1\n".repeat(size / 2)),
    ("many fields", Processor::GraphQl, |size| format!("{{{}}}", "a ".repeat(size / 2))),
    ("many brackets", Processor::GraphQl, |size| "{a".repeat(size / 2)),
    ("many lists", Processor::GraphQl, |size| format!("{{a(b:{}", "[1".repeat(size / 2))),
    ("many numbers", Processor::Protobuf, |size| "\x08\x01".repeat(size / 2)),
    ("many fields of text", Processor::Protobuf, |size| "\x0a\x01a".repeat(size / 3)),
    ("groups in groups", Processor::Protobuf, |size| "\x0b".repeat(size)),
    ("one long text of numbers", Processor::Protobuf, |size| "0".repeat(size)),
    ("many messages", Processor::Grpc, |size| "\0\0\0\0\x02\x08\x01".repeat(size / 7)),
    ("many empty names", Processor::UrlEncoded, |size| "=&".repeat(size / 2)),
    ("one long value", Processor::UrlEncoded, |size| format!("a={}", "x".repeat(size))),
    ("escapes", Processor::UrlEncoded, |size| "%41".repeat(size / 3)),
    ("broken escapes", Processor::UrlEncoded, |size| "%4%".repeat(size / 3)),
    ("a million leaves", Processor::Json, |size| format!("[{}1]", "1,".repeat(size / 2))),
    ("leaves without commas", Processor::Json, |size| "\"\"".repeat(size / 2)),
    ("one long string", Processor::Json, |size| format!("[\"{}\"]", "x".repeat(size))),
    ("one string of escapes", Processor::Json, |size| format!("[\"{}\"]", "\\u0041".repeat(size / 6))),
    ("one string of surrogates", Processor::Json, |size| format!("[\"{}\"]", "\\ud800".repeat(size / 6))),
    ("one long number", Processor::Json, |size| "1".repeat(size)),
    ("deep arrays", Processor::Json, |size| "[".repeat(size)),
    ("deep objects", Processor::Json, |size| "{\"a\":".repeat(size / 5)),
    ("deep and closed", Processor::Json, |size| format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2))),
    ("long path, many leaves", Processor::Json, |size| {
        format!("{{\"{}\":[{}1]}}", "k".repeat(size / 2), "1,".repeat(size / 4))
    }),
    ("nested long keys with leaves", Processor::Json, |size| {
        format!("{{\"{}\":1,\"b\":", "k".repeat(90)).repeat(size / 100)
    }),
    ("empty containers", Processor::Json, |size| format!("[{}[]]", "[],".repeat(size / 3))),
    ("colons", Processor::Json, |size| format!("{{{}", ":,".repeat(size / 2))),
    ("many parts", Processor::Multipart, |size| {
        let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n";
        part.repeat(size / part.len()) + "--B--"
    }),
    ("many boundaries", Processor::Multipart, |size| "--B\n\n".repeat(size / 5)),
    ("newlines", Processor::Multipart, |size| format!("--B\n\n{}", "\n".repeat(size))),
    ("near boundaries", Processor::Multipart, |size| format!("--B\n\n{}", "--\n".repeat(size / 3))),
    ("one long header", Processor::Multipart, |size| format!("--B\nX: {}", "x".repeat(size))),
    ("folded header", Processor::Multipart, |size| format!("--B\nX: y\n{}", " z\n".repeat(size / 3))),
    ("many headers", Processor::Multipart, |size| format!("--B\n{}", "a:\n".repeat(size / 3))),
    ("many names", Processor::Multipart, |size| {
        format!("--B\nContent-Disposition: form-data{}\n\nv", ";name=".repeat(size / 6))
    }),
    ("many file names", Processor::Multipart, |size| {
        format!("--B\nContent-Disposition: form-data{}\n\nv", ";filename=".repeat(size / 10))
    }),
    ("one boundary with long padding", Processor::Multipart, |size| format!("--B\n\n--B{}", " ".repeat(size))),
    ("one long line", Processor::Multipart, |size| format!("--B\n\n{}", "x".repeat(size))),
    ("preamble", Processor::Multipart, |size| "x\n".repeat(size / 2)),
    ("many elements", Processor::Xml, |size| format!("<a>{}</a>", "<b/>".repeat(size / 4))),
    ("many attributes", Processor::Xml, |size| format!("<a {}/>", "b='' ".repeat(size / 5))),
    ("text between attributes", Processor::Xml, |size| format!("<a>{}</a>", "<b c='d'>x</b>".repeat(size / 14))),
    ("attributes without value", Processor::Xml, |size| format!("<a {}>", "b ".repeat(size / 2))),
    ("less-thans", Processor::Xml, |size| "<".repeat(size)),
    ("deep elements", Processor::Xml, |size| "<a>".repeat(size / 3)),
    ("deep elements, long names", Processor::Xml, |size| format!("<{}>", "a".repeat(98)).repeat(size / 100)),
    ("end tags of another name", Processor::Xml, |size| {
        format!("<{}>{}", "a".repeat(size / 2), "</a>".repeat(size / 8))
    }),
    ("references", Processor::Xml, |size| format!("<a>{}</a>", "&#65;".repeat(size / 5))),
    ("unknown references", Processor::Xml, |size| format!("<a>{}</a>", "&x;".repeat(size / 3))),
    ("billion laughs", Processor::Xml, |size| {
        format!("<!DOCTYPE a [{}]><a>&z;</a>", "<!ENTITY z '&y;&y;'>".repeat(size / 20))
    }),
    ("one CDATA section", Processor::Xml, |size| format!("<a><![CDATA[{}]]></a>", "]".repeat(size))),
    ("comments", Processor::Xml, |size| "<!---->".repeat(size / 7)),
];

#[test]
fn twice_the_input_costs_twice() {
    const SIZE: usize = 300_000;
    for (what, processor, shape) in SHAPES {
        let one = read(*processor, "multipart/form-data; boundary=B", shape(SIZE), UNLIMITED);
        let body = shape(2 * SIZE);
        let two = read(*processor, "multipart/form-data; boundary=B", &body, UNLIMITED);
        let ratio = |two: u64, one: u64| two as f64 / one as f64;
        assert!(ratio(two.fuel, one.fuel) <= 2.2, "{what}: fuel {} and {}", one.fuel, two.fuel);
        assert!(
            ratio(two.memory as u64, one.memory.max(1000) as u64) <= 2.2,
            "{what}: {} and {}",
            one.memory,
            two.memory
        );
        assert!(two.fuel <= price(*processor).of(body.len()), "{what}: price");
        assert!(two.memory <= 50 * body.len(), "{what}: {} bytes for {}", two.memory, body.len());
    }
}

/// Whether an attack is inspected, or its body rejected.
fn seen(read: &Read) -> bool {
    read.report.error || read.fields.iter().any(|field| field.1.contains("attack") || field.2.contains("attack"))
}

#[test]
fn an_attack_among_many_arguments_is_inspected_or_rejected() {
    for count in [1001, 10_000] {
        for place in [0, count / 2, count - 1] {
            let value = |at: usize| if at == place { "attack" } else { "v" };
            let form: Vec<_> = (0..count).map(|at| format!("a{at}={}", value(at))).collect();
            let array: Vec<_> = (0..count).map(|at| format!("\"{}\"", value(at))).collect();
            let object: Vec<_> = (0..count).map(|at| format!("\"{}{at}\":{{}}", value(at))).collect();
            let parts: Vec<_> = (0..count)
                .map(|at| format!("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n", value(at)))
                .collect();
            let attributes: Vec<_> = (0..count).map(|at| format!("a{at}='{}'", value(at))).collect();
            for (processor, body) in [
                (Processor::UrlEncoded, form.join("&")),
                (Processor::Json, format!("[{}]", array.join(","))),
                (Processor::Json, format!("{{{}}}", object.join(","))),
                (Processor::Multipart, parts.concat() + "--B--"),
                (Processor::Xml, format!("<a {}/>", attributes.join(" "))),
            ] {
                for limits in [ParseLimits::default(), UNLIMITED] {
                    let read = read(processor, "multipart/form-data; boundary=B", &body, limits);
                    assert!(seen(&read), "{processor:?} {count} {place}");
                    assert!(limits == ParseLimits::default() || !read.report.error, "{processor:?}");
                }
            }
        }
    }
}

#[test]
fn an_attack_in_any_duplicate_or_after_any_error_is_inspected() {
    for body in [
        r#"{"a":"attack","a":"x"}"#,
        r#"{"a":"x","a":"attack"}"#,
        r#"{"a":"\u0061ttack"}"#,
        r#"{"\u0061ttack":[]}"#,
        "{\"a\":1}\n{\"b\":\"attack\"}",
        r#"{"a":1,/* */"b":"attack"}"#,
        r#"{"a":1}attack"#,
        "{\"a\":1}\0\"attack\"",
        r#"{'a':'attack'}"#,
        r#"{"a":"attack"#,
        r#"]]]{"a":"attack"}"#,
        r#"{"a":{"attack"}}"#,
    ] {
        let read = read(Processor::Json, "", body, ParseLimits::default());
        let found =
            read.values(Kind::ArgPost).iter().any(|(name, value)| name.contains("attack") || value.contains("attack"));
        assert!(found, "{body}: {:?}", read.fields);
    }
}

#[test]
fn deep_documents_are_rejected_without_recursion() {
    for depth in [512, 513, 100_000] {
        let read = read(Processor::Json, "", "[".repeat(depth) + &"]".repeat(depth), ParseLimits::default());
        assert_eq!(read.report.json_depth_exceeded, depth > 512);
        assert_eq!(read.report.error, depth > 512);
    }
    let names: String = (0..500).map(|_| format!("{{\"{}\":", "k".repeat(1000))).collect();
    let read = read(Processor::Json, "", format!("{names}[{}", "1,".repeat(1000)), UNLIMITED);
    assert!(read.report.error && read.memory < 20 * 502_000 + (1 << 20), "{}", read.memory);
}
