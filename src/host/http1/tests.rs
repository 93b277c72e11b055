use proptest::prelude::*;

use super::*;

fn limits() -> HeadLimits {
    HeadLimits { bytes: 4096, request_line: 1024, headers: 8 }
}

fn head(bytes: &[u8]) -> Head {
    match parse_head(bytes, &limits()) {
        Ok(Parsed::Complete { head, .. }) => head,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn refusal(bytes: &[u8]) -> (u16, &'static str) {
    match parse_head(bytes, &limits()) {
        Err(refused) => (refused.status, refused.reason),
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

fn with_fields(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").into_bytes()
}

#[test]
fn a_head_is_kept_byte_for_byte() {
    let bytes = b"\r\nqUeRy /\xff?<a>=\"%zz HTTP/1.1\r\nhOST:a\r\nX:  b\xe9 \"c\" \t\r\nEmpty:\r\n\r\nbody";
    let Ok(Parsed::Complete { head, consumed }) = parse_head(bytes, &limits()) else { panic!() };
    assert_eq!(&bytes[consumed..], b"body");
    assert_eq!(head.request_line, b"qUeRy /\xff?<a>=\"%zz HTTP/1.1");
    assert_eq!((head.method.as_slice(), head.target.as_slice()), (&b"qUeRy"[..], &b"/\xff?<a>=\"%zz"[..]));
    let field = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    assert_eq!(head.headers, [field(b"hOST", b"a"), field(b"X", b"b\xe9 \"c\""), field(b"Empty", b"")]);
    assert_eq!(head.header("x"), Some(&b"b\xe9 \"c\""[..]));
}

#[test]
fn request_lines_that_reach_the_rules() {
    for line in [
        "|GET /get HTTP/1.1",
        "REALLYLONGUNREALMETHOD / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/2.0",
        "GET / HTTP/4.0",
        "GET http://localhost HTTP/1.1",
        "GET http://localhost?x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT 1.2.3.4:80 HTTP/1.1",
        "GET //a//../\\ HTTP/1.1",
        "GET /{}|^`\" HTTP/1.1",
    ] {
        assert_eq!(head(&with_line(line)).request_line, line.as_bytes());
    }
    assert!(head(&with_line("GET / HTTP/1.0")).is_http1() && !head(&with_line("GET / HTTP/2.0")).is_http1());
}

#[test]
fn request_lines_that_do_not() {
    for line in [
        " GET / HTTP/1.1",
        "\tGET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\r HTTP/1.1",
        "GET /#fragment HTTP/1.1",
        "GET \\index.html HTTP/1.1",
        "GET index.html HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET http://user@a/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "CONNECT www.example.com HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.10",
        "GET / HTTP/2",
        "GET / http/1.1",
        "GET / HTTP\\1.0",
        "GET / JUNK/1.0",
        "GET / 1.1",
        "GET / ",
        "GET /",
        "GET",
        ":",
    ] {
        assert_eq!(refusal(&with_line(line)).0, 400, "{line:?}");
    }
}

#[test]
fn refused_requests_can_still_be_inspected() {
    let inspect = |bytes: &[u8]| *parse_head(bytes, &limits()).unwrap_err().head;
    let spaces = inspect(b"\t GET  /a b  HTTP/1.1\r\nHost: x\r\nBad Name: y\r\nLater: z\r\n\r\n");
    assert_eq!(
        (spaces.method.as_slice(), spaces.target.as_slice(), spaces.version.as_slice()),
        (&b"GET"[..], &b"/a b"[..], &b"HTTP/1.1"[..])
    );
    assert_eq!(spaces.headers, [(b"Host".to_vec(), b"x".to_vec())]);
    let simple = inspect(b"GET / \r\nHost: x\r\n\r\n");
    assert!(simple.is_simple() && simple.version == b"HTTP/0.9" && simple.target == b"/");
    assert!(!inspect(b"GET / HTTP/0.9\r\nHost: x\r\n\r\n").is_simple());
    let injected = inspect(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n");
    assert_eq!(injected.headers.len(), 1);
    let cut = cut_short(b"GET /x HTTP/1.1\r\nHost: a", &limits());
    assert_eq!((cut.status, cut.head.target.as_slice(), cut.head.headers.len()), (408, &b"/x"[..], 1));
}

#[test]
fn header_lines_have_one_shape() {
    for fields in [
        "A : b",
        " A: b",
        "A: b\r\n folded",
        "A: b\r\n\tfolded",
        ": b",
        "A",
        "A\0: b",
        "A: b\0",
        "A: b\rC: d",
        "A: \x0b",
        "A(: b",
        "A: b\nC: d",
        "\u{e9}: b",
    ] {
        assert_eq!(refusal(&with_fields(fields)).0, 400, "{fields:?}");
    }
    assert_eq!(refusal(b"GET / HTTP/1.1\nHost: a\n\n").0, 400);
}

#[test]
fn one_host() {
    let with = |version: &str, hosts: &str| format!("GET / {version}\r\n{hosts}\r\n").into_bytes();
    for (version, hosts) in [
        ("HTTP/1.1", ""),
        ("HTTP/1.1", "Host: \r\n"),
        ("HTTP/1.1", "Host: a\r\nHost: a\r\n"),
        ("HTTP/1.0", "Host: a\r\nhost: b\r\n"),
        ("HTTP/1.1", "Host: a%00\r\n"),
        ("HTTP/1.0", "Host: a/b\r\n"),
        ("HTTP/1.1", "Host: a, b\r\n"),
    ] {
        assert_eq!(refusal(&with(version, hosts)).0, 400, "{version} {hosts:?}");
    }
    for (version, hosts) in [("HTTP/1.0", ""), ("HTTP/1.0", "Host:\r\n"), ("HTTP/1.1", "Host: [::1]:8080\r\n")] {
        head(&with(version, hosts));
    }
}

#[test]
fn framing_is_read_in_one_way_only() {
    let framing = |fields: &str| head(&with_fields(fields)).framing;
    assert_eq!(framing("X: y"), Framing::None);
    assert_eq!(framing("Content-Length: 0"), Framing::Length(0));
    assert_eq!(framing("content-length: 18446744073709551615"), Framing::Length(u64::MAX));
    assert_eq!(framing("Transfer-Encoding: Chunked"), Framing::Chunked);
    for fields in [
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5, 5",
        "Content-Length: 0x5",
        "Content-Length: 3;",
        "Content-Length: 1 2",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: ",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: , chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \x0bchunked",
    ] {
        assert_eq!(refusal(&with_fields(fields)).0, 400, "{fields:?}");
    }
    assert_eq!(refusal(&with_fields("Transfer-Encoding: gzip, chunked")).0, 501);
    assert_eq!(refusal(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").0, 400);
}

#[test]
fn what_the_client_expects_of_the_connection() {
    let of = |version: &str, fields: &str| head(format!("GET / {version}\r\nHost: a\r\n{fields}\r\n\r\n").as_bytes());
    assert!(of("HTTP/1.1", "A: b").keep_alive && !of("HTTP/1.0", "A: b").keep_alive);
    assert!(!of("HTTP/1.1", "Connection: x, CLOSE").keep_alive);
    assert!(of("HTTP/1.0", "Connection: Keep-Alive").keep_alive);
    assert!(of("HTTP/1.1", "Expect: 100-Continue").expect_continue);
    assert!(!of("HTTP/1.0", "Expect: 100-continue").expect_continue);
    assert!(of("HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket").upgrade);
    assert!(!of("HTTP/1.1", "Upgrade: websocket").upgrade);
}

#[test]
fn heads_that_are_too_large() {
    assert_eq!(refusal(&with_line(&format!("GET /{} HTTP/1.1", "a".repeat(1024)))).0, 414);
    assert_eq!(refusal(&b"A".repeat(1026)).0, 414);
    assert_eq!(refusal(&with_fields(&"A: b\r\n".repeat(8))).0, 431);
    assert_eq!(refusal(&with_fields(&format!("A: {}", "b".repeat(5000)))).0, 431);
    assert_eq!(refusal(b"\r\n\r\n\r\n\r\n\r\n").0, 400);
    assert_eq!(parse_head(b"", &limits()), Ok(Parsed::Partial));
    // A limit is what still passes.
    let path = "a".repeat(1024 - "GET / HTTP/1.1".len());
    assert_eq!(head(&with_line(&format!("GET /{path} HTTP/1.1"))).request_line.len(), 1024);
    assert_eq!(head(&with_fields("A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b")).headers.len(), 8);
}

fn decode(input: &[u8]) -> Result<(Vec<u8>, usize, bool), &'static str> {
    let mut out = Vec::new();
    let (consumed, done) =
        BodyDecoder::new(Framing::Chunked).decode(input, &mut out).map_err(|refused| refused.reason)?;
    Ok((out, consumed, done))
}

#[test]
fn chunked_bodies() {
    let ok = |body: &[u8], consumed, done| Ok((body.to_vec(), consumed, done));
    assert_eq!(decode(b"3\r\nHi \r\n3\r\nCRS\r\n0\r\n\r\nGET"), ok(b"Hi CRS", 21, true));
    assert_eq!(decode(b"A;x=\"y\"\r\n0123456789\r\n00\r\nA: b\r\nC: d\r\n\r\n"), ok(b"0123456789", 39, true));
    assert_eq!(decode(b"5\r\nab"), ok(b"ab", 5, false));
    for bad in [
        &b"\r\n"[..],
        b";x\r\n",
        b"g\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1 \r\na\r\n",
        b"1\na\n",
        b"1\r\r\n",
        b"1;a\nb\r\n",
        b"1;\0\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"fffffffffffffffff\r\n",
        b"0000000000000001\r\na\r\n",
        b"0\r\nA: b\n\r\n",
        b"0\r\n\n",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\n A: b\r\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert!(decode(bad).is_err(), "{}", bad.escape_ascii());
    }
    let endless = |unit: &[u8], count: usize| [b"1".as_slice(), &unit.repeat(count)].concat();
    assert_eq!(decode(&endless(b";a=b", 5000)), Err("chunk extensions are too long"));
    assert_eq!(decode(&[&b"0\r\n"[..], &b"A: b\r\n".repeat(5000)].concat()), Err("the trailers are too long"));
    assert_eq!(decode(&[&b"0\r\n"[..], &b"A: b\r\n".repeat(65), b"\r\n"].concat()), Err("too many trailers"));
}

#[test]
fn trailers_are_kept_and_a_refusal_is_final() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    decoder.decode(b"0\r\nDigest: x\r\n\r\n", &mut Vec::new()).unwrap();
    assert_eq!(decoder.trailers(), [(b"Digest".to_vec(), b"x".to_vec())]);
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert!(decoder.decode(b"x", &mut Vec::new()).is_err());
    assert!(decoder.decode(b"0\r\n\r\n", &mut Vec::new()).is_err());
    assert_eq!(BodyDecoder::new(Framing::None).decode(b"GET", &mut Vec::new()), Ok((0, true)));
}

/// Requests that are mostly well-formed, then damaged in a few places.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST /a?b HTTP/1.0\r\n",
        b"GET /\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X: y\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"5\r\nabcde\r\n0\r\n",
    ]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    (prop::collection::vec(piece, 0..12), damage).prop_map(|(pieces, damage)| {
        let mut bytes = pieces.concat();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_head_does_not_depend_on_how_it_arrives(bytes in requests(), step in 1_usize..7) {
        let small = HeadLimits { bytes: 120, request_line: 20, headers: 4 };
        let whole = parse_head(&bytes, &small);
        let mut reader = HeadReader::new(small.clone());
        for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
            let stepwise = reader.read(&bytes[..end]);
            prop_assert_eq!(&stepwise, &parse_head(&bytes[..end], &small));
            if stepwise != Ok(Parsed::Partial) {
                prop_assert_eq!(&stepwise, &whole);
                return Ok(());
            }
        }
        prop_assert_eq!(whole, Ok(Parsed::Partial));
        prop_assert!(cut_short(&bytes, &small).status >= 400);
    }

    #[test]
    fn a_body_does_not_depend_on_how_it_arrives(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        step in 1_usize..9,
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend(format!("{:x};e\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
        }
        bytes.extend(b"0\r\nA: b\r\n\r\nrest");
        if let Some((at, byte)) = damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = decode(&bytes);
        if damage.is_none() {
            prop_assert_eq!(&whole, &Ok((chunks.concat(), bytes.len() - 4, true)));
        }
        let mut decoder = BodyDecoder::new(Framing::Chunked);
        let (mut out, mut consumed, mut done) = (Vec::new(), 0, false);
        for piece in bytes.chunks(step) {
            match decoder.decode(piece, &mut out) {
                Ok((taken, ended)) => (consumed, done) = (consumed + taken, ended),
                Err(refused) => {
                    prop_assert_eq!(Err(refused.reason), whole);
                    return Ok(());
                }
            }
            if done {
                break;
            }
        }
        prop_assert_eq!(Ok((out, consumed, done)), whole);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_head(&bytes, &limits());
        let _ = cut_short(&bytes, &limits());
        let _ = decode(&bytes);
    }
}
