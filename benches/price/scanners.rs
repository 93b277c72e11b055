//! Patterns: each engine on patterns made for it, on all patterns of a ruleset, and on one after the other with cold caches.

use crate::inputs::{prose, repeat};
use crate::padding::{Shape, Source, sources};
use crate::table::{Table, rate};
use crate::texts::{SIZE, Text, around, random, text};
use crate::traffic;
use fusewall::Limits;
use fusewall::Waf;
use fusewall::lang::pcre;
use fusewall::meter::Meter;
use fusewall::program::{Loaded, PatternId};
use fusewall::scan::{Cache, Cursor, Engine, Groups, Outcome, Pattern, Want};
use std::sync::Arc;

fn scan(pattern: &Pattern, cache: &mut Cache, haystack: &[u8]) -> (Outcome, u64) {
    let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
    cache.clear();
    let outcome = pattern.scan(cache, haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
    (outcome.expect("unlimited"), meter.spent())
}

fn build(source: &str, want: Want, engine: Option<Engine>) -> Pattern {
    let parsed = pcre::parse(source.as_bytes(), false, &Limits::default()).expect(source);
    parsed.build(want, &Limits::default(), engine).expect(source)
}

pub fn rows(table: &mut Table) {
    engines(table);
    hybrids(table);
    captures(table);
    backtracking(table);
    for (name, loaded) in rulesets() {
        survey(table, name, &loaded);
        cold(table, name, &loaded);
    }
}

/// The engines on the same patterns.
fn engines(table: &mut Table) {
    let union = r"(?i)\bunion\s+(?:all\s+)?select\b|[ab][^x]{8}c$";
    let union_texts = around(&["union all ", "ab", "select", "UNION", "a", "c", " ", "x", "\u{80}"]);
    for engine in [Engine::Dense, Engine::Hybrid, Engine::Lazy, Engine::Nfa] {
        let (pattern, mut cache) = (build(union, Want::Match, Some(engine)), Cache::default());
        table.both(&format!("@rx, {engine:?}"), &prose(SIZE), &union_texts, |text| scan(&pattern, &mut cache, text).1);
    }
    // Tables of several sizes, gone through by chance: every byte waits for the cache that the table fits in.
    for (count, limit) in [(4, 1), (6, 1), (8, 1), (8, 4), (9, 1), (11, 1)] {
        let source = format!(r"(?i)\bunion\s+(?:all\s+)?select\b|[ab][^x]{{{count}}}c$");
        let parsed = pcre::parse(source.as_bytes(), false, &Limits::default()).expect("it is one");
        // A lower limit: a table of our own, which is not for searches that skip.
        let mut limits = Limits::default();
        limits.dense_dfa_bytes /= limit;
        let pattern = parsed.build(Want::Match, &limits, Some(Engine::Dense)).expect("it fits");
        let mut cache = Cache::default();
        let texts =
            [text("a and q by chance", random(b"aq", SIZE)), text("a, b and q by chance", random(b"abq", SIZE))];
        let name = format!("@rx, Dense, a table of {} KiB", pattern.memory() >> 10);
        table.dearest(&name, &texts, |text| scan(&pattern, &mut cache, text).1);
    }
    // As many states as a table may have, entered in an order of chance: it misses the processor's caches.
    let large = r"[ab][^x]{13}c[abc]*$";
    let pattern = build(large, Want::Match, None);
    let mut texts = around(&["a", "b", "c", "ab", "q", "x"]);
    texts.push(text("a and q by chance", random(b"aq", SIZE)));
    texts.push(text("a and q by chance, a megabyte", random(b"aq", 16 * SIZE)));
    let name = format!("@rx, {:?}, a table of {} KiB", pattern.engine(), pattern.memory() >> 10);
    let mut cache = Cache::default();
    table.both(&name, &prose(SIZE), &texts, |text| scan(&pattern, &mut cache, text).1);
    let name = "@rx, Lazy, as many states as it may have";
    let pattern = build(r"[ab][^x]{16}c$", Want::Match, Some(Engine::Lazy));
    table.both(name, &prose(SIZE), &texts, |text| scan(&pattern, &mut cache, text).1);
    let pattern = build(r"[ab][^x]{16}c$", Want::Match, Some(Engine::Nfa));
    table.both("@rx, Nfa, all of it alive", &prose(SIZE), &texts, |text| scan(&pattern, &mut cache, text).1);
    let pattern = build(r"(?:\s|[^a-z]|a|[ab]|[abc])+z", Want::Span, None);
    let texts = around(&["a", "b ", "c", "!", "az", "z"]);
    table.both("@rx, Dense, start and end", &prose(SIZE), &texts, |text| scan(&pattern, &mut cache, text).1);
}

/// Hybrid automata: in the head alone, with few and with hundreds of states alive behind it, and where the match is.
fn hybrids(table: &mut Table) {
    let sources: [(&str, &str, &[&str]); 4] = [
        ("few alive", r"[ab][^x]{30}c$", &["ab", "a", "aq", "qqqqqqqqa", "c", "aqqqqqqqqqqqqqqc"]),
        ("hundreds alive", r"(?:[ab][^x]{200}c|[bd][^y]{220}e)$", &["ab", "abd", "a", "b", "d", "q", "qqqqa", "c"]),
        (
            "many words",
            r"(?i)(?:union|select|insert|delete|update)[^;]{20,60}(?:from|into|where|set)\W",
            &["union ", "select", "from", "UPDATE where", "into "],
        ),
        (
            "lists of more than two",
            r"(?:[a-c](?:x?y?z?v?w?u?){12}[^\n]{40}q)$",
            &["a", "x", "xyzvwu", "c", "y", "axyz", "q"],
        ),
    ];
    for (name, source, pieces) in sources {
        for (what, want) in [("found or not", Want::Match), ("where", Want::Span)] {
            let (pattern, mut cache) = (build(source, want, Some(Engine::Hybrid)), Cache::default());
            let mut texts = around(pieces);
            // What ends in a match is gone through twice.
            for length in [40, 400, SIZE] {
                texts.push(text(
                    format!("a match in {length} bytes"),
                    [random(b"ab", length), b"a".repeat(201), b"c".to_vec()].concat(),
                ));
            }
            let step = format!("@rx, Hybrid, {name}, {what}");
            table.both(&step, &prose(SIZE), &texts, |text| scan(&pattern, &mut cache, text).1);
        }
    }
}

/// Groups of a match.
fn captures(table: &mut Table) {
    let sources: [(&str, &[&str], &str); 4] = [
        (r"(a|b)*(a|b|c)*(a+|b+)*(q*)z", &["a", "b", "ab", "c", "aab"], "z"),
        (r"(.)(.)(.)(.)(.)(.)(.)(.)(.)", &["abcdefghi", "a", "\u{80}"], "123456789"),
        (r"(\w+)=(\w*)(?:&(\w+)=(\w*))*;", &["a=b&", "a", "=", "aaaa=bb&"], ";"),
        (r"((((((((a?)b?)c?)d?)e?)f?)g?)h?)*z", &["abcdefgh", "h", "a", "gfh"], "z"),
    ];
    for (source, pieces, end) in sources {
        for engine in [None, Some(Engine::Hybrid), Some(Engine::Lazy)] {
            let Ok(parsed) = pcre::parse(source.as_bytes(), false, &Limits::default()) else { continue };
            let Ok(pattern) = parsed.build(Want::Groups, &Limits::default(), engine) else { continue };
            let mut cache = Cache::default();
            let texts: Vec<Text> =
                around(pieces).into_iter().map(|t| text(t.name, [&t.bytes[..], end.as_bytes()].concat())).collect();
            let step = format!("@rx, groups, {:?}, {source:.12}", pattern.engine());
            table.dearest(&step, &texts, |text| scan(&pattern, &mut cache, text).1);
        }
    }
}

/// Patterns that are not regular.
fn backtracking(table: &mut Table) {
    let sources: [(&str, &[&str], &str); 6] = [
        (r"(?:(?>a*)b|a)*(?=x)c", &["a", "ab", "aab", "b"], "c"),
        (r"(?=(?:a|aa)*b)(?:a|aa)*c(?!c)", &["a", "aab", "aa"], "c"),
        (r"(?>(?>(?>a|aa)*)*b|a)*(?=x)c", &["a", "ab", "aaab"], "c"),
        (r"(?<!&(?:[aAoOuUyY]uml)|&(?:amp)|&(?:apos));", &["&auml;", "&amp;", "x;", ";"], ";"),
        (r"(\w+)\s+\1", &["ab ", "a", "a b ", "abc ab "], " "),
        (r"([ab]*)([ab]*)\1\2c(?!d)", &["a", "ab", "b"], "c"),
    ];
    for (source, pieces, end) in sources {
        let (pattern, mut cache) = (build(source, Want::Groups, None), Cache::default());
        // What is searched without a table of what was tried takes long on little.
        let bound = if source.contains("\\1") { 400 } else { SIZE };
        let shortened = |t: Text| text(t.name, [&t.bytes[..t.bytes.len().min(bound)], end.as_bytes()].concat());
        let texts: Vec<Text> = around(pieces).into_iter().map(shortened).collect();
        let step = format!("@rx, backtracking, {source:.12}");
        table.both(&step, &prose(bound), &texts, |text| scan(&pattern, &mut cache, text).1);
    }
}

/// The rulesets at hand.
pub fn rulesets() -> Vec<(&'static str, Arc<Loaded>)> {
    let builtin = Waf::builder().rules_builtin().build().unwrap_or_else(|report| panic!("{report}"));
    let mut all = vec![("built-in rules", builtin.loaded().clone())];
    if let Some(path) = traffic::setup("crs-pl4") {
        all.push(("CRS 4", traffic::waf(&path).loaded().clone()));
    }
    all
}

fn patterns(loaded: &Loaded) -> impl Iterator<Item = &Pattern> {
    (0..loaded.program().patterns.len()).filter_map(|at| loaded.pattern(PatternId::new(at)))
}

/// Each pattern of a ruleset on texts made of itself: the dearest of each engine is a row.
fn survey(table: &mut Table, name: &str, loaded: &Loaded) {
    let mut cache = Cache::default();
    let mut tried: Vec<(f64, Engine, Source, Shape, usize, &Pattern)> = Vec::new();
    for source in sources(loaded.program()) {
        let plan = loaded.program().patterns.iter().position(|plan| *plan.pattern.text == *source.text.as_bytes());
        let Some(pattern) = plan.and_then(|at| loaded.pattern(PatternId::new(at))) else { continue };
        let mut dearest: Option<(f64, Shape, usize)> = None;
        for shape in Shape::ALL {
            for size in [24, 200, 4096] {
                let text = source.text(shape, size, 7);
                let mut work = || scan(pattern, &mut cache, &text).1;
                let rate = if table.once() { (work(), 0.0).1 } else { rate(2, &mut work) };
                if dearest.is_none_or(|(best, ..)| rate > best) {
                    dearest = Some((rate, shape, size));
                }
            }
        }
        if let Some((rate, shape, size)) = dearest {
            tried.push((rate, pattern.engine(), source, shape, size, pattern));
        }
    }
    tried.sort_by(|a, b| b.0.total_cmp(&a.0));
    for engine in [Engine::Dense, Engine::Hybrid, Engine::Lazy] {
        for (_, engine, source, shape, size, pattern) in tried.iter().filter(|tried| tried.1 == engine).take(3) {
            let text = source.text(*shape, *size, 7);
            let kind = format!("rule {}, {shape:?}, {size} bytes", source.rule);
            table.row(&format!("{name}, {engine:?}"), &kind, || scan(pattern, &mut cache, &text).1);
        }
    }
}

/// All patterns of a ruleset on one value, one after the other: none finds its table in the processor's caches.
fn cold(table: &mut Table, name: &str, loaded: &Loaded) {
    let mut caches: Vec<Cache> = patterns(loaded).map(|_| Cache::default()).collect();
    let mut values: Vec<Text> = Vec::new();
    for length in [1, 8, 32, 128, 1024] {
        values.push(text(format!("{length} bytes of prose"), prose(length)));
        values.push(text(format!("{length} bytes by chance"), random(&(0..=255).collect::<Vec<_>>(), length)));
        values.push(text(format!("{length} bytes of \"'<(\""), repeat("\"'<(;../", length)));
    }
    table.dearest(&format!("{name}, all patterns in turn"), &values, |value| {
        patterns(loaded).zip(&mut caches).map(|(pattern, cache)| scan(pattern, cache, value).1).sum()
    });
}
