//! The corpus and what libmodsecurity logged for it.

use base64::Engine;
use flate2::read::MultiGzDecoder;
use fusewall::Waf;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// The rules that detect: those of the request phases, without initialisation (901) and blocking evaluation (949).
const DETECTION: std::ops::RangeInclusive<u64> = 911_000..=948_999;

/// The rules that flag a body which breaks its format (ModSecurity's recommended configuration).
const BODY_ERROR: std::ops::RangeInclusive<u64> = 200_002..=200_004;

/// A request of the corpus.
#[derive(Debug, Deserialize)]
pub struct Request {
    pub id: String,
    pub method: String,
    pub uri: String,
    #[serde(default = "http_1_1")]
    version: String,
    pub headers: Vec<(String, String)>,
    body_b64: Option<String>,
    #[serde(default)]
    latin1: bool,
}

fn http_1_1() -> String {
    "HTTP/1.1".to_owned()
}

/// What we log for a request.
#[derive(Debug, Default)]
pub struct Logged {
    pub detection: BTreeSet<u64>,
    /// Whether the body was flagged as broken.
    pub body_error: bool,
    /// Whether the engine ended on an internal error.
    pub failed: bool,
}

impl Request {
    /// The bytes that a text of the corpus stands for.
    pub fn bytes(&self, text: &str) -> Vec<u8> {
        if self.latin1 && text.chars().all(|c| c <= '\u{ff}') {
            text.chars().map(|c| c as u8).collect()
        } else {
            text.as_bytes().to_vec()
        }
    }

    pub fn body(&self) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD.decode(self.body_b64.as_deref().unwrap_or_default()).expect("Base64")
    }

    /// The first Content-Type.
    pub fn content_type(&self) -> Vec<u8> {
        let header = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        header.map(|(_, value)| self.bytes(value)).unwrap_or_default()
    }

    /// Takes the request through its phases.
    pub fn evaluate(&self, waf: &Waf) -> Logged {
        let mut transaction = waf.transaction_with_id(&self.id);
        let client = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        transaction.process_connection(client, 40000, IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        transaction.process_request_line(&self.bytes(&self.method), &self.bytes(&self.uri), &self.bytes(&self.version));
        for (name, value) in &self.headers {
            transaction.add_request_header(&self.bytes(name), &self.bytes(value));
        }
        transaction.process_request_headers();
        transaction.write_request_body(&self.body());
        transaction.process_request_body();
        transaction.process_logging();
        let Some(verdict) = transaction.verdict() else { return Logged { failed: true, ..Logged::default() } };
        let ids = || verdict.rules.iter().map(|rule| rule.0);
        Logged {
            detection: ids().filter(|id| DETECTION.contains(id)).collect(),
            body_error: ids().any(|id| BODY_ERROR.contains(&id)),
            // The reference rules only detect: nothing but an error can interrupt.
            failed: verdict.interruption.is_some(),
        }
    }
}

/// A folder that holds data which is not part of the project: where `variable` says, or beside the project.
pub fn folder(variable: &str, beside: &str) -> PathBuf {
    std::env::var_os(variable)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(beside), PathBuf::from)
}

/// The ids that libmodsecurity logged, by request, for one set.
pub fn reference(corpus: &Path, set: &str) -> HashMap<String, BTreeSet<u64>> {
    let mut lines = lines(&corpus.join("reference.tsv.gz"));
    let header: Vec<_> = lines.next().expect("a header").split('\t').map(str::to_owned).collect();
    let column = |name: &str| header.iter().position(|column| column == name).expect(name);
    let (id, in_set, rules) = (column("id"), column("set"), column("rule_ids"));
    let row = |line: String| {
        let fields: Vec<_> = line.split('\t').collect();
        let ids = fields.get(rules).copied().unwrap_or_default().split(',').filter(|id| !id.is_empty());
        let ids = ids.map(|id| id.parse().expect("a rule id")).filter(|id| DETECTION.contains(id)).collect();
        (fields[in_set] == set).then(|| (fields[id].to_owned(), ids))
    };
    lines.filter_map(row).collect()
}

/// The lines of a gzipped file.
pub fn lines(path: &Path) -> impl Iterator<Item = String> + Send + use<> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(MultiGzDecoder::new(file)).lines().map(|line| line.expect("a line of text"))
}
