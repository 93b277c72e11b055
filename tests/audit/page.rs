//! The examples of `docs/audit-log.md`. `FUSEWALL_BLESS=1` writes them anew.

use crate::traffic::{Traffic, waf};
use std::path::Path;

const RULES: &str = r#"SecComponentSignature "OWASP_CRS/4.0.0"
SecRule ARGS "@contains <script" "id:941110,phase:2,deny,status:403,severity:CRITICAL,msg:'XSS filter',logdata:'%{MATCHED_VAR_NAME}: %{MATCHED_VAR}',tag:'attack-xss'"
SecAction "id:9001,phase:5,pass,nolog,sanitiseArg:password"
"#;

/// JSON on many lines, members in their order.
fn spread(line: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    for character in line.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = character == '\\' && !escaped;
            out.push(character);
            continue;
        }
        quoted = character == '"';
        let opens = usize::from("{[".contains(character));
        let closes = usize::from("}]".contains(character));
        depth = depth + opens - closes;
        if closes == 1 && out.trim_end().ends_with(['[', '{']) {
            out.truncate(out.trim_end().len());
        } else if closes == 1 {
            out.push_str(&format!("\n{}", "  ".repeat(depth)));
        }
        out.push(character);
        if character == ':' {
            out.push(' ');
        }
        if opens == 1 || character == ',' {
            out.push_str(&format!("\n{}", "  ".repeat(depth)));
        }
    }
    out
}

/// The page with its examples written anew.
fn renewed(page: &str, name: &str, language: &str, example: &str) -> String {
    let mark = format!("<!-- example: {name} -->\n");
    let (before, after) = page.split_once(&mark).expect("a mark");
    let rest = match after.trim_start().strip_prefix("```") {
        Some(block) => block.split_once("\n```\n").expect("the end of the block").1,
        None => after,
    };
    format!("{before}{mark}\n```{language}\n{}\n```\n{rest}", example.trim_end())
}

#[test]
fn the_page_shows_what_is_written() {
    let mut traffic = Traffic::post(b"application/x-www-form-urlencoded", b"q=%3Cscript%3E&password=hunter2");
    traffic.status = 403;
    let mut record = traffic.record(&waf(RULES));
    // Prices change more often than the page should.
    (record.budget.fuel, record.budget.fuel_by_phase) = (5321, [3904, 1272, 0, 0, 145]);
    record.budget.dearest.truncate(1);
    record.budget.dearest[0].1 = 603;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit-log.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let fresh = renewed(&page, "json", "json", &spread(&record.to_json()));
    let fresh = renewed(&fresh, "ocsf", "json", &spread(&record.to_ocsf()));
    let fresh = renewed(&fresh, "native", "text", &record.to_native());
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
        return;
    }
    assert!(page == fresh, "docs/audit-log.md differs from what is written: run with FUSEWALL_BLESS=1");
}
