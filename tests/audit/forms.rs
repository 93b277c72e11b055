//! The two written forms and their parts.

use crate::traffic::{Traffic, json, waf};
use serde_json::json;

const RULES: &str = r#"SecAuditLogParts ABCEFHIJKZ
SecComponentSignature "Rules/1.0"
SecRule ARGS:q "@rx <script" "id:942,phase:2,deny,status:403,severity:CRITICAL,ver:'R/1',rev:2,maturity:9,accuracy:8,capture,msg:'XSS',logdata:'Found %{TX.0} in %{MATCHED_VAR_NAME}',tag:'attack-xss',tag:'b'"
"#;

fn multipart() -> (&'static [u8], &'static [u8]) {
    (
        b"multipart/form-data; boundary=X",
        b"--X\r\nContent-Disposition: form-data; name=\"a b\"\r\n\r\n1&2\r\n--X\r\n\
          Content-Disposition: form-data; name=\"up\"; filename=\"x\x1b.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--X--\r\n",
    )
}

#[test]
fn json_has_the_layout_of_version_3() {
    let mut traffic = Traffic::post(b"application/x-www-form-urlencoded", b"q=%3Cscript");
    traffic.headers.push((b"X-Twice", b"1"));
    traffic.headers.push((b"x-twice", b"2"));
    traffic.status = 403;
    let record = traffic.record(&waf(RULES));
    let mut all = json(&record);
    let all = all["transaction"].take();
    assert_eq!(
        [&all["client_ip"], &all["client_port"], &all["host_ip"], &all["host_port"], &all["unique_id"]],
        [&json!("192.0.2.1"), &json!(50000), &json!("192.0.2.2"), &json!(443), &json!("0190aXYZ")]
    );
    assert_eq!(all["time_stamp"], "Thu Feb 29 12:34:56 2024");
    assert_eq!(
        all["request"],
        json!({
            "method": "POST", "http_version": 1.1, "uri": "/form", "body": "q=%3Cscript", "files": [],
            "headers": {"Host": "www.example", "Content-Type": "application/x-www-form-urlencoded", "X-Twice": "1, 2"},
        })
    );
    assert_eq!(all["response"], json!({"body": "", "http_code": 403, "headers": {}}));
    assert_eq!(all["producer"]["secrules_engine"], "Enabled");
    assert_eq!(all["producer"]["components"], json!(["Rules/1.0"]));
    assert_eq!(
        all["messages"],
        json!([{
            "message": "XSS",
            "details": {
                "match": "Pattern match \"<script\" at ARGS:q.", "reference": "", "ruleId": "942", "file": "t.conf",
                "lineNumber": "7", "data": "Found <script in ARGS:q", "severity": "2", "ver": "R/1", "rev": "2",
                "tags": ["attack-xss", "b"], "maturity": "9", "accuracy": "8",
            }
        }])
    );
    assert_eq!(all["rules"].as_array().map(Vec::len), Some(1));
    assert_eq!(all["budget"]["generation"], 1);
    assert!(all["budget"]["fuel"].as_u64() > Some(0) && all["budget"]["exhausted"].is_null());
    assert!(all["truncated"].is_null() && all["sanitised"].is_null());
}

#[test]
fn native_has_the_sections_of_version_2() {
    let (content_type, body) = multipart();
    let mut traffic = Traffic::post(content_type, body);
    traffic.target = b"/form?q=%3Cscript";
    let text = traffic.record(&waf(RULES)).to_native();
    let boundary = text[2..10].to_owned();
    let letters: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("--{boundary}-")).and_then(|rest| rest.strip_suffix("--")))
        .collect();
    assert_eq!(letters, ["A", "B", "C", "F", "H", "I", "J", "K", "Z"]);
    let section = |letter: &str| {
        let start = text.split(&format!("--{boundary}-{letter}--\n")).nth(1).unwrap();
        start.split(&format!("--{boundary}-")).next().unwrap().to_owned()
    };
    assert_eq!(section("A"), "[29/Feb/2024:12:34:56 +0000] 0190aXYZ 192.0.2.1 50000 192.0.2.2 443\n");
    assert!(section("B").starts_with("POST /form?q=%3Cscript HTTP/1.1\nHost: www.example\n"));
    assert!(section("C").starts_with("--X\r\nContent-Disposition"));
    assert_eq!(section("I"), "a+b=1%262\n\n");
    assert_eq!(section("J"), "#1 Filename: x\\x1b.txt - Size: 5 - Content-Type: text/plain\nTotal upload size: 5\n\n");
    let trailer = section("H");
    let message = trailer.lines().next().unwrap();
    assert!(
        message.starts_with(
            "Message: Access denied with code 403 (phase 2). Pattern match \"<script\" at ARGS:q. [file \"t.conf\"]"
        ),
        "{message}"
    );
    for line in ["Action: Intercepted (phase 2)", "Engine-Mode: \"ENABLED\"", "Stopwatch: 1709210096000000 0 (- - -)"] {
        assert!(trailer.lines().any(|found| found == line), "{line} in {trailer}");
    }
    assert!(trailer.contains("Producer: Fusewall/") && trailer.contains("; Rules/1.0.\n"));
    assert!(section("K").starts_with("Rule [Match]: SecRule ARGS:q"));
}

