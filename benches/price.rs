//! Nanoseconds of one fuel for every kind of step, on ordinary input and on the worst that is known. The nominal rate is 1.5: what is
//! above costs more than it is charged for, what is far below is dearer in fuel than in time.
//!
//! `cargo bench --all-features --bench price` prints the table; with `--test` everything runs once.

mod inputs;
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use fusewall::Limits;
use fusewall::detect;
use fusewall::governor::thread_cpu_time;
use fusewall::http::coding::{Coding, DecodeLimits, Decoded, Decoding, End};
use fusewall::http::{Fields, ParseLimits, Report, args, cookies};
use fusewall::lang::pcre;
use fusewall::meter::{FUEL_PER_MICROSECOND, Meter};
use fusewall::ops::{numeric, text, validate};
use fusewall::scan::{Cache, Cursor, Engine, Groups, Literals, Outcome, Pattern, Phrases, Want};
use fusewall::transform::{Context, Transformation};
use fusewall::{Transaction, Waf};
use inputs::{bodies, escapes, prose, read, repeat};
use std::hint::black_box;
use std::io::Write;
use traffic::Request;

/// Bytes of an input.
const SIZE: usize = 64 << 10;

/// The table, or a single run of everything.
struct Table {
    once: bool,
    worst: (f64, String),
}

impl Table {
    /// Measures a step: `work` does it once and answers its fuel.
    fn row(&mut self, step: &str, kind: &str, mut work: impl FnMut() -> u64) {
        let fuel = work();
        assert!(fuel > 0, "{step}, {kind}: nothing is charged");
        if self.once {
            return;
        }
        let mut best = f64::MAX;
        for _ in 0..7 {
            let begun = thread_cpu_time();
            let mut spent = 0;
            // The clock needs a microsecond.
            while spent < 200_000 {
                spent += work();
            }
            best = best.min((thread_cpu_time() - begun).as_nanos() as f64 / spent as f64);
        }
        println!("{step:<34} {kind:<8} {best:>8.2} ns per fuel {fuel:>12} fuel");
        if best > self.worst.0 {
            self.worst = (best, format!("{step}, {kind}"));
        }
    }
}

fn transformations(table: &mut Table) {
    let context = Context { unicode_map: None };
    let mut out = Vec::new();
    for transformation in Transformation::ALL {
        for (kind, input) in [("benign", prose(SIZE)), ("hostile", escapes(SIZE))] {
            table.row(&format!("t:{transformation:?}"), kind, || {
                black_box(transformation.apply(&input, &mut out, &context));
                transformation.price().of(input.len())
            });
        }
    }
}

fn parsers(table: &mut Table) {
    let mut fields = Fields::with_limit(1 << 30);
    for body in bodies(SIZE) {
        assert_eq!(read(&body, &mut Meter::unlimited(), &mut fields), body.sound, "{}", body.name);
        table.row(body.name, body.kind, || {
            let mut meter = Meter::unlimited();
            read(&body, &mut meter, &mut fields);
            meter.spent()
        });
    }
    for (kind, input) in [("benign", repeat("size=42&color=blue&", SIZE)), ("hostile", repeat("=%&", SIZE))] {
        let limits = ParseLimits { arguments: usize::MAX, ..ParseLimits::default() };
        table.row("query", kind, || {
            let mut meter = Meter::unlimited();
            fields.clear();
            args::parse_query(&input, &limits, &mut fields, &mut Report::default(), &mut meter).expect("unlimited");
            meter.spent()
        });
    }
    for (kind, input) in [("benign", repeat("theme=dark; ", SIZE)), ("hostile", repeat("a;", SIZE))] {
        table.row("cookies", kind, || {
            let mut meter = Meter::unlimited();
            fields.clear();
            cookies::parse_cookies(&input, 0, b';', &mut fields, &mut meter).expect("unlimited");
            meter.spent()
        });
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text).expect("memory");
    writer.finish().expect("memory")
}

