//! What a match leaves behind: a record, and the error-log line that existing tools parse.

use super::expand::{expand_part, shows_value};
use super::matched::full_name;
use super::memory::Slice;
use super::scratch::Scratch;
use super::verdict::InterruptionAction;
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{CheckDigits, KeyId, Loaded, NumberTest, Program, RuleIx, Test, Text, TextTest};
use crate::rule::{Phase, RuleId, RuleSeverity, Variable};
use std::fmt::Write;
use std::sync::Arc;

/// Making a record.
const RECORD: Price = Price::new(400, 1024);
/// Making a text fit into a line.
const READABLE: Price = Price::new(0, 768);
/// Values that a rule matched and its record remembers, for hiding them.
const ORIGINS: usize = 64;

/// One rule that matched and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatchRecord {
    /// The rule.
    pub rule: RuleId,
    /// Its phase.
    pub phase: Phase,
    /// `msg`, expanded.
    pub message: String,
    /// `logdata`, expanded.
    pub data: String,
    /// `severity`.
    pub severity: Option<RuleSeverity>,
    /// `ver`.
    pub version: Option<Box<str>>,
    /// `rev`.
    pub revision: Option<Box<str>>,
    /// `maturity`.
    pub maturity: Option<u8>,
    /// `accuracy`.
    pub accuracy: Option<u8>,
    /// `tag`s, expanded.
    pub tags: Vec<String>,
    /// File of the rule.
    pub file: Arc<str>,
    /// Line of the rule.
    pub line: u32,
    /// What matched, such as `ARGS:id`.
    pub variable: String,
    /// Its value after transformation, cut to the limit for log values.
    pub value: String,
    /// What the rule looked for, in words.
    pub matched: String,
    /// Whether the rule logs to the error log.
    pub log: bool,
    /// Whether it belongs into the audit log.
    pub auditlog: bool,
    /// `denied with code 403` and the like; `None` for a warning.
    pub action: Option<String>,
    /// Host that the request names.
    pub hostname: String,
    /// URI of the request, cut to the limit for log values.
    pub uri: String,
    /// The transaction's id.
    pub unique_id: String,
    /// Bytes of one log line.
    line_limit: usize,
    veil: Option<Box<Veil>>,
}

/// What the record shows if it must not show what the rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Veil {
    message: String,
    data: String,
    tags: Vec<String>,
    matched: String,
    origins: Vec<Origin>,
}

/// Where a matched value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) variable: Variable,
    pub(super) member: Option<Box<[u8]>>,
}

