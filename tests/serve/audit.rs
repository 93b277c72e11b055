//! Requests as the audit log has them.

use super::site::{Site, Upstream};
use fusewall::Waf;
use std::path::PathBuf;
use std::time::Duration;

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus "^[45]"
SecAuditLogParts ABCFHZ
SecRule ARGS "@contains <script" "id:1,phase:2,deny,status:403,log,msg:'script',logdata:'%{MATCHED_VAR}'"
SecRule RESPONSE_HEADERS:Content-Type "@streq text/plain" "id:2,phase:3,pass,log,msg:'plain response'"
SecRule ARGS:note "@rx (.+)" "id:3,phase:2,pass,nolog"
SecAction "id:9,phase:5,pass,nolog,sanitiseArg:password"
"#;

struct Audited {
    site: Site,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

async fn audited(format: &str, upstream: Option<&Upstream>) -> Audited {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let rules = format!("{RULES}\nSecAuditLogFormat {format}\nSecAuditLog {}", path.display());
    let waf = Waf::builder().rules_text("audit.conf", rules).build().unwrap();
    Audited { site: Site::start_with(waf, upstream, |_| {}).await, path, _folder: folder }
}

impl Audited {
    /// What is in the log, once it holds `count` lines that `is` one of.
    async fn read(&self, count: usize, is: impl Fn(&str) -> bool) -> String {
        for _ in 0..2000 {
            let text = std::fs::read_to_string(&self.path).unwrap();
            if text.lines().filter(|line| is(line)).count() >= count {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", std::fs::read_to_string(&self.path));
    }

    async fn records(&self, count: usize) -> Vec<serde_json::Value> {
        let text = self.read(count, |line| line.ends_with('}')).await;
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["transaction"].take())
            .collect()
    }
}

const POST: &str = "POST /login?q=%3Cscript HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 23\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\r\nuser=e&password=hunter2";

#[tokio::test]
async fn a_refused_request_stands_in_the_log_without_its_password() {
    let audited = audited("JSON", None).await;
    assert_eq!(audited.site.send("GET /?a=1 HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    let reply = audited.site.send(POST).await;
    assert_eq!(reply.status, 403);
    let records = audited.records(1).await;
    assert_eq!(records.len(), 1, "a request without a match is not relevant");
    let record = &records[0];
    assert!(reply.text().contains(record["unique_id"].as_str().unwrap()), "page and record share the id");
    assert_eq!(record["client_ip"], "127.0.0.1");
    assert_eq!(record["host_port"], audited.site.address.port());
    assert_eq!(record["request"]["uri"], "/login?q=%3Cscript");
    assert_eq!(record["request"]["body"], "user=e&password=*******");
    assert_eq!(record["request"]["headers"]["Host"], "shop.example");
    assert_eq!(record["response"]["http_code"], 403);
    assert_eq!(record["messages"][0]["details"]["data"], "<script");
}

#[tokio::test]
async fn the_native_format_and_rotation() {
    let audited = audited("Native", None).await;
    audited.site.send(POST).await;
    let text = audited.read(1, |line| line.ends_with("-Z--")).await;
    assert!(text.contains("\nPOST /login?q=%3Cscript HTTP/1.1\nHost: shop.example\n"), "{text}");
    assert!(
        text.contains("\nuser=e&password=*******\n")
            && text.contains("\nMessage: Access denied with code 403 (phase 2). ")
    );
    assert!(text.contains("\nAction: Intercepted (phase 2)\n") && text.contains("Sanitised-Args: \"password\"."));

    std::fs::rename(&audited.path, audited.path.with_extension("1")).unwrap();
    audited.site.audit.clone().unwrap().reopen();
    while !audited.path.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    audited.site.send(POST).await;
    audited.read(1, |line| line.ends_with("-Z--")).await;
}

#[tokio::test]
async fn a_response_and_what_the_front_end_refuses() {
    let upstream = Upstream::start().await;
    let audited = audited("JSON", Some(&upstream)).await;
    assert_eq!(audited.site.send("GET /?password=hunter22 HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    let bad = "GET /?password=hunter22 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(audited.site.send(bad).await.status, 400);
    let records = audited.records(2).await;
    assert_eq!(records[0]["response"]["headers"]["content-type"], "text/plain");
    assert_eq!(records[0]["messages"][0]["message"], "plain response");
    assert_eq!(records[1]["response"]["http_code"], 400);
    let line = audited.site.logged(&["Access denied with code 400"]).await;
    let text = std::fs::read_to_string(&audited.path).unwrap();
    assert!(!text.contains("hunter22") && !line.contains("hunter22"), "{line}");
    assert!(line.contains("/?password=********"), "{line}");
}

#[tokio::test]
async fn the_end_waits_for_the_log() {
    let mut audited = audited("JSON", None).await;
    for _ in 0..20 {
        audited.site.send(POST).await;
    }
    audited.site.shut_down();
    let Audited { site, path, _folder } = audited;
    site.ended().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 20);
}
