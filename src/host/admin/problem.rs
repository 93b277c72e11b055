//! Errors, as RFC 9457 has them: `application/problem+json`. `code` is stable, `detail` is for people and says what was expected.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Problem {
    /// There is no page for each kind of problem: RFC 9457, section 4.2.1.
    r#type: &'static str,
    title: &'static str,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) detail: String,
    /// Further members: numbers that a program goes by.
    #[serde(flatten)]
    more: Map<String, Value>,
    /// For `Allow`.
    #[serde(skip)]
    pub(super) allow: Option<Box<str>>,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Problem {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
        Problem { r#type: "about:blank", title, status, code, detail: detail.into(), more: Map::new(), allow: None }
    }

    /// The same with one more member.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Problem {
        self.more.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Another method was meant.
    pub(super) fn wrong_method(method: &str, allowed: &[&str]) -> Problem {
        let allow = allowed.join(", ");
        let detail = format!("{method} is not one of the methods here: {allow}");
        Problem { allow: Some(allow.into()), ..Problem::new(405, "method", detail) }
    }
}
