//! What an audit record holds.

use crate::engine::record::MatchRecord;
use crate::engine::verdict::{Exhaustion, Interruption};
use crate::rule::{AuditParts, EngineMode, RuleId};

/// A transaction as the audit log shows it. Values that rules hide (`sanitise...`) are asterisks already.
///
/// ```
/// use fusewall::Waf;
/// let rules = r#"
///     SecRuleEngine On
///     SecAuditEngine RelevantOnly
///     SecRule ARGS:q "@contains <script" "id:1,phase:1,deny,msg:'script'"
///     SecAction "id:2,phase:5,nolog,pass,sanitiseArg:password"
/// "#;
/// let waf = Waf::builder().rules_text("example.conf", rules).build().unwrap();
/// let mut exchange = waf.transaction();
/// exchange.process_request_line(b"GET", b"/?q=<script>&password=hunter22", b"HTTP/1.1");
/// exchange.process_request_headers();
/// exchange.process_logging();
/// let record = exchange.audit_record(403).expect("a rule has matched");
/// assert_eq!(record.messages[0].message, "script");
/// assert_eq!(record.request.target, b"/?q=<script>&password=********");
/// assert!(record.to_json().starts_with(r#"{"transaction":{"client_ip":"#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The transaction's id.
    pub unique_id: String,
    /// `SecSensorId`, else the server's address and port.
    pub server_id: String,
    /// When the transaction began: microseconds since 1970-01-01 UTC.
    pub started: u64,
    /// Microseconds from then to the making of the record.
    pub duration: u64,
    /// Who sent the request.
    pub client: AuditEnd,
    /// Who received it.
    pub server: AuditEnd,
    /// Which parts are written.
    pub parts: AuditParts,
    /// The request.
    pub request: AuditRequest,
    /// The response.
    pub response: AuditResponse,
    /// What the engine was set to when the transaction ended.
    pub engine: EngineMode,
    /// `SecComponentSignature`s.
    pub components: Vec<String>,
    /// Who stands between the host and the engine, where somebody does.
    pub connector: String,
    /// `SecServerSignature`.
    pub server_signature: Option<String>,
    /// Application, session and user, where rules name them.
    pub web_app: Option<[String; 3]>,
    /// Rules that matched and log, to the error log or here.
    pub messages: Vec<MatchRecord>,
    /// What ended the exchange, if anything did.
    pub interruption: Option<Interruption>,
    /// Part K: the text of the rules in `messages`.
    pub rules: Vec<String>,
    /// What the inspection has cost and left out.
    pub budget: AuditBudget,
    /// Names of the values that are hidden.
    pub sanitised: SanitisedNames,
    /// Bytes that a written record may take, at least 4096. From `Limits::audit_record_bytes`.
    pub limit: usize,
}

impl AuditRecord {
    /// About how many bytes it holds.
    pub fn memory(&self) -> usize {
        let body = |body: &Option<AuditBody>| body.as_ref().map_or(0, |body| body.bytes.len());
        self.texts() + body(&self.request.body) + body(&self.response.body)
    }

    /// About how many bytes it holds beside the bodies.
    pub(super) fn texts(&self) -> usize {
        let pairs = |pairs: &[(Vec<u8>, Vec<u8>)]| -> usize { pairs.iter().map(|(a, b)| a.len() + b.len() + 48).sum() };
        let path = |file: &AuditFile| file.path.as_ref().map_or(0, String::len);
        let file = |file: &AuditFile| 80 + file.field.len() + file.name.len() + file.content_type.len() + path(file);
        let message = |record: &MatchRecord| {
            let texts = [&record.message, &record.data, &record.value, &record.matched, &record.uri, &record.hostname];
            1024 + texts.into_iter().chain(&record.tags).map(String::len).sum::<usize>()
        };
        let (request, response) = (&self.request, &self.response);
        2048 + request.target.len()
            + pairs(&request.headers)
            + pairs(&response.headers)
            + request.form.as_deref().map_or(0, pairs)
            + request.files.iter().map(file).sum::<usize>()
            + self.rules.iter().map(String::len).sum::<usize>()
            + self.messages.iter().map(message).sum::<usize>()
    }
}

/// One end of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditEnd {
    /// IP address as text; empty if the host did not say.
    pub address: String,
    /// Port; 0 if the host did not say.
    pub port: u16,
}

/// The request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuditRequest {
    /// Method.
    pub method: Vec<u8>,
    /// Request target, undecoded.
    pub target: Vec<u8>,
    /// Version as received, such as `HTTP/1.1`.
    pub version: Vec<u8>,
    /// The host that it names.
    pub host: Vec<u8>,
    /// The user that it names (basic authentication).
    pub user: Vec<u8>,
    /// Headers in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body as it was inspected, if a part asks for it.
    pub body: Option<AuditBody>,
    /// Form fields of a multipart body, if part I asks for them.
    pub form: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Uploaded files, if part J asks for them.
    pub files: Vec<AuditFile>,
}

/// The response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuditResponse {
    /// The status that the client got; 0 if none.
    pub status: u16,
    /// Version.
    pub version: Vec<u8>,
    /// Headers as they were inspected; a page of the host that took the response's place has others.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body as it was inspected, if a part asks for it.
    pub body: Option<AuditBody>,
}

/// A body, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditBody {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// How many it had.
    pub length: u64,
}

impl AuditBody {
    /// Whether there was more.
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// Name of the form field.
    pub field: Vec<u8>,
    /// Its name as the client gave it.
    pub name: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// Its Content-Type; empty if it has none.
    pub content_type: Vec<u8>,
    /// Where it is stored, if it stays there (`SecUploadKeepFiles`).
    pub path: Option<String>,
}

/// What the inspection has cost and left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditBudget {
    /// Fuel spent.
    pub fuel: u64,
    /// Of it, in phases 1 to 5.
    pub fuel_by_phase: [u64; 5],
    /// The rules that spent most of their own.
    pub dearest: Vec<(RuleId, u64)>,
    /// The first budget that ran dry.
    pub exhausted: Option<Exhaustion>,
    /// The ruleset's generation.
    pub generation: u64,
    /// What was not inspected.
    pub uninspected: Vec<&'static str>,
}

/// Names of hidden values, as the request and response have them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SanitisedNames {
    /// Arguments.
    pub args: Vec<Vec<u8>>,
    /// Cookies.
    pub cookies: Vec<Vec<u8>>,
    /// Request headers.
    pub request_headers: Vec<Vec<u8>>,
    /// Response headers.
    pub response_headers: Vec<Vec<u8>>,
}
