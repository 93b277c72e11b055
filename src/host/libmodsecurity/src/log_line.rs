//! Lines of the error log as libmodsecurity 3 writes them, so that existing tools parse them.

use fusewall::MatchRecord;
use fusewall::engine::Reason;
use fusewall::host::exchange::Exchange;
use fusewall::rule::Rule;
use std::fmt::Write;

/// The status of a request whose connection should be closed without an answer.
pub const DROPPED: u16 = 403;

/// Bytes of the parameter of an operator, and of other texts, that a line shows.
const TEXT: usize = 200;
/// Bytes of a value that a line shows.
const VALUE: usize = 100;

/// The line of a match. `rule` is the one that has matched; `refused` is the status, if that has ended the request.
pub fn of_match(record: &MatchRecord, rule: Option<&Rule>, hostname: Option<&str>, refused: Option<u16>) -> String {
    let mut line = String::with_capacity(512);
    match refused {
        Some(status) => {
            let _ = write!(line, "ModSecurity: Access denied with code {status} (phase {}). ", record.phase.number());
        }
        None => line.push_str("ModSecurity: Warning. "),
    }
    line.push_str(&what_matched(record, rule));
    let number = |number: Option<u8>| number.unwrap_or(0).to_string();
    let mut field = |name: &str, text: &str| {
        let _ = write!(line, " [{name} \"{}\"]", cut(text, TEXT));
    };
    field("file", &record.file);
    field("line", &record.line.to_string());
    field("id", &record.rule.to_string());
    field("rev", record.revision.as_deref().unwrap_or_default());
    field("msg", &record.message);
    field("data", &record.data);
    field("severity", &record.severity.map_or(0, |severity| severity.0).to_string());
    field("ver", record.version.as_deref().unwrap_or_default());
    field("maturity", &number(record.maturity));
    field("accuracy", &number(record.accuracy));
    record.tags.iter().for_each(|tag| field("tag", tag));
    field("hostname", &hostname.map_or_else(|| record.hostname.clone(), printable));
    field("uri", record.uri.split('?').next().unwrap_or_default());
    field("unique_id", &record.unique_id);
    // Where in the request it stood: nothing here keeps that.
    field("ref", "");
    line
}

/// The line of a refusal that no match tells of: a rule that does not log, a limit, a budget.
pub fn without_match(exchange: &Exchange, status: u16) -> String {
    let phase = exchange.phase().number();
    let why = match (exchange.unruled(), exchange.interruption().map(|ended| ended.reason)) {
        (Some(unruled), _) => unruled.reason.to_owned(),
        (None, Some(Reason::Rule(rule))) => format!("A rule that does not log has matched. [id \"{rule}\"]"),
        (None, _) => "The request was refused.".to_owned(),
    };
    let id = exchange.incident_id();
    format!("ModSecurity: Access denied with code {status} (phase {phase}). {why} [unique_id \"{id}\"]")
}

/// Which operator has found what.
fn what_matched(record: &MatchRecord, rule: Option<&Rule>) -> String {
    let test = rule.and_then(|rule| rule.conditions.iter().rev().find_map(|condition| condition.test.as_ref()));
    let Some(test) = test else { return record.matched.clone() };
    let written = test.to_seclang();
    let written = written.trim_start_matches('!').trim_start_matches('@');
    let (operator, parameter) = written.split_once(' ').unwrap_or((written, ""));
    match operator {
        "detectSQLi" => return "detected SQLi using libinjection.".to_owned(),
        "detectXSS" => return "detected XSS using libinjection.".to_owned(),
        _ => {}
    }
    let mut letters = operator.chars();
    let operator: String = match operator {
        "streq" => "StrEq".to_owned(),
        "strmatch" => "StrMatch".to_owned(),
        _ => letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect(),
    };
    format!(
        "Matched \"Operator `{}' with parameter `{}' against variable `{}' (Value: `{}' )",
        operator,
        printable(&cut(parameter, TEXT)),
        record.variable,
        cut(&record.value, VALUE)
    )
}

/// A text on one line that no terminal obeys. Those of a record are that already.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            ' '..='~' => out.push(character),
            other => other.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(out, "\\x{byte:02x}");
            }),
        }
        out
    })
}

/// A text, or its beginning and how much is missing.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            format!("{shown} ({} characters omitted)", rest.chars().count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusewall::Waf;

    fn line(rule: &str, target: &str, refused: Option<u16>) -> String {
        let waf = Waf::builder().rules_text("a.conf", format!("SecRuleEngine On\n{rule}")).build().expect("it loads");
        let mut exchange = waf.transaction_with_id("17");
        exchange.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        exchange.add_request_header(b"Host", b"www.example");
        exchange.process_request_headers();
        let loaded = waf.loaded();
        let records = exchange.logged_records(0);
        of_match(&records[0], loaded.program().ruleset.rules.first(), None, refused)
    }

    #[test]
    fn as_libmodsecurity_writes_it() {
        let rule = "SecRule ARGS:q \"@rx ^attack$\" \"id:1,phase:1,deny,msg:'an attack',severity:CRITICAL,tag:'a/b',\
                    logdata:'%{MATCHED_VAR}',ver:'CRS/4'\"";
        let rest = "Matched \"Operator `Rx' with parameter `^attack$' against variable `ARGS:q' (Value: `attack' ) \
                    [file \"a.conf\"] [line \"2\"] [id \"1\"] [rev \"\"] [msg \"an attack\"] [data \"attack\"] [severity \"2\"] \
                    [ver \"CRS/4\"] [maturity \"0\"] [accuracy \"0\"] [tag \"a/b\"] [hostname \"www.example\"] [uri \"/\"] \
                    [unique_id \"17\"] [ref \"\"]";
        let refused = line(rule, "/?q=attack", Some(403));
        assert_eq!(refused, format!("ModSecurity: Access denied with code 403 (phase 1). {rest}"));
        assert_eq!(line(rule, "/?q=attack", None), format!("ModSecurity: Warning. {rest}"));
    }

    #[test]
    fn long_values_are_cut() {
        let found =
            line("SecRule ARGS \"@contains a\" \"id:1,phase:1,pass,log\"", &format!("/?q={}", "a".repeat(150)), None);
        assert!(found.contains(&format!("(Value: `{} (50 characters omitted)' )", "a".repeat(100))), "{found}");
        let found = line("SecRule ARGS \"@detectSQLi\" \"id:1,phase:1,pass,log\"", "/?q=1'%20or%20'1'='1", None);
        assert!(found.starts_with("ModSecurity: Warning. detected SQLi using libinjection. [file"), "{found}");
    }
}
