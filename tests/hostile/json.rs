//! I2 and I3: the depth and size of JSON bodies, and everything that is JSON to some and not to others.

use crate::attempt::{ATTACK, Attempt, Expected, FORM, JSON, json_string, post};
use crate::row::Row;
use std::sync::LazyLock;

pub static SIZE: LazyLock<Row> = LazyLock::new(|| {
    let mut row =
        Row::new("I2", "JSON: depth up to 100,000, long keys with many leaves, a million leaves, one string of 10 MB");
    let attack = json_string(ATTACK);
    for depth in [1_usize, 64, 65, 128, 129, 512, 513, 100_000] {
        let expected = if depth <= 512 { Expected::Found } else { Expected::Refused };
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"key\":", "}]")] {
            let levels = if open.len() > 5 { depth.div_ceil(2) } else { depth };
            let (inside, after) = (open.repeat(levels), close.repeat(levels));
            row.take(&Attempt::new(
                format!("{levels} of {open}"),
                post(JSON, format!("{inside}\"{attack}\"{after}")),
                expected,
            ));
            let unclosed = if depth <= 512 { Expected::FoundAndRefused } else { Expected::Refused };
            row.take(&Attempt::new(
                format!("{levels} of {open}, open"),
                post(JSON, format!("{inside}\"{attack}\"")),
                unclosed,
            ));
            // An attack in front of what goes too deep is found all the same.
            let before = format!("[\"{attack}\",{inside}1{after}]");
            row.take(&Attempt::new(format!("{levels} of {open}, behind"), post(JSON, before), Expected::Found));
        }
    }
    for (keys, length, leaves) in [(1, 100_000, 500), (50, 2_000, 20), (400, 90, 2), (1, 30, 900)] {
        let inside: String = (0..keys).map(|at| format!("{{\"{}{at}\":", "k".repeat(length))).collect();
        let body = format!("{inside}[{}\"{attack}\"]{}", "1,".repeat(leaves), "}".repeat(keys));
        let what = format!("{keys} keys of {length} bytes above {leaves} leaves");
        row.take(&Attempt::new(what, post(JSON, body), Expected::Seen));
    }
    let million = format!("[{}\"{attack}\"]", "1,".repeat(1_000_000));
    row.take(&Attempt::new("a million leaves", post(JSON, million), Expected::Refused));
    for before in [10_000, 1_000_000, 10_000_000] {
        let long = format!("[\"{}{attack}\"]", "x".repeat(before));
        row.take(&Attempt::new(format!("a string of {before} bytes"), post(JSON, long), Expected::Found));
    }
    row
});

pub static ODD: LazyLock<Row> = LazyLock::new(|| {
    Row::of("I3", "JSON oddities: duplicate keys, escapes, surrogates, other encodings, comments, junk", odd())
});

