//! The native form: the sections of ModSecurity v2 between boundaries.

use super::data::{AuditBody, AuditRecord};
use super::text::{Controls, show};
use super::time::CivilTime;
use super::{Room, fit, form_body};
use crate::rule::{AuditPart, EngineMode};
use sha1::{Digest, Sha1};
use std::fmt::Write;

impl AuditRecord {
    /// Sections from `--boundary-A--` to `--boundary-Z--`, no longer than [`limit`](AuditRecord::limit). No line inside a section
    /// begins like a boundary. What was cut is named in section H.
    pub fn to_native(&self) -> String {
        fit(self, |room| self.sections(room))
    }

    fn sections(&self, room: Room) -> String {
        let mut writer = Writer { record: self, room, truncated: Vec::new() };
        let sections = writer.all();
        let boundary = boundary(&self.unique_id, &sections);
        let mut out = String::new();
        for (letter, text) in &sections {
            // An empty line ends every section but the first.
            let _ = write!(out, "--{boundary}-{letter}--\n{text}");
            if *letter != 'A' {
                out.push('\n');
            }
        }
        let _ = writeln!(out, "--{boundary}-Z--");
        out
    }
}

/// Hexadecimal digits with which no line of the sections begins. They follow from the transaction's id, which nobody outside
/// knows before the record is made; and should they be guessed all the same, others are taken.
fn boundary(id: &str, sections: &[(char, String)]) -> String {
    let mut attempt = 0u32;
    loop {
        let digest = Sha1::digest(format!("{attempt} {id}").as_bytes());
        let mut boundary = String::new();
        // Longer ones after some attempts: a record cannot hold as many.
        for byte in digest.iter().take(if attempt < 8 { 4 } else { 20 }) {
            let _ = write!(boundary, "{byte:02x}");
        }
        let start = format!("--{boundary}-");
        if !sections.iter().any(|(_, text)| text.contains(&start)) {
            return boundary;
        }
        attempt = attempt.wrapping_add(1);
    }
}

struct Writer<'r> {
    record: &'r AuditRecord,
    room: Room,
    truncated: Vec<&'static str>,
}