fn codings(table: &mut Table) {
    let limits = DecodeLimits { decoded: usize::MAX, ratio: usize::MAX, ratio_from: usize::MAX };
    for (kind, body) in [("benign", gzip(&prose(SIZE))), ("hostile", gzip(&vec![0; 16 * SIZE]))] {
        let mut out = Vec::new();
        table.row("Content-Encoding: gzip", kind, || {
            let mut meter = Meter::unlimited();
            out.clear();
            let mut decoding = Decoding::new(&[Coding::Gzip], &limits);
            let end = decoding.step(&body, true, usize::MAX, &mut out, &mut meter).expect("unlimited");
            assert_eq!(end, Decoded::Done(End::Complete));
            meter.spent()
        });
    }
}

fn scan(pattern: &Pattern, cache: &mut Cache, haystack: &[u8]) -> (Outcome, u64) {
    let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
    cache.clear();
    let outcome = pattern.scan(cache, haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
    (outcome.expect("unlimited"), meter.spent())
}

fn scanners(table: &mut Table) {
    let source = r"(?i)\bunion\s+(?:all\s+)?select\b|[ab][^x]{8}c$";
    let parsed = pcre::parse(source.as_bytes(), false, &Limits::default()).expect(source);
    for engine in [Engine::Dense, Engine::Hybrid, Engine::Lazy, Engine::Nfa] {
        let pattern = parsed.build(Want::Match, &Limits::default(), Some(engine)).expect(source);
        for (kind, input) in [("benign", prose(SIZE)), ("hostile", repeat("union all ab", SIZE))] {
            let mut cache = Cache::default();
            assert_eq!(scan(&pattern, &mut cache, &input).0, Outcome::Miss, "{engine:?}, {kind}");
            table.row(&format!("@rx, {engine:?}"), kind, || scan(&pattern, &mut cache, &input).1);
        }
    }
    let source = r"(?:(?>a*)b|a)*(?=x)c";
    let parsed = pcre::parse(source.as_bytes(), false, &Limits::default()).expect(source);
    let pattern = parsed.build(Want::Groups, &Limits::default(), None).expect(source);
    for (kind, input) in [("benign", prose(SIZE)), ("hostile", [repeat("a", SIZE), b"c".to_vec()].concat())] {
        let mut cache = Cache::default();
        assert_eq!(scan(&pattern, &mut cache, &input).0, Outcome::Miss, "backtracking, {kind}");
        table.row("@rx, backtracking", kind, || scan(&pattern, &mut cache, &input).1);
    }
    let words = ["union", "select", "<script", "/etc/passwd", "aaaa", "aa!", "onload", "cmd.exe", "${jndi"];
    let words: Vec<Box<[u8]>> = words.iter().map(|word| word.as_bytes().into()).collect();
    let numbered: Vec<_> = words.iter().map(|word| &**word).zip(0..).collect();
    let literals = Literals::build(&numbered, words.len()).expect("small");
    let phrases = Phrases::build(&words).expect("small");
    for (kind, input, hits) in [("benign", prose(SIZE), 0), ("hostile", repeat("unio nion sele elec lect ", SIZE), 0)] {
        let mut found = [0];
        literals.scan(&input, &mut found, &mut Meter::unlimited()).expect("unlimited");
        assert_eq!(found, [hits], "{kind}");
        table.row("literals of all patterns", kind, || {
            let mut meter = Meter::unlimited();
            literals.scan(&input, &mut [0], &mut meter).expect("unlimited");
            meter.spent()
        });
        table.row("@pm", kind, || {
            let mut meter = Meter::unlimited();
            assert_eq!(phrases.find(&input, &mut meter).expect("unlimited"), None);
            meter.spent()
        });
    }
}

fn operators(table: &mut Table) {
    for (kind, input) in [("benign", prose(SIZE)), ("hostile", repeat("1'/**/`\"", SIZE))] {
        table.row("@detectSQLi", kind, || {
            let mut meter = Meter::unlimited();
            black_box(detect::sqli(&input, &mut meter).expect("unlimited"));
            meter.spent()
        });
    }
    for (kind, input) in [("benign", prose(SIZE)), ("hostile", repeat("<a b=`", SIZE))] {
        table.row("@detectXSS", kind, || {
            let mut meter = Meter::unlimited();
            black_box(detect::xss(&input, &mut meter).expect("unlimited"));
            meter.spent()
        });
    }
    for (kind, input, needle) in
        [("benign", prose(SIZE), &b"passwd"[..]), ("hostile", repeat("a", SIZE), &b"aaaaaaaaaaaaaaab"[..])]
    {
        assert!(!text::contains(&input, needle));
        table.row("@contains", kind, || {
            black_box(text::contains(black_box(&input), needle));
            text::SEARCH_PRICE.of(input.len() + needle.len())
        });
        table.row("@validateUtf8Encoding", kind, || {
            black_box(validate::invalid_utf8(black_box(&input)));
            validate::UTF8_PRICE.of(input.len())
        });
        table.row("@validateUrlEncoding", kind, || {
            black_box(validate::invalid_url_encoding(black_box(&input)));
            validate::URL_ENCODING_PRICE.of(input.len())
        });
    }
    for (kind, input) in [("benign", b"42".to_vec()), ("hostile", repeat("9", SIZE))] {
        table.row("@eq", kind, || {
            black_box(numeric::integer(black_box(&input)));
            numeric::PRICE.of(input.len())
        });
    }
}

/// What only a whole evaluation has: selections, captures, actions, records.
fn evaluation(table: &mut Table) {
    let cases = [
        ("rules that look at nothing", "SecRule ARGS:zz \"@rx q\" \"id:ID,phase:2,pass,nolog\"", 300),
        ("captures", "SecRule ARGS \"@rx (.)(.)(.)\" \"id:ID,phase:2,pass,nolog,capture,t:none\"", 1),
        ("setvar", "SecRule ARGS \"@rx .\" \"id:ID,phase:2,pass,nolog,setvar:'tx.%{MATCHED_VAR_NAME}=+1'\"", 1),
        (
            "records",
            "SecRule ARGS \"@rx .\" \"id:ID,phase:2,pass,log,msg:'%{MATCHED_VAR}',logdata:'%{MATCHED_VAR}'\"",
            40,
        ),
    ];
    let form = "application/x-www-form-urlencoded";
    for (name, rule, count) in cases {
        let rules = (1..=count).map(|id: usize| rule.replace("ID", &id.to_string()) + "\n").collect::<String>();
        let rules = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 20000\n{rules}");
        let mut limits = Limits::default();
        (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
        let waf = Waf::builder().limits(limits).rules_text("bench.conf", rules).build();
        let waf = waf.unwrap_or_else(|report| panic!("{report}"));
        let few = Request::post("/", form, "name=Anna&city=Oslo&note=ring+twice");
        let many: String = (0..4000).map(|at| format!("a{at}=abcdef&")).collect();
        for (kind, request) in [("benign", few), ("hostile", Request::post("/", form, many))] {
            let fuel = |transaction: Transaction| transaction.verdict().expect("the engine does not fail").fuel;
            assert!(request.evaluate(&waf).interruption().is_none(), "{name}, {kind}");
            table.row(&format!("request: {name}"), kind, || fuel(request.evaluate(&waf)));
        }
    }
}

fn main() {
    let once = std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions);
    let mut table = Table { once, worst: (0.0, String::new()) };
    transformations(&mut table);
    parsers(&mut table);
    codings(&mut table);
    scanners(&mut table);
    operators(&mut table);
    evaluation(&mut table);
    if !once {
        let nominal = 1000.0 / FUEL_PER_MICROSECOND as f64;
        println!(
            "worst: {:.2} ns per fuel ({:.1} times the nominal rate), {}",
            table.worst.0,
            table.worst.0 / nominal,
            table.worst.1
        );
    }
}
