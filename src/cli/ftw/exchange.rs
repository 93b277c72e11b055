//! One connection: the bytes of a stage through the front end, the engine and the backend.

use std::net::{IpAddr, Ipv4Addr};

use super::backend::{self, Response};
use super::suite::Input;
use crate::host::http1::{BodyDecoder, Head, HeadLimits, Parsed, Refused, cut_short, parse_head};

/// The address that requests come from: one of the documentation block, because rules treat the machine itself specially.
const CLIENT: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 40_000);

/// The engine under test.
pub trait Engine: Sync {
    /// A new transaction.
    fn transaction(&self) -> Box<dyn Transaction + '_>;
}

/// A transaction of the engine: the calls that a host makes, in order. Those that end a phase answer with a status if the rules
/// want the transaction to end.
pub trait Transaction {
    /// The two ends of the connection.
    fn connection(&mut self, client: (IpAddr, u16), server: (IpAddr, u16));
    /// The request line.
    fn request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]);
    /// A request header.
    fn request_header(&mut self, name: &[u8], value: &[u8]);
    /// Phase 1.
    fn request_headers(&mut self) -> Option<u16>;
    /// A piece of the request body.
    fn write_request_body(&mut self, bytes: &[u8]) -> Option<u16>;
    /// Phase 2.
    fn request_body(&mut self) -> Option<u16>;
    /// A response header.
    fn response_header(&mut self, name: &[u8], value: &[u8]);
    /// Phase 3.
    fn response_headers(&mut self, status: u16, version: &[u8]) -> Option<u16>;
    /// A piece of the response body.
    fn write_response_body(&mut self, bytes: &[u8]) -> Option<u16>;
    /// Phase 4.
    fn response_body(&mut self) -> Option<u16>;
    /// Phase 5.
    fn logging(&mut self);
    /// What was logged, in order.
    fn records(&self) -> Vec<Record>;
}

/// A line of the error log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The rule that wrote it.
    pub rule: u64,
    /// The line as it is emitted.
    pub line: String,
}

/// What came of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The first response.
    pub response: Response,
    /// Whether it has a head. The answer to a request without a version has none (HTTP/0.9), which a client takes for an error.
    pub has_head: bool,
    /// Why the front end refused the first request, if it did.
    pub refused: Option<&'static str>,
    /// The log of all requests of the connection.
    pub records: Vec<Record>,
}

/// Sends bytes over a connection and reads the first response. Further requests in the bytes are served too, as long as the
/// connection would be kept.
pub fn run(engine: &dyn Engine, input: &Input, bytes: &[u8]) -> Outcome {
    let limits = HeadLimits::default();
    let mut records = Vec::new();
    let mut first: Option<(Response, bool, Option<&'static str>)> = None;
    let mut rest = bytes;
    loop {
        let parsed = match parse_head(rest, &limits) {
            Ok(Parsed::Complete { head, consumed }) => Ok((head, consumed)),
            Ok(Parsed::Partial) if rest.is_empty() && first.is_some() => break,
            Ok(Parsed::Partial) => Err(cut_short(rest, &limits)),
            Err(refused) => Err(refused),
        };
        let mut tx = engine.transaction();
        let mut kept = false;
        let answer = match parsed {
            Ok((head, consumed)) => {
                rest = &rest[consumed..];
                begin(&mut *tx, input, &head);
                let (response, refused, taken) = serve(&mut *tx, &head, rest);
                rest = &rest[taken..];
                kept = head.keep_alive && response.status < 400 && refused.is_none();
                (response, true, refused)
            }
            Err(refused) => {
                begin(&mut *tx, input, &refused.head);
                let response = refuse(&mut *tx, &refused);
                (response, !refused.head.is_simple(), Some(refused.reason))
            }
        };
        tx.logging();
        records.extend(tx.records());
        first.get_or_insert(answer);
        if !kept || rest.is_empty() {
            break;
        }
    }
    // The loop answers at least once before it ends.
    let (response, has_head, refused) = first.unwrap_or((error_page(400), true, None));
    Outcome { response, has_head, refused, records }
}

fn begin(tx: &mut dyn Transaction, input: &Input, head: &Head) {
    let address = input.dest_addr.as_deref().and_then(|address| address.parse().ok());
    tx.connection(CLIENT, (address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), input.port.unwrap_or(80)));
    tx.request_line(&head.method, &head.target, &head.version);
    for (name, value) in &head.headers {
        tx.request_header(name, value);
    }
}

/// Phases 1 to 4 of a request whose head is good. Yields the response, why the body was refused, and the bytes of the body.
fn serve(tx: &mut dyn Transaction, head: &Head, bytes: &[u8]) -> (Response, Option<&'static str>, usize) {
    if let Some(status) = tx.request_headers() {
        return (error_page(status), None, 0);
    }
    let mut body = Vec::new();
    let (taken, refused) = match BodyDecoder::new(head.framing).decode(bytes, &mut body) {
        Ok((taken, true)) => (taken, None),
        Ok((taken, false)) => (taken, Some((408, "the body of the request never ended"))),
        Err(refused) => (bytes.len(), Some((refused.status, refused.reason))),
    };
    // What arrived of a refused body is inspected all the same.
    if let Some(status) = tx.write_request_body(&body).or_else(|| tx.request_body()) {
        return (error_page(status), None, taken);
    }
    let response = match refused {
        Some((status, _)) => error_page(status),
        None if !head.is_http1() => error_page(505),
        None => backend::answer(head, &body),
    };
    (respond(tx, response), refused.map(|(_, reason)| reason), taken)
}

/// Phases 1 to 4 of a request that the front end refuses.
fn refuse(tx: &mut dyn Transaction, refused: &Refused) -> Response {
    match tx.request_headers().or_else(|| tx.request_body()) {
        Some(status) => error_page(status),
        None => respond(tx, error_page(refused.status)),
    }
}

/// Phases 3 and 4.
fn respond(tx: &mut dyn Transaction, response: Response) -> Response {
    for (name, value) in &response.headers {
        tx.response_header(name.as_bytes(), value.as_bytes());
    }
    let stopped = tx
        .response_headers(response.status, b"HTTP/1.1")
        .or_else(|| tx.write_response_body(&response.body))
        .or_else(|| tx.response_body());
    stopped.map_or(response, error_page)
}

fn error_page(status: u16) -> Response {
    Response::new(status, Vec::new(), Vec::new())
}
