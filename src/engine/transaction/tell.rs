//! What the host tells: connection, request line, headers, bodies. Nothing is decided here but limits.

use super::Transaction;
use crate::engine::memory::Slice;
use crate::engine::prepare;
use crate::engine::verdict::{Interruption, Reason};
use crate::http::Kind;
use crate::meter::{Exhausted, Scope};
use crate::rule::{EngineMode, LimitAction, Phase, Variable};
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;

impl Transaction {
    /// The two ends of the connection.
    pub fn process_connection(&mut self, client: IpAddr, client_port: u16, server: IpAddr, server_port: u16) {
        for variable in [Variable::RemoteAddr, Variable::RemoteHost, Variable::UserAgentIp] {
            self.tell_shown(variable, &client);
        }
        self.tell_shown(Variable::RemotePort, &client_port);
        self.tell_shown(Variable::ServerAddr, &server);
        self.tell_shown(Variable::ServerPort, &server_port);
    }

    /// The request line: method, target and version as received. An empty version is HTTP/0.9.
    pub fn process_request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        let mut line = std::mem::take(&mut self.scratch.text);
        line.clear();
        line.extend_from_slice(method);
        line.push(b' ');
        line.extend_from_slice(target);
        if !version.is_empty() {
            line.push(b' ');
            line.extend_from_slice(version);
        }
        self.grant(line.len());
        self.tell(Variable::RequestLine, &line);
        self.scratch.text = line;
        self.tell(Variable::RequestMethod, method);
        self.tell(Variable::RequestUriRaw, target);
        self.tell(Variable::RequestProtocol, version);
    }

    /// A request header. Past the limits the header is left out and the transaction is flagged; it is refused when the
    /// rules enforce.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        self.add_header(Kind::RequestHeader, name, value);
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        self.add_header(Kind::ResponseHeader, name, value);
    }

    fn add_header(&mut self, kind: Kind, name: &[u8], value: &[u8]) {
        self.headers += 1;
        self.header_bytes += name.len() + value.len();
        let limits = &self.loaded.program().limits;
        let fits = self.headers <= limits.headers && self.header_bytes <= limits.header_bytes;
        if fits && self.scratch.memory.fields.push(kind, name, value).is_ok() {
            self.grant(name.len() + value.len());
        } else {
            self.scratch.flags.note("headers over the limit");
            if kind == Kind::RequestHeader {
                self.refuse(431, Reason::HeaderLimit, Phase::RequestHeaders);
            }
        }
    }

    /// The response's status and protocol version.
    pub fn set_response_status(&mut self, status: u16, version: &[u8]) {
        self.tell_shown(Variable::ResponseStatus, &status);
        self.tell(Variable::ResponseProtocol, version);
        let mut line = std::mem::take(&mut self.scratch.text);
        line.clear();
        line.extend_from_slice(version);
        let _ = write!(line, " {status}");
        self.tell(Variable::StatusLine, &line);
        self.scratch.text = line;
    }

    /// Tells a fact as it is written.
    fn tell_shown(&mut self, variable: Variable, fact: &dyn Display) {
        let mut text = std::mem::take(&mut self.scratch.text);
        text.clear();
        let _ = write!(text, "{fact}");
        self.tell(variable, &text);
        self.scratch.text = text;
    }

    fn tell(&mut self, variable: Variable, text: &[u8]) {
        if prepare::keep(&mut self.scratch, variable, text).is_err() {
            self.exhausted(Exhausted { scope: Scope::Memory }, Phase::RequestHeaders);
        }
    }

    /// A piece of the request body. It is kept for phase 2; what comes later is not inspected.
    pub fn write_request_body(&mut self, chunk: &[u8]) -> Option<Interruption> {
        if !self.inspects_request_body() || self.has_begun(Phase::RequestBody) {
            if !chunk.is_empty() && self.scratch.state.mode != EngineMode::Off {
                self.scratch.flags.note("request body");
            }
            return self.interruption();
        }
        let limit = usize::try_from(self.scratch.state.request_body_limit).unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.scratch.memory.request_body.received.len());
        let taken = chunk.get(..room.min(chunk.len())).unwrap_or_default();
        self.scratch.memory.request_body.receive(taken, limit);
        self.grant(taken.len());
        if taken.len() < chunk.len() {
            self.scratch.memory.request_body.is_cut = true;
            self.request_body_over_limit();
        }
        self.interruption()
    }

    /// A piece of the response body. It is kept for phase 4 if [`inspects_response_body`](Self::inspects_response_body); what
    /// comes later is not inspected.
    pub fn write_response_body(&mut self, chunk: &[u8]) -> Option<Interruption> {
        if !self.inspects_response_body() {
            return self.interruption();
        }
        if self.has_begun(Phase::ResponseBody) {
            if !chunk.is_empty() {
                self.scratch.flags.note("response body");
            }
            return self.interruption();
        }
        let limit = usize::try_from(self.scratch.state.response_body_limit).unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.scratch.memory.response_body.received.len());
        let taken = chunk.get(..room.min(chunk.len())).unwrap_or_default();
        self.scratch.memory.response_body.receive(taken, limit);
        self.grant(taken.len());
        if taken.len() < chunk.len() {
            self.scratch.memory.response_body.is_cut = true;
            self.response_body_over_limit();
        }
        self.interruption()
    }

    /// The request body is longer than its limit, as it came or decoded.
    pub(super) fn request_body_over_limit(&mut self) {
        self.scratch.set_scalar(Variable::InboundDataError, Slice::Static(b"1"));
        self.scratch.flags.note("request body over the limit");
        if self.scratch.state.request_body_limit_action == LimitAction::Reject {
            self.refuse(413, Reason::BodyLimit, Phase::RequestBody);
        }
    }

    /// The response body is longer than its limit, as it came or decoded.
    pub(super) fn response_body_over_limit(&mut self) {
        self.scratch.set_scalar(Variable::OutboundDataError, Slice::Static(b"1"));
        self.scratch.flags.note("response body over the limit");
        if self.loaded.program().ruleset.settings.response_body_limit_action == LimitAction::Reject {
            self.refuse(500, Reason::BodyLimit, Phase::ResponseBody);
        }
    }
}
