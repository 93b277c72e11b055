//! Recorded traffic, whatever it was recorded by: each format has a room of its own, and all of them hand over the same.
//!
//! Readers push what they read into a [`Sink`], one exchange after the other: a day of traffic does not fit into memory.

mod access_log;
mod audit;
mod audit_json;
mod audit_native;
mod har;
mod json;
mod json_lines;
mod lacks;
mod lines;
mod log_format;
mod pcap;

pub use lacks::{Lacks, Seen};
pub use log_format::LogFormat;

use crate::cli::requests::Prepared;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Names and values, in order.
type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// Bytes of one exchange in a file: the largest body that the recommended configuration inspects, in Base64, three times.
const EXCHANGE_BYTES: usize = 64 << 20;

/// Places that could not be read and are shown; the others are counted.
const SHOWN: usize = 5;

/// An exchange that was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The request, and the response if that was recorded as well.
    pub request: Prepared,
    /// What was not recorded.
    pub lacks: Lacks,
    /// What was decided when it was recorded, where the source says so.
    pub decided: Option<Decided>,
}

/// What the engine in service at that time has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The status that the client got.
    pub status: u16,
    /// Whether that engine has blocked it; where the source does not say so, the status has to.
    pub blocked: Option<bool>,
    /// The rules that were logged, if the source has them.
    pub rules: Option<Vec<u64>>,
}

/// What a source is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Our own request files: JSON lines.
    Requests,
    /// The log of a web server.
    AccessLog(LogFormat),
    /// HTTP Archive 1.2, as browsers export it.
    Har,
    /// Packets, as `tshark -T json` prints them.
    PcapJson,
    /// An audit log of ModSecurity.
    Audit,
}

/// A file of recorded traffic.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub kind: Kind,
}

/// Where and why something could not be read.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Unread {
    /// The line that it begins in, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What became of a source.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Account {
    /// The file.
    pub name: String,
    /// Exchanges read.
    pub requests: u64,
    /// Places that could not be read.
    pub unread: u64,
    /// The first of them.
    pub first_unread: Vec<Unread>,
}

/// Takes what readers read.
pub struct Sink<'a> {
    take: &'a mut dyn FnMut(Recorded) -> anyhow::Result<()>,
    account: Account,
}

impl Sink<'_> {
    /// The name of an exchange that has none of its own: file and line.
    fn name(&self, line: u64) -> String {
        format!("{}:{line}", self.account.name)
    }

    /// Hands an exchange over.
    ///
    /// # Errors
    /// Those of whoever takes it: the replay ends.
    fn add(&mut self, recorded: Recorded) -> anyhow::Result<()> {
        self.account.requests += 1;
        (self.take)(recorded)
    }

    /// Something cannot be read.
    fn unread(&mut self, line: u64, reason: impl ToString) {
        self.account.unread += 1;
        if self.account.first_unread.len() < SHOWN {
            self.account.first_unread.push(Unread { line, reason: reason.to_string() });
        }
    }
}

impl Source {
    /// Reads all of it; `.gz` files are unpacked on the way.
    ///
    /// # Errors
    /// A file that cannot be opened or read, and the errors of `take`. Content that is not what it should be is in the account.
    pub fn read(&self, take: &mut dyn FnMut(Recorded) -> anyhow::Result<()>) -> anyhow::Result<Account> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut sink = Sink { take, account: Account { name, ..Account::default() } };
        let input = open(&self.path)?;
        let read = match &self.kind {
            Kind::Requests => json_lines::read(input, &mut sink),
            Kind::AccessLog(format) => access_log::read(input, format, &mut sink),
            Kind::Har => har::read(input, &mut sink),
            Kind::PcapJson => pcap::read(input, &mut sink),
            Kind::Audit => audit::read(input, &mut sink),
        };
        read.with_context(|| self.path.display().to_string())?;
        Ok(sink.account)
    }
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let plain: Box<dyn Read> = match path.extension().is_some_and(|extension| extension == "gz") {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, plain)))
}

/// The target of a request in origin form (RFC 9112, section 3.2.1), from an absolute URL: what stands behind the authority, without
/// fragment. Other texts are targets already.
fn origin_form(url: &str) -> (&str, Option<&str>) {
    let url = url.split('#').next().unwrap_or_default();
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
    else {
        return (url, None);
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    (if target.is_empty() { "/" } else { target }, Some(authority))
}

/// The value of the first header of this name.
fn header<'a>(headers: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let mut named = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    named.next().map(|(_, value)| &value[..])
}

/// Whether a request with these headers has a body that is not empty.
fn announces_body(headers: &[(Vec<u8>, Vec<u8>)]) -> bool {
    let length = header(headers, "content-length").map(<[u8]>::trim_ascii);
    length.is_some_and(|length| length != b"0") || header(headers, "transfer-encoding").is_some()
}
