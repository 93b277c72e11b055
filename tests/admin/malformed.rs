//! Nothing that is sent brings the listener down.

use super::site::{Site, problem};
use proptest::prelude::*;
use std::io::Write;
use std::os::unix::net::UnixStream;

#[test]
fn wrong_json_is_an_error_that_names_the_key() {
    let site = Site::start();
    let deep = format!("{{\"enabled\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, part) in [
        ("{", "EOF"),
        ("nonsense", "expected"),
        (r#"{"enabled":1}"#, "expected a boolean"),
        (r#"{"enabled":true,"enable":false}"#, "unknown field `enable`"),
        (r#"{"enabled":true,"enabled":false}"#, "duplicate field `enabled`"),
        ("{}", "missing field `enabled`"),
        ("", "missing field `enabled`"),
        ("[]", "invalid"),
        (r#"{"enabled":false} x"#, "trailing"),
        ("{\"enabled\":false,\"\u{0}\":1}", "control character"),
        (&deep, "expected a boolean"),
    ] {
        let reply = site.put("/v1/rules/1", body);
        assert_eq!(reply.problem(), problem(400, "body"), "{body:.80}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(part), "{part}: {}", reply.text());
    }
    assert!(site.refuses("first1"), "nothing was switched off");
    let large = format!("{{\"enabled\":false}}{}", " ".repeat(300_000));
    assert_eq!(site.put("/v1/rules/1", &large).problem(), problem(413, "too-large"));
    assert_eq!(site.send("GET", "/v1/mode", &[], b"{}").problem(), problem(413, "too-large"), "it takes no body");
}

#[test]
fn odd_requests_are_refused_and_the_next_one_is_answered() {
    let site = Site::start();
    let many: String = (0..200).map(|field| format!("x-{field}: y\r\n")).collect();
    for request in [
        "\r\n\r\n".to_owned(),
        "GET".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
        "PUT /v1/mode HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}".to_owned(),
        "PUT /v1/mode HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "PUT /v1/mode HTTP/1.1\r\nContent-Length: 50\r\n\r\n{\"mode\":".to_owned(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)),
        format!("GET /healthz HTTP/1.1\r\n{many}\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{0}\u{5}hello".to_owned(),
    ] {
        let answer = site.raw(request.as_bytes());
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{request:.80}: {}", String::from_utf8_lossy(&answer));
        site.get("/healthz").done();
    }
    assert!(site.refuses("first1"));
}

#[test]
fn one_connection_carries_one_request() {
    let site = Site::start();
    let one = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let two = format!("{one}PUT /v1/ruleset HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n{{\"enabled\":false}}");
    let answer = String::from_utf8(site.raw(two.as_bytes())).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(site.refuses("first1"));
}

#[test]
fn connections_that_say_nothing_keep_nobody_out_for_long() {
    let site = Site::start();
    let silent: Vec<_> = (0..20).map(|_| UnixStream::connect(&site.socket).unwrap()).collect();
    for mut stream in &silent {
        stream.write_all(b"GET /hea").unwrap();
    }
    site.get("/healthz").done();
    drop(silent);
    site.get("/healthz").done();
}

/// Bytes that look like requests here and there.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::sample::select(vec![
            &b"GET "[..],
            b"PUT ",
            b"POST ",
            b"DELETE ",
            b"/v1/rules/1",
            b"/v1/rulesets",
            b"/v1/mode",
            b"/v1/tags/%2",
            b" HTTP/1.1\r\n",
            b"Host: a\r\n",
            b"Content-Length: 18\r\n",
            b"Content-Length: 99999999999999999999\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Type: application/octet-stream\r\n",
            b"Fusewall-Signature: AA==\r\n",
            b"Expect: 100-continue\r\n",
            b"\r\n",
            b"\r\n\r\n",
            b"{\"enabled\":true}",
            b"{\"mode\":\"on\"}",
            b"5\r\nabcde\r\n",
            b"0\r\n\r\n",
            b"\x89FWB\r\n\x1a\n",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_bytes_bring_the_listener_down() {
    let site = Site::start();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 500, ..ProptestConfig::default() });
    runner
        .run(&bytes(), |bytes| {
            let answer = site.raw(&bytes);
            prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
            prop_assert_eq!(site.get("/healthz").status, 200);
            Ok(())
        })
        .unwrap();
    assert!(site.refuses("first1") && site.waf.generation().number == 1);
}
