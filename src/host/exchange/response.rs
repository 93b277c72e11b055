//! Phases 3 and 4: the response's head and body.

use super::{Chunk, Exchange, Uninspected};
use crate::rule::Phase;

/// When the response body may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponsePlan {
    /// At once: it is not inspected.
    Pass,
    /// After the phase-4 verdict on it, or on as much of it as the limit admits.
    Hold,
    /// At once, and each chunk is shown to the engine on the way; a refusal comes too late for a page and cuts the connection. Event streams.
    Watch,
}

impl Exchange {
    /// Whether the engine may want the response body, once its head is known.
    pub fn may_inspect_response_body(&self) -> bool {
        self.tx.response_body_access()
    }

    /// The response's head is here: starts phase 3.
    pub fn response<'h>(
        &mut self,
        status: u16,
        version: &[u8],
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
    ) {
        for (name, value) in headers {
            self.tx.add_response_header(name, value);
        }
        self.tx.set_response_status(status, version);
        self.start(Phase::ResponseHeaders);
    }

    /// After phase 3: when the body may leave.
    pub fn response_plan(&mut self, content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> ResponsePlan {
        if !self.tx.inspects_response_body() {
            return ResponsePlan::Pass;
        }
        if self.tx.decodes(content_encoding).is_err() {
            self.skipped(Uninspected::ResponseBodyCoded);
        }
        let media_type = content_type.and_then(|value| value.split(|&byte| byte == b';').next()).unwrap_or_default();
        if media_type.trim_ascii().eq_ignore_ascii_case(b"text/event-stream") {
            ResponsePlan::Watch
        } else {
            ResponsePlan::Hold
        }
    }

    /// A chunk of the response body (plans [`Hold`](ResponsePlan::Hold) and [`Watch`](ResponsePlan::Watch)).
    pub fn response_body_chunk(&mut self, chunk: &[u8]) -> Chunk {
        let before = self.tx.response_body().len();
        let interruption = self.tx.write_response_body(chunk);
        let taken = self.tx.response_body().len().saturating_sub(before);
        if let Some(refusal) = self.remember(interruption) {
            return Chunk::Refused(refusal);
        }
        if taken < chunk.len() {
            self.skipped(Uninspected::ResponseBodyRest);
            return Chunk::Cut(taken);
        }
        Chunk::Taken
    }

    /// The response body is complete, or as much of it as is inspected: starts phase 4.
    pub fn end_response_body(&mut self) {
        self.start(Phase::ResponseBody);
    }

    /// What was inspected of the response body.
    pub fn response_body(&self) -> &[u8] {
        self.tx.response_body()
    }
}
