//! The direction of the house: a module uses only modules of floors below its own (siblings inside one room aside), and
//! clocks and files stay where they belong. `ARCHITECTURE.md` draws the same table.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and its floor.
const FLOORS: &[(&str, u32)] = &[
    ("byteset", 0),
    ("files", 0),
    ("limits", 0),
    ("meter", 0),
    ("diag", 0),
    ("parallel", 0),
    ("sync", 0),
    ("wire", 0),
    ("transform", 1),
    ("http", 1),
    ("detect", 1),
    ("geo", 1),
    ("net", 1),
    ("ops", 1),
    ("scan", 1),
    ("rule", 2),
    ("lang", 3),
    ("program", 3),
    ("plan", 4),
    ("engine", 4),
    ("governor", 5),
    ("store", 5),
    ("waf", 6),
    ("host", 7),
    ("cli", 7),
];

/// Uses between rooms of one floor that the plan of the house allows: the command line starts hosts.
const SAME_FLOOR: &[(&str, &str)] = &[("cli", "host")];

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.ends_with("target") {
            // Cargo's, of a package of its own.
        } else if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module of a file below `src`, and its code: comments, and tests at its end, left aside.
fn code(path: &Path) -> (String, String) {
    let relative = path.strip_prefix(root()).expect("a file below src");
    let first = relative.components().next().expect("a first part").as_os_str().to_string_lossy().into_owned();
    let module = first.trim_end_matches(".rs").to_owned();
    let text = fs::read_to_string(path).expect("a readable file");
    // Some tests are for one system alone: `#[cfg(all(test, ...))]`.
    let tests = text.find("#[cfg(test)]\nmod tests").or_else(|| text.find("#[cfg(all(test, "));
    let text = text.get(..tests.unwrap_or(text.len())).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    (module, lines.collect::<Vec<_>>().join("\n"))
}

/// The modules of this crate that the code names: `crate::name` and `crate::{name, ...}`.
fn used(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    code.match_indices("crate::").map(|(at, found)| name(&code[at + found.len()..])).collect()
}

#[test]
fn modules_use_only_lower_floors() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let mut wrong = Vec::new();
    for path in &files {
        let (module, code) = code(path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(own) = floor(&module) else {
            wrong.push(format!("{}: module `{module}` has no floor", path.display()));
            continue;
        };
        for other in used(&code) {
            let same = other == module || SAME_FLOOR.contains(&(module.as_str(), other.as_str()));
            match floor(&other) {
                Some(below) if below < own || same => {}
                Some(above) => wrong.push(format!("{}: floor {own} uses `{other}` on floor {above}", path.display())),
                // Re-exports at the crate's root, such as `crate::Limits`, belong to hosts and users.
                None if own >= 6 || other.is_empty() => {}
                None => wrong.push(format!("{}: uses `crate::{other}`, name its module instead", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clocks_and_files_stay_where_they_belong() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let mut wrong = Vec::new();
    for path in &files {
        let (module, code) = code(path);
        let clock = code.contains("std::time") && !["governor", "host", "cli"].contains(&module.as_str());
        let file = code.contains("std::fs") && !["store", "host", "cli"].contains(&module.as_str());
        if clock {
            wrong.push(format!("{}: std::time", path.display()));
        }
        if file {
            wrong.push(format!("{}: std::fs", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_architecture_page_names_paths_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut missing = Vec::new();
    for name in page.split('`').skip(1).step_by(2) {
        let is_path = ["src/", "tests/", "docs/", "rules/", "benches/", "fuzz/", "examples/", ".ci/"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_path && !root.join(name).exists() {
            missing.push(name.to_owned());
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
    for (module, _) in FLOORS {
        assert!(page.contains(&format!("`{module}`")), "ARCHITECTURE.md leaves out `{module}`");
    }
}
