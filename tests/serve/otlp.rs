//! Refused requests for an OpenTelemetry collector, which is one of the test's own here.

use crate::site::{Client, Site, header};
use fusewall::Waf;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const RULES: &str = r#"
SecRuleEngine On
SecRule ARGS:q "@contains <script" "id:1,phase:1,deny,status:403,msg:'script'"
SecAction "id:9,phase:5,pass,nolog,sanitiseArg:password"
"#;

/// A collector that answers as it is told, the last answer again and again.
struct Collector {
    endpoint: String,
    received: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    async fn start(answers: &'static [&'static str]) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(collect(Client::new(stream), Arc::clone(&all), answers));
            }
        });
        Collector { endpoint, received }
    }

    fn received(&self) -> Vec<(String, Value)> {
        self.received.lock().unwrap().clone()
    }

    async fn site(&self, queue_records: usize) -> Site {
        let waf = Waf::builder().rules_text("otlp.conf", RULES).build().unwrap();
        let endpoint = self.endpoint.clone();
        Site::start_with(waf, None, move |config| {
            config.otlp.endpoint = Some(endpoint);
            config.otlp.headers = vec![("x-key".parse().unwrap(), "secret".parse().unwrap())];
            config.otlp.queue_records = queue_records;
        })
        .await
    }
}

async fn collect(
    mut client: Client,
    received: Arc<Mutex<Vec<(String, Value)>>>,
    answers: &'static [&'static str],
) -> Option<()> {
    loop {
        let head = String::from_utf8(client.until(b"\r\n\r\n").await).unwrap();
        let body = client.take(header(&head, "content-length")?.parse().ok()?).await;
        let answer = {
            let mut received = received.lock().unwrap();
            received.push((head, serde_json::from_slice(&body).expect("JSON")));
            answers[(received.len() - 1).min(answers.len() - 1)]
        };
        client.try_write(format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}")).await.ok()?;
    }
}

/// All log records that were received.
fn records(received: &[(String, Value)]) -> Vec<Value> {
    let requests = received.iter().map(|(_, body)| &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]);
    requests.flat_map(|records| records.as_array().unwrap().clone()).collect()
}

fn attribute<'r>(record: &'r Value, key: &str) -> &'r Value {
    let attributes = record["attributes"].as_array().unwrap();
    attributes.iter().find(|one| one["key"] == key).map_or(&Value::Null, |one| &one["value"])
}

#[tokio::test]
async fn a_refused_request_is_told_with_its_trace_and_without_what_rules_hide() {
    let collector = Collector::start(&["200 OK"]).await;
    let site = collector.site(100).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let evil = format!(
        "GET /a?q=<script&password=hunter22 HTTP/1.1\r\nHost: shop.example\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n"
    );
    assert_eq!(site.send("GET /?q=1 HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    assert_eq!(site.send(evil).await.status, 403);
    let bad = "GET /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(site.send(bad).await.status, 400);
    site.counts("fusewall_otlp_records_total{outcome=\"sent\"} 2").await;
    let received = collector.received();
    let (head, body) = &received[0];
    assert!(head.starts_with("POST /v1/logs HTTP/1.1\r\n"), "{head}");
    assert_eq!((header(head, "content-type"), header(head, "x-key")), (Some("application/json"), Some("secret")));
    assert_eq!(
        body["resourceLogs"][0]["resource"]["attributes"][0],
        json!({"key": "service.name", "value": {"stringValue": "fusewall"}})
    );
    let records = records(&received);
    assert_eq!(records.len(), 2, "nothing is told of what passes");
    let record = &records[0];
    assert_eq!((&record["traceId"], &record["spanId"]), (&json!(trace), &json!("00f067aa0ba902b7")));
    assert_eq!((&record["severityNumber"], &record["body"]), (&json!(13), &json!({"stringValue": "script"})));
    assert!(record["timeUnixNano"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
    for (key, value) in [
        ("fusewall.rule.id", json!({"intValue": "1"})),
        ("fusewall.action", json!({"stringValue": "deny"})),
        ("http.response.status_code", json!({"intValue": "403"})),
        ("http.request.method", json!({"stringValue": "GET"})),
        ("server.address", json!({"stringValue": "shop.example"})),
        ("client.address", json!({"stringValue": "127.0.0.1"})),
        ("url.path", json!({"stringValue": "/a"})),
        ("url.query", json!({"stringValue": "q=<script&password=********"})),
    ] {
        assert_eq!(attribute(record, key), &value, "{key}");
    }
    let id = attribute(record, "fusewall.id")["stringValue"].as_str().unwrap();
    site.logged(&["Access denied with code 403", &format!("[unique_id \"{id}\"]")]).await;
    assert_eq!(attribute(&records[1], "http.response.status_code"), &json!({"intValue": "400"}));
    assert!(records[1]["traceId"].is_null());
}

#[tokio::test]
async fn what_the_collector_does_not_take_now_it_gets_again() {
    let collector = Collector::start(&["503 Later\r\nRetry-After: 0", "429 Slow\r\nRetry-After: 0", "200 OK"]).await;
    let site = collector.site(100).await;
    assert_eq!(site.send("GET /?q=<script HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 403);
    site.counts("fusewall_otlp_records_total{outcome=\"sent\"} 1").await;
    let received = collector.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|(_, body)| *body == received[0].1));
}

#[tokio::test]
async fn a_collector_that_refuses_costs_records_and_a_line() {
    let collector = Collector::start(&["400 Bad Request"]).await;
    let site = collector.site(100).await;
    assert_eq!(site.send("GET /?q=<script HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 403);
    site.counts("fusewall_otlp_records_total{outcome=\"failed\"} 1").await;
    site.logged(&["OTLP: records are lost", "400"]).await;
    assert_eq!(collector.received().len(), 1, "it is not asked again");
}

#[tokio::test]
async fn no_request_waits_for_a_collector_that_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let collector = Collector { endpoint, received: Arc::default() };
    let site = collector.site(1).await;
    let evil = "GET /?q=<script HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = site.connect().await;
    for _ in 0..600 {
        client.write(evil).await;
        assert_eq!(client.reply().await.status, 403);
    }
    let metrics = site.metrics();
    let dropped =
        metrics.lines().find_map(|line| line.strip_prefix("fusewall_otlp_records_total{outcome=\"over_queue\"} "));
    // A batch is under way and one record waits: the rest found no room.
    assert!(dropped.unwrap().parse::<u64>().unwrap() >= 1, "{metrics}");
}

#[test]
fn a_wrong_endpoint_or_header_is_an_error_that_does_not_repeat_secrets() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut config =
        fusewall::host::serve::Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Default::default() };
    config.otlp.endpoint = Some("ftp://x".to_owned());
    let log = fusewall::host::serve::ErrorLog::to(|_| {});
    let waf = Waf::builder().build().unwrap();
    let server = runtime.block_on(fusewall::host::serve::Server::bind(config, waf, log));
    assert!(server.err().expect("an error").to_string().contains("`otlp.endpoint` \"ftp://x\": expected http"));
    let wrong = fusewall::host::serve::config::parse("a.toml", "[otlp]\nheaders = ['hunter2']\n").unwrap_err();
    let told: String = wrong.iter().map(ToString::to_string).collect();
    assert!(told.contains("otlp.headers") && !told.contains("hunter2"), "{told}");
}
