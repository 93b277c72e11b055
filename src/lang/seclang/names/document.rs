//! `docs/rule-support.md`, made from the tables: what becomes of each name of the manuals.
//!
//! `FUSEWALL_BLESS=1 cargo test --lib rule_support` writes the page anew; without it the test holds the page against the tables.

use super::{Name, Support, actions, directives, operators, peers, variables};
use crate::rule::Variable;
use crate::transform::Transformation;
use std::fmt::Write;

const INTRODUCTION: &str = "# Rule support

Every name of the ModSecurity v2.9 and v3.0 reference manuals and of Coraza, and what becomes of it here. This page is made from the
tables that the loader uses; a test keeps it equal to them, and another one finds names of the manuals that no table has.

- **supported**: does what the manual says.
- **constant**: a variable that has the one value it can have here (a note).
- **absent**: a variable that never has a value (a warning): rules that look at it load.
- **no effect**: accepted, and nothing is lost (a note), or worth knowing (a warning).
- **off only**: `Off` is what happens anyway; other values are refused.
- **refused**: an error at load, with the reason and what to do instead.

A name that is in no table is an error at load.

*since* is the first version that supports a name. The last three columns say how ModSecurity v2.9 (Apache), libmodsecurity v3.0 and
Coraza v3 take it: *yes*, *partly* (or accepted without effect), *no* (refused or unknown).
";

/// One line of a table: name, what becomes of it, remarks.
struct Row(&'static str, &'static str, String);

fn rows<T>(table: &'static [Name<T>]) -> Vec<Row> {
    let mut all: Vec<_> = table
        .iter()
        .map(|row| match &row.support {
            Support::Yes(_) => Row(row.name, "supported", condition(row.name).to_owned()),
            Support::Ignored(why) => Row(row.name, "no effect", (*why).to_owned()),
            Support::NoEffect(why) => Row(row.name, "no effect (warning)", (*why).to_owned()),
            Support::OnlyOff(why) => Row(row.name, "off only", (*why).to_owned()),
            Support::Refused(why, help) => Row(row.name, "refused", format!("{why}; {help}")),
        })
        .collect();
    all.sort_by_key(|row| row.0.to_ascii_lowercase());
    all
}

/// What a host has to do so that a directive works.
fn condition(name: &str) -> &'static str {
    match name {
        "SecRemoteRules" => "where the host allows it (`--allow-remote-rules`); otherwise an error",
        "SecDataDir" => "where the host asks for it: `serve` does",
        "SecTmpSaveUploadedFiles" | "SecUploadKeepFiles" => "where the host stores uploaded files: `serve` does",
        _ => "",
    }
}

fn variable_rows() -> Vec<Row> {
    let special = variables::SPECIAL.iter().map(|(name, support)| match support {
        Support::Ignored(why) => Row(name, "constant", (*why).to_owned()),
        Support::NoEffect(why) => Row(name, "absent (warning)", (*why).to_owned()),
        Support::Refused(why, help) => Row(name, "refused", format!("{why}; {help}")),
        Support::Yes(()) | Support::OnlyOff(_) => panic!("`{name}` is nothing special"),
    });
    let is_special = |name: &str| variables::SPECIAL.iter().any(|row| row.0 == name);
    let remark = |variable| match variable {
        Variable::Xml => "as `XML:/*` and `XML://@*`",
        Variable::Uninspected | Variable::BudgetExhausted | Variable::CollectionLimit => "Fusewall's own",
        Variable::FilesTmpNames => "where the host stores uploaded files: `serve` does, a library user gives a sink",
        Variable::Env => "what `setenv` has set, and the variables that the host names; none by default",
        Variable::Geo => "after `@geoLookup`; COUNTRY_CONTINENT is a name, AREA_CODE is always empty",
        Variable::StreamInputBody => "with `SecStreamInBodyInspection On`: the request body as it came",
        Variable::StreamOutputBody => "with `SecStreamOutBodyInspection On`: the same as RESPONSE_BODY",
        Variable::PerfRules => "with `SecRulePerfTime`; microseconds by the nominal rate of fuel, no clock",
        Variable::PerfAll | Variable::PerfCombined => "microseconds by the nominal rate of fuel, no clock",
        Variable::PerfPhase1 | Variable::PerfPhase2 | Variable::PerfPhase3 | Variable::PerfPhase4 => {
            "microseconds by the nominal rate of fuel, once the phase is over"
        }
        Variable::PerfPhase5 => "0 while rules run",
        Variable::PerfGc | Variable::PerfLogging | Variable::PerfSread | Variable::PerfSwrite => "0: it takes no time",
        _ => "",
    };
    let plain = variables::offered().filter(|name| !is_special(name)).map(|name| {
        let variable = Variable::from_name(name).expect("a name of the model");
        Row(name, "supported", remark(variable).to_owned())
    });
    let aliases = Variable::ALIASES
        .iter()
        .map(|(alias, variable)| Row(alias, "supported", format!("another name of `{}`", variable.name())));
    let mut all: Vec<_> = plain.chain(aliases).chain(special).collect();
    all.sort_by_key(|row| row.0);
    all
}

