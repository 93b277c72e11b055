//! The variables: the table itself belongs to the rule model; here stands what is not as the manuals say, and why.

use super::Support::{self, Ignored, NoEffect, Refused};
use crate::rule::Variable;

/// What becomes of the names that are not simply supported.
///
/// `Ignored` variables have the one value that the engine can give them, `NoEffect` ones never have any: rules that look at them
/// load and, unless negated operators look for nothing, do not match.
pub(in crate::lang::seclang) const SPECIAL: &[(&str, Support<()>)] = &[
    ("ARGS_PATH", Refused(NO_PATH, PATH_HELP)),
    ("JSON", Refused("JSON bodies are arguments", "use ARGS_POST: a leaf is named `json.path.to.leaf`")),
    (
        "MSC_PCRE_ERROR",
        Ignored("matching cannot fail, it is always 0; FUSEWALL_BUDGET_EXHAUSTED tells when a budget ran dry"),
    ),
    ("MSC_PCRE_LIMITS_EXCEEDED", Ignored("rules have a budget instead of such limits, it is always 0")),
    ("RESPONSE_ARGS", Refused(NO_RESPONSE_PROCESSOR, "use RESPONSE_BODY")),
    ("RESPONSE_XML", Refused(NO_RESPONSE_PROCESSOR, "use RESPONSE_BODY")),
    ("RES_BODY_ERROR", Ignored("no processor reads response bodies, it is always 0")),
    ("RES_BODY_ERROR_MSG", Ignored("no processor reads response bodies, it is always empty")),
    ("RES_BODY_PROCESSOR", Ignored("no processor reads response bodies, it is always empty")),
    ("RES_BODY_PROCESSOR_ERROR", Ignored("no processor reads response bodies, it is always 0")),
    ("RES_BODY_PROCESSOR_ERROR_MSG", Ignored("no processor reads response bodies, it is always empty")),
    ("SCRIPT_BASENAME", NoEffect(NO_SCRIPT)),
    ("SCRIPT_FILENAME", NoEffect(NO_SCRIPT)),
    ("SCRIPT_GID", NoEffect(NO_SCRIPT)),
    ("SCRIPT_GROUPNAME", NoEffect(NO_SCRIPT)),
    ("SCRIPT_MODE", NoEffect(NO_SCRIPT)),
    ("SCRIPT_UID", NoEffect(NO_SCRIPT)),
    ("SCRIPT_USERNAME", NoEffect(NO_SCRIPT)),
    ("SDBM_DELETE_ERROR", Ignored("there is no SDBM database, it is always 0")),
    ("URI_PARSE_ERROR", Ignored("every request target can be read, it is always 0")),
    ("WEBSERVER_ERROR_LOG", NoEffect("the web server's log does not reach the engine, so it never has a value")),
];

const NO_PATH: &str = "paths are not matched against templates";
const PATH_HELP: &str = "match REQUEST_FILENAME with @rx and capture, and look at TX:1 and its like";
const NO_RESPONSE_PROCESSOR: &str = "response bodies are inspected as text, no processor reads them";
const NO_SCRIPT: &str =
    "the engine runs before any script is chosen, so it never has a value; REQUEST_FILENAME and REQUEST_BASENAME have";

/// What a name means.
pub(in crate::lang::seclang) enum Lookup {
    /// A variable; what a rule author should know about it.
    Found(Variable, Remark),
    /// Known, not supported: why, and what to do instead.
    Refused(&'static str, &'static str),
    /// No manual knows it.
    Unknown,
}

/// What the author of a rule that names a variable should know.
#[derive(Debug, Clone, Copy)]
pub(in crate::lang::seclang) enum Remark {
    None,
    /// It has always the same value, and nothing is lost.
    Constant(&'static str),
    /// It has values where the host stores uploaded files.
    StoredUploads,
    /// It never has a value.
    Absent(&'static str),
}

/// Looks a name up, without case.
pub(in crate::lang::seclang) fn lookup(name: &[u8]) -> Lookup {
    let remark = match SPECIAL.iter().find(|row| row.0.as_bytes().eq_ignore_ascii_case(name)) {
        Some(&(_, Refused(why, help))) => return Lookup::Refused(why, help),
        Some(&(_, NoEffect(why))) => Remark::Absent(why),
        Some(&(_, Ignored(why))) => Remark::Constant(why),
        _ => Remark::None,
    };
    match std::str::from_utf8(name).ok().and_then(Variable::from_name) {
        // Its name is internal: rules write XML://@*.
        Some(Variable::XmlAttributes) | None => Lookup::Unknown,
        Some(Variable::FilesTmpNames) => Lookup::Found(Variable::FilesTmpNames, Remark::StoredUploads),
        Some(variable) => Lookup::Found(variable, remark),
    }
}

/// The names that a help text may propose.
pub(in crate::lang::seclang) fn offered() -> impl Iterator<Item = &'static str> {
    Variable::ALL
        .iter()
        .map(|variable| variable.name())
        .filter(|name| matches!(lookup(name.as_bytes()), Lookup::Found(..)))
}
