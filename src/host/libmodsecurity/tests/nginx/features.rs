//! What nginx can do with a request beside answering it: other protocols, requests within requests, other ways to an answer.

use crate::http2;
use crate::server::{Answer, Site, ask};
use crate::upstream::Upstream;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

const HTTP: &str = r#"
modsecurity on;
modsecurity_rules_file HERE/main.conf;
client_body_buffer_size 1k;
proxy_http_version 1.1;
server {
    listen LISTEN;
    listen unix:HERE/h2 http2;
    root HERE/html;
    location / { proxy_pass http://UPSTREAM; }
    location /websocket {
        proxy_pass http://UPSTREAM;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection Upgrade;
    }
    location /events { proxy_pass http://UPSTREAM; proxy_buffering off; }
    location /guarded/ { auth_request /check; proxy_pass http://UPSTREAM; }
    location = /check { internal; proxy_pass http://UPSTREAM; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
    location /closed/ { auth_request /never; proxy_pass http://UPSTREAM; }
    location = /never { internal; return 403; }
    location /pages/ { ssi on; alias HERE/html/; }
    location /fragment { alias HERE/html/fragment.html; }
    location /own-pages/ {
        error_page 403 404 /own-page.html;
        error_page 502 =200 @instead;
        alias HERE/html/;
    }
    location /own-pages/broken { error_page 502 =200 @instead; proxy_pass http://UPSTREAM/broken; }
    location = /own-page.html {}
    location @instead { return 200 "instead"; }
    location /moved/ { rewrite ^/moved/(.*)$ /there/$1 last; }
    location /tried/ { try_files /nothing @there; }
    location @there { proxy_pass http://UPSTREAM; }
    location /off/ { modsecurity off; proxy_pass http://UPSTREAM; }
    location /mirrored/ { mirror /mirror; proxy_pass http://UPSTREAM; }
    location = /mirror { internal; proxy_pass http://UPSTREAM; }
}
"#;

const MAIN: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,deny,status:400,log,msg:'%{REQBODY_ERROR_MSG}'"
SecRule ARGS|REQUEST_HEADERS:X-Test "@contains attack" "id:10,phase:2,deny,status:403,log,msg:'an attack'"
SecRule REQUEST_HEADERS:X-Early "@contains attack" "id:11,phase:1,deny,status:405,log"
SecRule RESPONSE_BODY "@contains secret" "id:15,phase:4,deny,status:502,log"
"#;

/// A site with an upstream; none where Debian's packages cannot be had.
fn site() -> Option<(Site, Upstream)> {
    let upstream = Upstream::start();
    let site = Site::new(crate::debian()?, &HTTP.replace("UPSTREAM", &upstream.address.to_string()));
    site.write("main.conf", MAIN);
    site.write("html/page.html", r#"<p>before</p><!--#include virtual="/fragment" --><p>after</p>"#);
    site.write("html/fragment.html", "<p>of a fragment</p>");
    site.write("html/own-page.html", "own page");
    Some((site, upstream))
}

fn get(site: &Site, target: &str) -> Answer {
    ask(site.address, "GET", target, "", b"").expect("an answer")
}

fn post(site: &Site, target: &str, body: &str) -> Answer {
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    ask(site.address, "POST", target, headers, body.as_bytes()).expect("an answer")
}

#[test]
fn http2_is_judged_like_http1() {
    let Some((site, _upstream)) = site() else { return };
    let nginx = site.start();
    let socket = site.path().join("h2");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let asked =
        |method, target, headers: &[(&str, &str)], body: &[u8]| http2::ask(&socket, method, target, headers, body);
    assert_eq!((asked("GET", "/?a=b", &[], b""), asked("GET", "/?a=attack", &[], b"")), (200, 403));
    assert_eq!((asked("POST", "/", &form, b"a=b"), asked("POST", "/", &form, b"a=attack")), (200, 403));
    let length = [form[0], ("content-length", "3")];
    assert_eq!((asked("POST", "/", &length, b"a=b"), asked("GET", "/", &[("x-early", "attack")], b"")), (200, 405));
    // Longer than nginx keeps in memory.
    let long = format!("a={}&b=attack", "x".repeat(10_000));
    assert_eq!(asked("POST", "/", &form, long.as_bytes()), 403);
    drop(nginx);
    assert!(site.log().contains("[id \"10\"]"));
}

#[test]
fn requests_within_requests() {
    let Some((site, _upstream)) = site() else { return };
    let nginx = site.start();
    // A check before access: its request has the head and the body of the one that it is about.
    assert_eq!((get(&site, "/guarded/?a=b").status, get(&site, "/guarded/?a=attack").status), (200, 403));
    assert_eq!((post(&site, "/guarded/", "a=b").status, post(&site, "/guarded/", "a=attack").status), (200, 403));
    let long = "x".repeat(10_000);
    assert_eq!(post(&site, "/guarded/", &format!("a={long}")).status, 200);
    assert_eq!((get(&site, "/closed/?a=b").status, post(&site, "/closed/", "a=attack").status), (403, 403));
    // A page made of pieces.
    let page = get(&site, "/pages/page.html");
    assert!(page.status == 200 && page.text.ends_with("<p>before</p><p>of a fragment</p><p>after</p>"), "{page:?}");
    assert_eq!(post(&site, "/mirrored/", &format!("a={long}")).status, 200);
    assert_eq!(post(&site, "/mirrored/", "a=attack").status, 403);
    site.write("html/fragment.html", "<p>the secret</p>");
    let page = ask(site.address, "GET", "/pages/page.html", "", b"");
    assert!(page.as_ref().map_or(true, |page| !page.text.contains("secret")), "{page:?}");
    drop(nginx);
}

#[test]
fn other_ways_to_an_answer() {
    let Some((site, _upstream)) = site() else { return };
    let nginx = site.start();
    let (missing, refused) = (get(&site, "/own-pages/nothing"), get(&site, "/own-pages/nothing?a=attack"));
    assert_eq!((missing.status, refused.status), (404, 403));
    assert!(missing.text.ends_with("own page") && refused.text.ends_with("own page"), "{missing:?} {refused:?}");
    let instead = get(&site, "/own-pages/broken");
    assert!(instead.status == 200 && instead.text.ends_with("instead"), "{instead:?}");
    // The body has gone to the upstream that failed, and is not there any more when the other page is made.
    let long = format!("a={}", "x".repeat(10_000));
    for body in ["a=b", &long] {
        let instead = post(&site, "/own-pages/broken", body);
        assert!(instead.status == 200 && instead.text.ends_with("instead"), "{instead:?}");
    }
    assert_eq!((get(&site, "/broken").status, get(&site, "/broken?a=attack").status), (502, 403));
    let short = ask(site.address, "GET", "/short", "", b"");
    assert!(short.is_ok_and(|answer| answer.status == 200));
    let (moved, tried) = (get(&site, "/moved/a?a=b"), get(&site, "/tried/a?a=b"));
    assert!(moved.status == 200 && moved.text.ends_with("/there/a?a=b"), "{moved:?}");
    assert!(tried.status == 200 && tried.text.ends_with("/tried/a?a=b"), "{tried:?}");
    assert_eq!((get(&site, "/moved/a?a=attack").status, get(&site, "/tried/a?a=attack").status), (403, 403));
    assert_eq!((get(&site, "/off/?a=attack").status, post(&site, "/off/", "a=attack").status), (200, 200));
    drop(nginx);
}

#[test]
fn a_body_is_asked_for_only_if_the_head_passes() {
    let Some((site, _upstream)) = site() else { return };
    let nginx = site.start();
    let begin = |early: &str| {
        let mut stream = TcpStream::connect(site.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
        let head = "POST / HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n";
        write!(stream, "{head}X-Early: {early}\r\n\r\n").expect("it reads");
        let mut start = [0; 12];
        stream.read_exact(&mut start).expect("an answer");
        (stream, String::from_utf8_lossy(&start).into_owned())
    };
    assert_eq!(begin("attack").1, "HTTP/1.1 405");
    for (body, status) in [("a=bcdefg", "200"), ("a=attack", "403")] {
        let (mut stream, interim) = begin("none");
        assert_eq!(interim, "HTTP/1.1 100");
        stream.write_all(body.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(&format!("\r\n\r\nHTTP/1.1 {status} ")), "{answer}");
    }
    drop(nginx);
}

#[test]
fn connections_that_become_others() {
    let Some((site, upstream)) = site() else { return };
    let nginx = site.start();
    let open = |target: &str, more: &str| {
        let mut stream = TcpStream::connect(site.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
        write!(stream, "GET {target} HTTP/1.1\r\nHost: www.example\r\n{more}\r\n").expect("it reads");
        stream
    };
    let until = |stream: &mut TcpStream, end: &str| {
        let mut text = String::new();
        while !text.contains(end) {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).expect("an answer");
            assert!(read > 0, "`{end}` has not come: {text}");
            text.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        text
    };
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let mut socket = open("/websocket", upgrade);
    assert!(until(&mut socket, "\r\n\r\n").starts_with("HTTP/1.1 101 "));
    for message in ["hello", "an attack, which nobody inspects here"] {
        socket.write_all(message.as_bytes()).expect("it reads");
        assert_eq!(until(&mut socket, message), message);
    }
    drop(socket);
    assert!(until(&mut open("/websocket?a=attack", upgrade), "\r\n\r\n").starts_with("HTTP/1.1 403 "));

    // The first event arrives before there is a second.
    let mut events = open("/events", "");
    let first = until(&mut events, "data: 1\n\n");
    assert!(first.starts_with("HTTP/1.1 200 ") && !first.contains("data: 2"), "{first}");
    upstream.go_on.store(true, Ordering::Relaxed);
    until(&mut events, "data: 2\n\n");
    drop(nginx);
}

#[test]
fn clients_that_go_away() {
    let Some((site, _upstream)) = site() else { return };
    let nginx = site.start();
    let head = "POST /?a=b HTTP/1.1\r\nHost: www.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("{head}Content-Length: 5000\r\n\r\na={}", "x".repeat(4998));
    for length in (0..request.len()).step_by(97) {
        let mut stream = TcpStream::connect(site.address).expect("it listens");
        stream.write_all(&request.as_bytes()[..length]).expect("it reads");
    }
    assert_eq!((get(&site, "/?a=b").status, get(&site, "/?a=attack").status), (200, 403));
    drop(nginx);
    let log = site.log();
    assert!(!log.contains("[alert]") && !log.contains("[id \"2\"]"), "{log}");
}
