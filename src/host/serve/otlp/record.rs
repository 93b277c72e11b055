//! A refused request as a log record: names of attributes are those of OpenTelemetry's semantic conventions, our own begin with
//! `fusewall.`.

use serde_json::{Value, json};
use std::net::SocketAddr;

/// `WARN`: a refusal is what a firewall is for, and somebody may want to look.
const SEVERITY: (u8, &str) = (13, "WARN");
/// Flags of W3C trace context: whether the trace is recorded.
const SAMPLED: u8 = 1;

/// What is told of a request that was turned away. What rules hide is hidden already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Refused {
    /// Nanoseconds since 1970.
    pub(in super::super) at: u64,
    pub(in super::super) id: String,
    pub(in super::super) client: SocketAddr,
    pub(in super::super) method: String,
    pub(in super::super) host: String,
    pub(in super::super) target: String,
    /// 0: none, the connection was cut.
    pub(in super::super) status: u16,
    pub(in super::super) action: &'static str,
    pub(in super::super) phase: u8,
    pub(in super::super) rule: Option<u64>,
    pub(in super::super) message: String,
    pub(in super::super) fuel: u64,
    pub(in super::super) generation: u64,
    pub(in super::super) trace: Option<TraceContext>,
}

/// The trace that a request belongs to (<https://www.w3.org/TR/trace-context/>, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TraceContext {
    trace: String,
    span: String,
    flags: u8,
}

impl TraceContext {
    /// Reads `traceparent`; `None` if it is not exactly what the standard says, or all zeros.
    pub(in super::super) fn parse(value: &[u8]) -> Option<TraceContext> {
        let text = std::str::from_utf8(value).ok()?;
        let mut fields = text.split('-');
        let mut hex = |length: usize| {
            let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            fields.next().filter(|text| text.len() == length).filter(is_hex)
        };
        let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let more = fields.next().is_some();
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        // Version ff is none; only later versions may have more fields.
        if version == "ff" || more && version == "00" || zero(trace) || zero(span) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(TraceContext { trace: trace.to_owned(), span: span.to_owned(), flags: flags & SAMPLED })
    }
}

impl Refused {
    /// A `LogRecord` in the JSON encoding: 64-bit integers are texts, ids are hexadecimal.
    fn log_record(&self) -> Value {
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let number = |key: &str, value: u64| json!({ "key": key, "value": { "intValue": value.to_string() } });
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut attributes = vec![
            text("event.name", "fusewall.refused"),
            text("fusewall.id", &self.id),
            text("fusewall.action", self.action),
            number("fusewall.phase", self.phase.into()),
            number("fusewall.fuel", self.fuel),
            number("fusewall.generation", self.generation),
            text("client.address", &self.client.ip().to_string()),
            number("client.port", self.client.port().into()),
            text("http.request.method", &self.method),
            text("server.address", &self.host),
            text("url.path", path),
        ];
        attributes.extend((!query.is_empty()).then(|| text("url.query", query)));
        attributes.extend((self.status != 0).then(|| number("http.response.status_code", self.status.into())));
        attributes.extend(self.rule.map(|rule| number("fusewall.rule.id", rule)));
        let mut record = json!({
            "timeUnixNano": self.at.to_string(),
            "observedTimeUnixNano": self.at.to_string(),
            "severityNumber": SEVERITY.0,
            "severityText": SEVERITY.1,
            "body": { "stringValue": self.message },
            "attributes": attributes,
        });
        if let (Some(trace), Some(members)) = (&self.trace, record.as_object_mut()) {
            members.insert("traceId".to_owned(), trace.trace.clone().into());
            members.insert("spanId".to_owned(), trace.span.clone().into());
            members.insert("flags".to_owned(), trace.flags.into());
        }
        record
    }
}

/// An `ExportLogsServiceRequest` with these records.
pub(super) fn request(records: &[Refused]) -> String {
    let service = json!({ "key": "service.name", "value": { "stringValue": "fusewall" } });
    let version = json!({ "key": "service.version", "value": { "stringValue": env!("CARGO_PKG_VERSION") } });
    let records: Vec<_> = records.iter().map(Refused::log_record).collect();
    let scope = json!({ "name": "fusewall", "version": env!("CARGO_PKG_VERSION") });
    let scopes = json!([{ "scope": scope, "logRecords": records }]);
    json!({ "resourceLogs": [{ "resource": { "attributes": [service, version] }, "scopeLogs": scopes }] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_context_as_the_standard_says_is_one() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        let parsed = TraceContext::parse(format!("00-{trace}-03").as_bytes()).expect("a trace context");
        assert_eq!((parsed.span.as_str(), parsed.flags), ("00f067aa0ba902b7", 1));
        assert!(TraceContext::parse(format!("01-{trace}-00-more").as_bytes()).is_some());
        let zeros = "00000000000000000000000000000000";
        for wrong in [
            format!("00-{trace}-01-more"),
            format!("ff-{trace}-01"),
            format!("00-{}-01", trace.to_uppercase()),
            format!("00-{trace}"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", &zeros[..16]),
            String::new(),
            format!("00-{trace}-01\""),
        ] {
            assert_eq!(TraceContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
