//! What rules hide shows nowhere.

use crate::traffic::{Traffic, json, waf};
use fusewall::AuditRecord;
use proptest::prelude::*;
use std::fmt::Write;

const PARTS: &str = "SecAuditLogParts ABCEFHIJKZ\n";
const LOGS: &str = r#"SecRule ARGS|REQUEST_HEADERS|REQUEST_COOKIES|REQUEST_URI|REQUEST_BODY "@rx (?i)^.{0,3}(.*)$" "id:10,phase:2,pass,capture,msg:'saw %{MATCHED_VAR}',logdata:'%{TX.0} %{TX.1} in %{MATCHED_VAR_NAME}: %{ARGS.password}',tag:'%{MATCHED_VAR}',setvar:tx.copy=%{MATCHED_VAR}"
SecRule ARGS "@rx ." "id:11,phase:2,pass,t:urlDecodeUni,t:lowercase,logdata:'%{TX.copy}'"
"#;

fn shown(record: &AuditRecord) -> String {
    json(record);
    format!("{}\n{}\n{}", record.to_json(), record.to_native(), record.to_ocsf())
}

#[test]
fn an_argument_in_the_query_and_wherever_it_shows_again() {
    let rules = "SecRule ARGS:user \"@rx .\" \"id:12,phase:2,pass,msg:'saw %{MATCHED_VAR}'\"\nSecAction \"id:1,phase:5,nolog,pass,sanitiseArg:Password\"\n";
    let waf = waf(&format!("{PARTS}{LOGS}{rules}"));
    let mut traffic = Traffic::get(b"/login?user=eve&password=hunter%32%21%20secret&x=1");
    traffic.headers.push((b"Referer", b"http://x/?next=%2Flogin%3Fpassword%3Dhunter2!%2520secret"));
    traffic.headers.push((b"Cookie", b"last=hunter2! secret; a=b"));
    traffic.response_headers.push((b"Content-Type", b"text/html"));
    traffic.response_body = b"<input value='hunter2!&#x20;secret'>";
    let tx = traffic.run(&waf);
    let record = tx.audit_record(200).unwrap();
    assert_eq!(record.request.target, b"/login?user=eve&password=*********************&x=1");
    assert_eq!(record.request.headers[2].1, b"last=***************; a=b");
    assert_eq!(record.response.body.as_ref().unwrap().bytes, b"<input value='********************'>");
    let text = format!("{}{}", shown(&record), tx.error_log_lines(0).join("\n"));
    assert!(!text.contains("hunter") && !text.contains("unter2") && !text.contains("secret"), "{text}");
    assert!(record.to_native().contains("Sanitised-Args: \"password\".\n"));
    assert!(text.contains("saw eve"), "what is not hidden stays");
}

