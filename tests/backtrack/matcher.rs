//! Patterns that are not regular: the same matches, spans and groups as PCRE2 finds, within the price, linear where that is
//! promised, whatever the quantum.

use fusewall::Limits;
use fusewall::lang::pcre;
use fusewall::meter::{Exhausted, Meter, Scope};
use fusewall::scan::{Backtrack, Cache, Cursor, Exact, Groups, Outcome, Pattern, Want};
use pcre2::bytes::{Regex, RegexBuilder};
use proptest::prelude::*;

const OUT_OF_MEMORY: Result<Option<Spans>, Exhausted> = Err(Exhausted { scope: Scope::Memory });

/// Groups 0 to 9.
type Spans = Vec<Option<(usize, usize)>>;

fn build(source: &str, want: Want) -> Pattern {
    let limits = Limits::default();
    let parsed = pcre::parse(source.as_bytes(), false, &limits).unwrap_or_else(|error| panic!("{source}: {error}"));
    parsed.build(want, &limits, None).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn oracle(source: &str) -> Result<Regex, pcre2::Error> {
    RegexBuilder::new().dotall(true).build(source)
}

/// What PCRE2 finds; `Err` if it gives up.
fn expected(oracle: &Regex, text: &[u8], start: usize) -> Result<Option<Spans>, pcre2::Error> {
    let mut locations = oracle.capture_locations();
    let found = oracle.captures_read_at(&mut locations, text, start)?;
    Ok(found.map(|_| (0..10).map(|group| locations.get(group)).collect()))
}

fn spans(groups: &Groups) -> Spans {
    (0..10).map(|group| groups.get(group)).collect()
}

/// Scans with a quantum; answers the spans on a hit, and the fuel.
fn scan(
    pattern: &Pattern,
    cache: &mut Cache,
    text: &[u8],
    start: usize,
    quantum: u64,
    limit: u64,
) -> Result<(Option<Spans>, u64), Exhausted> {
    let (mut cursor, mut groups, mut meter) = (Cursor::from(start), Groups::default(), Meter::new(limit));
    meter.enter_rule(0, limit);
    loop {
        match pattern.scan(cache, text, &mut cursor, quantum, &mut groups, &mut meter)? {
            Outcome::Pending => {}
            Outcome::Miss => return Ok((None, meter.spent())),
            Outcome::Hit => return Ok((Some(spans(&groups)), meter.spent())),
        }
    }
}

/// What is left of `spans` when only `want` was asked for.
fn reduce(spans: &Option<Spans>, want: Want) -> Option<Spans> {
    let kept = match want {
        Want::Match => 0,
        Want::Span => 1,
        Want::Groups => 10,
    };
    spans.as_ref().map(|spans| spans.iter().enumerate().map(|(i, span)| span.filter(|_| i < kept)).collect())
}

/// Compares one pattern with PCRE2 on some texts; answers whether it could be compared.
fn check(source: &str, texts: &[(Vec<u8>, usize)]) -> bool {
    const ENOUGH: u64 = 30_000_000;
    let limits = Limits::default();
    let oracle = oracle(source);
    let parsed = match pcre::parse(source.as_bytes(), false, &limits) {
        Ok(parsed) => parsed,
        Err(error) => {
            // PCRE2 works out lengths that we do not.
            let looser = ["one length", "there is no"].iter().any(|part| error.message.contains(part));
            assert!(oracle.is_err() || looser, "{source}: refused: {error}");
            return false;
        }
    };
    let Ok(oracle) = oracle else { return false };
    if parsed.exact.is_none() {
        // The matcher takes regular patterns as well.
        return check(&format!("(?=){source}"), texts);
    }
    let tree = pcre::parse_tree(source.as_bytes(), false, &limits).unwrap();
    for want in [Want::Match, Want::Span, Want::Groups] {
        let pattern = parsed.build(want, &limits, None).unwrap();
        let alone = Backtrack::build(&tree, want, 1 << 20, &limits, &mut Meter::unlimited()).unwrap().unwrap();
        let mut cache = Cache::default();
        for (text, start) in texts {
            let start = (*start).min(text.len());
            let Ok(found) = expected(&oracle, text, start) else { continue };
            let context = || format!("{source:?} {want:?} {:?} from {start}", text.escape_ascii().to_string());
            cache.clear();
            let Ok((got, fuel)) = scan(&pattern, &mut cache, text, start, u64::MAX, ENOUGH) else {
                assert_ne!(pattern.exact(), Exact::Memoised, "{}", context());
                continue;
            };
            assert_eq!(got, reduce(&found, want), "{}", context());
            let price = pattern.price().of(text.len());
            assert!(fuel <= price, "{}: {fuel} over {price}", context());
            for quantum in [1, 300] {
                cache.clear();
                let again = scan(&pattern, &mut cache, text, start, quantum, u64::MAX);
                assert_eq!(again, Ok((got.clone(), fuel)), "{}", context());
            }
            let (mut cursor, mut groups, mut meter) = (Cursor::from(start), Groups::default(), Meter::unlimited());
            let outcome = alone.scan(&mut cache, text, &mut cursor, u64::MAX, &mut groups, &mut meter);
            assert_eq!(outcome == Ok(Outcome::Hit), found.is_some(), "{} alone", context());
            if found.is_some() {
                assert_eq!(Some(spans(&groups)), reduce(&found, want), "{} alone", context());
            }
        }
    }
    true
}

/// Patterns of all constructs over a small alphabet.
fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => "[abc]",
        1 => Just("[ab]".to_string()),
        1 => Just("[^a]".to_string()),
        1 => Just(".".to_string()),
        1 => Just("(?i:ab)".to_string()),
        1 => Just(r"\n".to_string()),
        1 => Just("(?:)".to_string()),
        1 => prop_oneof![
            Just("^"), Just(r"\z"), Just("(?m:^)"), Just("(?m:$)"), Just(r"\b"), Just(r"\B"), Just(r"(?=\Z)"),
        ].prop_map(str::to_string),
        3 => prop_oneof![Just(r"\1"), Just(r"\2"), Just(r"\3"), Just(r"(?i:\1)"), Just(r"\g{-1}")].prop_map(str::to_string),
    ];
    let piece = leaf.prop_recursive(5, 64, 2, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => inner.clone().prop_map(|part| format!("({part})")),
            4 => (inner.clone(), quantifier()).prop_map(|(part, count)| format!("(?:{part}){count}")),
            2 => inner.clone().prop_map(|part| format!("(?>{part})")),
            2 => (inner.clone(), quantifier()).prop_map(|(part, count)| {
                format!("(?:{part}){}+", count.trim_end_matches('?'))
            }).prop_filter("a quantifier", |text| !text.contains(")+++")),
            2 => (inner.clone(), prop_oneof![Just("="), Just("!")]).prop_map(|(part, kind)| format!("(?{kind}{part})")),
            1 => (behind(), prop_oneof![Just("<="), Just("<!")]).prop_map(|(part, kind)| format!("(?{kind}{part})")),
        ]
    });
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

