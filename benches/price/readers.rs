//! Readers of what a request brings, and content codings.

use crate::chance::Chance;
use crate::inputs::{Body, bodies, prose, read, repeat};
use crate::table::Table;
use crate::texts::{SIZE, Text, pump, random, shuffled, text};
use fusewall::http::coding::{Coding, DecodeLimits, Decoding};
use fusewall::http::nested::{Nested, NestedLimits};
use fusewall::http::{Fields, Kind, ParseLimits, Processor, Report, args, cookies};
use fusewall::meter::Meter;
use std::io::Write;

/// For each reader: how a body begins, how it goes on, how it ends.
const GRAMMARS: &[(Processor, &str, &[&str], &str)] = &[
    (
        Processor::UrlEncoded,
        "",
        &["a=b", "&", "=", "%", "%41", "%zz", "+", "a", "abcdefgh", "&&", "=%&", "a=&", ";"],
        "",
    ),
    (
        Processor::Json,
        "[",
        &[
            "1,",
            "\"\",",
            "[],",
            "{},",
            "{\"a\":1},",
            "{\"\":\"\"},",
            "[1],",
            "[[]],",
            "\"\\u0041\",",
            "\"\\ud83d\\ude00\",",
            "\"\\n\\n\\n\",",
            "null,",
            "true,",
            "-1.5e+9,",
            " ",
            "\n",
            "\"abcdefghijklmnop\",",
            "{\"a\":{\"b\":[1,2]}},",
        ],
        "0]",
    ),
    (
        Processor::Ndjson,
        "",
        &[
            "1\n",
            "{}\n",
            "[]\n",
            "\"\"\n",
            "{\"a\":1}\n",
            "\n",
            "[1,2]\n",
            "1,\n",
            "{\"a\":[{\"b\":1}]}\n",
            "null\n",
            " \n",
        ],
        "",
    ),
    (
        Processor::Multipart,
        "--b\r\n",
        &[
            "Content-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b\r\n",
            "Content-Disposition: form-data; name=a; filename=b\r\n\r\nx\r\n--b\r\n",
            "X: y\r\n",
            " folded\r\n",
            "Content-Type: text/plain\r\n",
            "\r\n",
            "\n",
            "--",
            "--b",
            "\r",
            "-",
            "--b\r\n",
            "Content-Disposition: form-data; name=\"a\\\"b\"; x=y; z=\"\"\r\n",
            "Content-Transfer-Encoding: base64\r\n",
            "abcdefghij",
        ],
        "\r\n--b--\r\n",
    ),
    (
        Processor::Xml,
        "<r>",
        &[
            "<a/>",
            "<a></a>",
            "<a b=\"c\"/>",
            "<a>x</a>",
            "&amp;",
            "&#65;",
            "<!-- -->",
            "<![CDATA[x]]>",
            "<?a b?>",
            "<a b='' c=''/>",
            "<a:b xmlns:a=\"u\"/>",
            "text ",
            "<",
            ">",
            "]]>",
            "<a b=\"&lt;&gt;\"/>",
            "x<b/>",
        ],
        "</r>",
    ),
    (
        Processor::GraphQl,
        "{",
        &[
            "a ",
            "a(b:1) ",
            "a{b} ",
            "a(b:[1,2]) ",
            "a(b:{c:1}) ",
            "...f ",
            "@d ",
            "\"\" ",
            "a(b:\"x\") ",
            "# c\n",
            "a(b:$c) ",
            ", ",
            "a(b:\"\"\"x\"\"\") ",
            "a(b:\"\\u0041\") ",
            "a:b ",
            "a(b:[[1]]) ",
        ],
        "}",
    ),
    (
        Processor::Protobuf,
        "",
        &[
            "\x08\x01",
            "\x0a\x00",
            "\x0a\x01a",
            "\x0b",
            "\x0b\x0c",
            "\x0d\0\0\0\0",
            "\x09\0\0\0\0\0\0\0\0",
            "\x0a\x04\x0a\x02\x0a\x00",
            "\x0a\x02\x08\x01",
            "\x0a\x0aring twice",
            "\x10\x7f",
            "\x0c",
            "\x0a\x06\x0b\x0b\x0b\x0c\x0c\x0c",
        ],
        "",
    ),
];

/// Bodies that a reader is tried on.
fn tried(start: &str, pieces: &[&str], end: &str) -> Vec<Text> {
    let whole = |name: String, middle: Vec<u8>| text(name, [start.as_bytes(), &middle, end.as_bytes()].concat());
    let mut texts = Vec::new();
    for piece in pieces {
        let Text { name, bytes } = pump(piece, SIZE / piece.len() * piece.len());
        texts.push(whole(name.clone(), bytes));
        texts.push(whole(format!("{name}, short"), piece.repeat(3).into()));
    }
    // Two pieces that only together do harm.
    let mut chance = Chance::new(pieces.len() as u64);
    for _ in 0..24 {
        let pair = [*chance.pick(pieces), *chance.pick(pieces)].concat();
        texts.push(whole(
            format!("{:?} again and again", pair.chars().take(20).collect::<String>()),
            repeat(&pair, SIZE),
        ));
    }
    texts.push(whole("pieces by chance".to_owned(), shuffled(pieces, SIZE)));
    texts.push(text("any bytes by chance", random(&(0..=255).collect::<Vec<_>>(), SIZE)));
    texts.push(text("one byte", start.bytes().take(1).chain(*b"1").take(1).collect::<Vec<_>>()));
    texts
}