#[test]
fn an_argument_in_each_kind_of_body() {
    let rules = format!(
        "{PARTS}{LOGS}SecRule REQUEST_HEADERS:Content-Type json \"id:2,phase:1,nolog,pass,ctl:requestBodyProcessor=JSON\"\nSecAction \"id:1,phase:2,nolog,pass,sanitiseArg:password,sanitiseArg:pin\"\n"
    );
    let waf = waf(&rules);
    let record = |content_type: &str, body: &str| Traffic::post(content_type.as_bytes(), body.as_bytes()).record(&waf);
    let bytes = |record: &AuditRecord| String::from_utf8(record.request.body.as_ref().unwrap().bytes.clone()).unwrap();

    let urlencoded = record("application/x-www-form-urlencoded", "a=1&password=hunter22&pin=7&pass%77ord=&b=7");
    assert_eq!(bytes(&urlencoded), "a=1&password=********&pin=*&pass%77ord=&b=7");

    let json = record("application/json", r#"{"password":"hunt\u0065r22","b":"hunter2"}"#);
    assert_eq!(bytes(&json), r#"{"password":"*************","b":"hunter2"}"#);

    // A value too short to be looked for: the whole body.
    let short = record("application/json", r#"{"pin":7,"b":"7"}"#);
    assert_eq!(bytes(&short), "*".repeat(17));
    // A body that was not read to its end may hold anything.
    let broken = record("application/json", r#"{"b":"x","password":"hunter22"#);
    assert_eq!(bytes(&broken), "*".repeat(29));
    let unread = record("text/plain", "password=hunter22");
    assert_eq!(bytes(&unread), "*".repeat(17));

    let multipart = record(
        "multipart/form-data; boundary=X",
        "--X\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter22\r\n--X--\r\n",
    );
    assert!(bytes(&multipart).contains("\r\n\r\n********\r\n--X--"));
    assert_eq!(multipart.request.form.as_ref().unwrap()[0].1, b"********");
    for record in [urlencoded, json, short, broken, unread, multipart] {
        assert!(!shown(&record).contains("hunter22"));
    }
}

#[test]
fn a_header_of_the_answer_and_wherever_it_shows_again() {
    let rules = "SecRule RESPONSE_HEADERS:X-Token \"@rx .\" \"id:12,phase:3,pass,logdata:'%{MATCHED_VAR}'\"\n\
                 SecAction \"id:1,phase:5,nolog,pass,sanitiseResponseHeader:x-token\"\n";
    let mut traffic = Traffic::get(b"/login?user=eve");
    traffic.response_headers.extend([(&b"Content-Type"[..], &b"text/html"[..]), (b"X-Token", b"hunter22")]);
    traffic.response_body = b"<input value='hunter22'>";
    let tx = traffic.run(&waf(&format!("{PARTS}{rules}")));
    let record = tx.audit_record(200).unwrap();
    assert_eq!(record.response.body.as_ref().unwrap().bytes, b"<input value='********'>");
    let text = format!("{}{}", shown(&record), tx.error_log_lines(0).join("\n"));
    assert!(!text.contains("hunter22") && text.contains("[data \"********\"]"), "{text}");
}

#[test]
fn a_log_line_that_is_cut_shows_no_beginning_of_a_value() {
    let waf = waf(
        "SecRule ARGS:q \"@rx x\" \"id:1,phase:1,pass,msg:m\"\nSecAction \"id:2,phase:5,nolog,pass,sanitiseArg:password\"",
    );
    for length in 150..200 {
        let target = format!("/?q={}&password=correct-horse", "x".repeat(length));
        let lines = Traffic::get(target.as_bytes()).run(&waf).error_log_lines(0);
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains("=c") && !lines[0].contains("orrect"), "{}", lines[0]);
    }
}

#[test]
fn a_file_in_the_place_of_an_argument() {
    let waf = waf(&format!("{PARTS}SecAction \"id:1,phase:2,nolog,pass,sanitiseArg:key\"\n"));
    let body = b"--X\r\nContent-Disposition: form-data; name=\"key\"; filename=\"k\"\r\n\r\nhunter22\r\n--X--\r\n";
    let record = Traffic::post(b"multipart/form-data; boundary=X", body).record(&waf);
    assert!(!shown(&record).contains("hunter22"));
}

#[test]
fn before_phase_5_nothing_is_shown_if_its_rules_hide_something() {
    let waf = waf(
        "SecRule ARGS:q \"@rx x\" \"id:1,phase:1,pass,msg:'saw %{MATCHED_VAR}'\"\nSecAction \"id:2,phase:5,nolog,pass,sanitiseArg:password\"",
    );
    let mut tx = waf.transaction();
    tx.process_request_line(b"GET", b"/?q=x&password=hunter22", b"HTTP/1.1");
    tx.process_request_headers();
    let text = shown(&tx.audit_record(0).unwrap());
    assert!(!text.contains("hunter22") && !text.contains("saw x"), "{text}");
    tx.process_logging();
    let text = shown(&tx.audit_record(0).unwrap());
    assert!(!text.contains("hunter22") && text.contains("saw x"), "{text}");
}

#[test]
fn what_matched() {
    let waf = waf(&format!(
        "{PARTS}SecRule ARGS_NAMES \"@rx pass\" \"id:1,phase:2,pass,log,sanitiseMatched\"\n\
         SecRule REQUEST_HEADERS:X-Key|REQUEST_COOKIES:sid \"@rx ^\\w{{4}}(\\w+)\" \"id:2,phase:1,pass,capture,logdata:'%{{TX.1}}',sanitizeMatched\"\n\
         SecRule RESPONSE_BODY \"@rx \\d{{16}}\" \"id:3,phase:4,pass,capture,logdata:'%{{TX.0}}',sanitiseMatchedBytes:1/4\"\n"
    ));
    let mut traffic = Traffic::get(b"/?passphrase=opensesame");
    traffic.headers.push((b"X-Key", b"abcdefghij"));
    traffic.headers.push((b"Cookie", b"sid=0123456789; b=c"));
    traffic.response_headers.push((b"Content-Type", b"text/html"));
    traffic.response_body = b"card 4111111111111111.";
    let record = traffic.record(&waf);
    let text = shown(&record);
    for secret in ["opensesame", "abcdefghij", "efghij", "0123456789", "456789", "4111111111111111"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(record.response.body.as_ref().unwrap().bytes, b"card 4***********1111.");
    assert!(text.contains("Sanitised-Cookies: \"sid\"") && text.contains("Sanitised-Request-Headers: \"X-Key\""));
}

#[test]
fn headers_and_what_is_made_of_them() {
    let waf = waf(&format!(
        "{PARTS}{LOGS}SecAction \"id:1,phase:1,nolog,pass,sanitiseRequestHeader:authorization,sanitiseRequestHeader:cookie,sanitiseResponseHeader:Set-Cookie\"\n"
    ));
    let mut traffic = Traffic::get(b"/");
    traffic.headers.push((b"Authorization", b"Basic YWxhZGRpbjpvcGVu"));
    traffic.headers.push((b"Cookie", b"sid=0123456789"));
    traffic.response_headers.push((b"Set-Cookie", b"sid=9876543210"));
    let record = traffic.record(&waf);
    let text = shown(&record);
    for secret in ["YWxhZGRpbjpvcGVu", "aladdin", "0123456789", "3456789", "9876543210"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(record.request.user.is_empty());
}

#[test]
fn a_body_that_is_cut_shows_no_beginning_of_a_value() {
    let mut limits = fusewall::Limits::default();
    limits.audit_record_bytes = 4096;
    let rules = format!("{PARTS}SecAction \"id:1,phase:2,nolog,pass,sanitiseArg:password\"\n");
    let waf = crate::traffic::waf_with(&rules, limits);
    for before in 4060..4100 {
        let body = format!("a={}&password=correct-horse", "x".repeat(before - 2));
        let record = Traffic::post(b"application/x-www-form-urlencoded", body.as_bytes()).record(&waf);
        let bytes = &record.request.body.as_ref().unwrap().bytes;
        assert!(!String::from_utf8_lossy(bytes).contains("password=c"), "{before}");
        assert!(bytes.len() <= 4096);
    }
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02x}");
        text
    })
}

/// Writes a value in one of the ways in which requests write values.
fn written(secret: &[u8], way: u8) -> Vec<u8> {
    match way {
        0 => percent(secret).into_bytes(),
        1 => percent(secret).to_uppercase().into_bytes(),
        2 => percent(percent(secret).as_bytes()).into_bytes(),
        _ => secret
            .iter()
            .flat_map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => vec![*byte],
                b' ' => vec![b'+'],
                byte => percent(&[*byte]).into_bytes(),
            })
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Whatever the transaction: valid JSON, within the limit, and no trace of a hidden argument.
    #[test]
    fn no_trace_of_a_hidden_argument(
        secret in prop_oneof![
            prop::collection::vec(any::<u8>(), 8..80),
            "[a-zA-Z0-9 +%&=\"\\\\/<>';:-]{8,40}".prop_map(String::into_bytes),
        ],
        noise in prop::collection::vec(any::<u8>(), 0..200),
        ways in prop::array::uniform4(0u8..4),
        place in 0u8..5,
        limit in prop_oneof![Just(4096usize), Just(256 << 10)],
        on_match in any::<bool>(),
    ) {
        // A value that is all one folded character is not told from text of ours, such as a line of asterisks.
        prop_assume!(secret.iter().any(|byte| *byte != secret[0] && byte.is_ascii_alphanumeric()));
        prop_assume!(!secret.contains(&0));
        let hide = if on_match {
            "SecRule ARGS_NAMES \"@rx password\" \"id:1,phase:2,nolog,pass,sanitiseMatched\"\n"
        } else {
            "SecAction \"id:1,phase:5,nolog,pass,sanitiseArg:password,sanitiseArg:json.password\"\n"
        };
        let json = "SecRule REQUEST_HEADERS:Content-Type json \"id:2,phase:1,nolog,pass,ctl:requestBodyProcessor=JSON\"\n";
        let waf = crate::traffic::made_once(&format!("{PARTS}{json}{LOGS}{hide}"), limit);
        let target = [b"/p?a=".as_slice(), percent(&noise).as_bytes(), b"&password=", &written(&secret, ways[0] % 2 * 3)].concat();
        let referer = [b"http://h/?q=".as_slice(), &written(&secret, ways[1])].concat();
        let (content_type, body): (&[u8], Vec<u8>) = match place {
            0 => (b"application/x-www-form-urlencoded", [b"x=1&password=".as_slice(), &written(&secret, ways[2] % 2 * 3)].concat()),
            1 => (b"application/json", serde_json::json!({ "n": 1, "password": String::from_utf8_lossy(&secret) }).to_string().into_bytes()),
            2 => (b"multipart/form-data; boundary=XyZ", [
                b"--XyZ\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n".as_slice(), &secret, b"\r\n--XyZ--\r\n",
            ].concat()),
            3 => (b"text/plain", secret.clone()),
            _ => (b"application/json", [b"{\"password\":\"".as_slice(), &secret, b"\"}"].concat()),
        };
        let mut traffic = Traffic::post(content_type, &body);
        traffic.target = &target;
        traffic.headers.push((b"Referer", &referer));
        traffic.headers.push((b"X-Copy", &secret));
        let tx = traffic.run(&waf);
        let record = tx.audit_record(200).unwrap();
        let (line, native) = (record.to_json(), record.to_native());
        prop_assert!(line.len() <= limit && native.len() <= limit);
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        let mut texts = vec![native, line.clone(), tx.error_log_lines(0).join("\n")];
        collect(&value, &mut texts);
        let text = String::from_utf8_lossy(&secret).into_owned();
        let mut forms = vec![secret.clone(), percent(&secret).into_bytes(), percent(&secret).to_uppercase().into_bytes()];
        forms.extend((0..4).map(|way| written(&secret, way)));
        let quoted = serde_json::Value::from(text).to_string();
        forms.push(quoted.as_bytes()[1..quoted.len() - 1].to_vec());
        for text in &texts {
            for form in &forms {
                prop_assert!(
                    memchr::memmem::find(text.as_bytes(), form).is_none(),
                    "{:?} in {text}", String::from_utf8_lossy(form)
                );
            }
        }
    }
}

fn collect(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => texts.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|value| collect(value, texts)),
        serde_json::Value::Object(all) => all.iter().for_each(|(name, value)| {
            texts.push(name.clone());
            collect(value, texts);
        }),
        _ => {}
    }
}
