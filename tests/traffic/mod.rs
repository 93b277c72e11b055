//! Requests as a host hands them over: recorded ones, where the corpora are at hand (`FUSEWALL_CORPUS_DIR`, default
//! `../shared/corpus`), and the rulesets that are measured with them (`FUSEWALL_CONFORMANCE_DIR`, default `../shared/conformance`).
#![allow(dead_code)]

use base64::Engine;
use flate2::read::MultiGzDecoder;
use fusewall::{Transaction, Waf};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A request, all of it as bytes.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: String,
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub version: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
    pub client: IpAddr,
}

/// A line of a corpus file.
#[derive(Deserialize)]
struct Recorded {
    id: String,
    method: String,
    uri: String,
    #[serde(default)]
    version: Option<String>,
    headers: Vec<(String, String)>,
    body_b64: Option<String>,
    remote_addr: Option<IpAddr>,
    #[serde(default)]
    latin1: bool,
}

impl Recorded {
    fn request(self) -> Request {
        let bytes = |text: &str| match self.latin1 && text.chars().all(|c| c <= '\u{ff}') {
            true => text.chars().map(|c| c as u8).collect(),
            false => text.as_bytes().to_vec(),
        };
        let body = self.body_b64.unwrap_or_default();
        Request {
            method: bytes(&self.method),
            target: bytes(&self.uri),
            version: bytes(self.version.as_deref().unwrap_or("HTTP/1.1")),
            headers: self.headers.iter().map(|(name, value)| (bytes(name), bytes(value))).collect(),
            body: base64::engine::general_purpose::STANDARD.decode(body).expect("the corpus holds Base64"),
            client: self.remote_addr.unwrap_or(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))),
            id: self.id,
        }
    }
}

impl Request {
    /// A GET request as a browser sends it.
    pub fn get(target: &str) -> Request {
        let headers = [
            ("Host", "www.example"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
        ];
        Request {
            id: target.to_owned(),
            method: b"GET".to_vec(),
            target: target.into(),
            version: b"HTTP/1.1".to_vec(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect(),
            body: Vec::new(),
            client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        }
    }

    /// A POST request with a body of that type.
    pub fn post(target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Request {
        let request = Request { method: b"POST".to_vec(), body: body.into(), ..Request::get(target) };
        let length = request.body.len().to_string();
        request.header("Content-Type", content_type).header("Content-Length", &length)
    }

    /// With one header more.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Bytes of the request.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.method.len() + self.target.len() + self.version.len() + headers + self.body.len()
    }

    /// Takes the request through its phases as a host does: up to a refusal, and phase 5.
    pub fn evaluate(&self, waf: &Waf) -> Transaction {
        let mut transaction = waf.transaction();
        transaction.process_connection(self.client, 40000, IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        transaction.process_request_line(&self.method, &self.target, &self.version);
        for (name, value) in &self.headers {
            transaction.add_request_header(name, value);
        }
        let refused = transaction.process_request_headers().is_some()
            || transaction.inspects_request_body() && transaction.write_request_body(&self.body).is_some();
        if !refused {
            transaction.process_request_body();
        }
        transaction.process_logging();
        transaction
    }
}

/// Says something that is shown even if the test passes.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from)
}

/// The requests of a file of the corpus, such as `bench/benign-small`; `None`, and a line that says so, if it is not there.
pub fn recorded(name: &str) -> Option<Vec<Request>> {
    sampled(name, 1)
}

/// Every `step`-th request of a file of the corpus.
pub fn sampled(name: &str, step: usize) -> Option<Vec<Request>> {
    Some(lines(name)?.iter().step_by(step).map(|line| parse(line)).collect())
}

/// The lines of a file of the corpus.
pub fn lines(name: &str) -> Option<Vec<String>> {
    let path = folder("FUSEWALL_CORPUS_DIR", "../shared/corpus").join(format!("{name}.jsonl.gz"));
    let Ok(file) = File::open(&path) else {
        say(&format!("left out: {name} (needs FUSEWALL_CORPUS_DIR)"));
        return None;
    };
    Some(BufReader::new(MultiGzDecoder::new(file)).lines().map(|line| line.expect("text")).collect())
}

/// The request of a line.
pub fn parse(line: &str) -> Request {
    serde_json::from_str::<Recorded>(line).expect("a request").request()
}

/// The path of an entry file of the conformance data, such as `crs-pl1`; `None`, and a line that says so, if it is not there.
pub fn setup(name: &str) -> Option<PathBuf> {
    let path = folder("FUSEWALL_CONFORMANCE_DIR", "../shared/conformance").join(format!("setup/{name}.conf"));
    if !path.is_file() {
        say(&format!("left out: {name} (needs FUSEWALL_CONFORMANCE_DIR)"));
        return None;
    }
    Some(path)
}

/// The WAF with the rules of an entry file.
pub fn waf(path: &Path) -> Waf {
    Waf::builder().rules_path(path).build().unwrap_or_else(|report| panic!("{report}"))
}
