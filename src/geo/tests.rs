//! A small writer of the format, and what becomes of files that it breaks.

use super::*;
use proptest::prelude::*;

fn text(text: &str) -> Vec<u8> {
    let mut out = match text.len() {
        len @ 0..29 => vec![2 << 5 | len as u8],
        len => vec![2 << 5 | 29, (len - 29) as u8],
    };
    out.extend_from_slice(text.as_bytes());
    out
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![7 << 5 | entries.len() as u8];
    entries.iter().for_each(|(key, value)| out.extend([text(key), value.clone()].concat()));
    out
}

fn number(number: u32) -> Vec<u8> {
    [vec![6 << 5 | 4], number.to_be_bytes().to_vec()].concat()
}

fn double(number: f64) -> Vec<u8> {
    [vec![3 << 5 | 8], number.to_be_bytes().to_vec()].concat()
}

fn record() -> Vec<u8> {
    let names = |name: &str| map(&[("de", text("?")), ("en", text(name))]);
    let region = [vec![1, 4], map(&[("names", names("Vienna Region"))])].concat();
    map(&[
        ("city", map(&[("names", names("Vienna"))])),
        ("country", map(&[("iso_code", text("AT")), ("names", names("Austria"))])),
        ("continent", map(&[("code", text("EU")), ("names", names("Europe"))])),
        ("location", map(&[("latitude", double(48.25)), ("longitude", double(-16.5)), ("metro_code", number(803))])),
        ("postal", map(&[("code", text("1010"))])),
        ("subdivisions", region),
        ("traits", map(&[("flag", vec![1, 7]), ("big", vec![2, 2, 1, 2]), ("blob", vec![4 << 5 | 2, 0, 0])])),
    ])
}

/// A tree with one network, `128.0.0.0/1` or `8000::/1`, of one node.
fn file(record_size: u16, version: u16, record: &[u8]) -> Vec<u8> {
    let found = 1 + SEPARATOR as u32;
    let nothing = 1u32;
    let node: Vec<u8> = match record_size {
        24 => [&nothing.to_be_bytes()[1..], &found.to_be_bytes()[1..]].concat(),
        28 => [&nothing.to_be_bytes()[1..], &[0], &found.to_be_bytes()[1..]].concat(),
        _ => [nothing.to_be_bytes(), found.to_be_bytes()].concat(),
    };
    let short = |number: u16| [vec![5 << 5 | 2], number.to_be_bytes().to_vec()].concat();
    let description = map(&[
        ("node_count", number(1)),
        ("record_size", short(record_size)),
        ("ip_version", short(version)),
        ("binary_format_major_version", short(2)),
        ("database_type", text("Test-City")),
        ("build_epoch", [vec![4, 2], vec![0x5f, 0, 0, 0]].concat()),
    ]);
    [&node[..], &[0; SEPARATOR], record, MARKER, &description].concat()
}

fn find(database: &Database, address: &str) -> Option<Vec<(String, String)>> {
    let mut meter = Meter::unlimited();
    let place = database.find(address.parse().unwrap(), &mut meter).unwrap()?;
    assert!(meter.spent() <= PRICE.per_call);
    let own = |(name, value): (&str, &[u8])| (name.to_owned(), String::from_utf8_lossy(value).into_owned());
    Some(place.members().map(own).collect())
}

#[test]
fn a_place_in_each_form_of_tree() {
    for size in [24, 28, 32] {
        let database = Database::open(file(size, 4, &record())).unwrap();
        assert_eq!((database.kind(), database.built()), ("Test-City", 0x5f00_0000));
        assert_eq!(find(&database, "127.0.0.1"), None);
        assert_eq!(find(&database, "8000::1"), None);
        let place = find(&database, "200.0.0.1").unwrap();
        let values: Vec<_> = place.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(
            values,
            ["AT", "AUT", "Austria", "Europe", "Vienna Region", "Vienna", "1010", "48.250000", "-16.500000", "803", ""]
        );
    }
    let database = Database::open(file(24, 6, &record())).unwrap();
    assert!(find(&database, "8000::1").is_some());
    assert_eq!(find(&database, "200.0.0.1"), None, "IPv4 stands below 96 zero bits");
}

#[test]
fn pointers_are_followed_once() {
    // The record points to a map behind it; the key of that map is a pointer, too.
    let mut body = vec![1 << 5, 2];
    body.extend(map(&[("country", map(&[("iso_code", text("AT"))]))]));
    let database = Database::open(file(24, 4, &body)).unwrap();
    assert_eq!(find(&database, "200.0.0.1").unwrap()[1].1, "AUT");
    // A pointer to itself.
    assert_eq!(Database::open(file(24, 4, &[1 << 5, 0])).unwrap_err(), Unusable("one of its records cannot be read"));
}

#[test]
fn broken_files_are_told() {
    let good = file(24, 4, &record());
    assert!(Database::open(b"GeoIP.dat".to_vec()).unwrap_err().to_string().contains("not a MaxMind DB"));
    for bad in [file(20, 4, &record()), file(24, 5, &record())] {
        assert!(Database::open(bad).unwrap_err().to_string().contains("form"));
    }
    // Maps within maps, each of them referring to the one before: more values than a look-up may read.
    let mut body = map(&[("a", number(1))]);
    for _ in 0..40 {
        let nested = [vec![11 - 7, 4], vec![0]].concat();
        body = [map(&[("a", [body.clone(), nested].concat())])].concat();
    }
    let _ = Database::open(file(24, 4, &body));
    let wide: Vec<u8> = [vec![7 << 5 | 31, 0, 0, 0], [text("k"), vec![7 << 5]].concat().repeat(65_821)].concat();
    assert_eq!(Database::open(file(24, 4, &wide)).unwrap_err(), Unusable("one of its records is too large"));
    let marker = memchr::memmem::find(&good, MARKER).unwrap();
    assert!(Database::open([&good[..3], &good[marker..]].concat()).is_err(), "the tree is cut off");
}

proptest! {
    /// Whatever a byte is replaced with: an error, or a database that answers within its price.
    #[test]
    fn no_byte_makes_it_fail(at in 0usize..400, byte: u8, address: u32) {
        let mut bytes = file(24, 4, &record());
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(database) = Database::open(bytes) {
            let mut meter = Meter::unlimited();
            database.find(IpAddr::V4(address.into()), &mut meter).unwrap();
            prop_assert!(meter.spent() <= PRICE.per_call);
        }
    }

    #[test]
    fn no_bytes_make_it_fail(bytes: Vec<u8>) {
        let _ = Database::open([&bytes[..], MARKER, &bytes].concat());
        let _ = Database::open(bytes);
    }
}
