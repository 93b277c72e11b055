//! JSON bodies: what they give out, and what they flag.

use crate::Read;
use fusewall::http::{Kind, ParseLimits, Processor};

fn json(body: impl AsRef<[u8]>) -> Read {
    json_within(ParseLimits::default(), body)
}

fn json_within(limits: ParseLimits, body: impl AsRef<[u8]>) -> Read {
    crate::read(Processor::Json, "application/json", body, limits)
}

#[test]
fn leaves_are_named_by_their_path() {
    for (body, expected) in [
        (r#"{"foo":"bar","mod":"sec"}"#, &[("json.foo", "bar"), ("json.mod", "sec")][..]),
        (r#"{"a":{"b":{"c":"d"}}}"#, &[("json.a.b.c", "d")]),
        (r#"{"a":[1,[2],{"b":3}]}"#, &[("json.a.0", "1"), ("json.a.1.0", "2"), ("json.a.2.b", "3"), ("json.a", "3")]),
        (r#"["x","y"]"#, &[("json.0", "x"), ("json.1", "y")]),
        (r#""text""#, &[("json", "text")]),
        ("-1.50e+3", &[("json", "-1.50e+3")]),
        (r#"[true,false,null,1e999]"#, &[("json.0", "true"), ("json.1", "false"), ("json.2", ""), ("json.3", "1e999")]),
        (r#"{"a":1,"a":2}"#, &[("json.a", "1"), ("json.a", "2")]),
        (r#"{"a.b":1,"":2}"#, &[("json.a.b", "1"), ("json.", "2")]),
        (r#"{"\u0061\n":"\u003cscript\u003E\/\"\\"}"#, &[("json.a\n", "<script>/\"\\")]),
        (r#"["\ud83d\ude00é\u0000"]"#, &[("json.0", "😀é\0")]),
        (
            r#"{"evil":{},"list":[],"deep":[[]]}"#,
            &[("json.evil", ""), ("json.list", ""), ("json.deep.0", ""), ("json.deep", "1")],
        ),
        ("{}", &[]),
        (" [\r\n\t]\n", &[]),
        ("", &[]),
    ] {
        let read = json(body);
        assert_eq!(read.values(Kind::ArgPost), expected, "{body}");
        assert!(!read.report.error, "{body}: {}", read.message());
    }
}

#[test]
fn what_is_not_json_is_an_error_and_read_all_the_same() {
    let surrogates = r#"["\uD800","\uDC00x","\ud800\ud801\udc00"]"#;
    for (body, expected, message) in [
        ("a", &[("json", "a")][..], "a bare word is no value"),
        (r#"{"a":1,}"#, &[("json.a", "1")], "a member is missing at byte 7"),
        (r#"[1,,"x"]"#, &[("json.0", "1"), ("json.1", "x")], "a value is missing at byte 3"),
        (r#"[1 "x"]"#, &[("json.0", "1"), ("json.1", "x")], "a comma is missing"),
        (r#"{"a" "x"}"#, &[("json.a", "x")], "a colon is missing"),
        (r#"{"a":,"b":"x"}"#, &[("json.a", ""), ("json.b", "x")], "a value is missing"),
        (r#"{"a","b":"x"}"#, &[("json.a", ""), ("json.b", "x")], "a key has no value"),
        (r#"{a:'x'}"#, &[("json.a", "'x'")], "a key is not a string"),
        (r#"{"a":1}{"b":2}"#, &[("json.a", "1"), ("json.b", "2")], "goes on after the document at byte 7"),
        (r#"{"a":1},[2]"#, &[("json.a", "1"), ("json.0", "2")], "a comma follows the document"),
        (r#"{"a":1}/*x*/"#, &[("json.a", "1"), ("json", "/*x*/")], "goes on after the document"),
        ("[01,NaN,0x1]", &[("json.0", "01"), ("json.1", "NaN"), ("json.2", "0x1")], "a bare word"),
        ("[\"a\tb\"]", &[("json.0", "a\tb")], "a control character"),
        (r#"["\x41\'"]"#, &[("json.0", "\\x41\\'")], "an unknown escape"),
        (r#"["\u12","\uZZ"]"#, &[("json.0", "\\u12"), ("json.1", "\\uZZ")], "fewer than four digits"),
        (
            surrogates,
            &[("json.0", "\\uD800"), ("json.1", "\\uDC00x"), ("json.2", "\\ud800\u{10400}")],
            "a lone surrogate",
        ),
        (r#"{"a":["x"#, &[("json.a.0", "x")], "a string is not closed at byte 8"),
        (r#"{"a":["x"}]"#, &[("json.a.0", "x"), ("json.a", "1")], "closed as an array or the other way round"),
        (r#"{"a":"x"}}"#, &[("json.a", "x")], "nothing is open"),
        (r#"{"evil"#, &[("json.evil", "")], "a string is not closed"),
        (r#"{"evil":"#, &[("json.evil", "")], "the document is not complete"),
        ("\u{feff}{\"a\":1}", &[("json.a", "1")], "a byte order mark at byte 0"),
        (r#"{[1]:2}"#, &[("json..0", "1"), ("json.", "1"), ("json.", "2")], "a key is missing"),
    ] {
        let read = json(body);
        assert_eq!(read.values(Kind::ArgPost), expected, "{body}");
        assert!(read.message().starts_with("JSON parsing error: "), "{body}");
        assert!(read.message().contains(message), "{body}: {}", read.message());
    }
    assert!(json(b"[\"\xff\"]").message().contains("not UTF-8"));
    assert!(json(b"[\"\xe2\x82\"]").message().contains("not UTF-8"));
    assert!(json(b"[\0\"\0a\0\"\0]\0").message().contains("UTF-16"));
}

#[test]
fn a_sequence_of_documents_is_read_like_an_array() {
    let sequence = |body: &str| crate::read(Processor::Ndjson, "application/x-ndjson", body, ParseLimits::default());
    for (body, expected) in [
        (
            "{\"a\":1}\n{\"a\":[2,3]}\n",
            &[("json.0.a", "1"), ("json.1.a.0", "2"), ("json.1.a.1", "3"), ("json.1.a", "2")][..],
        ),
        ("\n 1\r\n\"x\"\n\nnull", &[("json.0", "1"), ("json.1", "x"), ("json.2", "")]),
        ("\x1e{\"a\":1}\n\x1e{\"b\":\n2}\n", &[("json.0.a", "1"), ("json.1.b", "2")]),
        ("{}\n[]", &[("json.0", ""), ("json.1", "")]),
        ("", &[]),
    ] {
        let read = sequence(body);
        assert_eq!(read.values(Kind::ArgPost), expected, "{body}");
        assert!(!read.report.error, "{body}: {}", read.message());
    }
    for (body, expected, message) in [
        ("{\"a\":1}{\"a\":2}", &[("json.0.a", "1"), ("json.1.a", "2")][..], "no line feed stands between"),
        ("{\"a\":1},{\"a\":2}", &[("json.0.a", "1"), ("json.1.a", "2")], "a comma follows the document"),
        ("{\"a\":1}]\n2", &[("json.0.a", "1"), ("json.1", "2")], "nothing is open"),
        ("\x1e{\"a\":[1\n\x1e{\"b\":2}", &[("json.0.a.0", "1"), ("json.1.b", "2")], "the document is not complete"),
        ("{\"a\":1}\n{\"b\":", &[("json.0.a", "1"), ("json.1.b", "")], "the document is not complete"),
    ] {
        let read = sequence(body);
        assert_eq!(read.values(Kind::ArgPost), expected, "{body}");
        assert!(read.message().contains(message), "{body}: {}", read.message());
    }
}

#[test]
fn depth_and_arguments_are_limited_with_an_error() {
    let body = r#"{"1":{"2":{"3":{"4":{"5":"thevalue"}}}}}"#;
    let deep = |json_depth| json_within(ParseLimits { json_depth, ..ParseLimits::default() }, body);
    assert_eq!(deep(5).values(Kind::ArgPost), [("json.1.2.3.4.5", "thevalue")]);
    assert!(!deep(5).report.error);
    assert!(deep(4).report.error && deep(4).report.json_depth_exceeded);

    let body = r#"{"k1":"v1","k2":"v2","k3":"v3"}"#;
    let few = |arguments| json_within(ParseLimits { arguments, ..ParseLimits::default() }, body);
    assert!(!few(3).report.error);
    assert_eq!(few(2).values(Kind::ArgPost).len(), 2);
    assert!(few(2).report.error && few(2).report.arguments_exceeded);
}

#[test]
fn names_cannot_outgrow_the_body() {
    let body = format!("{{\"{}\":[{}]}}", "k".repeat(20_000), vec!["1"; 500].join(","));
    let read = json(&body);
    assert!(read.report.json_names_exceeded && read.report.error);
    let names: usize = read.fields.iter().map(|field| field.1.len()).sum();
    assert!(names <= 16 * body.len() + (64 << 10), "{names}");
    assert!(read.fields.len() > 10);
}