#[test]
fn the_answer_stands_in_parts_e_and_f() {
    let mut traffic = Traffic::get(b"/form?q=1");
    traffic.response_headers.push((b"Content-Type", b"text/html"));
    traffic.response_body = b"<p>hello</p>";
    let record = traffic.record(&waf(RULES));
    let text = record.to_native();
    let boundary = text[2..10].to_owned();
    let part = |letter: &str| text.split(&format!("--{boundary}-{letter}--\n")).nth(1).expect("the part").to_owned();
    assert!(part("E").starts_with("<p>hello</p>\n"), "{text}");
    assert!(part("F").contains("Content-Type: text/html\n"), "{text}");
    assert_eq!(json(&record)["transaction"]["response"]["body"], "<p>hello</p>");
}

#[test]
fn a_record_holds_its_bodies() {
    let (content_type, body) = multipart();
    let whole = Traffic::post(content_type, body).record(&waf(RULES));
    let mut empty = whole.clone();
    empty.request.body = None;
    assert_eq!(whole.memory() - empty.memory(), body.len());
    empty.response.body = whole.request.body.clone();
    assert_eq!(whole.memory(), empty.memory());
    empty.request.body = whole.request.body.clone();
    assert_eq!(empty.memory() - whole.memory(), body.len());
}

#[test]
fn parts_are_left_out_in_both_forms() {
    let traffic = Traffic::post(b"application/x-www-form-urlencoded", b"a=1");
    for (rules, letters) in [
        ("SecAuditLogParts AZ", "AZ"),
        ("SecAuditLogParts B", "ABZ"),
        ("SecAuditLogParts ABZ\nSecAction \"id:1,pass,nolog,ctl:auditLogParts=+C\"", "ABCZ"),
        ("SecAuditLogParts ABCHZ\nSecAction \"id:1,pass,nolog,ctl:auditLogParts=-BC\"", "AHZ"),
        ("SecAuditLogParts ABIZ", "ABIZ"),
    ] {
        let record = traffic.record(&waf(rules));
        let text = record.to_native();
        let found: String =
            text.lines().filter(|line| line.starts_with("--")).filter_map(|line| line.chars().nth(11)).collect();
        assert_eq!(found, letters, "{rules}");
        let all = &json(&record)["transaction"];
        assert_eq!(all["request"]["headers"].is_object(), letters.contains('B'), "{rules}");
        assert_eq!(all["request"]["body"].is_string(), letters.contains(['C', 'I']), "{rules}");
        assert_eq!(all["messages"].is_array(), letters.contains('H'), "{rules}");
    }
}

#[test]
fn an_exhausted_budget_is_told() {
    let mut limits = fusewall::Limits::default();
    (limits.fuel_base, limits.fuel_per_byte) = (10, 0);
    let waf = crate::traffic::waf_with("SecRule ARGS \"@rx a\" \"id:7,phase:1,pass\"", limits);
    let record = Traffic::get(b"/?a=aaaaaaaaaaaaaaaaaaaaaaaaa").record(&waf);
    let exhausted = &json(&record)["transaction"]["budget"]["exhausted"];
    assert_eq!((&exhausted["phase"], &exhausted["policy"]), (&json!(1), &json!("block")));
    assert!(record.to_native().contains("Fusewall-Exhausted: scope="));
}

#[test]
fn a_chain_stands_in_part_k_link_by_link() {
    let waf =
        waf("SecAuditLogParts AKZ\nSecRule ARGS:a \"@streq 1\" \"id:1,pass,chain\"\nSecRule ARGS:b \"@streq 2\"\n");
    let text = Traffic::get(b"/?a=1&b=2").record(&waf).to_native();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("[Match]: SecRule ARGS:")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("Chain Starter [Match]: ") && lines[1].starts_with("Chain node [Match]: "), "{text}");
}
