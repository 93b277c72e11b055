//! A request as the engine itself judges it, without the C API: what that API has to answer.
//!
//! What is told before a phase runs is kept until it does; a phase that is left out runs before the next one (`modsecurity.h`).

use fusewall::rule::Phase;
use fusewall::{Interruption, InterruptionAction, Step, Transaction, Waf};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The status where a connection should be closed, which no host of the API can do.
const DROPPED: u16 = 403;

/// How a request is refused: the status, and where a redirect leads to.
pub type Refusal = (u16, Option<Vec<u8>>);

/// A request and its response.
pub struct Direct {
    waf: Waf,
    id: Option<String>,
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    line: [Vec<u8>; 3],
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    response_headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// From phase 1 on.
    transaction: Option<Transaction>,
    /// The phase that ran last.
    reached: u8,
    /// Bytes that came of the request body, and whether a file was named for it.
    body: (u64, bool),
    /// It is known why the body is shorter than announced.
    body_ended: bool,
    passes_response_body: bool,
    refusal: Option<Refusal>,
    told: bool,
    /// Records that were looked at, and whether the one that refuses was among them.
    seen: (usize, bool),
    /// Rules whose matches the log was to be told of, since somebody has asked.
    logged: Vec<u64>,
}

impl Direct {
    pub fn new(waf: Waf, id: Option<String>) -> Direct {
        let nowhere = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Direct {
            waf,
            id,
            client: nowhere,
            server: nowhere,
            line: Default::default(),
            headers: Vec::new(),
            response_headers: Vec::new(),
            transaction: None,
            reached: 0,
            body: (0, false),
            body_ended: false,
            passes_response_body: false,
            refusal: None,
            told: false,
            seen: (0, false),
            logged: Vec::new(),
        }
    }

    fn is_before(&self, phase: Phase) -> bool {
        self.reached < phase.number()
    }

    pub fn connection(&mut self, client: (Option<&[u8]>, i32), server: (Option<&[u8]>, i32)) -> bool {
        if !self.is_before(Phase::RequestHeaders) {
            return false;
        }
        let (client, server) = (end(client), end(server));
        self.client = client.unwrap_or(self.client);
        self.server = server.unwrap_or(self.server);
        client.is_some() && server.is_some()
    }

    pub fn uri(&mut self, target: Option<&[u8]>, method: Option<&[u8]>, version: Option<&[u8]>) -> bool {
        let Some(target) = target.filter(|_| self.is_before(Phase::RequestHeaders)) else { return false };
        self.line = [method.unwrap_or_default().to_vec(), target.to_vec(), protocol(version)];
        true
    }

    pub fn request_header(&mut self, name: Option<&[u8]>, value: Option<&[u8]>) -> bool {
        let (true, Some(name), Some(value)) = (self.is_before(Phase::RequestHeaders), name, value) else {
            return false;
        };
        self.headers.push((name.to_vec(), value.to_vec()));
        true
    }

    pub fn request_headers(&mut self) -> bool {
        let in_time = self.is_before(Phase::RequestHeaders);
        if in_time {
            self.begun();
        }
        in_time
    }

    pub fn request_body(&mut self, piece: Option<&[u8]>) -> bool {
        let Some(piece) = piece.filter(|_| self.is_before(Phase::RequestBody)) else { return false };
        if !self.begun().inspects_request_body() {
            return true;
        }
        self.body.0 += piece.len() as u64;
        let transaction = self.begun();
        let before = transaction.request_body().len();
        let refused = transaction.write_request_body(piece);
        let cut = transaction.request_body().len() - before < piece.len();
        self.body_ended |= cut || refused.is_some();
        let done = refused.is_some() || !cut;
        self.remember(refused);
        done
    }

    pub fn request_body_file(&mut self, path: Option<&Path>) -> bool {
        if !self.is_before(Phase::RequestBody) {
            return false;
        }
        if !self.begun().inspects_request_body() {
            return true;
        }
        self.body.1 = true;
        match path.and_then(|path| fs::read(path).ok()) {
            Some(body) => body.is_empty() || self.request_body(Some(&body)),
            None => {
                self.fail("The file of the request body cannot be read.");
                false
            }
        }
    }

    pub fn request_body_end(&mut self) -> bool {
        if !self.is_before(Phase::RequestBody) {
            return false;
        }
        let named = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(b"content-length");
        let announced = self.headers.iter().find(named).and_then(|(_, value)| str::from_utf8(value).ok());
        let announced: u64 = announced.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        let inspected = self.begun().inspects_request_body();
        let begun = self.body.0 > 0 || self.body.1;
        if inspected && begun && !self.body_ended && self.refusal.is_none() && self.body.0 < announced {
            self.fail("The request body is shorter than Content-Length says.");
        }
        self.run(Phase::RequestBody);
        true
    }

