//! The JSON form: the layout of ModSecurity v3, and members of our own behind it.

use super::data::{AuditBody, AuditRecord};
use super::text::{Controls, show, unescaped};
use super::time::CivilTime;
use super::{fit, form_body};
use crate::engine::record::MatchRecord;
use crate::rule::{AuditPart, EngineMode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::cell::RefCell;

impl AuditRecord {
    /// One line of JSON without its end, no longer than [`limit`](AuditRecord::limit). What was cut for that is named in
    /// `transaction.truncated`.
    pub fn to_json(&self) -> String {
        fit(self, |room| {
            let writer = Writer::new(self, room);
            // Maps with text keys, texts and numbers: nothing that could fail.
            serde_json::to_string(&Line { transaction: writer.transaction() }).unwrap_or_default()
        })
    }
}

#[derive(serde::Serialize)]
struct Line {
    transaction: Transaction,
}

#[derive(serde::Serialize)]
struct Transaction {
    client_ip: String,
    time_stamp: String,
    server_id: String,
    client_port: u16,
    host_ip: String,
    host_port: u16,
    unique_id: String,
    request: Request,
    response: Response,
    #[serde(flatten)]
    trailer: Option<Trailer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sanitised: Option<Sanitised>,
    budget: Budget,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<&'static str>,
}

#[derive(serde::Serialize)]
struct Request {
    method: String,
    http_version: Version,
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<File>>,
}

#[derive(serde::Serialize)]
struct Response {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    http_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
}

#[derive(serde::Serialize)]
struct Trailer {
    producer: Producer,
    messages: Vec<Message>,
}

#[derive(serde::Serialize)]
struct Producer {
    modsecurity: &'static str,
    connector: String,
    secrules_engine: &'static str,
    components: Vec<String>,
}

#[derive(serde::Serialize)]
pub(super) struct Message {
    message: String,
    details: Details,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(rename = "match")]
    matched: String,
    reference: &'static str,
    rule_id: String,
    file: String,
    line_number: String,
    data: String,
    severity: String,
    ver: String,
    rev: String,
    tags: Vec<String>,
    maturity: String,
    accuracy: String,
}

#[derive(serde::Serialize)]
pub(super) struct File {
    name: String,
    filename: String,
    size: u64,
    content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

#[derive(serde::Serialize)]
pub(super) struct Sanitised {
    args: Vec<String>,
    cookies: Vec<String>,
    request_headers: Vec<String>,
    response_headers: Vec<String>,
}

#[derive(serde::Serialize)]
pub(super) struct Budget {
    fuel: u64,
    fuel_by_phase: [u64; 5],
    dearest_rules: Vec<Spent>,
    exhausted: Option<Exhausted>,
    generation: u64,
    uninspected: Vec<&'static str>,
}

#[derive(serde::Serialize)]
struct Spent {
    rule: u64,
    fuel: u64,
}

#[derive(serde::Serialize)]
struct Exhausted {
    scope: String,
    phase: u8,
    rule: Option<u64>,
    policy: &'static str,
}

/// `1.1` as v3 writes it; a version that is no number stays a text.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Version {
    Number(f64),
    Text(String),
}

/// A map in order.
struct Headers(Vec<(String, String)>);

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Makes one line, with so much room.
pub(super) struct Writer<'r> {
    pub(super) record: &'r AuditRecord,
    room: super::Room,
    truncated: RefCell<Vec<&'static str>>,
}

impl<'r> Writer<'r> {
    pub(super) fn new(record: &'r AuditRecord, room: super::Room) -> Self {
        Writer { record, room, truncated: RefCell::default() }
    }

