//! What a rule author reads: each file of `tests/rules/diagnostics` with the findings that it must give, word for word.
//!
//! `FUSEWALL_BLESS=1` writes the texts anew; read the difference before committing it.

use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, json, text};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang::{self, codes};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/diagnostics")
}

/// The folder in memory, so that no machine path gets into the texts.
fn files() -> MemoryFiles {
    let mut files = MemoryFiles::new();
    for entry in fs::read_dir(folder()).unwrap().flatten() {
        files = files.with(entry.file_name(), fs::read(entry.path()).unwrap());
    }
    files
}

fn findings(name: &str) -> (Diagnostics, SourceMap) {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
    seclang::load(&[name.into()], &files(), &Limits::default(), &mut sources, &mut found);
    (found, sources)
}

#[test]
fn findings_read_as_written_down() {
    let bless = std::env::var_os("FUSEWALL_BLESS").is_some();
    let mut names: Vec<_> = fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    names.sort();
    assert!(names.len() >= 12);
    let mut wrong = Vec::new();
    for path in names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (found, sources) = findings(&name);
        let shown = text::render(&found, &sources, false);
        let expected = path.with_extension("txt");
        if bless {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name}:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_its_row_in_the_document() {
    let row = |entry: &codes::Entry| format!("| {} | {} | {} |\n", entry.code, entry.meaning, entry.remedy);
    let table: String = codes::ALL.iter().map(row).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md");
    let document = fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        let start = document.find("| E0101").expect("the table starts with E0101");
        let end = start + document[start..].find("\n\n").map_or(document.len() - start, |at| at + 1);
        fs::write(&path, format!("{}{table}{}", &document[..start], &document[end..])).unwrap();
    } else {
        assert!(document.contains(&table), "docs/diagnostics.md must hold:\n{table}");
    }
}

#[test]
fn every_code_that_can_be_seen_in_one_file_is_seen() {
    let mut seen = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "conf") {
            seen.extend(findings(&entry.file_name().to_string_lossy()).0.iter().map(|found| found.code));
        }
    }
    // These need limits or depth, and are tested with them.
    let elsewhere =
        [codes::TOO_DEEP, codes::TOO_MANY_FILES, codes::FILE_TOO_LARGE, codes::TOO_MANY_RULES, codes::TOO_LONG];
    // These need rules that may not do everything.
    let withheld = [
        codes::OUTSIDE,
        codes::WITHHELD_DIRECTIVE,
        codes::WITHHELD_OPERATOR,
        codes::WITHHELD_ACTION,
        codes::WITHHELD_CTL,
    ];
    // And these come after reading: from the planner and the load pipeline.
    let later = [
        codes::INCONSISTENT,
        codes::PROBE,
        codes::AUTOMATON,
        codes::DATA_DIR,
        codes::UPLOAD_DIR,
        codes::SET_ASIDE,
        codes::NOT_FETCHED,
        codes::UNSIGNED,
        codes::BUNDLE,
        codes::RECOMPILED,
        codes::CACHE,
        codes::CEILING,
        codes::EMPTY,
        codes::SERIAL,
        codes::NOT_RECORDED,
        codes::HISTORY,
        codes::NOT_SUPPLIED,
        codes::CONTRACT,
        codes::PINNED,
    ];
    let missing: Vec<_> = codes::ALL
        .iter()
        .map(|entry| entry.code)
        .filter(|code| !seen.contains(code) && !elsewhere.contains(code) && !later.contains(code))
        .filter(|code| !withheld.contains(code))
        .collect();
    assert!(missing.is_empty(), "no example gives {missing:?}");
}

#[test]
fn machines_get_place_and_help() {
    let (found, sources) = findings("directives.conf");
    let first = serde_json::to_value(&json::to_json(&found, &sources)[0]).unwrap();
    let expected = serde_json::json!({
        "code": "E0201", "severity": "error", "message": "unknown directive `SecRuleEngin`", "file": "directives.conf",
        "line": 1, "column": 1, "help": "did you mean `SecRuleEngine`?"
    });
    assert_eq!(first, expected);
}

#[test]
fn colors_do_not_change_the_words() {
    let (found, sources) = findings("chains.conf");
    let colored = text::render(&found, &sources, true);
    assert!(colored.contains('\x1b'));
    let plain: String = colored
        .split('\x1b')
        .enumerate()
        .map(|(at, piece)| if at == 0 { piece } else { piece.split_once('m').unwrap().1 })
        .collect();
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&text::render(&found, &sources, false)));
}
