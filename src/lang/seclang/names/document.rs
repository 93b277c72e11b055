//! `docs/rule-support.md`, made from the tables: what becomes of each name of the manuals.
//!
//! `FUSEWALL_BLESS=1 cargo test --lib rule_support` writes the page anew; without it the test holds the page against the tables.

use super::{Name, Support, actions, directives, operators, variables};
use crate::rule::Variable;
use crate::transform::Transformation;
use std::fmt::Write;

const INTRODUCTION: &str = "# Rule support

Every name of the ModSecurity v2 and v3 reference manuals and what becomes of it here. This page is made from the tables that the
loader uses; a test keeps it equal to them.

- **supported**: does what the manual says.
- **no effect**: accepted, and nothing is lost (a note), or worth knowing (a warning).
- **off only**: `Off` is what happens anyway; other values are refused.
- **refused**: an error at load, with the reason and what to do instead.

A name that is in no table is an error at load.
";

/// One line of a table: name, what becomes of it, remarks.
struct Row(&'static str, &'static str, String);

fn rows<T>(table: &'static [Name<T>]) -> Vec<Row> {
    table
        .iter()
        .map(|row| match &row.support {
            Support::Yes(_) => Row(row.name, "supported", String::new()),
            Support::Ignored(why) => Row(row.name, "no effect", (*why).to_owned()),
            Support::NoEffect(why) => Row(row.name, "no effect (warning)", (*why).to_owned()),
            Support::OnlyOff(why) => Row(row.name, "off only", (*why).to_owned()),
            Support::Refused(why, help) => Row(row.name, "refused", format!("{why}; {help}")),
        })
        .collect()
}

fn variable_rows() -> Vec<Row> {
    let refused = variables::REFUSED.iter().map(|(name, why, help)| Row(name, "refused", format!("{why}; {help}")));
    let mut all: Vec<_> = variables::offered()
        .map(|name| match Variable::from_name(name) {
            Some(Variable::Xml) => Row(name, "supported", "as `XML:/*` and `XML://@*`".to_owned()),
            Some(Variable::Uninspected | Variable::BudgetExhausted) => {
                Row(name, "supported", "Fusewall's own".to_owned())
            }
            _ => Row(name, "supported", String::new()),
        })
        .chain(refused)
        .collect();
    all.sort_by_key(|row| row.0);
    all
}

fn transformation_rows() -> Vec<Row> {
    let all = Transformation::ALL.iter().map(|known| {
        let own = if *known == Transformation::Base64DecodeText { "Fusewall's own" } else { "" };
        Row(known.name(), "supported", own.to_owned())
    });
    std::iter::once(Row("none", "supported", "empties the list".to_owned())).chain(all).collect()
}

fn table(page: &mut String, title: &str, rows: &[Row]) {
    let supported = rows.iter().filter(|row| row.1 == "supported").count();
    let _ = write!(
        page,
        "\n## {title}\n\n{supported} of {} supported.\n\n| name | here | remarks |\n|---|---|---|\n",
        rows.len()
    );
    for Row(name, here, remarks) in rows {
        let _ = writeln!(page, "| `{name}` | {here} | {} |", remarks.replace('|', "\\|"));
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    table(&mut page, "Directives", &rows(directives::TABLE));
    table(&mut page, "Variables", &variable_rows());
    table(&mut page, "Operators", &rows(operators::TABLE));
    table(&mut page, "Transformations", &transformation_rows());
    table(&mut page, "Actions", &rows(actions::TABLE));
    table(&mut page, "Options of `ctl`", &rows(actions::CTL));
    page
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_rule_support_page_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rule-support.md");
        if std::env::var_os("FUSEWALL_BLESS").is_some() {
            std::fs::write(&path, page()).expect("a writable page");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page(), "docs/rule-support.md differs from the tables: run with FUSEWALL_BLESS=1");
    }
}
