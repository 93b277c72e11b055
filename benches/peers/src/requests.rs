//! The requests: classes of benign traffic, read from the corpus and completed to a number that medians can stand on.

use crate::generate;
use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Requests that a class has at least, where a generator knows the class.
pub const AT_LEAST: usize = 100;

/// The classes: names of files below `bench/` of the corpus. All are benign.
pub const CLASSES: [&str; 5] = ["benign-small", "benign-form", "benign-json", "benign-multipart", "long64"];

/// A request, in the format of `fusewall bench`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its name.
    pub id: String,
    /// The method.
    pub method: String,
    /// The request target.
    pub uri: String,
    /// The protocol, `HTTP/1.1`.
    pub version: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty without one.
    #[serde(rename = "body_b64", serialize_with = "encode", deserialize_with = "decode", default)]
    pub body: Vec<u8>,
    /// Where it comes from.
    #[serde(rename = "remote_addr", default = "documentation_address")]
    pub client: IpAddr,
}

fn documentation_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))
}

fn encode<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

/// Bytes of a median body up to which a class is short.
const SHORT: usize = 32_768;

/// A class of traffic.
#[derive(Debug)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its requests: those of the corpus, then generated ones.
    pub requests: Vec<Request>,
    /// How many of them are generated.
    pub generated: usize,
}

impl Class {
    /// Reads a class of the corpus, completes it, and keeps the first `at_most` requests.
    ///
    /// # Errors
    /// A file that cannot be read or is not a list of requests without responses.
    pub fn read(corpus: &Path, name: &str, at_most: usize) -> anyhow::Result<Class> {
        let path = corpus.join("bench").join(format!("{name}.jsonl.gz"));
        let requests = read(&path).with_context(|| path.display().to_string())?;
        let own = requests.len();
        let mut requests = generate::complete(name, requests, AT_LEAST);
        requests.truncate(at_most);
        ensure!(!requests.is_empty(), "{}: no requests in it", path.display());
        Ok(Class { name: name.to_owned(), generated: requests.len().saturating_sub(own), requests })
    }

    /// Whether its requests are so short that it matters what was in the processor's caches before.
    pub fn is_short(&self) -> bool {
        let mut sizes: Vec<_> = self.requests.iter().map(|request| request.body.len()).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).is_none_or(|size| *size <= SHORT)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<Request>> {
    let mut requests = Vec::new();
    for (at, line) in BufReader::new(MultiGzDecoder::new(File::open(path)?)).lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(&line?).with_context(|| format!("line {}", at + 1))?;
        ensure!(value.get("response").is_none(), "line {}: responses are not evaluated here", at + 1);
        ensure!(value.get("latin1").is_none(), "line {}: text that is not UTF-8 is not handled here", at + 1);
        requests.push(serde_json::from_value(value).with_context(|| format!("line {}", at + 1))?);
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_writing_and_reading() {
        let text =
            r#"{"id":"a","method":"POST","uri":"/x","version":"HTTP/1.1","headers":[["Host","h"]],"body_b64":"/wA="}"#;
        let request: Request = serde_json::from_str(text).expect("a request");
        assert_eq!(request.body, [0xff, 0x00]);
        assert_eq!(request.client, documentation_address());
        let again: Request = serde_json::from_str(&serde_json::to_string(&request).expect("JSON")).expect("a request");
        assert_eq!(again, request);
        let bare = text.replace("\"/wA=\"", "null");
        assert!(serde_json::from_str::<Request>(&bare).expect("a request").body.is_empty());
    }
}
