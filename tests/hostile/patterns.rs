//! I12: patterns under the inputs that make backtracking explode: what stands before a repetition, then what it repeats, then
//! something that does not fit. And patterns that are themselves the attack.

use crate::row::Row;
use crate::rulesets::{BUILTIN, CRS, Target, full};
use fusewall::lang::pcre;
use fusewall::meter::Meter;
use fusewall::scan::{Cache, Cursor, Exact, Groups, Outcome, Pattern, Want};
use fusewall::{Limits, Waf};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A pump: what stands before, and what is repeated.
type Pump = (Vec<u8>, Vec<u8>);

/// Longest text before a repetition.
const LONGEST: usize = 200;

/// Adds the pumps of all repetitions in `hir`; answers a text that it matches.
fn pumps(hir: &Hir, before: &[u8], out: &mut BTreeSet<Pump>) -> Vec<u8> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => literal.0.to_vec(),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().first().map(|range| vec![range.start()]).unwrap_or_default()
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().first().map(|range| range.start().to_string().into_bytes()).unwrap_or_default()
        }
        HirKind::Capture(capture) => pumps(&capture.sub, before, out),
        HirKind::Repetition(repetition) => {
            let once = pumps(&repetition.sub, before, out);
            if repetition.max.is_none_or(|most| most > 3) && !once.is_empty() {
                out.insert((before.to_vec(), once.clone()));
            }
            once.repeat(repetition.min.clamp(0, 20) as usize)
        }
        HirKind::Concat(parts) => {
            let mut text = before.to_vec();
            for part in parts {
                let piece = pumps(part, &text, out);
                if text.len() < LONGEST {
                    text.extend(piece);
                }
            }
            text.split_off(before.len().min(text.len()))
        }
        HirKind::Alternation(branches) => {
            let mut texts: Vec<_> = branches.iter().map(|branch| pumps(branch, before, out)).collect();
            texts.sort_by_key(Vec::len);
            // Two branches in turn are what a repetition around them cannot tell apart at once.
            texts.truncate(2);
            texts.concat()
        }
    }
}

/// Fuel of a scan of the whole text.
fn fuel(pattern: &Pattern, text: &[u8]) -> u64 {
    let (mut cache, mut groups, mut meter) = (Cache::default(), Groups::default(), Meter::unlimited());
    if pattern.exact() == Exact::Metered {
        meter.enter_rule(0, Limits::default().fuel_rule);
    }
    let mut cursor = Cursor::from(0);
    while pattern.scan(&mut cache, text, &mut cursor, u64::MAX, &mut groups, &mut meter) == Ok(Outcome::Pending) {}
    meter.spent()
}

/// Every pump of a pattern: within the price, and twice the text for at most twice the fuel.
fn check(source: &[u8], fold_case: bool, pattern: &Pattern, most: usize, mut holds: impl FnMut(bool, String)) {
    let Ok(parsed) = pcre::parse(source, fold_case, &Limits::default()) else { return };
    let mut found = BTreeSet::new();
    pumps(&parsed.hir, b"", &mut found);
    found.insert((Vec::new(), b"a".to_vec()));
    let size = if full() { 256 << 10 } else { 8 << 10 };
    let step = found.len().div_ceil(most).max(1);
    for (before, pump) in found.iter().step_by(step) {
        let text = |size: usize| [before.as_slice(), &pump.repeat(size / pump.len() + 1), b"\0!"].concat();
        let (one, two) = (text(size), text(2 * size));
        let (first, second) = (fuel(pattern, &one), fuel(pattern, &two));
        let context = || {
            let shown = |bytes: &[u8]| bytes.escape_ascii().to_string().chars().take(200).collect::<String>();
            format!("{} on {}({})*: {first} and {second} fuel", shown(source), shown(before), shown(pump))
        };
        if pattern.exact() == Exact::Metered {
            let limit = Limits::default().fuel_rule;
            let most = limit + 1000;
            holds(first <= most && second <= most, format!("{} over the budget of the rule", context()));
            continue;
        }
        holds(second <= pattern.price().of(two.len()), format!("{} over the price", context()));
        holds(second as f64 <= 2.3 * first as f64 + 1000.0, context());
    }
}