fn transformation_rows() -> Vec<Row> {
    let all = Transformation::ALL.iter().map(|known| {
        let own = if *known == Transformation::Base64DecodeText { "Fusewall's own" } else { "" };
        Row(known.name(), "supported", own.to_owned())
    });
    let other = [
        Row("none", "supported", "empties the list".to_owned()),
        Row("normalisePath", "supported", "another name of `normalizePath`".to_owned()),
        Row("normalisePathWin", "supported", "another name of `normalizePathWin`".to_owned()),
    ];
    let mut all: Vec<_> = all.chain(other).collect();
    all.sort_by_key(|row| row.0.to_ascii_lowercase());
    all
}

/// The tables of the page: title, rows, and what the manuals have.
fn tables() -> Vec<(&'static str, Vec<Row>, &'static str)> {
    vec![
        ("Directives", rows(directives::TABLE), peers::DIRECTIVES),
        ("Variables", variable_rows(), peers::VARIABLES),
        ("Operators", rows(operators::TABLE), peers::OPERATORS),
        ("Transformations", transformation_rows(), peers::TRANSFORMATIONS),
        ("Actions", rows(actions::TABLE), peers::ACTIONS),
        ("Options of `ctl`", rows(actions::CTL), peers::CTL),
    ]
}

fn table(page: &mut String, title: &str, rows: &[Row], manuals: &'static str) {
    let known = peers::read(manuals);
    let supported = rows.iter().filter(|row| row.1 == "supported").count();
    let _ = write!(
        page,
        "\n## {title}\n\n{supported} of {} supported.\n\n| name | here | since | remarks | v2 | v3 | Coraza |\n|---|---|---|---|---|---|---|\n",
        rows.len()
    );
    for Row(name, here, remarks) in rows {
        let entry = known.get(&name.to_ascii_lowercase());
        let [v2, v3, coraza] = entry.map_or(["?"; 3], |known| known.engines.map(peers::Takes::shown));
        let since = if *here == "supported" { entry.map_or("?", |known| known.since) } else { "" };
        let remarks = remarks.replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {here} | {since} | {remarks} | {v2} | {v3} | {coraza} |");
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, rows, manuals) in tables() {
        table(&mut page, title, &rows, manuals);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{page, peers, tables};
    use std::collections::BTreeSet;

    #[test]
    fn the_rule_support_page_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rule-support.md");
        if std::env::var_os("FUSEWALL_BLESS").is_some() {
            std::fs::write(&path, page()).expect("a writable page");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page(), "docs/rule-support.md differs from the tables: run with FUSEWALL_BLESS=1");
    }

    #[test]
    fn tables_and_manuals_have_the_same_names() {
        for (title, rows, manuals) in tables() {
            let here: BTreeSet<_> = rows.iter().map(|row| row.0.to_ascii_lowercase()).collect();
            let manuals: BTreeSet<_> = peers::read(manuals).into_keys().collect();
            assert_eq!(
                manuals.difference(&here).collect::<Vec<_>>(),
                Vec::<&String>::new(),
                "{title}: not in the table"
            );
            assert_eq!(here.difference(&manuals).collect::<Vec<_>>(), Vec::<&String>::new(), "{title}: in no manual");
            assert_eq!(here.len(), rows.len(), "{title}: a name stands twice");
        }
    }
}
