//! Recorded traffic of all kinds, as `fusewall replay` reads it.

use super::{Setting, rules, text};
use serde_json::json;

/// A rule for each thing that a source may have or lack.
const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains attack" "id:10,phase:2,deny,status:403,log,msg:'an attack'"
SecRule &REQUEST_HEADERS:Host "@eq 0" "id:11,phase:1,deny,status:400,log,msg:'no host'"
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:12,phase:1,deny,status:403,log,msg:'a scanner'"
SecRule REQUEST_COOKIES "@contains evil" "id:13,phase:1,deny,status:403,log,msg:'a cookie'"
SecRule REQBODY_ERROR "!@eq 0" "id:14,phase:2,deny,status:400,log,msg:'a broken body'"
SecRule RESPONSE_BODY "@contains secret" "id:15,phase:4,deny,status:502,log,msg:'a leak'"
SecRule REMOTE_ADDR "@ipMatch 203.0.113.0/24" "id:16,phase:1,deny,status:403,log,msg:'a network'"
"#;

fn with(name: &str, traffic: &str) -> Setting {
    Setting::new(&[("rules.conf", RULES), (name, traffic)])
}

#[test]
fn an_access_log_is_judged_by_what_it_has() {
    let log = r#"192.0.2.1 - - [10/Oct/2025:13:55:36 +0000] "GET /?q=attack HTTP/1.1" 200 12 "-" "Mozilla"
192.0.2.2 - - [10/Oct/2025:13:55:37 +0000] "GET /b HTTP/1.1" 200 12 "-" "a scanner"
192.0.2.3 - - [10/Oct/2025:13:55:38 +0000] "GET /c HTTP/1.1" 404 12 "-" "Mozilla"
192.0.2.3 - - [10/Oct/2025:13:55:38 +0000] "\x16\x03\x01" 400 150 "-" "-"
"#;
    let setting = with("access.log", log);
    let (answer, code) = setting.replay(&["--log", "access.log"]);
    assert_eq!((code, &answer["requests"], &answer["blocked"]), (Some(0), &json!(3), &json!(2)));
    // Rule 11 would match each line, because logs have no Host.
    assert_eq!(rules(&answer), [(10, 1), (12, 1)]);
    let source = &answer["sources"][0];
    assert_eq!((&source["requests"], &source["unread"]), (&json!(3), &json!(1)));
    assert_eq!(source["first_unread"], json!([{"line": 4, "reason": r"no request line: `\x16\x03\x01`"}]));
    let lacking = &answer["lacking"][0];
    assert_eq!(
        lacking["what"],
        "request headers but referer, user-agent; request bodies; response headers; response bodies"
    );
    assert_eq!((&lacking["not_judged"], &lacking["judged_in_part"]), (&json!([1, 11, 13, 14, 15]), &json!([10])));
    // The one who got 404 is no witness, and was not blocked anyway.
    let candidates = answer["candidates"].as_array().expect("candidates");
    let names: Vec<_> =
        candidates.iter().map(|c| (c["path"].clone(), c["rule"].clone(), c["variable"].clone())).collect();
    assert_eq!(
        names,
        [(json!("/"), json!(10), json!("ARGS:q")), (json!("/b"), json!(12), json!("REQUEST_HEADERS:user-agent"))]
    );
}

