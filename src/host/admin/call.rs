//! A request as handlers get it, and what they answer.

use super::peers::Peer;
use super::problem::Problem;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request that its route has let in: its caller has the role, its body has the size.
pub(super) struct Call {
    pub(super) peer: Peer,
    /// What stands in the place of `{...}` in the path, decoded.
    pub(super) name: String,
    pub(super) head: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// The body, as JSON of this form and no other.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = if self.body.is_empty() { b"{}" } else { &self.body[..] };
        serde_json::from_slice(body).map_err(|wrong| Problem::new(400, "body", format!("the JSON body: {wrong}")))
    }
}

/// What a handler answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) media_type: &'static str,
    pub(super) body: Vec<u8>,
    /// What was changed, for the log; nothing if nothing was.
    pub(super) did: Option<String>,
    /// For `Allow`.
    pub(super) allow: Option<String>,
}

impl Answer {
    /// 200 and JSON.
    pub(super) fn json(value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Answer { status: StatusCode::OK, media_type: "application/json", body, did: None, allow: None }
    }

    /// 200 and something else.
    pub(super) fn other(media_type: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status: StatusCode::OK, media_type, body: body.into(), did: None, allow: None }
    }

    /// The same with another status.
    pub(super) fn status(self, status: StatusCode) -> Answer {
        Answer { status, ..self }
    }

    /// The same, and the log says what was done.
    pub(super) fn did(self, what: impl Into<String>) -> Answer {
        Answer { did: Some(what.into()), ..self }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Answer {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Answer::json(&problem).status(status);
        Answer { media_type: "application/problem+json", allow: problem.allow.map(String::from), ..answer }
    }
}
