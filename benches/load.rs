//! Loading rules: the built-in ones, rules that cost their loader as much as they can, and the OWASP Core Rule Set where it is at hand
//! (`FUSEWALL_CONFORMANCE_DIR`, default `../shared/conformance`).

#[path = "../tests/traffic/mod.rs"]
mod traffic;

use criterion::{Criterion, criterion_group, criterion_main};
use fusewall::{Waf, WafBuilder};
use std::fmt::Write;
use std::time::Duration;
use traffic::{Request, setup};

fn built(builder: WafBuilder) -> Waf {
    builder.build().unwrap_or_else(|report| panic!("{report}"))
}

/// A hundred plain rules.
fn plain() -> String {
    (1..=100).fold("SecRuleEngine On\n".to_owned(), |mut text, id| {
        let _ =
            writeln!(text, "SecRule ARGS \"@rx (?i)\\bword{id}\\s+[a-z]+=\" \"id:{id},phase:1,deny,t:urlDecodeUni\"");
        text
    })
}

/// Patterns that no deterministic automaton of allowed size stands for: each tries, and gives up.
fn hostile() -> String {
    (1..=4).fold("SecRuleEngine On\n".to_owned(), |mut text, id| {
        let _ = writeln!(text, "SecRule ARGS \"@rx (?:a|b)[^x]{{{}}}c{id}$\" \"id:{id},phase:1,deny\"", 20 + id);
        text
    })
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    let hit = Request::get("/?q=word7+b%3d");
    for (name, text, refuses) in [("benign", plain(), true), ("hostile", hostile(), false)] {
        let load = || built(Waf::builder().rules_text("bench.conf", text.as_str()));
        assert_eq!(hit.evaluate(&load()).interruption().is_some(), refuses, "{name}");
        group.bench_function(name, |bencher| bencher.iter(load));
    }
    let builtin = built(Waf::builder().rules_builtin());
    assert!(Request::get("/?q=%3Cscript%3Ealert(1)%3C/script%3E").evaluate(&builtin).interruption().is_some());
    group.bench_function("built-in", |bencher| bencher.iter(|| built(Waf::builder().rules_builtin())));
    // A single load takes seconds: where each bench runs only once to see that it does, loading has been seen often enough.
    if !std::env::args().any(|argument| argument == "--test") {
        for name in ["crs-pl1", "crs-pl4"] {
            if let Some(path) = setup(name) {
                group.bench_function(name, |bencher| bencher.iter(|| traffic::waf(&path)));
            }
        }
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
