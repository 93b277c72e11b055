//! Answers, read strictly: what is not exactly one well-formed response is a finding.

use serde_json::Value;

/// The longest answer that is known of, the description of the API, has a quarter of this.
const LONGEST: usize = 256 << 10;

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Reads what came back; none if the connection was closed without a word. `bodiless`: the request was one for the head alone.
pub fn read(bytes: &[u8], bodiless: bool) -> Option<Answer> {
    if bytes.is_empty() {
        return None;
    }
    assert!(bytes.len() <= LONGEST, "{} bytes", bytes.len());
    let shown = || bytes[..bytes.len().min(400)].escape_ascii();
    let bytes = match bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
        // A body that was waited for and did not come.
        Some(b"") => return None,
        Some(rest) => rest,
        None => bytes,
    };
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {}", shown()));
    let head = str::from_utf8(&bytes[..end]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let line = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "));
    let status = line.and_then(|line| line.get(..3)?.parse().ok()).unwrap_or_else(|| panic!("no status: {}", shown()));
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line}"));
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let answer = Answer { status, fields: lines.map(field).collect(), body: bytes[end + 4..].to_vec() };
    let lengths: Vec<_> = answer.fields.iter().filter(|(name, _)| name == "content-length").collect();
    let [(_, length)] = lengths[..] else { panic!("not one length: {answer:?}") };
    assert!(bodiless || length.parse() == Ok(answer.body.len()), "{length} bytes: {answer:?}");
    if !answer.body.is_empty() {
        answer.is_in_order();
    }
    Some(answer)
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..])
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a problem; what the HTTP library has refused has none.
    pub fn code(&self) -> Option<String> {
        (!self.body.is_empty() && self.status >= 400)
            .then(|| self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Every answer of the API itself says what it is, and is kept by nobody; what was not done is a problem that says why.
    fn is_in_order(&self) {
        assert_eq!(self.field("cache-control"), Some("no-store"), "{self:?}");
        match self.field("content-type") {
            Some("application/json") => _ = self.json(),
            Some("application/problem+json") => {
                let problem = self.json();
                assert_eq!(problem["status"], self.status, "{problem}");
                let said =
                    |name: &str| problem[name].as_str().is_some_and(|text| !text.is_empty() && text.len() < 4096);
                assert!(said("code") && said("detail") && said("title"), "{problem}");
                assert!(!self.is_done() && self.status != 500, "{problem}");
            }
            other => assert!(self.is_done() && other.is_some_and(|kind| kind.starts_with("text/plain")), "{self:?}"),
        }
    }
}
