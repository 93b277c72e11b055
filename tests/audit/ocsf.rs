//! The form of OCSF 1.5.0: class HTTP Activity, profile Security Control.

use crate::traffic::{Traffic, waf};
use serde_json::{Value, json};

const RULES: &str = r#"SecAuditLogParts ABCEFHIJKZ
SecRule ARGS:q "@rx <script" "id:942,phase:2,pass,severity:ERROR,msg:'XSS',logdata:'Found %{MATCHED_VAR}'"
SecRule ARGS:q "@contains script" "id:949,phase:2,deny,status:403,severity:CRITICAL,ver:'R/1',msg:'Too much'"
SecRule ARGS:d "@streq 1" "id:950,phase:2,drop,msg:'Gone'"
SecRule ARGS:w "@streq 1" "id:951,phase:2,pass,severity:WARNING,msg:'Odd'"
"#;

fn event(traffic: &Traffic<'_>, rules: &str) -> Value {
    let event = serde_json::from_str(&traffic.record(&waf(rules)).to_ocsf()).expect("valid JSON");
    holds(&event);
    event
}

/// What the schema demands of every event of this class and profile, and allows in it.
pub fn holds(event: &Value) {
    for member in ["activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time"] {
        assert!(event[member].is_u64(), "{member} is required: {event}");
    }
    assert_eq!((&event["class_uid"], &event["category_uid"]), (&json!(4002), &json!(4)));
    assert_eq!(event["type_uid"].as_u64(), event["activity_id"].as_u64().map(|activity| 400_200 + activity));
    let activity = event["activity_id"].as_u64().unwrap();
    assert!(activity <= 9 || activity == 99);
    assert_eq!(event["metadata"]["version"], "1.5.0");
    assert_eq!(event["metadata"]["profiles"], json!(["security_control"]));
    assert!(event["metadata"]["product"]["vendor_name"].is_string(), "required");
    assert!(event["http_request"]["url"]["path"].is_string(), "a URL has a path or a text");
    assert!(event["http_response"].is_null() || event["http_response"]["code"].is_u64(), "required");
    let (action, disposition) = (event["action_id"].as_u64().unwrap(), event["disposition_id"].as_u64().unwrap());
    assert!(matches!((action, disposition), (1, 1 | 15) | (2, 2 | 6 | 27)), "{action} does not go with {disposition}");
    let known = "activity_id activity_name category_uid category_name class_uid class_name type_uid type_name time \
                 duration timezone_offset severity_id severity status_id status status_code action_id action \
                 disposition_id disposition is_alert message metadata src_endpoint dst_endpoint http_request \
                 http_response firewall_rule unmapped";
    for member in event.as_object().unwrap().keys() {
        assert!(known.split(' ').any(|known| known.trim() == member), "{member} is not in the schema");
    }
}

#[test]
fn a_blocked_request() {
    let mut traffic = Traffic::post(b"application/x-www-form-urlencoded", b"q=%3Cscript");
    traffic.target = b"/form?a=1&b=?";
    traffic.headers.push((b"User-Agent", b"curl/8"));
    traffic.headers.push((b"X-Forwarded-For", b"192.0.2.9, 192.0.2.8"));
    traffic.headers.push((b"X-Forwarded-For", b"192.0.2.7"));
    traffic.status = 403;
    let event = event(&traffic, RULES);
    assert_eq!((&event["activity_name"], &event["type_name"]), (&json!("Post"), &json!("HTTP Activity: Post")));
    assert_eq!(event["time"], 1_709_210_096_000_u64);
    assert_eq!((&event["severity_id"], &event["severity"]), (&json!(5), &json!("Critical")));
    assert_eq!((&event["status_id"], &event["status_code"]), (&json!(2), &json!("403")));
    assert_eq!((&event["action"], &event["disposition"]), (&json!("Denied"), &json!("Blocked")));
    assert_eq!((&event["is_alert"], &event["message"]), (&json!(true), &json!("Too much")));
    assert_eq!(event["src_endpoint"], json!({"ip": "192.0.2.1", "port": 50000}));
    assert_eq!(event["dst_endpoint"], json!({"hostname": "www.example", "ip": "192.0.2.2", "port": 443}));
    let request = &event["http_request"];
    assert_eq!(request["url"], json!({"hostname": "www.example", "path": "/form", "query_string": "a=1&b=?"}));
    assert_eq!((&request["uid"], &request["version"]), (&json!("0190aXYZ"), &json!("1.1")));
    assert_eq!((&request["user_agent"], &request["body_length"]), (&json!("curl/8"), &json!(11)));
    assert_eq!(request["x_forwarded_for"], json!(["192.0.2.9", "192.0.2.8", "192.0.2.7"]));
    assert_eq!(request["http_headers"][0], json!({"name": "Host", "value": "www.example"}));
    assert_eq!(event["http_response"]["code"], 403);
    let rule = &event["firewall_rule"];
    assert_eq!((&rule["uid"], &rule["name"], &rule["version"]), (&json!("949"), &json!("Too much"), &json!("R/1")));
    assert_eq!(rule["match_location"], "ARGS:q");
    let unmapped = &event["unmapped"];
    assert_eq!(unmapped["messages"][0]["details"]["ruleId"], "942", "all matches are there");
    assert_eq!(unmapped["messages"][1]["details"]["ruleId"], "949");
    assert_eq!(unmapped["request_body"], "q=%3Cscript");
    assert_eq!(unmapped["rules"].as_array().map(Vec::len), Some(2));
    assert!(unmapped["budget"]["fuel"].as_u64() > Some(0));
}

#[test]
fn what_became_of_a_request() {
    let outcome = |target: &[u8], status: u16| {
        let mut traffic = Traffic::get(target);
        traffic.status = status;
        let event = event(&traffic, RULES);
        let ids = ["action_id", "disposition_id", "severity_id", "status_id"].map(|id| event[id].as_u64().unwrap());
        (ids, event["is_alert"].as_bool().unwrap(), event["firewall_rule"]["uid"].as_str().map(str::to_owned))
    };
    assert_eq!(outcome(b"/", 200), ([1, 1, 1, 1], false, None));
    assert_eq!(outcome(b"/", 500), ([1, 1, 1, 2], false, None));
    assert_eq!(outcome(b"/?w=1", 200), ([1, 15, 3, 1], true, Some("951".into())));
    assert_eq!(outcome(b"/?q=script", 403), ([2, 2, 5, 2], true, Some("949".into())));
    assert_eq!(outcome(b"/?d=1", 0), ([2, 6, 3, 0], true, Some("950".into())));
}

#[test]
fn parts_and_methods_that_the_schema_does_not_know() {
    let mut traffic = Traffic::get(b"/?w=1");
    traffic.method = b"PROPFIND";
    let event = event(&traffic, &RULES.replace("ABCEFHIJKZ", "AZ"));
    assert_eq!((&event["activity_id"], &event["activity_name"]), (&json!(99), &json!("PROPFIND")));
    assert_eq!(event["type_name"], "HTTP Activity: Other");
    for absent in [
        &event["firewall_rule"],
        &event["http_request"]["http_headers"],
        &event["http_response"]["http_headers"],
        &event["unmapped"]["messages"],
        &event["unmapped"]["request_body"],
    ] {
        assert!(absent.is_null(), "{event}");
    }
}
