//! ModSecurity's own regression cases for body parsers, as far as a parser alone can answer them: the rules of a case that compare
//! a `MULTIPART_*` or `REQBODY_*` flag or an argument decide whether it is denied.
//!
//! The cases are not part of this repository. `FUSEWALL_CONFORMANCE_DIR` says where they are; without them the test says so.

use crate::{Read, read};
use fusewall::http::args::parse_query;
use fusewall::http::{Fields, Kind, ParseLimits, Processor, Report};
use fusewall::meter::Meter;
use serde_json::Value;
use std::path::PathBuf;

fn cases(file: &str) -> Option<Vec<Value>> {
    let folder = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from("../shared/conformance"), PathBuf::from);
    let text = std::fs::read_to_string(folder.join("modsecurity-regression/regression").join(file)).ok()?;
    Some(serde_json::from_str(&text).expect("a list of cases"))
}

/// What the rules of a case can ask of a body.
fn flag(variable: &str, read: &Read) -> Option<u64> {
    let (report, flags) = (&read.report, &read.report.multipart);
    Some(match variable {
        "REQBODY_ERROR" | "REQBODY_PROCESSOR_ERROR" => report.error.into(),
        "MULTIPART_STRICT_ERROR" => flags.strict_error().into(),
        "MULTIPART_UNMATCHED_BOUNDARY" => flags.unmatched_boundary.into(),
        "MULTIPART_HEADER_FOLDING" => flags.header_folding.into(),
        "MULTIPART_INVALID_HEADER_FOLDING" => flags.invalid_header_folding.into(),
        "MULTIPART_INVALID_QUOTING" => flags.invalid_quoting.into(),
        "MULTIPART_FILE_LIMIT_EXCEEDED" => flags.file_limit_exceeded.into(),
        "MULTIPART_CRLF_LF_LINES" => flags.crlf_lf_lines.into(),
        "MULTIPART_DATA_AFTER" => flags.data_after.into(),
        "FILES_COMBINED_SIZE" => report.files_combined_size,
        "&FILES" | "&FILES_NAMES" => read.values(Kind::File).len() as u64,
        _ => return None,
    })
}

/// Whether a rule denies the request; `None` if a parser alone cannot tell.
fn denies(rule: &str, read: &Read) -> Option<bool> {
    let rule = rule.strip_prefix("SecRule ")?;
    let (variable, rest) = rule.split_once(' ')?;
    let (operator, actions) = rest.strip_prefix('"')?.split_once("\" ")?;
    if !actions.contains("deny") || actions.contains("chain") {
        return Some(false);
    }
    if let (Some(name), Some(value)) = (variable.strip_prefix("ARGS:"), operator.strip_prefix("@streq ")) {
        return Some(read.values(Kind::ArgPost).contains(&(name, value)));
    }
    let (negated, operand) = match operator.strip_prefix('!') {
        Some(rest) => (true, rest.strip_prefix("@eq ")?),
        None => (false, operator.strip_prefix("@eq ")?),
    };
    Some((flag(variable, read)? == operand.parse::<u64>().ok()?) != negated)
}

fn setting(case: &Value, directive: &str) -> Option<usize> {
    rules(case).find_map(|rule| rule.strip_prefix(directive)?.trim().parse().ok())
}

fn rules(case: &Value) -> impl Iterator<Item = &str> {
    case["rules"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Reads the body of a case as the engine would after its query.
fn read_case(case: &Value, processor: Processor) -> Read {
    let request = &case["request"];
    let lines: Vec<_> = request["body"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let headers = request["headers"].as_object().expect("headers");
    let content_type =
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, value)| value);
    let mut limits = ParseLimits::default();
    let query = request["uri"].as_str().and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
    let (mut fields, mut report) = (Fields::with_limit(1 << 20), Report::default());
    parse_query(query.as_bytes(), &limits, &mut fields, &mut report, &mut Meter::unlimited()).unwrap();
    limits.upload_files = setting(case, "SecUploadFileLimit").unwrap_or(limits.upload_files);
    limits.json_depth = setting(case, "SecRequestBodyJsonDepthLimit").unwrap_or(limits.json_depth);
    limits.arguments = setting(case, "SecArgumentsLimit").unwrap_or(limits.arguments) - fields.arguments();
    let body = lines.join("\n") + if lines.is_empty() || processor == Processor::Json { "" } else { "\n" };
    read(processor, content_type.and_then(Value::as_str).unwrap_or_default(), body, limits)
}

#[test]
fn flags_decide_as_in_modsecurity() {
    let files = [
        ("request-body-parser-multipart.json", Processor::Multipart),
        ("request-body-parser-multipart-crlf.json", Processor::Multipart),
        ("variable-MULTIPART_CRLF_LF_LINES.json", Processor::Multipart),
        ("variable-MULTIPART_STRICT_ERROR.json", Processor::Multipart),
        ("variable-MULTIPART_UNMATCHED_BOUNDARY.json", Processor::Multipart),
        ("variable-MULTIPART_INVALID_HEADER_FOLDING.json", Processor::Multipart),
        ("variable-FILES_COMBINED_SIZE.json", Processor::Multipart),
        ("issue-1825.json", Processor::Multipart),
        ("request-body-parser-json.json", Processor::Json),
        ("secargumentslimit.json", Processor::Json),
    ];
    let (mut judged, mut wrong) = (0, Vec::new());
    for (file, processor) in files {
        let Some(cases) = cases(file) else {
            println!("left out: {file} (set FUSEWALL_CONFORMANCE_DIR)");
            continue;
        };
        for case in &cases {
            let title = case["title"].as_str().unwrap_or_default();
            let read = read_case(case, processor);
            let denied = rules(case).any(|rule| denies(rule, &read) == Some(true));
            let decided = rules(case).filter(|rule| rule.contains("deny")).all(|rule| denies(rule, &read).is_some());
            let mut reasons = Vec::new();
            if let (Some(status), true) = (case["expected"]["http_code"].as_u64(), decided) {
                judged += 1;
                if denied != (status != 200) {
                    reasons.push(format!("status {status}"));
                }
            }
            // What the debug log of the reference says of a value.
            if let Some(log) = case["expected"]["debug_log"].as_str() {
                let flagged = log.strip_prefix("Target value: \"").and_then(|rest| {
                    let (value, rest) = rest.split_once('"')?;
                    let name = rest.split_once("Variable: ")?.1.trim_end_matches(['\\', ')', '.']);
                    Some((flag(name, &read)?, value.parse::<u64>().ok()?))
                });
                if let Some((ours, theirs)) = flagged {
                    judged += 1;
                    if ours != theirs {
                        reasons.push(log.to_string());
                    }
                }
                let broken = ["Invalid", "missing", "No boundaries", "Duplicate", "Multiple"];
                if !log.contains("tolerated") && broken.iter().any(|word| log.contains(word)) {
                    judged += 1;
                    if !read.report.multipart.strict_error() {
                        reasons.push(log.to_string());
                    }
                }
            }
            if !reasons.is_empty() {
                wrong.push(format!("{file}: {title}: {reasons:?}; we: {:?}", read.report));
            }
        }
    }
    println!("{judged} expectations judged");
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