fn quantifier() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("*"),
        Just("+"),
        Just("?"),
        Just("*?"),
        Just("+?"),
        Just("??"),
        Just("{2}"),
        Just("{1,3}"),
        Just("{2,}?"),
        Just("{0,2}"),
    ]
}

/// What has one length in each branch.
fn behind() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[abc]",
        1 => Just("[ab]".to_string()),
        1 => Just(r"\b".to_string()),
        1 => Just("(?=a)".to_string()),
        1 => Just("(?<!b)".to_string()),
        1 => Just("(a|b)".to_string()),
        1 => Just("(?>a|b)".to_string()),
        1 => Just("c{2}".to_string()),
    ];
    prop::collection::vec(prop::collection::vec(leaf, 1..4).prop_map(|parts| parts.concat()), 1..3)
        .prop_map(|branches| branches.join("|"))
}

fn text() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let byte = prop_oneof![8 => Just(b'a'), 6 => Just(b'b'), 3 => Just(b'c'), 2 => Just(b'A'), 1 => Just(b'\n'), 1 => Just(b'-')];
    (prop_oneof![4 => prop::collection::vec(byte.clone(), 0..12), 1 => prop::collection::vec(byte, 0..40)], 0..4usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn matches_are_those_of_pcre2(source in source(), texts in prop::collection::vec(text(), 1..5)) {
        check(&source, &texts);
    }
}

