//! The Core Rule Set at paranoia level 4: the same verdicts at the same cost, and how long loading takes.

use super::*;
use fusewall::store::DiskFiles;
use std::io::Read;
use std::time::Instant;

/// Requests that are compared.
const SAMPLE: usize = 150;

#[test]
fn it_loads_alike_and_fast() {
    if cfg!(debug_assertions) {
        println!("left out: the Core Rule Set takes minutes to compile without optimisation");
        return;
    }
    let Some(setup) = outside("FUSEWALL_CONFORMANCE_DIR", "conformance", "setup/crs-pl4.conf") else { return };
    let source = RuleSource::Paths(vec![setup.clone()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crs.fwb");
    let compiled = compile(&source, &DiskFiles, &Default::default()).unwrap_or_else(|report| panic!("{report}"));
    std::fs::write(&path, &compiled.bytes).unwrap();
    std::fs::write(folder.path().join("crs.fwb.minisig"), signature(&compiled.bytes)).unwrap();

    let timed = |what: &str, build: &dyn Fn() -> WafBuilder| {
        let started = Instant::now();
        let waf = build().build().unwrap_or_else(|report| panic!("{report}"));
        let took = started.elapsed();
        println!("{what}: {:.1} ms", took.as_secs_f64() * 1e3);
        (waf, took)
    };
    let cache = folder.path().join("cache");
    let (plain, compiling) = timed("from source", &|| builder().rules_path(&setup));
    let (bundled, _) = timed("from the bundle", &|| builder().rules_path(&path).bundle_key(key()));
    let (_, _) = timed("writing the cache", &|| builder().rules_path(&setup).cache(&cache));
    let (cached, _) = timed("from the cache", &|| builder().rules_path(&setup).cache(&cache));
    let best = (0..5).map(|_| timed("from the bundle", &|| builder().rules_path(&path).bundle_key(key())).1).min();
    // On a machine that has other things to do both take longer.
    assert!(best.unwrap().as_millis() < 500 || best.unwrap() * 4 < compiling, "{best:?} and {compiling:?}");
    println!(
        "{} bytes, {} patterns, {} bytes of automata",
        compiled.bytes.len(),
        compiled.patterns,
        compiled.automata_bytes
    );

    assert_eq!(plain.loaded().program(), bundled.loaded().program());
    assert_eq!(plain.loaded().program(), cached.loaded().program());
    assert_eq!(plain.loaded().memory(), bundled.loaded().memory());
    for corpus in ["attacks", "benign", "evasions"] {
        let Some(file) = outside("FUSEWALL_CORPUS_DIR", "corpus", &format!("{corpus}.jsonl.gz")) else { continue };
        let mut lines = String::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut lines).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        for line in lines.iter().step_by((lines.len() / (SAMPLE / 3)).max(1)) {
            let request: serde_json::Value = serde_json::from_str(line).unwrap();
            let evaluate = |waf: &Waf| {
                let mut exchange = waf.transaction_with_id("crs");
                exchange.process_connection([198, 51, 100, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
                let word = |name: &str| request[name].as_str().unwrap_or_default().as_bytes().to_vec();
                exchange.process_request_line(&word("method"), &word("uri"), b"HTTP/1.1");
                for header in request["headers"].as_array().into_iter().flatten() {
                    let part = |at: usize| header[at].as_str().unwrap_or_default().as_bytes().to_vec();
                    exchange.add_request_header(&part(0), &part(1));
                }
                exchange.process_request_headers();
                exchange.process_request_body();
                exchange.process_logging();
                exchange.verdict()
            };
            let verdict = evaluate(&plain);
            assert_eq!(verdict, evaluate(&bundled), "{line}");
            assert_eq!(verdict, evaluate(&cached), "{line}");
        }
    }
}
