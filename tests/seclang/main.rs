//! SecLang, from text to rule model.

mod crs;
mod lowering;
mod properties;
mod remote;
mod updates;

use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang;
use fusewall::rule::{Rule, Ruleset};

/// Loads a text; findings rendered.
fn try_load(rules: &str, files: &MemoryFiles) -> (Ruleset, Diagnostics, String) {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(50));
    let set = seclang::load_text("t.conf", rules.as_bytes(), files, &Limits::default(), &mut sources, &mut found);
    let shown = text::render(&found, &sources, false);
    (set, found, shown)
}

/// Loads a text that must have no errors.
fn load(rules: &str) -> Ruleset {
    let (set, found, shown) = try_load(rules, &MemoryFiles::new());
    assert_eq!(found.errors(), 0, "{shown}");
    set
}

/// The only rule of a text.
fn one(rules: &str) -> Rule {
    let mut set = load(rules);
    assert_eq!(set.rules.len(), 1);
    set.rules.remove(0)
}

/// The codes of the findings of a text.
fn codes(rules: &str) -> Vec<&'static str> {
    try_load(rules, &MemoryFiles::new()).1.iter().map(|found| found.code).collect()
}

/// A ruleset without what printing cannot keep: places, the Unicode map, the list of removed rules.
fn comparable(mut set: Ruleset) -> Ruleset {
    set.settings.unicode_map = None;
    set.settings.removed.clear();
    for marker in &mut set.markers {
        marker.span = None;
    }
    for rule in &mut set.rules {
        (rule.span, rule.file, rule.line) = (None, "".into(), 0);
        for condition in &mut rule.conditions {
            condition.span = None;
        }
    }
    set
}
