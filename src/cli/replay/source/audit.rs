//! Audit logs of ModSecurity: JSON or native, serial.

use super::{Sink, audit_json, audit_native};
use std::io::BufRead;

/// Which form an audit log has.
enum Audit {
    /// A JSON object a line.
    Json,
    /// Sections between boundaries.
    Native,
}

impl Audit {
    /// By the first byte that is no white space.
    fn of(input: &mut impl BufRead) -> std::io::Result<Audit> {
        loop {
            let bytes = input.fill_buf()?;
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            match bytes.get(blank) {
                Some(b'{') => return Ok(Audit::Json),
                Some(_) => return Ok(Audit::Native),
                None if bytes.is_empty() => return Ok(Audit::Native),
                None => input.consume(blank),
            }
        }
    }
}

pub(super) fn read(mut input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    match Audit::of(&mut input)? {
        Audit::Json => audit_json::read(input, sink),
        Audit::Native => audit_native::read(input, sink),
    }
}

/// The number in `[id "..."]` of a message.
pub(super) fn rule_id(message: &str) -> Option<u64> {
    let (_, behind) = message.split_once("[id \"")?;
    behind.split('"').next()?.parse().ok()
}
