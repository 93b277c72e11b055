//! A look-up of a place, in a database made for it.

use crate::table::Table;
use fusewall::geo::Database;
use fusewall::meter::Meter;
use std::hint::black_box;
use std::net::IpAddr;

fn text(text: &str) -> Vec<u8> {
    [vec![2 << 5 | text.len() as u8], text.as_bytes().to_vec()].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![7 << 5 | entries.len() as u8];
    entries.iter().for_each(|(key, value)| out.extend([text(key), value.clone()].concat()));
    out
}

fn short(number: u16) -> Vec<u8> {
    [vec![5 << 5 | 2], number.to_be_bytes().to_vec()].concat()
}

/// A record like those of cities, with names in so many languages.
fn record(languages: usize) -> Vec<u8> {
    let names = |name: &str| {
        let all: Vec<String> = (0..languages).map(|at| format!("{at:02}")).collect();
        let mut entries: Vec<(&str, Vec<u8>)> = all.iter().map(|language| (language.as_str(), text("?"))).collect();
        entries.push(("en", text(name)));
        map(&[("names", map(&entries))])
    };
    let region = [vec![1, 4], names("Vienna Region")].concat();
    map(&[
        ("city", names("Vienna")),
        ("continent", map(&[("code", text("EU"))])),
        ("country", map(&[("iso_code", text("AT"))])),
        ("subdivisions", region),
        ("postal", map(&[("code", text("1010"))])),
    ])
}

/// A tree with the network `::/bits`: so many steps down.
fn file(bits: u32, record: &[u8]) -> Vec<u8> {
    const SEPARATOR: u32 = 16;
    let number = |number: u32| number.to_be_bytes()[1..].to_vec();
    let below = |at: u32| if at + 1 == bits { bits + SEPARATOR } else { at + 1 };
    let tree: Vec<u8> = (0..bits).flat_map(|at| [number(below(at)), number(bits)].concat()).collect();
    let description = map(&[
        ("node_count", short(bits as u16)),
        ("record_size", short(24)),
        ("ip_version", short(6)),
        ("binary_format_major_version", short(2)),
        ("database_type", text("City")),
        ("build_epoch", [vec![4, 2], vec![0x5f, 0, 0, 0]].concat()),
    ]);
    [&tree[..], &[0; SEPARATOR as usize], record, b"\xab\xcd\xefMaxMind.com", &description].concat()
}

pub fn rows(table: &mut Table) {
    for (kind, bits, languages) in [("benign", 24, 7), ("128 steps", 128, 0), ("names in 27 languages", 1, 27)] {
        let database = Database::open(file(bits, &record(languages))).expect("a database");
        for address in ["::", "0.0.0.1", "ffff::"] {
            let address: IpAddr = address.parse().expect("an address");
            table.row("@geoLookup", &format!("{kind}, {address}"), || {
                let mut meter = Meter::unlimited();
                black_box(database.find(black_box(address), &mut meter).expect("unlimited"));
                meter.spent()
            });
        }
    }
}
