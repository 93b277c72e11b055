//! The variables: the table itself belongs to the rule model; here stands what is refused, and why.

use crate::rule::Variable;

/// Name, why it is refused, what to do instead. Names of the model and names that only the manuals know.
pub(in crate::lang::seclang) const REFUSED: &[(&str, &str, &str)] = &[
    ("ENV", NO_ENV, "let the host pass what rules need as a header"),
    ("FILES_TMPNAMES", NO_TMP, "use FILES, FILES_NAMES or FILES_TMP_CONTENT"),
    ("GEO", "geographic look-ups are not supported yet", "use @ipMatchFromFile with the networks of a country"),
    (
        "MSC_PCRE_ERROR",
        "matching cannot fail",
        "remove the rule; FUSEWALL_BUDGET_EXHAUSTED tells when a budget ran dry",
    ),
    ("PERF_ALL", NO_PERF, PERF_HELP),
    ("PERF_COMBINED", NO_PERF, PERF_HELP),
    ("PERF_GC", NO_PERF, PERF_HELP),
    ("PERF_LOGGING", NO_PERF, PERF_HELP),
    ("PERF_PHASE1", NO_PERF, PERF_HELP),
    ("PERF_PHASE2", NO_PERF, PERF_HELP),
    ("PERF_PHASE3", NO_PERF, PERF_HELP),
    ("PERF_PHASE4", NO_PERF, PERF_HELP),
    ("PERF_PHASE5", NO_PERF, PERF_HELP),
    ("PERF_RULES", NO_PERF, PERF_HELP),
    ("PERF_SREAD", NO_PERF, PERF_HELP),
    ("PERF_SWRITE", NO_PERF, PERF_HELP),
    ("SCRIPT_BASENAME", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_FILENAME", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_GID", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_GROUPNAME", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_MODE", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_UID", NO_SCRIPT, SCRIPT_HELP),
    ("SCRIPT_USERNAME", NO_SCRIPT, SCRIPT_HELP),
    ("SDBM_DELETE_ERROR", "there is no SDBM database", "remove the rule"),
    ("STREAM_INPUT_BODY", NO_STREAM, "use REQUEST_BODY"),
    ("STREAM_OUTPUT_BODY", NO_STREAM, "use RESPONSE_BODY"),
    ("WEBSERVER_ERROR_LOG", "the web server's log does not reach the engine", "remove the rule"),
];

const NO_ENV: &str = "the process environment does not reach the engine";
const NO_TMP: &str = "uploads are inspected in memory and have no temporary names";
const NO_PERF: &str = "rules cannot see the clock";
const PERF_HELP: &str = "`fusewall bench` and the verdict's fuel show what phases and rules cost";
const NO_SCRIPT: &str = "the engine runs before any script is chosen";
const SCRIPT_HELP: &str = "use REQUEST_FILENAME or REQUEST_BASENAME";
const NO_STREAM: &str = "bodies are inspected whole, not as streams";

/// What a name means.
pub(in crate::lang::seclang) enum Lookup {
    /// A variable.
    Found(Variable),
    /// Known, not supported: why, and what to do instead.
    Refused(&'static str, &'static str),
    /// No manual knows it.
    Unknown,
}

/// Looks a name up, without case.
pub(in crate::lang::seclang) fn lookup(name: &[u8]) -> Lookup {
    if let Some(&(_, why, help)) = REFUSED.iter().find(|row| row.0.as_bytes().eq_ignore_ascii_case(name)) {
        return Lookup::Refused(why, help);
    }
    match std::str::from_utf8(name).ok().and_then(Variable::from_name) {
        // Its name is internal: rules write XML://@*.
        Some(Variable::XmlAttributes) | None => Lookup::Unknown,
        Some(variable) => Lookup::Found(variable),
    }
}

/// The names that a help text may propose.
pub(in crate::lang::seclang) fn offered() -> impl Iterator<Item = &'static str> {
    Variable::ALL
        .iter()
        .map(|variable| variable.name())
        .filter(|name| matches!(lookup(name.as_bytes()), Lookup::Found(_)))
}
