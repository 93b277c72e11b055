//! Which regression cases say nothing about an engine like ours, and why. By what a case contains, so that a case that was
//! never seen before is judged the same way; by name only where the order of law decides against the case.

use crate::case::Case;
use crate::journal;
use crate::pattern;
use std::fmt;

/// Why a case cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It asserts nothing but the wording of libmodsecurity's own log.
    DebugLogWording,
    /// It runs Lua or a program.
    LuaOrExec,
    /// It validates XML by schema or DTD, or selects parts of it by XPath.
    XmlSchema,
    /// It reads a GeoIP database in the format that is no longer published.
    LegacyGeoIp,
    /// It compares fuzzy hashes.
    Ssdeep,
    /// It asks another machine.
    Remote,
    /// Its patterns need a backtracking matcher: look-around, or a limit on backtracking.
    LookAround,
    /// The v2 manual or the CRS tests, which come first, say otherwise.
    OrderOfLaw,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::DebugLogWording => "debug-log wording",
            Reason::LuaOrExec => "Lua/exec",
            Reason::XmlSchema => "XSD/DTD/XPath",
            Reason::LegacyGeoIp => "legacy GeoIP",
            Reason::Ssdeep => "ssdeep",
            Reason::Remote => "remote",
            Reason::LookAround => "look-around",
            Reason::OrderOfLaw => "order of law",
        })
    }
}

/// Cases, by file and title, that ask for what the v2 manual or the CRS tests forbid, with the place that says so.
const ORDER_OF_LAW: &[(&str, &str, &str)] = &[];

/// The reason why a case of the file `file` cannot be used, if there is one.
pub fn reason(file: &str, case: &Case) -> Option<Reason> {
    let rules = case.rules.text();
    let lower = rules.to_ascii_lowercase();
    let needs = |what: &str| case.resource.as_deref() == Some(what);
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if needs("lua") || any(&["secrulescript", "exec:", "@inspectfile"]) {
        return Some(Reason::LuaOrExec);
    }
    if any(&["@validateschema", "@validatedtd"]) || selects_by_xpath(&lower) {
        return Some(Reason::XmlSchema);
    }
    if needs("geoip") || lower.lines().any(|line| line.contains("secgeolookupdb") && line.contains(".dat")) {
        return Some(Reason::LegacyGeoIp);
    }
    if needs("ssdeep") || any(&["@fuzzyhash"]) {
        return Some(Reason::Ssdeep);
    }
    if needs("curl") || any(&["secremoterules", "@rbl ", "fromfile http", "pmf http", "ipmatchf http", "include http"])
    {
        return Some(Reason::Remote);
    }
    if looks_around(&lower) || patterns(case).any(looks_around) || any(&["secpcrematchlimit"]) {
        return Some(Reason::LookAround);
    }
    if ORDER_OF_LAW.iter().any(|(of, title, _)| *of == file && *title == case.title) {
        return Some(Reason::OrderOfLaw);
    }
    (!asserts(case)).then_some(Reason::DebugLogWording)
}

/// Whether anything but a status of audit-relevant answers looks around: that list is worked out when it is loaded.
fn looks_around(text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.contains("secauditlogrelevantstatus"));
    lines.into_iter().any(|line| ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|group| line.contains(group)))
}

/// `XML:` with another selector than all text and all attribute values.
fn selects_by_xpath(lower: &str) -> bool {
    lower
        .split("xml:")
        .skip(1)
        .any(|rest| rest.starts_with('/') && !rest.starts_with("/*") && !rest.starts_with("//@*"))
}

fn patterns(case: &Case) -> impl Iterator<Item = &str> {
    let expected = &case.expected;
    [&expected.debug_log, &expected.error_log, &expected.audit_log].into_iter().filter_map(Option::as_deref)
}

/// Whether a case asserts something about the engine. One that expects nothing at all expects the rules to load and the
/// exchange to pass.
fn asserts(case: &Case) -> bool {
    let expected = &case.expected;
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let only_debug = expected.http_code.is_none()
        && ![&expected.parser_error, &expected.audit_log, &expected.error_log, &expected.redirect]
            .into_iter()
            .any(said);
    !only_debug || expected.debug_log.as_deref().is_none_or(tells)
}

/// Whether an expectation of the debug log is about facts.
pub fn tells(pattern: &str) -> bool {
    let words = pattern::words(pattern);
    words.is_empty() || words == ".*" || journal::tells(&words) || !journal::body_facts(&words).is_empty()
}