#[test]
fn a_format_of_ones_own_is_read_and_a_wrong_one_refused() {
    let setting = with("own.log", "www.example|192.0.2.1|GET /?q=1|200|a=evil\nbroken\n");
    let format = "$host|$remote_addr|$request_method $request_uri|$status|$http_cookie";
    let (answer, _) = setting.replay(&["--log", "own.log", "--log-format", format]);
    assert_eq!(rules(&answer), [(13, 1)]);
    assert_eq!(answer["sources"][0]["unread"], 1);
    let refused = setting.command(&["replay", "--log", "own.log", "--log-format", "$status"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("neither `$request` nor `$request_uri`"), "{}", text(&refused.stderr));
}

#[test]
fn our_own_request_files_lose_a_line_not_the_rest() {
    let lines = [
        json!({"id": "a", "method": "GET", "uri": "/?q=attack", "headers": [["Host", "x"]], "remote_addr": "192.0.2.1"})
            .to_string(),
        "{broken".to_owned(),
        json!({"method": "GET", "uri": "/", "headers": [["Host", "x"]], "remote_addr": "203.0.113.9"}).to_string(),
    ];
    let setting = with("f.jsonl", &lines.join("\n"));
    let (answer, _) = setting.replay(&["--requests", "f.jsonl"]);
    assert_eq!(rules(&answer), [(10, 1), (16, 1)]);
    assert_eq!(
        (&answer["sources"][0]["unread"], &answer["sources"][0]["first_unread"][0]["line"]),
        (&json!(1), &json!(2))
    );
    let examples: Vec<_> =
        answer["rules"].as_array().expect("rules").iter().map(|rule| &rule["example"]["id"]).collect();
    assert_eq!(examples, ["a", "f.jsonl:3"]);
}

#[test]
fn an_archive_of_a_browser_has_bodies_and_responses() {
    let entry = |url: &str, more: serde_json::Value| {
        let mut request = json!({"method": "GET", "url": url, "httpVersion": "h2", "headers": [
            {"name": ":authority", "value": "www.example"}, {"name": "user-agent", "value": "Mozilla"}]});
        let mut entry = json!({"response": {"status": 200, "headers": [{"name": "content-type", "value": "text/html"},
            {"name": "content-encoding", "value": "br"}], "content": {"text": "nothing"}}});
        for (key, value) in more.as_object().expect("members") {
            match key.as_str() {
                "postData" => {
                    request["postData"] = value.clone();
                    request["method"] = "POST".into();
                    let media = json!({"name": "content-type", "value": value["mimeType"]});
                    request["headers"].as_array_mut().expect("headers").push(media);
                }
                _ => entry[key] = value.clone(),
            }
        }
        entry["request"] = request;
        entry
    };
    let leak = json!({"status": 200, "headers": [{"name": "Content-Type", "value": "text/html"}],
        "content": {"text": "dGhlIHNlY3JldA==", "encoding": "base64"}});
    let har = json!({"log": {"version": "1.2", "pages": [], "entries": [
        entry("https://www.example/a?q=1#fragment", json!({})),
        entry("https://www.example/b", json!({"postData": {"mimeType": "application/json", "text": "{\"a\":\"attack\"}"}})),
        entry("https://www.example/c", json!({"response": leak})),
        {"request": {"method": "GET"}},
        entry("https://www.example/d", json!({"response": {"status": 0}})),
    ]}});
    let setting = with("site.har", &serde_json::to_string_pretty(&har).expect("JSON"));
    let (answer, _) = setting.replay(&["--har", "site.har"]);
    assert_eq!((&answer["requests"], &answer["sources"][0]["unread"]), (&json!(4), &json!(1)));
    assert_eq!(answer["sources"][0]["first_unread"][0]["reason"], "no `url` in it");
    // Who has sent it stands in no archive: rule 16 is not judged, though the stand-in address is of that network.
    assert_eq!(rules(&answer), [(10, 1), (15, 1)]);
    let cut = setting.read("site.har");
    setting.write("cut.har", &cut[..cut.len() - 300]);
    let (answer, _) = setting.replay(&["--har", "cut.har"]);
    assert_eq!((&answer["requests"], &answer["sources"][0]["unread"]), (&json!(3), &json!(2)), "{}", answer["sources"]);
}

/// Frames as tshark prints them: members of the same name, the first line as a name, bytes in hexadecimal.
const PACKETS: &str = r#"[
  {"_index": "packets", "_source": {"layers": {
    "frame": {"frame.number": "4"}, "ip": {"ip.src": "192.0.2.1"}, "tcp": {"tcp.stream": "0"},
    "http": {
      "POST /form HTTP/1.1\\r\\n": {"http.request.method": "POST", "http.request.uri": "/form", "http.request.version": "HTTP/1.1"},
      "http.request.line": "Host: www.example\r\n",
      "http.request.line": "Content-Type: application/x-www-form-urlencoded\r\n",
      "http.request.line": "Content-Length: 8\r\n",
      "http.file_data": "61:3d:61:74:74:61:63:6b"}}}},
  {"_source": {"layers": {"frame": {"frame.number": "5"}, "tcp": {"tcp.stream": "0"}, "http": {
      "HTTP/1.1 100 Continue\\r\\n": {"http.response.version": "HTTP/1.1", "http.response.code": "100"}}}}},
  {"_source": {"layers": {
    "frame": {"frame.number": "6"}, "ip": {"ip.src": "203.0.113.9"}, "tcp": {"tcp.stream": "1"},
    "http": {
      "GET /x HTTP/1.1\\r\\n": {"http.request.method": "GET", "http.request.uri": "/x", "http.request.version": "HTTP/1.1"},
      "http.request.line": ["Host: www.example\r\n", "Cookie: a=1\r\n"]}}}},
  {"_source": {"layers": {
    "frame": {"frame.number": "7"}, "ip": {"ip.src": "192.0.2.7"}, "tcp": {"tcp.stream": "2"},
    "http": {
      "GET /y HTTP/1.1\\r\\n": {"http.request.method": "GET", "http.request.uri": "/y", "http.request.version": "HTTP/1.1"},
      "http.request.line": "Host: www.example\r\n"}}}},
  {"_source": {"layers": {"frame": {"frame.number": "9"}, "tcp": {"tcp.stream": "2"}, "http": {
      "HTTP/1.1 200 OK\\r\\n": {"http.response.version": "HTTP/1.1", "http.response.code": "200"},
      "http.response.line": "Content-Type: text/html\r\n",
      "http.request_in": "7", "http.file_data": "the secret"}}}},
  {"_source": {"layers": {"frame": {"frame.number": "10"}, "http2": {}}}},
  {"_source": {"layers": {"frame": {"frame.number": "11"}, "tcp": {}}}}
]"#;

