//! The detectors: the published operator cases, and what holds for every input.

use std::collections::BTreeSet;
use std::path::PathBuf;

use fusewall::detect::{self, SQLI_PRICE, XSS_PRICE};
use fusewall::meter::{Exhausted, Meter};
use proptest::prelude::*;

/// The cases of one operator, or `None` (said so) where the suite is not there.
fn cases(operator: &str) -> Option<Vec<serde_json::Value>> {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let path = root.join(format!("secrules-language-tests/operators/{operator}.json"));
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(error) => {
            println!("left out: {}: {error}", path.display());
            None
        }
    }
}

/// The input of a case: each textual `\xNN` and `\uNNNN` stands for a byte.
fn input(case: &serde_json::Value) -> Vec<u8> {
    let text = case["input"].as_str().unwrap();
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = match rest.get(..2) {
            Some("\\x") => 2,
            Some("\\u") => 4,
            _ => 0,
        };
        match rest.get(2..2 + digits).map(|number| u16::from_str_radix(number, 16)) {
            Some(Ok(number)) if digits > 0 => {
                bytes.push(number as u8);
                rest = &rest[2 + digits..];
            }
            _ => {
                bytes.extend_from_slice(first.to_string().as_bytes());
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    bytes
}

fn replay(operator: &str, detect: impl Fn(&[u8]) -> bool) {
    let Some(cases) = cases(operator) else { return };
    assert!(!cases.is_empty());
    for case in &cases {
        assert_eq!(i64::from(detect(&input(case))), case["ret"].as_i64().unwrap(), "{case}");
    }
    println!("{operator}: {} cases", cases.len());
}

#[test]
fn published_cases_of_detect_sqli() {
    replay("detectSQLi", |input| detect::sqli(input, &mut Meter::unlimited()).unwrap().is_some());
}

#[test]
fn published_cases_of_detect_xss() {
    replay("detectXSS", |input| detect::xss(input, &mut Meter::unlimited()).unwrap());
}

/// What a call charges, with its answer.
fn spent<T>(call: impl Fn(&mut Meter) -> Result<T, Exhausted>) -> (T, u64) {
    let mut meter = Meter::unlimited();
    let answer = call(&mut meter).unwrap();
    (answer, meter.spent())
}

/// Every promise about fuel, for one input.
fn check_fuel(input: &[u8]) {
    let (sqli, sqli_fuel) = spent(|meter| detect::sqli(input, meter));
    let (xss, xss_fuel) = spent(|meter| detect::xss(input, meter));
    assert!(sqli_fuel <= SQLI_PRICE.of(input.len()), "{sqli_fuel} for {} bytes", input.len());
    assert!(xss_fuel <= XSS_PRICE.of(input.len()), "{xss_fuel} for {} bytes", input.len());

    // What was spent is enough and one less is not: the answer never changes for want of fuel.
    let limited = |fuel| Meter::new(fuel);
    assert_eq!(detect::sqli(input, &mut limited(sqli_fuel)), Ok(sqli));
    assert_eq!(detect::xss(input, &mut limited(xss_fuel)), Ok(xss));
    if sqli_fuel > 0 {
        assert!(detect::sqli(input, &mut limited(sqli_fuel - 1)).is_err());
    }
    assert!(detect::xss(input, &mut limited(xss_fuel - 1)).is_err());
}

/// Pieces that keep a detector busy when they are repeated: each starts a token, a comment, a string, a state.
const PIECES: [&[u8]; 64] = [
    b"1+",
    b"(",
    b")",
    b"((",
    b"a.",
    b"union.",
    b"select`",
    b"`",
    b"'",
    b"''",
    b"\\",
    b"\\'",
    b"\"",
    b"$",
    b"$a$",
    b"$a",
    b"$\0",
    b"/*",
    b"*/",
    b"/**/",
    b"/*/",
    b"--",
    b"--x\n",
    b"# ",
    b"#\n",
    b"- ",
    b"@",
    b"@@",
    b"@`",
    b"[",
    b"]",
    b"q'[",
    b"b'01",
    b"x'",
    b"e'",
    b"u&'",
    b"0x",
    b"1e",
    b"not ",
    b" and ",
    b" or 1",
    b"in(",
    b"a,",
    b",-1",
    b"{a ",
    b"}",
    b";;",
    b"\0",
    b"<",
    b"<a",
    b"</",
    b"<!--",
    b"-->",
    b"--\0",
    b"<%",
    b"%>",
    b"<![CDATA[",
    b"]]",
    b"&#x",
    b"&#0",
    b"/",
    b" a=",
    b" href=",
    b"\xff",
];

#[test]
fn repeated_pieces_stay_within_the_price() {
    for piece in PIECES {
        for len in [1, 255, 256, 257, 5000] {
            let input: Vec<u8> = piece.iter().copied().cycle().take(len).collect();
            check_fuel(&input);
        }
    }
    check_fuel(b"");
}

/// Work itself, not only what is charged for it, must not grow faster than the input: a quadratic scan would take
/// minutes here.
#[test]
fn a_long_run_of_any_piece_ends() {
    for piece in PIECES {
        let input: Vec<u8> = piece.iter().copied().cycle().take(1 << 18).collect();
        let meter = &mut Meter::unlimited();
        detect::sqli(&input, meter).unwrap();
        detect::xss(&input, meter).unwrap();
    }
}

#[test]
fn honest_text_costs_little() {
    let text = "The quick brown fox jumps over the lazy dog, and nobody was surprised. ".repeat(900);
    let (found, fuel) = spent(|meter| detect::sqli(text.as_bytes(), meter));
    assert_eq!(found, None);
    assert!(fuel < text.len() as u64, "{fuel}");
}

#[test]
fn every_letter_comes_up_in_some_fingerprint() {
    let table = include_str!("../data/libinjection.tsv");
    let letters: BTreeSet<char> =
        table.lines().skip(1).flat_map(|line| line.split('\t').nth(3).unwrap().chars()).collect();
    for letter in "kUBEtfn1vso&cA(){}.,:;T?X\\".chars() {
        assert!(letters.contains(&letter), "{letter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_stay_within_the_price(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
        check_fuel(&input);
    }

    #[test]
    fn mixtures_stay_within_the_price(pieces in proptest::collection::vec(0..PIECES.len(), 0..300)) {
        let input: Vec<u8> = pieces.into_iter().flat_map(|piece| PIECES[piece]).copied().collect();
        check_fuel(&input);
    }
}

/// Pieces that an attack is made of, without the bytes of a set.
fn pieces(without: fusewall::byteset::ByteSet) -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "onload",
        "onerror",
        "style",
        "href",
        "javascript:",
        "script",
        "svg",
        "xmlns",
        "!--",
        "-->",
        "![CDATA[",
        "?import",
        "/",
        ">",
        "'",
        "\"",
        "`",
        "x",
        "0",
        "union",
        "select",
        "or",
        "and",
        "1",
        "b",
        "n",
        "x27",
        "sp_password",
        "--",
        "#",
        "/*",
        "*/",
        "sleep",
        "null",
        "not",
        "in",
        "like",
        "group",
        "by",
        "waitfor",
        "delay",
        "_utf8",
        "\\N",
        "@",
        "$",
        ".",
        ",",
        "(",
        ")",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just(b" ".to_vec()),
    ];
    prop::collection::vec(piece, 0..12)
        .prop_map(move |pieces| pieces.concat().into_iter().filter(|byte| !without.contains(*byte)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn without_the_bytes_that_an_attack_needs_there_is_none(
        plain in pieces(detect::XSS_NEEDS),
        letters in pieces(detect::SQLI_NEEDS),
    ) {
        let mut meter = Meter::unlimited();
        prop_assert!(!detect::xss(&plain, &mut meter).unwrap(), "{:?}", plain.escape_ascii().to_string());
        prop_assert!(detect::sqli(&letters, &mut meter).unwrap().is_none(), "{:?}", letters.escape_ascii().to_string());
    }
}
