//! Operators: a naive second implementation decides the same.

use super::super::generators::halves;
use super::second::{self, operators as naive};
use fusewall::detect;
use fusewall::meter::{Exhausted, Meter, Price};
use fusewall::net::{IpSet, parse_address};
use fusewall::ops::{byte_range, check_digits, numeric, text, validate};
use fusewall::scan::Phrases;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Each operator on a value and a parameter.
pub fn operators(data: &[u8]) {
    let (parameter, value) = halves(data);
    // As they are, and with the value long enough to leave the first block of what searches in blocks.
    compare(value, parameter);
    if let Some((&times, value)) = value.split_first() {
        compare(&value.repeat(usize::from(times) % 40), parameter);
    }
    validates(value, parameter);
    addresses(data);
}

/// Those that look for a text.
fn compare(value: &[u8], text: &[u8]) {
    assert_eq!(text::contains(value, text), naive::contains(value, text));
    assert_eq!(text::within(value, text), naive::contains(text, value));
    assert_eq!(text::contains_word(value, text), naive::contains_word(value, text));
    assert_eq!(text::begins_with(value, text), naive::begins_with(value.iter().copied(), text));
    let turned: Vec<u8> = text.iter().rev().copied().collect();
    assert_eq!(text::ends_with(value, text), naive::begins_with(value.iter().rev().copied(), &turned));
    assert_eq!(text::equal(value, text), value.len() == text.len() && naive::contains(value, text));
    // One phrase a word: as many as make several states of one automaton.
    let list: Vec<Box<[u8]>> =
        text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).map(Into::into).collect();
    let phrases = Phrases::build(&list).expect("few phrases");
    let mut meter = Meter::unlimited();
    assert_eq!(phrases.find(value, &mut meter), Ok(naive::phrase(&list, value)));
    assert!(meter.spent() <= phrases.price().of(value.len()));
}

/// Those that read numbers and characters.
fn validates(value: &[u8], parameter: &[u8]) {
    for text in [value, parameter] {
        assert_eq!(numeric::integer(text), naive::integer(text));
        assert_eq!(validate::invalid_url_encoding(text), naive::invalid_url_encoding(text));
        assert_eq!(validate::invalid_utf8(text), naive::invalid_utf8(text));
        assert_eq!(check_digits::luhn(text), naive::luhn(text));
        assert_eq!(check_digits::cpf(text), naive::cpf(text));
        assert_eq!(check_digits::ssn(text), naive::ssn(text));
        assert_eq!(check_digits::svnr(text), naive::svnr(text));
    }
    // Each byte as a digit: most bytes are none.
    let digits: Vec<u8> = value.iter().map(|byte| b'0' + byte % 10).collect();
    assert_eq!(check_digits::luhn(&digits), naive::luhn(&digits));
    assert_eq!(check_digits::cpf(&digits), naive::cpf(&digits));
    assert_eq!(check_digits::ssn(&digits), naive::ssn(&digits));
    assert_eq!(check_digits::svnr(&digits), naive::svnr(&digits));
    let text = second::uri::characters(parameter);
    match (byte_range::parse(&text), naive::byte_range(&text)) {
        (Ok(allowed), Some(listed)) => {
            assert!((0..=255u8).all(|byte| allowed[usize::from(byte)] == listed.contains(&byte)), "{text}");
            let first = value.iter().position(|byte| !listed.contains(byte));
            assert_eq!(validate::outside_byte_range(value, &allowed), first);
        }
        (Err(_), None) => {}
        (found, expected) => panic!("{text:?}: {found:?} instead of {expected:?}"),
    }
}

/// Networks and addresses: five bytes each, mapped into IPv6 by the last.
fn addresses(data: &[u8]) {
    let (networks, probes) = halves(data);
    let v4 = |bytes: &[u8]| Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    // Of two families: the first bytes of an IPv6 address, or of one that an IPv4 address is mapped to.
    let v6 = |bytes: &[u8]| match bytes[4] & 1 {
        0 => v4(bytes).to_ipv6_mapped(),
        _ => Ipv6Addr::from(u128::from(u32::from(v4(bytes))) << 96),
    };
    let networks: Vec<(IpAddr, u32)> = networks
        .chunks_exact(5)
        .map(|bytes| match bytes[4] & 2 {
            0 => (IpAddr::V4(v4(bytes)), u32::from(bytes[4] >> 2) % 33),
            _ => (IpAddr::V6(v6(bytes)), u32::from(bytes[4]) % 129),
        })
        .collect();
    let entries = networks.iter().map(|(address, length)| IpSet::parse_entry(&format!("{address}/{length}")));
    let set = IpSet::from_ranges(entries.collect::<Result<_, _>>().expect("networks"));
    for bytes in probes.chunks_exact(5) {
        let probe = if bytes[4] & 2 == 0 { IpAddr::V4(v4(bytes)) } else { IpAddr::V6(v6(bytes)) };
        assert_eq!(parse_address(format!(" {probe} ").as_bytes()), Some(probe));
        let within = |&(network, length): &(IpAddr, u32)| match (probe, network) {
            (IpAddr::V4(probe), IpAddr::V4(network)) => naive::in_network_v4(probe, network, length),
            (IpAddr::V6(probe), IpAddr::V6(network)) => naive::in_network_v6(probe, network, length),
            // A mapped address is the address that it maps; a network is one of IPv4 if all its addresses are mapped.
            (IpAddr::V6(probe), IpAddr::V4(network)) => {
                probe.to_ipv4_mapped().is_some_and(|probe| naive::in_network_v4(probe, network, length))
            }
            (IpAddr::V4(probe), IpAddr::V6(network)) => network
                .to_ipv4_mapped()
                .is_some_and(|network| length >= 96 && naive::in_network_v4(probe, network, length - 96)),
        };
        assert_eq!(set.contains(probe), networks.iter().any(within), "{probe} in {networks:?}");
    }
}

/// What a detector found, and the fuel for it.
type Found<T> = (Result<T, Exhausted>, u64);

/// The detectors on any bytes: within their price, the same under every budget that is enough and an end under every other, and found only
/// where screens let it be found.
pub fn libinjection(data: &[u8]) {
    let sqli = detector(data, detect::SQLI_PRICE, |meter| detect::sqli(data, meter));
    let xss = detector(data, detect::XSS_PRICE, |meter| detect::xss(data, meter));
    if let Some(fingerprint) = sqli {
        assert!((1..=5).contains(&fingerprint.as_bytes().len()), "{fingerprint}");
        assert!(data.iter().any(|byte| detect::SQLI_NEEDS.contains(*byte)));
    }
    assert!(!xss || data.iter().any(|byte| detect::XSS_NEEDS.contains(*byte)));
}

/// Runs a detector under several budgets.
fn detector<T: PartialEq + std::fmt::Debug + Copy>(
    data: &[u8],
    price: Price,
    run: impl Fn(&mut Meter) -> Result<T, Exhausted>,
) -> T {
    let under = |limit: u64| -> Found<T> {
        let mut meter = Meter::new(limit);
        (run(&mut meter), meter.spent())
    };
    let (found, fuel) = under(u64::MAX);
    assert!(fuel <= price.of(data.len()), "{fuel} fuel for {} bytes", data.len());
    assert_eq!(under(fuel), (found, fuel));
    for short in [fuel.saturating_sub(1), fuel / 2].into_iter().filter(|short| *short < fuel) {
        assert!(under(short).0.is_err(), "{short} of {fuel} fuel are enough");
    }
    found.expect("no budget")
}
