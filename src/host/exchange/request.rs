//! Phases 1 and 2: the request's head and body.

use super::{Chunk, Exchange, Refusal, RequestHead, Uninspected, Unread};
use crate::rule::{EngineMode, Phase};

impl Exchange {
    /// The request's head is here: starts phase 1.
    pub fn begin(&mut self, head: &RequestHead) {
        self.tx.process_request_line(&head.method, &head.target, &head.version);
        for (name, value) in &head.headers {
            self.tx.add_request_header(name, value);
        }
        self.start(Phase::RequestHeaders);
    }

    /// After phase 1, before the body: whether the body's coding alone is a reason to refuse (415).
    pub fn check_coding(&mut self, head: &RequestHead) -> Option<Refusal> {
        let coded = self.tx.decodes(head.values("content-encoding")).is_err();
        if !coded || !self.tx.inspects_request_body() {
            return None;
        }
        match self.coded_policy() {
            Unread::Refuse => Some(self.refuse(415)),
            Unread::Pass => {
                self.skipped(Uninspected::RequestBodyCoded);
                None
            }
        }
    }

    /// What becomes of bodies whose codings cannot be undone: an engine that only watches refuses nothing.
    pub(super) fn coded_policy(&self) -> Unread {
        if self.tx.mode() == EngineMode::On { self.policy.coded } else { Unread::Pass }
    }

    /// Whether the engine wants the request body. If not, it may be streamed after phase 2.
    pub fn inspects_request_body(&self) -> bool {
        self.tx.inspects_request_body()
    }

    /// A chunk of the request body.
    pub fn request_body_chunk(&mut self, chunk: &[u8]) -> Chunk {
        let before = self.tx.request_body().len();
        let interruption = self.tx.write_request_body(chunk);
        let taken = self.tx.request_body().len().saturating_sub(before);
        if let Some(refusal) = self.remember(interruption) {
            return Chunk::Refused(refusal);
        }
        if taken < chunk.len() {
            self.skipped(Uninspected::RequestBodyRest);
            return Chunk::Cut(taken);
        }
        Chunk::Taken
    }

    /// The host could not read the request body, or not all of it: rules see REQBODY_ERROR with `why` as its message.
    pub fn fail_request_body(&mut self, why: &'static str) {
        self.tx.fail_request_body(why);
    }

    /// The request body is complete, or as complete as it gets: starts phase 2.
    pub fn end_request_body(&mut self) {
        self.start(Phase::RequestBody);
    }

    /// What was inspected of the request body: what goes upstream is made from this.
    pub fn request_body(&self) -> &[u8] {
        self.tx.request_body()
    }
}
