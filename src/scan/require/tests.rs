//! What is found in patterns of each shape. That it is true of every match is tested with real rules in `tests/pcre`.
//! The patterns are in the syntax of the automata library, as this floor knows no rule language.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::{Bounds, Need, Requirement, require, restrict};
use crate::byteset::ByteSet;

fn hir(pattern: &str) -> Hir {
    ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).build().parse(pattern).unwrap()
}

fn requires(pattern: &str) -> Requirement {
    require(&hir(pattern), &Bounds::default())
}

/// A need as text: `foo`, `(a & b)`, `(a | b)`, parts in the order of the alphabet.
fn text(need: &Need) -> String {
    let join = |needs: &[Need], with: &str| {
        let mut parts: Vec<String> = needs.iter().map(text).collect();
        parts.sort();
        format!("({})", parts.join(with))
    };
    match need {
        Need::Always => "always".to_string(),
        Need::Never => "never".to_string(),
        Need::Literal(literal) => literal.escape_ascii().to_string(),
        Need::All(needs) => join(needs, " & "),
        Need::Any(needs) => join(needs, " | "),
    }
}

#[test]
fn words_are_found_wherever_they_stand() {
    for (pattern, need) in [
        ("union", "union"),
        ("(?i)UnIoN", "union"),
        ("x*union[a-z]+y*", "union"),
        ("un(?:ion|known)", "(union | unknown)"),
        (r"(?i)union\s+select", "(select & union)"),
        (r"select\s?from", "(from & select)"),
        ("hon?or", "(honor | hoor)"),
        ("honou?r", "(honor | honour)"),
        ("(?:select|selected)", "select"),
        ("(?:union|.*select)", "(select | union)"),
        ("(?:union|se)", "always"),
        ("(?:union)*", "always"),
        ("(?:union)+", "union"),
        (r"[\s(]union[\s)]", "union"),
        ("__(?:exact|has_(?:keys?|any)|in|gte?)", "(__exact | __gt | __has_ | __in)"),
        ("(?:ab){3}c", "abababc"),
        ("(?:ab){3,}c", "ababab"),
        ("a{100}", "aaaaaaaa"),
        ("[ab][cd]e", "(ace | ade | bce | bde)"),
        (r"^\bfoo\b$", "foo"),
        (r"[^\s\S]", "never"),
        (r"foo(?:[^\s\S])*bar", "(bar & foo)"),
        (r"foo[^\s\S]|bar", "bar"),
        (r"\xe9\xe8\xe7", r"\xe9\xe8\xe7"),
        ("", "always"),
    ] {
        assert_eq!(text(&requires(pattern).literals), need, "{pattern}");
    }
}

#[test]
fn long_literals_are_cut_and_large_choices_dropped() {
    assert_eq!(text(&requires("abcdefghijklmnopqrstuvwxyz").literals), "abcdefghijklmnopqrstuvwx");
    let words = |count: u32| (0..count).map(|n| format!("w{n:04}.*")).collect::<Vec<_>>().join("|");
    let Need::Any(needs) = requires(&words(200)).literals else { panic!("a choice") };
    assert_eq!(needs.len(), 200);
    let Need::Any(needs) = requires(&words(1000)).literals else { panic!("a choice") };
    assert_eq!(needs.len(), 100, "cut to what they share");
    let numbers = (0..1000).map(|n| format!("{n:03}.*")).collect::<Vec<_>>().join("|");
    assert_eq!(requires(&numbers).literals, Need::Always);
}

#[test]
fn byte_sets_are_the_rare_ones() {
    let sets = |pattern: &str| requires(pattern).any_of;
    assert_eq!(sets(r"<[a-z]+>")[..2], [ByteSet::of(b"<"), ByteSet::of(b">")]);
    assert_eq!(sets(r"(?:a<|b>)c"), [ByteSet::of(b"<>"), ByteSet::of(b"b<"), ByteSet::of(b"c")]);
    assert_eq!(sets(r"[\x22'`]+x"), [ByteSet::of(b"\"'`"), ByteSet::of(b"x")]);
    assert_eq!(sets(r"<|a*"), []);
    assert_eq!(sets(r"(?s-u:.)"), []);
    assert_eq!(sets(r"(?:<[^\s\S]|>)"), [ByteSet::of(b">")]);
}

#[test]
fn lengths_and_alphabets() {
    let requirement = requires(r"(?:a{3}|bc+)[0-9]?$");
    assert_eq!(requirement.min_len, 2);
    assert_eq!(requirement.alphabet, ByteSet::of(b"abc0123456789"));
    assert_eq!(requires(r"(?:[^\s\S])*a").min_len, 1);
    let whole = |pattern: &str| (requires(pattern).whole, requires(pattern).max_len);
    assert_eq!(whole("^a{2,5}$"), (true, Some(5)));
    assert_eq!(whole("^(?:a$|bc+$)"), (true, None));
    assert!(!whole("^a|b$").0);
    assert!(!whole("(?m)^a$").0);
    assert!(!requires("^[a-z]+$").holds(2, &ByteSet::of(b"a1"), &|_| true));
    assert!(!requires("^a?$").holds(2, &ByteSet::of(b"a"), &|_| true));
    assert!(requires("a?$").holds(2, &ByteSet::of(b"a"), &|_| true));
    assert_eq!(requires(r"a{65535}{65535}{65535}{65535}{65535}").min_len, usize::MAX);
}

#[test]
fn restricted_patterns_keep_what_the_alphabet_allows() {
    let letters = ByteSet::range(b'a', b'z');
    let literals = |pattern: &str| text(&require(&restrict(&hir(pattern), &letters), &Bounds::default()).literals);
    assert_eq!(literals(r"['(]|eval|[0-9]+|exec"), "(eval | exec)");
    assert_eq!(literals(r"foo[0-9]*bar"), "foobar");
    assert_eq!(literals(r"foo[0-9]+bar"), "never");
    assert_eq!(literals(r"foo(?:[0-9]|!{2,3})?bar"), "foobar");
    assert_eq!(literals(r"[fF]oo"), "foo");
    assert_eq!(literals("(?u:é|è)|foo"), "foo");
}

#[test]
fn windows_stand_where_words_say_nothing() {
    let cuts = |pattern: &str| requires(pattern).windows;
    // Two dots, and what follows them.
    let dots = cuts(r"(?:^|[/;\\])\.{2,3}[/;\\]");
    assert!(!dots.is_empty());
    let stands = |pattern: &str, value: &[u8]| requires(pattern).windows_stand_in(value);
    for (value, may) in [(&b"a/../b"[..], true), (b"x/...;", true), (b"www.example.com/a.b/c", false), (b"..", false)] {
        assert_eq!(stands(r"(?:^|[/;\\])\.{2,3}[/;\\]", value), may, "{}", value.escape_ascii());
    }
    // Anything may stand between the letters, but something of it must.
    let evasion = r#"(?i)[;|]\s*c["']*a["']*t["']*\s"#;
    for (value, may) in [
        (&b"; c'a't /etc"[..], true),
        (b"a; CAT x", true),
        (b"text; charset", false),
        (b"cat | cat it", true),
        (b"cat | dog", false),
    ] {
        assert_eq!(stands(evasion, value), may, "{}", value.escape_ascii());
    }
    // The end of the value is a place, too.
    assert!(stands("(?i)[=;][ls]$", b"a=L") && !stands("(?i)[=;][ls]$", b"a=lsof"));
    // What a match can go around is not asked for, nor where words say enough.
    assert!(cuts("(?:;;)*").is_empty() && cuts("union").is_empty());
}