#[test]
fn constructs_one_by_one() {
    let texts = [
        "", "a", "aaa", "aab", "abab", "aabb", "ab\n", "a\nb\n", "xay", "foobar", "barfoo", "aXa", "a1=a1", "1 = 1",
        "AbaB", "<?php", "<?xml", "aaaaab", "((a))", "caab", "abcabc",
    ]
    .map(|text| (text.as_bytes().to_vec(), 0));
    for source in [
        r"(a*)\1b",
        r"(?i)(ab)\1",
        r"<\?(?!xml)",
        r"(?<!foo)bar",
        r"(?<=foo|a)bar",
        r"(?>a+)b",
        r"a++b",
        r"a?+a",
        r"(?:a|ab)++b",
        r"(?=(a+))a*b\1",
        r"(?!(a)b)\1?a",
        r"(?:(a)|b)*\1",
        r"(a\1?){3}",
        r"(?:(?=a)|b)*",
        r"(a|ab)(?>c|bcd)(d*)",
        r"\b([\d\w]+)\b\s*=\s*(?!\b\1\b)[\d\w]+",
        r"(?:(?>a*)b|a)*c",
        r"(?=(?:a|aa)*b)(?:a|aa)*b",
        r"(?<n>a)(?P=n)\k<n>\k{n}\g{n}?",
        r"(?:a??)*?b",
        r"((?:|a)+)b(?=c|\z)",
        r"(?:\s*|x)+(?!y)",
        r"(?m)^b(?=\n)",
        r"(?<=^|a)b",
        r"(?<![[:alpha:]])a(?![[:alpha:]])",
        r"(?=ab)(?<=c)a",
        r"(?:(?=(a))\1)+",
    ] {
        assert!(check(source, &texts), "{source}");
    }
}

#[test]
fn what_is_memoised_is_linear() {
    let cases: [(&str, &[u8], &[u8]); 9] = [
        (r"(?=(?:a|aa)*b)(?:a|aa)*c", b"a", b"!c"),
        (r"(?=(?:a|aa)*b)(?:a|aa)*c", b"a", b"bc"),
        (r"(?:(?>a*)b|a)*c", b"a", b"!c"),
        (r"(?:(?>a*)b|a)*c", b"a", b"bbc"),
        (r"(?:(?:a|a)*(?!b))*c", b"a", b"!c"),
        (r"(?>(?>(?>a|aa)*)*b|a)*c", b"a", b"!c"),
        (r"(?:\s*+;\s*+)*[^\s]c", b" ", b"!c"),
        (r"(?:(?<=aa)a|a)*(?=c)!", b"a", b"!!c"),
        (r"(?:a?)*(?:a?)*(?:(?=a*b)a?)*c", b"a", b"!c!"),
    ];
    for (source, pump, tail) in cases {
        let pattern = build(source, Want::Span);
        assert_eq!(pattern.exact(), Exact::Memoised, "{source}");
        let fuel = |size: usize| {
            let text = [pump.repeat(size).as_slice(), tail].concat();
            let (_, fuel) = scan(&pattern, &mut Cache::default(), &text, 0, u64::MAX, u64::MAX).unwrap();
            assert!(fuel <= pattern.price().of(text.len()), "{source}: {fuel} over {:?}", pattern.price());
            fuel
        };
        let (one, two) = (fuel(8 << 10), fuel(16 << 10));
        assert!(two as f64 <= 2.3 * one as f64, "{source}: {one}, then {two}");
    }
}