/// Makes the record of the rule that has just matched.
pub(super) fn make(
    ix: RuleIx,
    taken: Option<&InterruptionAction>,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<MatchRecord, Exhausted> {
    let program = loaded.program().as_ref();
    let limits = &program.limits;
    let (rule, planned) = match (program.source(ix), program.rules.get(ix.index())) {
        (Some(rule), Some(planned)) => (rule, planned),
        // `program::verify` rules this out; a record without a rule would be a lie.
        _ => return Err(Exhausted { scope: crate::meter::Scope::Rule }),
    };
    meter.charge_rule(RECORD.of(0))?;
    let (message, veiled_message) = text(planned.msg.as_ref(), limits.log_line_bytes, loaded, scratch, meter)?;
    let (data, veiled_data) = text(planned.logdata.as_ref(), limits.log_line_bytes, loaded, scratch, meter)?;
    let (mut tags, mut veiled_tags) = (Vec::with_capacity(planned.tags.len()), Vec::new());
    for tag in &planned.tags {
        let (tag, veiled) = text(Some(tag), limits.log_value_bytes, loaded, scratch, meter)?;
        veiled_tags.extend(program.sanitises.then_some(veiled));
        tags.push(tag);
    }
    let last = scratch.matched.last().filter(|_| planned.links.iter().any(|link| link.look.is_some()));
    let (mut variable, mut value) = (String::new(), String::new());
    if let Some(found) = last {
        let mut name = Vec::new();
        meter.charge_rule(RECORD.of(found.member.map_or(0, |member| scratch.memory.get(member).len())))?;
        full_name(&found, &scratch.memory, &mut name);
        variable = readable(&name, limits.log_value_bytes);
        value = readable(scratch.memory.get(found.value), limits.log_value_bytes);
    }
    meter.charge_rule(RECORD.of(variable.len() + value.len()))?;
    let phrase = || readable(scratch.tx.get(KeyId::new(0)).unwrap_or_default(), 252);
    let matched = words(program, ix, &variable, &value, &phrase);
    let veil = program.sanitises.then(|| {
        let matched = words(program, ix, &variable, &starred(&value), &|| starred(&phrase()));
        let (message, data, tags) = (veiled_message, veiled_data, veiled_tags);
        Box::new(Veil { message, data, tags, matched, origins: origins(scratch) })
    });
    if let Some(veil) = &veil {
        meter.charge_rule(RECORD.of(veil.message.len() + veil.data.len()) + 16 * veil.origins.len() as u64)?;
    }
    let action = taken.map(|action| match action {
        InterruptionAction::Deny => format!("Access denied with code {} (phase {})", rule.status, rule.phase.number()),
        InterruptionAction::Drop => format!("Access denied with connection close (phase {})", rule.phase.number()),
        InterruptionAction::Redirect(url) => format!(
            "Access denied with redirection to {} using status {} (phase {})",
            readable(url, limits.log_value_bytes),
            rule.status,
            rule.phase.number()
        ),
    });
    let scalar = |variable: Variable| {
        let slice = scratch.values.scalar(variable).unwrap_or(Slice::EMPTY);
        readable(scratch.memory.get(slice), limits.log_value_bytes)
    };
    Ok(MatchRecord {
        rule: rule.id,
        phase: rule.phase,
        message,
        data,
        severity: rule.severity,
        version: rule.version.clone(),
        revision: rule.revision.clone(),
        maturity: rule.maturity,
        accuracy: rule.accuracy,
        tags,
        file: rule.file.clone(),
        line: rule.line,
        variable,
        value,
        matched,
        log: rule.log,
        auditlog: rule.auditlog,
        action,
        hostname: scalar(Variable::ServerName),
        uri: scalar(Variable::RequestUri),
        unique_id: readable(scratch.state.unique_id.as_bytes(), limits.log_value_bytes),
        line_limit: limits.log_line_bytes,
        veil,
    })
}

/// An expanded text; and, if some rule hides values, the same with asterisks for every value of the exchange.
fn text(
    text: Option<&Text>,
    limit: usize,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(String, String), Exhausted> {
    let Some(text) = text else { return Ok(Default::default()) };
    let mut out = std::mem::take(&mut scratch.text);
    out.clear();
    let mut values = Vec::new();
    // Escapes only make it longer; one byte too many shows that it was cut.
    let most = limit.saturating_add(1);
    let expanded = text.parts.iter().try_for_each(|part| {
        let before = out.len();
        let fits = expand_part(most, part, &mut out, loaded, scratch, meter)?;
        if loaded.program().sanitises && shows_value(part) {
            values.push(before..out.len());
        }
        if fits { Ok(()) } else { Err(None) }
    });
    meter.charge_rule(READABLE.of(out.len()))?;
    let line = readable(&out, limit);
    let mut veiled = String::new();
    if loaded.program().sanitises {
        for range in values {
            if let Some(value) = out.get_mut(range) {
                value.fill(b'*');
            }
        }
        veiled = readable(&out, limit);
    }
    scratch.text = out;
    match expanded {
        Err(Some(exhausted)) => Err(exhausted),
        Ok(()) | Err(None) => Ok((line, veiled)),
    }
}

/// As many asterisks as the text has characters.
fn starred(text: &str) -> String {
    "*".repeat(text.len())
}

/// Where the values came from that the rule has matched.
fn origins(scratch: &Scratch) -> Vec<Origin> {
    let mut found: Vec<Origin> = Vec::new();
    for one in scratch.matched.list() {
        let member = one.member.map(|member| scratch.memory.get(member).into());
        let origin = Origin { variable: one.variable, member };
        if found.len() == ORIGINS {
            // One that may hold anything stands for the rest.
            found.push(Origin { variable: Variable::FullRequest, member: None });
            return found;
        }
        if !found.contains(&origin) {
            found.push(origin);
        }
    }
    found
}

/// Bytes as text that fits into one quoted field of one log line: quotes, backslashes and everything outside printable
/// ASCII are escaped, what is longer than `limit` is cut.
pub(super) fn readable(bytes: &[u8], limit: usize) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| HEX.get(usize::from(half)).map_or('0', |digit| char::from(*digit));
    let plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    let mut out = String::with_capacity(bytes.len().min(limit));
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let room = rest.get(..limit.saturating_sub(out.len())).unwrap_or(rest);
        if room.is_empty() {
            out.push_str("...");
            break;
        }
        let run = room.iter().position(|byte| !plain(byte)).unwrap_or(room.len());
        if run > 0 {
            out.push_str(room.get(..run).and_then(|run| std::str::from_utf8(run).ok()).unwrap_or_default());
            rest = rest.get(run..).unwrap_or_default();
            continue;
        }
        rest = after;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => out.extend(['\\', 'x', digit(other >> 4), digit(other & 15)]),
        }
    }
    out
}

