//! The line that a concurrent audit log keeps of each record.

use super::data::AuditRecord;
use super::text::{Controls, show};
use super::time::CivilTime;

/// Bytes of each text in the line: the manual's limit for a line is 3980, and four texts are long.
const TEXT: usize = 700;

impl AuditRecord {
    /// The line of ModSecurity v2's index, with its end: host, client, user, time, request line, status, referer, user agent,
    /// id, session; then the record's file, its size and the MD5 of its content. An `L` stands at the end if a text was cut.
    pub fn to_index(&self, file: &str, size: usize, md5: &str) -> String {
        let mut cut = false;
        let mut text = |bytes: &[u8]| {
            let shown = show(bytes, Controls::None, TEXT);
            cut |= shown.cut;
            if shown.text.is_empty() { "-".to_owned() } else { shown.text.replace('"', "\\x22") }
        };
        let header = |name: &str| {
            let found = self.request.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
            found.map(|(_, value)| value.as_slice()).unwrap_or_default()
        };
        let mut first = self.request.method.clone();
        for part in [&self.request.target, &self.request.version] {
            first.push(b' ');
            first.extend_from_slice(part);
        }
        let word = |text: String| text.replace(' ', "\\x20");
        let host = word(text(&self.request.host));
        let user = word(text(&self.request.user));
        let client = word(text(self.client.address.as_bytes()));
        let (first, referer, agent) = (text(&first), text(header("referer")), text(header("user-agent")));
        let id = word(text(self.unique_id.as_bytes()));
        let session = self.web_app.as_ref().map_or("", |names| {
            let [_, session, _] = names;
            session.as_str()
        });
        let session = text(session.as_bytes());
        let (time, status) = (CivilTime::from_micros(self.started), self.response.status);
        let end = if cut { " L" } else { "" };
        format!(
            "{host} {client} {user} - [{time}] \"{first}\" {status} - \"{referer}\" \"{agent}\" {id} \"{session}\" \
             {file} 0 {size} md5:{md5}{end}\n"
        )
    }
}
