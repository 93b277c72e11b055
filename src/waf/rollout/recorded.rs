//! What was told of an exchange, so that another ruleset can be asked about it afterwards.

use crate::engine;
use std::net::IpAddr;

/// A request, and the response if there was one, as a host tells them.
///
/// ```
/// use fusewall::Recorded;
/// let mut request = Recorded::new("203.0.113.7".parse().unwrap());
/// request.line(b"GET", b"/?q=1", b"HTTP/1.1");
/// request.header(b"Host", b"www.example");
/// assert!(request.bytes() > 20);
/// ```
#[derive(Debug, Clone)]
pub struct Recorded {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    response: Option<Response>,
}

#[derive(Debug, Clone, Default)]
struct Response {
    /// `None`: the head was not complete.
    status: Option<u16>,
    version: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Recorded {
    /// Of this client, with nothing told yet.
    pub fn new(client: IpAddr) -> Recorded {
        Recorded::between((client, 0), (IpAddr::from([127, 0, 0, 1]), 80))
    }

    pub(super) fn between(client: (IpAddr, u16), server: (IpAddr, u16)) -> Recorded {
        Recorded {
            client,
            server,
            method: Vec::new(),
            target: Vec::new(),
            version: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            response: None,
        }
    }

    /// Method, target and version as they were received.
    pub fn line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.method = method.to_vec();
        self.target = target.to_vec();
        self.version = version.to_vec();
    }

    /// A header field of the request.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.headers.push((name.to_vec(), value.to_vec()));
    }

    /// A piece of the request body.
    pub fn body(&mut self, chunk: &[u8]) {
        self.body.extend_from_slice(chunk);
    }

    /// A header field of the response.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.response.get_or_insert_default().headers.push((name.to_vec(), value.to_vec()));
    }

    /// Status and version of the response.
    pub fn response(&mut self, status: u16, version: &[u8]) {
        let response = self.response.get_or_insert_default();
        response.status = Some(status);
        response.version = version.to_vec();
    }

    /// A piece of the response body.
    pub fn response_body(&mut self, chunk: &[u8]) {
        if let Some(response) = &mut self.response {
            response.body.extend_from_slice(chunk);
        }
    }

    /// The memory that it takes, about.
    pub fn bytes(&self) -> usize {
        // A pair of vectors beside what they hold.
        let fields = |fields: &[(Vec<u8>, Vec<u8>)]| -> usize {
            fields.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<Vec<u8>>()).sum()
        };
        let response = self.response.as_ref().map_or(0, |response| fields(&response.headers) + response.body.len());
        let line = self.method.len() + self.target.len() + self.version.len();
        size_of::<Recorded>() + line + fields(&self.headers) + self.body.len() + response
    }

    /// Takes it through the phases that it has, up to an interruption, and phase 5.
    pub(super) fn replay(&self, tx: &mut engine::Transaction) {
        tx.process_connection(self.client.0, self.client.1, self.server.0, self.server.1);
        tx.process_request_line(&self.method, &self.target, &self.version);
        for (name, value) in &self.headers {
            tx.add_request_header(name, value);
        }
        let passed = tx.process_request_headers().is_none()
            && tx.write_request_body(&self.body).is_none()
            && tx.process_request_body().is_none();
        if passed
            && let Some(response) = &self.response
            && let Some(status) = response.status
        {
            for (name, value) in &response.headers {
                tx.add_response_header(name, value);
            }
            if tx.process_response_headers(status, &response.version).is_none()
                && tx.write_response_body(&response.body).is_none()
            {
                tx.process_response_body();
            }
        }
        tx.process_logging();
    }
}
