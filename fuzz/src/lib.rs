//! What the fuzz targets share: each target is one function from bytes to a verdict of its own.
//!
//! The generators and the oracle are those of the property tests, so that a finding here becomes a test there.

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;

use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::http::{BodyParser, Fields, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;
use fusewall::plan::Options;
use fusewall::store::{BundleKey, RuleSource, compile};
use fusewall::{Limits, Verification, Waf};
use oracle::compare::Forms;
use oracle::exchange::Exchange;
use oracle::generate::{Choices, exchange, ruleset};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The bytes up to the first marker, and those behind it: two inputs in one.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == 0xff) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => data.split_at(data.len() / 2),
    }
}

/// Interpreter, plain engine and planned engine agree on a generated ruleset and two generated exchanges.
pub fn plan(data: &[u8]) {
    let (rules, requests) = halves(data);
    let text = ruleset(&mut Choices(rules), 8);
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut requests = Choices(requests);
    for _ in 0..2 {
        let exchange = exchange(&mut requests);
        if let Err(difference) = forms.agree(&exchange) {
            panic!("{difference}\n{text}\n{}", exchange.show());
        }
    }
}

/// The letters of generated patterns: what patterns are made of, and few enough to make sense together.
const LETTERS: &[&str] = &[
    "a", "b", "ab", "union", "Sel", "(", "(?:", "(?i:", ")", "|", "*", "+", "?", "{2}", "{1,3}", "[ab]", "[^a]",
    "[0-9]", ".", "^", "$", r"\b", r"\s", r"\d", r"\W", r"\x00", "-", "x", "\u{e4}", "(?i)", "*?", "+?",
];

/// The engine with and without screens finds the same, group for group.
pub fn prefilter(data: &[u8]) {
    let (pattern, value) = halves(data);
    let text: String = pattern.iter().take(40).map(|&byte| LETTERS[usize::from(byte) % LETTERS.len()]).collect();
    let rules = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_BODY \"@rx {text}\" \
         \"id:1,phase:2,pass,capture,setvar:tx.a=%{{tx.0}},setvar:tx.b=%{{tx.1}}\"\n\
         SecRule REQUEST_BODY \"!@rx {text}\" \"id:2,phase:2,pass,t:lowercase,t:removeNulls,multiMatch\""
    );
    let build = |prefilter: bool| {
        let builder = Waf::builder().env(FixedEnv::default()).planner(Options { prefilter, ..Options::default() });
        builder.rules_text("rules.conf", &rules).build().ok()
    };
    // Most random patterns are none.
    let (Some(on), Some(off)) = (build(true), build(false)) else { return };
    let exchange = Exchange::post("/", "application/x-www-form-urlencoded", value);
    let [on, off] = [on, off].map(|waf| exchange.evaluate(&waf));
    let seen = |transaction: &fusewall::Transaction| {
        let verdict = transaction.verdict().expect("the engine does not fail");
        let tx = ["a", "b"].map(|name| transaction.tx(name).map(<[u8]>::to_vec));
        (verdict.rules, verdict.interruption, tx)
    };
    assert_eq!(seen(&on), seen(&off), "{rules}");
}

/// A multipart body read at once, and read in pieces as the first byte says, gives the same fields, report and fuel.
pub fn multipart(data: &[u8]) {
    let Some((&piece, body)) = data.split_first() else { return };
    let content_type = if piece & 0x80 == 0 {
        &b"multipart/form-data; boundary=B"[..]
    } else {
        b"multipart/form-data; boundary=\"a b\""
    };
    let piece = usize::from(piece & 0x7f) * 37 + 1;
    // Long bodies are cut at block boundaries: a short input is repeated to reach them.
    let body: Vec<u8> = if body.len() > 1 && body[0] == 0xfe { body[1..].repeat(64) } else { body.to_vec() };
    let read = |steps: &mut dyn Iterator<Item = usize>| {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(64 << 20), Report::default(), Meter::unlimited());
        let mut parser = BodyParser::new(Processor::Multipart, content_type, &ParseLimits::default());
        let mut end = 0;
        loop {
            end = (end + steps.next().unwrap_or(usize::MAX - end)).min(body.len());
            let progress = parser
                .step(&body[..end], end == body.len(), 4096, &mut fields, &mut report, &mut meter)
                .expect("no budget");
            if progress == Progress::Done {
                let named = fields
                    .items()
                    .iter()
                    .map(|field| (field.kind, fields.bytes(field.name).to_vec(), fields.bytes(field.value).to_vec()));
                return (named.collect::<Vec<_>>(), report, meter.spent());
            }
        }
    };
    let whole = read(&mut std::iter::empty());
    let pieces = read(&mut std::iter::repeat(piece));
    assert_eq!(whole, pieces);
}

