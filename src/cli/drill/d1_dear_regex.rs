//! D1: the expression of 2 July 2019. Its end, `.*(?:.*=.*)`, tries each place of the text for each place before it.

use super::report::Findings;
use super::setting::{Setting, budget, own_rules, quoted, verdict};
use super::{Drill, traffic};
use crate::cli::requests::Prepared;
use crate::governor::thread_cpu_time;
use crate::lang::pcre;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::program::Test;
use crate::scan::{Backtrack, Cache, Cursor, Exact, Groups, Outcome, Want};
use crate::waf::Waf;
use anyhow::Context;
use std::time::Duration;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D1",
    outage: "Cloudflare, 2 July 2019: one expression took all CPU everywhere for 27 minutes",
    injected: "that expression on ARGS and REQUEST_BODY; texts of up to 1 MB on which backtracking goes wild",
    must_hold: "a linear matcher; 16 times the text for 17 times the fuel at most, no budget touched; the verdicts of PCRE; \
                1.1 times the CPU of ordinary traffic at most, or 2 us more a request",
    run,
};

/// As it was published.
const EXPRESSION: &str = r#"(?:(?:\"|'|\]|\}|\\|\d|(?:nan|infinity|true|false|null|undefined|symbol|math)|\`|\-|\+)+[)]*;?((?:\s|-|~|!|{}|\|\||\+)*.*(?:.*=.*)))"#;

/// Sizes of the texts, in bytes, and how much more the longer may cost.
const SIZES: [usize; 2] = [64 << 10, 1 << 20];
const GROWTH: f64 = 17.0;

/// How much more CPU traffic may take with the rule than without.
const SHARE: f64 = 1.1;
/// Where the other rules take next to nothing, no share says anything: so many seconds a request are little, too.
const LITTLE: f64 = if cfg!(debug_assertions) { 100e-6 } else { 2e-6 };
const PAIRS: usize = 5;
/// A no is asked for so often: the machine may have other work.
const ATTEMPTS: usize = 4;

/// What is repeated, between what, and whether the expression finds it. A form of the field `q` carries it.
const PUMPS: &[(&str, &str, &str, &str, bool)] = &[
    ("x=xxx", "x=", "x", "", false),
    ("digits", "", "1", "", false),
    ("1xxx, line feed, =", "1", "x", "\n=", true),
    ("1xxx", "1", "x", "", false),
    ("signs", "", "-", "", false),
    ("quotes and blanks", "", "'%20", "", false),
];

/// What the expression says of short texts: something of the list, then anywhere behind it an equals sign.
const SHORT: &[(&str, bool)] = &[
    ("", false),
    ("=", false),
    ("x=x", false),
    ("=1", false),
    ("1=", true),
    ("x1x=x", true),
    ("1x\n=", true),
    ("\"=", true),
    ("';=", true),
    ("]))); {}||+ x = y", true),
    ("{}=", true),
    ("{=", false),
    ("}", false),
    ("\\=", true),
    ("\\", false),
    ("null=", true),
    ("nul=", false),
    ("NULL=", false),
    ("math x", false),
    ("a-b=c", true),
    ("a+b=c", true),
    ("a.b=c", false),
    ("`id`=", true),
    ("true==false", true),
    ("symbols are = ", true),
    ("undefine=", false),
];

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let rule = format!("SecRule ARGS|REQUEST_BODY \"@rx {}\" \"id:20190702,phase:2,pass,log\"", quoted(EXPRESSION));
    let waf = own_rules(&rule, Limits::default())?;
    is_linear(&waf, &mut found)?;
    grows_linearly(&waf, &mut found)?;
    means_the_same(setting.size(4, 6), &mut found)?;
    let (without, with) = (setting.ruleset()?, setting.ruleset_and(&rule)?);
    found.note("rules", setting.ruleset_name());
    costs_little(&without, &with, &traffic::benign(setting.size(200, 400)), &mut found)?;
    Ok(found)
}

/// It is matched by an automaton, or by what remembers what it has tried.
fn is_linear(waf: &Waf, found: &mut Findings) -> anyhow::Result<()> {
    let loaded = waf.loaded();
    let program = loaded.program();
    let patterns = program.tests.iter().filter_map(|test| match test {
        Test::Rx(id) => program.patterns.get(id.index()),
        _ => None,
    });
    let plan = patterns.max_by_key(|plan| plan.pattern.text.len()).context("the expression is not in the program")?;
    found.note("engine", format!("{:?}", plan.engine).to_lowercase());
    found.note("price_per_kib", plan.price.per_kib);
    found.hold(plan.exact != Exact::Metered, || format!("nothing but a budget bounds its cost: {:?}", plan.exact));
    Ok(())
}

