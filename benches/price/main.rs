//! Nanoseconds of one fuel for every kind of step, on ordinary input and on the worst that is found. The nominal rate is 2: what is
//! above costs more than it is charged for, what is far below is dearer in fuel than in time.
//!
//! `cargo bench --all-features --bench price` prints the table, and fails if a step takes more than twice the nominal rate; a name
//! behind `--` picks the groups that contain it. With `--test` everything runs once. Rows of the Core Rule Set need the conformance
//! data (`FUSEWALL_CONFORMANCE_DIR`), those of recorded requests the corpora (`FUSEWALL_CORPUS_DIR`).
//!
//! | file | steps |
//! |---|---|
//! | `transformations` | what pipelines are made of |
//! | `readers` | bodies, query strings, cookies, content codings |
//! | `scanners` | patterns: each engine, alone and on the patterns of a ruleset |
//! | `words` | the search for words, windows and phrases |
//! | `operators`, `geo` | the other operators |
//! | `rules` | what only a whole evaluation has: selections, actions, records |
//! | `requests` | whole requests under the Core Rule Set, and what of a request is charged to nobody |
//! | `table`, `texts` | how a step is measured, and the inputs that are tried on it |

#[path = "../../tests/hostile/chance.rs"]
#[allow(dead_code)]
mod chance;
mod geo;
#[path = "../inputs/mod.rs"]
mod inputs;
mod operators;
#[path = "../../tests/hostile/padding.rs"]
mod padding;
mod readers;
mod requests;
mod rules;
mod scanners;
mod table;
mod texts;
#[path = "../../tests/traffic/mod.rs"]
mod traffic;
mod transformations;
mod words;

use table::Table;

/// A group of rows.
type Group = (&'static str, fn(&mut Table));

const GROUPS: [Group; 8] = [
    ("transformations", transformations::rows),
    ("readers", readers::rows),
    ("scanners", scanners::rows),
    ("words", words::rows),
    ("operators", operators::rows),
    ("geo", geo::rows),
    ("rules", rules::rows),
    ("requests", requests::rows),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let once = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    let mut table = Table::new(once);
    for (name, rows) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            rows(&mut table);
        }
    }
    if !table.ends_well() {
        std::process::exit(1);
    }
}
