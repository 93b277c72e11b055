//! What known requests cost. Fuel is a function of rules and request, so a budget that was enough stays enough, and a recorded verdict
//! can be had again: a release that changes what something costs, proves or holds says so. `tests/data/ledger.tsv` is what is
//! promised; `FUSEWALL_BLESS=1` writes it anew.
//!
//! | file | holds |
//! |---|---|
//! | `entries` | the rulesets and the requests |
//! | `memory` | the least memory with which a request is inspected whole |

#[path = "../hostile/chance.rs"]
#[expect(dead_code, reason = "nothing is picked from a list here")]
mod chance;
#[path = "../oracle/mod.rs"]
mod oracle;
#[path = "../traffic/mod.rs"]
mod traffic;

mod entries;
mod memory;

use std::fs;
use std::path::Path;

/// What is written before the entries.
const HEAD: &str = "\
# What known requests cost: fuel by phase, the dearest rule, the rules that matched, what is not inspected. What known rulesets cost:
# fuel for 64 KiB in one value and for each KiB more, at most; fuel of a request of 0, 1,000, 65,000 bytes at most, and the largest
# request that is proven to stay within the usual budget. The least memory with which a request is inspected whole.
# A change here is one that users see: it belongs into CHANGELOG.md. FUSEWALL_BLESS=1 cargo test --test ledger writes the file anew.
";

#[test]
fn known_requests_cost_what_they_cost() {
    let lines: Vec<String> = entries::all().chain(memory::all()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ledger.tsv");
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        fs::write(&path, format!("{HEAD}{}\n", lines.join("\n"))).expect("the ledger can be written");
    }
    let written = fs::read_to_string(&path).expect("the ledger is there");
    let promised: Vec<&str> = written.lines().filter(|line| !line.starts_with('#')).collect();
    let differing = promised.iter().zip(&lines).filter(|(promised, line)| *promised != line);
    let shown: String =
        differing.take(5).map(|(promised, line)| format!("promised  {promised}\nis        {line}\n")).collect();
    assert!(
        shown.is_empty() && promised.len() == lines.len(),
        "known requests cost something else ({} entries, {} promised):\n{shown}\
         If that is meant, tell users in CHANGELOG.md, and write the ledger anew: FUSEWALL_BLESS=1 cargo test --test ledger",
        lines.len(),
        promised.len(),
    );
}