#[test]
fn packets_are_paired_with_their_responses() {
    let setting = with("dump.json", PACKETS);
    let (answer, _) = setting.replay(&["--pcap-json", "dump.json"]);
    assert_eq!(answer["requests"], 3);
    assert_eq!(rules(&answer), [(10, 1), (15, 1), (16, 1)]);
    let source = &answer["sources"][0];
    assert_eq!((&source["unread"], &source["first_unread"][0]["line"]), (&json!(1), &json!(26)), "{source}");
}

#[test]
fn audit_logs_in_json_tell_what_was_decided() {
    let third = json!({"transaction": {"client_ip": "192.0.2.1", "unique_id": "u1",
        "request": {"method": "POST", "http_version": 1.1, "uri": "/", "body": "a=attack",
            "headers": {"Host": "x", "Content-Type": "application/x-www-form-urlencoded", "Content-Length": "8"}},
        "response": {"http_code": 403, "headers": {}},
        "messages": [{"message": "an attack", "details": {"ruleId": "10"}}]}});
    let second = json!({"transaction": {"transaction_id": "u2", "remote_address": "192.0.2.2"},
        "request": {"request_line": "GET /?q=1 HTTP/1.1", "headers": {"Host": "x"}},
        "response": {"status": 200, "headers": {}},
        "audit_data": {"messages": ["Warning. Pattern match [id \"99\"] [msg \"x\"]"]}});
    let setting = with("audit.json", &format!("{third}\n{second}\nnonsense\n"));
    let (answer, code) = setting.replay(&["--audit", "audit.json", "--against", "log"]);
    assert_eq!((&answer["requests"], &answer["sources"][0]["unread"]), (&json!(2), &json!(1)));
    let against = &answer["against"];
    assert_eq!((code, &against["compared"], &against["different"]), (Some(1), &json!(2), &json!(1)));
    let group = &against["groups"][0];
    assert_eq!(
        (&group["cause"], &group["only_there"], &group["examples"][0]["id"]),
        (&json!("rules"), &json!([99]), &json!("u2"))
    );
}

