//! What the parser does with whole rule sets, with nonsense, and where its dialect is that of the automata library.

use fusewall::Limits;
use fusewall::lang::pcre::{parse, status_set};
use proptest::prelude::*;
use regex_automata::util::syntax;

use crate::matcher::Matcher;
use crate::rules;

#[test]
fn every_pattern_of_the_rule_set_is_read() {
    let Some((patterns, count)) = rules::patterns() else { return };
    println!("{count} operators, {} distinct patterns", patterns.len());
    for pattern in patterns {
        if let Err(error) = parse(&pattern, false, &Limits::default()) {
            panic!("{}: {error} at {}", pattern.escape_ascii(), error.offset);
        }
    }
}

/// Pieces that look like syntax, so that nonsense gets past the first byte.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let scrap = prop::sample::select(vec![
        "a", "\\", "[", "]", "(", ")", "{", "}", ",", "1", "99999", "?", "*", "+", "|", "^", "$", "-", "(?", "(?<n>",
        "(?P=", "(?#", "\\Q", "\\E", "\\x{", "\\o", "\\c", "[:", ":]", "[^", "alpha", "(?x)", "#", "\n", " ", "(?i-s:",
        "\\Z", "\\N{", "(*", "&", "\\8", "\\12", "\u{e9}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(scrap, 0..16).prop_map(|scraps| scraps.concat().into_bytes()),
    ]
}

/// Patterns that mean the same to the automata library: in bytes, without Unicode, `.` taking newlines.
pub fn common() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        ".",
        "\\w",
        "\\d",
        "\\s",
        "\\S",
        "[ab]",
        "[^a]",
        "[a-c]",
        "[[:alpha:]]",
        "\\.",
        "\\x61",
        "^",
        "\\b",
        "\\B",
        "\\A",
        "\\z",
        "[\\w-]",
        "-",
    ]);
    atom.prop_map(str::to_string).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            inner.clone().prop_map(|part| format!("({part})")),
            (inner.clone(), prop::sample::select(vec!["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??"]))
                .prop_map(|(part, quantifier)| format!("(?:{part}){quantifier}")),
            inner.prop_map(|part| format!("(?i:{part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nonsense_is_read_or_refused_with_a_place(pattern in scraps(), fold in any::<bool>()) {
        if let Err(error) = parse(&pattern, fold, &Limits::default()) {
            prop_assert!(error.offset + error.len <= pattern.len(), "{error:?}");
            prop_assert!(error.len > 0 || error.offset == pattern.len(), "{error:?}");
        }
        if let Err(error) = status_set(&pattern) {
            prop_assert!(error.offset + error.len <= pattern.len(), "{error:?}");
        }
    }

    #[test]
    fn the_common_dialect_is_read_alike(pattern in common(), texts in prop::collection::vec("[abAé\n_. -]{0,8}", 1..6)) {
        let ours = Matcher::of(&parse(pattern.as_bytes(), false, &Limits::default()).unwrap());
        let config = syntax::Config::new().utf8(false).unicode(false).dot_matches_new_line(true);
        let theirs = Matcher::new(&syntax::parse_with(&pattern, &config).unwrap());
        for text in texts {
            prop_assert_eq!(ours.groups(text.as_bytes()), theirs.groups(text.as_bytes()), "{} on {:?}", pattern, text);
        }
    }
}
