//! I15: responses: long ones, coded ones, event streams, ranges.

use crate::attempt::{ATTACK, Attempt, Expected, get};
use crate::oracle::exchange::{Exchange, Response};
use crate::row::Row;
use crate::rulesets::SITE;
use fusewall::Waf;
use fusewall::host::exchange::{self as host, BodyPolicy, Chunk, Ends, RequestHead, ResponsePlan, Turn, Uninspected};
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row =
        Row::new("I15", "responses: 1 GB streamed, coded bodies, event streams, ranges, types that are not inspected");
    for attempt in attempts() {
        row.take(&attempt);
    }
    gigabyte(&mut row);
    row
});

fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Exchange { response: Some(Response { status, headers, body: body.into() }), ..get("/") }
}

fn attempts() -> Vec<Attempt> {
    // A leak that every ruleset knows, and the word of the hand-written one.
    let leak = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version";
    let page = format!("<p>{ATTACK}</p>{leak}");
    let mut attempts = Vec::new();
    for status in [200, 206, 301, 404, 500] {
        for content_type in ["text/html", "TEXT/HTML; charset=utf-8", " text/plain "] {
            let exchange =
                answered(status, &[("Content-Type", content_type), ("Content-Range", "bytes 0-9/100")], &page);
            attempts.push(Attempt::new(format!("{status} {content_type}"), exchange, Expected::Found));
        }
    }
    for coding in ["gzip", "br", "zstd", "deflate", "x", "identity, gzip"] {
        let headers = [("Content-Type", "text/html"), ("content-encoding", coding)];
        attempts.push(Attempt::new(
            format!("coded by {coding}"),
            answered(200, &headers, "\u{1f}\u{8b}coded"),
            Expected::Flagged,
        ));
    }
    let twice = [("Content-Encoding", "identity"), ("Content-Encoding", "gzip"), ("Content-Type", "text/html")];
    attempts.push(Attempt::new("two codings", answered(200, &twice, "coded"), Expected::Flagged));
    for (content_type, body) in [("text/html", "<p>fine</p>"), ("image/png", "\u{89}PNG"), ("", "")] {
        attempts.push(Attempt::new(
            format!("harmless {content_type}"),
            answered(200, &[("Content-Type", content_type)], body),
            Expected::Nothing,
        ));
    }
    attempts
}

/// A response of 1 GB in chunks of 1 MB: what is held stays below the limit, whatever the action at the limit.
fn gigabyte(row: &mut Row) {
    const CHUNK: usize = 1 << 20;
    let chunk = vec![b'x'; CHUNK];
    for (action, content_type) in [
        ("ProcessPartial", "text/html"),
        ("Reject", "text/html"),
        ("ProcessPartial", "application/octet-stream"),
        ("Reject", "text/event-stream"),
    ] {
        let rules = format!(
            "{SITE}\nSecResponseBodyMimeType text/html text/event-stream\nSecResponseBodyLimit 524288\nSecResponseBodyLimitAction {action}\n"
        );
        let waf = Waf::builder().rules_text("site.conf", rules).build().unwrap_or_else(|report| panic!("{report}"));
        let ends = Ends { client: "192.0.2.1:5000".parse().unwrap(), server: "192.0.2.2:80".parse().unwrap() };
        let mut exchange = host::Exchange::new(&waf, ends, BodyPolicy::default());
        let run = |exchange: &mut host::Exchange| while exchange.step(100_000) == Turn::Pending {};
        exchange.begin(&RequestHead {
            method: b"GET".to_vec(),
            target: b"/".to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers: vec![],
        });
        run(&mut exchange);
        exchange.end_request_body();
        run(&mut exchange);
        exchange.response(200, b"HTTP/1.1", [(&b"Content-Type"[..], content_type.as_bytes())]);
        run(&mut exchange);
        let plan = exchange.response_plan(Some(content_type.as_bytes()), None);
        row.hold((plan == ResponsePlan::Pass) == (content_type == "application/octet-stream"), || {
            format!("{content_type}: {plan:?}")
        });
        let mut taken = 0;
        let mut ended = None;
        // A host shows the engine nothing of a body that passes.
        for _ in 0..if plan == ResponsePlan::Pass { 0 } else { 1024 } {
            match exchange.response_body_chunk(&chunk) {
                Chunk::Taken => taken += CHUNK,
                other => {
                    ended.get_or_insert(other);
                }
            }
        }
        let inspected = plan != ResponsePlan::Pass;
        row.hold(taken <= 524_288, || format!("{action}, {content_type}: {taken} bytes taken"));
        let flagged = exchange.uninspected().contains(&Uninspected::ResponseBodyRest);
        let refused = matches!(ended, Some(Chunk::Refused(_)));
        row.hold(!inspected || flagged != refused, || format!("{action}, {content_type}: {ended:?}"));
        exchange.end_response_body();
        run(&mut exchange);

        let mut transaction = waf.transaction();
        transaction.process_request_line(b"GET", b"/", b"HTTP/1.1");
        transaction.add_response_header(b"Content-Type", content_type.as_bytes());
        transaction.process_response_headers(200, b"HTTP/1.1");
        for _ in 0..1024 {
            transaction.write_response_body(&chunk);
        }
        transaction.process_response_body();
        let held = transaction.response_body().len();
        row.hold(held == if inspected { 524_288 } else { 0 }, || {
            format!("{action}, {content_type}: {held} bytes held")
        });
    }
}

#[test]
fn responses_are_inspected_flagged_and_never_held_without_limit() {
    ROW.assert();
}