pub fn rows(table: &mut Table) {
    let mut fields = Fields::with_limit(1 << 30);
    for body in bodies(SIZE) {
        assert_eq!(read(&body, &mut Meter::unlimited(), &mut fields), body.sound, "{}", body.name);
        table.row(body.name, body.kind, || {
            let mut meter = Meter::unlimited();
            read(&body, &mut meter, &mut fields);
            meter.spent()
        });
    }
    for &(processor, start, pieces, end) in GRAMMARS {
        let name = format!("{processor:?}").to_lowercase();
        table.dearest(&format!("{name}, searched"), &tried(start, pieces, end), |bytes| {
            let body = Body { name: "", kind: "hostile", processor, bytes: bytes.to_vec(), sound: false };
            let mut meter = Meter::unlimited();
            read(&body, &mut meter, &mut fields);
            meter.spent()
        });
    }
    let queries = tried("", &["=%&", "&", "=", "a=b&", "%41=%zz&", "a", "+&", "a=&", "&&=", "%u0041&"], "");
    let limits = ParseLimits { arguments: usize::MAX, ..ParseLimits::default() };
    table.both("query", &repeat("size=42&color=blue&", SIZE), &queries, |input| {
        let mut meter = Meter::unlimited();
        fields.clear();
        args::parse_query(input, &limits, &mut fields, &mut Report::default(), &mut meter).expect("unlimited");
        meter.spent()
    });
    let headers =
        tried("", &["a;", ";", "=", "a=b; ", "a=;", "=;", "\"a;b\";", " ", "$Version=1; ", "a=b=c;", "; "], "");
    for format in [0, 1] {
        table.both(&format!("cookies, format {format}"), &repeat("theme=dark; ", SIZE), &headers, |input| {
            let mut meter = Meter::unlimited();
            fields.clear();
            cookies::parse_cookies(input, format, b';', &mut fields, &mut meter).expect("unlimited");
            meter.spent()
        });
    }
    nested(table, &mut fields);
    codings(table);
}

/// Documents in values: as many values as 64 KB have.
fn nested(table: &mut Table, fields: &mut Fields) {
    let limits = ParseLimits { arguments: usize::MAX, json_depth: usize::MAX, ..ParseLimits::default() };
    let values = [
        "{}",
        "[]",
        "[1]",
        "{\"a\":1}",
        "[\"{}\"]",
        "[\"[\\\"[]\\\"]\"]",
        "{",
        "[[[[]]]]",
        "plain",
        "",
        "{a}",
        "query{a}",
        "{ ",
    ];
    let inputs: Vec<Text> = values.iter().map(|value| text(format!("{value:?} in many values"), *value)).collect();
    table.both("documents in values", b"ring twice", &inputs, |value| {
        fields.clear();
        let count = SIZE / (value.len() + 3);
        for _ in 0..count {
            fields.push(Kind::ArgPost, b"query", value).expect("room");
        }
        let mut meter = Meter::unlimited();
        let mut nested = Nested::new(&NestedLimits { depth: 2, only_graphql: false }, &limits);
        nested.step(usize::MAX, fields, &mut Report::default(), &mut meter).expect("unlimited");
        // Making the values is part of the measured time: it is what urlencoded readers charge.
        meter.spent() + 16 * count as u64
    });
}

fn gzip(text: &[u8], level: u32) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    writer.write_all(text).expect("memory");
    writer.finish().expect("memory")
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(text).expect("memory");
    writer.finish().expect("memory")
}

fn brotli(text: &[u8], quality: i32) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
    brotli::BrotliCompress(&mut &*text, &mut out, &params).expect("memory");
    out
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

fn codings(table: &mut Table) {
    let limits = DecodeLimits { decoded: usize::MAX, ratio: usize::MAX, ratio_from: usize::MAX };
    let plain = [
        ("zeros", vec![0; 16 * SIZE]),
        ("any bytes", random(&(0..=255).collect::<Vec<_>>(), SIZE)),
        ("sixteen bytes by chance", random(b"0123456789abcdef", SIZE)),
        ("three bytes by chance", random(b"abc", SIZE)),
        ("words by chance", shuffled(&["the ", "union ", "abcdefgh", "x", "select ", "\n", "0123"], SIZE)),
        ("a few bytes", b"a=1&b=2".to_vec()),
        ("nothing", Vec::new()),
    ];
    /// A coding, and what makes it.
    type Coded = (&'static str, Coding, fn(&[u8]) -> Vec<u8>);
    let codings: [Coded; 6] = [
        ("gzip", Coding::Gzip, |text| gzip(text, 9)),
        ("gzip, stored", Coding::Gzip, |text| gzip(text, 0)),
        ("deflate", Coding::Deflate, deflate),
        ("br", Coding::Brotli, |text| brotli(text, 5)),
        ("br, fast", Coding::Brotli, |text| brotli(text, 1)),
        ("zstd", Coding::Zstd, zstd),
    ];
    for (name, coding, code) in codings {
        let mut inputs: Vec<Text> = plain.iter().map(|(name, bytes)| text(*name, code(bytes))).collect();
        // Torn, and many members one after the other.
        inputs.push(text("half of it", {
            let mut all = code(&prose(SIZE));
            all.truncate(all.len() / 2);
            all
        }));
        inputs.push(text("many small members", code(b"x").repeat(1000)));
        inputs.push(text("not coded at all", prose(SIZE)));
        let mut out = Vec::new();
        table.both(&format!("Content-Encoding: {name}"), &code(&prose(SIZE)), &inputs, |body| {
            let mut meter = Meter::unlimited();
            out.clear();
            let mut decoding = Decoding::new(&[coding], &limits);
            let _ = decoding.step(body, true, usize::MAX, &mut out, &mut meter).expect("unlimited");
            meter.spent()
        });
    }
}
