//! The canary: a budget that does not trip is noticed wherever anything is tested. It needs no feature, no data and no other test;
//! in 2019 the guard of somebody's CPU was lost in a refactoring, and every test went on to pass.

use fusewall::meter::Scope;
use fusewall::{Limits, Waf};

/// It never matches what is sent, and has a way to go on at each byte.
const RULES: &str = r#"
    SecRuleEngine On
    SecRule ARGS "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:1,phase:1,deny"
"#;

/// What was exhausted, the status of the refusal, and the fuel.
fn send(limits: Limits) -> (Option<Scope>, Option<u16>, u64) {
    let built = Waf::builder().limits(limits).rules_text("canary.conf", RULES).build();
    let mut transaction = built.unwrap_or_else(|report| panic!("{report}")).transaction();
    let target = format!("/?x=y{}", "abcd".repeat(5000));
    transaction.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    let verdict = transaction.verdict().expect("the engine does not fail");
    let status = verdict.interruption.map(|interruption| interruption.status);
    (verdict.exhausted.map(|exhausted| exhausted.scope), status, verdict.fuel)
}

#[test]
fn the_guard_trips() {
    let (exhausted, status, fuel) = send(Limits::default());
    assert_eq!((exhausted, status), (None, None));
    let mut limits = Limits::default();
    limits.fuel_rule = 3000;
    let (exhausted, status, spent) = send(limits);
    assert_eq!(exhausted, Some(Scope::Rule));
    assert!(status.is_some() && spent < fuel, "{status:?}, {spent} of {fuel}");
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_per_byte) = (fuel / 2, 0);
    let (exhausted, status, spent) = send(limits);
    assert_eq!(exhausted, Some(Scope::Request));
    assert!(status.is_some() && spent < fuel, "{status:?}, {spent} of {fuel}");
}

#[test]
fn nothing_leaves_it_out() {
    let read = |path: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    // The whole of the tests runs with every change, and this file has nothing that would take it out.
    assert!(read(".ci/run").lines().any(|line| line == "cargo test --release --workspace --all-features"));
    assert!(!read("Cargo.toml").contains("\"canary\""));
    for attribute in ["ignore", "cfg"] {
        for start in ["#[", "#!["] {
            assert!(!read("tests/canary.rs").contains(&format!("{start}{attribute}")), "{attribute}");
        }
    }
}
