//! What the engine did, told in the lines of libmodsecurity's debug log whose meaning is a fact that can be observed. The shapes
//! of these lines are a closed set; wording beyond it is not imitated.

use crate::exchange::{Observation, PROBE};
use fusewall::engine::{Event, LeftOut, Test};
use fusewall::rule::{Disruptive, Rule, Variable};
use fusewall::transform::Transformation;

/// Pieces of those lines: an expectation that holds one of them can be judged.
const SHAPES: &[&str] = &[
    "Target value:",
    "Variable:",
    "Saving variable:",
    "with value:",
    "Rule returned",
    "Executing operator",
    "Added regex subexpression TX",
    " match TX.",
    "Saving msg:",
    "Rule tag:",
    "Setting environment variable:",
    "Adding request argument",
    "Skipped rule id",
    "was skipped due to a ruleRemove",
    "Running action deny",
    "name: ",
];

/// Whether a text, its escapes taken away, is about such lines: it holds a piece of one, the beginning of a transformation's
/// line, a rule's number, or no sentence at all but a bare name or value.
pub fn tells(words: &str) -> bool {
    let transformation = words.split("t:").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        rest[end..].starts_with(':') && Transformation::from_name(&rest[..end]).is_some()
    });
    let named = words.split_once(": \"").is_some_and(|(name, _)| Transformation::from_name(name).is_some());
    let number = words.strip_prefix("Rule: ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let sentence = words.split_whitespace().count() > 1 || words.ends_with('.');
    SHAPES.iter().any(|shape| words.contains(shape))
        || words.contains("T (0) ")
        || transformation
        || named
        || number
        || !sentence
}

/// Facts about a body that libmodsecurity words in many ways: words, the variable that says the same, its value.
const BODY_FACTS: &[(&str, &str, &str)] = &[
    ("boundary was quoted", "MULTIPART_BOUNDARY_QUOTED", "1"),
    ("boundary whitespace in C-T header", "MULTIPART_BOUNDARY_WHITESPACE", "1"),
    ("seen data before first boundary", "MULTIPART_DATA_BEFORE", "1"),
    ("seen data after last boundary", "MULTIPART_DATA_AFTER", "1"),
    ("incorrect line endings used (LF)", "MULTIPART_LF_LINE", "1"),
    ("invalid quoting used", "MULTIPART_INVALID_QUOTING", "1"),
    ("missing semicolon in C-T header", "MULTIPART_MISSING_SEMICOLON", "1"),
    ("Warning: header folding used", "MULTIPART_HEADER_FOLDING", "1"),
    ("invalid header folding used", "MULTIPART_INVALID_HEADER_FOLDING", "1"),
    ("Upload file limit exceeded", "MULTIPART_FILE_LIMIT_EXCEEDED", "1"),
    ("Final boundary missing", "REQBODY_ERROR", "1"),
    ("Part missing Content-Disposition header", "REQBODY_ERROR", "1"),
    ("Invalid Content-Disposition header", "REQBODY_ERROR", "1"),
    ("Content-Disposition header missing name field", "REQBODY_ERROR", "1"),
    ("nvalid part header", "REQBODY_ERROR", "1"),
    ("Invalid boundary in C-T", "REQBODY_ERROR", "1"),
    ("Multiple boundary parameters in C-T", "REQBODY_ERROR", "1"),
    ("No boundaries found in payload", "REQBODY_ERROR", "1"),
    ("parsing error", "REQBODY_ERROR", "1"),
    ("Failed to parse request body", "REQBODY_ERROR", "1"),
];

/// The facts about a body that an expectation is about: variable and value.
pub fn body_facts(words: &str) -> Vec<(&'static str, &'static str)> {
    let facts = BODY_FACTS.iter().filter(|(text, ..)| words.contains(text));
    facts.map(|(_, variable, value)| (*variable, *value)).collect()
}

/// Whether a scalar had this value when phase 5 ran.
pub fn holds(seen: &Observation, variable: &str, value: &str) -> bool {
    probed(seen).any(|test| test.name == variable.as_bytes() && test.value == value.as_bytes())
}

/// What the probe rule saw.
fn probed(seen: &Observation) -> impl Iterator<Item = &Test> {
    split(seen).1.into_iter().filter_map(|event| match event {
        Event::Tested(test) => Some(test),
        _ => None,
    })
}

/// The steps of the case's rules, and those of the probe rule.
fn split(seen: &Observation) -> (Vec<&Event>, Vec<&Event>) {
    let mut probing = false;
    seen.events.iter().partition(|event| {
        match event {
            Event::Link { rule, .. } => probing = seen.program.source(*rule).is_some_and(|rule| rule.id.0 == PROBE),
            Event::Phase(_) => probing = false,
            _ => {}
        }
        !probing
    })
}

/// The lines, each with its line feed.
pub fn tell(seen: &Observation, rules_text: &str) -> Vec<u8> {
    let mut journal = Journal { out: Vec::new(), seen, operator: String::new() };
    for event in split(seen).0 {
        journal.event(event);
    }
    for test in probed(seen) {
        journal.argument(test);
    }
    for record in &seen.records {
        journal.line(&[b"[9] Saving msg: ", record.message.as_bytes()]);
        for tag in &record.tags {
            journal.line(&[b"[9] Rule tag: ", tag.as_bytes()]);
        }
    }
    journal.removed_at_load(rules_text);
    journal.out
}

struct Journal<'a> {
    out: Vec<u8>,
    seen: &'a Observation,
    /// The operator of the link that runs.
    operator: String,
}