impl Writer<'_> {
    fn note(&mut self, what: &'static str) {
        if !self.truncated.contains(&what) {
            self.truncated.push(what);
        }
    }

    fn line(&mut self, bytes: &[u8], what: &'static str) -> String {
        let shown = show(bytes, Controls::None, self.room.text);
        if shown.cut {
            self.note(what);
        }
        shown.text
    }

    fn lines(&mut self, body: &AuditBody, what: &'static str) -> String {
        let shown = show(&body.bytes, Controls::Lines, self.room.body);
        if shown.cut || body.is_cut() {
            self.note(what);
        }
        let mut text = shown.text;
        text.push('\n');
        text
    }

    fn some<'a, T>(&mut self, all: &'a [T], what: &'static str) -> &'a [T] {
        match all.get(..self.room.items) {
            Some(some) if some.len() < all.len() => {
                self.note(what);
                some
            }
            _ => all,
        }
    }

    /// All sections but the last.
    fn all(&mut self) -> Vec<(char, String)> {
        let record = self.record;
        let mut sections = vec![('A', self.header())];
        let has = |part| record.parts.contains(part);
        if has(AuditPart::RequestHeaders) {
            sections.push(('B', self.request_headers()));
        }
        let body = record.request.body.as_ref();
        if let Some(body) = body.filter(|body| has(AuditPart::RequestBody) && body.length > 0) {
            sections.push(('C', self.lines(body, "request-body")));
        }
        if let Some(body) = record.response.body.as_ref().filter(|body| body.length > 0) {
            sections.push(('E', self.lines(body, "response-body")));
        }
        if has(AuditPart::ResponseHeaders) {
            sections.push(('F', self.response_headers()));
        }
        if has(AuditPart::RequestBodyWithoutFiles) {
            let form = record.request.form.as_ref().map(|form| form_body(form));
            let form = form.map(|bytes| AuditBody { length: bytes.len() as u64, bytes });
            if let Some(body) = form.as_ref().or(body).filter(|body| body.length > 0) {
                sections.push(('I', self.lines(body, "request-body")));
            }
        }
        if has(AuditPart::Files) && record.request.form.is_some() | !record.request.files.is_empty() {
            sections.push(('J', self.files()));
        }
        if has(AuditPart::Rules) {
            let mut text = String::new();
            for rule in self.some(&record.rules, "rules") {
                let mut names = match rule.trim_end().contains('\n') {
                    true => ["Chain Starter", "Chain node"].into_iter(),
                    false => ["Rule", ""].into_iter(),
                };
                let mut name = "";
                for link in rule.lines() {
                    name = names.next().unwrap_or(name);
                    let link = self.line(link.as_bytes(), "rules");
                    let _ = writeln!(text, "{name} [Match]: {link}");
                }
            }
            sections.push(('K', text));
        }
        // Last, because it names what was cut in the others; but it stands in its place.
        let place = sections.iter().position(|(letter, _)| *letter > 'H').unwrap_or(sections.len());
        if has(AuditPart::Trailer) {
            let text = self.trailer();
            sections.insert(place, ('H', text));
        } else if !self.truncated.is_empty() {
            let text = self.truncated();
            sections.insert(place, ('H', text));
        }
        sections
    }

    fn header(&mut self) -> String {
        let record = self.record;
        let time = CivilTime::from_micros(record.started);
        let id = self.line(record.unique_id.as_bytes(), "unique-id");
        let mut end = |end: &super::AuditEnd| {
            let address =
                if end.address.is_empty() { "-".to_owned() } else { self.line(end.address.as_bytes(), "address") };
            format!("{address} {}", end.port)
        };
        let (client, server) = (end(&record.client), end(&record.server));
        format!("[{time}] {id} {client} {server}\n")
    }

    fn request_headers(&mut self) -> String {
        let request = &self.record.request;
        let mut first = request.method.clone();
        first.push(b' ');
        first.extend_from_slice(&request.target);
        if !request.version.is_empty() {
            first.push(b' ');
            first.extend_from_slice(&request.version);
        }
        let first = self.line(&first, "request-line");
        let headers = self.headers(&request.headers, "request-headers");
        format!("{first}\n{headers}")
    }

    fn response_headers(&mut self) -> String {
        let response = &self.record.response;
        let version = match response.version.is_empty() {
            true => "HTTP/1.1".to_owned(),
            false => self.line(&response.version, "response-line"),
        };
        let headers = self.headers(&response.headers, "response-headers");
        format!("{version} {}\n{headers}", response.status)
    }

    fn headers(&mut self, headers: &[(Vec<u8>, Vec<u8>)], what: &'static str) -> String {
        let mut text = String::new();
        for (name, value) in self.some(headers, what) {
            let (name, value) = (self.line(name, what), self.line(value, what));
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }

    fn files(&mut self) -> String {
        let files = &self.record.request.files;
        let mut text = String::new();
        for (at, file) in self.some(files, "files").iter().enumerate() {
            let name = self.line(&file.name, "files");
            let content_type = match file.content_type.is_empty() {
                true => "<Unknown Content-Type>".to_owned(),
                false => self.line(&file.content_type, "files"),
            };
            let _ = writeln!(text, "#{} Filename: {name} - Size: {} - Content-Type: {content_type}", at + 1, file.size);
        }
        let _ = writeln!(text, "Total upload size: {}", files.iter().map(|file| file.size).sum::<u64>());
        text
    }

    fn trailer(&mut self) -> String {
        let record = self.record;
        let mut text = String::new();
        for message in self.some(&record.messages, "messages") {
            // An alert is one line of printable ASCII already.
            let alert = message.alert();
            let shown = alert.get(..self.room.text).unwrap_or(&alert);
            if shown.len() < alert.len() {
                self.note("messages");
            }
            let _ = writeln!(text, "Message: {shown}");
        }
        if let Some(interruption) = &record.interruption {
            let _ = writeln!(text, "Action: Intercepted (phase {})", interruption.phase.number());
        }
        let _ = writeln!(text, "Stopwatch: {} {} (- - -)", record.started, record.duration);
        if record.response.body.as_ref().is_some_and(|body| body.length > 0) {
            text.push_str("Response-Body-Transformed: Dechunked\n");
        }
        let mut producer = super::PRODUCER.to_owned();
        for component in self.some(&record.components, "components") {
            let component = self.line(component.as_bytes(), "components");
            let _ = write!(producer, "; {component}");
        }
        let _ = writeln!(text, "Producer: {producer}.");
        if let Some(signature) = &record.server_signature {
            let _ = writeln!(text, "Server: {}", self.line(signature.as_bytes(), "server"));
        }
        let names = &record.sanitised;
        for (header, names) in [
            ("Sanitised-Args", &names.args),
            ("Sanitised-Cookies", &names.cookies),
            ("Sanitised-Request-Headers", &names.request_headers),
            ("Sanitised-Response-Headers", &names.response_headers),
        ] {
            let names: Vec<_> = self.some(names, "sanitised").iter().map(|name| self.quoted(name)).collect();
            if !names.is_empty() {
                let _ = writeln!(text, "{header}: {}.", names.join(", "));
            }
        }
        if let Some(names) = &record.web_app {
            let names: Vec<_> = names.iter().map(|name| self.quoted(name.as_bytes())).collect();
            let _ = writeln!(text, "WebApp-Info: {}", names.join(" "));
        }
        let mode = match record.engine {
            EngineMode::On => "ENABLED",
            EngineMode::Off => "DISABLED",
            EngineMode::DetectionOnly => "DETECTION_ONLY",
        };
        let _ = writeln!(text, "Engine-Mode: \"{mode}\"");
        self.budget(&mut text);
        text.push_str(&self.truncated());
        text
    }

    fn quoted(&mut self, name: &[u8]) -> String {
        let name = self.line(name, "names").replace('"', "\\\"");
        format!("\"{name}\"")
    }

    fn budget(&mut self, text: &mut String) {
        let budget = &self.record.budget;
        let [p1, p2, p3, p4, p5] = budget.fuel_by_phase;
        let _ = write!(text, "Fusewall-Budget: fuel={}; p1={p1}, p2={p2}, p3={p3}, p4={p4}, p5={p5}", budget.fuel);
        let dearest: Vec<_> =
            self.some(&budget.dearest, "dearest-rules").iter().map(|(rule, fuel)| format!("{rule}={fuel}")).collect();
        if !dearest.is_empty() {
            let _ = write!(text, "; dearest {}", dearest.join(", "));
        }
        let _ = writeln!(text, "; generation={}", budget.generation);
        if let Some(exhausted) = &budget.exhausted {
            let rule = exhausted.rule.map_or_else(|| "-".to_owned(), |rule| rule.to_string());
            let policy = exhausted.policy.name();
            let phase = exhausted.phase.number();
            let _ = writeln!(
                text,
                "Fusewall-Exhausted: scope={}, phase={phase}, rule={rule}, policy={policy}",
                exhausted.scope
            );
        }
        let uninspected = self.some(&budget.uninspected, "uninspected");
        if !uninspected.is_empty() {
            let _ = writeln!(text, "Fusewall-Uninspected: {}", uninspected.join(", "));
        }
    }

    fn truncated(&self) -> String {
        match self.truncated.is_empty() {
            true => String::new(),
            false => format!("Fusewall-Truncated: {}\n", self.truncated.join(", ")),
        }
    }
}
