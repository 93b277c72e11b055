//! The smallest request for each cause, and our side of it. `docs/reference-comparison.md` argues them in the same order.

use fusewall::Waf;

/// A request, the rule that tells the engines apart, and whether we log it.
struct Case {
    target: &'static str,
    content_type: &'static str,
    body: &'static str,
    rule: &'static str,
    logged: bool,
}

const fn get(target: &'static str, rule: &'static str, logged: bool) -> Case {
    Case { target, content_type: "", body: "", rule, logged }
}

const fn post(content_type: &'static str, body: &'static str, rule: &'static str, logged: bool) -> Case {
    Case { target: "/", content_type, body, rule, logged }
}

const CASES: [Case; 15] = [
    post("application/json", r#"{"a":"x"}"#, r#"SecRule REQUEST_BODY "@contains x" "id:1,phase:2,pass,log""#, false),
    get("/a%5Cb", r#"SecRule REQUEST_URI "@contains %5C" "id:1,phase:2,pass,log""#, true),
    get("/p%3Fq", r#"SecRule REQUEST_FILENAME "@streq /p?q" "id:1,phase:2,pass,log""#, true),
    get("/?a=a%0Ab", r#"SecRule ARGS "@rx ^b$" "id:1,phase:2,pass,log""#, false),
    get(
        "/?a=1%3D1",
        r#"SecRule ARGS "@rx (\d)=(\d)" "id:1,phase:2,pass,log,capture,multiMatch,t:none,t:lowercase,chain"
           SecRule TX:1 "!@streq %{TX.2}""#,
        false,
    ),
    get(
        "/?a=x&b=y",
        r#"SecRule ARGS:a "@streq x" "id:2,phase:2,pass,nolog,chain"
           SecRule MATCHED_VARS "@streq x"
           SecRule ARGS:b "@streq y" "id:1,phase:2,pass,log,chain"
           SecRule MATCHED_VARS "@streq x""#,
        false,
    ),
    get(
        "/?a=a%2500x",
        r#"SecRule ARGS "@streq ax" "id:1,phase:2,pass,log,t:urlDecodeUni,t:cssDecode,t:removeNulls""#,
        true,
    ),
    post(
        "text/xml",
        r#"<!DOCTYPE d [<!ENTITY c "z">]><d>&c;</d>"#,
        r#"SecRule XML:/* "@streq &c;" "id:1,phase:2,pass,log""#,
        true,
    ),
    post("application/json", r#"{"a":1,,"b":"x"}"#, r#"SecRule ARGS:json.b "@streq x" "id:1,phase:2,pass,log""#, true),
    post("application/json", r#"{"a":"\udc00"}"#, r#"SecRule REQBODY_ERROR "@eq 1" "id:1,phase:2,pass,log""#, true),
    post(
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\ny\r\n--b--\r\n",
        r#"SecRule ARGS:a "@rx ^x\ny$" "id:1,phase:2,pass,log""#,
        true,
    ),
    get("/?a=www/tmp/x", r#"SecRule ARGS "@pm www/logs /tmp/" "id:1,phase:2,pass,log""#, true),
    get("/?a=x%5C%5C%5Cy", r#"SecRule ARGS "@streq x/y" "id:1,phase:2,pass,log,t:normalizePathWin""#, true),
    get("/?YWJj%20YWJj", r#"SecRule ARGS_NAMES "@streq abc" "id:1,phase:2,pass,log,t:base64Decode""#, true),
    get("/?a=%C0.%C0./", r#"SecRule ARGS "@streq ../" "id:1,phase:2,pass,log,t:utf8toUnicode""#, true),
];

const SETUP: &str = r#"
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "@beginsWith text/xml" "id:10,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" "id:11,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
"#;

#[test]
fn the_smallest_requests_show_our_side() {
    for Case { target, content_type, body, rule, logged } in CASES {
        let waf = Waf::builder().rules_text("case.conf", format!("{SETUP}{rule}\n")).build().expect(rule);
        let mut exchange = waf.transaction();
        exchange.process_request_line(b"POST", target.as_bytes(), b"HTTP/1.1");
        exchange.add_request_header(b"Host", b"www.example");
        if !content_type.is_empty() {
            exchange.add_request_header(b"Content-Type", content_type.as_bytes());
        }
        exchange.process_request_headers();
        exchange.write_request_body(body.as_bytes());
        exchange.process_request_body();
        let rules = exchange.verdict().expect("a verdict").rules;
        assert_eq!(rules.iter().any(|id| id.0 == 1), logged, "{target} {body}: {rule}");
    }
}
