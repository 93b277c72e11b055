//! What stands in the head of a request: target, query string, cookies. A second reader reads the same.

use super::readers::named;
use super::second::{self, Pair};
use fusewall::http::{Fields, Kind, ParseLimits, Processor, Report, args, body, cookies as parser, uri as splitter};
use fusewall::meter::Meter;

/// The fields that were found, all of which must be of that kind.
fn all_of(kind: Kind, fields: &Fields) -> Vec<Pair> {
    let pair = |(found, name, value)| {
        assert_eq!(found, kind);
        (name, value)
    };
    named(fields).into_iter().map(pair).collect()
}

/// A query string; the first byte says how many arguments there may be.
pub fn query(data: &[u8]) {
    let Some((&limit, text)) = data.split_first() else { return };
    let limits = ParseLimits { arguments: usize::from(limit), ..ParseLimits::default() };
    let (mut fields, mut report, mut meter) = (Fields::with_limit(64 << 20), Report::default(), Meter::unlimited());
    args::parse_query(text, &limits, &mut fields, &mut report, &mut meter).expect("no budget");
    let price = body::price(Processor::UrlEncoded).of(text.len());
    assert!(meter.spent() <= price, "{} fuel for {} bytes", meter.spent(), text.len());
    let (mut pairs, broken) = second::form::pairs(text);
    assert_eq!(report.arguments_exceeded, pairs.len() > limits.arguments);
    assert_eq!(report.error, report.arguments_exceeded);
    if !report.arguments_exceeded {
        assert_eq!(report.urlencoded_error, broken);
    }
    pairs.truncate(limits.arguments);
    assert_eq!(all_of(Kind::ArgGet, &fields), pairs);
}

/// A Cookie header; the first byte says of which format, and what separates cookies.
pub fn cookies(data: &[u8]) {
    let Some((&how, header)) = data.split_first() else { return };
    let (format, separator) = (how & 1, if how & 2 == 0 { b';' } else { b',' });
    let (mut fields, mut meter) = (Fields::with_limit(64 << 20), Meter::unlimited());
    let named = parser::parse_cookies(header, format, separator, &mut fields, &mut meter).expect("no budget");
    assert!(meter.spent() <= parser::PRICE.of(header.len()));
    let (pairs, all_named) = match format {
        1 => second::cookies::version_1(header),
        _ => second::cookies::version_0(header, separator),
    };
    assert_eq!(all_of(Kind::Cookie, &fields), pairs);
    assert_eq!(named, all_named);
}

/// A request target.
pub fn uri(data: &[u8]) {
    let split = splitter::split(data);
    assert_eq!(split.raw, data);
    let text = second::uri::characters;
    let pieces = second::uri::Pieces {
        uri: text(split.uri),
        path: text(split.path),
        query: text(split.query),
        fragment: text(split.fragment),
        has_query: split.has_query,
        basename: text(splitter::basename(split.path)),
    };
    assert_eq!(pieces, second::uri::split(data));
    let mut decoded = Vec::new();
    splitter::decode_path(split.path, &mut decoded);
    assert_eq!(decoded, second::form::decoded(split.path, false, &mut false));
}
