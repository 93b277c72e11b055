//! The audit record of a transaction: plain data, already free of what rules hide, and its two written forms.
//!
//! [`AuditRecord::to_json`] writes the layout of ModSecurity v3 with an object of our own, `budget`; [`AuditRecord::to_native`]
//! the sections of ModSecurity v2. Both are valid UTF-8 without a terminal's control sequences whatever bytes came in, and
//! neither grows over [`AuditRecord::limit`]. `docs/audit-log.md` describes them.

mod data;
mod index;
mod json;
mod native;
mod text;
mod time;

pub use data::{AuditBody, AuditBudget, AuditEnd, AuditFile, AuditRecord, AuditRequest, AuditResponse, SanitisedNames};
pub use time::CivilTime;

/// Who has made a record.
const PRODUCER: &str = concat!("Fusewall/", env!("CARGO_PKG_VERSION"));
/// A record without any text of the exchange is shorter than this.
const LEAST: usize = 4096;

/// Bytes of each body and each other text, and members of each list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    body: usize,
    text: usize,
    items: usize,
}

/// Writes with less and less room until the result fits into `limit`: bodies give way first, then all texts and lists.
fn fit(limit: usize, write: impl Fn(Room) -> String) -> String {
    let limit = limit.max(LEAST);
    let mut room = Room { body: limit, text: limit, items: usize::MAX };
    loop {
        let written = write(room);
        if written.len() <= limit || room.text == 0 {
            return written;
        }
        if room.body > 0 {
            room.body = if room.body < 64 { 0 } else { room.body / 2 };
        } else {
            room.text = if room.text < 64 { 0 } else { room.text / 2 };
            room.items = room.text / 32;
        }
    }
}

/// Form fields as a urlencoded body.
fn form_body(form: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in form {
        if !body.is_empty() {
            body.push(b'&');
        }
        encode(name, &mut body);
        body.push(b'=');
        encode(value, &mut body);
    }
    body
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}