impl Journal<'_> {
    fn line(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        self.out.push(b'\n');
    }

    fn rule(&self, rule: fusewall::program::RuleIx) -> &Rule {
        self.seen.program.source(rule).expect("a rule of the program")
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Phase(phase) => self.line(&[format!("[4] Starting phase {}.", phase.number()).as_bytes()]),
            Event::Link { rule, link } => self.link(*rule, *link),
            Event::Tested(test) => self.tested(test),
            Event::Captured { group, text } => {
                let what = match self.operator.as_str() {
                    "Rx" | "RxGlobal" => format!("[7] Added regex subexpression TX.{group}: "),
                    "Pm" | "PmFromFile" => format!("[7] Added pm match TX.{group}: "),
                    other => format!("[7] Added {other} match TX.{group}: "),
                };
                self.line(&[what.as_bytes(), text]);
            }
            Event::Set { collection: Variable::Env, key, value } => {
                let value = value.as_deref().unwrap_or_default();
                self.line(&[b"[8] Setting environment variable: ", key, b" to ", value]);
            }
            Event::Set { collection, key, value: Some(value) } => {
                let name = collection.name().as_bytes();
                self.line(&[b"[8] Saving variable: ", name, b":", key, b" with value: ", value]);
            }
            Event::LinkEnd { matched, .. } => {
                self.line(&[if *matched { b"[4] Rule returned 1." } else { b"[4] Rule returned 0." }]);
            }
            Event::LeftOut { rule, why } => {
                let rule = self.rule(*rule);
                let place = format!("{}:{}", rule.file, rule.line);
                self.left_out(rule.id.0, &place, *why);
            }
            Event::Matched { rule, acted: true } if matches!(self.rule(*rule).disruptive, Disruptive::Deny) => {
                self.line(&[b"[4] Running action deny"]);
            }
            _ => {}
        }
    }

    fn link(&mut self, rule: fusewall::program::RuleIx, link: usize) {
        let (id, condition) = (self.rule(rule).id, self.rule(rule).conditions[link].clone());
        let (name, parameter) = operator(condition.test.as_ref());
        let targets = condition.targets_text();
        self.line(&[
            format!("[4] (Rule: {id}) Executing operator \"{name}\" with param \"").as_bytes(),
            &parameter,
            b"\" against ",
            &targets,
            b".",
        ]);
        self.operator = name;
    }

    fn tested(&mut self, test: &Test) {
        for (step, value) in &test.stages {
            self.line(&[format!("[9]  T (0) t:{}: \"", step.name()).as_bytes(), &cut(value.clone()), b"\""]);
        }
        let value = cut(printable(test.tested()));
        self.line(&[b"[9] Target value: \"", &value, b"\" (Variable: ", &test.name, b")"]);
    }

    fn left_out(&mut self, id: u64, place: &str, why: LeftOut) {
        match why {
            LeftOut::Jump => self.line(&[format!("[9] Skipped rule id '{id}' due to a `skip' action.").as_bytes()]),
            LeftOut::Allow => {
                let line =
                    format!("[9] Skipped rule id '{place}' as request trough the utilization of an `allow' action.");
                self.line(&[line.as_bytes()]);
            }
            _ => {
                for by in ["Tag", "Id", "Msg"] {
                    let line = format!("[9] Skipped rule id '{id}'. Skipped due to a ruleRemoveBy{by} action.");
                    self.line(&[line.as_bytes()]);
                }
                self.line(&[format!("[9] Rule id: {id} was skipped due to a ruleRemoveById action").as_bytes()]);
            }
        }
    }

    fn argument(&mut self, test: &Test) {
        if let Some(name) = test.name.strip_prefix(b"ARGS_POST:") {
            self.line(&[b"[4] Adding request argument (BODY): name \"", name, b"\", value \"", &test.value, b"\""]);
            self.line(&[b"[9] name: ", name, b" variable: ", &test.value]);
        } else if let Some(name) = test.name.strip_prefix(b"ARGS_GET:") {
            self.line(&[b"[4] Adding request argument (GET): name \"", name, b"\", value \"", &test.value, b"\""]);
        }
    }

    /// Rules that the text has and the ruleset has not.
    fn removed_at_load(&mut self, text: &str) {
        let ids = text.split("id:").skip(1).filter_map(|rest| {
            let rest = rest.trim_start_matches(['\'', '"']);
            rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse::<u64>().ok()
        });
        for id in ids {
            if self.seen.program.ruleset.rules.iter().all(|rule| rule.id.0 != id) {
                self.line(&[format!("[9] Skipped rule id '{id}'. Removed by an SecRuleRemove directive.").as_bytes()]);
                self.line(&[
                    format!("[9] Skipped rule id '{id}'. Removed by a SecRuleRemoveByTag directive.").as_bytes()
                ]);
            }
        }
    }
}

/// An operator's name as libmodsecurity writes it, and its parameter.
pub fn operator(test: Option<&fusewall::rule::Test>) -> (String, Vec<u8>) {
    let Some(test) = test else { return ("Unconditional".to_owned(), Vec::new()) };
    let text = test.to_text();
    let text = text.strip_prefix(b"!").unwrap_or(&text);
    let Some(text) = text.strip_prefix(b"@") else { return ("Rx".to_owned(), text.to_vec()) };
    let (name, parameter) = match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    let name = String::from_utf8_lossy(name);
    let name = match &*name {
        "streq" => "StrEq".to_owned(),
        "strmatch" => "StrMatch".to_owned(),
        other => other[..1].to_uppercase() + &other[1..],
    };
    (name, parameter.to_vec())
}

/// Bytes outside printable ASCII as `\xhh`.
pub fn printable(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in value {
        match byte {
            0x20..=0x7e => out.push(byte),
            other => out.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    out
}

/// The first 80 bytes: what the debug log shows of a value.
fn cut(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() > 80 {
        let more = format!(" ({} characters omitted)", value.len() - 80);
        value.truncate(80);
        value.extend(more.bytes());
    }
    value
}
