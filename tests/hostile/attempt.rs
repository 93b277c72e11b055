//! One request with an attack in it, and what must become of it.

use crate::oracle::exchange::Exchange;
use fusewall::{Transaction, Verdict};

/// An attack that every ruleset of these tests knows.
pub const ATTACK: &str = "attack<script>alert(1)</script>";

/// What must become of an attempt under the hand-written rules. Under the others it must be seen somehow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Found, refused or flagged.
    Seen,
    /// A rule finds the attack.
    Found,
    /// The request is refused, whether the attack was found or not.
    Refused,
    /// Both.
    FoundAndRefused,
    /// What was not inspected is named in the verdict.
    Flagged,
    /// Nothing: a harmless request that looks much like the hostile ones.
    Nothing,
    /// The built-in rules have to see it; the hand-written ones are not asked.
    ByRulesets,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub what: String,
    pub exchange: Exchange,
    pub expected: Expected,
    pub whom: Whom,
}

/// Who is asked. Other rulesets look neither for the bare word nor in every place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    All,
    ButCrs,
    HandWritten,
}

impl Attempt {
    pub fn new(what: impl Into<String>, exchange: Exchange, expected: Expected) -> Attempt {
        let whom = if expected == Expected::ByRulesets { Whom::ButCrs } else { Whom::All };
        Attempt { what: what.into(), exchange, expected, whom }
    }

    /// To be sent to these only.
    pub fn to(self, whom: Whom) -> Attempt {
        Attempt { whom, ..self }
    }

    /// Bytes of the request.
    pub fn size(&self) -> usize {
        let headers: usize = self.exchange.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.exchange.target.len() + headers + self.exchange.body.len()
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    pub found: bool,
    pub refused: bool,
    pub flagged: bool,
}

impl Outcome {
    /// Of a transaction; `is_finding` tells the rules that find attacks from those that find fault with messages.
    pub fn of(transaction: &Transaction, is_finding: fn(u64) -> bool) -> Outcome {
        let Verdict { interruption, uninspected, .. } = transaction.verdict().expect("the engine does not fail");
        Outcome {
            found: transaction.records().iter().any(|record| is_finding(record.rule.0)),
            refused: interruption.is_some(),
            flagged: !uninspected.is_empty(),
        }
    }

    pub fn is_seen(self) -> bool {
        self.found || self.refused || self.flagged
    }

    pub fn meets(self, expected: Expected) -> bool {
        match expected {
            Expected::Seen => self.is_seen(),
            Expected::Found => self.found,
            Expected::Refused => self.refused,
            Expected::FoundAndRefused => self.found && self.refused,
            Expected::Flagged => self.flagged,
            Expected::Nothing => self == Outcome::default(),
            Expected::ByRulesets => true,
        }
    }
}

/// Every byte percent-encoded.
pub fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The text inside of a JSON string.
pub fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("text").trim_matches('"').to_owned()
}

/// The text of XML elements and attributes.
pub fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;").replace('"', "&quot;")
}

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";
pub const XML: &str = "application/xml";
pub const MULTIPART: &str = "multipart/form-data; boundary=B";

/// A form field of a multipart body with boundary B.
pub fn field(name: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A POST request to a harmless place, as a browser sends it.
pub fn post(content_type: &str, body: impl Into<Vec<u8>>) -> Exchange {
    Exchange::post("/save", content_type, body).header("Host", "www.example").header("User-Agent", "Mozilla/5.0")
}

/// A GET request, as a browser sends it.
pub fn get(target: &str) -> Exchange {
    Exchange::get(target).header("Host", "www.example").header("User-Agent", "Mozilla/5.0")
}
