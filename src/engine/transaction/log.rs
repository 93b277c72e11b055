//! What the host writes down: error-log lines and the audit record, free of what rules hide.

use super::Transaction;
use crate::engine::audit::{
    AuditBody, AuditBudget, AuditEnd, AuditFile, AuditRecord, AuditRequest, AuditResponse, SanitisedNames,
};
use crate::engine::memory::Slice;
use crate::engine::record::MatchRecord;
use crate::engine::sanitise::{Mask, Place};
use crate::engine::verdict::{InterruptionAction, Reason};
use crate::http::Kind;
use crate::program::{Program, Step};
use crate::rule::{AuditEngine, AuditPart, BodyProcessor, EngineMode, KeepFiles, Variable};

/// Rules that a record names as the dearest.
const DEAREST: usize = 5;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

impl Transaction {
    /// Whether the transaction belongs into the audit log, given the status that the client got: as `SecAuditEngine` and
    /// `ctl:auditEngine` say. Relevant are transactions with a match of a rule with `auditlog`, with a relevant status, and
    /// those that the engine itself ended or did not get through. Never if the rule engine is off.
    pub fn is_relevant(&self, status: u16) -> bool {
        match self.scratch.state.audit {
            _ if self.scratch.state.mode == EngineMode::Off => false,
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => self.stands_out(status),
        }
    }

    /// Whether a match, the engine itself or the status makes the transaction relevant.
    fn stands_out(&self, status: u16) -> bool {
        let state = &self.scratch.state;
        let statuses = self.loaded.program().ruleset.settings.audit.relevant_status.as_deref();
        let own = state.interruption.as_ref().is_some_and(|ended| !matches!(ended.reason, Reason::Rule(_)));
        let relevant = state.relevant || own || state.exhausted.is_some();
        relevant || statuses.is_some_and(|list| list.contains(&status))
    }

    /// Whether stored files stay, given the status that the client got. What is relevant does not depend on `SecAuditEngine`.
    pub(super) fn keeps_uploads(&self, status: u16) -> bool {
        match self.loaded.program().ruleset.settings.uploads.keep {
            KeepFiles::Off => false,
            KeepFiles::On => true,
            KeepFiles::RelevantOnly => self.stands_out(status),
        }
    }

    /// The status that the client got, as far as the engine knows; 0 if it does not.
    pub(super) fn last_status(&self) -> u16 {
        let own = self.scratch.state.interruption.as_ref().map(|ended| ended.status);
        own.unwrap_or_else(|| self.string(Variable::ResponseStatus).parse().unwrap_or(0))
    }