fn grows_linearly(waf: &Waf, found: &mut Findings) -> anyhow::Result<()> {
    let mut worst: f64 = 0.0;
    let mut cpu = Duration::ZERO;
    for (what, before, pump, after, matches) in PUMPS {
        let mut fuel = [0; SIZES.len()];
        for (size, fuel) in SIZES.iter().zip(&mut fuel) {
            let body = format!("q={before}{}{after}", pump.repeat(size / pump.len()));
            let begun = thread_cpu_time();
            let (_, told) = verdict(waf, &traffic::form(body))?;
            cpu = cpu.max(thread_cpu_time() - begun);
            *fuel = told.fuel;
            found.hold(told.exhausted.is_none(), || format!("{what}, {size} bytes: {}", budget(&told)));
            let finds = !told.rules.is_empty();
            found.hold(finds == *matches, || format!("{what}, {size} bytes: found {finds}"));
        }
        let growth = fuel[1] as f64 / fuel[0].max(1) as f64;
        found.hold(growth <= GROWTH, || format!("{what}: {fuel:?} fuel, {growth:.1} times"));
        worst = worst.max(growth);
    }
    found.note("fuel_growth", rounded(worst));
    found.note("cpu_ms_1mb", rounded(cpu.as_secs_f64() * 1e3));
    Ok(())
}

/// The verdicts are those of the list, and on all short texts those of backtracking, which does as PCRE does.
fn means_the_same(longest: usize, found: &mut Findings) -> anyhow::Result<()> {
    const LETTERS: &[u8] = b"1=x\" ){};\n";
    let limits = Limits::default();
    let parsed = pcre::parse(EXPRESSION.as_bytes(), false, &limits)?;
    let pattern = parsed.build(Want::Match, &limits, None)?;
    let tree = pcre::parse_tree(EXPRESSION.as_bytes(), false, &limits)?;
    let reference = Backtrack::build(&tree, Want::Match, limits.nfa_bytes, &limits, &mut Meter::unlimited())??;
    let (mut cache, mut other) = (Cache::default(), Cache::default());
    let mut finds = |text: &[u8]| pattern.finds(&mut cache, text, &mut Meter::unlimited());
    for (text, matches) in SHORT {
        let is_found = finds(text.as_bytes())?;
        found.hold(is_found == *matches, || format!("{text:?}: found {is_found}"));
    }
    let mut compared = SHORT.len();
    let mut text = vec![0; longest];
    for number in 0..LETTERS.len().pow(longest as u32) {
        let mut rest = number;
        for place in &mut text {
            *place = LETTERS.get(rest % LETTERS.len()).copied().unwrap_or_default();
            rest /= LETTERS.len();
        }
        let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
        let expected =
            reference.scan(&mut other, &text, &mut cursor, u64::MAX, &mut groups, &mut meter)? == Outcome::Hit;
        found.hold(finds(&text)? == expected, || {
            format!("{:?}: backtracking finds {expected}", String::from_utf8_lossy(&text))
        });
        compared += 1;
    }
    found.note("short_texts_compared", compared);
    Ok(())
}

/// Ordinary traffic with and without the rule, in turn.
fn costs_little(without: &Waf, with: &Waf, requests: &[Prepared], found: &mut Findings) -> anyhow::Result<()> {
    let time = |waf: &Waf| -> anyhow::Result<Duration> {
        let begun = thread_cpu_time();
        for request in requests {
            verdict(waf, request)?;
        }
        Ok(thread_cpu_time() - begun)
    };
    let (mut share, mut more) = (f64::MAX, f64::MAX);
    for _ in 0..ATTEMPTS {
        time(without)?;
        time(with)?;
        let (mut one, mut other) = ([Duration::ZERO; PAIRS], [Duration::ZERO; PAIRS]);
        for (at, (one, other)) in one.iter_mut().zip(&mut other).enumerate() {
            // Who goes first has the colder caches.
            if at % 2 == 0 {
                (*one, *other) = (time(without)?, time(with)?);
            } else {
                *other = time(with)?;
                *one = time(without)?;
            }
        }
        one.sort_unstable();
        other.sort_unstable();
        let [one, other] = [one, other].map(|times| times.get(PAIRS / 2).map_or(0.0, Duration::as_secs_f64));
        share = share.min(other / one.max(f64::MIN_POSITIVE));
        more = more.min((other - one) / requests.len() as f64);
        if share <= SHARE {
            break;
        }
    }
    found.note("benign_requests", requests.len());
    found.note("cpu_with_to_without", rounded(share));
    found.note("cpu_us_more_a_request", rounded(more * 1e6));
    found.hold(share <= SHARE || more <= LITTLE, || format!("traffic takes {share:.2} times the CPU with the rule"));
    Ok(())
}

/// To two places.
fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
