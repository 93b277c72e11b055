//! Takes one case through the engine, in the order of the suite's own runner: it asks for an interruption after each step and
//! goes on to phase 5 as soon as the status is another than 200.

use crate::case::Case;
use fusewall::engine::Event;
use fusewall::files::Files;
use fusewall::plan::Options;
use fusewall::program::Program;
use fusewall::store::LoadReport;
use fusewall::{Interruption, InterruptionAction, MatchRecord, Transaction, Waf, WafBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Id of the rule that [`observe`] puts before the others: it matches everything that body parsers produce.
pub const PROBE: u64 = 999_999_999_999;

const PROBE_RULE: &str = "SecRule ARGS_GET|ARGS_POST|FILES|FILES_NAMES|MULTIPART_PART_HEADERS|REQBODY_ERROR|REQBODY_ERROR_MSG\
|MULTIPART_STRICT_ERROR|MULTIPART_BOUNDARY_QUOTED|MULTIPART_BOUNDARY_WHITESPACE|MULTIPART_DATA_BEFORE|MULTIPART_DATA_AFTER\
|MULTIPART_HEADER_FOLDING|MULTIPART_LF_LINE|MULTIPART_MISSING_SEMICOLON|MULTIPART_INVALID_QUOTING|MULTIPART_INVALID_PART\
|MULTIPART_INVALID_HEADER_FOLDING|MULTIPART_FILE_LIMIT_EXCEEDED|MULTIPART_UNMATCHED_BOUNDARY|REQUEST_BODY_LENGTH \
\"@unconditionalMatch\" \"id:999999999999,phase:5,pass,nolog,noauditlog,t:none\"\n";

/// How an exchange ended.
pub struct Outcome {
    pub status: u16,
    pub location: Option<String>,
    pub records: Vec<MatchRecord>,
    /// The line that goes with a disruptive action.
    pub interruption: Option<Interruption>,
    /// Whether the exchange belongs into the audit log.
    pub audited: bool,
    pub client: String,
}

/// What the engine did: its steps, and the program whose rules they name.
pub struct Observation {
    pub events: Vec<Event>,
    pub program: Arc<Program>,
    pub records: Vec<MatchRecord>,
}

/// What libmodsecurity takes for granted where a case is silent. The v2 manual has engine and access off, and limits reject.
const DEFAULTS: &str = "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecRequestBodyLimitAction ProcessPartial\n\
SecResponseBodyLimitAction ProcessPartial\n";
const DEFAULTS_NAME: &str = "defaults.conf";

/// The suite's `data` folder, under the name that its rules use, the stock Unicode map, and the rules of one case.
#[derive(Clone)]
pub struct Data {
    /// The folder.
    pub folder: PathBuf,
    name: String,
    rules: String,
    /// Whether the probe rule stands behind the defaults.
    probes: bool,
}

impl Data {
    /// The folder alone.
    pub fn new(folder: PathBuf) -> Data {
        Data { folder, name: String::new(), rules: String::new(), probes: false }
    }

    /// A builder that loads the defaults, then these rules as a file of that name.
    fn builder(&self, name: &str, rules: String, probes: bool) -> WafBuilder {
        let files = Data { folder: self.folder.clone(), name: name.to_owned(), rules, probes };
        // Some cases are about settings alone.
        Waf::builder().files(files).rules_path(DEFAULTS_NAME).rules_path(name).allow_empty()
    }

    fn place(&self, path: &Path) -> PathBuf {
        if path.file_name().is_some_and(|name| name == "unicode.mapping") {
            return self.folder.join("../../setup/unicode.mapping");
        }
        match path.to_string_lossy().rsplit_once("test-cases/data/") {
            Some((_, inside)) => self.folder.join(inside),
            None => path.to_path_buf(),
        }
    }
}

impl Files for Data {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some(DEFAULTS_NAME) if self.probes => Ok([DEFAULTS, PROBE_RULE].concat().into_bytes()),
            Some(DEFAULTS_NAME) => Ok(DEFAULTS.into()),
            Some(name) if name == self.name => Ok(self.rules.clone().into_bytes()),
            _ => std::fs::read(self.place(path)),
        }
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        if pattern.to_str().is_some_and(|name| name == DEFAULTS_NAME || name == self.name) {
            return Ok(vec![pattern.to_path_buf()]);
        }
        let place = self.place(pattern);
        let (folder, name) = (place.parent().unwrap_or(&self.folder), place.file_name().unwrap_or_default());
        let mut found: Vec<_> = std::fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|file| fusewall::files::glob_match(name.as_encoded_bytes(), file.as_encoded_bytes()))
            .map(|file| Path::new("test-cases/data").join(file))
            .collect();
        found.sort();
        Ok(found)
    }
}

