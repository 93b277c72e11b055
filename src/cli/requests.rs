//! Request files: one JSON object a line, plain or gzipped.

use crate::waf::{Transaction, Waf};
use anyhow::Context;
use base64::Engine;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// A request and, optionally, the response that it got.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// Its name in answers.
    #[serde(default)]
    pub id: String,
    method: String,
    uri: String,
    #[serde(default = "http_1_1")]
    version: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body_b64: Option<String>,
    remote_addr: Option<IpAddr>,
    /// Code points up to U+00FF stand for single bytes.
    #[serde(default)]
    latin1: bool,
    response: Option<Response>,
}

#[derive(Debug, Clone, Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body_b64: Option<String>,
}

fn http_1_1() -> String {
    "HTTP/1.1".to_owned()
}

impl Request {
    /// The status of the recorded response; 200 without one.
    pub fn status(&self) -> u16 {
        self.response.as_ref().map_or(200, |response| response.status)
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        if self.latin1 && text.chars().all(|c| c <= '\u{ff}') {
            text.chars().map(|c| c as u8).collect()
        } else {
            text.as_bytes().to_vec()
        }
    }

    /// Everything as bytes.
    ///
    /// # Errors
    /// A body that is not Base64.
    pub fn prepare(&self) -> anyhow::Result<Prepared> {
        let headers = |headers: &[(String, String)]| {
            headers.iter().map(|(name, value)| (self.bytes(name), self.bytes(value))).collect()
        };
        let response = match &self.response {
            Some(response) => Some(PreparedResponse {
                status: response.status,
                headers: headers(&response.headers),
                body: decode(response.body_b64.as_deref())?,
            }),
            None => None,
        };
        Ok(Prepared {
            id: self.id.clone(),
            method: self.bytes(&self.method),
            uri: self.bytes(&self.uri),
            version: self.bytes(&self.version),
            headers: headers(&self.headers),
            body: decode(self.body_b64.as_deref())?,
            client: self.remote_addr.unwrap_or(NOBODY),
            response,
        })
    }

    /// Takes the exchange through the phases that it has, up to an interruption, and phase 5.
    ///
    /// # Errors
    /// A body that is not Base64.
    pub fn evaluate(&self, waf: &Waf) -> anyhow::Result<Transaction> {
        Ok(self.prepare()?.evaluate(waf))
    }

    /// The same, noting every step.
    ///
    /// # Errors
    /// A body that is not Base64.
    pub fn trace(&self, waf: &Waf) -> anyhow::Result<Transaction> {
        let mut transaction = waf.transaction_with_id(&self.id);
        transaction.record_trace();
        Ok(self.prepare()?.drive(transaction))
    }
}

/// A request as bytes, as a host would hand it over.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its name in answers.
    pub id: String,
    /// As in the request line.
    pub method: Vec<u8>,
    /// As in the request line.
    pub uri: Vec<u8>,
    /// Such as `HTTP/1.1`.
    pub version: Vec<u8>,
    /// Names and values, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Without transfer codings.
    pub body: Vec<u8>,
    /// Who has sent it.
    pub client: IpAddr,
    /// What was answered, if that is known.
    pub response: Option<PreparedResponse>,
}

/// A response as bytes.
#[derive(Debug, Clone, Default)]
pub struct PreparedResponse {
    /// HTTP status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Without transfer codings.
    pub body: Vec<u8>,
}

/// An address of no one (RFC 5737), for requests that do not say who has sent them.
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

impl Prepared {
    /// A request as a browser sends it: a GET, or with a media type and a body a POST.
    pub fn new(id: String, target: &str, body: Option<(&str, Vec<u8>)>) -> Prepared {
        let mut headers = vec![
            ("Host", "www.example".to_owned()),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
            ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8".to_owned()),
            ("Accept-Language", "en-US,en;q=0.5".to_owned()),
        ];
        let method = if body.is_some() { "POST" } else { "GET" };
        if let Some((media_type, body)) = &body {
            headers.push(("Content-Type", (*media_type).to_owned()));
            headers.push(("Content-Length", body.len().to_string()));
        }
        Prepared {
            id,
            method: method.into(),
            uri: target.into(),
            version: http_1_1().into_bytes(),
            headers: headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())).collect(),
            body: body.map(|(_, body)| body).unwrap_or_default(),
            client: NOBODY,
            response: None,
        }
    }

    /// Its name in answers.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes of request line, header fields and bodies.
    pub fn bytes(&self) -> usize {
        let headers =
            |headers: &[(Vec<u8>, Vec<u8>)]| -> usize { headers.iter().map(|(n, v)| n.len() + v.len()).sum() };
        let response = self.response.as_ref().map_or(0, |response| headers(&response.headers) + response.body.len());
        self.method.len() + self.uri.len() + self.version.len() + headers(&self.headers) + self.body.len() + response
    }

    /// Takes the exchange through the phases that it has, up to an interruption, and phase 5.
    pub fn evaluate(&self, waf: &Waf) -> Transaction {
        self.drive(waf.transaction_with_id(&self.id))
    }

    /// The same as if another client had sent it.
    pub fn evaluate_from(&self, waf: &Waf, client: IpAddr) -> Transaction {
        Prepared { client, ..self.clone() }.evaluate(waf)
    }

    /// Tells a transaction all of the request, and runs none of its phases.
    pub fn begin(&self, waf: &Waf) -> Transaction {
        let mut transaction = waf.transaction_with_id(&self.id);
        self.tell(&mut transaction);
        transaction.write_request_body(&self.body);
        transaction
    }

    fn drive(&self, mut transaction: Transaction) -> Transaction {
        self.request_phases(&mut transaction);
        if let Some(response) = self.response.as_ref().filter(|_| transaction.interruption().is_none()) {
            for (name, value) in &response.headers {
                transaction.add_response_header(name, value);
            }
            if transaction.process_response_headers(response.status, &self.version).is_none()
                && transaction.write_response_body(&response.body).is_none()
            {
                transaction.process_response_body();
            }
        }
        transaction.process_logging();
        transaction
    }

    fn tell(&self, transaction: &mut Transaction) {
        transaction.process_connection(self.client, 40000, IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        transaction.process_request_line(&self.method, &self.uri, &self.version);
        for (name, value) in &self.headers {
            transaction.add_request_header(name, value);
        }
    }

    fn request_phases(&self, transaction: &mut Transaction) {
        self.tell(transaction);
        if transaction.process_request_headers().is_some() {
            return transaction.rest_of_request_body(&self.body);
        }
        if transaction.write_request_body(&self.body).is_some() {
            return transaction.rest_of_request_body(&[]);
        }
        transaction.process_request_body();
    }
}

fn decode(base64: Option<&str>) -> anyhow::Result<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(base64.unwrap_or_default()).context("a body that is not Base64")
}

/// Reads a request file line by line.
///
/// # Errors
/// A file that cannot be opened. Lines that cannot be read are errors of the iterator, with their number.
pub fn read(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Request>> + use<>> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let plain: Box<dyn Read> =
        if name.ends_with(".gz") { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let lines = BufReader::with_capacity(1 << 16, plain).lines().enumerate();
    Ok(lines.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty())).map(move |(at, line)| {
        let place = || format!("{name}, line {}", at + 1);
        let line = line.with_context(place)?;
        serde_json::from_str(&line).with_context(place)
    }))
}
