//! The audit record of a transaction: plain data, already free of what rules hide, and its written forms.
//!
//! [`AuditRecord::to_json`] writes the layout of ModSecurity v3 with an object of our own, `budget`; [`AuditRecord::to_native`]
//! the sections of ModSecurity v2; [`AuditRecord::to_ocsf`] an event of the Open Cybersecurity Schema Framework. All are valid UTF-8 without a terminal's control sequences whatever bytes came in, and
//! none grows over [`AuditRecord::limit`]. `docs/audit-log.md` describes them.

mod data;
mod index;
mod json;
mod native;
mod ocsf;
mod text;
mod time;

pub use data::{AuditBody, AuditBudget, AuditEnd, AuditFile, AuditRecord, AuditRequest, AuditResponse, SanitisedNames};
pub use time::CivilTime;

use crate::rule::AuditFormat;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenForm {
    /// [`AuditRecord::to_json`]
    Json,
    /// [`AuditRecord::to_native`]
    Native,
    /// [`AuditRecord::to_ocsf`]: rules have no word for it, the host asks for it.
    Ocsf,
}

/// What `SecAuditLogFormat` asks for.
impl From<AuditFormat> for WrittenForm {
    fn from(format: AuditFormat) -> Self {
        match format {
            AuditFormat::Json => WrittenForm::Json,
            AuditFormat::Native => WrittenForm::Native,
        }
    }
}

impl AuditRecord {
    /// The record in one of its forms, without a line end behind it.
    pub fn written(&self, form: WrittenForm) -> String {
        match form {
            WrittenForm::Json => self.to_json(),
            WrittenForm::Native => self.to_native(),
            WrittenForm::Ocsf => self.to_ocsf(),
        }
    }
}

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

/// Texts are no longer than this once a record is cut for anything but its bodies.
const FIRST_CUT: usize = 4096;

/// Writes a record so that it fits into its limit: bodies give way first, then all texts and lists together. `write` is not
/// asked for more than a few times the limit, however much the record holds.
fn fit(record: &AuditRecord, write: impl Fn(Room) -> String) -> String {
    let limit = record.limit.max(LEAST);
    let fits = |written: &String| written.len() <= limit;
    let mut room = Room { body: 0, text: FIRST_CUT.min(limit), items: FIRST_CUT / 16 };
    if record.texts() <= 4 * limit {
        let all = Room { body: limit, text: limit, items: usize::MAX };
        let without_bodies = Some(write(all)).filter(fits).ok_or_else(|| write(Room { body: 0, ..all }));
        match without_bodies {
            Ok(whole) => return whole,
            Err(rest) if fits(&rest) => {
                let halves =
                    std::iter::successors(Some(limit / 2), |body| Some(body / 2)).take_while(|body| *body >= 64);
                return halves.map(|body| write(Room { body, ..all })).find(fits).unwrap_or(rest);
            }
            Err(_) => {}
        }
    }
    loop {
        let written = write(room);
        if fits(&written) || room.text == 0 {
            return written;
        }
        room.text = if room.text < 64 { 0 } else { room.text / 2 };
        room.items = room.text / 16;
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
