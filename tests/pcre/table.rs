//! The PCRE dialect against PCRE2 itself: a committed table, and a large one on request.
//!
//! `tests/oracle/pcre2.py` says how tables look and writes large ones. Set `FUSEWALL_PCRE_ORACLE` to the path of such a table to
//! have it compared.

use std::collections::BTreeMap;

use fusewall::Limits;
use fusewall::lang::pcre::{self, Parsed};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::matcher::Matcher;

/// Texts above this length are compared without groups: the simulation that knows groups is slow.
const GROUPS_UP_TO: usize = 64;

/// What PCRE2 refuses and we read: a hyphen beside a class escape or a POSIX class.
const CLASS_HYPHEN: &str = "!150";

#[test]
fn the_table_holds() {
    let report = replay(include_str!("../data/pcre.tsv"));
    assert!(report.rows > 300, "{} rows", report.rows);
    assert_eq!(report.differences, Vec::<String>::new());
}

#[test]
fn pcre2_agrees() {
    let Some(path) = std::env::var_os("FUSEWALL_PCRE_ORACLE") else {
        println!("left out: FUSEWALL_PCRE_ORACLE is not set");
        return;
    };
    let report = replay(&std::fs::read_to_string(path).expect("a table"));
    println!("{} rows, {} with groups; patterns refused: {:#?}", report.rows, report.with_groups, report.refused);
    let mut last = "";
    for difference in &report.differences {
        let pattern = difference.split('\t').next().unwrap_or_default();
        if pattern != last {
            println!("{difference}");
        }
        last = pattern;
    }
    assert_eq!(report.differences.len(), 0);
}

/// How a replay went.
#[derive(Default)]
struct Report {
    rows: usize,
    with_groups: usize,
    /// Our messages about patterns that PCRE2 takes and we do not, and how many patterns each refused.
    refused: BTreeMap<String, usize>,
    differences: Vec<String>,
}

fn replay(table: &str) -> Report {
    let mut report = Report::default();
    let mut pattern = ("", Err(String::new()));
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [written, text, expected, ..] = columns[..] else { panic!("not a row: {line}") };
        let note = columns.get(3);
        let text = decode(text);
        report.rows += 1;
        if !written.is_empty() {
            let read = pcre::parse(&decode(written), false, &Limits::default());
            pattern = (
                written,
                read.map(|parsed| (Matcher::of(&parsed), Exact::of(&decode(written), &parsed)))
                    .map_err(|error| error.message),
            );
            if let (Err(message), false) = (&pattern.1, expected.starts_with('!')) {
                *report.refused.entry(message.clone()).or_default() += 1;
            }
        }
        let (same, got) = match &pattern.1 {
            Err(message) => {
                let meant = expected.starts_with('!') || note.is_none() && is_deliberate(message);
                (meant, format!("refused: {message}"))
            }
            Ok(_) if expected == CLASS_HYPHEN && note.is_none() => continue,
            Ok((matcher, exact)) => {
                let whole = matcher.span(&text);
                let (expected_whole, expected_groups) = expected.split_once(' ').unwrap_or((expected, ""));
                let same = match exact {
                    _ if note.is_some() => whole == expected,
                    Exact::Span => whole == expected_whole,
                    Exact::Start => whole.split('-').next() == expected_whole.split('-').next(),
                    Exact::No => expected == "none" || whole != "none",
                };
                if *exact == Exact::Span && text.len() <= GROUPS_UP_TO {
                    report.with_groups += 1;
                    let found = matcher.groups(&text);
                    let (found_whole, groups) = found.split_once(' ').unwrap_or((&found, ""));
                    // A group that is repeated no times is not known at all.
                    let groups_same = note.is_some()
                        || groups.trim_end_matches([' ', '-']) == expected_groups.trim_end_matches([' ', '-']);
                    (same && groups_same && found_whole == whole, found)
                } else {
                    (same, whole)
                }
            }
        };
        if !same {
            report.differences.push(format!("{}\t{}\t{expected}\tgot {got}", pattern.0, text.escape_ascii()));
        }
    }
    report
}

/// What PCRE2 takes and we refuse on purpose.
fn is_deliberate(message: &str) -> bool {
    ["not supported", "possible only at the end", "cannot be repeated", "has no meaning in a class"]
        .iter()
        .any(|part| message.contains(part))
}

/// What the module's documentation promises about a pattern.
#[derive(PartialEq)]
enum Exact {
    /// Span and groups are PCRE2's.
    Span,
    /// Where the match begins.
    Start,
    /// A match of PCRE2 is found; so may be others.
    No,
}

impl Exact {
    fn of(pattern: &[u8], parsed: &Parsed) -> Self {
        let hir = &parsed.hir;
        let contains = |text: &[u8]| pattern.windows(text.len()).any(|window| window == text);
        let look_set = hir.properties().look_set();
        if parsed.exact.is_some() && !contains(b"\\R") {
            Exact::Span
        } else if contains(b"\\R") || look_set.contains(Look::StartLF) {
            Exact::No
        } else if contains(b"\\Z") || loops_over_nothing(hir) {
            Exact::Start
        } else {
            Exact::Span
        }
    }
}

/// Whether something that can match the empty text is repeated without bound.
fn loops_over_nothing(hir: &Hir) -> bool {
    let here = match hir.kind() {
        HirKind::Repetition(loop_) => loop_.max.is_none() && loop_.sub.properties().minimum_len() == Some(0),
        _ => false,
    };
    here || hir.kind().subs().iter().any(loops_over_nothing)
}

/// `%` and two hexadecimal digits for a byte; the empty text is `%` alone.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut pieces = text.split('%');
    bytes.extend(pieces.next().unwrap_or_default().bytes());
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hexadecimal digits"));
        bytes.extend(piece[2..].bytes());
    }
    bytes
}
