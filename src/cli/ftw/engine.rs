//! The real engine behind the calls that the runner makes.

use super::exchange::{Engine, Record, Transaction};
use crate::waf::{self, Waf};
use std::net::IpAddr;

impl Engine for Waf {
    fn transaction(&self) -> Box<dyn Transaction + '_> {
        Box::new(Waf::transaction(self))
    }
}

impl Transaction for waf::Transaction {
    fn connection(&mut self, client: (IpAddr, u16), server: (IpAddr, u16)) {
        self.process_connection(client.0, client.1, server.0, server.1);
    }

    fn request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.process_request_line(method, target, version);
    }

    fn request_header(&mut self, name: &[u8], value: &[u8]) {
        self.add_request_header(name, value);
    }

    fn request_headers(&mut self) -> Option<u16> {
        self.process_request_headers().map(|interruption| interruption.status)
    }

    fn write_request_body(&mut self, bytes: &[u8]) -> Option<u16> {
        waf::Transaction::write_request_body(self, bytes).map(|interruption| interruption.status)
    }

    fn request_body(&mut self) -> Option<u16> {
        self.process_request_body().map(|interruption| interruption.status)
    }

    fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.add_response_header(name, value);
    }

    fn response_headers(&mut self, status: u16, version: &[u8]) -> Option<u16> {
        self.process_response_headers(status, version).map(|interruption| interruption.status)
    }

    fn write_response_body(&mut self, bytes: &[u8]) -> Option<u16> {
        waf::Transaction::write_response_body(self, bytes).map(|interruption| interruption.status)
    }

    fn response_body(&mut self) -> Option<u16> {
        self.process_response_body().map(|interruption| interruption.status)
    }

    fn logging(&mut self) {
        self.process_logging();
    }

    fn records(&self) -> Vec<Record> {
        let logged = waf::Transaction::records(self).iter().filter(|record| record.log);
        logged.map(|record| Record { rule: record.rule.0, line: record.error_log_line() }).collect()
    }
}