/// What the rule's last test found, in the words that ModSecurity uses.
fn words(program: &Program, ix: RuleIx, variable: &str, value: &str, phrase: &dyn Fn() -> String) -> String {
    let links = program.rules.get(ix.index()).map(|rule| rule.links.as_slice()).unwrap_or_default();
    let Some(look) = links.iter().rev().find_map(|link| link.look) else {
        return "Unconditional match in SecAction.".to_owned();
    };
    let Some(test) = program.tests.get(look.test.index()) else { return String::new() };
    let pattern = |id: crate::program::PatternId| {
        let text = program.patterns.get(id.index()).map(|plan| plan.pattern.text.as_ref()).unwrap_or_default();
        readable(text, 252)
    };
    let parameter = |text: &Text| text.constant().map_or_else(|| "%{...}".to_owned(), |text| readable(text, 252));
    let operator = match test {
        Test::Rx(id) | Test::RxGlobal(id) if look.negated => {
            return format!("Match of \"rx {}\" against \"{variable}\" required.", pattern(*id));
        }
        Test::Rx(id) | Test::RxGlobal(id) => {
            return format!("Pattern match \"{}\" at {variable}.", pattern(*id));
        }
        Test::RxExpanded { text, .. } if look.negated => {
            return format!("Match of \"rx {}\" against \"{variable}\" required.", parameter(text));
        }
        Test::RxExpanded { text, .. } => return format!("Pattern match \"{}\" at {variable}.", parameter(text)),
        Test::Pm(_) if !look.negated => {
            let capture = links.iter().any(|link| link.capture);
            return if capture {
                format!("Matched phrase \"{}\" at {variable}.", phrase())
            } else {
                format!("Matched a phrase at {variable}.")
            };
        }
        Test::DetectSqli if !look.negated => {
            return format!("detected SQLi using libinjection at {variable}.");
        }
        Test::DetectXss if !look.negated => return format!("detected XSS using libinjection at {variable}."),
        Test::ByteRange(_) if !look.negated => return format!("Found bytes outside the allowed range at {variable}."),
        Test::UrlEncoding if !look.negated => return format!("Invalid URL Encoding at {variable}."),
        Test::Utf8Encoding if !look.negated => return format!("Invalid UTF-8 encoding at {variable}."),
        Test::Pm(_) => "pm ...".to_owned(),
        Test::Text(kind, text) => {
            let name = match kind {
                TextTest::Equal => "streq",
                TextTest::Contains => "contains",
                TextTest::ContainsWord => "containsWord",
                TextTest::BeginsWith => "beginsWith",
                TextTest::EndsWith => "endsWith",
                TextTest::Within => "within",
            };
            if !look.negated {
                return format!("String match {name} \"{}\" at {variable}.", parameter(text));
            }
            format!("{name} {}", parameter(text))
        }
        Test::Number(kind, text) => {
            let name = match kind {
                NumberTest::Eq => "EQ",
                NumberTest::Ge => "GE",
                NumberTest::Gt => "GT",
                NumberTest::Le => "LE",
                NumberTest::Lt => "LT",
            };
            if !look.negated {
                return format!("Operator {name} matched {} at {variable}.", parameter(text));
            }
            format!("{name} {}", parameter(text))
        }
        Test::IpMatch(_) => {
            if !look.negated {
                return format!("IPmatch: \"{value}\" matched at {variable}.");
            }
            "ipMatch ...".to_owned()
        }
        Test::Verify(digits, id) => {
            let name = match digits {
                CheckDigits::Luhn => "CC#",
                CheckDigits::Cpf => "CPF#",
                CheckDigits::Ssn => "SSN#",
                CheckDigits::Svnr => "SVNR#",
            };
            if !look.negated {
                return format!("{name} match \"{}\" at {variable}.", pattern(*id));
            }
            format!("verify{name} {}", pattern(*id))
        }
        Test::Always => return "Unconditional match.".to_owned(),
        Test::Never => "noMatch".to_owned(),
        Test::DetectSqli => "detectSQLi".to_owned(),
        Test::DetectXss => "detectXSS".to_owned(),
        Test::ByteRange(_) => "validateByteRange".to_owned(),
        Test::UrlEncoding => "validateUrlEncoding".to_owned(),
        Test::Utf8Encoding => "validateUtf8Encoding".to_owned(),
        Test::GeoLookup => "geoLookup".to_owned(),
        Test::Rbl(zone) => format!("rbl {zone}"),
    };
    format!("Match of \"{operator}\" against \"{variable}\" required.")
}

