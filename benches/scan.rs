//! Scanners: nanoseconds per byte and per unit of fuel, on benign prose and on hostile input, for every engine.
//!
//! Verdicts are asserted before anything is measured. With the conformance data at hand (`FUSEWALL_CONFORMANCE_DIR`, default
//! `../shared/conformance`) a survey over the patterns of the OWASP Core Rule Set is printed first: build times, memory, the
//! rate of each engine, and how far prices lie above the dearest input found.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fusewall::Limits;
use fusewall::lang::pcre;
use fusewall::meter::Meter;
use fusewall::scan::{Cache, Cursor, Engine, Groups, Literals, Outcome, Pattern, Phrases, Want};
use regex_syntax::hir::Hir;

const ENGINES: [Engine; 4] = [Engine::Dense, Engine::Hybrid, Engine::Lazy, Engine::Nfa];

fn parse(pattern: &str) -> Option<Hir> {
    regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(pattern).ok()
}

/// Text without anything that a rule should match.
fn prose(bytes: usize) -> Vec<u8> {
    let text = "The committee met on Tuesday and agreed to move the picnic (weather allowing) to the 14th; Anna will bring bread, \
                cheese and two tables. Please reply by Friday if you can help us carry things -- thanks! ";
    text.bytes().cycle().take(bytes).collect()
}

fn repeat(pump: &str, bytes: usize) -> Vec<u8> {
    pump.bytes().cycle().take(bytes).collect()
}

