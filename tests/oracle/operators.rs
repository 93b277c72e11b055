//! Whether a value matches, and what the match captures.

use super::patterns::Patterns;
use fusewall::detect;
use fusewall::meter::Meter;
use fusewall::net::parse_address;
use fusewall::ops::{check_digits, numeric::integer, text, validate};
use fusewall::rule::{Macro, Operator, Pattern};

/// What `capture` stores: group `n` in TX:`n`.
pub type Groups = Vec<Option<Vec<u8>>>;

/// The groups that the operator finds; `None` if it does not match. Comparisons of text find the text that they look for, or
/// the value that stands in it; numbers and validators find nothing to capture. The sign of the test is the caller's business.
pub fn test(
    operator: &Operator,
    value: &[u8],
    patterns: &Patterns,
    expand: &dyn Fn(&Macro) -> Vec<u8>,
) -> Option<Groups> {
    let plain = |matches: bool| matches.then(Vec::new);
    let compared = |argument: &Macro, holds: fn(&[u8], &[u8]) -> bool, found: fn(Vec<u8>, Vec<u8>) -> Vec<u8>| {
        let text = expand(argument);
        holds(value, &text).then(|| vec![Some(found(value.to_vec(), text))])
    };
    let number = |argument: &Macro| integer(&expand(argument));
    match operator {
        Operator::Rx(pattern) => groups(patterns, pattern, value, 0).map(|(groups, _)| groups),
        Operator::RxGlobal(pattern) => all_groups(patterns, pattern, value),
        Operator::RxExpanded { text, global } => {
            let pattern = Pattern { text: expand(text).into(), fold_case: false };
            // What is no pattern does not match.
            patterns.reads(&pattern).then_some(())?;
            if *global {
                all_groups(patterns, &pattern, value)
            } else {
                groups(patterns, &pattern, value, 0).map(|(groups, _)| groups)
            }
        }
        Operator::Pm(phrases) => patterns.phrase(phrases, value).map(|phrase| vec![Some(phrase.to_vec())]),
        Operator::StrEq(argument) => compared(argument, text::equal, |value, _| value),
        Operator::Contains(argument) | Operator::StrMatch(argument) => {
            compared(argument, text::contains, |_, text| text)
        }
        Operator::ContainsWord(argument) => compared(argument, text::contains_word, |_, text| text),
        Operator::BeginsWith(argument) => compared(argument, text::begins_with, |_, text| text),
        Operator::EndsWith(argument) => compared(argument, text::ends_with, |_, text| text),
        Operator::Within(argument) => compared(argument, text::within, |value, _| value),
        Operator::Eq(argument) => plain(integer(value) == number(argument)),
        Operator::Ge(argument) => plain(integer(value) >= number(argument)),
        Operator::Gt(argument) => plain(integer(value) > number(argument)),
        Operator::Le(argument) => plain(integer(value) <= number(argument)),
        Operator::Lt(argument) => plain(integer(value) < number(argument)),
        Operator::IpMatch(set) => {
            parse_address(value).filter(|address| set.contains(*address)).map(|_| vec![Some(value.to_vec())])
        }
        // The look-up itself is `Run::look_up`: it fills GEO.
        Operator::GeoLookup => panic!("a look-up is no comparison"),
        // No name server is asked.
        Operator::Rbl(_) => None,
        Operator::DetectSqli => {
            let found = detect::sqli(value, &mut Meter::unlimited()).expect("no budget");
            found.map(|fingerprint| vec![Some(fingerprint.as_bytes().to_vec())])
        }
        Operator::DetectXss => {
            let found = detect::xss(value, &mut Meter::unlimited()).expect("no budget");
            found.then(|| vec![Some(value.to_vec())])
        }
        Operator::ValidateByteRange(allowed) => plain(validate::outside_byte_range(value, allowed).is_some()),
        Operator::ValidateUrlEncoding => plain(validate::invalid_url_encoding(value)),
        Operator::ValidateUtf8Encoding => plain(validate::invalid_utf8(value)),
        Operator::VerifyCc(pattern) => verified(patterns, pattern, value, check_digits::luhn),
        Operator::VerifyCpf(pattern) => verified(patterns, pattern, value, check_digits::cpf),
        Operator::VerifySsn(pattern) => verified(patterns, pattern, value, check_digits::ssn),
        Operator::VerifySvnr(pattern) => verified(patterns, pattern, value, check_digits::svnr),
        Operator::UnconditionalMatch => plain(true),
        Operator::NoMatch => None,
        other => panic!("an operator that the interpreter does not know: {other:?}"),
    }
}

/// The groups of a match and its end.
fn groups(
    patterns: &Patterns,
    pattern: &Pattern,
    value: &[u8],
    start: usize,
) -> Option<(Groups, std::ops::Range<usize>)> {
    let found = patterns.groups(pattern, value, start)?;
    let whole = found.first()?.clone()?;
    Some((found.into_iter().take(10).map(|range| range.map(|range| value[range].to_vec())).collect(), whole))
}

/// Matches one after the other.
fn each_match<'a>(
    patterns: &'a Patterns,
    pattern: &'a Pattern,
    value: &'a [u8],
) -> impl Iterator<Item = (Groups, std::ops::Range<usize>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let (found, whole) = (start <= value.len()).then(|| groups(patterns, pattern, value, start))??;
        start = if whole.is_empty() { whole.end + 1 } else { whole.end };
        Some((found, whole))
    })
}

/// A later match takes the place of an earlier one, group by group.
fn all_groups(patterns: &Patterns, pattern: &Pattern, value: &[u8]) -> Option<Groups> {
    each_match(patterns, pattern, value).map(|(groups, _)| groups).reduce(|mut all, next| {
        for (old, new) in all.iter_mut().zip(next) {
            if new.is_some() {
                *old = new;
            }
        }
        all
    })
}

/// The first match of the pattern whose check digits are right.
fn verified(patterns: &Patterns, pattern: &Pattern, value: &[u8], check: fn(&[u8]) -> bool) -> Option<Groups> {
    each_match(patterns, pattern, value).find(|(_, whole)| check(&value[whole.clone()])).map(|(groups, _)| groups)
}