impl MatchRecord {
    /// The line that ModSecurity would write into the error log, so that existing tools parse it. One line of printable ASCII,
    /// no longer than the limit for log lines: what is cut are the rule's own texts, never the fields at its end.
    pub fn error_log_line(&self) -> String {
        let mut end = String::new();
        for (name, text) in [("hostname", &self.hostname), ("uri", &self.uri), ("unique_id", &self.unique_id)] {
            field(&mut end, name, text);
        }
        let mut line = String::from("ModSecurity: ");
        line.push_str(&self.alert());
        let room = self.line_limit.saturating_sub(end.len());
        if line.len() > room {
            line.truncate(room.saturating_sub(3));
            line.push_str("...");
        }
        line.push_str(&end);
        line
    }

    /// What happened, why, and the rule's own fields: the line without its prefix and without the request's fields, as the
    /// native audit log has it.
    pub fn alert(&self) -> String {
        let mut line = String::with_capacity(512);
        let action = self.action.as_deref().unwrap_or("Warning");
        let _ = write!(line, "{action}. {}", self.matched);
        let own = |text: &str| readable(text.as_bytes(), self.line_limit);
        let _ = write!(line, " [file \"{}\"] [line \"{}\"] [id \"{}\"]", own(&self.file), self.line, self.rule);
        field(&mut line, "rev", &own(self.revision.as_deref().unwrap_or_default()));
        field(&mut line, "msg", &self.message);
        field(&mut line, "data", &self.data);
        field(&mut line, "severity", self.severity.map_or("", RuleSeverity::name));
        field(&mut line, "ver", &own(self.version.as_deref().unwrap_or_default()));
        for (name, number) in [("maturity", self.maturity), ("accuracy", self.accuracy)] {
            if let Some(number) = number {
                let _ = write!(line, " [{name} \"{number}\"]");
            }
        }
        for tag in &self.tags {
            field(&mut line, "tag", tag);
        }
        line
    }

    /// Where the matched values came from, if some rule hides values.
    pub(super) fn origins(&self) -> &[Origin] {
        self.veil.as_ref().map(|veil| veil.origins.as_slice()).unwrap_or_default()
    }

    /// Shows asterisks for every value of the exchange.
    pub(super) fn veil(&mut self) {
        self.value = starred(&self.value);
        if let Some(veil) = self.veil.take() {
            let Veil { message, data, tags, matched, .. } = *veil;
            (self.message, self.data, self.tags, self.matched) = (message, data, tags, matched);
        }
    }
}

fn field(line: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        let _ = write!(line, " [{name} \"{text}\"]");
    }
}