fn check_ruleset(target: &Target, most: usize, mut holds: impl FnMut(bool, String)) {
    let loaded = target.waf.loaded();
    for (at, plan) in loaded.program().patterns.iter().enumerate() {
        if let Some(pattern) = loaded.pattern(fusewall::program::PatternId::new(at)) {
            check(&plan.pattern.text, plan.pattern.fold_case, pattern, most, &mut holds);
        }
    }
}

/// Patterns that are known to explode elsewhere, or to be large.
const EVIL: &[&str] = &[
    "",
    "{}",
    "{",
    "a{}",
    "a{,5}",
    "\\x{ff}",
    "(a+)+b",
    "(a|aa)+$",
    "(a|a)*b",
    "([a-z]+)*=",
    "(.*a){20}",
    "(x+x+)+y",
    "(?:a?){50}a{50}",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(?i)(\\s*,\\s*)*$",
    "\\s+$",
    "(.+)*\\n",
    "((a*)*)*b",
    "(?:(?:a|b)*c)*d",
    "a{5}{5}{5}{5}",
    "(?:a{100}){10}",
    ".*.*.*.*=",
    "[\\s\\S]*?<.*?>.*?</",
    "(?:[^\"']|\"[^\"]*\"|'[^']*')*;",
    "\\b(\\w+\\s*)+:",
    "(?:%[0-9a-f]{2})+$",
    "\\d{1,500}\\d{1,500}x",
    "(?=(?:a|aa)*b)(?:a|aa)*c",
    "(?:(?>a*)b|a)*c",
    "(?:(?>(?>a+)+)+b|a)*c",
    "(?!(?:(?!(?:a|a)*b)a)*c)a+b",
    "(?:a++|b)*+(?:a|a)*c",
    "(?<![a-z]{9})(?:[a-z]+)*=",
    "(a*)*\\1b",
    "(a|aa)+(?:\\1|a)*b",
    "(?:(a+)\\1?)*(?!b)b",
];

/// Patterns too large for their limits: a load error that names the rule.
const HUGE: &[&str] = &[
    "a{5}{5}{5}{5}{5}{5}{5}{5}{5}{5}",
    "(?:a{1000}){1000}",
    "(?:(?:a{100}){100}){100}",
    "(?:[a-z]{1,1000}[0-9]){1,1000}",
    "a{99999}",
    "(((((((((a{20}){20}){20}){20}){20}){20}){20}){20}){20})",
];

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "I12",
        "patterns: pumps for every repetition of the built-in rules and of known bad patterns; patterns too large",
    );
    let most = if full() { usize::MAX } else { 8 };
    check_ruleset(&BUILTIN, most, |holds, context| row.hold(holds, || context));
    for source in EVIL {
        match pcre::parse(source.as_bytes(), false, &Limits::default()) {
            // What the dialect does not have is refused when the rule loads.
            Err(_) => row.hold(!loads(source).0, || format!("{source} loads")),
            Ok(parsed) => {
                for want in [Want::Match, Want::Groups] {
                    match parsed.build(want, &Limits::default(), None) {
                        Err(_) => row.hold(!loads(source).0, || format!("{source} loads")),
                        Ok(pattern) => check(source.as_bytes(), false, &pattern, most, |holds, context| {
                            row.hold(holds, || context)
                        }),
                    }
                }
            }
        }
    }
    for source in HUGE {
        let (loaded, report) = loads(source);
        row.hold(!loaded && report.contains("12345"), || format!("{source}: loaded {loaded}, {report}"));
    }
    row
});

/// Whether a rule with the pattern loads, and what the report says.
fn loads(source: &str) -> (bool, String) {
    let rule = format!("SecRule ARGS \"@rx {source}\" \"id:12345,phase:2,pass\"");
    match Waf::builder().rules_text("t.conf", rule).build() {
        Ok(_) => (true, String::new()),
        Err(report) => (false, report.to_string()),
    }
}

#[test]
fn no_input_makes_a_pattern_explode() {
    ROW.assert();
}

#[test]
fn no_input_makes_a_pattern_of_crs_explode() {
    let Some(crs) = &*CRS else { return };
    let (mut cases, mut failures) = (0, Vec::new());
    check_ruleset(crs, if full() { usize::MAX } else { 6 }, |holds, context| {
        cases += 1;
        if !holds {
            failures.push(context);
        }
    });
    crate::table::say(&format!("patterns of CRS: {cases} bounds checked"));
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures[..failures.len().min(10)].join("\n"));
    assert!(cases > 1000);
}
