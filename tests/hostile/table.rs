//! The page with all counts: `docs/hostile-inputs.md`.

use crate::hidden::{COUNTS, Counts};
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

const PADDING: &str = "
## Padding made from the patterns of the Core Rule Set

For every `@rx` of the rules: texts that it matches, cut short and repeated; bytes of its alphabet in an order of chance; beginnings of
matches before long white space; and between quotes, brackets and comments that do not close. As values of form fields. Every day a
sample with a fixed seed is sent, counted here; `FUSEWALL_HOSTILE=full` sends all of it, up to 128 KB, and all 42,369 benign requests,
none of which spends its budget.

| question | cases | answer |
|---|---|---|
";

/// What was counted under the rules that are not always there.
fn padding(counts: &Counts) -> String {
    let mut page = PADDING.to_owned();
    let Counts { benign, benign_exhausted, hostile, hostile_whole, hidden, hidden_refused, hidden_exhausted, .. } =
        counts;
    let share = 100 * hostile_whole / hostile;
    let passed = hidden - hidden_refused - hidden_exhausted;
    for (question, cases, answer) in [
        (
            "recorded benign requests that spend a budget, level 4, bodies of 1 MB among them",
            benign,
            benign_exhausted.to_string(),
        ),
        ("requests of padding inspected to their end, level 4", hostile, format!("{hostile_whole} ({share} %)")),
        ("attacks before, behind and within padding that pass, level 1", hidden, passed.to_string()),
        ("of them refused because a budget is spent", hidden, hidden_exhausted.to_string()),
    ] {
        let _ = writeln!(page, "| {question} | {cases} | {answer} |");
    }
    page
}

#[test]
fn the_page_says_what_the_tests_do() {
    let mut page = page();
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
    let mut written = std::fs::read_to_string(path).unwrap_or_default();
    match &*COUNTS {
        Some(counts) => page.push_str(&padding(counts)),
        // Without the rules, what the page says of them stays as it is.
        None => page.extend(written.find(PADDING).map(|at| written[at..].to_owned())),
    }
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
        written.clone_from(&page);
    }
    assert!(written == page, "docs/hostile-inputs.md is not what the tests count; FUSEWALL_BLESS=1 writes it");
}
