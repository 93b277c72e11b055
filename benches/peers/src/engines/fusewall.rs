//! Fusewall through its library.

use super::{Engine, Verdict};
use crate::requests::Request;
use anyhow::Context;
use fusewall::Waf;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The engine with its requests; they need no other form.
pub struct Fusewall {
    waf: Waf,
    requests: Vec<Request>,
}

impl Fusewall {
    /// Loads the rules with default limits.
    ///
    /// # Errors
    /// Rules with errors.
    pub fn load(rules: &Path) -> anyhow::Result<Fusewall> {
        let waf = Waf::builder().rules_path(rules).build();
        let waf = waf.map_err(|report| anyhow::anyhow!("{}", report.without_notes().render(false)))?;
        Ok(Fusewall { waf, requests: Vec::new() })
    }
}

impl Engine for Fusewall {
    fn version(&self) -> String {
        format!("Fusewall {}", super::locked("fusewall"))
    }

    fn take(&mut self, request: &Request) -> anyhow::Result<usize> {
        self.requests.push(request.clone());
        Ok(self.requests.len() - 1)
    }

    fn evaluate(&mut self, index: usize) -> anyhow::Result<Verdict> {
        let request = self.requests.get(index).context("no such request")?;
        let mut transaction = self.waf.transaction();
        transaction.process_connection(request.client, 40_000, IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        transaction.process_request_line(request.method.as_bytes(), request.uri.as_bytes(), request.version.as_bytes());
        for (name, value) in &request.headers {
            transaction.add_request_header(name.as_bytes(), value.as_bytes());
        }
        let mut ended = transaction.process_request_headers();
        if ended.is_none() {
            ended = transaction.write_request_body(&request.body);
        }
        if ended.is_none() {
            ended = transaction.process_request_body();
        }
        // libmodsecurity writes a line for every match that logs, whether or not anybody reads it: so do we.
        std::hint::black_box(transaction.error_log_lines(0));
        Ok(ended.map(|interruption| interruption.status))
    }
}
