//! The crate zentinel-modsec through its library.

mod dialect;

use super::{Engine, Verdict};
use crate::requests::Request;
use anyhow::Context;
use std::path::Path;
use zentinel_modsec::ModSecurity;

/// The engine with its requests.
pub struct Zentinel {
    rules: ModSecurity,
    requests: Vec<(Request, String)>,
}

impl Zentinel {
    /// Loads the rules, as far as it can express them. The working directory is the data files' for as long as that takes.
    ///
    /// # Errors
    /// Rules that it refuses.
    pub fn load(rules: &Path) -> anyhow::Result<Zentinel> {
        let folder = tempfile::tempdir()?;
        let translation = dialect::translate(rules, folder.path())?;
        let path = translation.entry.to_str().context("a path that is not UTF-8")?;
        let home = std::env::current_dir()?;
        if let Some(data) = &translation.data {
            std::env::set_current_dir(data)?;
        }
        let rules = ModSecurity::from_file(path);
        std::env::set_current_dir(home)?;
        let rules = rules?;
        for variable in translation.left_out {
            eprintln!("zentinel-modsec: a rule about {variable} is left out");
        }
        Ok(Zentinel { rules, requests: Vec::new() })
    }
}

impl Engine for Zentinel {
    fn version(&self) -> String {
        format!("zentinel-modsec {}", super::locked("zentinel-modsec"))
    }

    fn take(&mut self, request: &Request) -> anyhow::Result<usize> {
        self.requests.push((request.clone(), request.client.to_string()));
        Ok(self.requests.len() - 1)
    }

    fn evaluate(&mut self, index: usize) -> anyhow::Result<Verdict> {
        let (request, client) = self.requests.get(index).context("no such request")?;
        let mut transaction = self.rules.new_transaction();
        transaction.set_client_addr(client, 40_000);
        transaction.set_server_addr("127.0.0.1", 80);
        transaction.process_uri(&request.uri, &request.method, &request.version)?;
        for (name, value) in &request.headers {
            transaction.add_request_header(name, value)?;
        }
        transaction.process_request_headers()?;
        if !transaction.has_intervention() {
            transaction.append_request_body(&request.body)?;
            transaction.process_request_body()?;
        }
        Ok(transaction.intervention().map(|intervention| intervention.status))
    }
}
