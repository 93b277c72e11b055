//! The page with all counts: `docs/hostile-inputs.md`.

use crate::row::Row;
use crate::rulesets::{CRS, full};
use std::fmt::Write as _;
use std::io::Write as _;

/// Says something that is shown even if the test passes.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn rows() -> Vec<&'static Row> {
    vec![
        &crate::arguments::ROW,
        &crate::json::SIZE,
        &crate::json::ODD,
        &crate::content_type::ROW,
        &crate::multipart::ROW,
        &crate::form::ROW,
        &crate::target::ROW,
        &crate::headers::ROW,
        &crate::splits::ROW,
        &crate::xml::ROW,
        &crate::transformations::ROW,
        &crate::patterns::ROW,
        &crate::rule_files::ROW,
        &crate::operators::ROW,
        &crate::responses::ROW,
        &crate::invariants::ROW,
        &crate::doubling::ROW,
    ]
}

const HEAD: &str = "\
# Hostile inputs

Each class of input that an attacker may send, how many cases of it `tests/hostile` makes, and what became of them. Cases are made
without chance or from fixed seeds. A request with an attack in it is sent to the hand-written rules of the tests and to the built-in
rules (up to 1 MiB), so that a request counts twice among the outcomes:

- *found*: a rule found the attack (whether the request was refused for another reason too or not)
- *refused*: the request was refused as malformed or too large before or instead of that
- *flagged*: it passed, and the verdict (`uninspected`) and `FUSEWALL_UNINSPECTED` name what was not inspected
- *held*: a case without an attack, in which what was promised held: a harmless request passed, a bound was kept, the verdict was
  the same, a rule file was refused with a diagnostic
- *silent*: it passed unseen. There is none, or the test fails
- *panics*: none, or the test fails

Every request up to 64 KiB is also cut into pieces at pseudo-random places, evaluated in pseudo-random turns, and given to the naive
interpreter; the verdicts are the same.

This page is written by `FUSEWALL_BLESS=1 cargo test --release --all-features --test hostile`, and compared by the same test without
the variable.

| class | input | cases | found | refused | flagged | held | silent | panics |
|---|---|---|---|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in rows() {
        let Row { class, about, generated, found, refused, flagged, held, silent, panics, .. } = row;
        let _ = writeln!(
            page,
            "| {class} | {about} | {generated} | {found} | {refused} | {flagged} | {held} | {silent} | {panics} |"
        );
    }
    page.push_str(NOTES);
    page
}

const NOTES: &str = "";

#[test]
fn the_page_says_what_the_tests_do() {
    let page = page();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        say(line);
    }
    if CRS.is_some() {
        let total = |column: usize| rows().iter().map(|row| row.crs[column]).sum::<usize>();
        say(&format!("CRS: {} found, {} refused, {} flagged, {} silent", total(0), total(1), total(2), total(3)));
    }
    if cfg!(debug_assertions) || full() {
        say("left out: the comparison with docs/hostile-inputs.md (needs a release build and the everyday cases)");
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hostile-inputs.md");
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/hostile-inputs.md is not what the tests count; FUSEWALL_BLESS=1 writes it");
}