fn run(pattern: &Pattern, cache: &mut Cache, haystack: &[u8]) -> (Outcome, u64) {
    let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
    cache.clear();
    let outcome = pattern.scan(cache, haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
    (outcome.expect("unlimited"), meter.spent())
}

/// The shortest of a few runs.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    (0..3)
        .map(|_| {
            let begun = Instant::now();
            black_box(work());
            begun.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn engines(criterion: &mut Criterion) {
    let cases = [
        ("rare-start", r"(?i)\bunion\s+(?:all\s+)?select\b", "union all union "),
        ("prose-like", r"(?i)[a-z]+\s*=\s*'[^']*'\s*or\b", "a='' a= "),
        ("loop", r"(?:a|aa|aaa)+!", "a"),
        ("window", r"[ab][^x]{12}c$", "ab"),
    ];
    for (name, source, pump) in cases {
        let mut group = criterion.benchmark_group(name);
        let hir = parse(source).expect(source);
        for engine in ENGINES {
            let pattern = Pattern::build(&hir, Want::Match, &Limits::default(), Some(engine)).expect(source);
            let mut cache = Cache::default();
            for (kind, haystack) in [("benign", prose(16 << 10)), ("hostile", repeat(pump, 16 << 10))] {
                let (outcome, fuel) = run(&pattern, &mut cache, &haystack);
                assert_eq!(outcome, Outcome::Miss, "{source} on {kind} input");
                assert!(fuel <= pattern.price().of(haystack.len()));
                group.throughput(Throughput::Bytes(haystack.len() as u64));
                group.bench_with_input(
                    BenchmarkId::new(format!("{engine:?}"), kind),
                    &haystack,
                    |bencher, haystack| {
                        bencher.iter(|| run(&pattern, &mut cache, haystack));
                    },
                );
            }
        }
        group.finish();
    }
}

/// Patterns that are not regular, on input that the automaton lets through and that takes the matcher a while.
fn backtracking(criterion: &mut Criterion) {
    let cases = [
        ("look-ahead", r"(?=(?:a|aa)*b)(?:a|aa)*c(?!c)", "a", "c"),
        ("atomic", r"(?:(?>a*)b|a)*(?=x)c", "a", "c"),
        ("nested", r"(?>(?>(?>a|aa)*)*b|a)*(?=x)c", "a", "c"),
        ("groups", r"(a|b)*(?=x)c", "ab", "c"),
        ("entities", r"(?<!&(?:[aAoOuUyY]uml)|&(?:amp)|&(?:apos));", "&auml;", ""),
    ];
    let mut group = criterion.benchmark_group("backtracking");
    for (name, source, pump, tail) in cases {
        let parsed = pcre::parse(source.as_bytes(), false, &Limits::default()).expect(source);
        let pattern = parsed.build(Want::Groups, &Limits::default(), None).expect(source);
        let mut cache = Cache::default();
        let mut haystack = repeat(pump, (16 << 10) / pump.len() * pump.len());
        haystack.extend_from_slice(tail.as_bytes());
        let (outcome, fuel) = run(&pattern, &mut cache, &haystack);
        assert_eq!(outcome, Outcome::Miss, "{source}");
        let nanos = time(|| run(&pattern, &mut cache, &haystack)).as_nanos() as f64;
        println!(
            "backtracking/{name}: {:.2} ns per fuel, {} fuel per byte",
            nanos / fuel as f64,
            fuel / haystack.len() as u64
        );
        group.throughput(Throughput::Bytes(haystack.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &haystack, |bencher, haystack| {
            bencher.iter(|| run(&pattern, &mut cache, haystack));
        });
    }
    group.finish();
}

fn literals(criterion: &mut Criterion) {
    let list: Vec<Box<[u8]>> =
        ["union", "select", "<script", "/etc/passwd", "aaaa", "aaa", "aa!", "onload", "cmd.exe", "${jndi"]
            .iter()
            .map(|literal| literal.as_bytes().into())
            .collect();
    let numbered: Vec<_> = list.iter().map(|word| &**word).zip(0..).collect();
    let literals = Literals::build(&numbered, list.len()).expect("small");
    let phrases = Phrases::build(&list).expect("small");
    let mut group = criterion.benchmark_group("literals");
    for (kind, haystack, hits) in [("benign", prose(16 << 10), 0), ("hostile", repeat("aaaa", 16 << 10), 0b11_0000)] {
        let mut found = [0];
        literals.scan(&haystack, &mut found, &mut Meter::unlimited()).expect("unlimited");
        assert_eq!(found, [hits], "{kind}");
        group.throughput(Throughput::Bytes(haystack.len() as u64));
        group.bench_with_input(BenchmarkId::new("all", kind), &haystack, |bencher, haystack| {
            bencher.iter(|| literals.scan(haystack, &mut [0], &mut Meter::unlimited()));
        });
        group.bench_with_input(BenchmarkId::new("first", kind), &haystack, |bencher, haystack| {
            bencher.iter(|| phrases.find(haystack, &mut Meter::unlimited()));
        });
    }
    group.finish();
}

/// The distinct `@rx` parameters of the Core Rule Set.
fn core_rule_set() -> Vec<String> {
    let folder = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map_or("../shared/conformance".into(), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(folder.join("crs/rules")) else { return Vec::new() };
    let mut patterns = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|ext| ext == "conf")) {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        for line in text.lines().filter(|line| line.trim_start().starts_with("SecRule ")) {
            let Some(at) = line.find("@rx ") else { continue };
            let mut pattern = String::new();
            let mut characters = line[at + 4..].chars();
            while let Some(c) = characters.next() {
                match c {
                    '"' => break,
                    '\\' => match characters.next() {
                        Some('"') => pattern.push('"'),
                        escaped => {
                            pattern.push(c);
                            pattern.extend(escaped);
                        }
                    },
                    _ => pattern.push(c),
                }
            }
            patterns.push(pattern);
        }
    }
    patterns.sort();
    patterns.dedup();
    patterns
}

/// Inputs that keep a pattern busy: its own words, repeated.
fn pumps(source: &str) -> Vec<Vec<u8>> {
    let mut pumps: Vec<Vec<u8>> = ["a", "'", " ", "0", "(", "$(", "../", "<a ", "\\", ";a=", "\"'", "=1 "]
        .iter()
        .map(|pump| repeat(pump, 4096))
        .collect();
    for word in source.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 2).take(40) {
        pumps.push(repeat(word, 4096));
        pumps.push(repeat(&format!("{word} "), 4096));
    }
    // And in an order that never repeats, which visits more states than any period can.
    let words: Vec<&str> = source.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    for joints in [" ", "", " \r\n'\"(=;/|$<", "xb\\[0-9]"] {
        let (mut mixed, mut random) = (Vec::new(), 1u64);
        let mut below = |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % limit.max(1)
        };
        while mixed.len() < 4096 {
            mixed.extend(words.get(below(words.len())).copied().unwrap_or("a").bytes());
            mixed.extend(joints.as_bytes().get(below(joints.len())).copied());
        }
        pumps.push(mixed);
    }
    let own: String = source.chars().filter(|c| !"\\[](){}|?*+^".contains(*c)).collect();
    if !own.is_empty() {
        pumps.push(repeat(&own, 4096));
    }
    pumps
}

#[derive(Default)]
struct Survey {
    rates: Vec<f64>,
    fuel_rates: Vec<f64>,
    worst: Vec<f64>,
    worst_fuel: Vec<f64>,
    slack: Vec<f64>,
}

fn quantiles(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    format!("{:8.2} {:8.2} {:8.2} {:8.2}", at(0.1), at(0.5), at(0.9), at(1.0))
}

fn survey(_: &mut Criterion) {
    let patterns = core_rule_set();
    if patterns.is_empty() {
        println!("the survey of the Core Rule Set was left out: no conformance data");
        return;
    }
    let parsed: Vec<(&String, Hir)> = patterns.iter().filter_map(|source| Some((source, parse(source)?))).collect();
    println!("{} distinct patterns, {} parsed", patterns.len(), parsed.len());
    if std::env::args().any(|argument| argument == "--test") {
        println!("the survey takes minutes: it was left out");
        return;
    }
    let limits = Limits::default();
    let benign = prose(64 << 10);
    for want in [Want::Match, Want::Span, Want::Groups] {
        let begun = Instant::now();
        let (mut dense, mut memory, mut failed) = (0, 0, Vec::new());
        for (source, hir) in &parsed {
            let one = Instant::now();
            let pattern = Pattern::build(hir, want, &limits, None).expect(source);
            memory += pattern.memory();
            if pattern.engine() == Engine::Dense {
                dense += 1;
            } else {
                failed.push((one.elapsed().as_millis(), source));
            }
        }
        let wasted: u128 = failed.iter().map(|(millis, _)| millis).sum();
        println!(
            "{want:?}: {dense} dense, {} others; {} ms to build, {wasted} of them for the others; {} KiB",
            failed.len(),
            begun.elapsed().as_millis(),
            memory >> 10,
        );
        let begun = Instant::now();
        for (source, hir) in &parsed {
            Pattern::build_with(hir, want, Engine::Lazy, &limits).expect(source);
        }
        println!("{want:?}: all lazy: {} ms to build", begun.elapsed().as_millis());
    }
    println!("quantiles:                     10 %      50 %      90 %      max");
    for engine in ENGINES {
        let mut survey = Survey::default();
        for (source, hir) in &parsed {
            let Ok(pattern) = Pattern::build_with(hir, Want::Match, engine, &limits) else { continue };
            let planned = Pattern::build(hir, Want::Match, &limits, None).expect(source).engine();
            if planned != engine && engine != Engine::Nfa {
                continue;
            }
            let mut cache = Cache::default();
            let (outcome, fuel) = run(&pattern, &mut cache, &benign);
            if outcome == Outcome::Miss {
                let nanos = time(|| run(&pattern, &mut cache, &benign)).as_nanos() as f64;
                survey.rates.push(nanos / benign.len() as f64);
                survey.fuel_rates.push(nanos / fuel as f64);
            }
            let (mut worst, mut worst_fuel, mut dearest) = (0.0f64, 0.0f64, 0);
            for pump in pumps(source) {
                let (outcome, fuel) = run(&pattern, &mut Cache::default(), &pump);
                dearest = dearest.max(fuel);
                if outcome == Outcome::Miss {
                    let nanos = time(|| run(&pattern, &mut Cache::default(), &pump)).as_nanos() as f64;
                    worst = worst.max(nanos / pump.len() as f64);
                    worst_fuel = worst_fuel.max(nanos / fuel as f64);
                }
            }
            survey.worst.push(worst);
            survey.worst_fuel.push(worst_fuel);
            survey.slack.push(pattern.price().of(4096) as f64 / dearest as f64);
            if engine == Engine::Hybrid {
                println!(
                    "{:>8} fuel/KiB, dearest {:>8}, {} KiB, {:.60}",
                    pattern.price().per_kib,
                    dearest / 4,
                    pattern.memory() >> 10,
                    source
                );
            }
        }
        println!("{engine:?} ns/byte, prose:      {}", quantiles(survey.rates));
        println!("{engine:?} ns/fuel, prose:      {}", quantiles(survey.fuel_rates));
        println!("{engine:?} ns/byte, cold pump:  {}", quantiles(survey.worst));
        println!("{engine:?} ns/fuel, cold pump:  {}", quantiles(survey.worst_fuel));
        println!("{engine:?} price over dearest:  {}", quantiles(survey.slack));
    }
}

criterion_group!(benches, survey, engines, backtracking, literals);
criterion_main!(benches);
