//! What HAProxy asks, and what it is told.

use super::agent::{RULES, Running, waf};
use super::peer::{Peer, Typed, Variables, binary, get, message, request, text};
use fusewall::host::exchange::Unread;
use fusewall::host::spoa::config::Application;
use std::time::Duration;

fn number(variables: &Variables, name: &str) -> Option<u64> {
    match variables.get(name) {
        Some(Typed::Number(number)) => Some(*number),
        _ => None,
    }
}

/// The status that a request is refused with; 0 if it is not.
fn status(peer: &mut Peer, arguments: &[(&str, Typed)]) -> u64 {
    let answer = peer.ask(&message("coraza-req", arguments));
    assert!(number(&answer, "error").is_none(), "{answer:?}");
    assert_eq!(number(&answer, "fail"), Some(u64::from(answer.contains_key("status"))), "{answer:?}");
    number(&answer, "status").unwrap_or(0)
}

fn post(kind: &str, length: usize, body: &str) -> Vec<(&'static str, Typed)> {
    let headers = format!("content-type: {kind}\r\ncontent-length: {length}\r\n");
    request("/", Typed::Null, &headers, body.as_bytes())
}

fn response(id: &str, status: u64, headers: &str, body: &str) -> Vec<u8> {
    let arguments = [
        ("app", text("sample_app")),
        ("id", text(id)),
        ("version", text("1.1")),
        ("status", Typed::Number(status)),
        ("headers", text(headers)),
        ("body", binary(body)),
    ];
    message("coraza-res", &arguments)
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[test]
fn variables_say_what_coraza_says() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    let passed: Variables = [("id".into(), text("an-id")), ("fail".into(), Typed::Number(0))].into();
    assert_eq!(peer.ask(&get("q=1")), passed);
    let refused: Variables = [
        ("id".into(), text("an-id")),
        ("fail".into(), Typed::Number(1)),
        ("action".into(), text("deny")),
        ("status".into(), Typed::Number(403)),
        ("data".into(), text("")),
        ("ruleid".into(), Typed::Number(10)),
    ]
    .into();
    assert_eq!(peer.ask(&get("q=<script>")), refused);
    let away = peer.ask(&get("away=here"));
    assert_eq!((&away["action"], &away["data"]), (&text("redirect"), &text("https://www.example/here")));
    let split = peer.ask(&get("away=a%0d%0aX:1"));
    assert_eq!(
        (&split["action"], &split["data"]),
        (&text("deny"), &text("")),
        "no line of its own in HAProxy's answer"
    );
    let long = peer.ask(&get(&format!("away={}", "a".repeat(10_000))));
    assert_eq!((&long["action"], number(&long, "status")), (&text("deny"), Some(403)), "it does not fit into a frame");
    assert_eq!(peer.ask(&get("gone=1"))["action"], text("drop"));
    agent.logged(&["[client 192.0.2.1] ModSecurity: Access denied with code 403 (phase 2).", "[unique_id \"an-id\"]"]);
    agent.counts("fusewall_requests_total{application=\"default\",action=\"redirect\"} 3");
    agent.counts("fusewall_spoa_messages_total{application=\"default\",message=\"request\"} 6");
}

