//! What passes without inspection. It is counted and logged, never silent.

use super::Exchange;

/// Why the traffic of an exchange was not inspected in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Uninspected {
    /// The request body was longer than its limit; the rest was passed on.
    RequestBodyRest,
    /// The request body has a content coding that is not decoded.
    RequestBodyCoded,
    /// The response body was longer than its limit; the rest was passed on.
    ResponseBodyRest,
    /// The response body has a content coding that is not decoded.
    ResponseBodyCoded,
    /// Bytes after an upgrade (a WebSocket).
    Tunnel,
    /// The host was not told of the response, or has not kept its request so long.
    Response,
}

impl Uninspected {
    /// A short name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Uninspected::RequestBodyRest => "request-body-rest",
            Uninspected::RequestBodyCoded => "request-body-coded",
            Uninspected::ResponseBodyRest => "response-body-rest",
            Uninspected::ResponseBodyCoded => "response-body-coded",
            Uninspected::Tunnel => "tunnel",
            Uninspected::Response => "response",
        }
    }
}

impl Exchange {
    /// Notes that something passes without inspection.
    pub fn skipped(&mut self, what: Uninspected) {
        if !self.uninspected.contains(&what) {
            self.uninspected.push(what);
            self.tx.note_uninspected(what.name());
        }
    }

    /// What passed without inspection because the host let it.
    pub fn uninspected(&self) -> &[Uninspected] {
        &self.uninspected
    }

    /// The names of everything that passed without inspection, for the log: what the host let pass, and what the engine could
    /// not look at in an exchange that was not refused.
    pub fn passed_unseen(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.uninspected.iter().map(|what| what.name()).collect();
        if self.refusal.is_none() {
            for &name in self.tx.uninspected() {
                // A body over its limit is among the host's own already.
                if !names.contains(&name) && !name.ends_with("body over the limit") {
                    names.push(name);
                }
            }
        }
        names
    }
}
