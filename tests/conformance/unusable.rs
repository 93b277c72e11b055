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
    /// The v2 manual or the CRS tests, which come first, say otherwise: where and what.
    OrderOfLaw(&'static str),
}

impl Reason {
    /// The reason, and what the law says if it is that.
    pub fn in_full(self) -> String {
        match self {
            Reason::OrderOfLaw(law) => format!("{self}: {law}"),
            other => other.to_string(),
        }
    }
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
            Reason::OrderOfLaw(_) => "order of law",
        })
    }
}

/// Why a usable case is not met, where that is meant so.
pub fn declined(case: &Case) -> Option<&'static str> {
    let limited = case.rules.text().to_ascii_lowercase().contains("secpcrematchlimit");
    limited.then_some("a match limit counts steps of backtracking, and linear matching takes none that could exceed it")
}

/// Cases, by file and title, that ask for what comes later in the order of law, with the place that says otherwise. What can be
/// told by a case's content is told in [`against_the_law`].
const ORDER_OF_LAW: &[(&str, &str, &str)] = &[
    (
        "variable-QUERY_STRING.json",
        "Testing Variables :: QUERY_STRING (URI contains fragment)",
        "v2 manual, QUERY_STRING: the query part of the URI; without one there is no value to take the length of",
    ),
    (
        "request-body-parser-multipart-crlf.json",
        "multipart parser (final CRLF)",
        "v2 keeps the line breaks inside a part (RFC 2046, 5.1.1: they belong to its content)",
    ),
];

/// Where the v2 manual decides against v3, and a case asks for v3.
fn against_the_law(case: &Case) -> Option<&'static str> {
    let rules = case.rules.text();
    let error = case.expected.parser_error.as_deref().unwrap_or_default();
    if !error.is_empty() {
        let again = error.contains("SecDefaultActions can only be placed once");
        return (again || error.contains("part of the SecDefaultActions"))
            .then_some("SecDefaultAction: may stand again for the same phase, and may name transformations");
    }
    let lines: Vec<_> = rules.lines().map(str::trim).collect();
    let is = |line: &str, name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let is_rule = |line: &str| is(line, "SecRule ") || is(line, "SecAction ");
    let changes = |line: &str| is(line, "SecRuleUpdate") || is(line, "SecRuleRemove");
    if lines.iter().skip_while(|line| !changes(line)).any(|line| is_rule(line)) {
        return Some(
            "SecRuleRemoveById, SecRuleUpdateTargetById and their like stand behind the rules that they change",
        );
    }
    let mut chained = false;
    for line in lines.iter().filter(|line| is_rule(line)) {
        let target = line.split_whitespace().nth(1).unwrap_or_default();
        if is(line, "SecRule ") && !target.contains(':') && target.contains('.') {
            return Some("collections: an element is named behind a colon, the full stop is for macros and setvar");
        }
        if !chained && !line.contains("id:") {
            return Some("id: every rule has one, since 2.7");
        }
        if chained && ["id:", "phase:", "msg:", "severity:"].iter().any(|action| line.contains(action)) {
            return Some("chain: metadata, phase and id stand in the first rule of a chain");
        }
        chained = line.contains("chain");
    }
    if rules.contains("%{") && rules.split("}%").skip(1).any(|rest| !rest.starts_with('{')) {
        return Some("macro expansion: a macro ends with its brace, the percent sign behind it is text");
    }
    if writes_uninitialised(&rules.to_ascii_lowercase()) {
        return Some("initcol: what is written to a collection that no rule has initialised is lost");
    }
    let words = |name: &str| rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
    let content_type = case.request.headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    if words("REQUEST_BODY") && ["multipart/", "json", "xml"].iter().any(|kind| content_type.contains(kind)) {
        return Some("REQUEST_BODY: empty unless the body is urlencoded");
    }
    if words("FULL_REQUEST") || words("FULL_REQUEST_LENGTH") {
        return Some("FULL_REQUEST: request line, headers and body");
    }
    if rules.contains("json.array_") || patterns(case).any(|pattern| pattern.contains("array_")) {
        return Some("JSON: elements are named by their index alone (CRS 4 and its tests)");
    }
    let rejects = rules.contains("BodyLimitAction Reject") && !rules.contains("deny");
    if rejects && case.expected.http_code == Some(403) {
        return Some("SecRequestBodyLimit: status 413; SecResponseBodyLimit: status 500");
    }
    None
}

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
    let named = ORDER_OF_LAW.iter().find(|(of, title, _)| *of == file && *title == case.title);
    if let Some(law) = named.map(|(.., law)| *law).or_else(|| against_the_law(case)) {
        return Some(Reason::OrderOfLaw(law));
    }
    (!asserts(case)).then_some(Reason::DebugLogWording)
}

/// `setvar` on a persistent collection that nothing initialises.
fn writes_uninitialised(lower: &str) -> bool {
    let opened_by = [("ip", ""), ("global", ""), ("resource", "setrsc"), ("session", "setsid"), ("user", "setuid")];
    opened_by.iter().any(|(collection, action)| {
        let set = |rest: &str| rest.trim_start_matches(['\'', '!']).starts_with(&format!("{collection}."));
        let opened = lower.contains(&format!("initcol:{collection}=")) || !action.is_empty() && lower.contains(action);
        lower.split("setvar:").skip(1).any(set) && !opened
    })
}

/// `XML:` with another selector than all text and all attribute values, or `XML` alone: the document, to be validated.
fn selects_by_xpath(lower: &str) -> bool {
    let selects = |rest: &str| rest.starts_with('/') && !rest.starts_with("/*") && !rest.starts_with("//@*");
    let document = |list: &str| list.split('|').any(|one| one == "xml");
    let targets = lower.lines().filter_map(|line| line.trim().strip_prefix("secrule ")?.split_whitespace().next());
    lower.split("xml:").skip(1).any(selects) || targets.into_iter().any(document)
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
