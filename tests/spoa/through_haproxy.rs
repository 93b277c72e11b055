//! Through Debian's haproxy, unmodified, with the configuration that `docs/haproxy.md` shows.

use super::agent::{PATIENCE, Running};
use super::haproxy::{Site, Upstream};
use super::peer::{Peer, get};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// HAProxy's own.
const BUFFER: usize = 16_384;

#[test]
fn requests_and_responses_are_judged() {
    let (agent, upstream) = (Running::start(|config| config.responses = true), Upstream::start());
    let Some(site) = Site::documented(agent.address, upstream.address, BUFFER) else { return };
    let status = |target: &str| site.get(target).status;
    assert_eq!((status("/"), status("/?q=a"), status("/?q=<script>")), (200, 200, 403));
    assert_eq!(site.ask("GET", "/", "User-Agent: a scanner\r\n", b"").status, 403, "405 has no line of its own");
    let away = site.get("/?away=1");
    assert!(away.status == 302 && away.text.contains("location: https://www.example/1\r\n"), "{away:?}");
    assert_eq!(status("/?gone=1"), 0, "closed without an answer");

    let post = |kind: &str, body: &str| site.post(kind, body.as_bytes()).status;
    assert_eq!((post(FORM, "a=b&q=c"), post(FORM, "a=b&q=%3Cscript%3E")), (200, 403));
    assert_eq!((post(JSON, r#"{"a":"b"}"#), post(JSON, r#"{"a":["<script>"]}"#), post(JSON, "{")), (200, 403, 400));
    let upload = |text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n{text}\r\n--b--\r\n");
    let kind = "multipart/form-data; boundary=b";
    assert_eq!((post(kind, &upload("a")), post(kind, &upload("<script>"))), (200, 403));
    // Near the end of the buffer a message takes several frames.
    let long = |end: &str| format!("a={}&q={end}", "x".repeat(14_800));
    assert_eq!((post(FORM, &long("c")), post(FORM, &long("%3Cscript%3E"))), (200, 403));
    let chunked = |text: &str| {
        let headers = format!("Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n");
        site.ask("POST", "/", &headers, format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len()).as_bytes()).status
    };
    assert_eq!((chunked("q=a"), chunked("q=%3Cscript%3E")), (200, 403));

    assert_eq!((status("/hidden"), status("/secret")), (403, 403));
    let refused = upstream.seen.lock().unwrap().iter().filter(|line| line.contains("script")).count();
    assert_eq!(refused, 0, "what is refused goes nowhere");
    agent.logged(&["[client 127.0.0.1] ModSecurity: Access denied", "[id \"10\"]", "[hostname \"www.example\"]"]);
    agent.counts("fusewall_spoa_transactions_waiting{application=\"default\"} 0");
}

#[test]
fn event_streams_and_websockets_pass_at_once() {
    let (agent, upstream) = (Running::start(|config| config.responses = true), Upstream::start());
    let Some(site) = Site::documented(agent.address, upstream.address, BUFFER) else { return };
    let read = |head: &str, end: &str| {
        let mut stream = site.connect();
        stream.write_all(format!("{head}\r\nHost: www.example\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).ends_with(end) {
            let mut byte = [0];
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&answer));
            answer.push(byte[0]);
        }
        (stream, String::from_utf8(answer).unwrap())
    };
    // The stream does not end: its first event is here while it is open.
    let (_open, events) = read("GET /events HTTP/1.1", "data: 1\n\n");
    assert!(events.starts_with("HTTP/1.1 200"), "{events}");
    let upgrade = "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";
    let (mut socket, head) = read(upgrade, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    socket.write_all(b"ping").unwrap();
    let mut back = [0; 4];
    socket.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"gnip");
    agent.logged(&["passed without inspection: tunnel"]);
    let refused = upgrade.replace("/socket", "/socket?q=<script>");
    let (_, head) = read(&refused, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}

#[test]
fn a_body_beyond_the_buffer_is_an_error_and_within_a_larger_one_is_inspected() {
    let (agent, upstream) = (Running::start(|_| {}), Upstream::start());
    let megabyte = |end: &str| format!("a={}&q={end}", "x".repeat(1 << 20));
    let Some(site) = requests_alone(&agent, &upstream, BUFFER) else { return };
    assert_eq!(site.post(FORM, megabyte("c").as_bytes()).status, 400);
    agent.counts("fusewall_spoa_bodies_total{application=\"default\",message=\"request\",came=\"cut\"} 1");
    assert!(upstream.seen.lock().unwrap().is_empty());
    drop(site);

    let Some(site) = requests_alone(&agent, &upstream, 1_200_000) else { return };
    let passed = site.post(FORM, megabyte("c").as_bytes());
    assert!(passed.status == 200 && passed.text.ends_with("1048582 bytes"), "{passed:?}");
    assert_eq!(site.post(FORM, megabyte("%3Cscript%3E").as_bytes()).status, 403);
}

/// The page's configuration without what it says of responses.
fn requests_alone(agent: &Running, upstream: &Upstream, buffer: usize) -> Option<Site> {
    let (spoe, haproxy) = super::haproxy::documented();
    let haproxy: Vec<_> = haproxy.lines().filter(|line| !line.trim_start().starts_with("http-response")).collect();
    Site::start(
        &spoe.replace("requests responses", "requests"),
        &haproxy.join("\n"),
        agent.address,
        upstream.address,
        buffer,
    )
}

/// What coraza-spoa's users have: messages by events, `path` and `query`, `deny` by `action` or by `fail`.
#[test]
fn a_configuration_for_coraza_works_as_it_is() {
    let (agent, upstream) = (Running::start(|config| config.responses = true), Upstream::start());
    let spoe = "[coraza]\nspoe-agent coraza-agent\n messages coraza-req coraza-res\n option var-prefix coraza\n option set-on-error error\n \
                timeout hello 2s\n timeout idle 2m\n timeout processing 30s\n use-backend coraza-spoa\n log global\n\
                spoe-message coraza-req\n args app=str(sample_app) src-ip=src src-port=src_port dst-ip=dst dst-port=dst_port method=method \
                path=path query=query version=req.ver headers=req.hdrs body=req.body\n event on-frontend-http-request\n\
                spoe-message coraza-res\n args app=str(sample_app) id=var(txn.coraza.id) version=res.ver status=status headers=res.hdrs \
                body=res.body\n event on-http-response\n";
    for deny in ["{ var(txn.coraza.action) -m str deny }", "{ var(txn.coraza.fail) -m int eq 1 }"] {
        let haproxy = format!(
            "frontend test\n mode http\n bind :80\n option http-buffer-request\n \
             filter spoe engine coraza config /etc/haproxy/fusewall.conf\n \
             http-request deny deny_status 403 if {deny}\n http-response deny deny_status 403 if {deny}\n \
             http-request deny deny_status 504 if {{ var(txn.coraza.error) -m int gt 0 }}\n \
             http-response deny deny_status 504 if {{ var(txn.coraza.error) -m int gt 0 }}\n default_backend site\n\
             backend coraza-spoa\n mode tcp\n timeout server 3m\n server s1 127.0.0.1:9000 check\n"
        );
        let Some(site) = Site::start(spoe, &haproxy, agent.address, upstream.address, BUFFER) else { return };
        assert_eq!(
            (site.get("/?").status, site.get("/?q=<script>").status, site.get("/hidden").status),
            (200, 403, 403)
        );
        assert_eq!(site.post(FORM, b"q=%3Cscript%3E").status, 403);
    }
}

#[test]
fn without_its_agent_nothing_passes_until_it_is_back() {
    let (agent, upstream) = (Running::start(|_| {}), Upstream::start());
    let address = agent.address;
    let Some(site) = requests_alone(&agent, &upstream, BUFFER) else { return };
    assert_eq!((site.get("/").status, site.get("/?q=<script>").status), (200, 403));
    drop(agent);
    let seen = upstream.seen.lock().unwrap().len();
    assert_eq!((site.get("/").status, site.get("/?q=<script>").status), (503, 503), "the failure mode of the page");
    assert_eq!(upstream.seen.lock().unwrap().len(), seen);
    site.wait_for("Server fusewall-agent/agent is DOWN");

    let agent = Running::start(|config| config.listen = vec![address]);
    site.wait_for("Server fusewall-agent/agent is UP");
    assert_eq!((site.get("/").status, site.get("/?q=<script>").status), (200, 403));
    // Health checks are hellos, too.
    agent.counts("fusewall_spoa_unusable_messages_total{reason=\"arguments\"} 0");
}

#[test]
fn an_agent_that_does_not_answer_is_waited_for_no_longer_than_declared() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (agent, upstream) = (Running::start(|_| {}), Upstream::start());
    let (spoe, haproxy) = super::haproxy::documented();
    let haproxy: Vec<_> =
        haproxy.lines().filter(|line| !line.contains("http-response") && !line.contains("spop-check")).collect();
    let spoe = spoe
        .replace("timeout     processing 500ms", "timeout processing 200ms")
        .replace("requests responses", "requests");
    let address = silent.local_addr().unwrap();
    let Some(site) = Site::start(&spoe, &haproxy.join("\n"), address, upstream.address, BUFFER) else { return };
    let start = Instant::now();
    assert_eq!(site.get("/").status, 503);
    assert!(start.elapsed() >= Duration::from_millis(200) && start.elapsed() < PATIENCE);
    // The same machine, an agent that speaks.
    assert!(Peer::connect(agent.address).ask(&get("q=1")).contains_key("id"));
}
