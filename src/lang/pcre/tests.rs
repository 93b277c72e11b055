//! What a rule author is told, and what becomes of patterns that are not regular.

use super::{Construct, Error, parse, status_set};
use crate::limits::Limits;

fn refused(pattern: &str) -> Error {
    parse(pattern.as_bytes(), false, &Limits::default()).expect_err(pattern)
}

/// The text that the error points at.
fn pointed_at(pattern: &str) -> String {
    let error = refused(pattern);
    pattern[error.offset..error.offset + error.len].to_string()
}

#[test]
fn errors_point_at_the_construct() {
    for (pattern, construct) in [
        (r"(a)b\2", r"\2"),
        (r"(?<n>a)\k<m>", r"\k<m>"),
        (r"(?J)(?<n>a)(?<n>b)(?P=n)", "(?P=n)"),
        (r"(a)\g{-2}", r"\g{-2}"),
        (r"(a)\g<1>", r"\g"),
        (r"x(?<=a*)b", "(?<=a*)"),
        (r"x(?<!a|b{1,2})c", "(?<!a|b{1,2})"),
        (r"ab(?*c)", "(?*"),
        (r"ab(?<*c)", "(?<*"),
        (r"(a)(?1)", "(?1"),
        (r"a(*SKIP)b", "(*SKIP)"),
        (r"a(b", "("),
        (r"a)b", ")"),
        (r"a**", "*"),
        (r"a{3,2}", "{3,2}"),
        (r"x[z-a]", "z-a"),
        (r"x[[:foo:]]", "[:foo:]"),
        (r"x[abc", "["),
        (r"\x{1F600}", r"\x{1F600}"),
        (r"a\y", r"\y"),
        (r"a\pL", r"\p"),
        (r"a(?q)", "q"),
        (r"(?<1>a)", "1"),
        (r"(?<>a)", "(?<"),
        (r"a\Zb", r"\Z"),
        (r"a\", r"\"),
    ] {
        assert_eq!(pointed_at(pattern), construct, "{pattern}");
    }
}

#[test]
fn what_cannot_run_says_how_to_rewrite() {
    for pattern in [r"(?<!a+)b", r"(a)\2", r"(?R)", r"(?(1)a|b)", r"(?|a|b)", r"(*F)", r"\K", r"\pL"] {
        assert!(refused(pattern).help.is_some(), "{pattern}");
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { pattern_depth: 3, pattern_bytes: 20, ..Limits::default() };
    assert!(parse(b"(((a)))", false, &limits).is_ok());
    assert_eq!(parse(b"((((a))))", false, &limits).unwrap_err().offset, 3);
    assert!(parse(b"()()()()()()()()()()", false, &limits).is_ok());
    assert!(parse(b"aaaaaaaaaaaaaaaaaaaaa", false, &limits).is_err());

    let deep = "(".repeat(30_000) + &")".repeat(30_000);
    assert!(refused(&deep).message.contains("200"));
}

#[test]
fn groups_have_the_numbers_of_pcre() {
    let groups = |pattern: &str| {
        let parsed = parse(pattern.as_bytes(), false, &Limits::default()).unwrap();
        parsed.hir.properties().explicit_captures_len()
    };
    assert_eq!(groups("(a)(?:b)(?<n>c)((d)|(?i:(e)))"), 5);
}

#[test]
fn what_is_not_regular_is_named() {
    let constructs = |pattern: &str| {
        let parsed = parse(pattern.as_bytes(), false, &Limits::default()).unwrap();
        assert_eq!(parsed.exact.is_some(), !parsed.constructs.is_empty(), "{pattern}");
        let show = |found: &Construct| format!("{} {}", found.what, &pattern[found.offset..found.offset + found.len]);
        parsed.constructs.iter().map(show).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(constructs("(a)(?:b|c)+?$"), "");
    assert_eq!(constructs("a(?=b)c(?<!d)"), "look-ahead (?=, look-behind (?<!");
    assert_eq!(constructs(r"(a)\1(?>b)c*+"), r"back-reference \1, atomic group (?>, possessive quantifier *+");
    assert_eq!(constructs(r"(?<n>a)\k<n>(?P=n)"), r"back-reference \k<n>, back-reference (?P=n)");
}

#[test]
fn an_automaton_of_what_is_not_regular_finds_more() {
    let relaxed = |pattern: &str| parse(pattern.as_bytes(), false, &Limits::default()).unwrap().hir.to_string();
    assert_eq!(relaxed(r"a(?=b)(?>c)d++"), "(?:(?:ac)d+)");
    assert_eq!(relaxed(r"(a|\bb)(?i:\1)"), r"(?:((?:a|(?:(?-u:\b)b)))[ABab])");
    assert!(relaxed(r"(a\1)").contains("*"));
}

fn statuses(pattern: &str) -> Vec<u16> {
    status_set(pattern.as_bytes()).unwrap()
}

#[test]
fn the_stock_status_pattern() {
    let expected: Vec<u16> = (400..=599).filter(|&code| code != 404).collect();
    assert_eq!(statuses("^(?:5|4(?!04))"), expected);
}

#[test]
fn status_patterns_are_searched_for() {
    assert_eq!(statuses("99"), (100..=999).filter(|code| code % 100 == 99 || code / 10 == 99).collect::<Vec<u16>>());
    assert_eq!(statuses("^40[34]$"), [403, 404]);
    assert_eq!(statuses("(?<=^50)[0-2]"), [500, 501, 502]);
    assert_eq!(statuses("^5(?<!^4)0(?=3)"), [503]);
    assert_eq!(statuses("(?!)"), [0u16; 0]);
    assert_eq!(statuses("").len(), 900);
    assert_eq!(statuses("^(?:(?:4?){3}){500}$"), [444]);
    assert_eq!(
        statuses(&("(".repeat(190) + "4*" + &")*".repeat(190) + "(?=$)(?<!4)(?<=77.)")),
        (770..=779).filter(|&code| code != 774).collect::<Vec<u16>>()
    );
    assert_eq!(statuses(r"\b1\d{1,2}\b"), (100..200).collect::<Vec<u16>>());
    assert_eq!(statuses(r"^(.)\1\1"), (1..=9).map(|digit| 111 * digit).collect::<Vec<u16>>());
    assert!(status_set(b"(?:(?:4?){3}){65535}").is_err());
}
