//! The form of the Open Cybersecurity Schema Framework, version 1.5.0: an event of the class HTTP Activity (4002) with the profile
//! Security Control, which is how the schema models an alert that belongs to one request. What the schema has no member for
//! stands in `unmapped`. Source: <https://schema.ocsf.io/1.5.0/classes/http_activity?profiles=security_control>.

use super::data::AuditRecord;
use super::fit;
use super::json::{Budget, File, Message, Sanitised, Writer};
use super::text::unescaped;
use crate::engine::record::MatchRecord;
use crate::engine::verdict::{Interruption, InterruptionAction, Reason};
use crate::rule::AuditPart;
use serde::Serialize;

/// The schema's version.
const SCHEMA: &str = "1.5.0";
/// The class HTTP Activity in the category Network Activity.
const CLASS: (u64, &str) = (4002, "HTTP Activity");
const CATEGORY: (u64, &str) = (4, "Network Activity");
/// Activities of the class by method; anything else is 99, Other.
const ACTIVITIES: [(&[u8], u64, &str); 9] = [
    (b"CONNECT", 1, "Connect"),
    (b"DELETE", 2, "Delete"),
    (b"GET", 3, "Get"),
    (b"HEAD", 4, "Head"),
    (b"OPTIONS", 5, "Options"),
    (b"POST", 6, "Post"),
    (b"PUT", 7, "Put"),
    (b"TRACE", 8, "Trace"),
    (b"PATCH", 9, "Patch"),
];

impl AuditRecord {
    /// One line of JSON without its end, no longer than [`limit`](AuditRecord::limit): an event of OCSF 1.5.0, class HTTP Activity,
    /// profile Security Control. What was cut is named in `unmapped.truncated`.
    pub fn to_ocsf(&self) -> String {
        fit(self, |room| {
            let writer = Writer::new(self, room);
            // Texts, numbers and lists: nothing that could fail.
            serde_json::to_string(&event(&writer)).unwrap_or_default()
        })
    }
}

#[derive(Serialize)]
struct Event {
    activity_id: u64,
    activity_name: String,
    category_uid: u64,
    category_name: &'static str,
    class_uid: u64,
    class_name: &'static str,
    type_uid: u64,
    type_name: String,
    /// Milliseconds since 1970, as `duration`.
    time: u64,
    duration: u64,
    timezone_offset: i32,
    severity_id: u8,
    severity: &'static str,
    status_id: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    action_id: u8,
    action: &'static str,
    disposition_id: u8,
    disposition: &'static str,
    is_alert: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    metadata: Metadata,
    src_endpoint: Endpoint,
    dst_endpoint: Endpoint,
    http_request: HttpRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firewall_rule: Option<FirewallRule>,
    unmapped: Unmapped,
}

#[derive(Serialize)]
struct Metadata {
    version: &'static str,
    product: Product,
    profiles: [&'static str; 1],
    uid: String,
    log_name: &'static str,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    ip: String,
    port: u16,
}

#[derive(Serialize)]
struct HttpRequest {
    uid: String,
    http_method: String,
    version: String,
    url: Url,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    x_forwarded_for: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<Vec<Header>>,
}

#[derive(Serialize)]
struct Url {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string: Option<String>,
}

#[derive(Serialize)]
struct HttpResponse {
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<Vec<Header>>,
}

#[derive(Serialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct FirewallRule {
    uid: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    condition: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    match_location: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_details: Vec<String>,
}

/// What the schema has no member for, named as in our other JSON form.
#[derive(Serialize)]
struct Unmapped {
    server_id: String,
    secrules_engine: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<File>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sanitised: Option<Sanitised>,
    budget: Budget,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<&'static str>,
}