/// Runs a case as users would.
pub fn run(case: &Case, name: &str, data: &Data) -> Result<Outcome, LoadReport> {
    let waf = data.builder(name, case.rules.text(), false).build()?;
    let mut transaction = waf.transaction();
    let (status, location) = drive(case, &mut transaction);
    Ok(Outcome {
        status,
        location,
        records: transaction.records().to_vec(),
        interruption: transaction.interruption(),
        audited: transaction.is_relevant(status),
        client: case.client.ip.clone().unwrap_or_default(),
    })
}

/// Runs a case once more with all rules left in place, noting every step.
pub fn observe(case: &Case, name: &str, data: &Data) -> Result<Observation, LoadReport> {
    let options = Options { fold: false, spans: true, ..Options::default() };
    let waf = data.builder(name, case.rules.text(), true).planner(options).build()?;
    let mut transaction = waf.transaction();
    transaction.record_trace();
    drive(case, &mut transaction);
    let program = waf.loaded().program().clone();
    Ok(Observation { events: transaction.trace().to_vec(), program, records: transaction.records().to_vec() })
}

fn drive(case: &Case, transaction: &mut Transaction) -> (u16, Option<String>) {
    request(case, transaction);
    if transaction.interruption().is_none() {
        response(case, transaction);
    }
    transaction.process_logging();
    match transaction.interruption() {
        None => (200, None),
        Some(Interruption { action: InterruptionAction::Redirect(url), status, .. }) => {
            (status, Some(String::from_utf8_lossy(&url).into_owned()))
        }
        Some(Interruption { status, .. }) => (status, None),
    }
}

fn request(case: &Case, transaction: &mut Transaction) {
    let address = |text: &Option<String>| text.as_deref().and_then(|ip| ip.parse().ok());
    let local = std::net::IpAddr::from([127, 0, 0, 1]);
    let (client, server) = (address(&case.client.ip).unwrap_or(local), address(&case.server.ip).unwrap_or(local));
    let (from, to) = (case.client.port.unwrap_or(0), case.server.port.unwrap_or(0));
    transaction.process_connection(client, from, server, to);
    let request = &case.request;
    let version = format!("HTTP/{}", request.version());
    transaction.process_request_line(request.method.as_bytes(), request.uri.as_bytes(), version.as_bytes());
    for (name, value) in &request.headers.0 {
        transaction.add_request_header(name.as_bytes(), value.as_bytes());
    }
    let body = request.body.text();
    if transaction.process_request_headers().is_some() || transaction.write_request_body(body.as_bytes()).is_some() {
        return;
    }
    transaction.process_request_body();
}

fn response(case: &Case, transaction: &mut Transaction) {
    let response = &case.response;
    for (name, value) in &response.headers.0 {
        transaction.add_response_header(name.as_bytes(), value.as_bytes());
    }
    let protocol = response.protocol.as_deref().unwrap_or("HTTP/1.1");
    if transaction.process_response_headers(200, protocol.as_bytes()).is_none()
        && transaction.write_response_body(response.body.text().as_bytes()).is_none()
    {
        transaction.process_response_body();
    }
}