    /// The members that were cut so far.
    pub(super) fn truncated(&self) -> Vec<&'static str> {
        self.truncated.borrow().clone()
    }

    fn note(&self, what: &'static str) {
        let mut truncated = self.truncated.borrow_mut();
        if !truncated.contains(&what) {
            truncated.push(what);
        }
    }

    pub(super) fn text(&self, bytes: &[u8], what: &'static str) -> String {
        let shown = show(bytes, Controls::Keep, self.room.text);
        if shown.cut {
            self.note(what);
        }
        shown.text
    }

    pub(super) fn body(&self, body: &AuditBody, what: &'static str) -> String {
        let shown = show(&body.bytes, Controls::Keep, self.room.body);
        if shown.cut || body.is_cut() {
            self.note(what);
        }
        shown.text
    }

    /// As many as there is room for.
    pub(super) fn some<'a, T>(&self, all: &'a [T], what: &'static str) -> &'a [T] {
        all.get(..self.room.items).map_or(all, |some| {
            if some.len() < all.len() {
                self.note(what);
            }
            some
        })
    }

    fn list(&self, all: &[Vec<u8>], what: &'static str) -> Vec<String> {
        self.some(all, what).iter().map(|name| self.text(name, what)).collect()
    }

    /// Repeated headers are one, their values joined by commas, as v2 and RFC 9110 have it.
    fn headers(&self, headers: &[(Vec<u8>, Vec<u8>)], what: &'static str) -> Headers {
        let mut map: Vec<(String, String)> = Vec::new();
        let mut places = std::collections::BTreeMap::new();
        for (name, value) in self.some(headers, what) {
            let (name, value) = (self.text(name, what), self.text(value, what));
            match places.get(&name.to_ascii_lowercase()).and_then(|at: &usize| map.get_mut(*at)) {
                Some((_, joined)) => {
                    joined.push_str(", ");
                    joined.push_str(&value);
                }
                None => {
                    places.insert(name.to_ascii_lowercase(), map.len());
                    map.push((name, value));
                }
            }
        }
        Headers(map)
    }

    fn transaction(&self) -> Transaction {
        let record = self.record;
        let has = |part| record.parts.contains(part);
        let text = |text: &str, what| self.text(text.as_bytes(), what);
        let mut transaction = Transaction {
            client_ip: text(&record.client.address, "client_ip"),
            time_stamp: CivilTime::from_micros(record.started).ascii(),
            server_id: text(&record.server_id, "server_id"),
            client_port: record.client.port,
            host_ip: text(&record.server.address, "host_ip"),
            host_port: record.server.port,
            unique_id: text(&record.unique_id, "unique_id"),
            request: self.request(),
            response: self.response(),
            trailer: has(AuditPart::Trailer).then(|| self.trailer()),
            rules: has(AuditPart::Rules)
                .then(|| self.some(&record.rules, "rules").iter().map(|rule| text(rule, "rules")).collect()),
            sanitised: self.sanitised(),
            budget: self.budget(),
            truncated: Vec::new(),
        };
        transaction.truncated = self.truncated();
        transaction
    }

    /// The names of hidden values, if there are any.
    pub(super) fn sanitised(&self) -> Option<Sanitised> {
        let names = &self.record.sanitised;
        let all = [&names.args, &names.cookies, &names.request_headers, &names.response_headers];
        if all.iter().all(|names| names.is_empty()) {
            return None;
        }
        let [args, cookies, request_headers, response_headers] = all.map(|names| self.list(names, "sanitised"));
        Some(Sanitised { args, cookies, request_headers, response_headers })
    }

    fn request(&self) -> Request {
        let request = &self.record.request;
        let has = |part| self.record.parts.contains(part);
        let number =
            request.version.strip_prefix(b"HTTP/").unwrap_or(if request.version.is_empty() { b"0.9" } else { b"" });
        let is_number = matches!(number, [b'0'..=b'9'] | [b'0'..=b'9', b'.', b'0'..=b'9']);
        let number = std::str::from_utf8(number).ok().filter(|_| is_number).and_then(|number| number.parse().ok());
        Request {
            method: if request.method.is_empty() {
                "-".to_owned()
            } else {
                self.text(&request.method, "request.method")
            },
            http_version: match number {
                Some(number) => Version::Number(number),
                None => Version::Text(self.text(&request.version, "request.http_version")),
            },
            uri: self.text(&request.target, "request.uri"),
            body: self.request_body(),
            headers: has(AuditPart::RequestHeaders).then(|| self.headers(&request.headers, "request.headers")),
            files: self.files(),
        }
    }

    /// The request body, or its form fields as one, if a part asks for it.
    pub(super) fn request_body(&self) -> Option<String> {
        let request = &self.record.request;
        match (&request.body, &request.form) {
            (Some(body), _) if self.record.parts.contains(AuditPart::RequestBody) => {
                Some(self.body(body, "request.body"))
            }
            (_, Some(form)) => {
                let bytes = form_body(form);
                let length = bytes.len() as u64;
                Some(self.body(&AuditBody { bytes, length }, "request.body"))
            }
            (body, None) => body.as_ref().map(|body| self.body(body, "request.body")),
        }
    }

    /// Uploaded files, if part J asks for them.
    pub(super) fn files(&self) -> Option<Vec<File>> {
        let file = |file: &super::AuditFile| File {
            name: self.text(&file.field, "request.files"),
            filename: self.text(&file.name, "request.files"),
            size: file.size,
            content_type: self.text(&file.content_type, "request.files"),
            path: file.path.as_ref().map(|path| self.text(path.as_bytes(), "request.files")),
        };
        let files = self.record.parts.contains(AuditPart::Files);
        files.then(|| self.some(&self.record.request.files, "request.files").iter().map(file).collect())
    }

    fn response(&self) -> Response {
        let response = &self.record.response;
        let has = |part| self.record.parts.contains(part);
        Response {
            body: response.body.as_ref().map(|body| self.body(body, "response.body")),
            http_code: response.status,
            headers: has(AuditPart::ResponseHeaders).then(|| self.headers(&response.headers, "response.headers")),
        }
    }

    /// How the engine was set, in the words of version 3.
    pub(super) fn engine(&self) -> &'static str {
        match self.record.engine {
            EngineMode::On => "Enabled",
            EngineMode::Off => "Disabled",
            EngineMode::DetectionOnly => "DetectionOnly",
        }
    }

    fn trailer(&self) -> Trailer {
        let components = self.some(&self.record.components, "producer.components").iter();
        Trailer {
            producer: Producer {
                modsecurity: super::PRODUCER,
                connector: self.text(self.record.connector.as_bytes(), "producer.connector"),
                secrules_engine: self.engine(),
                components: components.map(|name| self.text(name.as_bytes(), "producer.components")).collect(),
            },
            messages: self.some(&self.record.messages, "messages").iter().map(|record| self.message(record)).collect(),
        }
    }

    pub(super) fn message(&self, record: &MatchRecord) -> Message {
        let text = |text: &str| self.text(&unescaped(text), "messages");
        let plain = |text: &str| self.text(text.as_bytes(), "messages");
        let number = |number: Option<u8>| number.unwrap_or(0).to_string();
        Message {
            message: text(&record.message),
            details: Details {
                matched: text(&record.matched),
                reference: "",
                rule_id: record.rule.to_string(),
                file: plain(&record.file),
                line_number: record.line.to_string(),
                data: text(&record.data),
                severity: record.severity.map_or_else(String::new, |severity| severity.0.to_string()),
                ver: plain(record.version.as_deref().unwrap_or_default()),
                rev: plain(record.revision.as_deref().unwrap_or_default()),
                tags: self.some(&record.tags, "messages").iter().map(|tag| text(tag)).collect(),
                maturity: number(record.maturity),
                accuracy: number(record.accuracy),
            },
        }
    }

    pub(super) fn budget(&self) -> Budget {
        let budget = &self.record.budget;
        Budget {
            fuel: budget.fuel,
            fuel_by_phase: budget.fuel_by_phase,
            dearest_rules: self
                .some(&budget.dearest, "budget.dearest_rules")
                .iter()
                .map(|(rule, fuel)| Spent { rule: rule.0, fuel: *fuel })
                .collect(),
            exhausted: budget.exhausted.map(|exhausted| Exhausted {
                scope: exhausted.scope.to_string(),
                phase: exhausted.phase.number(),
                rule: exhausted.rule.map(|rule| rule.0),
                policy: exhausted.policy.name(),
            }),
            generation: budget.generation,
            uninspected: self.some(&budget.uninspected, "budget.uninspected").to_vec(),
        }
    }
}