/// Small automata: determinising everything would take most of a short run, and lazy DFAs are the harder case.
static BUILT_IN: LazyLock<Waf> = LazyLock::new(|| {
    let mut limits = Limits::default();
    limits.dense_dfa_bytes = 32 << 10;
    limits.determinize_bytes = 128 << 10;
    let builder = Waf::builder().rules_builtin().env(FixedEnv::default()).limits(limits);
    builder.build().expect("the built-in rules load")
});

/// The request that bytes spell: a line for target and each header, an empty line, the body.
fn spelled(data: &[u8]) -> Exchange {
    let mut exchange = Exchange::default();
    let mut rest = data;
    let mut first = true;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let (line, after) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
        rest = after;
        if first {
            let mut words = line.splitn(2, |&byte| byte == b' ');
            exchange.method = words.next().unwrap_or_default().to_vec();
            exchange.target = words.next().unwrap_or_default().to_vec();
            first = false;
        } else if line.is_empty() {
            break;
        } else {
            let mut halves = line.splitn(2, |&byte| byte == b':');
            let name = halves.next().unwrap_or_default().to_vec();
            exchange.headers.push((name, halves.next().unwrap_or_default().trim_ascii().to_vec()));
        }
    }
    exchange.body = rest.to_vec();
    exchange
}

/// Any request: the engine does not fail, stays within its fuel, and does not care how it is paused.
pub fn whole_request(data: &[u8]) {
    let (steps, request) = data.split_at(data.len().min(4));
    let exchange = spelled(request);
    let whole = exchange.evaluate(&BUILT_IN).verdict().expect("the engine does not fail");
    let limits = Limits::default();
    let bytes = (data.len() + 64) as u64;
    assert!(whole.fuel <= limits.fuel_base + limits.fuel_per_byte * bytes, "{} fuel", whole.fuel);
    assert_eq!(whole.exhausted, None);
    let mut fuel = steps.iter().cycle().map(|&byte| 1 + u64::from(byte) * 40);
    let mut piece = steps.iter().rev().cycle().map(|&byte| 1 + usize::from(byte));
    let paused = exchange.evaluate_paused(&BUILT_IN, &mut || fuel.next().unwrap_or(u64::MAX), &mut || {
        piece.next().unwrap_or(usize::MAX)
    });
    assert_eq!(Some(whole), paused.verdict());
}

/// Rules that run to their ends, whatever they cost.
static UNBOUNDED: LazyLock<Waf> = LazyLock::new(|| {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let builder = Waf::builder().env(FixedEnv::default()).limits(limits);
    let builder = match std::env::var_os("FUSEWALL_FUEL_RULES") {
        Some(path) => builder.rules_path(path),
        None => builder.rules_builtin(),
    };
    builder.build().expect("the rules load")
});

