//! The dearest request: 128 KB made from the patterns of the Core Rule Set, so that they have as much to do as an attacker can give
//! them. It stays within its budget, within the certificate of the rules, and within a time.

use crate::attempt::{FORM, JSON, post};
use crate::oracle::exchange::Exchange;
use crate::padding::{Shape, Source, form_value, sources};
use crate::rulesets::{CRS, CRS4, full};
use crate::table::say;
use fusewall::Waf;
use fusewall::governor::thread_cpu_time;
use std::time::Duration;

/// Bytes of a body.
const SIZE: usize = 128 << 10;

/// Where in a request the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// One form field.
    One,
    /// Some 500 form fields.
    Many,
    /// The names of as many.
    Names,
    /// As many strings of a JSON document.
    Json,
}

impl Place {
    const ALL: [Place; 4] = [Place::One, Place::Many, Place::Names, Place::Json];

    fn request(self, text: &[u8]) -> Exchange {
        let pieces = || text.chunks(text.len().div_ceil(500).max(1)).map(form_value);
        match self {
            Place::One => {
                let mut body = [b"x=", form_value(text).as_slice()].concat();
                body.truncate(SIZE);
                post(FORM, body)
            }
            Place::Many | Place::Names => {
                let equals: (&[u8], &[u8]) = if self == Place::Many { (b"x=", b"&") } else { (b"", b"=1&") };
                let mut body: Vec<u8> = pieces().flat_map(|piece| [equals.0, &piece, equals.1].concat()).collect();
                body.truncate(SIZE);
                post(FORM, body)
            }
            Place::Json => {
                let document = |text: &[u8]| {
                    let strings = text.chunks(text.len().div_ceil(400).max(1)).map(String::from_utf8_lossy);
                    serde_json::to_string(&strings.collect::<Vec<_>>()).expect("strings")
                };
                // Escapes make it longer, some texts more than others.
                let whole = document(text).len();
                let document = document(&text[..text.len() * SIZE / whole.max(SIZE)]);
                post(JSON, document)
            }
        }
    }
}

/// One request, and what it took.
struct Taken {
    what: String,
    /// Of the pattern, the shape and the place.
    made: (usize, Shape, Place),
    size: usize,
    fuel: u64,
    budget: u64,
    cpu: Duration,
    rules: Vec<(u64, u64)>,
}

impl Taken {
    fn show(&self) -> String {
        let millis = self.cpu.as_secs_f64() * 1e3;
        let share = 100.0 * self.fuel as f64 / self.budget as f64;
        format!(
            "{millis:.1} ms, {:.1} M fuel ({share:.0} % of its budget, {} a byte), {} KB: {}; dearest rules {:?}",
            self.fuel as f64 / 1e6,
            self.fuel / self.size as u64,
            self.size >> 10,
            self.what,
            self.rules
        )
    }
}

fn size(exchange: &Exchange) -> usize {
    let headers: usize = exchange.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    exchange.target.len() + headers + exchange.body.len()
}

/// Evaluates a request `times` times; the least time counts.
fn take(waf: &Waf, source: &Source, made: (usize, Shape, Place), times: usize) -> Taken {
    let (at, shape, place) = made;
    let exchange = place.request(&source.text(shape, SIZE, at as u64));
    let mut cpu = Duration::MAX;
    let mut last = None;
    for _ in 0..times {
        let begun = thread_cpu_time();
        let transaction = exchange.evaluate(waf);
        cpu = cpu.min(thread_cpu_time() - begun);
        last = Some(transaction);
    }
    let transaction = last.expect("evaluated");
    let verdict = transaction.verdict().expect("the engine does not fail");
    let loaded = waf.loaded();
    let (program, size) = (loaded.program(), size(&exchange));
    let limits = &program.limits;
    let budget = (limits.fuel_base + limits.fuel_per_byte * size as u64).min(limits.fuel_cap);
    let shown: String = source.text.chars().take(40).collect();
    let what = format!("{shape:?} in {place:?} of rule {}, {shown}", source.rule);
    // Over it goes at most one charge, and phase 5, which has a reserve of its own.
    let over = verdict.fuel.saturating_sub(budget + 5_000_000);
    assert!(over <= 1_000_000, "{what}: {} of {budget} fuel", verdict.fuel);
    let certified = fusewall::plan::cost(program).fuel_per_kib as f64 / 1024.0;
    let spent = verdict.fuel as f64 / size as f64;
    assert!(spent <= certified, "{what}: {spent} fuel a byte, certified {certified}");
    let rules = transaction.dearest_rules(3).into_iter().map(|(rule, fuel)| (rule.0, fuel)).collect();
    Taken { what, made, size, fuel: verdict.fuel, budget, cpu, rules }
}

/// The rules whose patterns were the dearest of all when all were tried: every run tries them.
const KNOWN: [u64; 5] = [932_230, 932_235, 932_236, 932_250, 932_260];

/// All requests (every `step`-th), dearest first. The dearest are timed again: a first run is the machine's as much as ours.
fn search(name: &str, waf: &Waf, step: usize) -> Vec<Taken> {
    let loaded = waf.loaded();
    let sources = sources(loaded.program());
    let all = (0..sources.len()).flat_map(|at| Shape::ALL.map(|shape| (at, shape)));
    let all = all.flat_map(|(at, shape)| Place::ALL.map(|place| (at, shape, place)));
    let known = (0..sources.len()).filter(|at| KNOWN.contains(&sources[*at].rule));
    let known = known.map(|at| (at, Shape::Truncated, Place::Many));
    let mut found: Vec<_> = all.step_by(step).chain(known).map(|made| take(waf, &sources[made.0], made, 1)).collect();
    found.sort_by_key(|taken| std::cmp::Reverse(taken.cpu));
    let count = found.len();
    let mut dearest: Vec<_> =
        found.iter().take(3).map(|taken| take(waf, &sources[taken.made.0], taken.made, 2)).collect();
    dearest.sort_by_key(|taken| std::cmp::Reverse(taken.cpu));
    say(&format!("{name}: {count} requests of 128 KB from {} patterns, the dearest:", sources.len()));
    dearest.iter().for_each(|taken| say(&format!("  {}", taken.show())));
    let fuel = found.iter().max_by_key(|taken| taken.fuel).expect("requests");
    say(&format!("  most fuel: {}", fuel.show()));
    dearest
}

/// What the dearest request may take today, of any level: about 110 ms on a machine that has nothing else to do, 87 million fuel. With
/// room for a busy one.
const TOLERATED: Duration = Duration::from_millis(500);

#[test]
fn the_dearest_request_stays_within_its_budget_and_time() {
    for (name, target, goal) in [("CRS, level 1", &*CRS, 20), ("CRS, level 4", &*CRS4, 60)] {
        let Some(target) = target else { continue };
        let dearest = search(name, &target.waf, if full() { 1 } else { 397 });
        let worst = dearest.iter().map(|taken| taken.cpu).max().expect("requests");
        say(&format!("  {:.1} ms; the goal is {goal} ms", worst.as_secs_f64() * 1e3));
        assert!(worst <= TOLERATED, "{name}: {worst:?}");
    }
}