fn event(writer: &Writer<'_>) -> Event {
    let record = writer.record;
    let known = ACTIVITIES.iter().find(|(method, _, _)| *method == record.request.method);
    let (activity_id, activity_name) = match known {
        Some((_, id, name)) => (*id, (*name).to_owned()),
        None => (99, writer.text(&record.request.method, "http_request.http_method")),
    };
    let (severity_id, severity) = severity(record);
    let (status_id, status) = match record.response.status {
        0 => (0, "Unknown"),
        1..400 => (1, "Success"),
        _ => (2, "Failure"),
    };
    let (action_id, action) = if record.interruption.is_some() { (2, "Denied") } else { (1, "Allowed") };
    let (disposition_id, disposition) = disposition(record);
    let decisive = decisive(record).filter(|_| record.parts.contains(AuditPart::Trailer));
    let mut event = Event {
        activity_id,
        type_uid: CLASS.0 * 100 + activity_id,
        type_name: format!("{}: {}", CLASS.1, if activity_id == 99 { "Other" } else { &activity_name }),
        activity_name,
        category_uid: CATEGORY.0,
        category_name: CATEGORY.1,
        class_uid: CLASS.0,
        class_name: CLASS.1,
        time: record.started / 1000,
        duration: record.duration / 1000,
        timezone_offset: 0,
        severity_id,
        severity,
        status_id,
        status,
        status_code: (record.response.status != 0).then(|| record.response.status.to_string()),
        action_id,
        action,
        disposition_id,
        disposition,
        is_alert: record.interruption.is_some() || !record.messages.is_empty(),
        message: message(writer, decisive),
        metadata: Metadata {
            version: SCHEMA,
            product: Product { name: "Fusewall", vendor_name: "Fusewall", version: env!("CARGO_PKG_VERSION") },
            profiles: ["security_control"],
            uid: writer.text(record.unique_id.as_bytes(), "metadata.uid"),
            log_name: "audit",
        },
        src_endpoint: Endpoint {
            hostname: None,
            ip: writer.text(record.client.address.as_bytes(), "src_endpoint.ip"),
            port: record.client.port,
        },
        dst_endpoint: Endpoint {
            hostname: host(writer, "dst_endpoint.hostname"),
            ip: writer.text(record.server.address.as_bytes(), "dst_endpoint.ip"),
            port: record.server.port,
        },
        http_request: request(writer),
        http_response: response(writer),
        firewall_rule: decisive.map(|rule| firewall_rule(writer, rule)),
        unmapped: unmapped(writer),
    };
    event.unmapped.truncated = writer.truncated();
    event
}

/// The worst severity of all matches, from ModSecurity's 0 to 7 to the schema's names. A refusal without one is medium.
fn severity(record: &AuditRecord) -> (u8, &'static str) {
    let worst = record.messages.iter().filter_map(|record| record.severity).map(|severity| severity.0).min();
    match (worst, &record.interruption) {
        (Some(0), _) => (6, "Fatal"),
        (Some(1 | 2), _) => (5, "Critical"),
        (Some(3), _) => (4, "High"),
        (Some(4), _) | (None, Some(_)) => (3, "Medium"),
        (Some(5), _) => (2, "Low"),
        _ => (1, "Informational"),
    }
}

fn disposition(record: &AuditRecord) -> (u8, &'static str) {
    match &record.interruption {
        Some(Interruption { reason: Reason::InternalError, .. }) => (27, "Error"),
        Some(Interruption { action: InterruptionAction::Drop, .. }) => (6, "Dropped"),
        Some(_) => (2, "Blocked"),
        None if !record.messages.is_empty() => (15, "Detected"),
        None => (1, "Allowed"),
    }
}

/// The rule that ended the exchange, or else the first of the worst that matched.
fn decisive(record: &AuditRecord) -> Option<&MatchRecord> {
    let ended = match record.interruption.as_ref().map(|ended| ended.reason) {
        Some(Reason::Rule(id)) => record.messages.iter().rfind(|message| message.rule == id),
        _ => None,
    };
    let severity = |message: &&MatchRecord| message.severity.map_or(u8::MAX, |severity| severity.0);
    ended.or_else(|| record.messages.iter().min_by_key(severity))
}

fn message(writer: &Writer<'_>, decisive: Option<&MatchRecord>) -> Option<String> {
    let own = match writer.record.interruption.as_ref()?.reason {
        Reason::Rule(_) => None,
        Reason::Budget(scope) => Some(format!("A budget is spent: {scope}.")),
        Reason::BodyLimit => Some("The body is longer than its limit.".to_owned()),
        Reason::HeaderLimit => Some("There are more header fields than the limit admits.".to_owned()),
        Reason::InternalError => Some("The engine failed.".to_owned()),
    };
    own.or_else(|| decisive.map(|rule| writer.text(&unescaped(&rule.message), "message")))
}