/// The most fuel a byte that an input of this run has taken.
static DEAREST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Any request takes no more fuel than its size is certified for. Answers fuel for each byte.
pub fn fuel(data: &[u8]) -> f64 {
    let exchange = spelled(data);
    let transaction = exchange.evaluate(&UNBOUNDED);
    let fuel = transaction.verdict().expect("the engine does not fail").fuel;
    // What the exchange adds of its own, version and line ends, and what came out of content codings.
    let (came, out) = (transaction.request_body().len(), transaction.decoded_request_body().len());
    let bytes = data.len() + 64 + if came == out { 0 } else { out };
    let certified = fusewall::plan::bound(&UNBOUNDED.loaded(), bytes).fuel;
    assert!(fuel <= certified, "{fuel} fuel for {bytes} bytes, certified are {certified}");
    let per_byte = fuel as f64 / bytes as f64;
    let before = DEAREST.fetch_max(per_byte as u64, std::sync::atomic::Ordering::Relaxed);
    if per_byte as u64 > before {
        eprintln!("dearest: {per_byte:.0} fuel a byte, {bytes} bytes, certified {certified}");
    }
    per_byte
}

/// Rules whose bundle has every kind of automaton in it.
const BUNDLED: &str = "SecRuleEngine On\n\
     SecRule ARGS \"@rx (?i)un(ion)\\s+select\" \"id:1,phase:1,deny,capture,setvar:tx.hit=%{tx.1}\"\n\
     SecRule ARGS \"@rx ^(a+)=\\1$\" \"id:2,phase:1,pass\"\n\
     SecRule ARGS \"@rx [ab]x.{30}y\" \"id:3,phase:1,deny\"\n";

/// Who signs, a bundle, and the rules that it is of.
static SIGNED: LazyLock<(minisign::KeyPair, Vec<u8>, Waf)> = LazyLock::new(|| {
    let signer = minisign::KeyPair::generate_unencrypted_keypair().expect("a key pair");
    let source = RuleSource::Text { name: "rules.conf".to_owned(), text: BUNDLED.to_owned() };
    let bundle = compile(&source, &MemoryFiles::new(), &Default::default()).expect("the rules load");
    let waf = Waf::builder().rules_text("rules.conf", BUNDLED).env(FixedEnv::default()).build();
    (signer, bundle.bytes, waf.expect("the rules load"))
});

/// Changes to a bundle, or a body of its own: three bytes of place and one of value each.
fn changed(bundle: &[u8], data: &[u8]) -> Vec<u8> {
    const BODY: usize = 44;
    let (mut bytes, data) = match data.split_first() {
        Some((0xff, body)) => return sealed([&bundle[..BODY], body].concat()),
        _ => (bundle.to_vec(), data),
    };
    for change in data.chunks_exact(4) {
        let place = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let place = BODY + place % (bytes.len() - BODY);
        bytes[place] = change[3];
    }
    sealed(bytes)
}

/// The bundle with a checksum that fits.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&bytes[44..]);
    bytes[12..44].copy_from_slice(&sum);
    bytes
}

/// A bundle of any content under a valid signature: no panic; and if the rules in it are as they were, either everything is, or
/// comparing finds that it is not.
pub fn bundle(data: &[u8]) {
    let (signer, bundle, plain) = &*SIGNED;
    let bytes = changed(bundle, data);
    let signature = minisign::sign(Some(&signer.pk), &signer.sk, &bytes[..], None, None).expect("a signature");
    let key = BundleKey::parse(&signer.pk.to_box().expect("a key").to_string()).expect("a key as minisign writes it");
    let files = MemoryFiles::new().with("f.fwb", bytes).with("f.fwb.minisig", signature.to_string());
    let builder = Waf::builder().rules_path("f.fwb").files(files).bundle_key(key).env(FixedEnv::default());
    let Ok(waf) = builder.build() else { return };
    let exchanges = ["/?q=union%20select", "/?q=aa=aa", "/?q=hello"].map(|target| {
        let mut exchange = Exchange::default();
        exchange.target = target.as_bytes().to_vec();
        exchange
    });
    for exchange in &exchanges {
        let _ = exchange.evaluate(&waf).verdict();
    }
    let same_rules = waf.loaded().program().ruleset == plain.loaded().program().ruleset;
    if !matches!(waf.verify(), Verification::Different { .. }) && same_rules {
        assert_eq!(waf.loaded().program(), plain.loaded().program());
        for exchange in &exchanges {
            assert_eq!(exchange.evaluate(&waf).verdict(), exchange.evaluate(plain).verdict());
        }
    }
}
