//! The error log as libmodsecurity words it, told from match records and what was observed: each record is one line.

use crate::exchange::{Observation, Outcome};
use crate::journal::{operator, printable};
use fusewall::engine::{Event, Test};
use fusewall::{InterruptionAction, MatchRecord};
use std::fmt::Write;

/// The lines of all records that `wanted` takes.
pub fn tell(outcome: &Outcome, seen: &Observation, wanted: impl Fn(&MatchRecord) -> bool) -> String {
    let mut out = String::new();
    for record in outcome.records.iter().filter(|record| wanted(record)) {
        let said = said(record, outcome);
        let found = Found::of(record, seen);
        let _ = write!(out, "[client {}] ModSecurity: {said}. {}", outcome.client, found.matched);
        let _ = write!(out, " [file \"{}\"] [line \"{}\"] [id \"{}\"]", record.file, record.line, record.rule);
        let number = |number: Option<u8>| number.unwrap_or(0);
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
        let _ = write!(out, " [rev \"{}\"] [msg \"{}\"]", text(&record.revision), record.message);
        let severity = record.severity.map_or(0, |severity| severity.0);
        let _ = write!(out, " [data \"{}\"] [severity \"{severity}\"]", record.data);
        let _ = write!(out, " [ver \"{}\"] [maturity \"{}\"]", text(&record.version), number(record.maturity));
        let _ = write!(out, " [accuracy \"{}\"]", number(record.accuracy));
        for tag in &record.tags {
            let _ = write!(out, " [tag \"{tag}\"]");
        }
        let _ = write!(out, " [hostname \"{}\"] [uri \"{}\"]", record.hostname, record.uri);
        let _ = writeln!(out, " [unique_id \"{}\"] [ref \"{}\"]", record.unique_id, found.reference);
    }
    out
}

fn said(record: &MatchRecord, outcome: &Outcome) -> String {
    match (&record.action, &outcome.interruption) {
        (Some(_), Some(end)) => match &end.action {
            InterruptionAction::Drop | InterruptionAction::Deny | InterruptionAction::Redirect(_) => {
                format!("Access denied with code {} (phase {})", end.status, end.phase.number())
            }
            _ => "Access denied".to_owned(),
        },
        _ => "Warning".to_owned(),
    }
}

/// What the record's rule found.
struct Found {
    matched: String,
    /// Where: `o`ffset and length of what the operator found in the value, `v`alue with its length, transformations.
    /// libmodsecurity also says where in the request's text the value stands; that is its log's own arithmetic.
    reference: String,
}

impl Found {
    fn of(record: &MatchRecord, seen: &Observation) -> Found {
        let mut found = Found { matched: String::new(), reference: String::new() };
        let mut link_of_rule = None;
        for event in &seen.events {
            match event {
                Event::Link { rule, link } => {
                    let rule = seen.program.source(*rule).filter(|rule| rule.id == record.rule);
                    link_of_rule = rule.and_then(|rule| rule.conditions.get(*link));
                }
                Event::Tested(test) if test.matched => {
                    let Some(condition) = link_of_rule else { continue };
                    let (name, parameter) = operator(condition.test.as_ref());
                    let parameter = test.parameter.clone().unwrap_or(parameter);
                    found.matched = format!(
                        "Matched \"Operator `{name}' with parameter `{}' against variable `{}' (Value: `{}' )",
                        text(&parameter, 200),
                        String::from_utf8_lossy(&test.name),
                        text(&printable(test.tested()), 100),
                    );
                    found.reference += &reference(test, &name, &parameter);
                }
                _ => {}
            }
        }
        found
    }
}

/// Offsets as `o`, the value as `v` (without its place in the request's text), then the transformations.
fn reference(test: &Test, operator: &str, parameter: &[u8]) -> String {
    let mut out = String::new();
    for (start, end) in spans(test, operator, parameter) {
        let _ = write!(out, "o{start},{}", end - start);
    }
    let _ = write!(out, "v0,{}", test.value.len());
    let steps: Vec<_> = test.stages.iter().map(|(step, _)| format!("t:{}", step.name())).collect();
    out + &steps.join(",")
}

/// Where the operator found what it looks for; operators that compare texts do not say, but it can be looked up.
fn spans(test: &Test, operator: &str, parameter: &[u8]) -> Vec<(usize, usize)> {
    let value = test.tested();
    let at = |needle: &[u8], hay: &[u8]| {
        let at = (0..=hay.len().saturating_sub(needle.len())).find(|&at| hay[at..].starts_with(needle));
        at.map(|at| (at, at + needle.len()))
    };
    match operator {
        "Contains" | "ContainsWord" | "BeginsWith" => at(parameter, value).into_iter().collect(),
        "EndsWith" => vec![(value.len().saturating_sub(parameter.len()), value.len())],
        "Within" => at(value, parameter).into_iter().collect(),
        _ => test.spans.clone(),
    }
}

fn text(bytes: &[u8], most: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if bytes.len() > most {
        text = text.chars().take(most).collect();
        let _ = write!(text, " ({} characters omitted)", bytes.len() - most);
    }
    text
}

/// An expectation without the numbers that say where in the request's text values stand, and how long they are there.
pub fn without_positions(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    let mut run = false;
    while let Some(char) = rest.chars().next() {
        match position(rest) {
            Some(len) => {
                if !run {
                    out.push_str("(?:v[0-9]+,[0-9]+)+");
                }
                run = true;
                rest = &rest[len..];
            }
            None => {
                run = false;
                out.push(char);
                rest = &rest[char.len_utf8()..];
            }
        }
    }
    out
}

/// The length of a `v12,34` at the start.
fn position(text: &str) -> Option<usize> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(text.strip_prefix('v')?);
    let rest = text.get(1 + first..)?.strip_prefix(',').filter(|_| first > 0)?;
    let second = digits(rest);
    (second > 0).then_some(1 + first + 1 + second)
}