/// The host that the request names, without its port.
fn host(writer: &Writer<'_>, what: &'static str) -> Option<String> {
    let host = &writer.record.request.host;
    (!host.is_empty()).then(|| writer.text(host, what))
}

fn request(writer: &Writer<'_>) -> HttpRequest {
    let request = &writer.record.request;
    let text = |bytes: &[u8], what| writer.text(bytes, what);
    let named = |name: &'static str| {
        let named = request.headers.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| value.as_slice())
    };
    let has_headers = writer.record.parts.contains(AuditPart::RequestHeaders);
    let one = |name, what| named(name).next().filter(|_| has_headers).map(|value| text(value, what));
    let mut halves = request.target.splitn(2, |byte| *byte == b'?');
    let (path, query) = (halves.next().unwrap_or_default(), halves.next());
    let hops = named("x-forwarded-for").flat_map(|value| value.split(|byte| *byte == b',')).filter(|_| has_headers);
    let hops: Vec<_> = hops.map(<[u8]>::trim_ascii).collect();
    let hops = writer.some(&hops, "http_request.x_forwarded_for").iter();
    HttpRequest {
        uid: text(writer.record.unique_id.as_bytes(), "http_request.uid"),
        http_method: text(&request.method, "http_request.http_method"),
        version: text(request.version.strip_prefix(b"HTTP/").unwrap_or(&request.version), "http_request.version"),
        url: Url {
            hostname: host(writer, "http_request.url"),
            path: text(path, "http_request.url"),
            query_string: query.map(|query| text(query, "http_request.url")),
        },
        user_agent: one("user-agent", "http_request.user_agent"),
        referrer: one("referer", "http_request.referrer"),
        x_forwarded_for: hops.map(|hop| text(hop, "http_request.x_forwarded_for")).collect(),
        body_length: request.body.as_ref().map(|body| body.length),
        http_headers: has_headers.then(|| headers(writer, &request.headers, "http_request.http_headers")),
    }
}

/// None if the client got no answer: the schema wants a status in it.
fn response(writer: &Writer<'_>) -> Option<HttpResponse> {
    let response = &writer.record.response;
    let has_headers = writer.record.parts.contains(AuditPart::ResponseHeaders);
    (response.status != 0).then(|| HttpResponse {
        code: response.status,
        body_length: response.body.as_ref().map(|body| body.length),
        http_headers: has_headers.then(|| headers(writer, &response.headers, "http_response.http_headers")),
    })
}

fn headers(writer: &Writer<'_>, headers: &[(Vec<u8>, Vec<u8>)], what: &'static str) -> Vec<Header> {
    let header =
        |(name, value): &(Vec<u8>, Vec<u8>)| Header { name: writer.text(name, what), value: writer.text(value, what) };
    writer.some(headers, what).iter().map(header).collect()
}

fn firewall_rule(writer: &Writer<'_>, rule: &MatchRecord) -> FirewallRule {
    let text = |text: &str| writer.text(&unescaped(text), "firewall_rule");
    FirewallRule {
        uid: rule.rule.to_string(),
        name: text(&rule.message),
        kind: "SecLang",
        version: text(rule.version.as_deref().unwrap_or_default()),
        condition: text(&rule.matched),
        match_location: text(&rule.variable),
        match_details: Some(text(&rule.data)).filter(|data| !data.is_empty()).into_iter().collect(),
    }
}

fn unmapped(writer: &Writer<'_>) -> Unmapped {
    let record = writer.record;
    let has = |part| record.parts.contains(part);
    let rules = || writer.some(&record.rules, "rules").iter().map(|rule| writer.text(rule.as_bytes(), "rules"));
    Unmapped {
        server_id: writer.text(record.server_id.as_bytes(), "server_id"),
        secrules_engine: writer.engine(),
        messages: has(AuditPart::Trailer)
            .then(|| writer.some(&record.messages, "messages").iter().map(|record| writer.message(record)).collect()),
        request_body: writer.request_body(),
        response_body: record.response.body.as_ref().map(|body| writer.body(body, "response.body")),
        files: writer.files(),
        rules: has(AuditPart::Rules).then(|| rules().collect()),
        sanitised: writer.sanitised(),
        budget: writer.budget(),
        truncated: Vec::new(),
    }
}