    /// The audit record, given the status that the client got (0 if none); `None` if the transaction does not belong into the
    /// audit log. To be asked for after phase 5. Not metered: the work is bounded by `Limits::audit_record_bytes`.
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        if !self.is_relevant(status) {
            return None;
        }
        let mask = self.mask();
        let state = &self.scratch.state;
        let settings = &self.loaded.program().ruleset.settings;
        let messages: Vec<_> = self.scratch.records.iter().map(|record| hidden(mask.as_ref(), record)).collect();
        let end =
            |address, port| AuditEnd { address: self.string(address), port: self.string(port).parse().unwrap_or(0) };
        let server = end(Variable::ServerAddr, Variable::ServerPort);
        let server_id = match settings.sensor_id.as_deref() {
            Some(id) => id.to_owned(),
            None if server.address.is_empty() => String::new(),
            None => format!("{}:{}", server.address, server.port),
        };
        let names = |place| mask.iter().flat_map(|mask| mask.covered(place)).map(<[u8]>::to_vec).collect();
        Some(AuditRecord {
            unique_id: state.unique_id.clone(),
            server_id,
            started: state.started,
            duration: self.scratch.now().saturating_sub(state.started),
            client: end(Variable::RemoteAddr, Variable::RemotePort),
            server,
            parts: state.audit_parts,
            request: self.audit_request(status, mask.as_ref()),
            response: self.audit_response(status, mask.as_ref()),
            engine: state.mode,
            components: settings.component_signatures.iter().map(|name| name.to_string()).collect(),
            connector: String::new(),
            server_signature: settings.server_signature.as_deref().map(str::to_owned),
            web_app: self.web_app(mask.as_ref()),
            rules: self.rule_texts(&messages),
            messages,
            interruption: state.interruption.clone().map(|mut ended| {
                if let InterruptionAction::Redirect(url) = &mut ended.action {
                    *url = covered(mask.as_ref(), url);
                }
                ended
            }),
            budget: AuditBudget {
                fuel: self.meter.spent(),
                fuel_by_phase: self.fuel_by_phase,
                dearest: self.dearest_rules(DEAREST),
                exhausted: state.exhausted,
                generation: self.generation,
                uninspected: self.scratch.flags.uninspected().to_vec(),
            },
            sanitised: SanitisedNames {
                args: names(Place::Arg),
                cookies: names(Place::Cookie),
                request_headers: names(Place::RequestHeader),
                response_headers: names(Place::ResponseHeader),
            },
            limit: self.loaded.program().limits.audit_record_bytes,
        })
    }

    /// Error-log lines of the matches that log, after the first `seen` records, free of what rules hide. If rules of phase 5
    /// hide values, lines and records asked for before it show no value at all.
    pub fn error_log_lines(&self, seen: usize) -> Vec<String> {
        self.logged_records(seen).iter().map(MatchRecord::error_log_line).collect()
    }

    /// The same as records, for hosts that write lines of their own.
    pub fn logged_records(&self, seen: usize) -> Vec<MatchRecord> {
        let records = self.scratch.records.iter().skip(seen).filter(|record| record.log);
        let mask = self.mask();
        records.map(|record| hidden(mask.as_ref(), record)).collect()
    }

    /// A text of the exchange, such as its target, with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        self.mask().map_or_else(|| text.to_vec(), |mask| mask.text(text, false))
    }

    fn mask(&self) -> Option<Mask> {
        let program = self.loaded.program();
        // Rules of phase 5 are the usual place to hide values: before they have run, nobody knows which.
        let unheard = (!self.logged || self.logging_cut) && sanitises_late(program);
        Mask::new(program, &self.scratch, unheard)
    }

    fn audit_request(&self, status: u16, mask: Option<&Mask>) -> AuditRequest {
        let parts = self.scratch.state.audit_parts;
        let text = |variable| covered(mask, self.bytes(variable));
        let multipart = self.scratch.state.processor == Some(BodyProcessor::Multipart);
        let whole = parts.contains(AuditPart::RequestBody);
        let reduced = parts.contains(AuditPart::RequestBodyWithoutFiles);
        let body = self.scratch.memory.request_body.inspected();
        AuditRequest {
            method: text(Variable::RequestMethod),
            target: text(Variable::RequestUriRaw),
            version: text(Variable::RequestProtocol),
            host: text(Variable::ServerName),
            user: match mask {
                Some(mask) if !mask.shows_user() => Vec::new(),
                _ => text(Variable::RemoteUser),
            },
            headers: self.headers(Kind::RequestHeader, mask),
            body: (whole || reduced && !multipart).then(|| {
                let (bytes, cut) = self.beginning(body);
                let read = self.scratch.state.body_read;
                let bytes = mask.map_or_else(|| bytes.to_vec(), |mask| mask.request_body(bytes, cut, read));
                AuditBody { bytes, length: body.len() as u64 }
            }),
            form: (reduced && multipart).then(|| self.form(mask)),
            files: if parts.contains(AuditPart::Files) { self.files(status, mask) } else { Vec::new() },
        }
    }

    fn audit_response(&self, status: u16, mask: Option<&Mask>) -> AuditResponse {
        let body = self.scratch.memory.response_body.inspected();
        AuditResponse {
            status,
            version: self.bytes(Variable::ResponseProtocol).to_vec(),
            headers: self.headers(Kind::ResponseHeader, mask),
            body: self.scratch.state.audit_parts.contains(AuditPart::ResponseBody).then(|| {
                let (bytes, cut) = self.beginning(body);
                let bytes = mask.map_or_else(|| bytes.to_vec(), |mask| mask.response_body(bytes, cut));
                AuditBody { bytes, length: body.len() as u64 }
            }),
        }
    }

    fn headers(&self, kind: Kind, mask: Option<&Mask>) -> Pairs {
        let place = if kind == Kind::RequestHeader { Place::RequestHeader } else { Place::ResponseHeader };
        self.fields(kind)
            .map(|(name, value)| {
                let value = mask.map_or_else(|| value.to_vec(), |mask| mask.header(place, name, value));
                (name.to_vec(), value)
            })
            .collect()
    }

    /// The form fields, as many as a record can hold.
    fn form(&self, mask: Option<&Mask>) -> Pairs {
        let mut room = self.loaded.program().limits.audit_record_bytes;
        self.fields(Kind::ArgPost)
            .take_while(|(name, value)| {
                let fits = room > 0;
                room = room.saturating_sub(name.len() + value.len() + 2);
                fits
            })
            .map(|(name, value)| {
                let value = mask.map_or_else(|| value.to_vec(), |mask| mask.argument(name, value));
                (name.to_vec(), value)
            })
            .collect()
    }

    fn files(&self, status: u16, mask: Option<&Mask>) -> Vec<AuditFile> {
        let fields = &self.scratch.memory.fields;
        let kept = self.keeps_uploads(status);
        // Stored are, in order, the files that have content.
        let mut paths = self.fields(Kind::FileTmpName).map(|(_, path)| path).filter(|_| kept);
        let mut files = Vec::new();
        // A part gives out its file names (a hostile one several), then its content.
        let mut part = 0;
        for item in fields.items() {
            match item.kind {
                Kind::File => {
                    let field = fields.bytes(item.name);
                    files.push(AuditFile {
                        field: field.to_vec(),
                        name: covered(mask, fields.bytes(item.value)),
                        size: 0,
                        content_type: covered(mask, self.content_type_of(field)),
                        path: None,
                    });
                }
                Kind::FileContent => {
                    let path = if item.value.is_empty() { None } else { paths.next() };
                    for file in files.iter_mut().skip(part) {
                        file.size = item.value.len() as u64;
                        file.path = path.map(|path| String::from_utf8_lossy(path).into_owned());
                    }
                    part = files.len();
                }
                _ => {}
            }
        }
        files
    }

    /// The Content-Type of the part with that name; empty if it has none.
    fn content_type_of(&self, part: &[u8]) -> &[u8] {
        let lines = self.fields(Kind::PartHeader).filter(|(name, _)| *name == part);
        let content_type = lines.filter_map(|(_, line)| {
            let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')? + 1)?;
            name.eq_ignore_ascii_case(b"content-type:").then(|| value.trim_ascii())
        });
        content_type.last().unwrap_or_default()
    }

    fn web_app(&self, mask: Option<&Mask>) -> Option<[String; 3]> {
        let names = [Variable::WebAppId, Variable::SessionId, Variable::UserId].map(|variable| self.bytes(variable));
        let show = |name: &[u8]| match name.is_empty() {
            true => "-".to_owned(),
            false => String::from_utf8_lossy(&covered(mask, name)).into_owned(),
        };
        names.iter().any(|name| !name.is_empty()).then(|| names.map(show))
    }

    /// The text of the rules that have matched, each once, as many as a record can hold.
    fn rule_texts(&self, messages: &[MatchRecord]) -> Vec<String> {
        let mut texts = Vec::new();
        if !self.scratch.state.audit_parts.contains(AuditPart::Rules) {
            return texts;
        }
        let mut seen = Vec::new();
        let mut room = self.loaded.program().limits.audit_record_bytes;
        for message in messages {
            if room == 0 || seen.contains(&message.rule) {
                continue;
            }
            seen.push(message.rule);
            let rules = &self.loaded.program().ruleset.rules;
            if let Some(rule) = rules.iter().find(|rule| rule.id == message.rule) {
                let text = rule.to_seclang();
                room = room.saturating_sub(text.len());
                texts.push(text);
            }
        }
        texts
    }

    fn fields(&self, kind: Kind) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = &self.scratch.memory.fields;
        let of_kind = fields.items().iter().filter(move |field| field.kind == kind);
        of_kind.map(|field| (fields.bytes(field.name), fields.bytes(field.value)))
    }

    fn bytes(&self, variable: Variable) -> &[u8] {
        self.scratch.memory.get(self.scratch.values.scalar(variable).unwrap_or(Slice::EMPTY))
    }

    fn string(&self, variable: Variable) -> String {
        String::from_utf8_lossy(self.bytes(variable)).into_owned()
    }

    /// As much of a body as a record can hold, and whether there is more.
    fn beginning<'b>(&self, body: &'b [u8]) -> (&'b [u8], bool) {
        let most = self.loaded.program().limits.audit_record_bytes;
        body.get(..most).map_or((body, false), |start| (start, start.len() < body.len()))
    }
}

/// Whether a rule of phase 5 hides values.
fn sanitises_late(program: &Program) -> bool {
    let [.., logging] = &program.schedule;
    let rules = logging.iter().filter_map(|rule| program.rules.get(rule.index()));
    let mut steps = rules.flat_map(|rule| &rule.links).flat_map(|link| &link.actions);
    program.sanitises && steps.any(|step| matches!(step, Step::Sanitise(_)))
}

fn covered(mask: Option<&Mask>, text: &[u8]) -> Vec<u8> {
    mask.map_or_else(|| text.to_vec(), |mask| mask.text(text, false))
}

fn hidden(mask: Option<&Mask>, record: &MatchRecord) -> MatchRecord {
    mask.map_or_else(|| record.clone(), |mask| mask.record(record))
}
