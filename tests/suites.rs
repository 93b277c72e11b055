//! Says which suites of outside data the tests can reach. Without a harness, because a passing test's output is not shown.

use std::path::PathBuf;

/// Suite, environment variable, default folder, what must be there, tests that use it.
const SUITES: &[(&str, &str, &str, &str, &str)] = &[
    ("CRS rules and regression tests", "FUSEWALL_CONFORMANCE_DIR", "conformance", "crs", "seclang, pcre, naive, ftw"),
    (
        "secrules-language-tests",
        "FUSEWALL_CONFORMANCE_DIR",
        "conformance",
        "secrules-language-tests",
        "conformance, detect",
    ),
    (
        "ModSecurity regression cases",
        "FUSEWALL_CONFORMANCE_DIR",
        "conformance",
        "modsecurity-regression",
        "conformance, http",
    ),
    ("corpus of requests", "FUSEWALL_CORPUS_DIR", "corpus", "attacks.jsonl.gz", "naive, reference, pcre"),
];

fn main() {
    let mut left_out = 0;
    for (suite, variable, folder, inside, tests) in SUITES {
        let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
        let root = std::env::var_os(variable).map_or_else(default, PathBuf::from);
        if root.join(inside).exists() {
            println!("suite {suite}: found");
        } else {
            println!("suite {suite}: LEFT OUT of the tests {tests} (name its folder by {variable})");
            left_out += 1;
        }
    }
    println!("{} suites found, {left_out} left out", SUITES.len() - left_out);
}