    pub fn response_header(&mut self, name: Option<&[u8]>, value: Option<&[u8]>) -> bool {
        let (true, Some(name), Some(value)) = (self.is_before(Phase::ResponseHeaders), name, value) else {
            return false;
        };
        self.response_headers.push((name.to_vec(), value.strip_suffix(b"\0").unwrap_or(value).to_vec()));
        true
    }

    pub fn response_headers(&mut self, status: i32, version: Option<&[u8]>) -> bool {
        let (true, Ok(status)) = (self.is_before(Phase::ResponseHeaders), u16::try_from(status)) else { return false };
        let headers = std::mem::take(&mut self.response_headers);
        let transaction = self.begun();
        headers.iter().for_each(|(name, value)| transaction.add_response_header(name, value));
        transaction.set_response_status(status, &protocol(version));
        self.run(Phase::ResponseHeaders);
        self.passes_response_body = !self.begun().inspects_response_body();
        true
    }

    pub fn response_body(&mut self, piece: Option<&[u8]>) -> bool {
        let Some(piece) = piece.filter(|_| self.is_before(Phase::ResponseBody)) else { return false };
        if self.passes_response_body {
            return true;
        }
        let transaction = self.begun();
        let before = transaction.response_body().len();
        let refused = transaction.write_response_body(piece);
        let done = refused.is_some() || transaction.response_body().len() - before == piece.len();
        self.remember(refused);
        done
    }

    pub fn response_body_end(&mut self) -> bool {
        self.phase(Phase::ResponseBody)
    }

    pub fn logging(&mut self) -> bool {
        self.phase(Phase::Logging)
    }

    fn phase(&mut self, phase: Phase) -> bool {
        let in_time = self.is_before(phase);
        if in_time {
            self.begun();
            self.run(phase);
        }
        in_time
    }

    /// A refusal that nobody was told of yet.
    pub fn intervention(&mut self) -> Option<Refusal> {
        let refusal = self.refusal.clone().filter(|_| !self.told);
        self.told |= refusal.is_some();
        refusal
    }

    /// The bodies as far as they were inspected.
    pub fn bodies(&self) -> (usize, Vec<u8>) {
        let Some(transaction) = &self.transaction else { return Default::default() };
        (transaction.request_body().len(), transaction.response_body().to_vec())
    }

    /// The rules of the lines that the log was told since this was asked.
    pub fn logged(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.logged)
    }

    /// The transaction; phase 1 runs with what was told if it has not yet.
    fn begun(&mut self) -> &mut Transaction {
        if self.transaction.is_none() {
            let mut transaction = match &self.id {
                Some(id) => self.waf.transaction_with_id(id),
                None => self.waf.transaction(),
            };
            transaction.process_connection(self.client.0, self.client.1, self.server.0, self.server.1);
            transaction.process_request_line(&self.line[0], &self.line[1], &self.line[2]);
            self.headers.iter().for_each(|(name, value)| transaction.add_request_header(name, value));
            self.transaction = Some(transaction);
            self.run(Phase::RequestHeaders);
        }
        self.transaction.as_mut().expect("it was made")
    }

    fn run(&mut self, phase: Phase) {
        self.reached = phase.number();
        let Some(transaction) = &mut self.transaction else { return };
        transaction.start(phase);
        let ended = loop {
            if let Step::Done(ended) = transaction.step(u64::MAX) {
                break ended;
            }
        };
        for record in transaction.logged_records(self.seen.0) {
            // The match that refuses is for the intervention to tell.
            if record.action.is_some() && !self.seen.1 {
                self.seen.1 = true;
            } else {
                self.logged.push(record.rule.0);
            }
        }
        self.seen.0 = transaction.records().len();
        self.remember(ended);
    }

    fn fail(&mut self, why: &'static str) {
        self.body_ended = true;
        self.begun().fail_request_body(why);
    }

    /// The first refusal stays.
    fn remember(&mut self, ended: Option<Interruption>) {
        let Some(Interruption { action, status, .. }) = ended else { return };
        self.refusal.get_or_insert(match action {
            InterruptionAction::Deny => (status, None),
            InterruptionAction::Drop => (DROPPED, None),
            InterruptionAction::Redirect(location) => (status, Some(location)),
            other => panic!("no host knows what {other:?} is"),
        });
    }
}

/// An end of a connection, if it has an address.
fn end((address, port): (Option<&[u8]>, i32)) -> Option<(IpAddr, u16)> {
    let address = str::from_utf8(address?).ok()?.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some((address, u16::try_from(port).unwrap_or(0)))
}

/// A version as `HTTP/1.1`, of that, of `1.1`, or of `HTTP 1.1`.
fn protocol(version: Option<&[u8]>) -> Vec<u8> {
    let version = version.unwrap_or_default();
    let number = version.strip_prefix(b"HTTP/").or_else(|| version.strip_prefix(b"HTTP "));
    match number {
        Some(number) => [b"HTTP/", number].concat(),
        None if version.first().is_some_and(u8::is_ascii_digit) => [b"HTTP/", version].concat(),
        None => version.to_vec(),
    }
}