/// `@` stands for the attack as the inside of a string.
const BODIES: &[(&str, Expected)] = &[
    // A recipient takes the first or the last of two.
    (r#"{"a":"@","a":"x"}"#, Expected::Found),
    (r#"{"a":"x","a":"@"}"#, Expected::Found),
    (r#"{"a":"x","a":"@","a":"y"}"#, Expected::Found),
    (r#"{"a":"x","\u0061":"@"}"#, Expected::Found),
    (r#"{"a":{"b":1},"a":{"b":"@"}}"#, Expected::Found),
    (r#"{"a.b":"@","a":{"b":"x"}}"#, Expected::Found),
    (r#"{"a":[],"a":["@"]}"#, Expected::Found),
    (r#"{"":"@"}"#, Expected::Found),
    (r#"{"__proto__":{"a":"@"}}"#, Expected::Found),
    // Names as well as values.
    (r#"{"@":1}"#, Expected::Found),
    (r#"{"@":{}}"#, Expected::Found),
    (r#"{"@":[]}"#, Expected::Found),
    (r#"{"a":{"@":[[[]]]}}"#, Expected::Found),
    // A document need not be an object.
    (r#""@""#, Expected::Found),
    (r#"["@"]"#, Expected::Found),
    (" \r\n\t[\"@\"] \n", Expected::Found),
    // Not JSON to some.
    (r#"{"a":"@",}"#, Expected::FoundAndRefused),
    (r#"["@",]"#, Expected::FoundAndRefused),
    (r#"["x" "@"]"#, Expected::FoundAndRefused),
    (r#"[,"@"]"#, Expected::FoundAndRefused),
    (r#"{"a" "@"}"#, Expected::FoundAndRefused),
    (r#"{"a":1 /* c */,"b":"@"}"#, Expected::FoundAndRefused),
    ("{\"a\":1, // c\n\"b\":\"@\"}", Expected::FoundAndRefused),
    ("{\"a\":1, # c\n\"b\":\"@\"}", Expected::FoundAndRefused),
    (r#"{a:"@"}"#, Expected::FoundAndRefused),
    (r#"{'a':'@'}"#, Expected::FoundAndRefused),
    (r#"['@']"#, Expected::FoundAndRefused),
    ("[\"a\tb\",\"@\"]", Expected::FoundAndRefused),
    ("[\"a\nb\",\"@\"]", Expected::FoundAndRefused),
    (r#"{"a":01,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":+1,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":.5,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":0x1F,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":NaN,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":Infinity,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":True,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":undefined,"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":1e999,"b":"@"}"#, Expected::Found),
    (r#"{"a":-0.0e-999,"b":"@"}"#, Expected::Found),
    (r#"{"a":"\x41","b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":"\'","b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":"\ud800","b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":"\udc00\ud800","b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":"\ud83d\ude00","b":"@"}"#, Expected::Found),
    (r#"{"a":"\u00","b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":"\u0000@"}"#, Expected::Found),
    (r#"{"a\u0000":"@"}"#, Expected::Found),
    // More than one document, and what stands around it.
    (r#"{"a":1}{"b":"@"}"#, Expected::FoundAndRefused),
    ("{\"a\":1}\n{\"b\":\"@\"}", Expected::FoundAndRefused),
    (r#"{"a":1}["@"]"#, Expected::FoundAndRefused),
    (r#"{"a":1},{"b":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":1}@"#, Expected::FoundAndRefused),
    ("{\"a\":1}\0\"@\"", Expected::FoundAndRefused),
    (")]}',\n{\"a\":\"@\"}", Expected::FoundAndRefused),
    ("while(1);[\"@\"]", Expected::FoundAndRefused),
    ("callback({\"a\":\"@\"})", Expected::FoundAndRefused),
    ("\u{feff}{\"a\":\"@\"}", Expected::FoundAndRefused),
    ("\u{a0}{\"a\":\"@\"}", Expected::FoundAndRefused),
    ("\u{b}{\"a\":\"@\"}", Expected::FoundAndRefused),
    // Brackets that do not fit.
    (r#"{"a":"@""#, Expected::FoundAndRefused),
    (r#"{"a":"@"#, Expected::FoundAndRefused),
    (r#"{"a":"@]"#, Expected::FoundAndRefused),
    (r#"["@"}"#, Expected::FoundAndRefused),
    (r#"]]{"a":"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":{"@"}}"#, Expected::FoundAndRefused),
    (r#"{"@""#, Expected::FoundAndRefused),
    (r#"{"@"#, Expected::FoundAndRefused),
    (r#"{["@"]:1}"#, Expected::FoundAndRefused),
    (r#"{"a"::"@"}"#, Expected::FoundAndRefused),
    (r#"{"a":,"@":}"#, Expected::FoundAndRefused),
    // Harmless.
    (r#"{"a":{"b":[1,2.5,-3e4,true,false,null,"x\n\u00e9"]}}"#, Expected::Nothing),
    ("[]", Expected::Nothing),
    ("{}", Expected::Nothing),
    ("null", Expected::Nothing),
    ("", Expected::Nothing),
];

fn odd() -> Vec<Attempt> {
    let types = ["application/json", "APPLICATION/JSON ; charset=utf-8", "application/vnd.api+json"];
    let mut attempts = Vec::new();
    let escaped: String = ATTACK.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let spellings = [json_string(ATTACK), escaped, ATTACK.replace('/', "\\/")];
    for (body, expected) in BODIES {
        for content_type in types {
            for spelling in spellings.iter().take(if *expected == Expected::Nothing { 1 } else { 3 }) {
                // Outside of strings there are no escapes.
                if (body.contains("'@") || body.ends_with("}@")) && spelling.contains('\\') {
                    continue;
                }
                let body = body.replace('@', spelling);
                attempts.push(Attempt::new(format!("{content_type}: {body}"), post(content_type, body), *expected));
            }
        }
    }
    let document = format!("{{\"a\":\"{}\"}}", json_string(ATTACK));
    for (name, bytes) in encodings(&document) {
        attempts.push(Attempt::new(format!("JSON in {name}"), post(JSON, bytes.clone()), Expected::Refused));
        let told = format!("application/json; charset={name}");
        attempts.push(Attempt::new(told.clone(), post(&told, bytes), Expected::Refused));
    }
    // Bytes that are not UTF-8 in front of, in and behind the attack.
    for broken in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"] {
        for (before, after) in [(broken, &b""[..]), (b"", broken), (broken, broken)] {
            let body = [b"{\"a\":\"", before, json_string(ATTACK).as_bytes(), after, b"\"}"].concat();
            attempts.push(Attempt::new(
                format!("not UTF-8: {}", body.escape_ascii()),
                post(JSON, body),
                Expected::FoundAndRefused,
            ));
        }
    }
    attempts.push(Attempt::new("JSON called a form", post(FORM, document), Expected::Found));
    attempts
}

/// A text in the encodings that hide it.
pub fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let wide = |order: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16()).flat_map(order).collect()
    };
    let wider =
        |order: fn(u32) -> [u8; 4]| -> Vec<u8> { text.chars().flat_map(|char| order(u32::from(char))).collect() };
    vec![
        ("utf-16le", wide(u16::to_le_bytes, false)),
        ("utf-16be", wide(u16::to_be_bytes, false)),
        ("utf-16", wide(u16::to_be_bytes, true)),
        ("utf-16 (LE)", wide(u16::to_le_bytes, true)),
        ("utf-32le", wider(u32::to_le_bytes)),
        ("utf-32be", wider(u32::to_be_bytes)),
    ]
}

#[test]
fn depth_and_size_are_inspected_or_refused() {
    SIZE.assert();
}

#[test]
fn what_is_json_to_somebody_is_inspected_or_refused() {
    ODD.assert();
}
