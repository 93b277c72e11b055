//! The detectors against the answers of libinjection itself.
//!
//! `tests/data/libinjection.tsv` holds strings of our own with the C library's answers, replayed wherever the tests run.
//! `tests/oracle/libinjection.py compare` asks the library about whole corpora and random strings and runs this file on its
//! answers; the format is described there.

use std::collections::BTreeMap;

use fusewall::detect::{self, Context, Dialect, Quote, Reading};
use fusewall::meter::Meter;

const READINGS: [Reading; 6] = {
    const fn reading(quote: Quote, dialect: Dialect) -> Reading {
        Reading { quote, dialect }
    }
    [
        reading(Quote::None, Dialect::Ansi),
        reading(Quote::None, Dialect::MySql),
        reading(Quote::Single, Dialect::Ansi),
        reading(Quote::Single, Dialect::MySql),
        reading(Quote::Double, Dialect::Ansi),
        reading(Quote::Double, Dialect::MySql),
    ]
};

const CONTEXTS: [Context; 5] =
    [Context::Text, Context::Tag, Context::Value(b'\''), Context::Value(b'"'), Context::Value(b'`')];

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Our answers, in the columns of the table after the string.
fn answers(input: &[u8]) -> [String; 4] {
    let meter = &mut Meter::unlimited();
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let sqli = detect::sqli(input, meter).unwrap().map(|fingerprint| fingerprint.to_string());
    let xss = detect::xss(input, meter).unwrap();
    let readings =
        READINGS.map(|reading| or_dash(detect::sqli_fingerprint(input, reading, meter).unwrap().to_string()));
    let contexts = CONTEXTS.map(|context| if detect::xss_in(input, context, meter).unwrap() { "1" } else { "0" });
    [or_dash(sqli.unwrap_or_default()), u8::from(xss).to_string(), readings.join(" "), contexts.concat()]
}

/// What differed.
#[derive(Debug, Default)]
struct Count {
    strings: usize,
    sqli: usize,
    xss: usize,
    sqli_verdicts: usize,
    fingerprints: usize,
    readings: usize,
    xss_verdicts: usize,
    contexts: usize,
    shown: usize,
}

impl Count {
    fn compare(&mut self, line: &str) {
        let columns: Vec<_> = line.split('\t').collect();
        let [input, expected @ ..] = columns.as_slice() else { panic!("an empty line") };
        let ours = answers(&unescape(input));
        self.strings += 1;
        self.sqli += usize::from(expected[0] != "-");
        self.xss += usize::from(expected[1] != "0");
        self.sqli_verdicts += usize::from((ours[0] == "-") != (expected[0] == "-"));
        self.fingerprints += usize::from(ours[0] != expected[0]);
        self.readings += usize::from(ours[2] != expected[2]);
        self.xss_verdicts += usize::from(ours[1] != expected[1]);
        self.contexts += usize::from(ours[3] != expected[3]);
        if ours[..] != *expected && self.shown < 20 {
            self.shown += 1;
            println!("  {input:.300}\n    expected {expected:?}\n    ours     {ours:?}");
        }
    }
}

#[test]
fn our_own_strings() {
    let mut count = Count::default();
    let table = include_str!("data/libinjection.tsv");
    for line in table.lines().filter(|line| !line.starts_with("# ")) {
        count.compare(line);
    }
    println!("{count:?}");
    assert!(count.strings >= 300);
    assert_eq!(count.shown, 0);
}

#[test]
fn answers_of_the_oracle() {
    let Ok(path) = std::env::var("FUSEWALL_LIBINJECTION_ANSWERS") else {
        println!("left out: run tests/oracle/libinjection.py compare");
        return;
    };
    let table = std::fs::read_to_string(path).unwrap();
    let mut sets: BTreeMap<&str, Count> = BTreeMap::new();
    for line in table.lines() {
        let (set, line) = line.split_once('\t').unwrap();
        sets.entry(set).or_default().compare(line);
    }
    for (set, count) in &sets {
        println!("{set}: {} strings, {} SQLi, {} XSS", count.strings, count.sqli, count.xss);
        println!(
            "  SQLi: {} verdicts differ, {} fingerprints, {} readings",
            count.sqli_verdicts, count.fingerprints, count.readings
        );
        println!("  XSS:  {} verdicts differ, {} contexts", count.xss_verdicts, count.contexts);
    }
    for (set, count) in sets {
        let allowed = if set == "corpus" { 0 } else { count.strings / 10_000 };
        assert!(count.sqli_verdicts.max(count.fingerprints).max(count.xss_verdicts) <= allowed, "{set}");
    }
}