#[test]
fn back_references_end_with_the_budget_of_the_rule() {
    let text = [b"a".repeat(60).as_slice(), b"c"].concat();
    for source in [r"(a*)*\1(?!c)c", r"(?:(a|a)\1?)*(?!c)c"] {
        let pattern = build(source, Want::Span);
        assert_eq!(pattern.exact(), Exact::Metered);
        let limit = 10_000_000;
        // Without the last byte the automaton knows better.
        let easy = scan(&pattern, &mut Cache::default(), b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, u64::MAX, limit);
        assert!(easy.is_ok_and(|(found, fuel)| found.is_none() && fuel < 1000), "{source}");
        let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
        meter.enter_rule(0, limit);
        let ended = pattern.scan(&mut Cache::default(), &text, &mut cursor, u64::MAX, &mut groups, &mut meter);
        assert_eq!(ended.unwrap_err().scope, Scope::Rule, "{source}");
        assert!(meter.spent() < limit + 1000 && meter.spent() < pattern.price().of(text.len()));
    }
}

#[test]
fn before_a_group_and_behind_its_references_back_tracking_is_linear_too() {
    for (source, text) in [(r"\s*?\b(\w+)=\1(?=!)", (" ", "a=a")), (r"(\w)=\1(?:a|aa)*(?=!)c", ("a", "c"))] {
        let pattern = build(source, Want::Span);
        assert_eq!(pattern.exact(), Exact::Metered);
        let fuel = |size: usize| {
            let start = if text.0 == "a" { "a=a" } else { "" };
            let text = format!("{start}{}{}", text.0.repeat(size), text.1);
            scan(&pattern, &mut Cache::default(), text.as_bytes(), 0, u64::MAX, u64::MAX).unwrap().1
        };
        let (one, two) = (fuel(4 << 10), fuel(8 << 10));
        assert!(two as f64 <= 2.3 * one as f64, "{source}: {one}, then {two}");
    }
}

#[test]
fn a_value_without_a_candidate_costs_what_a_regular_pattern_does() {
    let text = b"nothing of the kind stands here ".repeat(100);
    let (exact, regular) = (build(r"<\?(?!xml)", Want::Span), build(r"<\?", Want::Span));
    let fuel = |pattern: &Pattern| scan(pattern, &mut Cache::default(), &text, 0, u64::MAX, u64::MAX).unwrap();
    assert_eq!(fuel(&exact), fuel(&regular));
}

#[test]
fn a_table_or_a_stack_that_does_not_fit_changes_the_cost_only_or_ends_the_rule() {
    let source = r"(?:(?>a*)b|a)*(?=x)c";
    let text = [b"aab".repeat(2000).as_slice(), b"c"].concat();
    let run = |bytes: usize| {
        let mut limits = Limits::default();
        limits.backtrack_bytes = bytes;
        let parsed = pcre::parse(source.as_bytes(), false, &limits).unwrap();
        let pattern = parsed.build(Want::Span, &limits, None).unwrap();
        let mut cache = Cache::default();
        let ended = scan(&pattern, &mut cache, &text, 0, u64::MAX, 5_000_000_000).map(|(found, _)| found);
        assert!(cache.memory() < 256 << 10, "{bytes}: {}", cache.memory());
        // The price is true for every value: above the budget of a rule where the table does not fit.
        assert!(pattern.price().of(32 * bytes) >= limits.fuel_rule);
        ended
    };
    let sizes = [16 << 20, 300_000, 1000];
    assert_eq!(sizes.map(run), [Ok(None), Ok(None), Err(Exhausted { scope: Scope::Rule })]);
    // Nor does it take what the request has no memory for: wherever that ends, it is the memory that ends it.
    let held = |room: usize| {
        let mut cache = Cache::default();
        cache.admit(room);
        scan(&build(source, Want::Span), &mut cache, &text, 0, u64::MAX, u64::MAX).map(|(found, _)| found)
    };
    assert_eq!([8 << 20, 200_000, 0].map(held), [Ok(None), OUT_OF_MEMORY, OUT_OF_MEMORY]);
    // Enough for the stack, not for the table: the same answer.
    let short = [b"aab".repeat(6).as_slice(), b"c"].concat();
    let mut limits = Limits::default();
    limits.backtrack_bytes = 600;
    let parsed = pcre::parse(source.as_bytes(), false, &limits).unwrap();
    let pattern = parsed.build(Want::Span, &limits, None).unwrap();
    assert_eq!(scan(&pattern, &mut Cache::default(), &short, 0, u64::MAX, u64::MAX).map(|(found, _)| found), Ok(None));
}
