//! What the audit log is told: when to write, which parts, where to, and what to hide.

use std::fmt;
use std::sync::Arc;

/// `SecAuditEngine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditEngine {
    /// Every transaction.
    On,
    /// None.
    Off,
    /// Those with a match that logs, or with a relevant status.
    RelevantOnly,
}

/// `SecAuditLogFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditFormat {
    /// One JSON object a line, in the layout of ModSecurity v3.
    Json,
    /// Sections between boundaries, as ModSecurity v2 writes them.
    Native,
}

/// `SecAuditLogType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditType {
    /// All records in one file.
    Serial,
    /// One file for each record, and an index. ModSecurity v3 calls it Parallel.
    Concurrent,
}

/// A part of an audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditPart {
    /// `A`: time, id, the two ends of the connection. Always there.
    Header,
    /// `B`
    RequestHeaders,
    /// `C`
    RequestBody,
    /// `D`: reserved by the manual.
    IntendedResponseHeaders,
    /// `E`
    ResponseBody,
    /// `F`
    ResponseHeaders,
    /// `G`: reserved by the manual.
    FinalResponseBody,
    /// `H`: messages, engine, producer.
    Trailer,
    /// `I`: like C, but of a multipart body the form fields only.
    RequestBodyWithoutFiles,
    /// `J`: names and sizes of uploaded files.
    Files,
    /// `K`: the text of the rules that matched.
    Rules,
    /// `Z`: the end. Always there.
    End,
}

/// A set of [`AuditPart`]s: `SecAuditLogParts`.
///
/// ```
/// use fusewall::rule::{AuditPart, AuditParts};
/// let parts = AuditParts::parse("BHZ").unwrap();
/// assert!(parts.contains(AuditPart::Trailer) && !parts.contains(AuditPart::RequestBody));
/// assert_eq!(parts.to_string(), "BHZ");
/// assert!(AuditParts::parse("BX").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditParts(u16);

const LETTERS: &[u8; 12] = b"ABCDEFGHIJKZ";

impl AuditParts {
    /// What v2 and v3 log if nothing is said: `ABCFHZ`.
    pub const DEFAULT: AuditParts = AuditParts(0b1000_1010_0111);

    /// Reads letters A to K and Z, in any case and order; `None` if there is another letter, or none.
    pub fn parse(letters: &str) -> Option<AuditParts> {
        let mut set = 0;
        for letter in letters.bytes() {
            let at = LETTERS.iter().position(|known| known.eq_ignore_ascii_case(&letter))?;
            set |= 1 << at;
        }
        (set != 0).then_some(AuditParts(set))
    }

    /// Whether the part is in the set.
    pub const fn contains(self, part: AuditPart) -> bool {
        self.0 >> (part as u16) & 1 == 1
    }

    /// The parts of either set.
    #[must_use]
    pub const fn with(self, other: AuditParts) -> AuditParts {
        AuditParts(self.0 | other.0)
    }

    /// The parts of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: AuditParts) -> AuditParts {
        AuditParts(self.0 & !other.0)
    }
}

impl fmt::Display for AuditParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = LETTERS.iter().enumerate().filter(|(at, _)| self.0 >> at & 1 == 1);
        letters.map(|(_, letter)| char::from(*letter)).try_for_each(|letter| write!(f, "{letter}"))
    }
}

/// The audit log's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// `SecAuditEngine` (default Off).
    pub engine: AuditEngine,
    /// `SecAuditLogParts` (default `ABCFHZ`).
    pub parts: AuditParts,
    /// `SecAuditLogRelevantStatus`: statuses 100-999 that make a transaction relevant, evaluated at load.
    pub relevant_status: Option<Arc<[u16]>>,
    /// `SecAuditLogFormat` (default Native).
    pub format: AuditFormat,
    /// `SecAuditLogType` (default Serial).
    pub kind: AuditType,
    /// `SecAuditLog`, as written: the log, or the index of a concurrent one.
    pub path: Option<Box<str>>,
    /// `SecAuditLog2`, as written: a second copy of the log or index.
    pub second_path: Option<Box<str>>,
    /// `SecAuditLogStorageDir`, as written: the folder of a concurrent log.
    pub storage_dir: Option<Box<str>>,
    /// `SecAuditLogDirMode` (default 0700).
    pub dir_mode: u32,
    /// `SecAuditLogFileMode` (default 0600).
    pub file_mode: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        AuditSettings {
            engine: AuditEngine::Off,
            parts: AuditParts::DEFAULT,
            relevant_status: None,
            format: AuditFormat::Native,
            kind: AuditType::Serial,
            path: None,
            second_path: None,
            storage_dir: None,
            dir_mode: 0o700,
            file_mode: 0o600,
        }
    }
}

/// `sanitise...`: what logs shall show as asterisks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sanitise {
    /// `sanitiseArg:name`: arguments of this name, without case.
    Arg(Box<[u8]>),
    /// `sanitiseRequestHeader:name`.
    RequestHeader(Box<[u8]>),
    /// `sanitiseResponseHeader:name`.
    ResponseHeader(Box<[u8]>),
    /// `sanitiseMatched`: the variable that matched.
    Matched,
    /// `sanitiseMatchedBytes:first/last`: the bytes that matched, but for so many at either end.
    MatchedBytes {
        /// Bytes that stay visible at the start.
        first: u32,
        /// And at the end.
        last: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_and_go() {
        let parts = AuditParts::DEFAULT;
        assert_eq!(parts.to_string(), "ABCFHZ");
        let more = parts.with(AuditParts::parse("eK").unwrap());
        assert_eq!(more.to_string(), "ABCEFHKZ");
        assert_eq!(more.without(AuditParts::parse("BC").unwrap()).to_string(), "AEFHKZ");
        assert_eq!(AuditParts::parse(""), None);
    }
}
