//! Whole requests: transaction, all phases, verdict. Under the built-in rules, and where it is at hand under the OWASP Core Rule Set
//! at paranoia level 1 (`FUSEWALL_CONFORMANCE_DIR`) with recorded traffic (`FUSEWALL_CORPUS_DIR`).

mod inputs;
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fusewall::Waf;
use inputs::{escapes, prose};
use traffic::{Request, recorded, setup};

const FORM: &str = "application/x-www-form-urlencoded";

/// Requests that pass, and one that keeps rules busy and may be refused.
fn own() -> Vec<(&'static str, Vec<Request>, bool)> {
    let form = |text: &[u8]| [b"note=", text].concat();
    vec![
        ("get", vec![Request::get("/products?size=42&color=blue").header("Cookie", "theme=dark")], true),
        ("form", vec![Request::post("/", FORM, form(&prose(2000)))], true),
        ("json", vec![Request::post("/", "application/json", r#"[{"id":17,"note":"ring twice"}]"#)], true),
        ("form of 64 KB", vec![Request::post("/", FORM, form(&prose(64 << 10)))], true),
        ("hostile, 16 KB of escapes", vec![Request::post("/", FORM, form(&escapes(16 << 10)))], false),
    ]
}

fn run(criterion: &mut Criterion, rules: &str, waf: &Waf, classes: &[(&str, Vec<Request>, bool)]) {
    let refused = Request::get("/?q=1'%20union%20select%20password%20from%20users--%20-").evaluate(waf);
    assert_eq!(refused.interruption().map(|interruption| interruption.status), Some(403), "{rules}: an attack passes");
    let mut group = criterion.benchmark_group(format!("end_to_end/{rules}"));
    group.sample_size(20);
    for (class, requests, passes) in classes {
        for request in requests.iter().filter(|_| *passes) {
            let verdict = request.evaluate(waf).verdict().expect("the engine does not fail");
            assert!(verdict.interruption.is_none(), "{rules}, {class}, {}: {:?}", request.id, verdict.interruption);
        }
        group.throughput(Throughput::Elements(requests.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(class), requests, |bencher, requests| {
            bencher.iter(|| requests.iter().filter(|request| request.evaluate(waf).interruption().is_none()).count());
        });
    }
    group.finish();
}

fn built_in(criterion: &mut Criterion) {
    let waf = Waf::builder().rules_builtin().build().unwrap_or_else(|report| panic!("{report}"));
    run(criterion, "built-in", &waf, &own());
}

fn core_rule_set(criterion: &mut Criterion) {
    let Some(path) = setup("crs-pl1") else { return };
    let waf = traffic::waf(&path);
    let classes = ["benign-small", "benign-form", "benign-json", "benign-multipart", "long64"];
    let mut found = Vec::new();
    for class in classes {
        let Some(mut requests) = recorded(&format!("bench/{class}")) else { continue };
        // Some of the long ones are refused: they are timed as they are.
        let passes = class != "long64";
        if passes {
            let all = requests.len();
            requests.retain(|request| request.evaluate(&waf).interruption().is_none());
            assert!(requests.len() * 10 >= all * 9, "{class}: {} of {all} pass", requests.len());
        }
        requests.truncate(50);
        found.push((class, requests, passes));
    }
    found.extend(own().pop());
    run(criterion, "crs-pl1", &waf, &found);
}

criterion_group!(benches, built_in, core_rule_set);
criterion_main!(benches);