#[test]
fn native_audit_logs_have_raw_bodies() {
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nattack\r\n--b--\r\n";
    let log = format!(
        "--a1b2c3d4-A--\n[10/Oct/2025:13:55:36 +0000] u1 192.0.2.1 40000 192.0.2.9 80\n\
         --a1b2c3d4-B--\nPOST /f HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=b\nContent-Length: {}\n\n\
         --a1b2c3d4-C--\n{multipart}\n--a1b2c3d4-F--\nHTTP/1.1 403 Forbidden\nContent-Type: text/html\n\n\
         --a1b2c3d4-H--\nMessage: Access denied with code 403 (phase 2). [id \"10\"]\nAction: Intercepted (phase 2)\n\n\
         --a1b2c3d4-Z--\n\n\
         --0000ffff-A--\n[x] u2 203.0.113.5 40000 192.0.2.9 80\n--0000ffff-B--\nGET / HTTP/1.1\nHost: x\n\n--0000ffff-Z--\n\n\
         --11111111-A--\n[x] u3 192.0.2.1 1 192.0.2.9 80\n--11111111-B--\nGET / HTTP/1.1\n",
        multipart.len()
    );
    let setting = with("audit.log", &log);
    let (answer, code) = setting.replay(&["--audit", "audit.log", "--against", "log"]);
    assert_eq!(rules(&answer), [(10, 1), (16, 1)]);
    assert_eq!(answer["sources"][0]["first_unread"][0]["reason"], "the record does not end: there is no section Z");
    // The second says nothing of what was decided.
    let against = &answer["against"];
    assert_eq!((code, &against["compared"], &against["different"]), (Some(0), &json!(1), &json!(0)), "{against}");
    assert_eq!(against["not_compared"]["not_asked"], 1);
}

#[test]
fn packed_files_are_read_and_empty_ones_are_an_error() {
    let setting = with("none.log", "\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, br#"192.0.2.1 - - [x] "GET /?q=attack HTTP/1.1" 200 1"#).expect("memory");
    setting.write("a.log.gz", packed.finish().expect("memory"));
    let (answer, _) = setting.replay(&["--log", "a.log.gz"]);
    assert_eq!(rules(&answer), [(10, 1)]);
    let output = setting.command(&["replay", "--rules", "rules.conf", "--log", "none.log"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no requests could be read"));
}

#[test]
fn people_see_what_is_blocked_what_is_missing_and_what_to_do() {
    let log = r#"192.0.2.1 - - [x] "GET /?q=attack HTTP/1.1" 200 12 "-" "Mozilla""#;
    let setting = with("access.log", log);
    let watching = RULES.replace("SecRuleEngine On", "SecRuleEngine DetectionOnly");
    setting.write("watching.conf", watching);
    let shown = |arguments: &[&str]| {
        text(&setting.command(&[&["replay", "--log", "access.log", "--rules"], arguments].concat()).stdout)
    };
    let blocking = shown(&["rules.conf"]);
    for line in [
        "access.log: 1 requests, 0 that cannot be read",
        "of 8 rules, 5 are not judged for them, 1 in part",
        "1 of 1 requests would be blocked (100.000 %)",
        "access.log:1: GET /?q=attack",
        "/  rule 10 at ARGS:q: 1 of 1 requests, 1 clients",
    ] {
        assert!(blocking.contains(line), "{line}:\n{blocking}");
    }
    let watching = shown(&["watching.conf"]);
    assert!(watching.contains("0 of 1 requests would be blocked") && watching.contains("--enforce"), "{watching}");
    assert!(shown(&["watching.conf", "--enforce"]).contains("1 of 1 requests would be blocked"));
}