#[test]
fn a_request_is_judged_as_it_came() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    let mut judged = |arguments: &[(&str, Typed)]| status(&mut peer, arguments);
    assert_eq!(judged(&request("/", text(b"byte=\xff"), "", b"")), 406, "bytes stay bytes");
    assert_eq!(judged(&request("/", Typed::Null, "user-agent: a scanner\r\n", b"")), 405);
    let mut counted = request("/", Typed::Null, "", b"");
    counted[10].1 = binary(b"\x04host\x01a\x0auser-agent\x07scanner\x00\x00");
    assert_eq!(judged(&counted), 405, "req.hdrs_bin");
    assert_eq!(judged(&request("/", Typed::Null, "x-zero: a\0b\r\n", b"")), 400);
    let mut elsewhere = request("/", Typed::Null, "", b"");
    elsewhere[2].1 = Typed::Address([192, 0, 2, 66].into());
    assert_eq!(judged(&elsewhere), 401);
    let mut target = request("/", text("q=1"), "", b"");
    target.push(("target", text("/?q=<script>")));
    assert_eq!(judged(&target), 403);
    assert_eq!((judged(&post(FORM, 5, "a=b&c")), judged(&post(FORM, 9, "q=<script"))), (0, 403));
    assert_eq!((judged(&post(JSON, 9, r#"{"a":"b"}"#)), judged(&post(JSON, 1, "{"))), (0, 400));
    let upload = "--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n<script\r\n--b--\r\n";
    assert_eq!(judged(&post("multipart/form-data; boundary=b", upload.len(), upload)), 403);
    // The arguments may come in any order, and others beside them.
    let mut turned = request("/", text("q=<script>"), "", b"");
    turned.reverse();
    turned.push(("exportRuleIDs", text("0")));
    assert_eq!(judged(&turned), 403);
}

#[test]
fn a_body_that_was_cut_is_a_body_error() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    assert_eq!(status(&mut peer, &post(FORM, 100, "a=b")), 400);
    assert_eq!(status(&mut peer, &post(FORM, 100, "")), 400, "nothing of it was there");
    agent.counts("fusewall_spoa_bodies_total{application=\"default\",message=\"request\",came=\"cut\"} 2");

    let agent = Running::start(|config| config.bodies.cut = Unread::Pass);
    let mut peer = Peer::connect(agent.address);
    assert_eq!(status(&mut peer, &post(FORM, 100, "a=b")), 0);
    assert_eq!(status(&mut peer, &post(FORM, 100, "q=<script")), 403, "what came is inspected");
    agent.logged(&["passed without inspection: request-body-rest", "[unique_id \"an-id\"]"]);
}

#[test]
fn a_body_without_a_length_is_cut_where_the_buffer_may_have_been_full() {
    let chunked = |length: usize| {
        let body = format!("a={}", "b".repeat(length - 2));
        request("/", Typed::Null, &format!("content-type: {FORM}\r\ntransfer-encoding: chunked\r\n"), body.as_bytes())
    };
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    assert_eq!((status(&mut peer, &chunked(1_000)), status(&mut peer, &chunked(10_000))), (0, 400));
    agent.counts("fusewall_spoa_bodies_total{application=\"default\",message=\"request\",came=\"unmeasured\"} 1");

    let agent = Running::start(|config| config.bodies.unmeasured = Unread::Refuse);
    assert_eq!(status(&mut Peer::connect(agent.address), &chunked(1_000)), 400);
}

#[test]
fn a_body_over_the_limit_of_the_rules_is_refused() {
    let rules = format!("{RULES}\nSecRequestBodyLimit 10\nSecRequestBodyLimitAction Reject\n");
    let agent = Running::start_with(vec![waf(&rules)], |_| {});
    assert_eq!(status(&mut Peer::connect(agent.address), &post(FORM, 11, "aaaaaaaaaaa")), 413);
}

#[test]
fn an_application_has_rules_of_its_own() {
    let other = "SecRuleEngine On\nSecRule ARGS \"@contains other\" \"id:1,phase:1,deny,status:409\"";
    let agent = Running::start_with(vec![waf(RULES), waf(other)], |config| {
        let named = |name: &str| Application { name: name.to_owned(), ..Application::default() };
        config.applications = vec![named("first"), named("second")];
    });
    let mut peer = Peer::connect(agent.address);
    let mut ask = |app: Typed, query: &str| {
        let mut arguments = request("/", text(query), "", b"");
        arguments[0].1 = app;
        let answer = peer.ask(&message("coraza-req", &arguments));
        (number(&answer, "status"), number(&answer, "error"))
    };
    assert_eq!(ask(text("first"), "q=<script>"), (Some(403), None));
    assert_eq!(ask(text("first"), "q=other"), (None, None));
    assert_eq!(ask(text("second"), "q=other"), (Some(409), None));
    assert_eq!(ask(text("second"), "q=<script>"), (None, None));
    assert_eq!((ask(text("third"), "q=1"), ask(Typed::Null, "q=1")), ((None, Some(355)), (None, Some(355))));
    agent.counts("fusewall_spoa_unusable_messages_total{reason=\"unknown_application\"} 2");
    agent.counts("fusewall_requests_total{application=\"second\",action=\"deny\"} 1");
}

#[test]
fn all_other_names_have_the_default_application() {
    let agent = Running::start_with(vec![waf(RULES)], |config| {
        config.applications = vec![Application { name: "first".to_owned(), ..Application::default() }];
        config.default_application = Some("first".to_owned());
    });
    assert_eq!(status(&mut Peer::connect(agent.address), &request("/", text("q=<script>"), "", b"")), 403);
}

#[test]
fn a_message_that_cannot_be_judged_is_an_error() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    for missing in ["method", "path", "headers"] {
        let mut arguments = request("/", text("q=1"), "", b"");
        arguments.retain(|(name, _)| *name != missing);
        let expected: Variables = [("error".into(), Typed::Number(355))].into();
        assert_eq!(peer.ask(&message("coraza-req", &arguments)), expected, "without {missing}");
    }
    assert_eq!(peer.ask(&message("somebody-else", &[])), Variables::new());
    agent.counts("fusewall_spoa_unusable_messages_total{reason=\"arguments\"} 3");
    agent.counts("fusewall_spoa_unusable_messages_total{reason=\"unknown_message\"} 1");
}

#[test]
fn names_can_be_chosen() {
    let agent = Running::start(|config| {
        config.messages.request = "check".to_owned();
        config.variables.status = "waf.status".to_owned();
    });
    let answer = Peer::connect(agent.address).ask(&message("check", &request("/", text("q=<script>"), "", b"")));
    assert_eq!(number(&answer, "waf.status"), Some(403));
}

#[test]
fn a_response_belongs_to_its_request() {
    let agent = Running::start(|config| config.responses = true);
    let mut peer = Peer::connect(agent.address);
    // Another connection may bring the response.
    let mut other = Peer::connect(agent.address);
    let mut exchange = |status: u64, headers: &str, body: &str| {
        assert_eq!(number(&peer.ask(&get("q=1")), "fail"), Some(0));
        let answer = other.ask(&response("an-id", status, headers, body));
        assert!(!answer.contains_key("error"), "{answer:?}");
        (number(&answer, "status"), number(&answer, "ruleid"))
    };
    assert_eq!(exchange(200, "content-type: text/plain\r\ncontent-length: 5\r\n", "plain"), (None, None));
    assert_eq!(exchange(200, "x-secret: 1\r\n", ""), (Some(503), Some(14)));
    assert_eq!(exchange(200, "content-type: text/plain\r\ncontent-length: 6\r\n", "secret"), (Some(502), Some(15)));
    assert_eq!(exchange(200, "content-type: image/png\r\ncontent-length: 6\r\n", "secret"), (None, None));
    assert_eq!(exchange(101, "upgrade: websocket\r\n", ""), (None, None));
    agent.logged(&["passed without inspection: tunnel"]);
    assert_eq!(exchange(200, "content-type: text/plain\r\ncontent-length: 600\r\n", "the beginning"), (None, None));
    agent.logged(&["passed without inspection: response-body-rest"]);
    agent.counts("fusewall_spoa_transactions_waiting{application=\"default\"} 0");
    agent.counts("fusewall_spoa_transactions_total{application=\"default\",outcome=\"answered\"} 6");
    agent.counts("fusewall_spoa_bodies_total{application=\"default\",message=\"response\",came=\"cut\"} 1");
}

#[test]
fn an_id_is_made_where_haproxy_has_none() {
    let agent = Running::start(|config| config.responses = true);
    let mut peer = Peer::connect(agent.address);
    let mut arguments = request("/", text("q=1"), "", b"");
    arguments[1].1 = Typed::Null;
    let answer = peer.ask(&message("coraza-req", &arguments));
    let Typed::Text(id) = &answer["id"] else { panic!("{answer:?}") };
    let id = String::from_utf8(id.clone()).unwrap();
    let answer = peer.ask(&response(&id, 200, "x-secret: 1\r\n", ""));
    assert_eq!((number(&answer, "status"), &answer["id"]), (Some(503), &text(&id)));
}

#[test]
fn a_response_without_its_request_is_an_error() {
    let agent = Running::start(|config| config.responses = true);
    let mut peer = Peer::connect(agent.address);
    let expected: Variables = [("error".into(), Typed::Number(355))].into();
    assert_eq!(peer.ask(&response("nobody", 200, "", "")), expected);
    peer.ask(&get("q=<script>"));
    assert_eq!(peer.ask(&response("an-id", 403, "", "")), expected, "a request that was refused does not wait");
    agent.counts("fusewall_spoa_transactions_total{application=\"default\",outcome=\"unknown\"} 2");
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    peer.ask(&get("q=1"));
    assert_eq!(peer.ask(&response("an-id", 200, "", "")), expected, "`responses` is not set");
}

#[test]
fn requests_wait_so_many_and_so_long() {
    let agent = Running::start(|config| {
        config.responses = true;
        config.timeouts.transaction = Duration::from_millis(20);
    });
    Peer::connect(agent.address).ask(&get("q=1"));
    agent.logged(&["passed without inspection: response ", "[unique_id \"an-id\"]"]);
    agent.counts("fusewall_spoa_transactions_total{application=\"default\",outcome=\"expired\"} 1");

    let agent = Running::start(|config| {
        config.responses = true;
        config.limits.transactions = 1;
    });
    let mut peer = Peer::connect(agent.address);
    let mut second = request("/", text("q=1"), "", b"");
    second[1].1 = text("second");
    peer.ask(&get("q=1"));
    assert_eq!(status(&mut peer, &second), 0, "the request itself was inspected");
    agent.logged(&["passed without inspection: response ", "[unique_id \"second\"]"]);
    agent.counts("fusewall_spoa_transactions_total{application=\"default\",outcome=\"unkept\"} 1");
    assert!(peer.ask(&response("second", 200, "", "")).contains_key("error"));
    assert_eq!(number(&peer.ask(&response("an-id", 200, "x-secret: 1\r\n", "")), "status"), Some(503));
}
